"""Estimates of all other models: the Laplace or quadrature likelihood and its optimum."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import product

import numpy as np

from bayesmix.arrays import Array
from bayesmix.errors import FitError
from bayesmix.inference.estimation.boundary import conditional_covariances, initial_factors, search, settle
from bayesmix.inference.estimation.conditional_mode import (
    Effects,
    GeneralizedProblem,
    Mode,
    Slopes,
    find_mode,
    log_determinant,
)
from bayesmix.inference.estimation.conditional_modes import with_responses
from bayesmix.inference.estimation.dispersed_starts import back_from_ends, starts_beside
from bayesmix.inference.estimation.laplace import laplace
from bayesmix.inference.estimation.laplace_likelihoods import LaplaceLikelihoods
from bayesmix.inference.estimation.methods import Agq, Laplace, Reml
from bayesmix.inference.estimation.optimise import Batched, LostModeError, Objective, Optimum, minimise
from bayesmix.inference.estimation.point_estimate import PointEstimate
from bayesmix.inference.estimation.quadrature import quadrature, quadrature_gradient
from bayesmix.inference.estimation.restart import (
    FAR,
    FEW_ROWS,
    NEAR,
    Restarts,
    lowest,
    starts_around,
    starts_at_edges,
    starts_leaning,
)
from bayesmix.inference.estimation.scattered_starts import MOST_ROWS, lowest_of_scattered
from bayesmix.inference.estimation.starting_values import without_random_effects
from bayesmix.inference.least_squares.scaling import Coordinates
from bayesmix.inference.parameters.likelihood import OnePredictor

ENDLESS = 30.0  # relative factors of effects without end, on a logit or probit
WITHIN = 20.0  # of the criterion found: what a search from there may gain; those that gained began within 17
OUTCOMES = 5.0  # an effect, more of which hardly ever are so alike that effects without end follow them
SMALL = 1000  # rows up to which several points at once cost little more than one
LARGE, LESS_NOISE = 2.0, 4.0  # relative factors, and what is added to a log dispersion beside them
MOVE = 1e-4  # of parameters, in differences of the mode
SEEN, FARTHEST = 1e-2, 1e4  # distance of modes that differ, and farthest that one moves where parameters move by one
ROUNDED = 1e-10  # smallest over largest curvature of a Hessian by differences that is more than rounding
ANCHOR = 1e-3  # of the squared fixed effects of separated data, in units of the deviance, where valleys are told apart
SLIGHT = 1e-10  # and at the end, from where on the deviance hardly falls


class MarginalLikelihood:
    """Minus twice the approximate marginal log-likelihood of ``(theta, beta~, log dispersion)``, with its gradient.

    Each evaluation starts the inner iterations at the mode found before: that changes their number, not their result.
    """

    def __init__(self, problem: GeneralizedProblem, method: Reml | Laplace | Agq) -> None:
        self.problem = problem
        self.method = method
        self.last: Effects | None = None
        self._at: Array = np.zeros(0)  # its parameters

    @property
    def has_dispersion(self) -> bool:
        """Whether the family has a parameter beside the mean."""
        return self.problem.has_dispersion

    def split(self, x: Array) -> tuple[Array, Array, float]:
        """Covariance parameters, fixed effects, dispersion (1 where the family has none)."""
        m, p = self.problem.coordinates.size, self.problem.X.shape[1]
        with np.errstate(over="ignore"):  # a search for what has no end: the value there is not finite
            dispersion = float(np.exp(x[m + p])) if self.has_dispersion else 1.0
        return x[:m], x[m : m + p], dispersion

    def mode(self, x: Array) -> Mode:
        """Conditional mode of the random effects at ``x``."""
        theta, beta, dispersion = self.split(x)
        return self._mode(self.problem.coordinates.by_factor(theta), beta, dispersion)

    def value(self, x: Array) -> float:
        """Minus twice the log-likelihood."""
        theta, beta, dispersion = self.split(x)
        return self.value_at(self.problem.coordinates.by_factor(theta), beta, dispersion)

    def __call__(self, x: Array) -> tuple[float, Array]:
        """Value and gradient."""
        working = self.problem.coordinates
        theta, beta, dispersion = self.split(x)
        factors = working.by_factor(theta)
        slopes = self.slopes(factors, beta, dispersion)
        gradient = [working.gradient(theta, slopes.by_factor), self.problem.X.T @ slopes.by_eta]
        if self.has_dispersion:
            gradient.append(np.array([slopes.by_dispersion]))
        return float(slopes.value), np.concatenate(gradient)

    def value_at(self, factors: list[Array], beta: Array, dispersion: float) -> float:
        """`value` at relative factors of the grouping factors, any roots of their covariance matrices."""
        mode = self._mode(factors, beta, dispersion)
        match self.method:
            case Reml() | Laplace():
                return float(mode.objective + log_determinant(self.problem, mode.factorisation))
            case Agq(points):
                return quadrature(self.problem, factors, mode, dispersion, points)

    def slopes(self, factors: list[Array], beta: Array, dispersion: float) -> Slopes:
        """`value_at` and its derivatives."""
        mode = self._mode(factors, beta, dispersion)
        match self.method:
            case Reml() | Laplace():
                return laplace(self.problem, factors, mode, dispersion)
            case Agq(points):
                return quadrature_gradient(self.problem, factors, mode, dispersion, points)

    def _mode(self, factors: list[Array], beta: Array, dispersion: float) -> Mode:
        fixed = self.problem.X @ beta + self.problem.offset
        found = find_mode(self.problem, factors, fixed, dispersion, self.last)
        effects = Effects(found.u, found.flat)
        at = np.concatenate([*(Lambda.ravel() for Lambda in factors), beta, [dispersion]])
        if self.last is not None:
            _check_same(effects.minus(self.last).length, float(np.abs(at - self._at).max(initial=0.0)))
        self.last, self._at = effects, at
        return found


def _check_same(moved: float, by: float) -> None:
    """Raise `LostModeError` where a mode has moved farther than the change of the parameters makes it: it was lost."""
    if moved > max(FARTHEST * by, SEEN):
        raise LostModeError("the conditional mode of the random effects is lost: the one that is near is another")


def fit_generalized(problem: GeneralizedProblem, method: Reml | Laplace | Agq) -> PointEstimate:
    """Maximise the Laplace or quadrature likelihood, or the restricted one."""
    working = problem.coordinates
    likelihood = MarginalLikelihood(problem, method)
    start, is_separated = _start_generalized(likelihood)
    objective = _anchored(likelihood, ANCHOR) if is_separated else _batched(likelihood)
    has_batches = _has_batches(likelihood) and not is_separated
    together = partial(_together, likelihood) if has_batches else None
    restarts = Restarts(partial(_starts_again, likelihood, start), partial(_is_beyond, likelihood), together)
    optimum, singular = search(working, objective, start, restarts=restarts, accurate=True)
    before_ends = list(back_from_ends(problem, optimum.x))
    if before_ends:
        better = lowest(objective, optimum, before_ends, sizes=working.size, accurate=True)
        optimum, singular = (optimum, singular) if better is optimum else settle(working, better, objective)
    if together is not None and _has_many_valleys(likelihood, optimum.x):
        better = lowest_of_scattered(together, objective, working.structures, optimum, start)
        optimum, singular = (optimum, singular) if better is optimum else settle(working, better, objective)
    if is_separated:
        optimum, singular = _farther(likelihood, optimum)
    return _estimate(likelihood, optimum, singular)


def pulled_back(problem: GeneralizedProblem, method: Laplace | Agq, x: Array) -> PointEstimate:
    """The estimate of separated outcomes where a slight pull on the fixed effects holds them, off the flat far end."""
    likelihood = MarginalLikelihood(problem, method)
    objective = _anchored(likelihood, ANCHOR)
    optimum, singular = settle(problem.coordinates, minimise(objective, x, accurate=True), objective)
    return _estimate(likelihood, replace(optimum, value=likelihood.value(optimum.x)), singular)


def _estimate(likelihood: MarginalLikelihood, optimum: Optimum, singular: tuple[int, ...]) -> PointEstimate:
    """The estimate where a search has ended."""
    working, (theta, _, dispersion) = likelihood.problem.coordinates, likelihood.split(optimum.x)
    mode = likelihood.mode(optimum.x)
    beta, beta_cov = _fixed_effects(likelihood, optimum, mode)
    return PointEstimate(
        method=likelihood.method,
        beta=working.T @ beta,
        beta_cov=working.T @ beta_cov @ working.T.T,
        covariances=tuple(working.covariances(theta)),
        dispersion=dispersion if likelihood.has_dispersion else None,
        b=tuple(working.of_terms(mode.b)),
        b_cov=conditional_covariances(working, mode.factorisation, 1.0),
        criterion=optimum.value,
        df=len(beta) + working.size + int(likelihood.has_dispersion),
        singular=singular,
        theta=theta,
        optimum=optimum,
        coordinates=working,
    )


def _fixed_effects(likelihood: MarginalLikelihood, optimum: Optimum, mode: Mode) -> tuple[Array, Array]:
    """All fixed effects, computational, and their covariance.

    Those that are integrated out have their conditional covariance given the parameters, and move with these: as
    glmmTMB's, so that standard errors of both kinds mean the same.
    """
    problem, inverse = likelihood.problem, inverse_information(optimum.hessian, is_told=True)
    m, p = problem.coordinates.size, len(problem.free)
    if not problem.flat.columns:
        return likelihood.split(optimum.x)[1], inverse[m : m + p, m : m + p]
    order = [*problem.free, *problem.flat.columns]
    move = np.vstack([np.eye(len(optimum.x))[m : m + p], _movement(likelihood, optimum.x)])
    beta, covariance = np.zeros(len(order)), np.zeros((len(order), len(order)))
    beta[order] = np.concatenate([optimum.x[m : m + p], mode.flat])
    conditional = np.zeros_like(covariance)
    conditional[p:, p:] = np.linalg.inv(mode.factorisation.XX)
    covariance[np.ix_(order, order)] = move @ inverse @ move.T + conditional
    return beta, covariance


def _movement(likelihood: MarginalLikelihood, x: Array) -> Array:
    """Derivatives ``(c, len(x))`` of the fixed effects that are integrated out by the parameters."""
    pairs = [(likelihood.mode(x + shift).flat, likelihood.mode(x - shift).flat) for shift in MOVE * np.eye(len(x))]
    return np.column_stack([(up - down) / (2.0 * MOVE) for up, down in pairs])


def _batched(likelihood: MarginalLikelihood) -> Objective:
    """The Laplace approximation of few rows with one predictor also at many points at once."""
    if not _has_batches(likelihood):
        return likelihood
    count = 2 * (likelihood.problem.coordinates.size + likelihood.problem.X.shape[1] + 1)  # of central differences
    many = _together(likelihood, count)

    def at_all(points: Array) -> tuple[Array, Array]:
        """From the mode found last, as single evaluations: a sqrt link has two modes, one on each side of zero."""
        if likelihood.last is not None:
            many.start_at(likelihood.last.u)
        return many(np.arange(len(points)), points)

    return Batched(likelihood, at_all)


def _has_batches(likelihood: MarginalLikelihood) -> bool:
    """Whether many points at once cost little more than one."""
    rows = likelihood.problem.likelihood
    if not (isinstance(rows, OnePredictor) and isinstance(likelihood.method, Laplace)):
        return False
    return rows.outcome.bounds is None and len(rows.outcome.y) <= SMALL


def _together(likelihood: MarginalLikelihood, count: int) -> LaplaceLikelihoods:
    """The same criterion at ``count`` points at once, from the mode found last."""
    rows = likelihood.problem.likelihood
    assert isinstance(rows, OnePredictor)
    same = np.broadcast_to(rows.outcome.y, (count, len(rows.outcome.y)))
    many = LaplaceLikelihoods(with_responses(likelihood.problem, same), count)
    if likelihood.last is not None:
        many.start_at(likelihood.last.u)
    return many


def _anchored(likelihood: MarginalLikelihood, anchor: float) -> Objective:
    """The objective with a slight pull on the fixed effects, so that separated data have an end to their search."""
    m, p = likelihood.problem.coordinates.size, likelihood.problem.X.shape[1]

    def objective(x: Array) -> tuple[float, Array]:
        value, gradient = likelihood(x)
        pull = np.zeros(len(x))
        pull[m : m + p] = anchor * x[m : m + p]
        return value + float(pull @ x), gradient + 2.0 * pull

    return objective


def _farther(likelihood: MarginalLikelihood, optimum: Optimum) -> tuple[Optimum, tuple[int, ...]]:
    """What an anchored search found, with next to no anchor, and its singular terms: the deviance is its limit.

    That it is flat there says no more than that outcomes are separated. What is left of its curvature is below the
    rounding of the whole: that of the anchor stands in its place, or errors would be of the other directions only.
    """
    working, p = likelihood.problem.coordinates, likelihood.problem.X.shape[1]
    objective = _anchored(likelihood, SLIGHT)
    far = minimise(objective, optimum.x, accurate=True)
    far, singular = settle(working, far, objective)
    is_fixed = np.zeros(len(far.x))
    is_fixed[working.size : working.size + p] = 1.0
    hessian = far.hessian + 2.0 * ANCHOR * np.diag(is_fixed)
    return replace(far, value=likelihood.value(far.x), hessian=hessian, status=optimum.status), singular


def inverse_information(hessian: Array, *, is_told: bool = False) -> Array:
    """Inverses of halves of Hessians ``(..., m, m)`` of minus twice the log-likelihood.

    Directions without curvature get no share; where that ``is_told`` to be an error, the one of a curvature that is
    rounding, which is large: an error of zero would make what has no end the surest of all.
    """
    values, vectors = np.linalg.eigh(0.5 * hessian)
    least = ROUNDED * np.maximum(values.max(axis=-1, keepdims=True, initial=0.0), 1e-300)
    inverse = np.where((values > least) | is_told, 1.0 / np.maximum(values, least), 0.0)
    return np.asarray((vectors * inverse[..., None, :]) @ np.swapaxes(vectors, -1, -2))


def _start_generalized(likelihood: MarginalLikelihood) -> tuple[Array, bool]:
    """Fixed effects and dispersion of the model without random effects, relative factors of one half.

    And whether the fixed effects separate the outcomes, so that the search is for what has no end.

    Where groups are so different that the likelihood is not finite there, larger and smaller factors are tried, with
    and without the fixed effects.

    Raises
    ------
    FitError
        If none will do.
    """
    working = likelihood.problem.coordinates
    found = without_random_effects(likelihood.problem)
    beta = found.beta[likelihood.problem.free]
    for scale, share in product((0.5, 2.0, 5.0, 0.1), (1.0, 0.0)):
        log_dispersion = [np.log([found.dispersion])] if likelihood.has_dispersion else []
        x = np.concatenate([initial_factors(working, scale), share * beta, *log_dispersion])
        if np.isfinite(_value(likelihood, x)):
            return x, found.is_separated
    raise FitError(
        "No finite likelihood was found to start from. Check the response for extreme values and the predictors for"
        " extreme scales; sampling with proper priors (model.sample()) may still work."
    )


def _value(likelihood: MarginalLikelihood, x: Array) -> float:
    """Minus twice the log-likelihood; infinite where it cannot be computed."""
    try:
        return likelihood.value(x)
    except np.linalg.LinAlgError:
        return np.inf


def _starts_again(
    likelihood: MarginalLikelihood, start: Array, x: Array, singular: Sequence[int], is_doubtful: bool
) -> Iterator[Array]:
    """Where searches start again after one from ``start`` has ended at ``x``.

    From the boundary all terms go near it, and far from it; of few rows also elsewhere, and on it, to large effects
    with little noise beside them, and so where parameters beside the means have formulas. And without end: outcomes
    that the effects can separate have a criterion that is nearly flat from some size on, and lowest there.
    """
    for endless in _endless(likelihood, start, x):
        if _value(likelihood, endless) < _value(likelihood, x) + WITHIN:
            yield endless
    yield from starts_inside(likelihood.problem.coordinates, start, x, is_doubtful)
    yield from starts_beside(likelihood.problem, start, x, singular)
    working = likelihood.problem.coordinates
    if likelihood.has_dispersion and len(working.X) <= FEW_ROWS:  # overdispersed counts, or levels that differ
        yield np.concatenate([initial_factors(working, LARGE), x[working.size : -1], [x[-1] + LESS_NOISE]])


def starts_inside(working: Coordinates, start: Array, x: Array, is_doubtful: bool) -> Iterator[Array]:
    """Relative factors near the boundary and far from it; of few rows also elsewhere, and on it."""
    m = working.size
    if is_doubtful:
        yield np.concatenate([initial_factors(working, NEAR), start[m:]])
        yield np.concatenate([initial_factors(working, FAR), x[m:]])
        yield from starts_leaning(working.structures, x)
    if len(working.X) <= FEW_ROWS:
        yield from starts_at_edges(working.structures, x)
        yield from starts_around(working.structures, x, start) if is_doubtful else ()


def latent_variance(problem: GeneralizedProblem) -> float | None:
    """Variance of a latent variable, where outcomes are so few that effects on its scale may have no end."""
    rows, working = problem.likelihood, problem.coordinates
    if not isinstance(rows, OnePredictor):
        return None
    effects = sum(factor.levels * factor.k for factor in working.factors)
    are_few = len(working.X) <= FEW_ROWS or float(np.sum(rows.outcome.trials)) <= OUTCOMES * effects
    return rows.link.latent_variance if are_few else None


def _is_beyond(likelihood: MarginalLikelihood, x: Array) -> bool:
    """Whether relative factors are those of effects without end."""
    largest = float(np.abs(x[: likelihood.problem.coordinates.size]).max(initial=0.0))
    return largest > ENDLESS and latent_variance(likelihood.problem) is not None


def _has_many_valleys(likelihood: MarginalLikelihood, x: Array) -> bool:
    """Whether effects without end, of several numbers, leave valleys that few starts do not find, and rows are few."""
    working = likelihood.problem.coordinates
    return working.size > 1 and len(working.X) <= MOST_ROWS and _is_beyond(likelihood, x)


def _endless(likelihood: MarginalLikelihood, start: Array, x: Array) -> Iterator[Array]:
    """Effects without end on the scale of a latent variable, and fixed effects that go with them.

    Those of the start are of the model without random effects, averages over the levels; beside effects they are larger
    by the root of the variance over that of the latent variable alone (Zeger, Liang, Albert 1988, Biometrics 44).
    Without that, searches lead back to where there are no effects. They may as well have turned their sign, beside
    effects that decide nearly all outcomes. Those found are beside effects already.
    """
    working, latent = likelihood.problem.coordinates, latent_variance(likelihood.problem)
    if latent is None:
        return
    m, p = working.size, likelihood.problem.X.shape[1]
    variance = ENDLESS**2 * sum(structure.k for structure in working.structures)
    grown = np.sqrt(1.0 + variance / latent) * start[m : m + p]
    for rest in (np.append(grown, start[m + p :]), np.append(-grown, start[m + p :]), x[m:]):
        yield np.concatenate([initial_factors(working, ENDLESS), rest])
