"""Pareto smoothed importance weights, against ArviZ's."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from arviz_stats.base import array_stats

from bayesmix.inference.sampling.pareto_smoothing import smoothed, tail_length


@pytest.mark.parametrize("n", [150, 4000])
@pytest.mark.parametrize("freedom", [1.0, 3.0, 40.0])
@pytest.mark.parametrize("efficiency", [1.0, 0.4, 1.7])
def test_weights_and_shapes_are_arviz_s(n: int, freedom: float, efficiency: float) -> None:
    log_weights = np.log(np.abs(np.random.default_rng(1).standard_t(freedom, n)))
    expected, k = array_stats.psislw(-log_weights, r_eff=efficiency)
    found, shape = smoothed(log_weights, tail_length(n, efficiency))
    assert shape == pytest.approx(float(k), rel=1e-9)
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9)
    assert np.exp(found).sum() == pytest.approx(1.0)


def test_weights_without_a_tail_stay_as_they_are() -> None:
    level, shape = smoothed(np.zeros(100), tail_length(100))
    np.testing.assert_allclose(level, -np.log(100.0))
    assert shape == 0.0
    few, shape = smoothed(np.array([0.0, 1.0, 2.0]), tail_length(3))
    np.testing.assert_allclose(np.diff(few), 1.0)
    assert shape == np.inf


@pytest.mark.parametrize("step", [5.0, 30.0, 100.0])
def test_a_few_weights_beside_which_others_vanish_are_told(step: float) -> None:
    """Their shape is infinite, not a NaN, which no limit is below; and nothing warns of an overflow."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        weights, shape = smoothed(-step * np.arange(800.0), tail_length(800))
    assert shape > 1.0
    np.testing.assert_allclose(np.exp(weights).sum(), 1.0)
