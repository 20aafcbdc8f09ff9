"""Where numbers beside the mean are looked for whose estimate runs off: where likelihood and prior are highest."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

import numpy as np

from bayesmix.arrays import Array
from bayesmix.data.design.design import Design
from bayesmix.inference.estimation.conditional_mode import GeneralizedProblem
from bayesmix.inference.estimation.distributional_regression import Regression, fit_regression
from bayesmix.inference.estimation.point_estimate import PointEstimate
from bayesmix.inference.parameters.natural_scale import number_columns
from bayesmix.inference.parameters.priors_in_force import Priors
from bayesmix.inference.parameters.unconstrained import TermCoordinates, term_coordinates
from bayesmix.inference.sampling.marginal.matched_priors import LINE, prior_moments
from bayesmix.inference.sampling.nuts.reparametrisation import typical
from bayesmix.language.priors.on_link import CoefficientPrior
from bayesmix.language.priors.prior import Prior

WIDE = 1.5  # standard error on the scale of its link above which an estimate says little about where a number is
NOISE = 1e-10  # variance below which that of a likelihood without curvature was rounded
GRID, REACH = 41, 20.0  # points of a grid, and how far it spans to either side
FAR = 10.0  # standard deviations of its normal prior beyond which an estimate has run off, and no posterior is there
POLE = 1e-6  # standard deviation, over that of the prior, of a mode where the likelihood has no bound
ROUNDS = 30  # in which the grid moves on, or becomes narrower
NARROW = 0.05  # half the width of the last grid


def with_numbers_moved(
    problem: GeneralizedProblem, design: Design, priors: Priors, point: PointEstimate
) -> PointEstimate:
    """The estimate, numbers that it does not find moved to the mode of their posterior given all else.

    An overdispersion or a share of zeros beyond chance that the data have none of is estimated as zero, which on the
    scale of its link is without end: there the likelihood is flat, and a straight line is all that an approximation
    sees of a prior.
    """
    beta, cov, eta = point.beta.copy(), point.beta_cov.copy(), point.predictor(design)
    for j, _ in number_columns(design.layout):
        prior, column, before = priors.fixed[j], design.X[:, j], float(beta[j])
        is_own = np.array_equal(priors.contrast[j], np.eye(len(beta))[j])
        if prior.is_flat or not is_own or NOISE <= cov[j, j] <= WIDE**2:
            continue
        found = _mode(partial(_log_density, problem, prior, eta, column, before), before)
        if found is not None:
            eta = eta + (found[0] - before) * column
            beta[j], cov[j], cov[:, j] = found[0], 0.0, 0.0
            cov[j, j] = found[1]
    return replace(point, beta=beta, beta_cov=cov)


def within_priors(
    problem: GeneralizedProblem,
    design: Design,
    priors: Priors,
    point: PointEstimate,
    fixed: Sequence[tuple[float, float]],
) -> PointEstimate:
    """The estimate; where one of its coefficients ran off, the mode of their posterior without random effects.

    A shape of counts that are not overdispersed runs off along all of its coefficients, and takes those of the mean
    with it: errors of such an estimate are those of no direction. ``fixed``: means and precisions of the priors, where
    a prior does not bend downwards those of a straight line, whose mean says nothing of what the data have found.
    """
    mean, precision = np.array(fixed).reshape(-1, 2).T
    gamma, covariance = priors.moments(point.beta, point.beta_cov)
    variance = np.diagonal(covariance)
    is_found = (precision * variance < 2.0 * LINE) & (variance < WIDE**2)
    away = np.abs(gamma - mean) * np.sqrt(precision)
    if not np.any((away > FAR) & ~is_found):
        return point
    found = _regression(problem, design, priors, point, (np.where(is_found, gamma, mean), mean, precision))
    return _without_effects(point, found.beta, found.beta_cov) if found.converged else point


def by_priors(problem: GeneralizedProblem, design: Design, priors: Priors, point: PointEstimate) -> PointEstimate:
    """A start that is not from the estimate: the coefficients' mode under their priors, random effects by theirs.

    Where the likelihood has a pole, an estimate there is one of no posterior: a residual standard deviation of zero, of
    as many effects as rows, or a shift as large as the smallest response. A mode that is at a pole itself gives way to
    the priors.
    """
    at = priors.contrast @ point.beta
    own = [prior_moments(prior) or (value, 0.0) for prior, value in zip(priors.fixed, at, strict=True)]
    mean, precision = np.array(own).reshape(-1, 2).T
    found = _regression(problem, design, priors, point, (mean, mean, precision), is_start=False)
    beta, beta_cov = found.beta, found.beta_cov
    variance = np.diagonal(priors.moments(beta, beta_cov)[1])
    if not np.all(variance * precision > POLE**2 * (precision > 0.0)):  # NaN of what is no maximum, too
        inverse = np.linalg.inv(priors.contrast)
        widest = np.where(precision > 0.0, 1.0 / np.maximum(precision, 1e-300), 0.0)
        beta, beta_cov = inverse @ mean, (inverse * widest) @ inverse.T
    covariances = tuple(
        _typical(term, sds) for term, sds in zip(term_coordinates(design.terms), priors.sd, strict=True)
    )
    effects = zip(covariances, point.b_cov, strict=True)
    b_cov = tuple(np.broadcast_to(one, before.shape) for one, before in effects)
    return replace(_without_effects(point, beta, beta_cov), covariances=covariances, b_cov=b_cov)


def _regression(
    problem: GeneralizedProblem,
    design: Design,
    priors: Priors,
    point: PointEstimate,
    coefficients: tuple[Array, Array, Array],
    *,
    is_start: bool = True,
) -> Regression:
    """The mode without random effects, in the user's units.

    ``coefficients``: where gamma begins, and the means and precisions of its priors.
    """
    begin, mean, precision = coefficients
    T = point.coordinates.T
    K = priors.contrast @ T
    prior = np.linalg.solve(K, mean), K.T @ (precision[:, None] * K)
    X, begin = point.coordinates.X, np.linalg.solve(K, begin)
    found = fit_regression(problem.likelihood, X, design.offset, begin, is_start=is_start, prior=prior)
    return replace(found, beta=T @ found.beta, beta_cov=T @ found.beta_cov @ T.T)


def _without_effects(point: PointEstimate, beta: Array, beta_cov: Array) -> PointEstimate:
    """The estimate with other coefficients and no random effects."""
    return replace(
        point,
        beta=beta,
        beta_cov=beta_cov,
        covariances=tuple(np.zeros_like(one) for one in point.covariances),
        b=tuple(np.zeros_like(one) for one in point.b),
        b_cov=tuple(np.zeros_like(one) for one in point.b_cov),
    )


def _typical(term: TermCoordinates, sds: Sequence[Prior]) -> Array:
    """A covariance ``(k, k)`` of the middle of its standard deviations' priors."""
    x = np.zeros(term.size)
    x[: term.n_sd] = term.coordinates(np.log(typical(sds)))
    sd, root = term.unpack(x)
    scaled = sd[:, None] * root
    return np.asarray(scaled @ scaled.T)


def _log_density(
    problem: GeneralizedProblem, prior: CoefficientPrior, eta: Array, column: Array, before: float, at: Array
) -> Array:
    """Log posterior ``(n,)`` at numbers ``at (n,)``, linear predictors ``eta`` being those at the number ``before``."""
    moved = eta + (at - before)[:, None] * column
    return np.asarray(problem.value(moved, np.ones(())).sum(axis=-1) + prior.log_density(at))


def _mode(value: Callable[[Array], Array], centre: float) -> tuple[float, float] | None:
    """Mode and variance of a density of one number, by grids; None where it has no curvature."""
    width = REACH
    with np.errstate(all="ignore"):
        for _ in range(ROUNDS):
            grid = centre + width * np.linspace(-1.0, 1.0, GRID)
            found = value(grid)
            best = int(np.argmax(np.where(np.isfinite(found), found, -np.inf)))
            centre = float(grid[best])
            is_inside = 0 < best < GRID - 1
            if is_inside and width < NARROW:
                low, high, size = found[best - 1], found[best + 1], width * 2.0 / (GRID - 1)
                curvature = (2.0 * found[best] - low - high) / size**2
                return (centre, 1.0 / curvature) if np.isfinite(curvature) and curvature > 0.0 else None
            width *= 0.2 if is_inside else 1.0
    return None
