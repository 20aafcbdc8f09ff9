"""Posteriors of censored responses whose tails are not in a library: by SciPy's sums and integrals, on a grid."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest
from scipy import special, stats

import bayesmix as bmx
from bayesmix.results.fits.linear_predictor import flatten

N = 40
GRID = 81  # points of each parameter
MCSE = 4.5
LOO = 1.0  # error of a row's log predictive density by smoothed weights, in roots of the number of draws
type Law = Callable[
    [np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]
]  # (b, other): log density, log tail of rows


@dataclass(frozen=True, slots=True)
class Case:
    """One response with an intercept ``b`` and another parameter; rows beyond the end are right-censored there."""

    y: Callable[[np.random.Generator], np.ndarray]
    end: float
    law: Callable[[np.ndarray], Law]  # of (n,) responses, as (n, ...)
    ranges: tuple[tuple[float, float], tuple[float, float]]
    family: str
    other: str
    priors: tuple[str, str]
    log_priors: tuple[Callable[[np.ndarray], np.ndarray], Callable[[np.ndarray], np.ndarray]]
    draws: int = 500  # of each of two chains: tails of angles are integrals, row by row


def genpois(y: np.ndarray) -> Law:
    """Consul's distribution, mean ``exp(b)``, variance ``mean (1 + phi)``; tails by summing."""

    def log_mass(k: np.ndarray, b: np.ndarray, phi: np.ndarray) -> np.ndarray:
        root = np.sqrt(1.0 + phi)
        first, share = np.exp(b) / root, 1.0 - 1.0 / root
        rate = first + share * k
        return np.log(first) + (k - 1.0) * np.log(rate) - rate - special.gammaln(k + 1.0)

    def rows(b: np.ndarray, phi: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        below = np.exp([[log_mass(np.float64(k), b, phi) for k in range(int(y.max()) + 1)]])[0]
        cdf = np.cumsum(below, axis=0)
        return np.array([log_mass(k, b, phi) for k in y]), np.array([np.log1p(-cdf[int(k)]) for k in y])

    return rows


def von_mises(y: np.ndarray) -> Law:
    def rows(b: np.ndarray, kappa: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        mu = 2.0 * np.arctan(b)
        density = np.array([stats.vonmises.logpdf(one - mu, kappa) for one in y])
        ends = {
            one: np.log(stats.vonmises.cdf(np.pi - mu, kappa) - stats.vonmises.cdf(one - mu, kappa)) for one in set(y)
        }
        return density, np.array([ends[one] for one in y])

    return rows


def asym_laplace(y: np.ndarray) -> Law:
    """The quantile is 0.3: SciPy's ``kappa`` is the root of its odds."""
    p = 0.3
    kappa = np.sqrt(p / (1.0 - p))

    def rows(b: np.ndarray, sigma: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        law = stats.laplace_asymmetric(kappa, b, sigma / np.sqrt(p * (1.0 - p)))
        return np.array([law.logpdf(one) for one in y]), np.array([law.logsf(one) for one in y])

    return rows


def normal(mean: float, sd: float) -> Callable[[np.ndarray], np.ndarray]:
    return lambda x: stats.norm.logpdf(x, mean, sd)


def exponential(rate: float) -> Callable[[np.ndarray], np.ndarray]:
    return lambda x: -rate * x


CASES = {
    "genpois": Case(
        lambda rng: rng.negative_binomial(3, 0.4, N).astype(float),
        6.0,
        genpois,
        ((0.3, 2.6), (0.001, 8.0)),
        "genpois",
        "phi",
        ("Normal(1, 1)", "Exponential(1)"),
        (normal(1.0, 1.0), exponential(1.0)),
    ),
    "von_mises": Case(
        lambda rng: rng.vonmises(0.5, 2.0, N),
        1.5,
        von_mises,
        ((-0.5, 1.2), (0.05, 7.0)),
        "von_mises",
        "kappa",
        ("Normal(0, 1)", "Exponential(0.5)"),
        (normal(0.0, 1.0), exponential(0.5)),
        draws=60,
    ),
    "asym_laplace": Case(
        lambda rng: rng.normal(1.0, 1.5, N),
        2.0,
        asym_laplace,
        ((-2.0, 3.0), (0.1, 1.6)),
        "asym_laplace(0.3)",
        "sigma",
        ("Normal(0, 2)", "Exponential(1)"),
        (normal(0.0, 2.0), exponential(1.0)),
    ),
}


def data_of(case: Case) -> pd.DataFrame:
    y = case.y(np.random.default_rng(9))
    return pd.DataFrame({"y": np.minimum(y, case.end), "c": np.where(y > case.end, "right", "none")})


def on_a_grid(case: Case, data: pd.DataFrame) -> tuple[dict[str, tuple[float, float]], np.ndarray]:
    """Mean and standard deviation of each parameter, and log predictive densities of rows given all others."""
    b, other = (axis.ravel() for axis in np.meshgrid(*(np.linspace(*own, GRID) for own in case.ranges)))
    density, tail = case.law(data["y"].to_numpy())(b, other)
    rows = np.where((data["c"] == "right").to_numpy()[:, None], tail, density)
    log_posterior = rows.sum(axis=0) + case.log_priors[0](b) + case.log_priors[1](other)
    weight = np.exp(log_posterior - log_posterior.max())
    weight /= weight.sum()
    found = {}
    for name, values in (("Intercept", b), (case.other, other)):
        mean = float(weight @ values)
        found[name] = mean, float(np.sqrt(weight @ (values - mean) ** 2))
    return found, -np.log(np.exp(-rows) @ weight)


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_posterior_and_predictive_densities_are_those_of_a_grid(name: str) -> None:
    from arviz import mcse

    case = CASES[name]
    data = data_of(case)
    assert 3 < (data["c"] == "right").sum() < N / 2
    priors = dict(zip(("Intercept", case.other), case.priors, strict=True))
    model = bmx.Model("y | cens(c) ~ 1", data, family=case.family, priors=priors)
    post = model.sample(seed=1, draws=case.draws, chains=2, progress=False)
    expected, loo = on_a_grid(case, data)
    draws = flatten(post.design, post.values)
    for parameter, figures in expected.items():
        own = draws[..., post.names.index(parameter)]
        for figure, method, value in zip(figures, ("mean", "sd"), (own.mean(), own.std()), strict=True):
            assert abs(value - figure) < MCSE * float(mcse(own, method=method)), (parameter, method)
    np.testing.assert_allclose(post.loo(refit=False).elpd_i, loo, atol=LOO / np.sqrt(2.0 * case.draws))
    checks = post.ppc(seed=1)
    assert np.all(np.isfinite(checks[["observed", "mean"]]))
    assert checks["p"].between(0.01, 0.99).all()


def tweedie_on_a_grid(y: np.ndarray, is_censored: np.ndarray) -> dict[str, tuple[float, float]]:
    """Means and standard deviations of three parameters: densities and the one tail are sums over gamma variables."""
    axes = np.linspace(-0.3, 2.1, 21), np.linspace(0.25, 4.5, 25), np.linspace(1.03, 1.97, 23)
    b, phi, power = (axis.ravel() for axis in np.meshgrid(*axes, indexing="ij"))
    mu = np.exp(b)
    number = mu ** (2.0 - power) / (phi * (2.0 - power))
    shape, scale = (2.0 - power) / (power - 1.0), phi * (power - 1.0) * mu ** (power - 1.0)
    terms = np.arange(1.0, 46.0)[:, None]
    count = stats.poisson.logpmf(terms, number)
    rows = -number * np.sum(y == 0.0)
    fixed = count - special.gammaln(shape * terms) - shape * terms * np.log(scale)
    for one in y[(y > 0.0) & ~is_censored]:
        rows = rows + special.logsumexp(fixed + shape * terms * np.log(one), axis=0) - one / scale - np.log(one)
    tail = special.logsumexp(count + np.log(special.gammaincc(shape * terms, y.max() / scale)), axis=0)
    log_posterior = rows + is_censored.sum() * tail + normal(1.0, 1.0)(b) + exponential(1.0)(phi)
    weight = np.exp(log_posterior - log_posterior.max())
    weight /= weight.sum()
    found = {}
    for name, values in (("Intercept", b), ("phi", phi), ("power", power)):
        mean = float(weight @ values)
        found[name] = mean, float(np.sqrt(weight @ (values - mean) ** 2))
    return found


@pytest.mark.slow
@pytest.mark.rotating
def test_censored_sums_of_gamma_variables_have_the_posterior_of_a_grid() -> None:
    """Whose tails, each a sum of incomplete gamma functions, once took more than ten minutes."""
    from arviz import mcse

    rng = np.random.default_rng(3)
    count = rng.poisson(1.6, N)
    y = np.where(count > 0, rng.gamma(np.maximum(count, 1)), 0.0)
    end = 3.0
    is_censored = y > end
    assert 3 < is_censored.sum() < N / 2
    data = pd.DataFrame({"y": np.minimum(y, end), "c": np.where(is_censored, "right", "none")})
    priors = {"Intercept": "Normal(1, 1)", "phi": "Exponential(1)"}
    post = bmx.Model("y | cens(c) ~ 1", data, family="tweedie", priors=priors).sample(
        seed=1, draws=500, chains=2, progress=False
    )
    assert post.method == "marginal"
    draws = flatten(post.design, post.values)
    for parameter, figures in tweedie_on_a_grid(data["y"].to_numpy(), is_censored).items():
        own = draws[..., post.names.index(parameter)]
        for figure, method, value in zip(figures, ("mean", "sd"), (own.mean(), own.std()), strict=True):
            assert abs(value - figure) < MCSE * float(mcse(own, method=method)), (parameter, method)
