"""Default priors of ranges: nearly all of their mass where distances of the data can tell a range."""

from __future__ import annotations

import pytest
from scipy.stats import invgamma, lognorm

import bayesmix as bmx
from bayesmix.errors import SpecError
from bayesmix.inference.parameters.distance_correlation import Exponential, Matern
from bayesmix.inference.parameters.range_priors import default_priors

SLEEP = bmx.load_dataset("sleepstudy").head(40)


@pytest.mark.parametrize("places", [(0.0, 1.0, 9.0), (0.0, 1.0), (0.0, 1e-4, 500.0)])
def test_ranges_are_from_half_the_least_to_twice_the_largest_distance(places):
    family = Exponential(len(places), tuple((place,) for place in places))
    (prior,) = default_priors(family)
    shape, scale = prior.arguments
    nearest, farthest = family.span
    assert invgamma(shape, scale=scale).cdf(0.5 * nearest) == pytest.approx(0.01, rel=0.1)
    assert invgamma(shape, scale=scale).sf(2.0 * farthest) == pytest.approx(0.01, rel=0.1)


def test_smoothness_is_from_rough_to_smooth():
    _, prior = default_priors(Matern(2, ((0.0,), (1.0,))))
    mu, sigma = prior.arguments
    assert lognorm(sigma, scale=1.0).cdf([0.25, 4.0]) == pytest.approx([0.024, 0.976], abs=0.002)
    assert mu == 0.0


def test_users_state_them_by_name():
    for name in ("range(Subject)", "range"):
        model = bmx.Model("Reaction ~ Days + ou(Days | Subject)", SLEEP, priors={name: "Gamma(2, 1)"})
        assert [str(prior) for prior in model.priors.corr[0]] == ["Gamma(2, 1)"]
        assert "range(Subject)" in str(model.priors)
    with pytest.raises(SpecError, match="is positive"):
        _ = bmx.Model("Reaction ~ Days + ou(Days | Subject)", SLEEP, priors={"range": "Normal(0, 1)"}).priors
    with pytest.raises(SpecError, match=r"No parameter is called `corr\(Subject\)`"):
        _ = bmx.Model("Reaction ~ Days + ou(Days | Subject)", SLEEP, priors={"corr(Subject)": "LKJ(2)"}).priors
