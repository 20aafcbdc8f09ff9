"""The studentized range and the largest of several t statistics, against SciPy and an exact integral."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from bayesmix.inference.estimation.simultaneous import LargestOfSeveral, quantile_of, studentized_range


@pytest.mark.parametrize(("means", "df"), [(3, 4.0), (3, 2.3), (15, 222.0), (10, np.inf), (2, 7.5)])
def test_the_studentized_range_is_scipys(means, df):
    for q in (0.1, 1.5, 3.3, 6.0):
        assert studentized_range(q, means, df) == pytest.approx(stats.studentized_range.sf(q, means, df), rel=1e-7)


def test_quantiles_are_the_inverse():
    q = quantile_of(lambda q: studentized_range(q, 3, 10.0), 0.95)
    assert q == pytest.approx(3.877676, abs=2e-6) or studentized_range(q, 3, 10.0) == pytest.approx(0.05, rel=1e-7)


@pytest.mark.parametrize(("m", "tolerance"), [(2, 1e-5), (4, 1e-4), (8, 2e-4), (20, 5e-4)])
def test_equicorrelated_normals_are_one_integral(m, tolerance):
    """Given what all share, they are independent."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(120)
    root = np.sqrt(0.5)
    inside = stats.norm.cdf((2.5 - root * nodes) / root) - stats.norm.cdf((-2.5 - root * nodes) / root)
    expected = 1.0 - weights / weights.sum() @ inside**m
    found = LargestOfSeveral.of(0.5 * (np.eye(m) + 1.0)).above(2.5, np.inf)
    assert found == pytest.approx(expected, abs=tolerance)


@pytest.mark.parametrize("df", [3.7, 12.0, np.inf])
def test_all_pairs_are_the_studentized_range(df):
    """Of a correlation matrix that is singular."""
    unit = np.eye(4)
    L = np.array([unit[i] - unit[j] for i in range(4) for j in range(i)]) / np.sqrt(2)
    found = LargestOfSeveral.of(L @ L.T)
    assert found.rank == 3
    assert found.above(2.2, df) == pytest.approx(studentized_range(2.2 * np.sqrt(2), 4, df), abs=2e-4)


def test_a_single_test_is_exact():
    found = LargestOfSeveral.of(np.eye(1))
    assert found.above(2.1, 5.5) == pytest.approx(2 * stats.t.sf(2.1, 5.5), rel=1e-10)
    assert np.isnan(found.above(np.nan, 5.5))
