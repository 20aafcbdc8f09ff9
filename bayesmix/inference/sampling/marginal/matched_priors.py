"""Normal densities that stand in for priors of coefficients.

The nearest quadratic of the log density over draws, as of rows, where a prior is smooth over all of them. A prior that
ends among the draws is not, and what it lets through piles up at its end: there the normal density is the one whose
product with the rest of the posterior has the moments of the prior's own (expectation propagation, Minka 2001, UAI).
"""

from __future__ import annotations

import math

import numpy as np

from bayesmix.arrays import Array
from bayesmix.language.priors.on_link import CoefficientPrior, OnLink, natural
from bayesmix.language.priors.prior_quantiles import QUANTILE, quantile

STEP = 1e-3  # of the differences of prior densities, in posterior standard deviations
SMALLEST = 1e-8  # standard deviation of draws of a coefficient that runs off
LINE = 1e-4  # least precision of a match, over that of the data: of a prior that does not bend down
REACH = 2.0  # standard deviations to either side of draws within which a prior may end
WIDE, NODES = 8.0, 400  # standard deviations to either side of a mean that nodes span, and how many, and of the prior


def match_prior(
    prior: CoefficientPrior, gamma: Array, sd: float, before: tuple[float, float] = (0.0, 0.0)
) -> tuple[float, float]:
    """Mean and precision of the normal density for a prior, from draws ``gamma (n,)`` of its coefficient.

    ``before``: mean and precision of that which the draws have been made under.
    """
    if prior.kind == "Normal":
        mu, sigma = prior.arguments
        return mu, sigma**-2.0
    if prior.is_flat:
        return 0.0, 0.0
    sd, centre = max(sd, SMALLEST), float(gamma.mean())
    h = STEP * sd
    found = np.stack([prior.log_density(gamma + shift) for shift in (0.0, h, -h)])
    inside = np.isfinite(found).all(axis=0)
    around = prior.log_density(centre + REACH * sd * np.array([-1.0, 1.0]))
    if not (inside.all() and np.isfinite(around).all()):
        own = _by_moments(prior, centre, sd, before)
        if own is not None:
            return own
    if not inside.any():
        return centre, LINE / sd**2
    middle, up, down = found[:, inside]
    slope = float(np.mean((up - down) / (2.0 * h)))
    curvature = float(-np.mean((up - 2.0 * middle + down) / h**2))
    precision = max(curvature, LINE / sd**2)
    return centre + slope / precision, precision


def prior_moments(prior: CoefficientPrior) -> tuple[float, float] | None:
    """Mean and precision of a prior by itself; None of one of several parameters together, or one that is improper."""
    if prior.kind == "Normal":
        mu, sigma = prior.arguments
        return mu, sigma**-2.0
    found = _moments(prior, 0.0, math.inf)
    return None if found is None else (found[0], 1.0 / found[1])


def _by_moments(
    prior: CoefficientPrior, centre: float, sd: float, before: tuple[float, float]
) -> tuple[float, float] | None:
    """The normal density whose product with the rest of the posterior has the moments of the prior's own product."""
    whole, (mean, precision) = sd**-2.0, before
    rest = max(whole - precision, LINE * whole)
    at = (whole * centre - precision * mean) / rest
    found = _moments(prior, at, rest**-0.5)
    if found is None:
        return None
    precision = max(1.0 / found[1] - rest, LINE * rest)
    return (found[0] / found[1] - rest * at) / precision, precision


def _moments(prior: CoefficientPrior, mean: float, sd: float) -> tuple[float, float] | None:
    """Mean and variance of a prior times a normal density; None where there are none."""
    own = natural(prior)
    if own.kind not in QUANTILE:
        return None
    with np.errstate(all="ignore"):
        x = quantile(own, np.sin(0.5 * np.pi * (np.arange(NODES) + 0.5) / NODES) ** 2)  # close together at its ends
        x = prior.link.of(x) if isinstance(prior, OnLink) else x
        near = mean + sd * np.linspace(-WIDE, WIDE, NODES) if sd < np.ptp(x) else x
        x = np.unique(np.concatenate([x, near]))
        log_density = prior.log_density(x) - 0.5 * ((x - mean) / sd) ** 2
        x, log_density = x[np.isfinite(log_density)], log_density[np.isfinite(log_density)]
    if len(x) < 3:
        return None
    weights = np.exp(log_density - log_density.max()) * np.gradient(x)
    weights /= weights.sum()
    centre = float(weights @ x)
    variance = float(weights @ (x - centre) ** 2)
    return (centre, variance) if variance > 0.0 else None
