"""Distributions of positive responses: gamma."""

from __future__ import annotations

from typing import Any

import numpy as np

from bayesmix.arrays import Array
from bayesmix.language.families.family import ClosedForm, Family, Parameter
from bayesmix.language.families.namespaces import Namespace


def _kernel(xp: Namespace, y: Any, _: Any, mu: Any, shape: Any) -> Any:
    rate = shape / mu
    return shape * xp.log(rate * y) - rate * y - xp.gammaln(shape)


def _slopes(y: Array, _: Array, mu: Array, shape: Array) -> tuple[Array, Array, Array]:
    return (
        shape * (y - mu) / mu**2,
        shape * (mu - 2.0 * y) / mu**3,
        shape * (6.0 * y - 2.0 * mu) / mu**4,
    )


def _cdf(y: Array, _: Array, mu: Array, shape: Array) -> Array:
    from scipy.special import gammainc

    return np.asarray(gammainc(shape, shape * np.maximum(y, 0.0) / mu))


GAMMA = Family(
    "gamma",
    (Parameter("mu", ("log", "inverse", "identity")), Parameter("shape")),
    "positive",
    _kernel,
    _cdf,
    sample=lambda rng, trials, mu, shape: rng.gamma(shape, mu / shape),
    variance=lambda trials, mu, shape: mu**2 / shape,
    base=lambda y, trials: -np.log(y),
    printed="Gamma",
    words="Gamma(mean mu[i], shape)",
    deviance=lambda y, trials, mu, shape: -2.0 * (np.log(y / mu) - (y - mu) / mu),
    moments=lambda y, mu: (float(np.clip(1.0 / np.mean((y / mu - 1.0) ** 2), 1e-2, 1e6)),),
    pymc=lambda trials, mu, shape: ("Gamma", {"alpha": shape, "beta": shape / mu}),
    closed_form=ClosedForm(_slopes),
    has_scale=True,
)
