"""Heavy-tailed noise and its weights: weighted, it is standard normal again."""

import numpy as np
import pytest
from scipy import stats

from bayesmix.inference.sampling.marginal.defence import (
    FARTHEST,
    FREEDOM,
    SCALE,
    SHARE,
    defended_noise,
    log_bent,
    log_share,
)


@pytest.mark.parametrize("m", [1, 3])
def test_noise_has_the_density_that_its_weights_suppose(m: int) -> None:
    noise, excess = defended_noise(500, m, np.random.default_rng(1))
    heavy = stats.multivariate_t(np.zeros(m), SCALE**2 * np.eye(m), FREEDOM).pdf(noise)
    normal = stats.multivariate_normal(np.zeros(m)).pdf(noise)
    np.testing.assert_allclose(np.exp(excess), normal / ((1.0 - SHARE) * normal + SHARE * heavy), rtol=1e-10)


def test_weights_are_bounded_and_make_the_noise_normal() -> None:
    noise, excess = defended_noise(200_000, 2, np.random.default_rng(2))
    weights = np.exp(excess)
    assert weights.max() <= 1.0 / (1.0 - SHARE) + 1e-12
    np.testing.assert_allclose(weights @ noise**2 / len(noise), 1.0, atol=0.02)
    assert np.abs(noise).max() > 8.0  # normal noise would reach 4.8


def test_no_noise_is_no_correction() -> None:
    noise, excess = defended_noise(3, 0, np.random.default_rng(0))
    assert noise.shape == (3, 0)
    np.testing.assert_array_equal(excess, 0.0)


def test_bent_noise_has_the_density_that_is_said() -> None:
    grid = np.linspace(-60.0, 60.0, 240_001)
    for cube in (0.0, 0.02, 0.3):
        density = np.exp(log_bent(grid[:, None], cube)) / np.sqrt(2.0 * np.pi)
        assert np.trapezoid(density, grid) == pytest.approx(1.0, abs=1e-6)
        z = 1.3
        below = np.trapezoid(density[grid <= z + cube * z**3 + 1e-9], grid[grid <= z + cube * z**3 + 1e-9])
        assert below == pytest.approx(stats.norm.cdf(z), abs=2e-4)


def test_a_mixture_bounds_the_ratio_to_either_part() -> None:
    noise = np.linspace(-30.0, 30.0, 61)
    prior = stats.norm(4.0, 20.0)
    log_prior = prior.logpdf(noise) + 0.5 * np.log(2.0 * np.pi)
    found = log_share(noise**2, log_bent(noise[:, None], 0.1), log_prior, 0.25)
    mixture = 0.75 * np.exp(log_bent(noise[:, None], 0.1)) / np.sqrt(2.0 * np.pi) + 0.25 * prior.pdf(noise)
    np.testing.assert_allclose(found, stats.norm.logpdf(noise) - np.log(mixture), rtol=1e-10)
    assert log_share(np.array([2.0 * FARTHEST]), np.array([-1e9]), np.array([-1.0]), 0.25)[0] == -np.inf
