"""Nonlinear formulas: which are, their values on every namespace, refusals with a caret."""

from __future__ import annotations

import numpy as np
import pytest

import bayesmix as bmx
from bayesmix.errors import BayesmixError, FormulaError, SpecError
from bayesmix.language.families.namespaces import NUMERIC
from bayesmix.language.families.taylor import variables
from bayesmix.language.formula.model_spec import make_spec
from bayesmix.language.formula.nonlinear import Evaluated
from bayesmix.language.formula.reader import read_sides
from bayesmix.language.formula.spec_words import read_spec, spec_words

VALUES = {
    "a / (1 + exp(-(t - b) / 2))": lambda a, b, t: a / (1.0 + np.exp(-(t - b) / 2.0)),
    "a * t^b": lambda a, b, t: a * t**b,
    "a^2 - b - t - 1": lambda a, b, t: a**2 - b - t - 1.0,
    "-a * t / b / 3": lambda a, b, t: -a * t / b / 3.0,
    "log(t) * a + sqrt(b) + log1p(b) + expm1(a)": lambda a, b, t: (
        np.log(t) * a + np.sqrt(b) + np.log1p(b) + np.expm1(a)
    ),
    "a * t^2 + t^a * b^2": lambda a, b, t: a * t**2 + t**a * b**2,
    "SSlogis(t, a, b, 2)": lambda a, b, t: a / (1.0 + np.exp((b - t) / 2.0)),
    "`a` * inv_logit(t - b)": lambda a, b, t: a / (1.0 + np.exp(b - t)),
    "cos(t) * a + sin(b)": lambda a, b, t: np.cos(t) * a + np.sin(b),
}
T = np.array([0.5, 1.0, 2.5])


@pytest.mark.parametrize("text", VALUES)
def test_values_and_slopes(text):
    curve, h = Evaluated(read_sides(f"y ~ {text}", lenient=True)[1]), 1e-6
    found = curve(NUMERIC, {"a": 1.0, "b": 2.0, "t": T})
    np.testing.assert_allclose(found, VALUES[text](1.0, 2.0, T), rtol=1e-12)
    a, b = variables([np.ones(3), 2.0 * np.ones(3)])
    slopes = curve(NUMERIC, {"a": a, "b": b, "t": T})
    by_a = (VALUES[text](1.0 + h, 2.0, T) - VALUES[text](1.0 - h, 2.0, T)) / (2.0 * h)
    np.testing.assert_allclose(slopes.derivative((1, 0)), by_a, rtol=1e-6, atol=1e-8)
    by_b = (VALUES[text](1.0, 2.0 + h, T) - VALUES[text](1.0, 2.0 - h, T)) / (2.0 * h)
    np.testing.assert_allclose(slopes.derivative((0, 1)), by_b, rtol=1e-6, atol=1e-8)


def spec_of(text, family="gaussian", priors=None, *, columns=("y", "t", "x", "g"), **others):
    return make_spec(text, family, None, priors, is_column=columns.__contains__, **others)


def test_names_that_later_formulas_define_are_parameters():
    spec = spec_of("y ~ a * exp(-k * t); a ~ x + (1 | ID | g); k ~ 1 + (1 | ID | g)")
    assert [one.prefix for one in spec.predictors] == ["", "a_", "k_", "t_"]
    assert [one.name for one in spec.auxiliaries] == ["sigma"]
    assert spec.formula_texts == ("y ~ a * exp(-k * t)", "a ~ x + (1 | ID | g)", "k ~ 1 + (1 | ID | g)")


def test_words_read_back():
    spec = spec_of("y ~ exp(a + b * t); a ~ 1; b ~ 1", "poisson", {"b_Intercept": "Normal(2, 1)"}, start={"a": 1})
    again = read_spec(spec_words(spec))
    assert again.formula_texts == spec.formula_texts
    assert dict(again.family.curve.starts) == {"a": 1.0, "b": 2.0}
    assert again.family.curve.link.name == "log"


def test_a_column_is_no_parameter():
    """A mediator is a response with a formula of its own, whatever the other formulas name."""
    rng = np.random.default_rng(1)
    data = {"y": rng.normal(size=9), "m": rng.normal(size=9), "x": rng.normal(size=9)}
    model = bmx.Model(["y ~ m + x", "m ~ x"], data)
    assert [one.label for one in model.spec.responses] == ["y", "m"]
    again = read_spec(spec_words(model.spec))
    assert [one.label for one in again.responses] == ["y", "m"]


MARKED = {  # formulas, columns of the data: parameters of the nonlinear mean
    ("y ~ a * x; a ~ 1", "yx"): ("a",),
    ("y ~ a * x; a ~ 1", "yxa"): (),
    ("bf(y ~ a * x, a ~ 1, nl = TRUE)", "yxa"): ("a",),
    ("bf(y ~ a * x, a ~ 1, nl=T)", "yxa"): ("a",),
    ("bf(y ~ a * x, a ~ 1, nl = FALSE)", "yx"): (),
    ("y ~ sigma * x; sigma ~ 1", "yx"): (),
}


@pytest.mark.parametrize(("text", "columns"), MARKED)
def test_columns_are_parameters_where_the_formulas_say_so(text, columns):
    found = spec_of(text, columns=columns).family.curve
    assert (() if found is None else found.parameters) == MARKED[text, columns]


def test_without_data_all_names_are_columns():
    assert make_spec("y ~ b; b ~ y", "gaussian", None, None).family.curve is None


def test_a_dictionary_and_one_text_are_the_same():
    texts = {"mu": "y ~ a * exp(-k * t)", "a": "~ 1", "k": "~ x"}
    one, other = map(spec_of, (texts, "y ~ a * exp(-k * t); a ~ 1; k ~ x"))
    assert [p.prefix for p in one.predictors] == [p.prefix for p in other.predictors]


REFUSED = {
    ("bf(y ~ a * t, nl = TRUE)", "gaussian"): (FormulaError, "has no parameter, which nl = TRUE says"),
    ("y ~ a * gamma(t); a ~ 1", "gaussian"): (FormulaError, "no function `gamma` in nonlinear"),
    ("y ~ a * exp(t, 2); a ~ 1", "gaussian"): (FormulaError, r"no call of `exp\(x\)`"),
    ("y ~ SSlogis(t, a, 1); a ~ 1", "gaussian"): (FormulaError, r"no call of `SSlogis\(input, Asym, xmid, scal\)`"),
    ("y ~ SSlogi(t, a, 1, 1); a ~ 1", "gaussian"): (FormulaError, r"(?s)Did you mean `SSlogis`.*There are exp, log,"),
    ("y ~ a * t + (1 | g); a ~ 1", "gaussian"): (FormulaError, "bars stand in those of parameters"),
    ('y ~ a * "t"; a ~ 1', "gaussian"): (FormulaError, "not a number"),
    ("y ~ a * t; a ~ 1; z ~ 1", "gaussian"): (SpecError, "`z` is no parameter of .* of a single response"),
    ("y | se(t, sigma = TRUE) ~ a * t; a ~ 1", "gaussian"): (SpecError, r"errors are known, `se\(t\)`"),
    ("y | rate(t) ~ a * t; a ~ 1", "poisson"): (SpecError, r"stands in it, `a \* t \+ log\(t\)`"),
    ("y ~ a * t; a ~ 1", "zero_inflated_poisson"): (SpecError, "is a function of several"),
}


@pytest.mark.parametrize(("text", "family"), REFUSED)
def test_refused(text, family):
    kind, message = REFUSED[text, family]
    with pytest.raises(BayesmixError, match=message) as found:
        spec_of(text, family)
    assert isinstance(found.value, kind)


def test_starts_are_of_parameters():
    with pytest.raises(SpecError, match=r"start has `asm`\. Did you mean `asym`"):
        spec_of("y ~ asym * t; asym ~ 1", start={"asm": 1.0})
    for wrong in ("big", float("nan"), None):
        with pytest.raises(SpecError, match="start of `asym` is a number, not"):
            spec_of("y ~ asym * t; asym ~ 1", start={"asym": wrong})
    with pytest.raises(SpecError, match="of which there is none"):
        spec_of("y ~ t", start={"asym": 1.0})


def test_one_formula_of_several_parameters():
    """As in brms; of columns it is the sum."""
    spec = spec_of("bf(y ~ a * exp(-b * t), a + b ~ x, nl = TRUE)")
    assert spec.formula_texts == ("y ~ a * exp(-b * t)", "a ~ x", "b ~ x")
    assert [one.label for one in spec_of("y ~ t; x + g ~ t").responses] == ["y", "x + g"]
