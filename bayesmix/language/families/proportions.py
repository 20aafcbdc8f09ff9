"""Distributions of continuous proportions: beta."""

from __future__ import annotations

from typing import Any

import numpy as np

from bayesmix.arrays import Array
from bayesmix.language.families.family import Family, Parameter
from bayesmix.language.families.log_gamma import HALF_LOG_2PI, remainder
from bayesmix.language.families.namespaces import Namespace

LEAST, MOST = 1e-300, 1.0 - 2.0**-53  # draws that round to zero or one would be no proportions


def _kernel(xp: Namespace, y: Any, _: Any, mu: Any, phi: Any) -> Any:
    """Of precision ``phi``: shapes ``mu phi`` and ``(1 - mu) phi``, by Stirling's formula and what it leaves."""
    nu = 1.0 - mu
    a, b = mu * phi, nu * phi
    fit = a * _log_ratio(xp, y / mu, (y - mu) / mu) + b * _log_ratio(xp, (1.0 - y) / nu, (mu - y) / nu)
    rest = remainder(xp, phi) - remainder(xp, a) - remainder(xp, b)
    return fit + 0.5 * (xp.log(mu) + xp.log1p(-mu) + xp.log(phi)) + rest


def _log_ratio(xp: Namespace, ratio: Any, excess: Any) -> Any:
    """Logarithm of a ratio, by what it is more than one unless that is next to minus one."""
    return xp.where(ratio < 0.5, xp.log(xp.minimum(ratio, 1.0)), xp.log1p(xp.maximum(excess, -0.75)))


def _base(y: Array, _: Array) -> Array:
    return -np.log(y) - np.log1p(-y) - HALF_LOG_2PI


def _cdf(y: Array, _: Array, mu: Array, phi: Array) -> Array:
    from scipy.special import betainc

    return np.asarray(betainc(mu * phi, (1.0 - mu) * phi, np.clip(y, 0.0, 1.0)))


def _log_tails(xp: Namespace, y: Any, trials: Any, mu: Any, phi: Any) -> tuple[Any, Any]:
    """What stands before them is the density times ``y (1 - y)``."""
    front = _kernel(xp, y, trials, mu, phi) - HALF_LOG_2PI
    return xp.beta_tails(mu * phi, (1.0 - mu) * phi, y, 1.0 - y, front)


def _moments(y: Array, mu: Array) -> tuple[float]:
    ratio = float(np.mean((y - mu) ** 2)) / float(np.mean(mu * (1.0 - mu)))
    return (float(np.clip(1.0 / max(ratio, 1e-6) - 1.0, 0.1, 1e6)),)


BETA = Family(
    "beta",
    (
        Parameter("mu", ("logit", "probit", "cloglog")),
        Parameter("phi", exact="infinity"),
    ),
    "proportion",
    _kernel,
    _cdf,
    sample=lambda rng, trials, mu, phi: np.clip(rng.beta(mu * phi, (1.0 - mu) * phi), LEAST, MOST),
    variance=lambda trials, mu, phi: mu * (1.0 - mu) / (1.0 + phi),
    base=_base,
    log_tails=_log_tails,
    words="Beta(mean mu[i], precision phi)",
    moments=_moments,
    pymc=lambda trials, mu, phi: ("Beta", {"alpha": mu * phi, "beta": (1.0 - mu) * phi}),
)
