"""Parameters that are one number for all rows: standard deviations and correlations of residuals as reported."""

from __future__ import annotations

import numpy as np
import pytest
from several_predictors import made

from bayesmix.inference.parameters.correlation import Free
from bayesmix.inference.parameters.natural_scale import (
    from_link,
    is_coordinate,
    on_link,
    reported,
    reported_jacobian,
    standard_errors,
)

FORMULAS = ["y ~ x", "v ~ 1", "w ~ 1"]
RNG = np.random.default_rng(5)


def layout_of(count):
    return made(FORMULAS[:count], rescor=True)[1].layout


@pytest.mark.parametrize(
    ("count", "names"), [(2, ["rescor(y, v)"]), (3, ["rescor(y, v)", "rescor(y, w)", "rescor(v, w)"])]
)
def test_correlations_are_numbers_after_all_others(count, names):
    layout = layout_of(count)
    assert list(layout.fixed[-len(names) :]) == names
    assert not set(names) & set(layout.coefficients)


def test_correlations_are_entries_of_the_matrix_of_their_partials():
    layout = layout_of(3)
    beta = RNG.normal(size=(4, len(layout.fixed)))
    found, root = reported(layout, beta), Free(3).root(np.tanh(0.5 * beta[:, -3:]))
    matrix = root @ np.swapaxes(root, -1, -2)
    np.testing.assert_allclose(found[:, -3:], matrix[:, [1, 2, 2], [0, 0, 1]], rtol=1e-13)
    sigmas = [layout.fixed.index(name) for name in ("sigma_y", "sigma_v", "sigma_w")]
    np.testing.assert_allclose(found[:, sigmas], np.exp(beta[:, sigmas]), rtol=1e-14)


@pytest.mark.parametrize("count", [2, 3])
def test_jacobians_are_differences(count):
    layout = layout_of(count)
    beta = RNG.normal(size=len(layout.fixed))

    def differences(function):
        return np.stack([(function(beta + h) - function(beta - h)) / 2e-6 for h in 1e-6 * np.eye(len(beta))], axis=1)

    slopes = reported_jacobian(layout, beta)
    np.testing.assert_allclose(slopes, differences(lambda at: reported(layout, at)), rtol=1e-7, atol=1e-8)
    values, inside = on_link(layout, beta)
    np.testing.assert_allclose(inside, differences(lambda at: on_link(layout, at)[0]), rtol=1e-7, atol=1e-8)
    np.testing.assert_allclose(from_link(layout, values), reported(layout, beta), rtol=1e-12)


def test_standard_errors_are_the_delta_methods_and_unknown_ones_stay_alone():
    slopes = np.array([[1.0, 0.0, 0.0], [0.0, 2.0, 0.0], [0.0, 1.0, 3.0]])
    covariance = np.diag([np.inf, 0.25, 4.0])
    np.testing.assert_allclose(standard_errors(slopes, covariance), [np.inf, 1.0, np.sqrt(0.25 + 36.0)])


def test_partial_correlations_with_the_first_response_are_correlations():
    layout = layout_of(3)
    assert [is_coordinate(layout, name) for name in layout.fixed[-3:]] == [True, True, False]
    assert all(is_coordinate(layout, name) for name in (*layout.fixed[:-3], "sd(g, a)"))
