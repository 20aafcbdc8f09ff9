"""Modes, weights and chains of independence Metropolis against closed forms and plain loops."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from scipy.special import digamma, gammaln, logsumexp, polygamma

from bayesmix.inference.sampling.marginal.independence_metropolis import (
    LEAST_MASS,
    NEGLIGIBLE,
    Modes,
    _derivatives,
    _distinct,
    _newton,
    _stencil,
    explore,
    explore_near,
    find_mode,
    find_modes,
    integral,
    metropolis,
    pilot_size,
)

CENTRE = np.array([1.0, -2.0, 0.5])
COVARIANCE = np.array([[1.0, 0.6, 0.0], [0.6, 2.0, -0.4], [0.0, -0.4, 0.5]])
NORMAL = stats.multivariate_normal(CENTRE, COVARIANCE)
DIFFERENCED = {"rtol": 1e-6, "atol": 1e-6}  # second differences of step 1e-3


# ---- modes ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("far", [0.0, 0.1, 30.0])
def test_mode_and_inverse_curvature_of_a_normal(far: float) -> None:
    mode, covariance, evaluations = find_mode(NORMAL.logpdf, CENTRE + far)
    np.testing.assert_allclose(mode, CENTRE, atol=1e-4)
    np.testing.assert_allclose(covariance, COVARIANCE, rtol=1e-4, atol=1e-4)
    assert evaluations >= 10  # a stencil of three dimensions


def test_mode_of_a_skewed_density() -> None:
    """Of the logarithm of a gamma variable: at log(shape), with curvature shape."""
    shape = 2.5
    mode, covariance, _ = find_mode(lambda x: shape * x[:, 0] - np.exp(x[:, 0]), np.array([4.0]))
    np.testing.assert_allclose(mode, [np.log(shape)], atol=1e-5)
    np.testing.assert_allclose(covariance, [[1.0 / shape]], rtol=1e-4)


def test_derivatives_at_the_stencil() -> None:
    def f(x: np.ndarray) -> np.ndarray:
        return np.sin(x[..., 0]) * np.exp(0.5 * x[..., 1]) + x[..., 1] * x[..., 2] ** 2

    x = np.array([[0.3, -0.4, 1.2], [1.0, 0.2, -0.7]])
    centre, gradient, hessian = _derivatives(f(_stencil(x)), 3)
    s, c, e = np.sin(x[:, 0]), np.cos(x[:, 0]), np.exp(0.5 * x[:, 1])
    y, z, zero = x[:, 1], x[:, 2], np.zeros(2)
    np.testing.assert_array_equal(centre, f(x))
    np.testing.assert_allclose(gradient, np.stack([c * e, 0.5 * s * e + z**2, 2 * y * z], axis=1), **DIFFERENCED)
    rows = [[-s * e, 0.5 * c * e, zero], [0.5 * c * e, 0.25 * s * e, 2 * z], [zero, 2 * z, 2 * y]]
    exact, own = np.moveaxis(np.array(rows), -1, 0), np.arange(3)
    # mixed differences are one-sided: their error is of the first order in the step
    np.testing.assert_allclose(hessian, exact, atol=3e-3)
    np.testing.assert_allclose(hessian[:, own, own], exact[:, own, own], atol=1e-5)


def test_newton_steps_are_bounded_and_ascend() -> None:
    gradient = np.array([[0.2, 0.1], [100.0, 0.0], [0.1, 0.4]])
    hessian = np.array([-np.diag([2.0, 4.0]), -np.eye(2), np.diag([1.0, 0.01])])
    step, covariance = _newton(gradient, hessian)
    np.testing.assert_allclose(step[0], [0.1, 0.025])
    np.testing.assert_allclose(covariance[0], np.diag([0.5, 0.25]))
    np.testing.assert_allclose(step[1], [3.0, 0.0])  # at most three along a coordinate
    np.testing.assert_allclose(step[2], [0.1, 1.6])  # wrong curvature by its size, hardly any as 1 / 4
    np.testing.assert_allclose(covariance[2], np.diag([1.0, 4.0]))


HEIGHTS = np.log([0.7, 0.3])
CENTRES = np.array([[0.0, 0.0], [12.0, 4.0]])
WIDTHS = np.array([np.eye(2), [[0.5, 0.2], [0.2, 1.5]]])


def two_modes(x: np.ndarray) -> np.ndarray:
    parts = [stats.multivariate_normal(m, v).logpdf(x) for m, v in zip(CENTRES, WIDTHS, strict=True)]
    return logsumexp(np.stack(parts, axis=-1) + HEIGHTS, axis=-1)


def scattered(n: int = 400) -> np.ndarray:
    return np.random.default_rng(0).uniform(-15.0, 20.0, (n, 2))


def test_modes_are_found_with_their_masses() -> None:
    found = find_modes(two_modes, np.array([0.5, 0.5]), scattered())
    np.testing.assert_allclose(found.points, CENTRES, atol=1e-4)
    np.testing.assert_allclose(found.covariances, WIDTHS, atol=1e-3)
    np.testing.assert_allclose(found.log_mass, HEIGHTS, atol=1e-3)
    assert find_modes(two_modes, np.array([0.5, 0.5])).points.shape == (1, 2)


def test_the_proposal_gives_every_mode_its_mass_and_none_next_to_nothing() -> None:
    modes = Modes(np.array([[0.0], [9.0], [20.0]]), np.ones((3, 1, 1)), np.log([0.7, 0.25, 0.001]), 0)
    expected = np.maximum(np.array([0.7, 0.25, 0.001]) / 0.951, LEAST_MASS)
    mixture = modes.mixture()
    shares = [mixture.weights[mixture.means[:, 0] == at].sum() for at in (0.0, 9.0, 20.0)]
    np.testing.assert_allclose(shares, expected / expected.sum())
    alone = Modes(np.zeros((1, 1)), np.ones((1, 1, 1)), np.array([-5.0]), 0).mixture()
    np.testing.assert_allclose(alone.weights, [0.7, 0.3])


@pytest.mark.parametrize(
    ("at", "log_mass", "kept"),
    [
        ([0.0, 10.0, 2.9], [0.0, 0.0, 0.0], [0, 1]),  # three standard deviations apart is one mode
        ([0.0, 3.1, 10.0], [0.0, -1.0, 1.0], [0, 2, 1]),  # by mass, the first start first
        ([0.0, 10.0, 20.0], [0.0, -NEGLIGIBLE - 0.1, -NEGLIGIBLE + 0.1], [0, 2]),
        ([0.0, 10.0, 20.0], [0.0, np.nan, -np.inf], [0]),
    ],
)
def test_modes_that_are_distinct(at: list[float], log_mass: list[float], kept: list[int]) -> None:
    with np.errstate(invalid="ignore"):
        mass = np.nan_to_num(np.array(log_mass), nan=-np.inf)
        assert _distinct(np.array(at)[:, None], np.ones((3, 1, 1)), mass) == kept


# ---- chains ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("thin", [1, 3])
def test_chains_follow_the_rule_of_metropolis(thin: int) -> None:
    log_weights = np.random.default_rng(1).normal(scale=2.0, size=(3, 1 + 20 * thin))
    log_weights[1, :4] = -np.inf  # may not start where the target has no mass
    log_weights[2, 5] = np.nan
    picked, accepted = metropolis(log_weights, thin, np.random.default_rng(2))
    uniform = np.random.default_rng(2).random(log_weights.shape)
    for chain in range(3):
        state = int(np.flatnonzero(np.isfinite(log_weights[chain]))[0])
        for step in range(1, 1 + 20 * thin):
            ratio = np.exp(log_weights[chain, step] - log_weights[chain, state])
            moved = bool(uniform[chain, step] < ratio)
            state = step if moved else state
            if step % thin == 0:
                assert picked[chain, step // thin - 1] == state
                assert accepted[chain, step // thin - 1] == moved


def test_metropolis_leaves_weights_exact() -> None:
    rng = np.random.default_rng(4)
    x = rng.standard_t(5.0, (4, 60_001))
    log_weights = stats.norm.logpdf(x) - stats.t.logpdf(x, 5.0)
    picked, accepted = metropolis(log_weights, 1, rng)
    draws = x[np.arange(4)[:, None], picked]
    assert draws.std() == pytest.approx(1.0, abs=0.01)
    assert np.mean(np.abs(draws) < 1.0) == pytest.approx(0.6827, abs=0.005)
    assert 0.7 < accepted.mean() < 1.0


def test_the_integral_and_its_error() -> None:
    logs = np.random.default_rng(3).normal(size=500) + 800.0
    value, error = integral(logs)
    weights = np.exp(logs - 800.0)
    assert value == pytest.approx(logsumexp(logs) - np.log(500.0), rel=1e-12)
    assert error == pytest.approx(weights.std() / weights.mean() / np.sqrt(500.0), rel=1e-10)


@pytest.mark.parametrize(("dimension", "size"), [(1, 1000), (2, 1000), (3, 1200), (10, 4000), (20, 4000)])
def test_draws_of_a_round_grow_with_the_dimension_within_limits(dimension: int, size: int) -> None:
    assert pilot_size(dimension) == size


def test_explored_normal() -> None:
    """Moments, the known integral within its error, and every draw at the density it claims."""
    calls = []

    def target(x: np.ndarray) -> np.ndarray:
        calls.append(len(x))
        return NORMAL.logpdf(x) + 7.0

    found = explore(target, CENTRE + 0.3, draws=1000, chains=4, rng=np.random.default_rng(5), thin=2)
    assert (found.theta.shape, found.proposals.shape) == ((4, 1000, 3), (4 * 2001, 3))
    assert found.evaluations == sum(calls)
    np.testing.assert_allclose(found.mode, CENTRE, atol=1e-4)
    np.testing.assert_allclose(found.log_density, target(found.theta), rtol=1e-10)
    assert found.pareto_k < 0.5
    assert abs(found.log_evidence - 7.0) < 4.0 * found.evidence_error
    assert found.evidence_error < 0.02
    draws, sd = found.theta.reshape(-1, 3), np.sqrt(np.diag(COVARIANCE))
    np.testing.assert_allclose((draws.mean(axis=0) - CENTRE) / sd, 0.0, atol=5.0 / np.sqrt(2500))
    np.testing.assert_allclose(np.cov(draws.T), COVARIANCE, atol=5.0 * 2.0 * np.sqrt(2.0 / 2500))


def test_explored_modes_have_their_masses() -> None:
    rng = np.random.default_rng(6)
    found = explore(two_modes, np.zeros(2), draws=2000, chains=2, rng=rng, scattered=scattered())
    assert np.mean(found.theta[..., 0] > 6.0) == pytest.approx(0.3, abs=5.0 * np.sqrt(0.21 / 2000))
    assert abs(found.log_evidence) < 4.0 * found.evidence_error


def test_explore_reports_a_proposal_that_cannot_fit() -> None:
    def cauchy(x: np.ndarray) -> np.ndarray:  # heavier tails than any component
        return stats.cauchy.logpdf(x[:, 0], scale=1.0) + stats.cauchy.logpdf(x[:, 1], scale=1e3)

    found = explore(cauchy, np.zeros(2), draws=1000, chains=4, rng=np.random.default_rng(0))
    assert found.pareto_k > 0.5


# ---- densities near normal ones --------------------------------------------------------------------------------------


def logarithms_of_gammas(shapes: np.ndarray, turn: np.ndarray):
    """Log density ``(n,)`` of logarithms of gamma variables turned about, whose integral is a product of gammas."""
    return lambda x: ((x @ turn) @ shapes) - np.exp(x @ turn).sum(axis=1)


def test_chains_near_a_normal_density_of_many_dimensions() -> None:
    """Logarithms of gamma variables in 22 dimensions: moments and integral are polygamma functions."""
    rng = np.random.default_rng(1)
    shapes = np.linspace(15.0, 60.0, 22)
    turn = stats.ortho_group.rvs(22, random_state=1)
    density = logarithms_of_gammas(shapes, turn)
    mode, covariance = turn @ np.log(shapes), (turn / shapes) @ turn.T
    found = explore_near(density, mode, covariance, draws=500, chains=4, rng=rng)
    assert found is not None
    assert found.pareto_k < 0.5
    assert abs(found.log_evidence - gammaln(shapes).sum()) < 5.0 * found.evidence_error < 0.1
    gammas = found.theta.reshape(-1, 22) @ turn
    sd = np.sqrt(polygamma(1, shapes))
    assert np.abs((gammas.mean(axis=0) - digamma(shapes)) / sd).max() < 5.0 / np.sqrt(0.5 * len(gammas))
    np.testing.assert_allclose(gammas.std(axis=0) / sd, 1.0, atol=0.12)


@pytest.mark.slow
def test_of_a_density_that_is_not_near_a_normal_one_there_are_no_chains() -> None:
    """Exponential tails to one side in 22 dimensions: the proposal is not taken, rather than a chain that stands."""
    density = logarithms_of_gammas(np.full(22, 0.3), np.eye(22))
    mode, covariance = np.full(22, np.log(0.3)), np.eye(22) / 0.3
    assert explore_near(density, mode, covariance, draws=200, chains=2, rng=np.random.default_rng(1)) is None
