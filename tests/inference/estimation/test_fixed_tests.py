"""Wald tests of several combinations, by dense algebra and SciPy's distributions."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from bayesmix.inference.estimation.fixed_tests import Asymptotic, f_test, principal


def test_principal_combinations_span_the_independent_ones() -> None:
    rng = np.random.default_rng(0)
    root, L = rng.normal(size=(5, 5)), rng.normal(size=(3, 5))
    cov, value = root @ root.T, rng.normal(size=3)
    more = np.vstack([L, L[0] - 2.0 * L[1]])
    for rows, own in ((L, value), (more, np.append(value, value[0] - 2.0 * value[1]))):
        found = principal(rows, own, cov)
        assert len(found.rows) == 3
        np.testing.assert_allclose(found.rows @ cov @ found.rows.T, np.diag(found.variance), atol=1e-9)
        assert found.wald == pytest.approx(value @ np.linalg.solve(L @ cov @ L.T, value) / 3.0, rel=1e-8)


@pytest.mark.parametrize("unit", [1e-6, 1.0, 1e5])
def test_units_of_a_predictor_leave_a_test_of_its_powers(unit: float) -> None:
    """Standard errors of `D` and `D^2` are a million times apart: a degree of freedom was lost, F of 1.1 or 170."""
    rng = np.random.default_rng(2)
    root, value = rng.normal(size=(2, 2)), rng.normal(size=2)
    scale = np.array([1.0 / unit, 1.0 / unit**2])
    found = principal(np.eye(2), scale * value, np.outer(scale, scale) * (root @ root.T))
    assert len(found.variance) == 2
    assert found.wald == pytest.approx(value @ np.linalg.solve(root @ root.T, value) / 2.0, rel=1e-9)


@pytest.mark.parametrize("df", [1.5, 12.0, np.inf])
def test_p_values_are_those_of_the_distribution(df: float) -> None:
    found = f_test(2.3, 4, df)
    expected = stats.f.sf(2.3, 4, df) if np.isfinite(df) else stats.chi2.sf(9.2, 4)
    assert found.p == pytest.approx(expected, rel=1e-10)
    assert found.denominator_df == df


def test_there_is_no_test_of_nothing() -> None:
    found = Asymptotic(np.eye(2)).joint(np.zeros((1, 2)), np.zeros(1))
    assert found.numerator_df == 0
    assert np.isnan(found.p)
