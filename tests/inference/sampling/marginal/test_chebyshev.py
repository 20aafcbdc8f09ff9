"""Polynomials in place of factorisations: exact for polynomials, close for analytic functions, within their ball."""

from __future__ import annotations

import numpy as np
import pytest

from bayesmix.inference.sampling.marginal.chebyshev import DEGREES, RADIUS, Reduced, _ball, fit_emulator

CENTRE = np.array([0.5, -1.0, 2.0, 0.3])
ROOT = np.array([[0.3, 0.0, 0.0, 0.0], [0.1, 0.2, 0.0, 0.0], [-0.1, 0.05, 0.4, 0.0], [0.0, 0.1, 0.0, 0.1]])


def inside(d: int, n: int = 50, radius: float = RADIUS) -> np.ndarray:
    """Points of the ball that no fit has seen."""
    rng = np.random.default_rng(1)
    z = rng.normal(size=(n, d))
    z *= radius * rng.uniform(size=(n, 1)) ** (1.0 / d) / np.linalg.norm(z, axis=1, keepdims=True)
    return np.asarray(CENTRE[:d] + z @ ROOT[:d, :d].T)


@pytest.mark.parametrize("d", DEGREES)
def test_polynomials_of_the_total_degree_are_exact(d: int) -> None:
    weights = np.linspace(0.5, 1.0, d)

    def reduce(x: np.ndarray) -> Reduced:
        s = 0.3 * (x - CENTRE[:d]) @ weights
        XX = np.stack([np.stack([s**2, s - 1.0], -1), np.stack([s - 1.0, s**3 + 2.0], -1)], -2)
        return Reduced(s ** DEGREES[d], XX)

    emulator = fit_emulator(reduce, CENTRE[:d], ROOT[:d, :d] @ ROOT[:d, :d].T)
    x = inside(d)
    found, expected = emulator(x), reduce(x)
    np.testing.assert_allclose(found.log_determinant, expected.log_determinant, rtol=1e-8, atol=1e-8)
    np.testing.assert_allclose(found.XX, expected.XX, rtol=1e-8, atol=1e-8)


def test_log_determinants_of_a_model_are_close() -> None:
    """``sum_j log(1 + n_j exp(2 x))`` over what six posterior standard deviations span."""
    sizes = np.arange(2, 12)

    def reduce(x: np.ndarray) -> Reduced:
        ratio = sizes * np.exp(2.0 * x)
        return Reduced(np.log1p(ratio).sum(axis=1), (1.0 / (1.0 + ratio)).sum(axis=1)[:, None, None])

    emulator = fit_emulator(reduce, CENTRE[:1], np.array([[0.09]]))
    x = CENTRE[:1] + 0.3 * np.linspace(-RADIUS, RADIUS, 101)[:, None]
    np.testing.assert_allclose(emulator(x).log_determinant, reduce(x).log_determinant, atol=1e-2)
    np.testing.assert_allclose(emulator(x).XX, reduce(x).XX, atol=1e-2)


def test_the_region_is_a_ball_of_whitened_distances() -> None:
    emulator = fit_emulator(lambda x: Reduced(x[:, 0], x[:, :1, None]), CENTRE[:2], ROOT[:2, :2] @ ROOT[:2, :2].T)
    x = inside(2, 400, 2.0 * RADIUS)
    distance = np.linalg.norm(np.linalg.solve(ROOT[:2, :2], (x - CENTRE[:2]).T), axis=0)
    np.testing.assert_array_equal(emulator.covers(x), distance <= RADIUS)
    assert 50 < emulator.covers(x).sum() < 350


def test_points_of_the_unit_ball() -> None:
    """In all directions alike, and denser towards the surface than uniform ones."""
    uniform = np.random.default_rng(2).uniform(size=(4000, 4))
    points = _ball(uniform)
    radius = np.linalg.norm(points, axis=1)
    np.testing.assert_allclose(radius, np.sin(0.5 * np.pi * uniform[:, 3] ** (1.0 / 3.0)), rtol=1e-10)
    assert np.all(radius <= 1.0)
    np.testing.assert_allclose((points / radius[:, None]).mean(axis=0), 0.0, atol=5.0 / np.sqrt(3.0 * 4000))
