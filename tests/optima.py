"""Small random designs, and the best of many searches for the optimum of a fit's criterion, by SciPy's optimisers."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.optimize import minimize

import bayesmix as bmx
from bayesmix.errors import BayesmixError
from bayesmix.inference.estimation.conditional_mode import generalized_problem
from bayesmix.inference.estimation.generalized import MarginalLikelihood
from bayesmix.inference.estimation.methods import Agq, Laplace, Reml
from bayesmix.inference.estimation.reml import criterion, linear_problem
from bayesmix.inference.least_squares.scaling import coordinates
from bayesmix.inference.parameters.covariance import from_factor

LINEAR = ["gaussian reml", "gaussian ml"]
GENERALIZED = ["poisson", "binomial", "bernoulli"]
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


def random_problem(seed: int, kinds: list[str]) -> Problem:
    """Six to forty rows in two to nine levels, effects from none to large; sparse outcomes among the binary ones."""
    rng = np.random.default_rng(seed)
    kind = kinds[seed % len(kinds)]
    formula = TERMS[rng.integers(len(TERMS))]
    n = int(rng.integers(8, 41))
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
    design, spec, method = fit.design, fit.spec, fit.point.method
    working = coordinates(design)
    if isinstance(method, Laplace | Agq):
        return MarginalLikelihood(generalized_problem(design, working, spec.family, spec.link), method)
    problem, reml = linear_problem(design, working), isinstance(method, Reml)
    return lambda theta: criterion(problem, theta, reml=reml)


def lowest(fit: bmx.Estimate, *, starts: int = 10, seed: int = 0) -> tuple[float, np.ndarray]:
    """Least criterion that searches from dispersed relative factors find, and where."""
    rng = np.random.default_rng(seed)
    objective = objective_of(fit)

    def safe(x: np.ndarray) -> tuple[float, np.ndarray]:
        try:
            value, gradient = objective(x)
        except np.linalg.LinAlgError:
            return 1e10, np.zeros_like(x)
        return (value, gradient) if np.isfinite(value) else (1e10, np.zeros_like(x))

    m = fit.point.coordinates.size
    best, where = np.inf, fit.point.optimum.x
    for _ in range(starts):
        x = fit.point.optimum.x.copy()
        scale = np.exp(rng.uniform(np.log(0.05), np.log(5.0)))
        factors = [
            scale * (np.diag(np.exp(rng.normal(size=s.k))) + np.tril(rng.normal(size=(s.k, s.k)), -1))
            for s in fit.point.coordinates.structures
        ]
        x[:m] = from_factor(fit.point.coordinates.structures, factors)
        x[m:] = x[m:] + 0.3 * rng.normal(size=len(x) - m)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = minimize(safe, x, jac=True, method="BFGS", options={"gtol": 1e-7, "maxiter": 300})
        if found.fun < best:
            best, where = float(found.fun), found.x
    return best, where


@dataclass(frozen=True, slots=True)
class Gap:
    """How far the criterion of a fit is above the best that was found; None where the model is refused."""

    problem: Problem
    gap: float
    fit: bmx.Estimate | None


def gap_of(seed: int, kinds: list[str], *, starts: int = 10) -> Gap:
    """The estimate of a random problem beside the best of dispersed searches."""
    problem = random_problem(seed, kinds)
    try:
        fit = problem.fit()
    except BayesmixError:
        return Gap(problem, 0.0, None)
    return Gap(problem, fit.criterion - lowest(fit, starts=starts, seed=seed)[0], fit)
