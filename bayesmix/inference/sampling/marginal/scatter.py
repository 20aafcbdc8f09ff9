"""Overdispersed points: covariance parameters scattered over their priors and far around the estimate.

The search of further modes starts from them. They need not follow any distribution exactly, only leave nothing out.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bayesmix.arrays import Array
from bayesmix.inference.parameters.priors_in_force import Priors
from bayesmix.inference.parameters.unconstrained import TermCoordinates
from bayesmix.inference.sampling.nuts.reparametrisation import typical
from bayesmix.language.priors.on_link import CoefficientPrior
from bayesmix.language.priors.prior import Prior

POINTS = 200
BELOW, ABOVE = -6.0, 3.0  # of logarithms of standard deviations around the median of their priors
LOCATED = {"Normal", "StudentT", "Cauchy", "Laplace"}  # priors whose last arguments are location and scale
ATANH = 1.5  # partial correlations, Fisher-transformed, lie within
WIDTH, FREEDOM = 2.0, 3.0  # of the steps around the estimate, in coordinates of order one


def scattered(  # noqa: PLR0913 - options, named
    terms: Sequence[TermCoordinates],
    priors: Priors,
    at: Array,
    rng: np.random.Generator,
    *,
    has_sigma: bool,
    explored: Sequence[CoefficientPrior] = (),
    n: int = POINTS,
) -> Array:
    """Points ``(n, m)`` of theta, the coordinates of `MarginalPosterior`: half over the priors, half around ``at``.

    ``explored``: the priors of the fixed effects that are part of theta, the last coordinates.
    """
    theta = at + WIDTH * rng.standard_t(FREEDOM, (n, len(at)))
    half = n // 2
    for j, prior in enumerate(explored, len(at) - len(explored)):
        if prior.kind in LOCATED:
            location, scale = prior.arguments[-2:]
            theta[:half, j] = location + scale * rng.standard_t(FREEDOM, half)
    log_sigma = np.zeros((half, 1))
    begin = sum(term.size for term in terms)
    if has_sigma and priors.dispersion is not None:
        theta[:half, begin : begin + 1] = log_sigma = _log_sizes((priors.dispersion,), half, rng)
    begin = 0
    for term, own, numbers in zip(terms, priors.sd, priors.corr, strict=True):
        logs = _log_sizes(own, half, rng) - log_sigma
        has_lkj = term.structure.correlation.has_lkj
        rest = rng.uniform(-ATANH, ATANH, (half, term.size - term.n_sd)) if has_lkj else _log_sizes(numbers, half, rng)
        theta[:half, begin : begin + term.size] = np.concatenate([term.coordinates(logs), rest], axis=1)
        begin += term.size
    return theta


def _log_sizes(priors: Sequence[Prior], n: int, rng: np.random.Generator) -> Array:
    """Logarithms of standard deviations or ranges ``(n, len(priors))``."""
    return np.log(typical(priors)) + rng.uniform(BELOW, ABOVE, (n, len(priors)))
