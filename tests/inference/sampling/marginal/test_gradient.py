"""The gradient of the marginal posterior against differences of its values."""

from __future__ import annotations

import numpy as np
import pytest
from marginal_models import DESIGNS, model_of, points, simulated, target_of

import bayesmix as bmx
from bayesmix.inference.sampling.marginal.gradient import STEP, value_and_gradient

BY_DIFFERENCES = 1e-7  # of central differences, relative to one or to the derivative


@pytest.mark.parametrize("name", DESIGNS)
def test_gradient_is_that_of_differences(name: str) -> None:
    model = model_of(name)
    target = target_of(model)
    theta, step = points(target, model, 1)[0], 1e-5
    value, gradient = value_and_gradient(target, theta)
    m = len(theta)
    differences = (target(theta + step * np.eye(m)) - target(theta - step * np.eye(m))) / (2.0 * step)
    assert value == pytest.approx(float(target(theta[None])[0]), rel=1e-12)
    np.testing.assert_allclose(
        gradient / np.maximum(1.0, np.abs(differences)),
        differences / np.maximum(1.0, np.abs(differences)),
        atol=BY_DIFFERENCES,
    )


def test_points_without_density_have_no_gradient() -> None:
    model = model_of("correlated")
    target = target_of(model)
    value, gradient = value_and_gradient(target, np.full(target.size, 1e4))
    assert value == -np.inf
    np.testing.assert_array_equal(gradient, np.zeros(target.size))


def test_points_at_the_edge_of_a_prior_have_no_density() -> None:
    """There the value is finite and its differences are not."""
    model = bmx.Model("y ~ x + (1 | g)", simulated(), priors={"sigma": "Uniform(0, 3)"})
    target = target_of(model)
    theta = points(target, model, 1)[0]
    theta[target.covariances] = np.log(3.0) - 0.5 * STEP
    assert np.isfinite(target(theta[None])[0])
    value, gradient = value_and_gradient(target, theta)
    assert value == -np.inf
    np.testing.assert_array_equal(gradient, np.zeros(target.size))
    theta[target.covariances] -= 2.0 * STEP
    value, gradient = value_and_gradient(target, theta)
    assert np.isfinite(value)
    assert np.any(gradient != 0.0)
