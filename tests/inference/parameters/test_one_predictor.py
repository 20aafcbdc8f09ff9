"""A linear predictor by itself is the design that its formula has by itself."""

from __future__ import annotations

import numpy as np
import pytest
from several_predictors import made

from bayesmix.inference.parameters.one_predictor import one_predictor, one_response, one_term

SHARED = ["y ~ x + f + (x | p | g) + (1 | h)", "sigma ~ w + offset(off) + (0 + w | p | g) + (f | h)"]
FOUR = ["y ~ x + (1 | p | g)", "count ~ w", "cbind(s, t) ~ f + (x | p | g)", "shape_count ~ x"]
FAMILIES = {"y": "gaussian", "count": "negbinomial", "cbind(s, t)": "binomial"}
# formulas, families, predictor, the formula that it has by itself, its family
CASES = [
    (SHARED, "gaussian", 0, "y ~ x + f + (x | g) + (1 | h)", "gaussian"),
    (SHARED, "gaussian", 1, "y ~ w + offset(off) + (0 + w | g) + (f | h)", "gaussian"),
    (["y ~ 1", "sigma ~ 0 + f"], "gaussian", 1, "y ~ 0 + f", "gaussian"),
    (FOUR, FAMILIES, 0, "y ~ x + (1 | g)", "gaussian"),
    (FOUR, FAMILIES, 3, "count ~ x", "negbinomial"),
    (FOUR, FAMILIES, 4, "cbind(s, t) ~ f + (x | g)", "binomial"),
]


@pytest.mark.parametrize(("formulas", "family", "predictor", "formula", "its"), CASES)
def test_it_is_the_design_of_its_formula(formulas, family, predictor, formula, its):
    spec, design = made(formulas, family)
    view = one_predictor(design, spec, predictor)
    _, expected = made(formula, its)
    assert (view.R, view.fixed, view.response) == (1, expected.fixed, expected.response)
    for name in ("X", "offset", "y", "trials", "weights"):
        np.testing.assert_array_equal(getattr(view, name), getattr(expected, name))
    by_group = {term.group: term for term in view.terms}
    assert by_group.keys() == {term.group for term in expected.terms}
    for term in expected.terms:
        own = by_group[term.group]
        for name in ("effects", "levels", "numeric", "structure", "owners"):
            assert getattr(own, name) == getattr(term, name), name
        np.testing.assert_array_equal(own.z, term.z)
        np.testing.assert_array_equal(own.codes, term.codes)


def test_a_number_is_a_column_of_ones_of_its_name():
    spec, design = made(FOUR, FAMILIES)
    (number,) = design.layout.numbers
    view = one_predictor(design, spec, number)
    assert view.fixed == ("sigma_y",)
    np.testing.assert_array_equal(view.X, np.ones((design.n, 1)))
    assert view.terms == ()


def test_a_simple_model_is_itself():
    spec, design = made("y ~ x + (x | g)")
    assert one_predictor(design, spec, 0) is design
    assert one_term(design.terms[0], design, 0) is design.terms[0]
    assert one_response(spec, 0) is spec


@pytest.mark.parametrize(
    ("response", "formula", "family"), [(0, "y ~ x + (1 | g)", "gaussian"), (1, "count ~ w", "negbinomial")]
)
def test_a_response_by_itself_is_a_simple_model(response, formula, family):
    spec, _ = made(FOUR, FAMILIES)
    found, expected = one_response(spec, response), made(formula, family)[0]
    assert found.is_simple
    assert found.family is expected.family
    assert (found.link, found.auxiliaries, found.is_linear) == (expected.link, expected.auxiliaries, expected.is_linear)
