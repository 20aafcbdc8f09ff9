"""The normal distribution."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np

from bayesmix.arrays import Array
from bayesmix.language.families.family import ClosedForm, Family, Parameter
from bayesmix.language.families.namespaces import Namespace
from bayesmix.language.families.noisy import with_errors


def _kernel(xp: Namespace, y: Any, _: Any, mu: Any, sigma: Any) -> Any:
    return -0.5 * ((y - mu) / sigma) ** 2 - xp.log(sigma)


def _slopes(y: Array, _: Array, mu: Array, sigma: Array) -> tuple[Array, Array, Array]:
    precision = sigma**-2.0
    first = precision * (y - mu)
    return first, np.broadcast_to(-precision, first.shape), np.zeros_like(first)


def _cdf(y: Array, _: Array, mu: Array, sigma: Array) -> Array:
    from scipy.special import ndtr

    return np.asarray(ndtr((y - mu) / sigma))


def _log_tails(xp: Namespace, y: Any, _: Any, mu: Any, sigma: Any) -> tuple[Any, Any]:
    z = (y - mu) / sigma
    return xp.log_ndtr(z), xp.log_ndtr(-z)


_GAUSSIAN = Family(
    "gaussian",
    (Parameter("mu", ("identity", "log", "inverse")), Parameter("sigma", unit="response", exact="zero")),
    "real",
    _kernel,
    _cdf,
    sample=lambda rng, trials, mu, sigma: rng.normal(mu, sigma),
    variance=lambda trials, mu, sigma: np.broadcast_to(sigma**2, mu.shape),
    base=lambda y, trials: np.asarray(-0.5 * math.log(2.0 * math.pi)),
    log_tails=_log_tails,
    words="Normal(mu[i], sigma)",
    deviance=lambda y, trials, mu, sigma: (y - mu) ** 2,
    moments=lambda y, mu: (max(float(np.std(y - mu)), 1e-8),),
    pymc=lambda trials, mu, sigma: ("Normal", {"mu": mu, "sigma": sigma}),
    closed_form=ClosedForm(_slopes),
    weights="precision",
    has_scale=True,
    is_normal=True,
)
GAUSSIAN = replace(_GAUSSIAN, noisy=with_errors(_GAUSSIAN))
