"""Laplace and adaptive Gauss-Hermite approximations of generalized linear mixed models.

Inside, penalised iteratively reweighted least squares finds the conditional mode of the spherical effects ``u`` given
``(theta, beta)``; outside, minus twice the marginal log-likelihood

    f = -2 log p(y | u_hat) + u_hat'u_hat + log|Lambda'Z'WZ Lambda + I|

is differentiated exactly, with the movement of the mode: W holds the observed information at the converged mode, the
textbook Laplace approximation (lme4 uses expected information for links that are not canonical).

Restricted maximum likelihood integrates the fixed effects of linear means, too, under a flat prior: they join ``u``
without a penalty, and the determinant gains that of ``X'V^-1X``, what is left of their information where the random
effects are eliminated (glmmTMB's ``REML = TRUE``).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from bayesmix.arrays import Array
from bayesmix.data.design.design import Design
from bayesmix.inference.estimation.optimise import LostModeError
from bayesmix.inference.least_squares.cholesky import Factorisation, factorise
from bayesmix.inference.least_squares.cross_products import moments
from bayesmix.inference.least_squares.row_weights import weigh
from bayesmix.inference.least_squares.scaling import Coordinates
from bayesmix.inference.least_squares.solve import modes, solve
from bayesmix.inference.parameters.likelihood import Likelihood, likelihood_of
from bayesmix.language.families.link import Jet
from bayesmix.language.formula.model_spec import ModelSpec

MAX_STEPS = 200
FAST = 1.0  # decrease of the objective in one step
MAX_SCORING = 25  # of steps where the whole of several predictors cannot be factorised: there is hardly a mode then
LOST = 0.1  # pivot of the penalised information, one of the penalty alone, below which there is hardly a mode
SHIFT = 2e-3  # of log dispersion, in differences of the fourth order
UNDONE = 1e-4  # relative size of a step from which on what a search ends with is no mode
SHORTEST = 1e-8  # share of a step below which nothing is left to descend
NEWTON_CLOSE, SCORING_CLOSE = 1e-4, 1e-11  # relative size of the step before the last

Dispersion = float | Array  # of many points an array ``(..., 1)``


@dataclass(frozen=True, slots=True, eq=False)
class Flat:
    """Fixed effects that are integrated out with the random effects, under a flat prior: none but by REML."""

    columns: list[int]  # among all fixed effects
    X: Array  # (N, c)
    log_T: float  # log|det| of the change to the user's units
    start: Array  # (c,) least squares


@dataclass(frozen=True, slots=True, eq=False)
class GeneralizedProblem:
    """A generalized linear mixed model in computational coordinates."""

    coordinates: Coordinates
    likelihood: Likelihood
    offset: Array  # (N,)
    free: list[int]  # fixed effects that are parameters
    X: Array  # (N, p) their columns
    flat: Flat

    @property
    def has_dispersion(self) -> bool:
        """Whether there is a parameter beside the linear predictors."""
        return self.likelihood.has_dispersion

    def jet(self, eta: Array, dispersion: Dispersion) -> Jet:
        """Log density of each row and its derivatives by the linear predictors."""
        return self.likelihood.jet(eta, np.asarray(dispersion))

    def slopes(self, eta: Array, dispersion: Dispersion) -> tuple[Array, Array]:
        """First two derivatives of the log density of each row by the linear predictors."""
        return self.likelihood.slopes(eta, np.asarray(dispersion))

    def by_dispersion(
        self, function: Callable[[Dispersion], tuple[Array, ...]], dispersion: Dispersion
    ) -> tuple[Array, ...]:
        """Derivatives by log dispersion of smooth functions of the rows: differences that are exact to rounding."""
        at = [function(dispersion * math.exp(shift * SHIFT)) for shift in (-2.0, -1.0, 1.0, 2.0)]
        return tuple((a - 8.0 * b + 8.0 * c - d) / (12.0 * SHIFT) for a, b, c, d in zip(*at, strict=True))

    def value(self, eta: Array, dispersion: Array) -> Array:
        """Log density of each row at ``eta (..., N)``, for dispersions that may differ between the leading axes."""
        return self.likelihood.value(eta, dispersion)


@dataclass(frozen=True, slots=True, eq=False)
class Effects:
    """What is integrated out."""

    u: list[Array]  # per factor (..., J, k), spherical
    flat: Array  # (c,) fixed effects under a flat prior

    @property
    def length(self) -> float:
        """Euclidean norm."""
        return math.sqrt(sum(float(np.sum(part**2)) for part in (*self.u, self.flat)))

    def plus(self, fraction: float, other: Effects) -> Effects:
        """A share of others added."""
        u = [own + fraction * part for own, part in zip(self.u, other.u, strict=True)]
        return Effects(u, self.flat + fraction * other.flat)

    def minus(self, other: Effects) -> Effects:
        """The difference."""
        u = [own - part for own, part in zip(self.u, other.u, strict=True)]
        return Effects(u, self.flat - other.flat)


@dataclass(frozen=True, slots=True, eq=False)
class Mode:
    """The conditional mode of the random effects, and of fixed effects under a flat prior.

    At one parameter point, or at many: with a leading axis.
    """

    u: list[Array]  # per factor (..., J, k), spherical
    b: list[Array]  # per factor (..., J, k), b = Lambda u
    flat: Array  # (c,)
    eta: Array  # (..., n)
    jet: Jet
    factorisation: Factorisation  # its XX (..., c, c) is the information on the fixed effects under a flat prior
    objective: float | Array  # (...,) -2 log p(y | u) + u'u


def generalized_problem(
    design: Design, coordinates: Coordinates, spec: ModelSpec, *, restricted: bool = False
) -> GeneralizedProblem:
    """Collect what the iterations need; with the fixed effects of the means integrated out where ``restricted``."""
    means = [r for r, one in enumerate(spec.parameters) if restricted and one.parameter == 0]
    columns = [j for r in means for j in design.of_predictor(r)]
    free = [j for j in range(coordinates.X.shape[1]) if j not in columns]
    X = coordinates.X[:, free] if columns else coordinates.X
    return GeneralizedProblem(
        coordinates, likelihood_of(design, spec), design.offset, free, X, _flat(design, coordinates, spec, columns)
    )


def _flat(design: Design, coordinates: Coordinates, spec: ModelSpec, columns: list[int]) -> Flat:
    X, log_T = coordinates.X[:, columns], np.linalg.slogdet(coordinates.T[np.ix_(columns, columns)])[1]
    if not columns:
        return Flat(columns, X, 0.0, np.zeros(0))
    y = np.concatenate([design.outcomes[one.response].y for one in spec.parameters])
    rows = slice(len(y))  # X is zero where no mean is
    return Flat(columns, X, float(log_T), np.linalg.lstsq(X[rows], y - design.offset[rows], rcond=None)[0])


def add_effects(coordinates: Coordinates, b: Sequence[Array]) -> Array:
    """Contribution of random effects ``(..., J, k)`` per factor to the linear predictor: ``(..., n)``."""
    total: Array = np.zeros(len(coordinates.X))
    for factor, effects in zip(coordinates.factors, b, strict=True):
        total = total + factor.over_slots(np.einsum("nk,...nk->...n", factor.z, effects[..., factor.codes, :]))
    return total


def project(coordinates: Coordinates, rows: Array) -> list[Array]:
    """``Z_f' rows`` for each factor, ``rows (..., n)``: ``(..., J, k)``."""
    pairs = zip(coordinates.pattern.rows, coordinates.factors, strict=True)
    return [pattern.sum_rows(factor.z * factor.of_rows(rows)[..., None]) for pattern, factor in pairs]


def _penalised(problem: GeneralizedProblem, eta: Array, u: Sequence[Array], dispersion: float) -> float:
    value = -2.0 * float(problem.value(eta, np.asarray(dispersion)).sum()) + float(problem.coordinates.penalty(u))
    return value if math.isfinite(value) else math.inf


@dataclass(frozen=True, slots=True, eq=False)
class _Curvature:
    """The penalised information that a step is made by."""

    weights: Array
    factorisation: Factorisation
    is_newton: bool  # whether it is the observed one


def _curvature(
    problem: GeneralizedProblem, Lambdas: Sequence[Array], eta: Array, second: Array, dispersion: float
) -> _Curvature:
    """Observed information where a step by it descends, else another that does.

    Of rows with one predictor it must be positive row by row; of blocks, which seldom are, it is enough that the whole
    can be factorised.
    """
    observed = -second
    if problem.likelihood.R > 1:
        try:
            return _Curvature(observed, factorise_weights(problem, Lambdas, observed), is_newton=True)
        except np.linalg.LinAlgError:
            weights = problem.likelihood.descent(eta, second, np.asarray(dispersion))
            return _Curvature(weights, factorise_weights(problem, Lambdas, weights), is_newton=False)
    is_newton = bool(np.all(observed > 0.0))
    weights = observed if is_newton else problem.likelihood.descent(eta, second, np.asarray(dispersion))
    return _Curvature(weights, factorise_weights(problem, Lambdas, weights), is_newton)


def factorise_weights(problem: GeneralizedProblem, Lambdas: Sequence[Array], weights: Array) -> Factorisation:
    """Factorise the information on all that is integrated out.

    Raises
    ------
    numpy.linalg.LinAlgError
        If it is not positive definite.
    """
    coordinates = problem.coordinates
    products = moments(coordinates.pattern, coordinates.factors, problem.flat.X, weights)
    found = factorise(coordinates.plan, products, Lambdas)
    np.linalg.cholesky(found.XX)
    return found


def solve_rows(
    problem: GeneralizedProblem, factorisation: Factorisation, weights: Array, rows: Array
) -> tuple[list[Array], Effects]:
    """Solve the system of all that is integrated out for a right-hand side by rows ``(..., N)``; return ``b``, effects.

    ``weights`` are those that were factorised.
    """
    coordinates, X = problem.coordinates, problem.flat.X
    b, u = solve(factorisation, project(coordinates, rows))
    if not X.shape[1]:
        return b, Effects(u, np.zeros(0))
    left = rows - weigh(weights, add_effects(coordinates, b))
    flat = np.linalg.solve(factorisation.XX, X.T @ left)
    moved_b, moved_u = modes(factorisation, flat)
    return [one - move for one, move in zip(b, moved_b, strict=True)], Effects(
        [one - move for one, move in zip(u, moved_u, strict=True)], flat
    )


def log_determinant(problem: GeneralizedProblem, factorisation: Factorisation) -> Array:
    """What the Laplace approximation adds to minus twice the log density at the mode."""
    value, c = factorisation.log_determinant, len(problem.flat.columns)
    if c:
        information = np.linalg.slogdet(factorisation.XX)[1]
        value = value + information - 2.0 * problem.flat.log_T - c * math.log(2.0 * math.pi)
    return value


def find_mode(
    problem: GeneralizedProblem,
    Lambdas: Sequence[Array],
    fixed: Array,
    dispersion: float,
    start: Effects | None = None,
) -> Mode:
    """Maximise the joint density over all that is integrated out by damped Newton steps.

    Parameters
    ----------
    Lambdas : per factor ``(k, k)``.
    fixed : (N,) the part of the linear predictors that is not integrated out.
    start : effects to start from; random effects of zero by default.

    Raises
    ------
    numpy.linalg.LinAlgError
        If no finite mode is found, or none within a number of steps; a `LostModeError` where there is hardly any.
    """
    if start is not None:
        try:
            return _searched_mode(problem, Lambdas, fixed, dispersion, start)
        except LostModeError:
            raise
        except np.linalg.LinAlgError:  # means far out, whose weights leave no digit of the penalty, among them
            pass
    return _searched_mode(problem, Lambdas, fixed, dispersion, None)


@np.errstate(all="ignore")  # trial steps may overflow; what they give is then not finite, and refused
def _searched_mode(
    problem: GeneralizedProblem, Lambdas: Sequence[Array], fixed: Array, dispersion: float, start: Effects | None
) -> Mode:
    """The mode that damped Newton steps from a start lead to."""

    def at(effects: Effects) -> _Point:
        b = [part @ Lambda.T for part, Lambda in zip(effects.u, Lambdas, strict=True)]
        eta = fixed + add_effects(problem.coordinates, b) + problem.flat.X @ effects.flat
        return _Point(effects, b, eta, _penalised(problem, eta, effects.u, dispersion))

    zeros = [np.zeros((f.levels, f.k)) for f in problem.coordinates.factors]
    point = at(Effects(zeros, problem.flat.start) if start is None else start)
    if not math.isfinite(point.objective) and start is not None:
        raise np.linalg.LinAlgError("there is nothing to start from")
    polished, size, scoring = False, math.inf, 0
    for _ in range(MAX_STEPS):
        first, second = problem.likelihood.newton(point.eta, np.asarray(dispersion))
        at_point = _curvature(problem, Lambdas, point.eta, second, dispersion)
        moved = weigh(at_point.weights, point.eta - fixed) + first
        _, target = solve_rows(problem, at_point.factorisation, at_point.weights, moved)
        step = target.minus(point.effects)
        size = step.length
        lower = _line_search(at, point, step) if scoring <= MAX_SCORING else None
        if lower is None:  # no descent left: rounding, or a plateau of clipped means
            break
        # far from a mode steps of scoring are as good as any
        is_slow = not at_point.is_newton and point.objective - lower.objective < FAST
        scoring += problem.likelihood.R > 1 and is_slow
        point = lower
        if polished:
            break
        # Newton's method squares the error, so one more step makes the mode exact to rounding; scoring steps do not
        close = NEWTON_CLOSE if at_point.is_newton else SCORING_CLOSE
        polished = size < close * (1.0 + point.effects.length)
    if not math.isfinite(point.objective) or not (polished or size < UNDONE * (1.0 + point.effects.length)):
        error = LostModeError if scoring > MAX_SCORING and start is None else np.linalg.LinAlgError
        raise error("no conditional mode was found")
    jet = problem.jet(point.eta, dispersion)
    factorisation = _at_mode(problem, Lambdas, -jet[2])
    return Mode(point.effects.u, point.b, point.effects.flat, point.eta, jet, factorisation, point.objective)


def _at_mode(problem: GeneralizedProblem, Lambdas: Sequence[Array], weights: Array) -> Factorisation:
    """Factorise the observed information, which has to tell more of the random effects than it takes from their prior.

    Joint densities of effects on several predictors may have several modes. Where one is about to vanish an eigenvalue
    goes to zero, and Laplace's criterion falls without a bound, though the integral does not.
    """
    try:
        found = factorise_weights(problem, Lambdas, weights)
    except np.linalg.LinAlgError as error:
        raise LostModeError("what was taken for the conditional mode is none") from error
    if found.smallest_pivot < LOST:
        raise LostModeError("the conditional mode of the random effects is about to be lost")
    return found


@dataclass(frozen=True, slots=True, eq=False)
class _Point:
    """Effects on the way to the mode, and what is made least."""

    effects: Effects
    b: list[Array]
    eta: Array
    objective: float


def _line_search(at: Callable[[Effects], _Point], point: _Point, step: Effects) -> _Point | None:
    """The point after the longest of the step, half of it, ... that does not ascend; None where there is none."""
    fraction = 1.0
    while True:
        trial = at(point.effects.plus(fraction, step))
        if trial.objective <= point.objective + 1e-10 * (abs(point.objective) + 1.0) or fraction < SHORTEST:
            return trial if math.isfinite(trial.objective) and fraction >= SHORTEST else None
        fraction *= 0.5


@dataclass(frozen=True, slots=True, eq=False)
class Slopes:
    """An approximation of minus twice the log-likelihood and its derivatives."""

    value: float | Array  # (...,)
    by_eta: Array  # (..., n): X' by_eta is the derivative by the fixed effects
    by_factor: list[Array]  # per factor (..., k, k), by the entries of Lambda
    by_dispersion: float | Array  # (...,) by log dispersion; 0 where the family has none


def by_log_dispersion(
    problem: GeneralizedProblem, mode: Mode, dispersion: Dispersion, by_score: Array, by_weight: Array
) -> float | Array:
    """Derivatives by log dispersion through the scores of the rows ``(..., n)`` and through their weights ``-l''``."""
    if not problem.has_dispersion:
        return 0.0
    _, slope, curvature, _ = problem.by_dispersion(lambda d: problem.jet(mode.eta, d), dispersion)
    return np.sum(by_score * slope - by_weight * curvature, axis=-1)


def density_slope(problem: GeneralizedProblem, eta: Array, dispersion: Dispersion) -> Array:
    """Derivative of the log density of each row by log dispersion, at ``eta (..., n)``."""
    (slope,) = problem.by_dispersion(lambda d: (problem.value(eta, np.asarray(d)),), dispersion)
    return slope
