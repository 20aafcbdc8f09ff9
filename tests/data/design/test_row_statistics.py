"""Statistics over rows that stand for several are those of the rows written out."""

from __future__ import annotations

import numpy as np
import pytest

from bayesmix.data.design.row_statistics import mean, spread, variance

VALUES, COUNTS = np.array([[1.0, 5.0], [2.0, -1.0], [4.0, 0.5]]), np.array([1.0, 3.0, 2.0])
WRITTEN = np.repeat(VALUES, COUNTS.astype(int), axis=0)


@pytest.mark.parametrize("axis", [0, 1])
def test_moments(axis: int) -> None:
    values, written = (VALUES, WRITTEN) if axis == 0 else (VALUES.T, WRITTEN.T)
    np.testing.assert_allclose(mean(values, COUNTS, axis=axis), written.mean(axis=axis))
    for ddof in (0, 1):
        np.testing.assert_allclose(spread(values, COUNTS, ddof=ddof, axis=axis), written.std(axis=axis, ddof=ddof))
    np.testing.assert_array_equal(mean(values, None, axis=axis), values.mean(axis=axis))
    np.testing.assert_allclose(variance(VALUES.T, COUNTS), WRITTEN.T.var(axis=-1, ddof=1))
