"""Student's t distribution: a normal one with heavier tails.

``sigma`` is the scale, not the standard deviation; ``nu`` has a logarithmic link, glmmTMB's, and no lower bound, where
brms keeps it above one (``logm1``). With ``nu`` at most one there is no mean: what is given as one is ``mu``, the
median.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from bayesmix.arrays import Array
from bayesmix.language.families.family import Family, Limit, Parameter
from bayesmix.language.families.log_gamma import HALF_LOG_2PI
from bayesmix.language.families.namespaces import Namespace
from bayesmix.language.families.noisy import with_errors

MAD = 1.4826  # normal data have a standard deviation of that many median absolute deviations
HEAVY = 4.0  # degrees of freedom to start from: tails that the data may make lighter
NU = {"default": "Gamma(2, 0.1)", "flat": "Gamma(2, 0.1)", "brms": "Gamma(2, 0.1)", "bambi": "Gamma(2, 0.1)"}


def _kernel(xp: Namespace, y: Any, _: Any, mu: Any, sigma: Any, nu: Any) -> Any:
    tails = xp.log_rising(0.5 * nu, 0.5) - 0.5 * (nu + 1.0) * xp.log1p(((y - mu) / sigma) ** 2 / nu)
    return tails - xp.log(sigma)


def _cdf(y: Array, _: Array, mu: Array, sigma: Array, nu: Array) -> Array:
    from scipy.special import stdtr

    return np.asarray(stdtr(nu, (y - mu) / sigma))


def _log_tails(xp: Namespace, y: Any, _: Any, mu: Any, sigma: Any, nu: Any) -> tuple[Any, Any]:
    t = (y - mu) / sigma
    return xp.student_tails(t, nu, _kernel(xp, t, None, 0.0, 1.0, nu) - HALF_LOG_2PI)


def _variance(_: Array, mu: Array, sigma: Array, nu: Array) -> Array:
    with np.errstate(all="ignore"):
        spread = np.where(nu > 2.0, sigma**2 * nu / (nu - 2.0), np.inf)
    return np.broadcast_to(spread, np.broadcast_shapes(np.shape(mu), spread.shape))


def _crude(y: Array, _: Array) -> tuple[float, ...]:
    """By medians, which no tail moves."""
    middle = float(np.median(y))
    spread = MAD * float(np.median(np.abs(y - middle))) or float(np.std(y)) or 1.0
    return middle, spread, HEAVY


_STUDENT = Family(
    "student",
    (
        Parameter("mu", ("identity", "log", "inverse")),
        Parameter("sigma", unit="response", exact="zero"),
        Parameter("nu", priors=NU, limit=Limit("gaussian")),
    ),
    "real",
    _kernel,
    _cdf,
    sample=lambda rng, trials, mu, sigma, nu: mu + sigma * rng.standard_t(nu, np.shape(mu)),
    variance=_variance,
    base=lambda y, trials: np.asarray(-HALF_LOG_2PI),
    crude=_crude,
    log_tails=_log_tails,
    words="StudentT(nu, mu[i], sigma)",
    pymc=lambda trials, mu, sigma, nu: ("StudentT", {"nu": nu, "mu": mu, "sigma": sigma}),
)
STUDENT = replace(_STUDENT, noisy=with_errors(_STUDENT))
