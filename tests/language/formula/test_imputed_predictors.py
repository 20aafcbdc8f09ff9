"""Imputed predictors among terms."""

from __future__ import annotations

import pytest

from bayesmix.language.formula.imputed_predictors import (
    imputed_products,
    known_text,
    plain_terms,
    slope_terms,
    with_imputed_terms,
)
from bayesmix.language.formula.reader import read
from bayesmix.language.formula.terms import expand

# right side -> labels of the terms without imputed ones, intercept, slopes
CASES = {
    "x + mi(z)": (["x"], True, {"mi(z)": "1"}),
    "0 + x * mi(z)": (["x"], False, {"mi(z)": "1 + x"}),
    "x + mi(z):x": (["x"], True, {"mi(z)": "0 + x"}),
    "mi(z) + mi(log(v)) + mi(z):(a + b)": ([], True, {"mi(z)": "1 + a + b", "mi(log(v))": "1"}),
    "x + z": (["x", "z"], True, {}),
    "a * b * mi(z) - a:b:mi(z)": (["a", "b", "a:b"], True, {"mi(z)": "1 + a + b"}),
}


@pytest.mark.parametrize("text", CASES)
def test_terms_and_slopes(text):
    labels, intercept, slopes = CASES[text]
    terms = expand(read(text))
    plain = plain_terms(terms)
    assert (list(plain.labels), plain.intercept) == (labels, intercept)
    assert slope_terms(terms) == slopes
    assert not list(imputed_products(terms))
    assert not any("mi(" in name for name in plain.variables)


def test_products():
    assert list(imputed_products(expand(read("mi(z) * mi(v)")))) == ["mi(z):mi(v)"]


def test_imputed_terms_come_back_after_all_others():
    whole = expand(read("mi(z) + . + mi(z):x"))
    plain = expand(read("a + b"))
    assert with_imputed_terms(plain, whole).labels == ("a", "b", "mi(z)", "mi(z):x")
    assert with_imputed_terms(plain, expand(read("a + b"))) == plain


def test_what_is_known_reads_back():
    assert known_text("log(z)", "value") == 'mi(log(z), "value")'
