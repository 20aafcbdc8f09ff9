"""Shapes of stored numbers, of fits of several kinds of models: as their designs say, and one by one not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from bayesmix.results.storage.store_files import Damage
from bayesmix.results.storage.stored_shapes import check_draws, check_estimate

SINGLE = ("beta", "beta_cov", "theta")
PER_TERM = ("covariances", "b", "b_cov")
OPTIMUM = ("x", "gradient", "hessian")


def shorter(array):
    return array[..., :-1]


def of_estimate(estimate):
    """The estimate with each of its arrays in turn cut off."""
    for name in SINGLE:
        yield replace(estimate, **{name: shorter(getattr(estimate, name))})
    for name in PER_TERM:
        yield replace(estimate, **{name: (shorter(getattr(estimate, name)[0]), *getattr(estimate, name)[1:])})
    for name in OPTIMUM:
        yield replace(estimate, optimum=replace(estimate.optimum, **{name: shorter(getattr(estimate.optimum, name))}))


def test_estimates(fitted):
    fit = fitted("sleepstudy")
    check_estimate(fit.point, fit.design, fit.spec)
    damaged = list(of_estimate(fit.point))
    assert len(damaged) == 9
    for point in damaged:
        with pytest.raises(Damage, match=r"has the shape \(.*\), where the model has \("):
            check_estimate(point, fit.design, fit.spec)


def test_dispersions_are_of_the_family(fitted):
    fit, counts = fitted("sleepstudy"), fitted("esoph poisson")
    check_estimate(counts.point, counts.design, counts.spec)
    with pytest.raises(Damage, match="the dispersion is None, where that of the model is sigma"):
        check_estimate(replace(fit.point, dispersion=None), fit.design, fit.spec)
    with pytest.raises(Damage, match=r"the dispersion is 3\.0, where that of the model is None"):
        check_estimate(replace(counts.point, dispersion=3.0), counts.design, counts.spec)


@pytest.mark.parametrize("part", ["beta", "sd", "corr", "b", "dispersion"])
def test_draws(posterior_of, part):
    post = posterior_of("sleepstudy", spread=0.1)
    check_draws(post.values, post.draws.stats, None, post.design)
    own = getattr(post.values, part)
    values = replace(post.values, **{part: (shorter(own[0]),) if isinstance(own, tuple) else shorter(own)})
    with pytest.raises(Damage, match="has the shape"):
        check_draws(values, {}, None, post.design)


def test_statistics_and_states_are_of_the_same_draws(posterior_of):
    post = posterior_of("sleepstudy", spread=0.1)
    chains, draws = post.values.lead
    check_draws(post.values, {"lp": np.zeros((chains, draws))}, np.zeros((chains, 3)), post.design)
    with pytest.raises(Damage, match="`lp` has the shape"):
        check_draws(post.values, {"lp": np.zeros((chains, draws + 1))}, None, post.design)
    with pytest.raises(Damage, match="`state` has the shape"):
        check_draws(post.values, {}, np.zeros((chains + 1, 3)), post.design)
