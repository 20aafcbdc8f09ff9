"""Words of a specification that read back to it."""

from __future__ import annotations

import json

import pytest

from bayesmix.language.formula.model_spec import make_spec
from bayesmix.language.formula.spec_words import read_spec, spec_words

SPECS = {
    "simple": ("y ~ x + (x | g)", "gaussian", "log", {"sd": "HalfNormal(0.1)", "preset": "flat"}, False),
    "sigma": (["y ~ x", "sigma ~ (1 | g)"], "gaussian", "log", None, False),
    "a response called sigma": ("sigma ~ x; sigma ~ z", "gaussian", None, None, False),
    "responses called as parameters": ("mu_x ~ x; x ~ z", "gaussian", {"mu_x": "log"}, None, False),
    "families": (
        ["a ~ x", "cbind(s, f) ~ x"],
        {"a": "gamma", "cbindsf": "binomial"},
        {"cbind(s,f)": "probit"},
        None,
        False,
    ),
    "residual correlation": ("mvbind(a, log(b)) ~ (1 | p | g); sigma_a ~ x", "gaussian", None, "brms", True),
}


@pytest.mark.parametrize("name", SPECS)
def test_words_of_a_model_are_read_back(name):
    formula, family, link, priors, rescor = SPECS[name]
    spec = make_spec(formula, family, link, priors, rescor=rescor)
    words = json.loads(json.dumps(spec_words(spec)))
    assert read_spec(words) == spec
    assert words["formula"] == spec.text
