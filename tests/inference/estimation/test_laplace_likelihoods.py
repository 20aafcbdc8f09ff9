"""The Laplace approximation at many points against that at each."""

from __future__ import annotations

import numpy as np
import pytest

import bayesmix as bmx
from bayesmix.inference.estimation.conditional_mode import generalized_problem
from bayesmix.inference.estimation.generalized import MarginalLikelihood, _batched
from bayesmix.inference.estimation.methods import Agq, Laplace
from bayesmix.inference.estimation.optimise import Batched, difference
from bayesmix.inference.least_squares.scaling import coordinates


def likelihood_of(model, method) -> MarginalLikelihood:
    design, spec = model.design, model.spec
    return MarginalLikelihood(generalized_problem(design, coordinates(design), spec), method)


@pytest.mark.parametrize("name", ["cbpp", "esoph poisson", "nbsim"])
def test_many_points_have_the_values_and_gradients_of_each(model, name):
    likelihood = likelihood_of(model(name), Laplace())
    objective = _batched(likelihood)
    assert isinstance(objective, Batched)
    size = likelihood.problem.coordinates.size + likelihood.problem.X.shape[1] + int(likelihood.has_dispersion)
    x = np.full(size, 0.3) + 0.1 * np.random.default_rng(1).normal(size=(4, size))
    values, gradients = objective.at_many(x)
    for point, value, gradient in zip(x, values, gradients, strict=True):
        expected = likelihood(point)
        np.testing.assert_allclose(value, expected[0], rtol=1e-10)
        np.testing.assert_allclose(gradient, expected[1], rtol=1e-6, atol=1e-7)
    np.testing.assert_allclose(difference(objective, x[0]), difference(likelihood, x[0]), rtol=1e-6, atol=1e-4)


def test_quadrature_has_its_points_one_by_one(model):
    likelihood = likelihood_of(model("cbpp"), Agq(5))
    assert _batched(likelihood) is likelihood


def test_modes_on_the_other_side_of_a_link_are_not_mixed_in(monkeypatch):
    """A sqrt link has two modes, one on each side of zero: differences of gradients must be of one of them."""
    model = bmx.Model("y ~ x + z + (1 | g)", bmx.load_dataset("nbsim"), "poisson", link="sqrt")
    together = model.estimate()
    assert together.problems == []
    monkeypatch.setattr("bayesmix.inference.estimation.generalized.SMALL", 0)
    np.testing.assert_allclose(together.point.beta_cov, model.estimate().point.beta_cov, rtol=1e-3, atol=1e-8)
