"""Convergence diagnostics, against ArviZ's."""

from __future__ import annotations

import numpy as np
import pytest
from arviz_stats.base import array_stats

from bayesmix.inference.sampling import diagnostics
from bayesmix.inference.sampling.diagnostics import convergence, limits_ess, mcse, pareto_shape

SAME = 1e-9  # two ways to the same figure, Fourier transforms of other lengths apart


def chains(n: int, count: int = 4) -> np.ndarray:
    """Draws ``(chain, draw, parameter)``: independent, autocorrelated both ways, with ties, apart, constant."""
    rng = np.random.default_rng(2)
    noise = rng.standard_normal((count, n, 6))
    for rho, j in ((0.9, 1), (-0.6, 2)):
        for t in range(1, n):
            noise[:, t, j] = rho * noise[:, t - 1, j] + noise[:, t, j]
    noise[..., 3] = np.round(2.0 * noise[..., 3])
    noise[..., 4] += np.arange(count)[:, None]
    noise[..., 5] = 1.0
    return noise


@pytest.mark.parametrize(("n", "count"), [(1000, 4), (333, 3), (50, 2), (12, 2), (5, 1), (4, 4)])
def test_figures_are_arviz_s(n: int, count: int) -> None:
    draws = chains(n, count)
    found = convergence(draws)
    with np.errstate(invalid="ignore", divide="ignore"):
        expected = {
            "r_hat": array_stats.rhat(draws, chain_axis=0, draw_axis=1),
            "ess_bulk": array_stats.ess(draws, chain_axis=0, draw_axis=1, method="bulk"),
            "ess_tail": array_stats.ess(draws, chain_axis=0, draw_axis=1, method="tail", prob=(0.05, 0.95)),
        }
    for name, values in expected.items():
        np.testing.assert_allclose(getattr(found, name), values, rtol=SAME, err_msg=name)


@pytest.mark.parametrize(("n", "count"), [(1000, 4), (50, 2), (5, 1)])
def test_effective_size_of_interval_limits_is_arviz_s(n: int, count: int) -> None:
    draws = chains(n, count)
    found = limits_ess(draws)
    each = [array_stats.ess(draws, chain_axis=0, draw_axis=1, method="quantile", prob=p) for p in (0.025, 0.975)]
    np.testing.assert_allclose(found[:5], np.min(each, axis=0)[:5], rtol=SAME)
    assert np.isnan(found[5])  # constant by construction


@pytest.mark.parametrize("centre", ["mean", "median"])
@pytest.mark.parametrize(("n", "count"), [(1000, 4), (333, 3), (12, 2), (5, 1), (3, 4)])
def test_monte_carlo_errors_are_arviz_s(n: int, count: int, centre: str) -> None:
    draws = chains(n, count)
    with np.errstate(invalid="ignore", divide="ignore"):
        expected = array_stats.mcse(draws, chain_axis=0, draw_axis=1, method=centre)
    np.testing.assert_allclose(mcse(draws, centre), expected, rtol=SAME)


def test_blocks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    draws = chains(100)
    whole = convergence(draws)
    monkeypatch.setattr(diagnostics, "BLOCK", 1)
    parts = convergence(draws)
    np.testing.assert_array_equal(whole.ess_bulk, parts.ess_bulk)
    np.testing.assert_array_equal(whole.r_hat, parts.r_hat)


def test_missing_draws_have_no_diagnostics() -> None:
    draws = chains(20)
    draws[1, 3, 0] = np.nan
    found = convergence(draws)
    assert np.isnan([found.r_hat[0], found.ess_bulk[0], found.ess_tail[0]]).all()
    assert found.ess_bulk[1] > 0.0
    assert convergence(draws[..., :0]).smallest_ess == np.inf


@pytest.mark.parametrize("n", [150, 4000])
@pytest.mark.parametrize("freedom", [1.0, 3.0, 40.0])
def test_shape_of_the_tail_is_arviz_s(n: int, freedom: float) -> None:
    log_weights = np.log(np.abs(np.random.default_rng(1).standard_t(freedom, n)))
    expected = float(array_stats.psislw(log_weights.max() - log_weights)[1])
    assert pareto_shape(log_weights) == pytest.approx(expected, rel=SAME)


def test_shape_needs_enough_finite_weights() -> None:
    assert pareto_shape(np.full(200, -np.inf)) == np.inf
