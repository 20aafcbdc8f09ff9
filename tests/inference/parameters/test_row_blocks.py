"""Changed eigenvalues of blocks: the predictors' units do not matter."""

from __future__ import annotations

import numpy as np
import pytest

from bayesmix.inference.parameters.row_blocks import with_eigenvalues

N, RNG = 5, np.random.default_rng(8)


def symmetric(R: int) -> np.ndarray:
    """Blocks of any sign."""
    blocks = RNG.normal(size=(R, R, N))
    return blocks + np.swapaxes(blocks, 0, 1)


@pytest.mark.parametrize("unit", [1e-6, 1e6])
def test_changed_eigenvalues_do_not_know_units(unit: float) -> None:
    """Blocks of a mean and of a logarithm, the mean in other units: a floor was all there was of the mean's."""
    units = np.array([unit, 1.0])
    pairs = units[:, None, None] * units[None, :, None]
    blocks = symmetric(2)

    def positive(values: np.ndarray) -> np.ndarray:
        return np.maximum(np.abs(values), 1e-8)

    found = with_eigenvalues(blocks, positive)
    np.testing.assert_allclose(with_eigenvalues(blocks * pairs, positive) / pairs, found, rtol=1e-9)
    assert np.linalg.eigvalsh(np.moveaxis(found, -1, 0)).min() > 0.0


def test_eigenvalues_that_stay_leave_blocks_as_they_are() -> None:
    blocks = symmetric(3)
    blocks[0, 0] = 0.0
    np.testing.assert_allclose(with_eigenvalues(blocks, lambda values: values), blocks, rtol=1e-12, atol=1e-12)
    turned = with_eigenvalues(np.stack([blocks, 9.0 * blocks]), np.negative)
    np.testing.assert_allclose(turned, [-blocks, -9.0 * blocks], rtol=1e-12, atol=1e-12)
