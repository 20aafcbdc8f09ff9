"""Coordinates in which random effects are spherical under the Gaussian approximation: their density, their moves."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from approximated import MODELS, approximation_of, joint_density_over_conditional, model_of, point_of, some_theta

from bayesmix.inference.sampling.marginal.conditional_coordinates import ConditionalCoordinates, State
from bayesmix.inference.sampling.marginal.gaussian_approximation import coefficients
from bayesmix.inference.sampling.marginal.parameter_proposal import Parameters
from bayesmix.inference.sampling.marginal.sampler import in_units

EXACT = {"rtol": 1e-8, "atol": 1e-8}  # two ways to the same density, floating point apart
C = 4


@cache
def coordinates_of(name: str) -> ConditionalCoordinates:
    return ConditionalCoordinates(approximation_of(name))


def some_state(name: str, seed: int = 3) -> State:
    coordinates, rng = coordinates_of(name), np.random.default_rng(seed)
    approximation = coordinates.approximation
    x = some_theta(approximation, point_of(name), C)
    if approximation.dispersion is not None:
        log = approximation.dispersion.mean + approximation.dispersion.sd * rng.standard_normal((C, 1))
        x = np.concatenate([x, log], axis=1)
    at = Parameters(x, rng.standard_normal((C, coordinates.integrated)))
    z = [rng.standard_normal((C, *shape)) for shape in coordinates.shapes]
    return coordinates.state(coordinates.conditional(coordinates.points(at.x), at.noise), z)


@pytest.mark.parametrize("name", MODELS)
def test_the_density_is_the_joint_density_in_these_coordinates(name: str) -> None:
    """SciPy's joint density over the dense conditional of the approximation, times the density of the noise."""
    approximation, state = approximation_of(name), some_state(name)
    own = state.conditional
    dispersion = None if approximation.dispersion is None else np.exp(own.log_dispersion)
    effects = approximation.target.problem.coordinates.of_terms(list(state.b))
    theta = own.at.x[:, : approximation.target.size]
    values = in_units(approximation.target, theta, own.shift, effects, dispersion)
    gammas = coefficients(approximation.target, own.shift)
    squares = np.sum(own.at.noise**2, axis=1) + sum(np.sum(part.reshape(C, -1) ** 2, axis=1) for part in state.z)
    expected = [
        joint_density_over_conditional(model_of(name), approximation, values, i, theta[i], gammas[i]) for i in range(C)
    ]
    np.testing.assert_allclose(state.log_density, np.array(expected) - 0.5 * squares, **EXACT)


@pytest.mark.parametrize("name", MODELS)
def test_a_state_with_other_levels_is_that_made_anew(name: str) -> None:
    """Of chains and levels that accepted it; of all others nothing has changed."""
    coordinates, state, rng = coordinates_of(name), some_state(name), np.random.default_rng(5)
    for number in range(coordinates.nested):
        z = rng.standard_normal(state.z[number].shape)
        other = coordinates.with_noise(state, number, z)
        accepted = rng.random(z.shape[:-1]) < 0.5
        state = coordinates.where_levels(state, number, accepted, other)
        np.testing.assert_array_equal(state.z[number][accepted], z[accepted])
        assert_consistent(coordinates, state)


@pytest.mark.parametrize("name", MODELS)
def test_chains_that_accept_parameters_have_all_that_follows_from_them(name: str) -> None:
    coordinates, state, accepted = coordinates_of(name), some_state(name), np.array([True, False, False, True])
    at = Parameters(state.conditional.at.x + 0.1, state.conditional.at.noise - 0.1)
    conditional = coordinates.conditional(coordinates.points(at.x), at.noise)
    other = coordinates.state(conditional, state.z)
    mixed = state.where(accepted, other)
    np.testing.assert_array_equal(mixed.log_density, np.where(accepted, other.log_density, state.log_density))
    assert_consistent(coordinates, mixed)
    for number in range(len(coordinates.shapes)):  # what is solved again has the factorisations of both
        assert_consistent(coordinates, coordinates.with_noise(mixed, number, -mixed.z[number]))


def assert_consistent(coordinates: ConditionalCoordinates, state: State) -> None:
    again = coordinates.state(
        coordinates.conditional(coordinates.points(state.conditional.at.x), state.conditional.at.noise), state.z
    )
    for one, other in zip(state.b, again.b, strict=True):
        np.testing.assert_allclose(one, other, **EXACT)
    np.testing.assert_allclose(state.eta, again.eta, **EXACT)
    np.testing.assert_allclose(state.ratio, again.ratio, **EXACT)
    np.testing.assert_allclose(state.log_density, again.log_density, **EXACT)
