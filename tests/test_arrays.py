"""Indices of triangles, which the free numbers of covariance factors are read and written by."""

from __future__ import annotations

import pytest

from bayesmix.arrays import upper_triangle


@pytest.mark.parametrize("k", [1, 2, 3, 5])
def test_the_upper_triangle_is_listed_row_by_row(k: int) -> None:
    rows, columns = upper_triangle(k)
    assert list(zip(rows.tolist(), columns.tolist(), strict=True)) == [(i, j) for i in range(k) for j in range(i, k)]
