"""Models with the categories of their responses: thresholds between neighbours, links, formulas."""

from __future__ import annotations

import pytest

from bayesmix.language.formula.model_spec import Auxiliary, make_spec
from bayesmix.language.formula.response_levels import with_levels

LEVELS = ("lo", "mid", "hi")


def test_thresholds_are_called_by_the_levels_they_part():
    spec = with_levels(make_spec("y ~ x + (1 | g)", "cumulative", "probit", None), [LEVELS])
    thresholds = [one for one in spec.parameters if isinstance(one, Auxiliary)]
    assert [one.name for one in thresholds] == ["lo|mid", "mid|hi"]
    assert all(one.is_threshold and one.link.name == "identity" for one in thresholds)
    assert (spec.link.name, spec.link.is_latent, spec.link.latent_variance) == ("probit", True, 1.0)


def test_discrimination_is_there_where_it_has_a_formula():
    plain = with_levels(make_spec("y ~ x", "cumulative", None, None), [LEVELS])
    scaled = with_levels(make_spec(["y ~ x", "disc ~ z"], "cumulative", None, None), [LEVELS])
    assert [parameter.name for parameter in plain.family.parameters] == ["mu", "lo|mid", "mid|hi"]
    assert [parameter.name for parameter in scaled.family.parameters] == ["mu", "lo|mid", "mid|hi", "disc"]
    assert [one.formula.fixed for one in scaled.predictors] == ["x", "z"]


def test_scores_of_categories_share_a_formula():
    spec = with_levels(make_spec("y ~ x + (1 | g)", "categorical", None, None), [LEVELS])
    assert [one.prefix for one in spec.predictors] == ["mumid_", "muhi_"]
    assert len({one.formula for one in spec.predictors}) == 1


def test_of_several_responses_each_has_its_own():
    spec = make_spec(["a ~ x + (1 | p | g)", "b ~ x + (1 | p | g)"], {"a": "cumulative", "b": "gaussian"}, None, None)
    found = with_levels(spec, [LEVELS, None])
    names = [one.name for one in found.parameters if isinstance(one, Auxiliary)]
    assert names == ["lo|mid_a", "mid|hi_a", "sigma_b"]


@pytest.mark.parametrize("family", ["gaussian", "poisson"])
def test_responses_that_are_numbers_stay(family):
    spec = make_spec("y ~ x", family, None, None)
    assert with_levels(spec, [None]).responses == spec.responses
