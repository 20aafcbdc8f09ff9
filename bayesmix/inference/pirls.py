"""Laplace and adaptive Gauss-Hermite approximations of generalized linear mixed models.

Inside, penalised iteratively reweighted least squares finds the conditional mode of the spherical effects ``u`` given
``(theta, beta)``; outside, minus twice the marginal log-likelihood

    f = -2 log p(y | u_hat) + u_hat'u_hat + log|Lambda'Z'WZ Lambda + I|

is differentiated exactly, with the movement of the mode: W holds the observed information at the converged mode, the
textbook Laplace approximation (lme4 uses expected information for links that are not canonical).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

from bayesmix.data.design import Design
from bayesmix.data.moments import leverages, moments
from bayesmix.inference.coordinates import Coordinates
from bayesmix.inference.pls import Factorisation, factorise, sensitivity, solve
from bayesmix.language.families.derivatives import by_predictor, density_by_predictor, slopes_by_predictor
from bayesmix.language.families.family import Family
from bayesmix.language.families.link import Jet, Link

Array = np.ndarray

MAX_STEPS = 200
CELLS = 200_000  # numbers of a quadrature that are computed together
SHIFT = 2e-3  # of log dispersion, in differences of the fourth order
UNDONE = 1e-4  # relative size of a step from which on what a search ends with is no mode
NEWTON_CLOSE, SCORING_CLOSE = 1e-4, 1e-11  # relative size of the step before the last


@dataclass(frozen=True, slots=True, eq=False)
class GeneralizedProblem:
    """A generalized linear mixed model in computational coordinates."""

    coordinates: Coordinates
    family: Family
    link: Link
    y: Array  # (n,)
    trials: Array  # (n,)
    weights: Array  # (n,)
    offset: Array  # (n,)

    def jet(self, eta: Array, dispersion: float) -> Jet:
        """Log density of each row and its derivatives by the linear predictor."""
        return by_predictor(self.family, self.link, self.y, eta, **self._rest(dispersion))

    def slopes(self, eta: Array, dispersion: float) -> tuple[Array, Array]:
        """First two derivatives of the log density of each row by the linear predictor."""
        return slopes_by_predictor(self.family, self.link, self.y, eta, **self._rest(dispersion))

    def by_dispersion(self, function: Callable[[float], tuple[Array, ...]], dispersion: float) -> tuple[Array, ...]:
        """Derivatives by log dispersion of smooth functions of the rows: differences that are exact to rounding."""
        at = [function(dispersion * math.exp(shift * SHIFT)) for shift in (-2.0, -1.0, 1.0, 2.0)]
        return tuple((a - 8.0 * b + 8.0 * c - d) / (12.0 * SHIFT) for a, b, c, d in zip(*at, strict=True))

    def value(self, eta: Array, dispersion: Array) -> Array:
        """Log density of each row at ``eta (..., n)``, for dispersions that may differ between the leading axes."""
        return density_by_predictor(self.family, self.link, self.y, eta, **self._rest(dispersion))

    def _rest(self, dispersion: Array | float) -> dict[str, Array]:
        return {"dispersion": np.asarray(dispersion), "trials": self.trials, "weights": self.weights}


@dataclass(frozen=True, slots=True, eq=False)
class Mode:
    """The conditional mode of the random effects at one parameter point."""

    u: list[Array]  # per factor (J, k), spherical
    b: list[Array]  # per factor (J, k), b = Lambda u
    eta: Array  # (n,)
    jet: Jet
    factorisation: Factorisation
    objective: float  # -2 log p(y | u) + u'u


def generalized_problem(design: Design, coordinates: Coordinates, family: Family, link: Link) -> GeneralizedProblem:
    """Collect what the iterations need."""
    trials = np.ones(len(design.y)) if design.trials is None else design.trials
    return GeneralizedProblem(coordinates, family, link, design.y, trials, design.weights, design.offset)


def add_effects(coordinates: Coordinates, b: Sequence[Array]) -> Array:
    """Contribution of random effects ``(J, k)`` per factor to the linear predictor: ``(n,)``."""
    total: Array = np.zeros(len(coordinates.X))
    for factor, effects in zip(coordinates.factors, b, strict=True):
        total = total + np.einsum("nk,nk->n", factor.z, effects[factor.codes])
    return total


def _project(coordinates: Coordinates, rows: Array) -> list[Array]:
    """``Z_f' rows`` for each factor: ``(J, k)``."""
    pairs = zip(coordinates.pattern.rows, coordinates.factors, strict=True)
    return [pattern.sum_rows(factor.z * rows[:, None]) for pattern, factor in pairs]


def _penalised(problem: GeneralizedProblem, eta: Array, u: Sequence[Array], dispersion: float) -> float:
    value = -2.0 * float(problem.value(eta, np.asarray(dispersion)).sum()) + sum(float(np.sum(part**2)) for part in u)
    return value if math.isfinite(value) else math.inf


def _step_weights(problem: GeneralizedProblem, eta: Array, jet: Jet, dispersion: float) -> Array:
    """Observed information where positive, expected information elsewhere: a descent direction in any case."""
    observed = -jet[2]
    if np.all(observed > 0.0):
        return observed
    with np.errstate(all="ignore"):
        mu, slope, _, _ = problem.link.inverse(eta)
        variance = problem.family.variance(problem.trials, mu, *problem.family.others(np.asarray(dispersion)))
        return np.where(observed > 0.0, observed, problem.weights * slope**2 / variance)


def _factorise(problem: GeneralizedProblem, Lambdas: Sequence[Array], weights: Array) -> Factorisation:
    coordinates = problem.coordinates
    products = moments(coordinates.pattern, coordinates.factors, np.zeros((len(weights), 1)), weights)
    return factorise(coordinates.plan, products, Lambdas)


@np.errstate(all="ignore")  # trial steps may overflow; what they give is then not finite, and refused
def find_mode(
    problem: GeneralizedProblem,
    Lambdas: Sequence[Array],
    fixed: Array,
    dispersion: float,
    start: Sequence[Array] | None = None,
) -> Mode:
    """Maximise the joint density over the random effects by damped Newton steps.

    Parameters
    ----------
    Lambdas : per factor ``(k, k)``.
    fixed : (n,) the part of the linear predictor without random effects.
    start : per factor ``(J, k)`` spherical effects to start from; zeros by default.

    Raises
    ------
    numpy.linalg.LinAlgError
        If no finite mode is found, or none within a number of steps.
    """
    coordinates = problem.coordinates
    u = [np.zeros((f.levels, f.k)) for f in coordinates.factors] if start is None else list(start)
    b = [part @ Lambda.T for part, Lambda in zip(u, Lambdas, strict=True)]
    eta = fixed + add_effects(coordinates, b)
    objective = _penalised(problem, eta, u, dispersion)
    if not math.isfinite(objective) and start is not None:
        return find_mode(problem, Lambdas, fixed, dispersion)
    polished, size = False, math.inf
    for _ in range(MAX_STEPS):
        jet = problem.jet(eta, dispersion)
        weights = _step_weights(problem, eta, jet, dispersion)
        factorisation = _factorise(problem, Lambdas, weights)
        _, target = solve(factorisation, _project(coordinates, weights * (eta - fixed) + jet[1]))
        step = [new - old for new, old in zip(target, u, strict=True)]
        size = math.sqrt(sum(float(np.sum(part**2)) for part in step))
        fraction = 1.0
        while True:
            trial = [old + fraction * part for old, part in zip(u, step, strict=True)]
            trial_b = [part @ Lambda.T for part, Lambda in zip(trial, Lambdas, strict=True)]
            trial_eta = fixed + add_effects(coordinates, trial_b)
            value = _penalised(problem, trial_eta, trial, dispersion)
            if value <= objective + 1e-10 * (abs(objective) + 1.0) or fraction < 1e-8:
                break
            fraction *= 0.5
        if not math.isfinite(value) or fraction < 1e-8:  # no descent left: rounding, or a plateau of clipped means
            break
        u, b, eta, objective = trial, trial_b, trial_eta, value
        if polished:
            break
        # Newton's method squares the error, so one more step makes the mode exact to rounding; scoring steps do not
        close = NEWTON_CLOSE if np.all(jet[2] <= 0.0) else SCORING_CLOSE
        polished = size < close * (1.0 + math.sqrt(sum(float(np.sum(part**2)) for part in u)))
    length = math.sqrt(sum(float(np.sum(part**2)) for part in u))
    if not math.isfinite(objective) or not (polished or size < UNDONE * (1.0 + length)):
        if start is not None:
            return find_mode(problem, Lambdas, fixed, dispersion)
        raise np.linalg.LinAlgError("no conditional mode was found")
    jet = problem.jet(eta, dispersion)
    return Mode(u, b, eta, jet, _factorise(problem, Lambdas, -jet[2]), objective)


@dataclass(frozen=True, slots=True, eq=False)
class Slopes:
    """An approximation of minus twice the log-likelihood and its derivatives."""

    value: float
    by_eta: Array  # (n,): X' by_eta is the derivative by the fixed effects
    by_factor: list[Array]  # per factor (k, k), by the entries of Lambda
    by_dispersion: float  # by log dispersion; 0 where the family has none


def laplace(problem: GeneralizedProblem, Lambdas: Sequence[Array], mode: Mode, dispersion: float) -> Slopes:
    """Minus twice the Laplace log-likelihood, with its derivatives.

    By the dispersion, with dots for derivatives by its logarithm and ``s`` the leverages,

        sum over rows of  -2 dot l  -  s dot l''  +  (Z Lambda H^-1 Lambda'Z' by_mode) dot l'.
    """
    coordinates = problem.coordinates
    value = mode.objective + float(mode.factorisation.log_determinant)
    derivative = sensitivity(mode.factorisation, np.zeros((1, 1)), coordinates.pattern)
    spread = leverages(coordinates.pattern, coordinates.factors, derivative.D, derivative.C)
    by_mode = -spread * mode.jet[3]
    moved_b, moved_u = solve(mode.factorisation, _project(coordinates, by_mode))
    moved = add_effects(coordinates, moved_b)
    by_eta = -2.0 * mode.jet[1] + by_mode + mode.jet[2] * moved
    through_eta, score = _project(coordinates, by_eta), _project(coordinates, mode.jet[1])
    by_factor = [
        Z_eta.T @ u + Z_score.T @ shift + 2.0 * G @ Lambda
        for Z_eta, u, Z_score, shift, G, Lambda in zip(
            through_eta, mode.u, score, moved_u, derivative.G, Lambdas, strict=True
        )
    ]
    by_dispersion = _by_dispersion(problem, mode, dispersion, moved, spread)
    if problem.family.dispersion is not None:
        by_dispersion -= 2.0 * float(np.sum(_density_slope(problem, mode.eta, dispersion)))
    return Slopes(value, by_eta, by_factor, by_dispersion)


def quadrature(
    problem: GeneralizedProblem, Lambdas: Sequence[Array], mode: Mode, dispersion: float, points: int
) -> float:
    """Minus twice the log-likelihood by adaptive Gauss-Hermite quadrature; one grouping factor, any number of effects.

    Notes
    -----
    Costs ``points ** k`` evaluations of all rows. ``points=1`` is the Laplace approximation.
    """
    at_mode = _joint(problem, mode.jet[0], mode.u[0])
    sums: Array = np.zeros(len(mode.u[0]))
    for node in _nodes(problem, Lambdas, mode, points):
        joint = _joint(problem, problem.value(node.eta, np.asarray(dispersion)), node.u)
        sums = sums + np.exp(joint - at_mode + node.log_weight).sum(axis=0)
    return -2.0 * float(np.sum(at_mode + np.log(sums))) + float(mode.factorisation.log_determinant)


def quadrature_gradient(
    problem: GeneralizedProblem, Lambdas: Sequence[Array], mode: Mode, dispersion: float, points: int
) -> Slopes:
    """`quadrature` with its derivatives.

    With ``T`` the logarithms of the nodes' terms and ``pi`` their shares, the value is a sum over levels of

        -2 log sum_q exp T_q + log|H|,   H = Lambda' G Lambda + I,   u_q = u + sqrt(2) L^-T x_q,   L L' = H,

    where ``u`` is the mode and ``G`` the cross-products with the observed weights there. Derivatives run backwards:
    through the terms, the factor ``M = L^-T``, ``H``, the weights, and last the mode, ``H du = d(Lambda' score)``.
    """
    coordinates, Lambda = problem.coordinates, Lambdas[0]
    (factor,), (rows,) = coordinates.factors, coordinates.pattern.rows
    z, codes, (u,) = factor.z, factor.codes, mode.u
    at_mode = _joint(problem, mode.jet[0], u)
    sums: Array = np.zeros(len(u))
    by_eta, by_factor = np.zeros(len(z)), np.zeros((len(u), factor.k, factor.k))
    by_u, by_M, by_level = np.zeros_like(u), np.zeros_like(by_factor), np.zeros(len(u))
    has_dispersion = problem.family.dispersion is not None
    for node in _nodes(problem, Lambdas, mode, points):
        jet = problem.jet(node.eta, dispersion)
        share = np.exp(_joint(problem, jet[0], node.u) - at_mode + node.log_weight)  # (nodes, J)
        score = rows.sum_rows(jet[1][..., None] * z)
        slope = share[..., None] * (score @ Lambda - node.u)
        sums = sums + share.sum(axis=0)
        by_eta = by_eta + np.sum(share[:, codes] * jet[1], axis=0)
        by_factor = by_factor + np.einsum("qj,qja,qjb->jab", share, score, node.u)
        by_u = by_u + slope.sum(axis=0)
        by_M = by_M + np.einsum("qja,qb->jab", slope, node.x)
        if has_dispersion:
            by_level = by_level + np.sum(share * rows.sum(_density_slope(problem, node.eta, dispersion)), axis=0)
    value = -2.0 * float(np.sum(at_mode + np.log(sums))) + float(mode.factorisation.log_determinant)
    (step,) = mode.factorisation.eliminated
    M = np.swapaxes(np.linalg.inv(step.L), -1, -2)
    K = math.sqrt(2.0) * np.swapaxes(M, -1, -2) @ (-2.0 * by_M / sums[:, None, None])
    upper = np.triu(K, 1)
    Q = -0.5 * (upper + np.swapaxes(upper, -1, -2) + K * np.eye(factor.k))
    by_H = M @ (Q + np.eye(factor.k)) @ np.swapaxes(M, -1, -2)
    Z_row = z @ Lambda
    by_weight = np.einsum("na,nab,nb->n", Z_row, by_H[codes], Z_row)
    through_mode = -mode.jet[3] * by_weight
    (moved,) = _project(coordinates, through_mode)
    v = np.einsum("jab,jb->ja", M @ np.swapaxes(M, -1, -2), -2.0 * by_u / sums[:, None] + moved @ Lambda)
    (score,) = _project(coordinates, mode.jet[1])
    direct = -2.0 * np.sum(by_factor / sums[:, None, None], axis=0)
    lean = moved - np.einsum("jab,bc,jc->ja", step.D, Lambda, v)
    gradient = direct + 2.0 * np.einsum("jab,bc,jcd->ad", step.D, Lambda, by_H) + lean.T @ u + score.T @ v
    leaning = np.einsum("na,na->n", Z_row, v[codes])
    by_dispersion = -2.0 * float(np.sum(by_level / sums)) + _by_dispersion(
        problem, mode, dispersion, leaning, by_weight
    )
    by_eta = -2.0 * by_eta / sums[codes] + through_mode + mode.jet[2] * leaning
    return Slopes(value, by_eta, [gradient], by_dispersion)


def _by_dispersion(
    problem: GeneralizedProblem, mode: Mode, dispersion: float, by_score: Array, by_weight: Array
) -> float:
    """Derivative by log dispersion through the scores of the rows ``(n,)`` and through their weights ``-l''``."""
    if problem.family.dispersion is None:
        return 0.0
    _, slope, curvature, _ = problem.by_dispersion(lambda d: problem.jet(mode.eta, d), dispersion)
    return float(np.sum(by_score * slope - by_weight * curvature))


def _density_slope(problem: GeneralizedProblem, eta: Array, dispersion: float) -> Array:
    """Derivative of the log density of each row by log dispersion, at ``eta (..., n)``."""
    (slope,) = problem.by_dispersion(lambda d: (problem.value(eta, np.asarray(d)),), dispersion)
    return slope


def _joint(problem: GeneralizedProblem, log_density: Array, u: Array) -> Array:
    """Joint log density of each level ``(..., J)`` from that of the rows, up to a constant."""
    return problem.coordinates.pattern.rows[0].sum(log_density) - 0.5 * np.sum(u**2, axis=-1)


@dataclass(frozen=True, slots=True, eq=False)
class _Nodes:
    """Some nodes of a quadrature, adapted to every level."""

    x: Array  # (nodes, k) of the standard rule
    log_weight: Array  # (nodes, 1)
    u: Array  # (nodes, J, k)
    eta: Array  # (nodes, n)


def _nodes(problem: GeneralizedProblem, Lambdas: Sequence[Array], mode: Mode, points: int) -> Iterator[_Nodes]:
    """All nodes, as many at a time as fit into little memory."""
    factor, Lambda = problem.coordinates.factors[0], Lambdas[0]
    x, log_weights = _grid(points, factor.k)
    fixed = mode.eta - add_effects(problem.coordinates, mode.b)
    M = math.sqrt(2.0) * np.swapaxes(np.linalg.inv(mode.factorisation.eliminated[0].L), -1, -2)
    together = max(1, CELLS // max(len(fixed), 1))
    for begin in range(0, len(x), together):
        some = x[begin : begin + together]
        u = mode.u[0] + np.einsum("jab,qb->qja", M, some)
        eta = fixed + np.einsum("nk,qnk->qn", factor.z, (u @ Lambda.T)[:, factor.codes])
        weight = log_weights[begin : begin + together] + np.sum(some**2, axis=1)
        yield _Nodes(some, weight[:, None], u, eta)


@cache
def _grid(points: int, k: int) -> tuple[Array, Array]:
    """Product grid of Gauss-Hermite nodes ``(points**k, k)``, log weights normalised to one Gaussian."""
    x, w = np.polynomial.hermite.hermgauss(points)
    index = np.indices((points,) * k).reshape(k, -1)
    return x[index].T, np.log(w / math.sqrt(math.pi))[index].sum(axis=0)
