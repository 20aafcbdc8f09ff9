"""Default priors of ranges and length scales, by distances in the data, and of the smoothness."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from bayesmix.arrays import Array
from bayesmix.inference.parameters.distance_correlation import ByDistance
from bayesmix.inference.parameters.positive_numbers import PositiveNumbers
from bayesmix.inference.parameters.spectral_covariance import Spectral
from bayesmix.language.priors.prior import Prior

TAIL = 0.01  # probability below the lower, and above the upper length
NEAR, FAR = 0.5, 2.0  # of the smallest and the largest distance: beyond them the data cannot tell a range
SMOOTHNESS = Prior("LogNormal", (0.0, 0.7))  # 95 % within 0.25 .. 4: rough to smooth


def default_priors(family: PositiveNumbers) -> tuple[Prior, ...]:
    """The prior of each number: inverse gamma of a range, as brms has it for length scales.

    That of a length scale is between the shortest that the basis follows and the largest distance.
    """
    match family:
        case ByDistance(span=(nearest, farthest), kinds=kinds):
            known = {"range": _inverse_gamma(NEAR * nearest, FAR * farthest), "smoothness": SMOOTHNESS}
            return tuple(known[kind] for kind in kinds)
        case Spectral(spectrum=spectrum):
            return (_inverse_gamma(*spectrum.lengths),)
        case other:
            raise TypeError(type(other))  # families are closed


@lru_cache(maxsize=64)
def _inverse_gamma(low: float, high: float) -> Prior:
    """The inverse gamma distribution with a probability of `TAIL` below one length and above the other."""
    from scipy import optimize, special

    def ratio(log_shape: float) -> float:
        upper, lower = _gammas(special, float(np.exp(log_shape)))
        return float(np.log(upper / lower)) - float(np.log(high / low))

    shape = float(np.exp(optimize.brentq(ratio, np.log(0.05), np.log(1e4))))
    upper, _ = _gammas(special, shape)
    return Prior("InverseGamma", (_rounded(shape), _rounded(low * upper)))


def _gammas(special: object, shape: float) -> tuple[float, float]:
    """Quantiles of a gamma distribution that are one over those of lengths: of the lower and the upper length."""
    lower: Array = special.gammaincinv(shape, TAIL)  # type: ignore[attr-defined]
    upper: Array = special.gammainccinv(shape, TAIL)  # type: ignore[attr-defined]
    return float(upper), float(lower)


def _rounded(value: float) -> float:
    return float(f"{value:.3g}")
