"""Fits of models with several linear predictors: estimates of the reference cases, and posteriors made of them."""

from __future__ import annotations

from functools import cache
from types import SimpleNamespace

from breadth import estimate_case, frame
from conftest import around

from bayesmix.data.design.build import build
from bayesmix.data.design.layout import parts_of
from bayesmix.fit import Estimate, Posterior
from bayesmix.inference.estimation.estimate import estimate
from bayesmix.inference.estimation.methods import Laplace
from bayesmix.language.formula.model_spec import make_spec
from bayesmix.results.fits.records import Fitted


@cache
def fitted_model(name: str) -> Fitted:
    """The model of a reference case on its data."""
    case = estimate_case(name)
    spec = make_spec(case["formula"], case["family"], None, None, rescor=case["rescor"])
    return Fitted(spec, build(parts_of(spec), frame(case["data"])), case["data"])


@cache
def estimate_of(name: str) -> Estimate:
    """The estimate of a reference case by the Laplace approximation."""
    model = fitted_model(name)
    return Estimate(model, estimate(model.design, model.spec, Laplace()))


@cache
def posterior_of(name: str, *, spread: float = 0.05) -> Posterior:
    """Draws around that estimate, without priors."""
    return around(estimate_of(name), SimpleNamespace(priors=None), chains=2, draws=100, spread=spread)
