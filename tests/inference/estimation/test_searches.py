"""Many searches at once, on functions whose minima are known."""

from __future__ import annotations

import numpy as np
import pytest

from bayesmix.inference.estimation.curvature import first_inverses
from bayesmix.inference.estimation.searches import hessians, in_pieces, minimise_together, quasi_newton

EXACT = 1e-6  # of points: predicted gains of 1e-13 beside curvatures of order one
CENTRES = np.array([[0.0, 0.0], [1.0, -2.0], [30.0, 0.5]])


def bowls(which, x):
    """A minimum of value ``which`` at a centre of its own, not quadratic away from it."""
    off = x - CENTRES[which]
    size = np.array([1.0, 10.0])
    value = which + np.sum(size * (np.cosh(np.clip(off, -30.0, 30.0)) - 1.0), axis=1)
    return value, size * np.sinh(np.clip(off, -30.0, 30.0))


def valleys(which, x):
    """Rosenbrock's."""
    a, b = x.T
    value = (1.0 - a) ** 2 + 100.0 * (b - a**2) ** 2
    return value, np.stack([-2.0 * (1.0 - a) - 400.0 * a * (b - a**2), 200.0 * (b - a**2)], axis=1)


def logs(which, x):
    """``x - log x`` of what is positive: no value elsewhere."""
    if not np.all(x > 0.0):
        raise np.linalg.LinAlgError("not positive")
    return np.sum(x - np.log(x), axis=1), 1.0 - 1.0 / x


@pytest.mark.parametrize("inverse", [None, np.eye(2)], ids=["curvature at the start", "given"])
def test_every_search_ends_at_its_own_minimum(inverse):
    found = minimise_together(bowls, CENTRES + np.array([[1.5, -0.7], [0.0, 0.0], [-2.0, 1.0]]), inverse=inverse)
    np.testing.assert_allclose(found.x, CENTRES, atol=EXACT)
    np.testing.assert_allclose(found.value, [0.0, 1.0, 2.0], atol=1e-10)
    np.testing.assert_allclose(found.hessian, np.tile(np.diag([1.0, 10.0]), (3, 1, 1)), rtol=1e-2, atol=1e-2)
    assert found.converged.all()


def test_narrow_valleys():
    starts = np.random.default_rng(0).uniform(-2.0, 2.0, (50, 2))
    found = minimise_together(valleys, starts)
    np.testing.assert_allclose(found.x, np.ones((50, 2)), atol=1e-4)
    assert found.converged.all()


def test_searches_keep_the_numbers_they_are_known_by():
    which = np.array([2, 0])
    found = minimise_together(bowls, CENTRES[which] + 0.5, which=which)
    np.testing.assert_allclose(found.x, CENTRES[which], atol=EXACT)
    np.testing.assert_array_equal(np.round(found.value), which)


def test_what_cannot_be_computed_is_infinite_for_that_search_alone():
    points = np.array([[1.0, 2.0], [-1.0, 1.0], [0.5, 0.5]])
    value, gradient = in_pieces(logs, 2)(np.arange(3), points)
    np.testing.assert_array_equal(np.isfinite(value), [True, False, True])
    np.testing.assert_allclose(gradient, [[0.0, 0.5], [0.0, 0.0], [-1.0, -1.0]])
    found = minimise_together(in_pieces(logs, 2), points)
    np.testing.assert_allclose(found.x[[0, 2]], 1.0, atol=EXACT)
    np.testing.assert_array_equal(found.converged, [True, False, True])


def test_searches_that_have_ended_are_not_evaluated_again():
    asked = np.zeros(3, int)

    def counted(which, x):
        np.add.at(asked, which, 1)
        return bowls(which, x)

    starts = CENTRES + np.array([[0.0, 0.0], [1.0, 1.0], [20.0, 1.0]])
    value, gradient = bowls(np.arange(3), starts)
    quasi_newton(
        counted,
        np.arange(3),
        (starts, value, gradient),
        first_inverses(starts + 1.0, gradient),
        is_over=lambda x, value, gradient, slope: -slope < 1e-6,
    )
    assert asked[0] == 0
    assert 0 < asked[1] < asked[2]


def test_hessians_are_differences_of_gradients():
    x = np.array([[0.3, -0.2], [1.5, -1.0]])
    found = hessians(valleys, np.arange(2), x, valleys(None, x)[1])
    a, b = x.T
    exact = np.empty((2, 2, 2))
    exact[:, 0, 0], exact[:, 1, 1] = 2.0 - 400.0 * (b - 3.0 * a**2), 200.0
    exact[:, 0, 1] = exact[:, 1, 0] = -400.0 * a
    np.testing.assert_allclose(found, exact, rtol=1e-3, atol=0.05)


def test_slopes_beyond_all_numbers_stop_their_search_alone():
    """As those of a likelihood that rises without end."""

    def steep(which, x):
        value, gradient = bowls(which, x)
        gradient[which == 1] = 1e308 * np.sign(x[which == 1])
        return value, gradient

    with np.errstate(all="ignore"):
        found = minimise_together(in_pieces(steep, 10), CENTRES + 0.5, inverse=np.eye(2))
    np.testing.assert_array_equal(found.converged, [True, False, True])
    np.testing.assert_allclose(found.x[[0, 2]], CENTRES[[0, 2]], atol=EXACT)
