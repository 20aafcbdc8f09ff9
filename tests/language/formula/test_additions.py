"""What stands beside a response: text to record and back, what suits which family, refusals."""

from __future__ import annotations

import pytest

from bayesmix.errors import BayesmixError, FormulaError, SpecError
from bayesmix.language.formula.additions import NOTHING, Additions
from bayesmix.language.formula.model_spec import make_spec
from bayesmix.language.formula.parse import parse

READ = {
    "y ~ x": NOTHING,
    "y | cens(c) ~ x": Additions(censored="c"),
    "y | cens(c, y2) ~ x": Additions(censored="c", upper="y2"),
    "y | cens(c, y2 = top + 1) ~ x": Additions(censored="c", upper="top + 1"),
    "y | cens(1 - event) ~ x": Additions(censored="1 - event"),
    "y | trunc(lb = 0) ~ x": Additions(lb="0"),
    "y | trunc(ub = u) ~ x": Additions(ub="u"),
    "y | trunc(-1, 5) ~ x": Additions(lb="-1", ub="5"),
    "y | trials(10) ~ x": Additions(trials="10"),
    "y | weights(w) ~ x": Additions(weights="w"),
    "y | rate(d) ~ x": Additions(rate="d"),
    "y | se(s) ~ x": Additions(se="s"),
    "y | se(sqrt(v), sigma = TRUE) ~ x": Additions(se="sqrt(v)", sigma="TRUE"),
    "y | se(s, sigma = FALSE) + cens(c) ~ x": Additions(se="s", sigma="FALSE", censored="c"),
    "y|cens(c)+trunc(ub=u)+weights(w) ~ x": Additions(censored="c", ub="u", weights="w"),
    "log(y) | weights(w) + cens(c) ~ x": Additions(censored="c", weights="w"),
}


@pytest.mark.parametrize("text", READ)
def test_text_to_record_and_back(text):
    formula = parse(text)
    assert formula.additions == READ[text]
    assert parse(str(formula)) == formula
    assert formula.response in {"y", "log(y)"}
    assert set(formula.additions.columns) <= set(formula.columns)


def test_several_responses_have_their_own():
    families = {"a": "student", "b": "student", "z": "gaussian"}
    spec = make_spec(["a | cens(c) ~ x", "b | weights(w) ~ x", "z ~ x"], families, None, None)
    assert [str(one.additions) for one in spec.responses] == ["cens(c)", "weights(w)", ""]
    assert [one.name for one in spec.responses] == ["a", "b", "z"]
    assert [one.is_linear for one in spec.responses] == [False, False, True]
    both = make_spec("mvbind(a, b) | cens(c) ~ x", "gaussian", None, None)
    assert [str(one.additions) for one in both.responses] == ["cens(c)"] * 2


def test_bounds_make_a_model_generalized():
    assert make_spec("y ~ x", "gaussian", None, None).is_linear
    for beside in ("cens(c)", "trunc(lb = 0)", "trunc(ub = u) + cens(c)"):
        assert not make_spec(f"y | {beside} ~ x", "gaussian", None, None).is_linear


def test_text_of_a_model_is_read_back():
    spec = make_spec({"mu": "y | cens(c) ~ x + (1 | g)", "sigma": "~ x"}, "gaussian", None, None)
    again = make_spec(spec.text, "gaussian", None, None)
    assert again == spec


def test_rates_are_offsets():
    spec = make_spec("y | rate(d) ~ x + offset(z)", "poisson", None, None)
    assert spec.formula.offsets == ("z", "log(d)")
    assert make_spec(spec.text, "poisson", None, None) == spec


RATES = {  # family: the formulas that brms's code is of (its Stan code has `mu + log_denom` and `shape * denom`)
    ("y | rate(d) ~ x", "nbinom1"): (["y ~ x + offset(log(d))"], "nbinom1"),  # the same law over any time
    ("y | rate(d) ~ x", "negbinomial"): (["y ~ x + offset(log(d))", "shape ~ 1 + offset(log(d))"], "negbinomial"),
    ("y | rate(d) ~ x; shape ~ z", "negbinomial"): (
        ["y ~ x + offset(log(d))", "shape ~ z + offset(log(d))"],
        "negbinomial",
    ),
    ("y | rate(d) ~ x", "geometric"): (["y ~ x + offset(log(d))", "shape ~ 0 + offset(log(d))"], "negbinomial"),
}


@pytest.mark.parametrize("case", RATES)
def test_what_grows_with_the_time_of_counts_has_the_offset(case):
    formula, family = case
    spec, (texts, whole) = make_spec(formula, family, None, None), RATES[case]
    other = make_spec(texts, whole, None, None)
    assert spec.family.name == whole
    assert spec.R == other.R
    for one, two in zip(spec.predictors, other.predictors, strict=True):
        assert (one.formula.fixed, one.formula.offsets) == (two.formula.fixed, two.formula.offsets)
        assert (one.prefix, one.link, one.parameter) == (two.prefix, two.link, two.parameter)
    assert make_spec(spec.text, spec.family, None, None) == spec


def test_a_formula_of_the_mean_keeps_them():
    spec = make_spec(["y | rate(d) ~ 1", "mu ~ x"], "poisson", None, None)
    assert str(spec.formula) == "y | rate(d) ~ x + offset(log(d))"


def test_weights_multiply_densities_whatever_the_family():
    spec = make_spec(["a | weights(w) ~ x", "b ~ x"], "gaussian", None, None)
    assert [one.family.weights for one in spec.responses] == ["likelihood", "precision"]
    assert spec.has_linear_means


REFUSED = {  # formula, family: what the message says
    ("y | cens() ~ x", "gaussian"): "wrong arguments",
    ("y | cens(c, y2, z) ~ x", "gaussian"): "cens(c, y2)",
    ("y | cens(status = c) ~ x", "gaussian"): "wrong arguments",
    ("y | trunc() ~ x", "gaussian"): "trunc(lb = 0, ub = 10)",
    ("y | trunc(lb = 1, lb = 2) ~ x", "gaussian"): "wrong arguments",
    ("y | weights(w, scale = TRUE) ~ x", "gaussian"): "weights(x)",
    ("y | cens(c) + cens(d) ~ x", "gaussian"): "stands here twice",
    ("y | w ~ x", "gaussian"): "`w` says nothing of a response",
    ("y | log(w) ~ x", "gaussian"): "`cens()`, `trunc()`, `trials()`",
    ("y | cens(c) | weights(w) ~ x", "gaussian"): "A response takes one `|`",
    ("y || cens(c) ~ x", "gaussian"): "A response takes one `|`",
    ("y ~ x + weights(w)", "gaussian"): "`weights()` does not belong here",
    ("y ~ cens(x)", "gaussian"): "beside a response",
    ("cens(y) ~ x", "gaussian"): "beside a response",
    ("y | trials(n) ~ x", "poisson"): "has no trials",
    ("y | rate(d) ~ x", "gaussian"): "of counts with a log link",
    ("y | rate(d) ~ x", "zero_inflated_negbinomial"): "over another time have another distribution",
    ("y | rate(d) ~ x; shape ~ z", "geometric"): "shape",
    ("y | rate(d) ~ x", "truncated_poisson"): "offset(log(d))",
    ("y | trunc(ub = 3) ~ x", "cumulative"): "Families with one: gaussian, poisson,",
    ("y ~ x; sigma | weights(w) ~ x", "gaussian"): "beside the response",
}


@pytest.mark.parametrize("case", REFUSED)
def test_refusals(case):
    formula, family = case
    with pytest.raises((FormulaError, SpecError)) as caught:
        make_spec(formula, family, None, None)
    assert isinstance(caught.value, BayesmixError)
    assert REFUSED[case] in str(caught.value)
