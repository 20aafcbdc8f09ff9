"""Sets of estimates: values with a leading axis."""

from __future__ import annotations

import numpy as np
import pytest

import bayesmix as bmx
from bayesmix.inference.estimation.estimate import estimate
from bayesmix.inference.estimation.point_estimates import joined, none_of, one_of
from bayesmix.inference.estimation.refits import refit_all
from bayesmix.results.fits.linear_predictor import flatten


@pytest.fixture(scope="module")
def fit():
    return bmx.Model("Reaction ~ Days + (Days | Subject)", bmx.load_dataset("sleepstudy")).estimate()


def test_one_estimate_is_a_set_of_one(fit):
    one = one_of(fit.point)
    np.testing.assert_array_equal(flatten(fit.design, one.parameters), flatten(fit.design, fit.values)[None])
    np.testing.assert_array_equal(one.parameters.b[0][0], fit.values.b[0])
    assert (len(one), one.converged.tolist(), one.failed.tolist()) == (1, [True], [False])


def test_sets_end_to_end(fit):
    one = one_of(fit.point)
    three = joined([one, none_of(one), one])
    assert three.failed.tolist() == [False, True, False]
    assert three.converged.tolist() == [True, False, True]
    values = flatten(fit.design, three.parameters)
    np.testing.assert_array_equal(np.isnan(values).all(axis=1), three.failed)
    whole = three.with_others(np.array([1]), one)
    np.testing.assert_array_equal(whole.beta, np.tile(fit.point.beta, (3, 1)))
    assert not whole.failed.any()


def test_one_of_a_set_is_an_estimate(fit):
    found = joined([none_of(one_of(fit.point)), one_of(fit.point)]).one(1, fit.point)
    np.testing.assert_array_equal(flatten(fit.design, found.parameters), flatten(fit.design, fit.values))
    assert (found.criterion, found.singular) == (fit.criterion, fit.point.singular)
    np.testing.assert_array_equal(found.beta_cov, fit.point.beta_cov)


def test_one_of_a_set_has_its_own_optimum(fit):
    """With the derivatives of its own criterion, and without conditional covariances, which were not computed."""
    responses = [np.stack([fit.design.y, fit.fitted() + np.random.default_rng(0).normal(0.0, 20.0, fit.design.n)])]
    found = refit_all(fit.design, fit.spec, fit.point.method, responses, fit.point)
    one = found.one(1, fit.point)
    alone = estimate(fit.design.with_response(responses[0][1]), fit.spec, fit.point.method)
    np.testing.assert_allclose(flatten(fit.design, one.parameters), flatten(fit.design, alone.parameters), rtol=1e-4)
    np.testing.assert_allclose(one.optimum.x, alone.optimum.x, atol=1e-4)
    np.testing.assert_allclose(one.optimum.hessian, alone.optimum.hessian, rtol=1e-2, atol=0.1)
    assert one.optimum.status is alone.optimum.status
    assert np.isnan(one.b_cov[0]).all()
