"""Sets of estimates: values with a leading axis."""

from __future__ import annotations

import numpy as np
import pytest

import bayesmix as bmx
from bayesmix.inference.estimation.point_estimates import joined, none_of, one_of
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
