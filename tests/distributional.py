"""Fits of models with several linear predictors: estimates of the reference cases, and posteriors made of them."""

from __future__ import annotations

from functools import cache

from breadth import estimate_case, frame
from conftest import around

import bayesmix as bmx
from bayesmix.fit import Estimate, Posterior


@cache
def model_of(name: str) -> bmx.Model:
    """The model of a reference case on its data."""
    case = estimate_case(name)
    data = frame(case["data"])
    return bmx.Model(case["formula"], data, case["family"], rescor=case["rescor"], data_name=case["data"])


@cache
def estimate_of(name: str) -> Estimate:
    """The estimate of a reference case by the Laplace approximation, or by REML where that is its method."""
    return model_of(name).estimate(estimate_case(name)["method"])


@cache
def posterior_of(name: str, *, spread: float = 0.05) -> Posterior:
    """Draws around that estimate."""
    return around(estimate_of(name), model_of(name), chains=2, draws=100, spread=spread)
