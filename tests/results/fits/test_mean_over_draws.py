"""Means over draws do not depend on how many are computed together."""

from __future__ import annotations

import numpy as np

from bayesmix.results.fits.linear_predictor import linear_predictor


def test_draws_are_taken_in_blocks(fitted, posterior_of, monkeypatch):
    posterior = posterior_of("esoph poisson", 2, 10, 0.1)
    whole = posterior.fitted()
    monkeypatch.setattr("bayesmix.results.fits.mean_over_draws.BLOCK", 3 * len(whole))
    np.testing.assert_allclose(posterior.fitted(), whole, rtol=1e-13)
    eta = linear_predictor(posterior.design.X, 0.0, posterior.design.terms, posterior.values)
    np.testing.assert_allclose(whole, np.exp(eta).mean(axis=(0, 1)), rtol=1e-12)
