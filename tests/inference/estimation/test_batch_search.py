"""Searches of many criteria at once: the boundary, and valleys beside it."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from bayesmix.inference.estimation.batch_search import search_together, settle_together
from bayesmix.inference.estimation.boundary import settle
from bayesmix.inference.estimation.optimise import Optimum, Status
from bayesmix.inference.estimation.searches import Minima
from bayesmix.inference.parameters.correlation import Free, Independent
from bayesmix.inference.parameters.covariance import Scaled, Unstructured

ONE = SimpleNamespace(structures=(Scaled(Independent(1)),), size=1)
BOTH = SimpleNamespace(structures=(Scaled(Independent(1)), Unstructured(Free(2))), size=4)


def wells(depth):
    """Even functions with a minimum of value 0 at zero and others of value ``-depth`` at one and minus one."""

    def derivatives(which, x):
        square, deep = x[:, 0] ** 2, depth[which]
        value = 3.0 * square * (1.0 - square) ** 2 - deep * square**2 * (3.0 - 2.0 * square)
        by_square = 3.0 * (1.0 - square) * (1.0 - 3.0 * square) - 6.0 * deep * square * (1.0 - square)
        far = np.maximum(square - 1.0, 0.0)
        value, by_square = value + 100.0 * far**3, by_square + 300.0 * far**2
        return value, (2.0 * x[:, 0] * by_square)[:, None]

    return derivatives


def test_a_search_that_ends_on_the_boundary_starts_again_inside():
    depth = np.array([0.5, -0.5, 0.3])
    starts, inside = np.full((3, 1), 0.1), np.array([0.9])
    found, singular = search_together(ONE, wells(depth), starts, None, again=lambda *search: [inside])
    np.testing.assert_allclose(np.abs(found.x[:, 0]), [1.0, 0.0, 1.0], atol=1e-4)
    np.testing.assert_allclose(found.value, [-0.5, 0.0, -0.3], atol=1e-8)
    assert singular[:, 0].tolist() == [False, True, False]
    assert found.x[1, 0] == 0.0


def test_others_start_where_they_are_told():
    asked = []
    search_together(
        ONE,
        wells(np.array([0.5, 0.5])),
        np.array([[0.1], [0.95]]),
        None,
        again=lambda s, x, terms, is_doubtful: asked.append((s, terms, is_doubtful)) or [],
    )
    assert asked == [(0, [0], True), (1, [], False)]


def test_what_is_found_lower_is_in_doubt_once_more():
    """The first restart leads from zero to one, the second from there on."""
    depth, asked = np.array([0.5]), []

    def again(s, x, terms, is_doubtful):
        asked.append(is_doubtful)
        return [np.array([0.9])]

    found, _ = search_together(ONE, wells(depth), np.full((1, 1), 0.1), None, again=again)
    assert asked == [True, False]
    assert abs(found.x[0, 0]) == pytest.approx(1.0, abs=1e-4)


def quadratic(which, x):
    return np.sum(x**2, axis=1), 2.0 * x


def test_what_vanishes_is_settled_as_single_fits_are():
    x = np.array([[1.0, 0.5, 0.2, 0.3], [1e-6, 0.5, 0.2, 0.3], [1.0, 0.5, 0.2, 1e-6], [1.0, 1e-7, 1e-7, 0.5]])
    value, gradient = quadratic(None, x)
    hessian = np.tile(2.0 * np.eye(4), (4, 1, 1))
    hessian[3, 1, 1] = 0.0  # a ridge that is the singular term's own
    found = Minima(x.copy(), value.copy(), gradient, hessian, np.ones(4, bool))
    settled, singular = settle_together(BOTH, quadratic, np.arange(4), found)

    def objective(point):
        own, slope = quadratic(None, point[None])
        return float(own[0]), slope[0]

    for s in range(4):
        status = Status.FLAT if s == 3 else Status.CONVERGED
        one, terms = settle(BOTH, Optimum(x[s], value[s], gradient[s], hessian[s], 0, status), objective)
        np.testing.assert_allclose(settled.x[s], one.x, rtol=1e-13, atol=1e-300)
        assert np.flatnonzero(singular[s]).tolist() == list(terms)
        assert settled.converged[s] == (one.status is Status.CONVERGED)


def test_a_ridge_of_a_regular_term_is_no_minimum():
    x, hessian = np.full((1, 4), 0.5), np.diag([2.0, 0.0, 2.0, 2.0])[None]
    found = Minima(x, *quadratic(None, x), hessian, np.ones(1, bool))
    settled, singular = settle_together(BOTH, quadratic, np.arange(1), found)
    assert not settled.converged[0]
    assert not singular.any()
