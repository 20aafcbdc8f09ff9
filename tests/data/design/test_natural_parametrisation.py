"""Natural parametrisations: unit columns whose penalty is a multiple of the identity; blocks of tensor products."""

import numpy as np
import pytest

from bayesmix.data.design.natural_parametrisation import natural_by_columns, natural_by_penalty, tensor
from bayesmix.data.design.smooth_bases import cubic, thin_plate

RNG = np.random.default_rng(3)
X = RNG.uniform(0.0, 1.0, (30, 2))


@pytest.mark.parametrize("change", [natural_by_columns, natural_by_penalty])
@pytest.mark.parametrize("basis", [cubic(X[:, [0]], 6, "s(x)"), thin_plate(X[:, [0]], 6, None, "s(x)")])
def test_the_penalty_is_a_multiple_of_the_identity_beside_its_null_space(change, basis):
    columns = basis(X[:, [0]])
    turn = change(columns, basis)
    penalty, rank = turn.T @ basis.penalty @ turn, basis.rank
    expected = np.zeros_like(penalty)
    expected[:rank, :rank] = penalty[0, 0] * np.eye(rank)
    np.testing.assert_allclose(penalty, expected, atol=1e-7 * penalty[0, 0])
    made = columns @ turn
    assert np.mean(made[:, :rank] ** 2) == pytest.approx(1.0)
    assert np.mean(made[:, rank:] ** 2) == pytest.approx(1.0)
    assert np.ptp(made[:, rank]) < 1e-8  # the constant comes first


def test_blocks_of_a_tensor_product_are_products_of_ranges_and_null_spaces():
    margins = [cubic(X[:, [0]], 4, "t2(x, z)"), cubic(X[:, [1]], 5, "t2(x, z)")]
    found = tensor(margins, X)
    assert found.sizes == [2 * 3, 2 * 3, 2 * 2, 2 * 2]
    made = found(X)
    first, second = (m(X[:, [j]]) @ c for j, (m, c) in enumerate(zip(margins, found.changes, strict=True)))
    np.testing.assert_allclose(made[:, 1], first[:, 0] * second[:, 1])
    np.testing.assert_allclose(made[:, 6], first[:, 2] * second[:, 0])
    np.testing.assert_allclose(made[:, -1], first[:, 3] * second[:, 4])
