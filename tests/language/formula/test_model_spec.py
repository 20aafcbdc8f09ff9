"""What formulas are of: predictors and auxiliary parameters of responses, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bayesmix.errors import FormulaError, SpecError
from bayesmix.language.families.registry import FAMILIES, find_family
from bayesmix.language.formula.model_spec import ModelSpec, make_spec
from bayesmix.language.formula.parse import Formula, parse

TWO = {"a": "gaussian", "b": "poisson"}


def spec(formula: Any, family: Any = "gaussian", link: Any = None, **options: Any) -> ModelSpec:
    return make_spec(formula, family, link, None, **options)


def predictors(found: ModelSpec) -> dict[str, str]:
    return {
        f"{found.responses[p.response].label} {found.responses[p.response].family.parameters[p.parameter].name}"
        f" {p.prefix} {p.link.name}": str(p.formula)
        for p in found.predictors
    }


def auxiliaries(found: ModelSpec) -> list[str]:
    return [f"{found.responses[a.response].label} {a.name} {a.link.name}" for a in found.auxiliaries]


SIMPLE = {"y mu  identity": "y ~ x"}
BOTH = {"y mu  identity": "y ~ x", "y sigma sigma_ log": "~ z + (1 | g)"}
PREDICTORS: dict[str, tuple[Callable[[], ModelSpec], dict[str, str], list[str]]] = {
    "one formula": (lambda: spec("y ~ x"), SIMPLE, ["y sigma log"]),
    "one formula in a list": (lambda: spec(["y ~ x"]), SIMPLE, ["y sigma log"]),
    "one formula in a dictionary": (lambda: spec({"mu": "y ~ x"}), SIMPLE, ["y sigma log"]),
    "no other parameter": (lambda: spec("y ~ x", "poisson"), {"y mu  log": "y ~ x"}, []),
    "sigma": (lambda: spec(["y ~ x", "sigma ~ z + (1 | g)"]), BOTH, []),
    "sigma of y": (lambda: spec(["y ~ x", "sigma_y ~ z + (1 | g)"]), BOTH, []),
    "sigma in a dictionary": (lambda: spec({"sigma": "~ z + (1|g)", "mu": "y ~ x"}), BOTH, []),
    "sigma in bf": (lambda: spec("bf(y ~ x, sigma ~ z + (1|g))"), BOTH, []),
    "mu beside a bare response": (lambda: spec("y ~ 1; mu ~ x; sigma ~ z + (1|g)"), BOTH, []),
    "an offset of sigma": (
        lambda: spec("y ~ x; sigma ~ offset(log(w))"),
        {"y mu  identity": "y ~ x", "y sigma sigma_ log": "~ 1 + offset(log(w))"},
        [],
    ),
    "shape": (
        lambda: spec("y ~ x; shape ~ z", "negbinomial", "sqrt"),
        {"y mu  sqrt": "y ~ x", "y shape shape_ log": "~ z"},
        [],
    ),
    "a response called sigma": (
        lambda: spec("sigma ~ x; sigma ~ z"),
        {"sigma mu  identity": "sigma ~ x", "sigma sigma sigma_ log": "~ z"},
        [],
    ),
    "responses of one family": (
        lambda: spec("mvbind(a, log(b)) ~ x", "gaussian"),
        {"a mu a_ identity": "a ~ x", "log(b) mu logb_ identity": "log(b) ~ x"},
        ["a sigma_a log", "log(b) sigma_logb log"],
    ),
    "responses of two families": (
        lambda: spec(["a ~ b", "b ~ x"], TWO, {"b": "sqrt"}),
        {"a mu a_ identity": "a ~ b", "b mu b_ sqrt": "b ~ x"},
        ["a sigma_a log"],
    ),
    "a parameter before its response": (
        lambda: spec(["a ~ x", "shape_s_n ~ z", "s_n ~ x"], {"a": "gaussian", "s_n": "gamma"}, {"mu": "log"}),
        {"a mu a_ log": "a ~ x", "s_n mu s_n_ log": "s_n ~ x", "s_n shape shape_s_n_ log": "~ z"},
        ["a sigma_a log"],
    ),
    "links of a response called sigma": (
        lambda: spec("sigma ~ x; sigma ~ z", "gaussian", {"sigma": "inverse", "sigma_sigma": "log"}),
        {"sigma mu  inverse": "sigma ~ x", "sigma sigma sigma_ log": "~ z"},
        [],
    ),
    "links of a response called as another's mean": (
        lambda: spec("mu_x ~ x; x ~ z", "gaussian", {"mu_x": "inverse", "mu": "log"}),
        {"mu_x mu mu_x_ inverse": "mu_x ~ x", "x mu x_ log": "x ~ z"},
        ["mu_x sigma_mu_x log", "x sigma_x log"],
    ),
    "shares": (
        lambda: spec(["a ~ x", "cbind(s, f) ~ x"], {"cbind(s,f)": "binomial", "a": "gamma"}, {"cbindsf": "probit"}),
        {"a mu a_ log": "a ~ x", "cbind(s, f) mu cbindsf_ probit": "cbind(s, f) ~ x"},
        ["a shape_a log"],
    ),
    "a response that the families name": (
        lambda: spec(["y ~ x", "phi ~ x"], {"y": "gaussian", "phi": "gaussian"}),
        {"y mu y_ identity": "y ~ x", "phi mu phi_ identity": "phi ~ x"},
        ["y sigma_y log", "phi sigma_phi log"],
    ),
}


@pytest.mark.parametrize("case", PREDICTORS)
def test_formulas_become_predictors_and_the_rest_auxiliary(case: str) -> None:
    make, expected, rest = PREDICTORS[case]
    found = make()
    assert predictors(found) == expected
    assert list(predictors(found)) == list(expected)
    assert auxiliaries(found) == rest
    assert found.is_simple is (len(expected) == 1)


def test_a_simple_model_is_what_it_was() -> None:
    found = spec("y~x+(x|g)")
    assert (found.formula, found.text) == (parse("y ~ x + (x | g)"), "y~x+(x|g)")
    assert found.is_simple
    assert found.is_linear
    assert (found.family, found.link.name, found.responses[0].name) == (FAMILIES["gaussian"], "identity", "")
    assert not spec("y ~ x", "poisson").is_linear
    assert not spec("y ~ x; sigma ~ 1").is_linear


def test_a_formula_of_a_parameter_has_no_response() -> None:
    formula = spec("y ~ x; sigma ~ z").predictors[1].formula
    assert (formula.response, str(formula), formula.text) == ("", "~ z", "sigma ~ z")
    assert formula.columns == ("z",)


def test_the_text_of_a_spec_and_its_formulas_give_it_back() -> None:
    found = spec(["a ~ x", "b ~ x + (1 | p | g)", "sigma_a ~ z + (1|p|g)"], TWO, {"sigma": "log"})
    assert found.text == "a ~ x; sigma_a ~ z + (1|p|g); b ~ x + (1 | p | g)"
    assert spec(found.text, TWO) == found
    assert spec([predictor.formula for predictor in found.predictors], TWO) == found


def test_records_are_what_they_say_whatever_their_text() -> None:
    changed = replace(parse("y ~ x"), fixed="x + z")
    assert spec(changed).formula == parse("y ~ x + z")
    assert spec([Formula("y", "1", ()), Formula("mu", "x", ())]).formula == parse("y ~ x")


def test_a_formula_of_mu_is_one_of_the_response() -> None:
    assert spec("bf(y ~ 1, mu ~ x + (x | g))").text == "y ~ x + (x | g)"
    with pytest.raises(FormulaError, match="response is also a predictor"):
        spec("y ~ 1; mu ~ y")


def test_a_family_of_the_users_own_names_its_parameters() -> None:
    gamma = find_family("gamma")
    own = replace(gamma, name="own", parameters=(gamma.parameters[0], replace(gamma.parameters[1], name="kappa")))
    assert [p.prefix for p in spec("y ~ x; kappa ~ x", own).predictors] == ["", "kappa_"]
    assert [p.prefix for p in spec("y ~ x; kappa ~ x", {"y": "gaussian", "kappa": own}).predictors] == ["y_", "kappa_"]
    assert [p.prefix for p in spec("y ~ x; kappa ~ x").predictors] == ["y_", "kappa_"]


SHARED = {
    "in two predictors": "y ~ x + (x | p | g); sigma ~ (1 | p | g)",
    "in one": "y ~ x + (1 | p | g) + (0 + x | p | g)",
    "of crossed factors": "y ~ (1 | p | a:b); sigma ~ (1 | p | a:b)",
    "two IDs": "y ~ (1 | p | g) + (1 | q | h); sigma ~ (1 | q | h) + (1 | p | g)",
    "two IDs of one factor": "y ~ (1 | p | g) + (0 + x | q | g)",
    "of one bar": "y ~ (1 | p | g)",
}


@pytest.mark.parametrize("case", SHARED)
def test_bars_share_an_id(case: str) -> None:
    found = spec(SHARED[case])
    bars = [bar for predictor in found.predictors for bar in predictor.formula.bars]
    assert all(bar.shared and f"| {bar.shared} |" in str(bar) for bar in bars)


SPECS: dict[str, tuple[Callable[[], ModelSpec], str]] = {
    "zi of gaussian": (
        lambda: spec("y ~ x; zi ~ 1"),
        "no parameter `zi` for `zi ~ 1`: family `gaussian` has mu, sigma.",
    ),
    "sigma of poisson": (lambda: spec("y ~ x; sigma ~ x", "poisson"), "family `poisson` has mu."),
    "sigma of b": (lambda: spec("a ~ x; b ~ x; sigma_b ~ z", TWO), "no parameter `sigma` for `sigma_b ~ z`"),
    "zi of two": (
        lambda: spec("a ~ x; b ~ x; zi ~ z", TWO),
        "family `gaussian` has mu, sigma; family `poisson` has mu",
    ),
    "sigma twice": (lambda: spec("y ~ x; sigma ~ z; sigma ~ w"), "two formulas, `sigma ~ z` and `sigma ~ w`"),
    "sigma twice by name": (lambda: spec("y ~ x; sigma ~ z; sigma_y ~ w"), "`sigma` of `y` has two formulas"),
    "mu twice": (lambda: spec("y ~ x; mu ~ z"), "`mu` of `y` has two formulas"),
    "response twice": (lambda: spec("y ~ x; y ~ z"), "Response `y` has two formulas"),
    "whose sigma": (lambda: spec("a ~ x; b ~ x; sigma ~ z"), "`sigma_a ~ ...` or `sigma_b ~ ...`"),
    "whose sigma is plain": (lambda: spec("a ~ x; b ~ x; sigma ~ z", TWO), "write `sigma_a ~ ...`."),
    "sigma of a parameter": (lambda: spec("y ~ x; shape ~ x; shape_shape ~ z", "gamma"), "write `shape_y ~ ...`"),
    "names that meet": (lambda: spec("log(y) ~ x; logy ~ x"), "would be called `logy`"),
    "parts that meet": (lambda: spec("sigma_a ~ x; a ~ x"), "would be called `sigma_a`"),
    "no name": (lambda: spec("a ~ x; '+' ~ x"), "no letter to call its parameters by"),
    "family of neither": (lambda: spec("a ~ x; b ~ x", {"a": "gaussian"}), 'add "b": "gaussian"'),
    "family of another": (lambda: spec("a ~ x", {"a": "gaussian", "b": "poisson"}), "family has a key `b`"),
    "family that is none": (lambda: spec("a ~ x", {"a": "gausian"}), "Did you mean `gaussian`"),
    "family of none": (lambda: spec("a ~ x", {}), 'add "a": "gaussian"'),
    "key that is no text": (lambda: spec("a ~ x", {1: "gaussian"}), "family has a key `1`"),
    "link of another": (lambda: spec("y ~ x", link={"sgma": "log"}), "key `sgma`. Did you mean `sigma`?"),
    "link of sigma": (lambda: spec("y ~ x", link={"sigma": "sqrt"}), "`sigma` of family `gaussian` has no link `sqrt`"),
    "link of one": (lambda: spec("a ~ x; b ~ x", TWO, "sqrt"), "Family `gaussian` has no link `sqrt`"),
    "rescor of one": (lambda: spec("y ~ x", rescor=True), "`y` is one: leave it out"),
    "rescor of a count": (lambda: spec("a ~ x; b ~ x", TWO, rescor=True), "`b` has family `poisson`, link `log`"),
    "rescor of a log": (lambda: spec("a ~ x; b ~ x", link={"b": "log"}, rescor=True), "family `gaussian`, link `log`"),
    "rescor of a word": (lambda: spec("a ~ x; b ~ x", rescor="yes"), "rescor is True or False, not 'yes'"),
}


@pytest.mark.parametrize("case", SPECS)
def test_what_is_no_model_is_refused(case: str) -> None:
    make, message = SPECS[case]
    with pytest.raises(SpecError) as caught:
        make()
    assert message in str(caught.value)


FORMULAS = {
    "y ~ x + (1 | p | g); sigma ~ x + (1 | p | h)": ("levels of `g`, and here of `h`", 12, "(... | p2 | h)"),
    "y ~ (1 | p | a:b); sigma ~ (1 | p | b:a)": ("levels of `a:b`, and here of `b:a`", 8, "(... | p2 | b:a)"),
    "y ~ (x | p | g) + (1 | p | g)": ("`Intercept` is there twice under the ID `p`", 18, "Leave one"),
    "y ~ x; sigma ~ (x | p | g) + (0 + x | p | g)": ("`x` is there twice under the ID `p`", 22, "Leave one"),
}


@pytest.mark.parametrize("text", FORMULAS)
def test_what_an_id_cannot_stand_for_is_shown_in_its_formula(text: str) -> None:
    what, place, advice = FORMULAS[text]
    with pytest.raises(FormulaError) as caught:
        spec(text)
    first, shown, mark, last = str(caught.value).splitlines()
    assert what in first
    assert advice in last
    assert shown.strip() == text.rsplit("; ", maxsplit=1)[-1]
    assert mark.index("^") == place + 2


@pytest.mark.parametrize("right", ["y", "x + y", "log(x):y"])
def test_a_response_does_not_predict_its_own_parameters(right: str) -> None:
    with pytest.raises(FormulaError, match="`y` is a predictor of its own sigma"):
        spec(f"y ~ x; sigma ~ {right}")


def test_residuals_of_gaussian_responses_are_correlated() -> None:
    assert spec("mvbind(a, b) ~ x; sigma_a ~ x", rescor=True).rescor
    assert not spec("mvbind(a, b) ~ x").rescor


# ---- any text ---------------------------------------------------------------------------------------------------

LEFT = ["y", "a", "b", "log(y)", "`a b`", "cbind(s, f)", "sigma", "sigma_y", "sigma_a", "shape", "zi", "mu", ""]
RIGHT = ["x", "1", "0", ".", "y", "(x | p | g)", "(1 | p | g)", "(1 | q | a:b)", "(x || a/b)", "offset(x)", "sigma"]
JOINTS = [";", ",", " ~ ", " + ", "bf(", "mvbind(", ")", "|", "`", "'", " "]
FORMULA = st.tuples(st.sampled_from(LEFT), st.lists(st.sampled_from(RIGHT), min_size=1, max_size=3)).map(
    lambda pair: f"{pair[0]} ~ {' + '.join(pair[1])}"
)
FAMILY = st.sampled_from(["gaussian", "poisson", "gamma", {"y": "gaussian"}, {"y": "gaussian", "a": "poisson"}])
KEY = st.sampled_from(LEFT) | st.integers()
ANYTHING = st.recursive(
    st.none() | st.integers() | st.text(max_size=5) | FORMULA,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEY, inner, max_size=3),
    max_leaves=5,
)


def reads_back_or_is_refused(formula: Any, family: Any = "gaussian", link: Any = None) -> None:
    try:
        found = make_spec(formula, family, link, None)
    except (FormulaError, SpecError):
        return
    assert make_spec(found.text, family, link, None) == found
    spelled = [f"{_left(p.formula.text)} {_right(str(p.formula))}" for p in found.predictors]
    assert make_spec(spelled, family, link, None) == found
    assert len({p.prefix for p in found.predictors} | {a.name for a in found.auxiliaries}) == sum(
        len(response.family.parameters) for response in found.responses
    )


def _left(text: str) -> str:
    return text.partition("~")[0]


def _right(text: str) -> str:
    return "".join(text.partition("~")[1:])


@settings(max_examples=150)
@given(st.lists(FORMULA, max_size=4), FAMILY)
def test_lists_of_formulas_are_read_back(formulas: list[str], family: Any) -> None:
    reads_back_or_is_refused(formulas, family)
    reads_back_or_is_refused("; ".join(formulas), family)


@settings(max_examples=150)
@given(st.lists(st.sampled_from(LEFT + RIGHT + JOINTS), max_size=20).map("".join))
def test_any_words_are_read_or_refused(text: str) -> None:
    reads_back_or_is_refused(text)
    reads_back_or_is_refused(f"y ~ x; {text}")


@settings(max_examples=100)
@given(ANYTHING, ANYTHING, ANYTHING)
def test_anything_is_read_or_refused(formula: Any, family: Any, link: Any) -> None:
    reads_back_or_is_refused(formula)
    reads_back_or_is_refused("a ~ x; b ~ x", family)
    reads_back_or_is_refused("a ~ x; b ~ x", "gaussian", link)
