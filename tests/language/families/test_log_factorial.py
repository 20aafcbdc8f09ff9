"""Logarithms of factorials, looked up and computed."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import gammaln

from bayesmix.language.families.log_factorial import LARGEST, log_factorial


@pytest.mark.parametrize(
    "counts",
    [
        np.array([0.0, 1.0, 5.0]),
        np.tile(np.arange(LARGEST, dtype=float), (2, 1)),
        np.arange(2.0 * LARGEST),  # beyond what is looked up
        np.arange(LARGEST + 1.0) - 1.0,  # below zero
        np.linspace(0.0, 10.0, LARGEST + 1),  # shares of trials
        np.zeros(0),
    ],
    ids=["few", "many", "large", "negative", "fractions", "none"],
)
def test_whatever_the_numbers_are(counts):
    np.testing.assert_array_equal(log_factorial(counts), gammaln(counts + 1.0))
