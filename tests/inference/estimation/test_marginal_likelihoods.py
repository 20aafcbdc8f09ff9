"""Marginal likelihoods of continuous families: quadrature here, sums over a fine grid of SciPy's densities there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
import pytest
from scipy import special, stats

import bayesmix as bmx

J, ROWS = 6, 12
POINTS = 41  # of Gauss and Hermite's quadrature
SAME = 1e-8  # relative; the grid is exact to rounding
GRID = np.linspace(-9.0, 9.0, 1201)  # of a normal effect, in standard deviations

Array = np.ndarray


@dataclass(frozen=True, slots=True)
class Case:
    """A family: what SciPy calls its density, and draws of it."""

    log_density: Callable[..., Array]  # (y, mu, *others)
    draw: Callable[..., Array]  # (rng, mu)
    mean: Callable[[Array], Array]  # mu by the linear predictor


def exp(eta: Array) -> Array:
    return np.exp(eta)


def same(eta: Array) -> Array:
    return eta


CASES = {
    "student": Case(
        lambda y, mu, sigma, nu: stats.t.logpdf(y, nu, mu, sigma),
        lambda rng, mu: mu + 0.5 * rng.standard_t(3.0, mu.shape),
        same,
    ),
    "lognormal": Case(
        lambda y, mu, sigma: stats.lognorm.logpdf(y, sigma, scale=np.exp(mu)),
        lambda rng, mu: rng.lognormal(mu, 0.7),
        same,
    ),
    "beta": Case(
        lambda y, mu, phi: stats.beta.logpdf(y, mu * phi, (1.0 - mu) * phi),
        lambda rng, mu: rng.beta(6.0 * mu, 6.0 * (1.0 - mu)),
        special.expit,
    ),
    "weibull": Case(
        lambda y, mu, shape: stats.weibull_min.logpdf(y, shape, scale=mu / special.gamma(1.0 + 1.0 / shape)),
        lambda rng, mu: mu * rng.weibull(1.6, mu.shape),
        exp,
    ),
    "exponential": Case(lambda y, mu: stats.expon.logpdf(y, scale=mu), lambda rng, mu: rng.exponential(mu), exp),
    "inverse_gaussian": Case(
        lambda y, mu, shape: stats.invgauss.logpdf(y, mu / shape, scale=shape), lambda rng, mu: rng.wald(mu, 3.0), exp
    ),
}


def data(name: str) -> dict[str, object]:
    rng = np.random.default_rng(8)
    g = np.repeat(np.arange(J), ROWS)
    x = rng.normal(size=J * ROWS)
    mu = CASES[name].mean(0.4 + 0.5 * x + rng.normal(0.0, 0.6, J)[g])
    return {"y": CASES[name].draw(rng, mu), "x": x, "g": [f"g{j}" for j in g]}


@cache
def fit(name: str) -> bmx.Estimate:
    return bmx.Model("y ~ x + (1 | g)", data(name), family=name).estimate(bmx.Agq(points=POINTS))


def log_marginal(name: str) -> float:
    """Level by level, over the grid: rectangles of a smooth function that vanishes at both ends."""
    found = fit(name).parameters()["estimate"]
    rows, total = data(name), 0.0
    others = [found[one.name] for one in fit(name).spec.responses[0].family.parameters[1:]]
    for level in sorted(set(rows["g"])):
        own = np.array(rows["g"]) == level
        eta = found["Intercept"] + found["x"] * rows["x"][own, None] + found["sd(g, Intercept)"] * GRID
        density = CASES[name].log_density(rows["y"][own, None], CASES[name].mean(eta), *others)
        total += special.logsumexp(density.sum(axis=0) + stats.norm.logpdf(GRID)) + np.log(GRID[1] - GRID[0])
    return total


@pytest.mark.parametrize("name", CASES)
def test_criterion(name):
    assert fit(name).criterion == pytest.approx(-2.0 * log_marginal(name), rel=SAME, abs=SAME)


@pytest.mark.parametrize("name", CASES)
def test_estimates_are_found(name):
    assert fit(name).converged, fit(name).problems
    assert fit(name).point.parameters.sd[0][0] > 0.1
