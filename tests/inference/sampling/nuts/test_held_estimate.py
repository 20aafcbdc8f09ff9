"""Estimates that run off, held by their priors before NUTS starts: against a dense formula, and by grids."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import bayesmix as bmx
from bayesmix.inference.sampling.nuts.held_estimate import held_by_priors

PRIORS = {"Intercept": "Normal(1, 3)", "x": "StudentT(3, 0, 2)", "sd": "HalfNormal(1)", "sigma": "HalfNormal(1)"}


def straight() -> bmx.Model:
    rng = np.random.default_rng(2)
    x, g = rng.normal(size=30), np.arange(30) % 5
    data = {"y": 1.0 + x + rng.normal(size=5)[g] + rng.normal(size=30), "x": x, "g": g}
    return bmx.Model("y ~ x + (1 | g)", data, priors=PRIORS)


def test_an_estimate_that_priors_reach_stays() -> None:
    model = straight()
    point = model.estimate("ml").point
    assert held_by_priors(model.priors, point) is point


@pytest.mark.parametrize("errors", [[[900.0, -30.0], [-30.0, 4.0]], [[4.0, 200.0], [200.0, 4e4]]])
def test_what_runs_off_has_the_normal_posterior_under_its_priors(errors: list[list[float]]) -> None:
    model = straight()
    contrast = model.priors.contrast
    back = np.linalg.inv(contrast)
    gamma, covariance = np.array([-40.0, 25.0]), np.array(errors)
    point = replace(model.estimate("ml").point, beta=back @ gamma, beta_cov=back @ covariance @ back.T)
    found = held_by_priors(model.priors, point)
    information, precision = np.linalg.inv(covariance), np.diag([3.0**-2, 2.0**-2])
    whole = np.linalg.inv(information + precision)
    np.testing.assert_allclose(contrast @ found.beta_cov @ contrast.T, whole, rtol=1e-9)
    middle = whole @ (information @ gamma + precision @ np.array([1.0, 0.0]))
    np.testing.assert_allclose(contrast @ found.beta, middle, rtol=1e-9)


def test_what_has_no_standard_error_is_where_its_prior_is() -> None:
    model = straight()
    point = model.estimate("ml").point
    found = held_by_priors(model.priors, replace(point, beta_cov=np.full((2, 2), np.nan)))
    np.testing.assert_allclose(model.priors.contrast @ found.beta, [1.0, 0.0], atol=1e-12)
    errors = np.diagonal(model.priors.contrast @ found.beta_cov @ model.priors.contrast.T)
    np.testing.assert_allclose(np.sqrt(errors), [3.0, 2.0], rtol=1e-9)
