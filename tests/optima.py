"""Small random designs, and the best of many searches for the optimum of a fit's criterion, by SciPy's optimisers."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit, gammaln

import bayesmix as bmx
from bayesmix.errors import BayesmixError
from bayesmix.inference.estimation.methods import Laplace, Reml
from bayesmix.inference.parameters.covariance import from_factor, split, to_factor

LINEAR = ["gaussian reml", "gaussian ml"]
GENERALIZED = ["poisson", "binomial", "bernoulli"]
BINARY = ["binomial", "bernoulli"]
SMALL, TINY = (8, 41), (6, 15)  # rows, the last number excluded
SEEN = 1e-6  # of the criterion: what is lower
DRAWS, SURE = (
    100_000,
    4.0,
)  # of random effects in an average of likelihoods; standard errors that tell two of them apart
MANY = 30  # batches of draws where one does not tell
LOOSE = 1e-2  # slope at which the first round of reference searches ends
STEEP = 2e-2  # slope of an end that is no minimum
WITHIN_REACH = 10.0  # times the decrease that the curvature promises: what a search may still gain
TERMS = [
    "(1 | g)",
    "(x | g)",
    "(x || g)",
    "(0 + x | g)",
    "(1 | g) + (1 | h)",
    "(1 | g) + (0 + x | h)",
    "(x || g) + (1 | h)",
    "(x | g) + (1 | h)",
    "(1 | g) + (1 | h) + (1 | k)",
    "(x | g) + (1 | h) + (0 + w | k)",
    "(0 + f || g)",
    "(0 + f | g)",
]


@dataclass(frozen=True, slots=True)
class Problem:
    """A model and the data it is to be fitted to."""

    kind: str  # family, or family and method
    formula: str
    data: dict[str, Any]

    def model(self) -> bmx.Model:
        return bmx.Model(self.formula, self.data, family=self.kind.split()[0])

    def fit(self, method: Any = None) -> bmx.Estimate:
        """The estimate; what is wrong with it is in ``problems``."""
        chosen = method or (self.kind.split()[1] if " " in self.kind else "laplace")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return self.model().estimate(chosen)


def random_problem(seed: int, kinds: list[str], rows: tuple[int, int] = SMALL) -> Problem:
    """Eight to forty rows, or as many as asked for, in two to nine levels, effects from none to large.

    Sparse outcomes among the binary ones.
    """
    rng = np.random.default_rng(seed)
    kind = kinds[seed % len(kinds)]
    formula = TERMS[rng.integers(len(TERMS))]
    n = int(rng.integers(*rows))
    levels = rng.integers(2, 10, 3)
    groups = {name: rng.integers(0, J, n) for name, J in zip("ghk", levels, strict=True)}
    x = rng.integers(0, 6, n).astype(float) if rng.random() < 0.5 else rng.normal(size=n)
    w, f = rng.normal(size=n), rng.integers(0, 2, n)
    size = float(rng.choice([0.0, 0.3, 1.0, 3.0]))
    if kind not in LINEAR:
        size = min(size, 1.5)
    eta = rng.normal() + 0.3 * x * rng.normal()
    for codes, J in zip(groups.values(), levels, strict=True):
        eta = eta + size * (rng.normal(size=J)[codes] * rng.integers(0, 2) + rng.normal(size=J)[codes] * x * 0.3)
    data: dict[str, Any] = {name: [f"{name}{c}" for c in codes] for name, codes in groups.items()}
    data |= {"x": x, "w": w, "f": np.array(["u", "v"])[f]}
    response = "y"
    match kind.split()[0]:
        case "gaussian":
            data["y"] = np.round(eta + rng.normal(size=n), int(rng.integers(1, 4)))
        case "poisson":
            data["y"] = rng.poisson(np.exp(np.clip(eta - float(rng.choice([0.0, 1.5])), -5.0, 4.0)))
        case "bernoulli":
            data["y"] = rng.binomial(1, 1.0 / (1.0 + np.exp(-eta + float(rng.choice([0.0, 2.0])))))
        case "binomial":
            data["y"] = rng.binomial(4, 1.0 / (1.0 + np.exp(-eta)))
            data["lost"] = 4 - data["y"]
            response = "cbind(y, lost)"
    fixed = "x" if rng.random() < 0.7 else "1"
    return Problem(kind, f"{response} ~ {fixed} + {formula}", data)


Objective = Callable[[np.ndarray], tuple[float, np.ndarray]]


def objective_of(fit: bmx.Estimate) -> Objective:
    """The criterion of a fit and its gradient, in the coordinates of ``fit.point.optimum.x``."""
    return DenseLaplace(fit) if isinstance(fit.point.method, Laplace) else DenseLinear(fit)


def columns_of(fit: bmx.Estimate) -> list[np.ndarray]:
    """Dense columns of the effects of each term, ``(n, J, k)``."""
    columns = []
    for term, C in zip(fit.design.terms, fit.point.coordinates.C, strict=True):
        Z = np.zeros((len(fit.design.y), len(term.levels), C.shape[0]))
        Z[np.arange(len(Z)), term.codes] = term.z @ C
        columns.append(Z)
    return columns


class Dense:
    """What both criteria by dense matrices have: the columns times their factors."""

    def __init__(self, fit: bmx.Estimate) -> None:
        self.working = fit.point.coordinates
        self.y, self.offset = fit.design.y, fit.design.offset
        self.Z = columns_of(fit)

    def scaled(self, theta: np.ndarray) -> np.ndarray:
        """All columns of the random effects of unit size: ``(n, q)``."""
        factors = to_factor(self.working.structures, theta)
        return np.hstack([(Z @ L).reshape(len(self.y), -1) for Z, L in zip(self.Z, factors, strict=True)])

    def by_theta(self, theta: np.ndarray, by_columns: np.ndarray) -> list[np.ndarray]:
        """Derivatives by theta from those by the scaled columns, per term."""
        begin, parts = 0, []
        for Z, s, own in zip(self.Z, self.working.structures, split(self.working.structures, theta), strict=True):
            n, J, k = Z.shape
            block = by_columns[:, begin : begin + J * k].reshape(n, J, k)
            begin += J * k
            parts.append(s.gradient(own, np.einsum("nja,nje->ae", Z, block)))
        return parts


class DenseLinear(Dense):
    """REML criterion or minus twice the log-likelihood, sigma profiled out, by the covariance matrix of the rows."""

    def __init__(self, fit: bmx.Estimate) -> None:
        super().__init__(fit)
        self.X, self.reml = fit.design.X, isinstance(fit.point.method, Reml)

    def __call__(self, theta: np.ndarray) -> tuple[float, np.ndarray]:
        A = self.scaled(theta)
        V = np.eye(len(A)) + A @ A.T
        inverse = np.linalg.inv(V)
        root = inverse @ self.X
        information = self.X.T @ root
        P = inverse - root @ np.linalg.solve(information, root.T)
        residual = P @ (self.y - self.offset)
        rss = float((self.y - self.offset) @ residual)
        freedom = len(A) - (self.X.shape[1] if self.reml else 0)
        if not rss > 0.0:
            raise np.linalg.LinAlgError("no residual variance is left")
        value = np.linalg.slogdet(V)[1] + freedom * (1.0 + np.log(2.0 * np.pi * rss / freedom))
        value += np.linalg.slogdet(information)[1] if self.reml else 0.0
        by_V = (P if self.reml else inverse) - freedom / rss * np.outer(residual, residual)
        return float(value), np.concatenate(self.by_theta(theta, 2.0 * by_V @ A))


class DenseLaplace(Dense):
    """Laplace's criterion of Poisson and binomial models with canonical links by dense matrices, and its gradient.

    Written out again, without blocks or sparsity: many times faster for forty rows, and a check of the package's own.
    """

    def __init__(self, fit: bmx.Estimate) -> None:
        super().__init__(fit)
        self.X = self.working.X
        is_count = fit.spec.family.name == "poisson"
        ones = np.ones(len(self.y)) if fit.design.trials is None else fit.design.trials
        self.trials = None if is_count else ones
        free = gammaln(self.y + 1.0)
        if self.trials is not None:
            free = free + gammaln(self.trials - self.y + 1.0) - gammaln(self.trials + 1.0)
        self.constant = 2.0 * float(free.sum())

    def rows(self, eta: np.ndarray) -> tuple[float, np.ndarray, np.ndarray, np.ndarray]:
        """Log-likelihood without its constant; score, weight and the weight's derivative of each row."""
        if self.trials is None:
            mean = np.exp(eta)
            return float(self.y @ eta - mean.sum()), self.y - mean, mean, mean
        p = expit(eta)
        weight = self.trials * p * (1.0 - p)
        value = float(self.y @ eta - self.trials @ np.logaddexp(0.0, eta))
        return value, self.y - self.trials * p, weight, weight * (1.0 - 2.0 * p)

    def mode(self, A: np.ndarray, fixed: np.ndarray) -> np.ndarray:
        """Newton's method with halved steps on a concave function."""
        u = np.zeros(A.shape[1])
        at = self.rows(fixed)
        height = at[0]
        for _ in range(100):
            _, score, weight, _ = at
            slope = A.T @ score - u
            step = np.linalg.solve((A.T * weight) @ A + np.eye(len(u)), slope)
            if float(slope @ step) < 1e-20:
                return u
            size = 1.0
            while size > 1e-10:
                trial = u + size * step
                new = self.rows(fixed + A @ trial)
                if new[0] - 0.5 * trial @ trial >= height - 1e-12 * (1.0 + abs(height)):
                    break
                size *= 0.5
            u, at, height = trial, new, new[0] - 0.5 * float(trial @ trial)
        raise np.linalg.LinAlgError("no mode")

    def __call__(self, x: np.ndarray) -> tuple[float, np.ndarray]:
        m = self.working.size
        theta, fixed = x[:m], self.offset + self.X @ x[m:]
        A = self.scaled(theta)
        with np.errstate(all="ignore"):
            u = self.mode(A, fixed)
            value, score, weight, bend = self.rows(fixed + A @ u)
        inverse = np.linalg.inv((A.T * weight) @ A + np.eye(len(u)))
        if not np.all(np.isfinite(inverse)):
            raise np.linalg.LinAlgError("not finite")
        WAH = (weight[:, None] * A) @ inverse
        moved = bend * np.einsum("ij,jk,ik->i", A, inverse, A, optimize=True)  # of log|H| by eta
        pull = inverse @ (A.T @ moved)
        rest = moved - weight * (A @ pull) - 2.0 * score
        by_A = np.outer(rest, u) + 2.0 * WAH + np.outer(score, pull)
        total = -2.0 * value + float(u @ u) - float(np.linalg.slogdet(inverse)[1]) + self.constant
        return total, np.concatenate([*self.by_theta(theta, by_A), self.X.T @ rest])


def lowest(
    fit: bmx.Estimate, *, starts: int = 10, seed: int = 0, objective: Objective | None = None
) -> tuple[float, np.ndarray]:
    """Least criterion that searches from dispersed relative factors find, and where.

    Loose searches first; those that may still go below the fit, by their own curvature, go on to the end. By any other
    objective than that of dense matrices ends that are no minima do not count: see `distributional_optima`.
    """
    rng = np.random.default_rng(seed)
    steepest = np.inf if objective is None else STEEP
    objective = objective or safe(objective_of(fit))

    def height(found: Any) -> float:
        return float(found.fun) if np.abs(found.jac).max() < steepest else np.inf

    loose = [search(objective, dispersed(fit, rng), LOOSE, 60) for _ in range(starts)]
    best, ends = min(loose, key=height), list[np.ndarray]()
    for rough in sorted(loose, key=lambda found: found.fun):
        gain = 0.5 * float(rough.jac @ rough.hess_inv @ rough.jac)
        is_known = any(np.allclose(np.abs(rough.x), np.abs(end), rtol=0.03, atol=0.03) for end in ends)
        if is_known or rough.fun - WITHIN_REACH * (gain + 1e-3) > fit.criterion:
            continue
        found = search(objective, rough.x, 1e-7, 300)
        ends.append(found.x)
        best = min(best, found, key=height)
    return height(best), best.x


def safe(objective: Objective) -> Objective:
    """The objective, large where it cannot be computed."""

    def bounded(x: np.ndarray) -> tuple[float, np.ndarray]:
        try:
            value, gradient = objective(x)
        except np.linalg.LinAlgError:
            return 1e10, np.zeros_like(x)
        return (value, gradient) if np.isfinite(value) else (1e10, np.zeros_like(x))

    return bounded


def search(objective: Objective, start: np.ndarray, tolerance: float, iterations: int) -> Any:
    """SciPy's BFGS."""
    options = {"gtol": tolerance, "maxiter": iterations}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return minimize(objective, start, jac=True, method="BFGS", options=options)


def dispersed(fit: bmx.Estimate, rng: np.random.Generator) -> np.ndarray:
    """Relative factors of any size from 0.05 to 5 and any correlation; the rest near the estimate."""
    m = fit.point.coordinates.size
    x = fit.point.optimum.x.copy()
    scale = np.exp(rng.uniform(np.log(0.05), np.log(5.0)))
    factors = [
        scale * (np.diag(np.exp(rng.normal(size=s.k))) + np.tril(rng.normal(size=(s.k, s.k)), -1))
        for s in fit.point.coordinates.structures
    ]
    x[:m] = from_factor(fit.point.coordinates.structures, factors)
    x[m:] = x[m:] + 0.3 * rng.normal(size=len(x) - m)
    return x


def averaged(fit: bmx.Estimate, x: np.ndarray, *, batches: int = 1) -> tuple[float, float]:
    """Minus twice the log-likelihood of a generalized model at a point, averaged over draws of the random effects.

    And its standard error. No approximation of Laplace's, and a check of one: with outcomes that are nearly all alike
    that may be lowest where the likelihood is low.
    """
    dense, rng = DenseLaplace(fit), np.random.default_rng(0)
    m = dense.working.size
    A, fixed = dense.scaled(x[:m]), dense.offset + dense.X @ x[m:]
    parts = []
    for _ in range(batches):
        eta = fixed + rng.normal(size=(DRAWS, A.shape[1])) @ A.T
        size = np.exp(eta) if dense.trials is None else dense.trials * np.logaddexp(0.0, eta)
        parts.append(eta @ dense.y - size.sum(axis=1))
    log_density = np.concatenate(parts)
    density = np.exp(log_density - log_density.max())
    value = -2.0 * float(log_density.max() + np.log(density.mean())) + dense.constant
    return value, 2.0 * float(density.std() / density.mean()) / np.sqrt(len(density))


@dataclass(frozen=True, slots=True)
class Gap:
    """How far the criterion of a fit is above the best that was found; no fit where the model is refused."""

    problem: Problem
    gap: float
    fit: bmx.Estimate | None
    x: np.ndarray | None = None  # where the best is

    @property
    def loss(self) -> float:
        """The gap, if a search has lost it: not where Laplace's approximation is lower and the likelihood is not."""
        if self.gap <= SEEN or self.fit is None or not isinstance(self.fit.point.method, Laplace):
            return self.gap
        for batches in (1, MANY):
            here, error = averaged(self.fit, self.fit.point.optimum.x, batches=batches)
            there, other = averaged(self.fit, self.x, batches=batches)
            if there - here > SURE * (error + other):
                return 0.0
        return self.gap


def gap_of(seed: int, kinds: list[str], *, starts: int = 10, rows: tuple[int, int] = SMALL) -> Gap:
    """The estimate of a random problem beside the best of dispersed searches."""
    problem = random_problem(seed, kinds, rows)
    try:
        fit = problem.fit()
    except BayesmixError:
        return Gap(problem, 0.0, None)
    best, x = lowest(fit, starts=starts, seed=seed)
    return Gap(problem, fit.criterion - best, fit, x)
