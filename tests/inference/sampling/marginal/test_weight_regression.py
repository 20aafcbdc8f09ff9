"""Which coefficients importance weights vary along: targets whose density over the proposal's is known."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from bayesmix.inference.sampling.marginal.weight_regression import HINTING, TELLING, telling

RNG = np.random.default_rng(4)
GAMMA = RNG.standard_normal((4000, 4))  # standard normal proposals
NOISE = 0.5 * RNG.standard_normal(4000)  # of random effects, which no coefficient explains
NONE = np.zeros(4, bool)


def skewed(x):
    """Log of a skew normal density over the standard normal one."""
    return stats.skewnorm(4.0, -1.3, 1.8).logpdf(x) - stats.norm.logpdf(x)


WEIGHTS = {  # log weights, coefficients that they vary along
    "noise": (NOISE, []),
    "skewed": (skewed(GAMMA[:, 1]) + NOISE, [1]),
    "two": (skewed(GAMMA[:, 0]) - 0.3 * GAMMA[:, 3] ** 2 + NOISE, [0, 3]),
    "product": (skewed(GAMMA[:, 1]) + 0.4 * GAMMA[:, 1] * GAMMA[:, 2] + NOISE, [1, 2]),
    "no density": (np.where(GAMMA[:, 2] > 2.0, -np.inf, NOISE), []),  # those without one are left out
}


@pytest.mark.parametrize("name", WEIGHTS)
def test_coefficients_that_weights_vary_along(name):
    log_weights, expected = WEIGHTS[name]
    np.testing.assert_array_equal(np.flatnonzero(telling(GAMMA, log_weights, NONE, 4)), expected)


def test_units_do_not_matter():
    log_weights, expected = WEIGHTS["two"]
    found = telling(3.0 + GAMMA * np.array([1e-6, 1.0, 10.0, 1e6]), log_weights, NONE, 4)
    np.testing.assert_array_equal(np.flatnonzero(found), expected)


def test_coefficients_that_are_explored_stay_and_no_more_than_allowed_are_added():
    log_weights, _ = WEIGHTS["two"]
    np.testing.assert_array_equal(telling(GAMMA, log_weights, np.array([0, 0, 1, 0], bool), 2), [1, 0, 1, 0])
    np.testing.assert_array_equal(telling(GAMMA, log_weights, np.array([0, 0, 1, 0], bool), 1), [0, 0, 1, 0])


@pytest.mark.parametrize(("variance", "found"), [(0.5 * TELLING, False), (2.0 * TELLING, True)])
def test_the_limit_is_a_variance_of_the_log_weights(variance, found):
    log_weights = np.sqrt(variance) * GAMMA[:, 0] + 0.1 * NOISE
    assert telling(GAMMA, log_weights, NONE, 4)[0] == found
    assert telling(GAMMA, log_weights, NONE, 4, HINTING)[0]
