"""Parameters asked for by name."""

from __future__ import annotations

import pytest

from bayesmix.errors import SpecError
from bayesmix.language.formula.model_spec import make_spec
from bayesmix.language.formula.response_levels import with_levels
from bayesmix.results.fits.chosen_parameter import choose

SPECS = {
    "simple": make_spec("y ~ x", "gaussian", None, None),
    "sigma": make_spec(["y ~ x", "sigma ~ x"], "gaussian", None, None),
    "ratings": with_levels(make_spec("r ~ x", "cumulative", None, None), [("a", "b", "c")]),
    "several": make_spec(["a ~ x", "log(b) ~ x", "shape_logb ~ x"], {"a": "gaussian", "log(b)": "gamma"}, None, None),
}

# model, parameter, response -> positions of response, parameter and predictor, and the link
FOUND = [
    ("simple", None, None, (0, 0, 0), "identity"),
    ("simple", "mu", "y", (0, 0, 0), "identity"),
    ("sigma", None, None, (0, 0, 0), "identity"),
    ("sigma", "sigma", None, (0, 1, 1), "log"),
    ("several", None, None, (0, 0, 0), "identity"),
    ("several", "sigma", None, (0, 1, 1), "log"),
    ("several", "mu", "logb", (1, 0, 2), "log"),
    ("several", "shape", "log(b)", (1, 1, 3), "log"),
]

WRONG = {
    ("simple", "zi", None): "Family `gaussian` has no parameter=`zi`. Parameters: mu, sigma.",
    ("simple", "sigm", None): "Did you mean `sigma`",
    ("simple", 3, None): "has no parameter=`3`",
    ("simple", "sigma", None): "`sigma` has no linear predictor in this model: it is one number for all rows",
    ("ratings", "disc", None): r'`disc` is one in all rows: it is a parameter where .* \["r ~ x", "disc ~ ..."\]',
    ("ratings", "zi", None): "Family `cumulative` has no parameter=`zi`",
    ("several", "shape", None): "Family `gaussian` of `a` has no parameter=`shape`",
    ("several", None, "c"): r"`c` is not a response of the model. Responses: a, log\(b\).",
    ("several", None, 1): "`1` is not a response",
    ("sigma", None, ""): "`` is not a response",
}


@pytest.mark.parametrize(("model", "parameter", "response", "places", "link"), FOUND)
def test_places(model, parameter, response, places, link):
    chosen = choose(SPECS[model], parameter, response)
    assert (chosen.response, chosen.parameter, chosen.predictor) == places
    assert chosen.link.name == link


@pytest.mark.parametrize(("model", "parameter", "response"), WRONG)
def test_what_does_not_exist_is_refused_by_name(model, parameter, response):
    with pytest.raises(SpecError, match=WRONG[model, parameter, response]):
        choose(SPECS[model], parameter, response)
