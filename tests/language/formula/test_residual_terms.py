import pytest

from bayesmix.errors import FormulaError
from bayesmix.language.formula.parse import parse
from bayesmix.language.formula.residual_terms import ResidualTerm

TERMS = {
    "y ~ x + unstr(visit, patient)": ResidualTerm("unstr", "visit", ("patient",)),
    "y ~ x + unstr(gr = patient, time = visit)": ResidualTerm("unstr", "visit", ("patient",)),
    "y ~ ar(time, g)": ResidualTerm("ar", "time", ("g",), p=1),
    "y ~ ar(time, g, p = 2, cov = TRUE)": ResidualTerm("ar", "time", ("g",), p=2),
    "y ~ ar(time, g, 2)": ResidualTerm("ar", "time", ("g",), p=2),
    "y ~ x + ma(gr = a:b, q = 2) + (1 | g)": ResidualTerm("ma", "", ("a", "b"), q=2),
    "y ~ arma(factor(t), g, q = 2)": ResidualTerm("arma", "factor(t)", ("g",), p=1, q=2),
    "y ~ x + cosy(gr = g)": ResidualTerm("cosy", "", ("g",)),
    "y ~ x + cosy(visit, g)": ResidualTerm("cosy", "visit", ("g",)),
}


@pytest.mark.parametrize("text", TERMS)
def test_terms_are_read(text):
    assert parse(text).residual == TERMS[text]


@pytest.mark.parametrize("text", TERMS)
def test_text_reads_back(text):
    formula = parse(text)
    assert parse(str(formula)) == formula


def test_columns_are_those_of_the_data():
    assert parse("y ~ x + arma(factor(t), a:b)").columns == ("y", "x", "t", "a", "b")


REFUSED = {
    "y ~ x + unstr(visit)": "whose residuals",
    "y ~ x + unstr(gr = g)": "whose residuals",
    "y ~ x + ar(time)": "whose residuals",
    "y ~ x + ar(time, g, cov = FALSE)": "brms's `cov = TRUE`",
    "y ~ x + ar(time, g, p = 0)": "whole number from 1 to 5",
    "y ~ x + ar(time, g, p = 1.5)": "whole number from 1 to 5",
    "y ~ x + ar(log(time), g)": "one column of times",
    "y ~ x + ar(time, g + h)": "one grouping factor",
    "y ~ x + ar(time, g, q = 1)": "wrong arguments",
    "y ~ x + cosy(time, g, 2)": "wrong arguments",
    "y ~ x * ar(time, g)": "does not belong here",
    "y ~ x - ar(time, g)": "cannot be subtracted",
    "y ~ ar(time, g) + cosy(gr = g)": "are both the structure",
    "y ~ (ar(time, g) | h)": "does not belong here",
}


@pytest.mark.parametrize("text", REFUSED)
def test_what_is_refused(text):
    with pytest.raises(FormulaError, match=REFUSED[text].replace("(", r"\(")):
        parse(text)
