"""Marginal summaries: modes against densities whose mode is known, moments and quantiles against NumPy."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from bayesmix.results.fits.marginal_summary import describe, mode

DRAWS = 20_000
# the noise of a kernel density of 20 000 draws is about 1.5 %: where the true one is within 4 % of its maximum
TOP = 0.96
EDGE = 0.06  # of a standard deviation: a mode at a bound at which the density falls off at once

INSIDE = {
    "gamma": (stats.gamma(3.0), 2.0, (0.0, np.inf)),
    "narrow gamma": (stats.gamma(50.0, scale=0.01), 0.49, (0.0, np.inf)),
    "skew gamma": (stats.gamma(1.5), 0.5, (0.0, np.inf)),
    "beta": (stats.beta(2.0, 5.0), 0.2, (0.0, 1.0)),
    "correlation": (stats.beta(8.0, 2.0, loc=-1.0, scale=2.0), 0.75, (-1.0, 1.0)),
    "symmetric correlation": (stats.beta(4.0, 4.0, loc=-1.0, scale=2.0), 0.0, (-1.0, 1.0)),
    "half-normal": (stats.halfnorm(), 0.0, (0.0, np.inf)),
}
AT_A_BOUND = {
    "exponential": (stats.expon(scale=7.0), 0.0, (0.0, np.inf)),
    "falling beta": (stats.beta(1.0, 3.0), 0.0, (0.0, 1.0)),
    "rising beta": (stats.beta(3.0, 1.0), 1.0, (0.0, 1.0)),
    "correlation near one": (stats.beta(6.0, 0.8, loc=-1.0, scale=2.0), 1.0, (-1.0, 1.0)),
}


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("name", INSIDE)
def test_modes_of_smooth_densities(name, seed):
    distribution, expected, bounds = INSIDE[name]
    draws = distribution.rvs(DRAWS, random_state=seed)
    found = mode(draws, *bounds)
    assert distribution.pdf(found) > TOP * distribution.pdf(expected)
    grid = np.linspace(*distribution.ppf([0.01, 0.99]), 999)
    assert distribution.pdf(expected) >= distribution.pdf(grid).max() - 1e-9  # the mode is the mode


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("name", AT_A_BOUND)
def test_modes_at_a_bound(name, seed):
    """Kernels that are not reflected lose half their mass there and find a mode inside."""
    distribution, expected, bounds = AT_A_BOUND[name]
    draws = distribution.rvs(DRAWS, random_state=seed)
    assert mode(draws, *bounds) == pytest.approx(expected, abs=EDGE * distribution.std())


def test_a_mode_at_a_bound_is_the_bound():
    draws = stats.expon().rvs(DRAWS, random_state=1)
    assert mode(draws, 0.0, np.inf) == 0.0
    assert mode(1.0 - 0.15 * draws, -1.0, 1.0) == 1.0


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_modes_of_even_densities(seed):
    """One with its mode at the bound and hardly falling there, and one with modes of either sign."""
    rng = np.random.default_rng(seed)
    folded = np.abs(rng.standard_t(3.0, 10_000))
    assert mode(folded, 0.0, np.inf, is_even=True) == 0.0
    two = np.abs(rng.normal(1.3, 1.0, 10_000))
    grid = np.linspace(0.0, 3.0, 3001)
    expected = grid[np.argmax(stats.norm(1.3).pdf(grid) + stats.norm(-1.3).pdf(grid))]
    assert mode(two, 0.0, np.inf, is_even=True) == pytest.approx(expected, abs=0.1)


def test_modes_follow_the_units():
    draws = stats.gamma(3.0).rvs(DRAWS, random_state=1)
    for factor in (1e-6, 1e6):
        assert mode(factor * draws, 0.0, np.inf) == pytest.approx(factor * mode(draws, 0.0, np.inf), rel=1e-6)


def test_the_mode_of_a_constant_is_itself():
    assert mode(np.full(100, 0.3), 0.0, np.inf) == 0.3


def test_outliers_do_not_move_the_mode():
    draws = np.append(stats.gamma(3.0).rvs(DRAWS, random_state=1), np.full(20, 1e6))
    assert mode(draws, 0.0, np.inf) == pytest.approx(2.0, abs=0.3)


NAMES = ["Intercept", "sd(g, Intercept)", "corr(g, Intercept, x)", "sigma", "shape"]
RANGES = dict(zip(NAMES[1:], [(0.0, np.inf), (-1.0, 1.0), (0.0, np.inf), (0.0, np.inf)], strict=True))


def test_describe_is_numpys_moments_and_quantiles():
    rng = np.random.default_rng(1)
    draws = np.stack(
        [
            rng.normal(5.0, 2.0, (4, 500)),
            rng.gamma(3.0, 1.0, (4, 500)),
            rng.uniform(-0.5, 0.9, (4, 500)),
            rng.gamma(30.0, 0.1, (4, 500)),
            rng.gamma(2.0, 1.0, (4, 500)),
        ],
        axis=-1,
    )
    for interval in (0.95, 0.5):
        table = describe(draws, NAMES, interval, ranges=RANGES)
        assert list(table.index) == NAMES
        assert list(table.columns) == ["mean", "sd", "median", "mode", "lower", "upper"]
        flat = draws.reshape(-1, 5)
        np.testing.assert_allclose(table["mean"], flat.mean(axis=0))
        np.testing.assert_allclose(table["sd"], flat.std(axis=0, ddof=1))
        np.testing.assert_allclose(table["median"], np.median(flat, axis=0))
        np.testing.assert_allclose(table["lower"], np.quantile(flat, 0.5 - interval / 2.0, axis=0))
        np.testing.assert_allclose(table["upper"], np.quantile(flat, 0.5 + interval / 2.0, axis=0))


def test_only_bounded_parameters_have_a_mode():
    rng = np.random.default_rng(2)
    draws = rng.gamma(3.0, 0.1, (2, 400, 5))
    table = describe(draws, NAMES, 0.95, ranges=RANGES)
    assert np.isnan(table.loc["Intercept", "mode"])
    assert np.all(np.isfinite(table.loc[NAMES[1:], "mode"]))
    assert table.loc["sigma", "mode"] == mode(draws[..., 3].ravel(), 0.0, np.inf)
    assert table.loc["corr(g, Intercept, x)", "mode"] == mode(draws[..., 2].ravel(), -1.0, 1.0)


@pytest.mark.parametrize(("name", "bounds"), [("corr(g, Intercept, x)", (-1.0, 1.0)), ("sd(g, Intercept)", (0.0,))])
def test_modes_of_parameters_at_their_bounds_are_the_bounds(name, bounds):
    """Densities highest at the end of the parameter's own range, of either end."""
    away = 0.15 * stats.expon().rvs((4, 1000), random_state=1)
    for bound in bounds:
        draws = bound - away if bound > 0.0 else bound + away
        assert describe(draws[..., None], [name], 0.95, ranges=RANGES).loc[name, "mode"] == bound


def test_the_mode_of_a_skewed_density_does_not_move_with_the_bandwidth():
    distribution = stats.lognorm(0.6)
    found = [mode(distribution.rvs(1000, random_state=seed), 0.0, np.inf) for seed in range(100)]
    assert abs(np.mean(found) - np.exp(-(0.6**2))) < 0.03 * distribution.std()  # bias, over an error of 0.006


def test_the_mode_is_not_that_of_the_noise():
    """The standard error over many samples; the kernel estimate's own mode has 0.1."""
    rng = np.random.default_rng(4)
    found = [mode(rng.gamma(3.0, 1.0, 4000), 0.0, np.inf) for _ in range(30)]
    assert np.std(found) < 0.05 * np.sqrt(3.0)
    assert abs(np.mean(found) - 2.0) < 0.05
