"""Two samplers of one posterior: quantiles in Monte Carlo errors."""

import numpy as np

import bayesmix as bmx
from bayesmix.inference.parameters.names import Parameters
from bayesmix.inference.sampling.agreement import LIMIT, distance, scalars


def draws(shift: float = 0.0, seed: int = 0, n: int = 1000) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((4, n, 2)) + np.array([0.0, shift])


def test_draws_of_one_distribution_agree() -> None:
    found = [distance(["a", "b"], draws(seed=s), draws(seed=100 + s)).errors for s in range(20)]
    assert max(found) < LIMIT


def test_a_distance_is_counted_in_errors_and_said() -> None:
    found = distance(["a", "b"], draws(), draws(shift=1.0, seed=1))
    assert (found.name, found.level) == ("b", 0.5)
    # the median of n normal draws has standard error sqrt(pi / (2 n))
    np.testing.assert_allclose(found.errors, 1.0 / np.sqrt(2.0 * np.pi / 2.0 / 4000.0), rtol=0.15)
    assert found.says("NUTS", "the other").startswith("NUTS and the other disagree: the median of b is ")


def test_a_stuck_chain_says_nothing() -> None:
    stuck = np.repeat(draws(shift=9.0, n=10), 100, axis=1)  # ten values a chain
    assert distance(["a", "b"], stuck, draws()).errors == 0.0


def test_a_constant_says_nothing() -> None:
    """An approximation that found no place drew one number: its quantiles were asked for at NaN."""
    assert distance(["a", "b"], draws() * [1.0, 0.0], draws()).errors < LIMIT


def test_parameters_that_are_one_number_are_compared_on_their_natural_scale() -> None:
    data = {"x": np.arange(6.0), "y": np.arange(6.0) ** 2, "count": np.arange(6)}
    model = bmx.Model(["y ~ x", "count ~ 1"], data, family={"y": "gaussian", "count": "poisson"})
    beta = np.array([[[1.0, 2.0, 3.0, 4.0]]])
    names, found = scalars(model.design, Parameters(beta, (), (), (), None), None)
    assert names == ["y_Intercept", "y_x", "sigma_y", "count_Intercept"]
    np.testing.assert_allclose(found, [[[1.0, 2.0, np.exp(3.0), 4.0]]], rtol=1e-15)
    assert beta[0, 0, 2] == 3.0  # what is given is left as it is
