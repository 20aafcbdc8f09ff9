"""The batch of a linear model's refits: its pieces, its cross-products and where it starts."""

from __future__ import annotations

import numpy as np
import pytest

import bayesmix as bmx
from bayesmix.inference.estimation import linear_refits
from bayesmix.inference.estimation.linear_refits import refit_linear
from bayesmix.inference.estimation.moment_start import moment_start
from bayesmix.inference.estimation.reml import linear_problem, of_some, with_responses

FORMULAS = {
    "correlated": ("Reaction ~ Days + (Days | Subject)", "sleepstudy"),
    "crossed": ("diameter ~ 1 + (1 | plate) + (1 | sample)", "Penicillin"),
}


@pytest.fixture(scope="module", params=FORMULAS)
def batch(request):
    formula, data = FORMULAS[request.param]
    rng = np.random.default_rng(0)
    data = bmx.load_dataset(data)
    fit = bmx.Model(formula, data, weights=rng.uniform(0.5, 2.0, len(data))).estimate()
    responses = fit.fitted().to_numpy() + float(fit.point.dispersion) * rng.normal(size=(5, fit.design.n))
    problem = linear_problem(fit.design, fit.point.coordinates)
    return fit, responses, with_responses(problem, fit.design, responses)


def test_cross_products_are_those_of_each_response(batch):
    fit, responses, many = batch
    for i, y in enumerate(responses):
        one = linear_problem(fit.design.with_response(y), fit.point.coordinates)
        own = of_some(many, np.array([i]))
        np.testing.assert_allclose(own.beta_ols[0], one.beta_ols, rtol=1e-10)
        np.testing.assert_allclose(own.moments.XX[0], one.moments.XX, rtol=1e-9, atol=1e-6)
        for found, expected in zip(own.moments.B, one.moments.B, strict=True):
            np.testing.assert_allclose(found[0], expected, rtol=1e-9, atol=1e-6)


def test_starts_by_moments_are_those_of_each_response(batch):
    fit, responses, many = batch
    found = moment_start(many)
    for i, y in enumerate(responses):
        one = linear_problem(fit.design.with_response(y), fit.point.coordinates)
        np.testing.assert_allclose(found[i], moment_start(one), rtol=1e-9)


def test_pieces_change_nothing(batch, monkeypatch):
    fit, _, many = batch
    whole = refit_linear(many, fit.point.method, fit.point, moment_start(many))
    monkeypatch.setattr(linear_refits, "NUMBERS", 1)
    in_pieces = refit_linear(many, fit.point.method, fit.point, moment_start(many))
    np.testing.assert_allclose(in_pieces.criterion, whole.criterion, rtol=1e-13)
    np.testing.assert_allclose(in_pieces.beta, whole.beta, rtol=1e-9)


def test_the_curvature_to_begin_with_changes_nothing(batch):
    fit, _, many = batch
    warm, cold = (refit_linear(many, fit.point.method, near, moment_start(many)) for near in (fit.point, None))
    np.testing.assert_allclose(warm.criterion, cold.criterion, rtol=1e-11)
