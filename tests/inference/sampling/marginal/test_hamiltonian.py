"""Hamiltonian chains: whitened by the curvature, against closed forms and the global proposal."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from dense import central
from scipy.stats import norm

import bayesmix as bmx
from bayesmix.inference.sampling.marginal import hamiltonian
from bayesmix.inference.sampling.marginal.hamiltonian import FLAT, climb, whiten

MCSE = 4.0  # combined Monte Carlo standard errors that two samplers may differ by, any parameter
CENTRE = np.array([3.0, -1.0])
ROOT = np.array([[1.0, 0.0], [1.5, 0.5]])
PRECISION = np.linalg.inv(ROOT @ ROOT.T)


def normal(x: np.ndarray) -> tuple[float, np.ndarray]:
    return float(-0.5 * (x - CENTRE) @ PRECISION @ (x - CENTRE)), -PRECISION @ (x - CENTRE)


def test_whitening_is_by_mode_and_curvature() -> None:
    mode, root = whiten(normal, np.zeros(2))
    np.testing.assert_allclose(mode, CENTRE, atol=1e-6)
    np.testing.assert_allclose(root @ root.T, ROOT @ ROOT.T, rtol=1e-5)


def test_directions_without_curvature_are_those_of_a_wide_prior() -> None:
    def flat(x: np.ndarray) -> tuple[float, np.ndarray]:
        return float(-2.0 * x[0] ** 2 - 1e-4 * x[1] ** 2), np.array([-4.0 * x[0], -2e-4 * x[1]])

    _, root = whiten(flat, np.array([0.3, 0.2]))
    np.testing.assert_allclose(root @ root.T, np.diag([0.25, 1.0 / FLAT]), rtol=1e-5, atol=1e-8)


def test_the_sampler_sees_the_whitened_density_and_its_gradient(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: dict[str, Any] = {}

    class Values:
        def __init__(self, values: Any) -> None:
            self.values = np.asarray(values)

        def to_numpy(self) -> np.ndarray:
            return self.values

    z = np.random.default_rng(0).normal(size=(2, 3, 2))
    heights = np.arange(6.0).reshape(2, 3)

    def sample(whitened: Any, m: int, **options: Any) -> Any:
        seen.update(density=whitened, m=m, **options)
        names = {"logp": heights, "diverging": heights > 4.0, "n_steps": heights + 1.0}
        return {"posterior": {"z": Values(z)}, "sample_stats": {name: Values(own) for name, own in names.items()}}

    monkeypatch.setattr(hamiltonian, "_sample", sample)

    def bounded(x: np.ndarray) -> tuple[float, np.ndarray]:
        return normal(x) if x[0] < 50.0 else (-np.inf, np.zeros(2))

    found = climb(bounded, np.zeros(2), draws=3, chains=2, seed=9)
    assert (seen["m"], seen["draws"], seen["chains"], seen["seed"]) == (2, 3, 2, 9)
    for at, own in zip(z.reshape(-1, 2), found.theta.reshape(-1, 2), strict=True):
        value, gradient = seen["density"](at)
        assert value == pytest.approx(normal(own)[0], abs=1e-10)
        np.testing.assert_allclose(gradient, central(lambda x: seen["density"](x)[0], at, 1e-3), atol=1e-8)
        np.testing.assert_allclose(value, -0.5 * at @ at, atol=1e-5)
    beyond, slope = seen["density"](np.linalg.solve(whiten(normal, np.zeros(2))[1], [60.0, 0.0]))
    assert beyond == -np.inf
    np.testing.assert_array_equal(slope, 0.0)
    np.testing.assert_array_equal(found.log_density, heights)
    np.testing.assert_array_equal(found.diverging, heights > 4.0)
    np.testing.assert_array_equal(found.steps, heights + 1.0)
    np.testing.assert_allclose(found.mode, CENTRE, atol=1e-6)


@pytest.mark.slow
def test_chains_find_the_moments_of_a_normal_density() -> None:
    found = climb(normal, np.zeros(2), draws=1000, chains=2, seed=1)
    assert not found.diverging.any()
    draws = found.theta.reshape(-1, 2)
    np.testing.assert_allclose(found.mode, CENTRE, atol=1e-6)
    np.testing.assert_allclose(draws.mean(axis=0), CENTRE, atol=4.0 * np.sqrt(2.5 / 800))
    np.testing.assert_allclose(np.cov(draws.T), ROOT @ ROOT.T, atol=0.4)


@pytest.mark.slow
def test_where_a_density_has_no_value_chains_turn_back() -> None:
    """They ended in a panic of nutpie, and the session with them. The mean is -phi(1) / Phi(1)."""

    def below(x: np.ndarray) -> tuple[float, np.ndarray]:
        return (float(-0.5 * x @ x), -x) if x[0] < 1.0 else (-np.inf, np.full(2, np.nan))

    found = climb(below, np.zeros(2), draws=1000, chains=2, seed=1)
    assert found.theta[..., 0].max() < 1.0
    assert found.diverging.any()
    assert found.theta[..., 0].mean() == pytest.approx(-norm.pdf(1.0) / norm.cdf(1.0), abs=0.1)


def four_effects() -> bmx.Model:
    rng = np.random.default_rng(0)
    g, x = np.arange(400) % 20, rng.normal(size=(400, 3))
    y = np.sum(rng.normal(size=(20, 4))[g] * np.column_stack([np.ones(400), x]), axis=1) + rng.normal(size=400)
    data = {"y": y, "g": g, "a": x[:, 0], "b": x[:, 1], "c": x[:, 2]}
    return bmx.Model("y ~ a + b + c + (a + b + c | g)", data)


def five_terms() -> bmx.Model:
    rng = np.random.default_rng(1)
    factors = {name: rng.integers(0, 6 + j, 300) for j, name in enumerate("abcde")}
    x = rng.normal(size=300)
    y = x + rng.normal(size=300) + sum(rng.normal(size=12)[codes] for codes in factors.values())
    return bmx.Model("y ~ x + (x | a) + (x | b) + (1 | c) + (1 | d) + (1 | e)", {"y": y, "x": x, **factors})


@pytest.mark.slow
@pytest.mark.parametrize("build", [four_effects, five_terms])
def test_chains_agree_with_the_global_proposal(build: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    model = build()
    proposed = model.sample(draws=1000, seed=1, method="marginal").parameters()
    monkeypatch.setattr("bayesmix.inference.sampling.marginal.sampler.MAX_DIMENSION", 5)
    post = model.sample(draws=500, chains=2, seed=2, progress=False)
    assert post.method == "marginal"
    assert "pareto_k" not in post.draws.certificate
    assert post.divergences == 0
    climbed = post.parameters()
    assert climbed["r_hat"].max() < 1.02
    error = np.hypot(proposed["sd"] / np.sqrt(proposed["ess_bulk"]), climbed["sd"] / np.sqrt(climbed["ess_bulk"]))
    np.testing.assert_array_less(np.abs(proposed["mean"] - climbed["mean"]) / error, MCSE)
    np.testing.assert_allclose(climbed["sd"] / proposed["sd"], 1.0, atol=0.25)


@pytest.mark.slow
def test_chains_tell_the_bar_how_far_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    """Long runs had no bar: the time left is what a user asks first."""
    seen: list[int] = []
    monkeypatch.setattr(
        hamiltonian.ChainsBar, "update", lambda bar, chains: seen.append(sum(chain.finished_draws for chain in chains))
    )
    found = climb(normal, np.zeros(2), draws=20, chains=2, seed=1, progress=True)
    assert found.theta.shape == (2, 20, 2)
    assert 0 < seen[-1] <= 2 * (hamiltonian.TUNE + 20)
