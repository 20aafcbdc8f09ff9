"""Default priors of parameters beside the mean that have a formula: ``sigma``, ``shape``, on the scale of their link.

============  =======================================================================================================
preset        priors
============  =======================================================================================================
``default``   intercept: normal, with the mean and sd that the logarithm of the parameter has under the prior it has
              without a formula; slopes: normal, standard deviations: exponential, a factor of e a spread of the column
``flat``      none (improper)
``brms``      brms 2.23: Student t intercept, flat slopes, half-t standard deviations, whatever the data
``bambi``     bambi 0.21: normal intercept and slopes, half-normal standard deviations, whatever the data
============  =======================================================================================================
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from bayesmix.arrays import Array
from bayesmix.data.design.design import Design, Term
from bayesmix.data.design.row_statistics import mean
from bayesmix.errors import SpecError
from bayesmix.inference.parameters.column_scales import scale_at_zero, scales_at_means
from bayesmix.inference.parameters.default_priors import Defaults
from bayesmix.language.families.link import Link
from bayesmix.language.priors.prior import Prior
from bayesmix.language.priors.prior_quantiles import quantile

NODES = 20_000  # equally likely ones, of a mean over a prior
MEANT = ("default", "flat", "brms", "bambi")


def check_preset(preset: str) -> None:
    """Raise `SpecError` if a package has no priors of models with several linear predictors."""
    if preset not in MEANT:
        raise SpecError(
            f'priors="{preset}" is of models with one linear predictor; {preset} has no others. For this model:'
            f" {', '.join(MEANT)}."
        )


def auxiliary_defaults(preset: str, alone: Prior, link: Link, design: Design, levels: Array) -> Defaults:
    """The priors of the linear predictor of a parameter beside the mean.

    Parameters
    ----------
    alone : the parameter's prior where it is one number for all rows.
    design : the predictor by itself.
    levels : (p,) the coefficients of a predictor that is one everywhere.
    """
    p = design.X.shape[1]
    match preset:
        case "flat":
            return _alike(p, Prior("Flat"), Prior("Flat"), Prior("HalfFlat"))
        case "brms":
            return _alike(p, Prior("StudentT", (3.0, 0.0, 2.5)), Prior("Flat"), Prior("HalfStudentT", (3.0, 2.5)))
        case "bambi":
            return _alike(p, Prior("Normal", (0.0, 1.0)), Prior("Normal", (0.0, 1.0)), Prior("HalfNormal", (1.0,)))
        case _:
            return _own(alone, link, design, levels)


def unstated(p: int) -> Defaults:
    """The priors of a parameter of a nonlinear mean, whose unit no default knows: none, until they are given."""
    return _alike(p, Prior("Flat"), Prior("Flat"), Prior("HalfFlat"))


def _alike(p: int, intercept: Prior, slope: Prior, sd: Prior) -> Defaults:
    """The same whatever the data; correlations are uniform."""
    return Defaults(intercept, (slope,) * p, lambda term, e: sd, 1.0, ())


def _own(alone: Prior, link: Link, design: Design, levels: Array) -> Defaults:
    centre, spread = moments(alone, link) if not alone.is_flat else (0.0, np.inf)
    centre -= float(mean(design.offset, design.counts))
    own = scales_at_means(design.fixed, design.X, design.counts)
    columns = zip((centre * levels + 0.0).tolist(), own, strict=True)  # never -0

    def sd(term: Term, e: int) -> Prior:
        return Prior("Exponential", (scale_at_zero(term.effects, term.total, e, design.counts),))

    return Defaults(
        intercept=Prior("Flat") if alone.is_flat else Prior("Normal", (centre, spread)),
        fixed=tuple(Prior("Normal", (mean, 1.0 / one)) for mean, one in columns),
        sd=sd,
        eta=2.0,
        others=(),
    )


def moments(prior: Prior, link: Link) -> tuple[float, float]:
    """Mean and standard deviation of ``g(X)`` where ``X`` has a prior and ``g`` is a link."""
    if link.is_logarithm and prior.kind in _LOG_MOMENTS:
        mean, variance = _LOG_MOMENTS[prior.kind](*prior.arguments)
        return float(mean), math.sqrt(float(variance))
    values = link.of(quantile(prior, (np.arange(NODES) + 0.5) / NODES))
    return float(np.mean(values)), float(np.std(values))


def _of_gamma(alpha: float, beta: float) -> tuple[float, float]:
    from scipy.special import digamma, polygamma

    return digamma(alpha) - math.log(beta), polygamma(1, alpha)


def _of_inverse_gamma(alpha: float, beta: float) -> tuple[float, float]:
    mean, variance = _of_gamma(alpha, beta)
    return -mean, variance


def _of_half_student(nu: float, sigma: float) -> tuple[float, float]:
    """``2 log |t| = log F(1, nu)``, a difference of logarithms of chi-squared variables."""
    above, below = _of_gamma(0.5, 0.5), _of_gamma(0.5 * nu, 0.5 * nu)
    return math.log(sigma) + 0.5 * (above[0] - below[0]), 0.25 * (above[1] + below[1])


def _of_half_normal(sigma: float) -> tuple[float, float]:
    mean, variance = _of_gamma(0.5, 0.5)
    return math.log(sigma) + 0.5 * mean, 0.25 * variance


_LOG_MOMENTS: dict[str, Callable[..., tuple[float, float]]] = {  # mean and variance of the logarithm
    "Exponential": lambda rate: _of_gamma(1.0, rate),
    "Gamma": _of_gamma,
    "InverseGamma": _of_inverse_gamma,
    "HalfNormal": _of_half_normal,
    "HalfStudentT": _of_half_student,
    "HalfCauchy": lambda sigma: _of_half_student(1.0, sigma),
    "LogNormal": lambda mu, sigma: (mu, sigma**2),
}
