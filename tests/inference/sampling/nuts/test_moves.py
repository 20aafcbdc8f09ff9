"""Maps of free numbers: there and back, and the Jacobian against differences."""

from __future__ import annotations

import numpy as np
import pytest

from bayesmix.inference.sampling.nuts.moves import Affine, Log, Logit, Scaled

FREE = np.array([-1.3, 0.2, 0.9])
LOCATION, SCALE = np.array([0.4, -0.2, 1.0]), np.array([0.5, 2.0, 1.5])
ROOT = np.array([[1.0, 0.0, 0.0], [0.5, 2.0, 0.0], [-1.0, 0.3, 0.7]])
MOVES = {
    "affine": (Affine(LOCATION, ROOT), (0.0, 1.0)),
    "scaled": (Scaled(LOCATION, SCALE), (0.0, 1.0)),
    "log": (Log(LOCATION, SCALE), (0.0, 1.0)),
    "logit": (Logit(LOCATION, SCALE), (-1.0, 3.0)),
}


@pytest.mark.parametrize("name", MOVES)
def test_there_and_back(name):
    move, bounds = MOVES[name]
    values, _ = move.forward(FREE, move.location, move.scale, bounds, xp=np)
    np.testing.assert_allclose(move.backward(values, bounds), FREE, rtol=1e-12)


@pytest.mark.parametrize("name", MOVES)
def test_jacobian(name):
    move, bounds = MOVES[name]
    step, columns = 1e-6, []
    for j in range(3):
        ends = [
            move.forward(FREE + side * step * np.eye(3)[j], move.location, move.scale, bounds, xp=np)[0]
            for side in (-1, 1)
        ]
        columns.append((ends[1] - ends[0]) / (2.0 * step))
    expected = np.linalg.slogdet(np.array(columns))[1]
    assert move.forward(FREE, move.location, move.scale, bounds, xp=np)[1] == pytest.approx(expected, rel=1e-8)
