"""Small random designs with formulas of sigma and shape, and the best of dispersed searches for their optimum."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from optima import dispersed, safe, search

import bayesmix as bmx
from bayesmix.errors import BayesmixError
from bayesmix.inference.estimation.conditional_mode import generalized_problem
from bayesmix.inference.estimation.generalized import MarginalLikelihood

STEEP = 1e-2  # slope of an end that is no minimum
MEANS = ["1", "x", "x + (1 | g)", "x + (x | g)", "x + (1 | g) + (1 | h)", "x + (1 | g)", "1 + (1 | g)"]
OTHERS = ["x", "f", "x + f", "1 + (1 | g)", "x + (1 | g)", "1 + (1 | h)", "x + (x | g)"]
SHARED = [("x + (1 |i| g)", "1 + (1 |i| g)"), ("x + (x |i| g)", "x + (1 |i| g)"), ("1 + (1 |i| g)", "f + (1 |i| g)")]
FAMILIES = {"gaussian": "sigma", "negbinomial": "shape", "gamma": "shape"}


@dataclass(frozen=True, slots=True)
class Problem:
    """A model with a formula of the parameter beside the mean, and its data."""

    family: str
    formulas: list[str]
    data: dict[str, Any]

    def fit(self) -> bmx.Estimate:
        """The estimate; what is wrong with it is in ``problems``."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return bmx.Model(self.formulas, self.data, family=self.family).estimate()


def random_problem(seed: int) -> Problem:
    """Twelve to sixty rows in two to nine levels, effects from none to large on either parameter."""
    rng = np.random.default_rng(seed)
    family = list(FAMILIES)[seed % 3] if seed % 2 else "gaussian"
    n = int(rng.integers(12, 61))
    g, h = rng.integers(0, rng.integers(2, 10), n), rng.integers(0, rng.integers(2, 10), n)
    x = rng.integers(0, 6, n).astype(float) if rng.random() < 0.5 else rng.normal(size=n)
    f = rng.integers(0, 2, n)
    size, spread = rng.choice([0.0, 0.3, 1.0], 2)
    eta = 0.5 * rng.normal() + 0.2 * x * rng.normal() + size * rng.normal(size=10)[g]
    log_other = rng.normal() * 0.5 + 0.2 * x * rng.normal() + 0.5 * f * rng.normal() + spread * rng.normal(size=10)[g]
    data = {"x": x, "f": np.array(["u", "v"])[f], "g": [f"g{c}" for c in g], "h": [f"h{c}" for c in h]}
    data["y"] = _response(rng, family, np.clip(eta, -4.0, 4.0), np.exp(np.clip(log_other, -3.0, 3.0)))
    formulas = _formulas(rng, FAMILIES[family])
    return Problem(family, formulas, data)


def _response(rng: np.random.Generator, family: str, eta: np.ndarray, other: np.ndarray) -> np.ndarray:
    if family == "gaussian":
        return np.round(eta + other * rng.normal(size=len(eta)), 3)
    if family == "gamma":
        return np.maximum(rng.gamma(other, np.exp(eta) / other), 1e-6)
    return rng.poisson(rng.gamma(other, np.exp(eta + 0.5) / other))


def _formulas(rng: np.random.Generator, parameter: str) -> list[str]:
    if rng.random() < 0.25:
        mean, other = SHARED[rng.integers(len(SHARED))]
    else:
        mean, other = MEANS[rng.integers(len(MEANS))], OTHERS[rng.integers(len(OTHERS))]
    return [f"y ~ {mean}", f"{parameter} ~ {other}"]


@dataclass(frozen=True, slots=True)
class Gap:
    """How far a criterion is above the best that was found; None where the model is refused."""

    problem: Problem
    gap: float
    fit: bmx.Estimate | None
    x: np.ndarray | None = None


def zeros_with_shared_effects(seed: int) -> Problem:
    """Counts with more zeros, 40 to 80 rows in four to ten levels, whose effects are on the mean and on the zeros."""
    rng = np.random.default_rng(seed)
    n, levels = int(rng.integers(40, 81)), int(rng.integers(4, 11))
    g, x = np.arange(n) % levels, rng.normal(size=n)
    root = np.array([[0.5, 0.4], [0.0, 0.6]]) * rng.choice([0.3, 1.0, 1.5])
    b = rng.normal(size=(levels, 2)) @ root
    is_zero = rng.random(n) < 1.0 / (1.0 + np.exp(0.8 - 0.5 * x - b[g, 1]))
    y = np.where(is_zero, 0, rng.poisson(np.exp(0.5 + 0.4 * x + b[g, 0])))
    data = {"x": x, "g": [f"g{c}" for c in g], "y": y}
    return Problem("zero_inflated_poisson", ["y ~ x + (1 | i | g)", "zi ~ x + (1 | i | g)"], data)


def gap_of(seed: int, *, starts: int = 8) -> Gap:
    """`gap_of_problem` of a random one."""
    return gap_of_problem(random_problem(seed), seed, starts=starts)


def gap_of_problem(problem: Problem, seed: int, *, starts: int) -> Gap:
    """The estimate of a problem beside the best of the minima to which dispersed searches lead.

    Ends that are no minima do not count: where a conditional mode is about to be lost, Laplace's criterion falls
    without a bound while its slope grows to 1e5 and more. By quadrature such points lie higher (159.8 where Laplace's
    is 155.1, beside a minimum of 156.6), or have no value.
    """
    try:
        fit = problem.fit()
    except BayesmixError:
        return Gap(problem, 0.0, None)
    rng = np.random.default_rng(seed)
    best, at = np.inf, None
    for _ in range(starts):
        objective = MarginalLikelihood(
            generalized_problem(fit.design, fit.point.coordinates, fit.spec), fit.point.method
        )
        with np.errstate(all="ignore"):
            found = search(safe(objective), dispersed(fit, rng), 1e-6, 300)
        if found.fun < best and np.abs(found.jac).max() < STEEP:
            best, at = float(found.fun), found.x
    return Gap(problem, fit.criterion - best, fit, at)
