"""The restricted likelihood of generalized models: REML where that exists, integration by hand elsewhere."""

from __future__ import annotations

import numpy as np
import pytest

import bayesmix as bmx
from bayesmix.inference.estimation.conditional_mode import generalized_problem
from bayesmix.inference.estimation.estimate import estimate
from bayesmix.inference.estimation.generalized import MarginalLikelihood
from bayesmix.inference.estimation.laplace_reml import restricted_estimate
from bayesmix.inference.estimation.methods import Agq, Laplace


def test_it_is_reml_for_gaussian_responses():
    """The generalized engine on a linear model, where Laplace's method is exact for random and fixed effects."""
    model = bmx.Model("Yield ~ 1 + (1 | Batch)", bmx.load_dataset("Dyestuff"))
    design, spec = model.design, model.spec
    found = restricted_estimate(design, spec, estimate(design, spec, Laplace()))
    reml = model.estimate()
    assert found is not None
    assert np.sqrt(found.covariances[0][0, 0]) == pytest.approx(reml.values.sd[0][0], rel=1e-3)
    assert found.dispersion == pytest.approx(float(reml.values.dispersion), rel=1e-3)
    assert found.beta == pytest.approx(reml.values.beta, rel=1e-6)
    assert found.b[0].ravel() == pytest.approx(reml.values.b[0].ravel(), rel=1e-2)


def test_it_is_the_integral_over_the_fixed_effect():
    """Counts of eight groups, the intercept integrated on a grid."""
    rng = np.random.default_rng(8)
    codes = np.repeat(np.arange(8), 3)
    data = {"g": [f"g{code}" for code in codes], "n": rng.poisson(np.exp(1.0 + 0.8 * rng.normal(size=8)[codes]))}
    model = bmx.Model("n ~ 1 + (1 | g)", data, family="poisson")
    design, spec = model.design, model.spec
    point = estimate(design, spec, Agq(9))
    found = restricted_estimate(design, spec, point)
    assert found is not None
    likelihood = MarginalLikelihood(generalized_problem(design, point.coordinates, spec), Agq(9))
    betas = point.optimum.x[1] + np.linspace(-3.0, 3.0, 41)

    def integral(theta):
        values = np.array([likelihood.value(np.array([theta, beta])) for beta in betas])
        return np.log(np.sum(np.exp(-0.5 * (values - values.min())))) - 0.5 * values.min()

    near = found.theta[0] + np.array([-0.02, 0.0, 0.02])
    low, middle, high = map(integral, near)
    top = near[1] + 0.01 * (high - low) / (2.0 * middle - low - high)
    assert found.theta[0] == pytest.approx(top, abs=0.01)
    assert found.theta[0] > 1.02 * abs(point.theta[0])


@pytest.mark.parametrize("cap", ["MAX_NEWTON", "MAX_STEPS"])
def test_a_search_that_comes_to_its_cap_has_no_result(monkeypatch, cap):
    monkeypatch.setattr(f"bayesmix.inference.estimation.laplace_reml.{cap}", 1)
    model = bmx.Model("ncases ~ ncontrols + (1 | agegp)", bmx.load_dataset("esoph"), family="poisson")
    point = model.estimate().point
    assert restricted_estimate(model.design, model.spec, point) is None


def test_many_fixed_effects_are_not_tried(monkeypatch):
    monkeypatch.setattr("bayesmix.inference.estimation.laplace_reml.MOST", 0)
    model = bmx.Model("ncases ~ ncontrols + (1 | agegp)", bmx.load_dataset("esoph"), family="poisson")
    point = model.estimate().point
    assert restricted_estimate(model.design, model.spec, point) is None


def test_linear_models_have_reml():
    model = bmx.Model("Yield ~ 1 + (1 | Batch)", bmx.load_dataset("Dyestuff"))
    point = model.estimate("ml").point
    assert restricted_estimate(model.design, model.spec, point) is None
