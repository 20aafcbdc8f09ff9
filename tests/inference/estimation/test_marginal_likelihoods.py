"""Marginal likelihoods of continuous families: quadrature here, sums over a fine grid of SciPy's densities there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
import pytest
from scipy import special, stats

import bayesmix as bmx

J, ROWS = 6, 9
POINTS = 31  # of Gauss and Hermite's quadrature
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


def with_zeros(y: Array, share: Array, density: Array) -> Array:
    return np.where(y == 0.0, np.log(share), np.log1p(-share) + density)


def inside(y: Array, mu: Array, phi: Array) -> Array:
    return stats.beta.logpdf(np.where((y == 0.0) | (y == 1.0), 0.5, y), mu * phi, (1.0 - mu) * phi)


def skew_normal(y: Array, mu: Array, sigma: Array, alpha: Array) -> Array:
    mean, variance = stats.skewnorm.stats(alpha, moments="mv")
    scale = sigma / np.sqrt(variance)
    return stats.skewnorm.logpdf(y, alpha, mu - scale * mean, scale)


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
    "hurdle_gamma": Case(
        lambda y, mu, shape, hu: with_zeros(y, hu, stats.gamma.logpdf(y + (y == 0.0), shape, scale=mu / shape)),
        lambda rng, mu: rng.gamma(2.5, mu / 2.5) * (rng.random(mu.shape) > 0.3),
        exp,
    ),
    "hurdle_lognormal": Case(
        lambda y, mu, sigma, hu: with_zeros(y, hu, stats.lognorm.logpdf(y + (y == 0.0), sigma, scale=np.exp(mu))),
        lambda rng, mu: rng.lognormal(mu, 0.6) * (rng.random(mu.shape) > 0.2),
        same,
    ),
    "zero_inflated_beta": Case(
        lambda y, mu, phi, zi: with_zeros(y, zi, inside(y, mu, phi)),
        lambda rng, mu: rng.beta(6.0 * mu, 6.0 * (1.0 - mu)) * (rng.random(mu.shape) > 0.2),
        special.expit,
    ),
    "zero_one_inflated_beta": Case(
        lambda y, mu, phi, zoi, coi: (
            np.where((y == 0.0) | (y == 1.0), np.log(zoi) + np.log(np.where(y == 0.0, 1.0 - coi, coi)), np.log1p(-zoi))
            + np.where((y == 0.0) | (y == 1.0), 0.0, inside(y, mu, phi))
        ),
        lambda rng, mu: np.where(
            rng.random(mu.shape) < 0.3, rng.integers(0, 2, mu.shape), rng.beta(6.0 * mu, 6.0 * (1.0 - mu))
        ),
        special.expit,
    ),
    "exgaussian": Case(
        lambda y, mu, sigma, beta: stats.exponnorm.logpdf(y, beta / sigma, mu - beta, sigma),
        lambda rng, mu: rng.normal(mu - 0.8, 0.4) + rng.exponential(0.8, mu.shape),
        same,
    ),
    "shifted_lognormal": Case(
        lambda y, mu, sigma, ndt: stats.lognorm.logpdf(y, sigma, ndt, np.exp(mu)),
        lambda rng, mu: 0.5 + rng.lognormal(mu, 0.5),
        same,
    ),
    "von_mises": Case(
        lambda y, mu, kappa: stats.vonmises.logpdf(y, kappa, mu),
        lambda rng, mu: rng.vonmises(mu, 4.0),
        lambda eta: 2.0 * np.arctan(eta),
    ),
    "skew_normal": Case(
        skew_normal,
        lambda rng, mu: stats.skewnorm.rvs(5.0, mu - 0.8, 1.0, random_state=rng),
        same,
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


DEAR = {"zero_one_inflated_beta", "zero_inflated_beta", "exgaussian", "skew_normal"}  # a second each, or more
NAMES = [pytest.param(name, marks=pytest.mark.slow) if name in DEAR else name for name in CASES]


@pytest.mark.parametrize("name", NAMES)
def test_criterion(name):
    assert fit(name).criterion == pytest.approx(-2.0 * log_marginal(name), rel=SAME, abs=SAME)


@pytest.mark.parametrize("name", NAMES)
def test_estimates_are_found(name):
    assert fit(name).converged, fit(name).problems
    assert fit(name).point.parameters.sd[0][0] > 0.1
