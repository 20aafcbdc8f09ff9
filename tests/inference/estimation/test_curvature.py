"""Inverses and Newton steps by eigenvalues."""

from __future__ import annotations

import numpy as np
import pytest

from bayesmix.inference.estimation.curvature import absolute_inverse, newton_step

ROTATION = np.linalg.qr(np.random.default_rng(0).normal(size=(3, 3)))[0]
GRADIENT = np.array([0.3, -1.0, 2.0])


@pytest.mark.parametrize("values", [[1.0, 2.0, 5.0], [-1.0, 2.0, 5.0]])
def test_curvatures_count_without_their_signs(values):
    hessian, positive = ((ROTATION * d) @ ROTATION.T for d in (np.array(values), np.abs(values)))
    np.testing.assert_allclose(absolute_inverse(hessian), np.linalg.inv(positive), atol=1e-12)
    step, decrement = newton_step(hessian, GRADIENT)
    np.testing.assert_allclose(step, -np.linalg.solve(positive, GRADIENT), atol=1e-12)
    assert decrement == pytest.approx(-0.5 * GRADIENT @ step)


def test_flat_directions_are_left_out_of_a_step():
    hessian = (ROTATION * [0.0, 2.0, 5.0]) @ ROTATION.T
    step, _ = newton_step(hessian, GRADIENT)
    np.testing.assert_allclose(step, -np.linalg.pinv(hessian) @ GRADIENT, atol=1e-12)
