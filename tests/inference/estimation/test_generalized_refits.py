"""The batch of a generalized model's refits: criteria and gradients of all responses, and where it starts."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import bayesmix as bmx
from bayesmix.inference.estimation import generalized_refits
from bayesmix.inference.estimation.conditional_mode import generalized_problem
from bayesmix.inference.estimation.conditional_modes import with_responses
from bayesmix.inference.estimation.generalized import MarginalLikelihood
from bayesmix.inference.estimation.generalized_refits import LaplaceLikelihoods, refit_laplace
from bayesmix.inference.estimation.methods import Laplace

MODELS = {
    "cbpp": ("cbind(incidence, size - incidence) ~ period + (1 | herd)", "cbpp", "binomial"),
    "overdispersed": ("TICKS ~ YEAR + (1 | BROOD)", "grouseticks", "negbinomial"),
}


@pytest.fixture(scope="module", params=MODELS)
def batch(request):
    formula, data, family = MODELS[request.param]
    fit = bmx.Model(formula, bmx.load_dataset(data), family=family).estimate()
    rng = np.random.default_rng(1)
    size = (3, fit.design.n)
    responses = np.round(rng.uniform(size=size) * fit.design.trials)
    if family == "negbinomial":
        responses = rng.negative_binomial(1, 0.2, size).astype(float)
    return fit, responses, generalized_problem(fit.design, fit.point.coordinates, fit.spec)


def test_values_and_gradients_are_those_of_each_response(batch):
    fit, responses, problem = batch
    x = fit.point.optimum.x + 0.2 * np.random.default_rng(2).normal(size=(3, len(fit.point.optimum.x)))
    values, gradients = LaplaceLikelihoods(with_responses(problem, responses), 3)(np.arange(3), x)
    for i in range(3):
        value, gradient = MarginalLikelihood(with_responses(problem, responses[i]), Laplace())(x[i])
        np.testing.assert_allclose(values[i], value, rtol=1e-10)
        np.testing.assert_allclose(gradients[i], gradient, rtol=1e-6, atol=1e-6)


def test_modes_are_remembered_by_the_response(batch):
    fit, responses, problem = batch
    likelihoods = LaplaceLikelihoods(with_responses(problem, responses), 3)
    x = np.tile(fit.point.optimum.x, (2, 1))
    first, _ = likelihoods(np.array([2, 0]), x)
    again, _ = likelihoods(np.array([0, 2]), x)
    np.testing.assert_allclose(again, first[::-1], rtol=1e-10)


def test_pieces_and_starts_change_nothing(batch, monkeypatch):
    fit, responses, problem = batch
    many = with_responses(problem, responses)
    whole = refit_laplace(many, 3, fit.point)
    monkeypatch.setattr(generalized_refits, "NUMBERS", 2 * fit.design.n)
    cold = refit_laplace(many, 3, replace(fit.point, singular=(0,)))
    np.testing.assert_allclose(cold.criterion, whole.criterion, rtol=1e-9)


def test_separated_outcomes_are_left_to_single_fits(batch):
    fit, _, problem = batch
    if problem.has_dispersion:
        pytest.skip("counts")
    period = np.asarray(fit.design.X[:, 1] == 1.0)
    none = np.where(period, 0.0, fit.design.y)[None]
    found = refit_laplace(with_responses(problem, none), 1, fit.point)
    assert not found.converged[0]
