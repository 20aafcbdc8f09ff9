"""Curves of power: limits by their definition, sizes by the power of a z test."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from bayesmix.studies.power_curve import clopper_pearson, crossing, monotone


def test_limits_are_those_of_exact_tests():
    count, n = np.array([0, 1, 10, 199, 200]), np.array([200] * 5)
    lower, upper = clopper_pearson(count, n)
    expected = [stats.binomtest(int(k), 200).proportion_ci(0.95, "exact") for k in count]
    np.testing.assert_allclose(lower, [one.low for one in expected], atol=1e-12)
    np.testing.assert_allclose(upper, [one.high for one in expected], atol=1e-12)


def z_power(n):
    return stats.norm.cdf(0.4 * np.sqrt(n) - stats.norm.ppf(0.975))


def test_the_size_of_a_z_test_is_interpolated_exactly():
    size = np.array([10.0, 30.0, 60.0, 90.0])
    wanted = ((stats.norm.ppf(0.8) + stats.norm.ppf(0.975)) / 0.4) ** 2
    assert crossing(size, z_power(size), 0.8) == pytest.approx(wanted, rel=1e-9)


def test_ends_of_the_range():
    size = np.array([10.0, 20.0])
    assert crossing(size, np.array([0.2, 0.7]), 0.8) == np.inf
    assert crossing(size, np.array([0.9, 0.95]), 0.8) == 10.0
    assert 10.0 < crossing(size, np.array([0.0, 1.0]), 0.8) < 20.0
    assert crossing(size, np.array([0.5, 0.8]), 0.8) == pytest.approx(20.0)


def test_power_that_falls_by_chance_does_not_fall():
    np.testing.assert_allclose(monotone(np.array([0.2, 0.8, 0.7, 0.9])), [0.2, 0.75, 0.75, 0.9])
