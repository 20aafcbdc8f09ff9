"""Importance proposals of the levels: their noise integrates normal expectations, with tails as heavy as stated."""

from __future__ import annotations

import numpy as np
import pytest
from dense import stacked
from elimination import EXACT, FACTORS, Problem
from scipy import stats

from bayesmix.inference.least_squares.solve import given_later, modes
from bayesmix.inference.sampling.marginal.level_proposals import (
    GENERATORS,
    _Prior,
    _spherical,
    matrix_times,
    sum_of_squares,
    tail_weight,
)

SHIFTS = (np.arange(20000) + 0.5) / 20000.0  # equally likely positions of the lattice


@pytest.mark.parametrize("cube", [0.0, 0.1])
@pytest.mark.parametrize("tries", [1, 2, 4, 8, 16])
def test_each_proposal_alone_is_a_weighted_draw_from_the_normal(tries, cube):
    """Normal expectations of 1, z^2 and z^4 are 1, 1 and 3, whichever of the proposals is taken."""
    found = list(_spherical(tries, SHIFTS[:, None, None], cube))
    assert len(found) == tries
    for z, excess in found:
        weights = np.exp(excess[:, 0]) / len(SHIFTS)
        for power, moment in ((0, 1.0), (2, 1.0), (4, 3.0)):
            assert np.sum(weights * z[:, 0, 0] ** power) == pytest.approx(moment, rel=0.01)


@pytest.mark.parametrize("cube", [0.05, 0.25])
def test_weights_are_the_normal_over_the_density_of_the_proposal(cube):
    """``x = z + cube z^3`` of a standard normal z has density ``phi(z) / (1 + 3 cube z^2)``."""
    (x, excess), (mirrored, same) = _spherical(2, SHIFTS[::100, None, None], cube)
    z = stats.norm.ppf(SHIFTS[::100])
    np.testing.assert_allclose(np.sort(x[:, 0, 0]), z + cube * z**3, rtol=1e-9)
    z = np.array([np.real(r[np.isreal(r)][0]) for r in (np.roots([cube, 0.0, 1.0, -v]) for v in x[:, 0, 0])])
    own = stats.norm.logpdf(z) - np.log(1.0 + 3.0 * cube * z**2)
    np.testing.assert_allclose(excess[:, 0], stats.norm.logpdf(x[:, 0, 0]) - own, atol=1e-8)
    np.testing.assert_array_equal(mirrored, -x)
    np.testing.assert_array_equal(same, excess)


@pytest.mark.parametrize("points", GENERATORS)
def test_points_of_the_lattice_are_spread(points):
    """Half of the proposals: equidistant in each dimension; from eight points on, planes are filled."""
    found = list(_spherical(2 * points, np.full((1, 1, 2), 0.5 / points), 0.0))[::2]
    u = stats.norm.cdf(np.array([z[0, 0] for z, _ in found]))
    np.testing.assert_allclose(np.sort(u[:, 0]), (np.arange(points) + 0.5) / points, atol=1e-9)
    if points > 1:
        np.testing.assert_allclose(np.sort(u[:, 1]), (np.arange(points) + 0.5) / points, atol=1e-9)
    if points > 6:
        assert np.abs(u[:, 0] - u[:, 1]).max() > 0.2


def test_many_small_levels_have_lighter_tails():
    """Noise of all levels adds up: the cube falls with the root of their number, and is larger where they are few."""
    assert tail_weight(25) == pytest.approx(0.25 / 5.0)
    assert tail_weight(50) == pytest.approx(0.25 / np.sqrt(50.0))
    assert tail_weight(51) == pytest.approx(0.15 / np.sqrt(51.0))
    assert tail_weight(10000) == pytest.approx(0.0015)


@pytest.mark.parametrize("k", [1, 3])
def test_products_of_stacks(k):
    rng = np.random.default_rng(k)
    matrix, vector = rng.normal(size=(2, 5, k, k)), rng.normal(size=(2, 5, k))
    np.testing.assert_allclose(matrix_times(matrix, vector), (matrix @ vector[..., None])[..., 0])
    np.testing.assert_allclose(sum_of_squares(vector), (vector**2).sum(axis=-1))


@pytest.mark.parametrize("lam", FACTORS)
@pytest.mark.parametrize("left", [0.0, 1e-13])
def test_spherical_effects_at_the_mean_need_no_inverse(lam, left):
    """Of correlations of one, or nearly, against the dense formula: by an inverse they were numbers of a thousand."""
    problem = Problem("one factor, k=3", lam)
    problem.Lambdas[0] += left * np.eye(3)
    found, combination = problem.factorise(), problem.rng.normal(size=3)
    _, _, rhs = given_later(found, 0, combination, [])
    pull = problem.Z.T @ problem.W @ problem.columns @ combination
    dense_u = np.linalg.solve(problem.M, problem.Lambda.T @ pull)
    moved = _Prior(found, 0, rhs).moved
    np.testing.assert_allclose(moved.ravel(), dense_u, **EXACT)
    np.testing.assert_allclose(moved.ravel(), stacked(modes(found, combination)[1]), **EXACT)
