"""Point estimates: REML and ML for linear, Laplace and adaptive quadrature for generalized linear mixed models."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import product
from typing import assert_never

import numpy as np

from bayesmix.data.design import Design
from bayesmix.errors import FitError, SpecError, nearest
from bayesmix.inference.batches import one_blas_thread
from bayesmix.inference.coordinates import Coordinates, coordinates
from bayesmix.inference.covariance import from_factor, sd_and_corr, split
from bayesmix.inference.glm import LARGEST, Glm, fit_glm
from bayesmix.inference.optimise import Objective, Optimum, Status, is_flat, minimise
from bayesmix.inference.parameters import Parameters
from bayesmix.inference.pirls import (
    GeneralizedProblem,
    Mode,
    Slopes,
    find_mode,
    generalized_problem,
    laplace,
    quadrature,
    quadrature_gradient,
)
from bayesmix.inference.pls import Factorisation, modes, sensitivity
from bayesmix.inference.reml import LinearProblem, check_variation, criterion, linear_problem, solve_linear
from bayesmix.inference.restart import lowest, starts_inside
from bayesmix.inference.separation import separating_direction
from bayesmix.language.arguments import explained
from bayesmix.language.families.family import Family, is_linear
from bayesmix.language.families.link import Link

Array = np.ndarray

SINGULAR = 1e-4  # a direction of the effects whose relative SD is below this counts as zero (lme4's isSingular)
ANCHOR = 1e-3  # of the squared fixed effects of separated data, in units of the deviance
SUSPECT = 15.0  # linear predictors of a regression beyond which separation is looked for
MAX_POINTS = 100  # of adaptive quadrature, as in lme4: integrals do not change from a few dozen on
START = (0.01, 100.0)  # bounds of the relative variances the search starts from


@explained
@dataclass(frozen=True, slots=True)
class Reml:
    """Restricted maximum likelihood, for linear mixed models."""


@explained
@dataclass(frozen=True, slots=True)
class Ml:
    """Maximum likelihood of a linear mixed model."""


@explained
@dataclass(frozen=True, slots=True)
class Laplace:
    """Maximum of the Laplace approximation to the likelihood of a generalized linear mixed model."""


@explained
@dataclass(frozen=True, slots=True)
class Agq:
    """Maximum likelihood by adaptive Gauss-Hermite quadrature with ``points`` nodes an effect; one grouping factor."""

    points: int = 9

    def __post_init__(self) -> None:
        if self.points < 1:
            raise SpecError(f"Agq needs at least one point, not {self.points}. The usual choice is Agq(points=9).")
        if self.points > MAX_POINTS:
            raise SpecError(
                f"Agq takes up to {MAX_POINTS} points, not {self.points}. The usual choice is Agq(points=9)."
            )


Method = Reml | Ml | Laplace | Agq


@dataclass(frozen=True, slots=True, eq=False)
class PointEstimate:
    """A fitted model as numbers, in the user's units."""

    method: Method
    beta: Array  # (p,)
    beta_cov: Array  # (p, p)
    covariances: tuple[Array, ...]  # per term (k, k)
    dispersion: float | None  # sigma, shape; None where the family has none
    b: tuple[Array, ...]  # per term (J, k) conditional modes
    b_cov: tuple[Array, ...]  # per term (J, k, k) conditional covariances, parameters held at their estimates
    criterion: float  # REML criterion, or -2 log-likelihood
    df: int  # parameters: fixed effects, covariances, dispersion
    singular: tuple[int, ...]  # terms whose covariance matrix is not of full rank
    theta: Array  # covariance parameters in computational coordinates
    optimum: Optimum
    coordinates: Coordinates

    @property
    def parameters(self) -> Parameters:
        """The same as values of parameters, without leading axes."""
        pairs = [sd_and_corr(matrix) for matrix in self.covariances]
        dispersion = None if self.dispersion is None else np.asarray(self.dispersion)
        return Parameters(self.beta, tuple(sd for sd, _ in pairs), tuple(corr for _, corr in pairs), self.b, dispersion)

    def predictor(self, design: Design) -> Array:
        """Linear predictor of each row of the design that was fitted, offset included: ``(n,)``."""
        eta = design.X @ self.beta + design.offset
        for term, b in zip(design.terms, self.b, strict=True):
            eta = eta + np.sum(term.z * b[term.codes], axis=1)
        return np.asarray(eta)


def resolve_method(method: str | Method, family: Family, link: Link) -> Method:
    """Turn text into a method record and check that it fits the family."""
    linear = is_linear(family, link)
    if isinstance(method, str):
        names: dict[str, Method] = {"reml": Reml(), "ml": Ml(), "laplace": Laplace(), "agq": Agq()}
        names["auto"] = names["reml"] if linear else names["laplace"]
        if not linear:
            names["ml"] = names["laplace"]
        if method.lower() not in names:
            raise SpecError(
                f"Estimation method `{method}` does not exist.{nearest(method, names)} Methods: {', '.join(names)}."
            )
        method = names[method.lower()]
    if not isinstance(method, Reml | Ml | Laplace | Agq):
        raise SpecError(f'An estimation method is text such as "reml", or a record such as bmx.Agq(9), not {method!r}.')
    if linear != isinstance(method, Reml | Ml):
        fitting = "Reml() or Ml()" if linear else "Laplace() or Agq(points=...)"
        raise SpecError(
            f"{method} does not fit a model with family `{family.name}` and link `{link.name}`: use {fitting}."
        )
    return method


@one_blas_thread()
def estimate(design: Design, family: Family, link: Link, method: Method) -> PointEstimate:
    """Fit the model by ``method``.

    Raises
    ------
    SpecError
        If quadrature is asked for a model with several grouping factors.
    FitError
        If the numbers of the data are beyond what can be computed with.
    """
    working = coordinates(design)
    if isinstance(method, Agq) and len(working.factors) != 1:
        raise SpecError("Quadrature needs exactly one grouping factor; use the Laplace approximation instead.")
    try:
        match method:
            case Reml() | Ml():
                problem = linear_problem(design, working)
                check_variation(design, problem)
                return _linear(problem, method)
            case Laplace() | Agq():
                return _generalized(generalized_problem(design, working, family, link), method)
            case _:
                assert_never(method)
    except np.linalg.LinAlgError as error:
        largest = float(np.max(np.abs(design.y), initial=0.0))
        raise FitError(
            f"The criterion cannot be computed where the search led ({error}). `{design.response}` reaches"
            f" {largest:.3g}: check it for extreme values, and the predictors for extreme scales."
        ) from error


def _start(working: Coordinates, size: float) -> Array:
    """Relative factors ``size * I``: columns are of unit size."""
    return from_factor(working.structures, [size * np.eye(s.k) for s in working.structures])


def _start_linear(problem: LinearProblem) -> Array:
    """Relative factors by the method of moments, each grouping factor as if it were alone.

    With ``s_j = z_j'r`` of the least-squares residuals, ``E[s_j^2 / D_j] = sigma^2 (1 + D_j theta^2)``.
    """
    working, products = problem.coordinates, problem.moments
    sigma2 = float(products.XX[-1, -1]) / problem.n
    factors = []
    for place in working.places:
        scores = products.B[place.factor][:, place.columns, -1]
        size = np.diagonal(products.D[place.factor], axis1=-2, axis2=-1)[:, place.columns]
        excess = np.sum(scores**2, axis=0) / np.maximum(size.sum(axis=0), 1e-300) / max(sigma2, 1e-300) - 1.0
        spread = np.clip(excess / np.maximum(np.mean(size, axis=0), 1e-300), START[0], START[1])
        factors.append(np.diag(np.sqrt(spread)))
    return from_factor(working.structures, factors)


# ---- linear -----------------------------------------------------------------------------------------------------


def _linear(problem: LinearProblem, method: Reml | Ml) -> PointEstimate:
    reml = isinstance(method, Reml)
    working = problem.coordinates
    start = _start_linear(problem)
    optimum, singular = _search(working, lambda theta: criterion(problem, theta, reml=reml), start, accurate=False)
    solution = solve_linear(problem, optimum.x)
    sigma2 = float(solution.rss) / (problem.n - problem.p if reml else problem.n)
    b, b_cov = _effects(working, solution.factorisation, np.append(-solution.beta, 1.0), sigma2)
    information = solution.factorisation.XX[: problem.p, : problem.p]
    return PointEstimate(
        method=method,
        beta=working.T @ (problem.beta_ols + solution.beta),
        beta_cov=sigma2 * working.T @ np.linalg.inv(information) @ working.T.T,
        covariances=tuple(sigma2 * G for G in working.covariances(optimum.x)),
        dispersion=float(np.sqrt(sigma2)),
        b=b,
        b_cov=b_cov,
        criterion=optimum.value,
        df=problem.p + working.size + 1,
        singular=singular,
        theta=optimum.x,
        optimum=optimum,
        coordinates=working,
    )


def _effects(
    working: Coordinates, factorisation: Factorisation, combination: Array, scale: float
) -> tuple[tuple[Array, ...], tuple[Array, ...]]:
    """Conditional modes and covariances of the random effects, user's units."""
    b, _ = modes(factorisation, combination)
    return tuple(working.of_terms(b)), _conditional_covariances(working, factorisation, scale)


def _conditional_covariances(working: Coordinates, factorisation: Factorisation, scale: float) -> tuple[Array, ...]:
    columns = factorisation.XX.shape[-1]
    inverse = sensitivity(factorisation, np.zeros((columns, columns)), working.pattern).D
    return tuple(
        scale * C @ inverse[place.factor][:, place.columns, place.columns] @ C.T
        for place, C in zip(working.places, working.C, strict=True)
    )


def _search(
    working: Coordinates, objective: Objective, start: Array, *, accurate: bool
) -> tuple[Optimum, tuple[int, ...]]:
    """The lowest minimum and its singular terms: from the start, and from inside where that ends on the boundary."""
    optimum, singular = _settle(working, minimise(objective, start, accurate=accurate), objective)
    if not singular and optimum.status is Status.CONVERGED:
        return optimum, singular
    starts = starts_inside(working.structures, optimum.x, start, singular)
    better = lowest(objective, optimum, starts, accurate=accurate)
    return (optimum, singular) if better is optimum else _settle(working, better, objective)


def _settle(working: Coordinates, optimum: Optimum, objective: Objective) -> tuple[Optimum, tuple[int, ...]]:
    """Put variances that vanish at the optimum exactly at zero, and say which terms are singular."""
    parts = split(working.structures, optimum.x[: working.size])
    found = [s.settled(own, SINGULAR) for s, own in zip(working.structures, parts, strict=True)]
    singular = [t for t, (_, moved) in enumerate(found) if moved]
    if not singular:
        return optimum, ()
    x = optimum.x.copy()
    x[: working.size] = np.concatenate([own for own, _ in found])
    value = objective(x)[0]
    if value <= optimum.value + 1e-9 * max(abs(optimum.value), 1.0):
        status = Status.CONVERGED if _is_flat_there_only(working, optimum, singular) else optimum.status
        return replace(optimum, x=x, value=min(value, optimum.value), status=status), tuple(singular)
    return optimum, tuple(singular)


def _is_flat_there_only(working: Coordinates, optimum: Optimum, singular: list[int]) -> bool:
    """Whether a ridge is what singular terms have: where a root of their covariance is zero, its direction is free."""
    sizes = [structure.size for structure in working.structures]
    there = np.repeat(np.isin(np.arange(len(sizes)), singular), sizes)
    rest = np.append(~there, np.ones(len(optimum.x) - working.size, bool))
    return optimum.status is Status.FLAT and not is_flat(optimum.hessian[np.ix_(rest, rest)])


# ---- generalized ------------------------------------------------------------------------------------------------


class MarginalLikelihood:
    """Minus twice the approximate marginal log-likelihood of ``(theta, beta~, log dispersion)``, with its gradient.

    Each evaluation starts the inner iterations at the mode found before: that changes their number, not their result.
    """

    def __init__(self, problem: GeneralizedProblem, method: Laplace | Agq) -> None:
        self.problem = problem
        self.method = method
        self._last: list[Array] | None = None

    @property
    def has_dispersion(self) -> bool:
        """Whether the family has a parameter beside the mean."""
        return self.problem.family.dispersion is not None

    def split(self, x: Array) -> tuple[Array, Array, float]:
        """Covariance parameters, fixed effects, dispersion (1 where the family has none)."""
        m, p = self.problem.coordinates.size, self.problem.coordinates.X.shape[1]
        return x[:m], x[m : m + p], float(np.exp(x[m + p])) if self.has_dispersion else 1.0

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
        gradient = [working.gradient(theta, slopes.by_factor), working.X.T @ slopes.by_eta]
        if self.has_dispersion:
            gradient.append(np.array([slopes.by_dispersion]))
        return slopes.value, np.concatenate(gradient)

    def value_at(self, factors: list[Array], beta: Array, dispersion: float) -> float:
        """`value` at relative factors of the grouping factors, any roots of their covariance matrices."""
        mode = self._mode(factors, beta, dispersion)
        match self.method:
            case Laplace():
                return mode.objective + float(mode.factorisation.log_determinant)
            case Agq(points):
                return quadrature(self.problem, factors, mode, dispersion, points)

    def slopes(self, factors: list[Array], beta: Array, dispersion: float) -> Slopes:
        """`value_at` and its derivatives."""
        mode = self._mode(factors, beta, dispersion)
        match self.method:
            case Laplace():
                return laplace(self.problem, factors, mode, dispersion)
            case Agq(points):
                return quadrature_gradient(self.problem, factors, mode, dispersion, points)

    def at(self, factors: list[Array], beta: Array, dispersion: float) -> tuple[float, Array, list[Array]]:
        """`value_at` and its derivatives by beta~ and the factors."""
        slopes = self.slopes(factors, beta, dispersion)
        return slopes.value, self.problem.coordinates.X.T @ slopes.by_eta, slopes.by_factor

    def by_log_dispersion(self, factors: list[Array], beta: Array, dispersion: float) -> float:
        """Derivative of `value_at` by the log dispersion."""
        return self.slopes(factors, beta, dispersion).by_dispersion

    def _mode(self, factors: list[Array], beta: Array, dispersion: float) -> Mode:
        fixed = self.problem.coordinates.X @ beta + self.problem.offset
        found = find_mode(self.problem, factors, fixed, dispersion, self._last)
        self._last = found.u
        return found


def _generalized(problem: GeneralizedProblem, method: Laplace | Agq) -> PointEstimate:
    working = problem.coordinates
    likelihood = MarginalLikelihood(problem, method)
    start, is_separated = _start_generalized(likelihood)
    optimum, singular = _search(working, _anchored(likelihood) if is_separated else likelihood, start, accurate=True)
    if is_separated:
        optimum = replace(optimum, value=likelihood.value(optimum.x))
    theta, beta, dispersion = likelihood.split(optimum.x)
    mode = likelihood.mode(optimum.x)
    m, p = working.size, len(beta)
    return PointEstimate(
        method=method,
        beta=working.T @ beta,
        beta_cov=working.T @ _inverse_information(optimum.hessian)[m : m + p, m : m + p] @ working.T.T,
        covariances=tuple(working.covariances(theta)),
        dispersion=dispersion if likelihood.has_dispersion else None,
        b=tuple(working.of_terms(mode.b)),
        b_cov=_conditional_covariances(working, mode.factorisation, 1.0),
        criterion=optimum.value,
        df=p + m + int(likelihood.has_dispersion),
        singular=singular,
        theta=theta,
        optimum=optimum,
        coordinates=working,
    )


def _anchored(likelihood: MarginalLikelihood) -> Objective:
    """The objective with a slight pull on the fixed effects, so that separated data have an end to their search."""
    m, p = likelihood.problem.coordinates.size, likelihood.problem.coordinates.X.shape[1]

    def objective(x: Array) -> tuple[float, Array]:
        value, gradient = likelihood(x)
        pull = np.zeros(len(x))
        pull[m : m + p] = ANCHOR * x[m : m + p]
        return value + float(pull @ x), gradient + 2.0 * pull

    return objective


def _inverse_information(hessian: Array) -> Array:
    """Inverse of half the Hessian of minus twice the log-likelihood; directions without curvature get no share."""
    values, vectors = np.linalg.eigh(0.5 * hessian)
    usable = values > 1e-10 * max(float(values.max(initial=0.0)), 1e-300)
    inverse = np.where(usable, 1.0 / np.where(usable, values, 1.0), 0.0)
    return np.asarray((vectors * inverse) @ vectors.T)


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
    problem = likelihood.problem
    X, offset = problem.coordinates.X, problem.offset
    pooled = fit_glm(X, problem.y, problem.trials, problem.weights, offset, problem.family, problem.link)
    is_separated = _is_separated(problem, pooled)
    beta = np.zeros_like(pooled.beta) if is_separated else np.clip(pooled.beta, -LARGEST, LARGEST)
    for scale, share in product((0.5, 2.0, 5.0, 0.1), (1.0, 0.0)):
        log_dispersion = [np.log([pooled.dispersion])] if likelihood.has_dispersion else []
        x = np.concatenate([_start(problem.coordinates, scale), share * beta, *log_dispersion])
        try:
            if np.isfinite(likelihood.value(x)):
                return x, is_separated
        except np.linalg.LinAlgError:
            continue
    raise FitError(
        "No finite likelihood was found to start from. Check the response for extreme values and the predictors for"
        " extreme scales; sampling with proper priors (model.sample()) may still work."
    )


def _is_separated(problem: GeneralizedProblem, pooled: Glm) -> bool:
    X = problem.coordinates.X
    if pooled.converged and float(np.max(np.abs(X @ pooled.beta), initial=0.0)) < SUSPECT:
        return False
    return separating_direction(X, problem.y, problem.trials, problem.family, problem.link) is not None
