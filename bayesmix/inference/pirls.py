"""Laplace and adaptive Gauss-Hermite approximations of generalized linear mixed models.

Inside, penalised iteratively reweighted least squares finds the conditional mode of the spherical effects ``u`` given
``(theta, beta)``; outside, minus twice the marginal log-likelihood

    f = -2 log p(y | u_hat) + u_hat'u_hat + log|Lambda'Z'WZ Lambda + I|

is differentiated exactly, with the movement of the mode: W holds the observed information at the converged mode, the
textbook Laplace approximation (lme4 uses expected information for links that are not canonical).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bayesmix.data.design import Design
from bayesmix.data.moments import leverages, moments
from bayesmix.inference.coordinates import Coordinates
from bayesmix.inference.pls import Factorisation, factorise, sensitivity, solve
from bayesmix.language.family import Family, Jet, Link, by_predictor, density_by_predictor

Array = np.ndarray

MAX_STEPS = 200
NEWTON_CLOSE, SCORING_CLOSE = 1e-6, 1e-11  # relative size of the step before the last


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
        return by_predictor(
            self.family,
            self.link,
            self.y,
            eta,
            dispersion=np.asarray(dispersion),
            trials=self.trials,
            weights=self.weights,
        )

    def value(self, eta: Array, dispersion: Array) -> Array:
        """Log density of each row at ``eta (..., n)``, for dispersions that may differ between the leading axes."""
        return density_by_predictor(
            self.family, self.link, self.y, eta, dispersion=dispersion, trials=self.trials, weights=self.weights
        )


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
        variance = problem.family.variance(mu, np.asarray(dispersion), problem.trials)
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
        If no finite mode is found.
    """
    coordinates = problem.coordinates
    u = [np.zeros((f.levels, f.k)) for f in coordinates.factors] if start is None else list(start)
    b = [part @ Lambda.T for part, Lambda in zip(u, Lambdas, strict=True)]
    eta = fixed + add_effects(coordinates, b)
    objective = _penalised(problem, eta, u, dispersion)
    if not math.isfinite(objective) and start is not None:
        return find_mode(problem, Lambdas, fixed, dispersion)
    polished = False
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
    if not math.isfinite(objective):
        raise np.linalg.LinAlgError("no finite conditional mode")
    jet = problem.jet(eta, dispersion)
    return Mode(u, b, eta, jet, _factorise(problem, Lambdas, -jet[2]), objective)


def laplace(problem: GeneralizedProblem, Lambdas: Sequence[Array], mode: Mode) -> tuple[float, Array, list[Array]]:
    """Minus twice the Laplace log-likelihood; its derivatives by ``eta`` for ``beta``, and by each ``Lambda (k, k)``.

    Returns
    -------
    value, by_eta (n,), by_factor [(k, k)]
        ``X' by_eta`` is the derivative with respect to fixed effects.
    """
    coordinates = problem.coordinates
    value = mode.objective + float(mode.factorisation.log_determinant)
    derivative = sensitivity(mode.factorisation, np.zeros((1, 1)), coordinates.pattern)
    spread = leverages(coordinates.pattern, coordinates.factors, derivative.D, derivative.C)
    by_mode = -spread * mode.jet[3]
    moved_b, moved_u = solve(mode.factorisation, _project(coordinates, by_mode))
    by_eta = -2.0 * mode.jet[1] + by_mode + mode.jet[2] * add_effects(coordinates, moved_b)
    through_eta, score = _project(coordinates, by_eta), _project(coordinates, mode.jet[1])
    by_factor = [
        Z_eta.T @ u + Z_score.T @ moved + 2.0 * G @ Lambda
        for Z_eta, u, Z_score, moved, G, Lambda in zip(
            through_eta, mode.u, score, moved_u, derivative.G, Lambdas, strict=True
        )
    ]
    return value, by_eta, by_factor


def quadrature(
    problem: GeneralizedProblem, Lambdas: Sequence[Array], mode: Mode, dispersion: float, points: int
) -> float:
    """Minus twice the log-likelihood by adaptive Gauss-Hermite quadrature; one grouping factor, any number of effects.

    Notes
    -----
    Costs ``points ** k`` evaluations of all rows. ``points=1`` is the Laplace approximation.
    """
    factor, Lambda = problem.coordinates.factors[0], Lambdas[0]
    rows = problem.coordinates.pattern.rows[0]
    nodes, log_weights = _grid(points, factor.k)
    L = mode.factorisation.eliminated[0].L
    fixed = mode.eta - add_effects(problem.coordinates, mode.b)
    inverse_T = np.swapaxes(np.linalg.inv(L), -1, -2)
    terms = np.empty((len(nodes), factor.levels))
    for number, (node, log_weight) in enumerate(zip(nodes, log_weights, strict=True)):
        u = mode.u[0] + math.sqrt(2.0) * inverse_T @ node
        eta = fixed + np.einsum("nk,nk->n", factor.z, (u @ Lambda.T)[factor.codes])
        joint = rows.sum(problem.value(eta, np.asarray(dispersion))) - 0.5 * np.sum(u**2, axis=1)
        terms[number] = joint + float(node @ node) + log_weight
    top = terms.max(axis=0)
    log_integral = top + np.log(np.exp(terms - top).sum(axis=0))
    return -2.0 * float(log_integral.sum()) + float(mode.factorisation.log_determinant)


def _grid(points: int, k: int) -> tuple[Array, Array]:
    """Product grid of Gauss-Hermite nodes ``(points**k, k)``, log weights normalised to one Gaussian."""
    x, w = np.polynomial.hermite.hermgauss(points)
    index = np.indices((points,) * k).reshape(k, -1)
    return x[index].T, np.log(w / math.sqrt(math.pi))[index].sum(axis=0)
