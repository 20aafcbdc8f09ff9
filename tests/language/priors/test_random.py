"""Draws in order, against rejection and order statistics."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from bayesmix.language.priors.prior import parse_prior
from bayesmix.language.priors.random import draw_in_order, draw_prior


def by_rejection(priors, count, rng):
    drawn = np.array([[draw_prior(prior, rng) for _ in range(count)] for prior in priors]).T
    return drawn[np.all(np.diff(drawn, axis=1) > 0.0, axis=1)]


@pytest.mark.parametrize(
    "texts",
    [
        ("Normal(-1.4, 1.5)", "Normal(-0.4, 1.5)", "Normal(1.4, 1.5)"),
        ("StudentT(3, 0, 2.5)",) * 3,
        ("Normal(3, 1)", "Normal(0, 2)"),
        ("Gamma(2, 1)", "Normal(1, 1)"),
    ],
)
def test_draws_in_order_are_those_that_rejection_keeps(texts):
    priors = [parse_prior(text) for text in texts]
    drawn = draw_in_order(priors, 4000, np.random.default_rng(1))
    kept = by_rejection(priors, 40_000, np.random.default_rng(2))
    assert np.all(np.diff(drawn, axis=1) > 0.0)
    assert min(stats.ks_2samp(*pair).pvalue for pair in zip(drawn.T, kept.T, strict=True)) > 1e-3
    assert stats.ks_2samp(drawn[:, 1] - drawn[:, 0], kept[:, 1] - kept[:, 0]).pvalue > 1e-3


def test_twenty_equal_priors_are_order_statistics():
    priors = [parse_prior("Normal(0, 2)")] * 20
    drawn = draw_in_order(priors, 4000, np.random.default_rng(3))
    expected = np.sort(np.random.default_rng(4).normal(0.0, 2.0, (4000, 20)), axis=1)
    assert min(stats.ks_2samp(*pair).pvalue for pair in zip(drawn.T, expected.T, strict=True)) > 1e-3
