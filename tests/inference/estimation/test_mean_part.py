"""The mean of each response by itself: what it takes of a design with several linear predictors."""

from __future__ import annotations

import numpy as np

import bayesmix as bmx
from bayesmix.inference.estimation.mean_part import mean_parts

DATA = {
    "a": np.arange(12.0),
    "b": np.arange(12.0) % 3,
    "x": np.cos(np.arange(12.0)),
    "g": [f"g{j % 3}" for j in range(12)],
    "h": [f"h{j % 4}" for j in range(12)],
}


def test_the_mean_of_a_simple_model_is_the_model():
    model = bmx.Model("a ~ x + (1 | g)", DATA)
    (part,) = mean_parts(model.design, model.spec)
    np.testing.assert_array_equal(part.X, model.design.X)
    assert part.fixed == model.design.fixed
    assert part.terms == model.design.terms
    assert part.has_residual


def test_each_response_has_its_own_columns_rows_and_effects():
    formulas = ["a ~ x + (x |i| g)", "b ~ 1 + (1 |i| g) + (1 | h)", "sigma_a ~ x"]
    model = bmx.Model(formulas, DATA, family={"a": "gaussian", "b": "poisson"})
    first, second = mean_parts(model.design, model.spec)
    assert (first.fixed, second.fixed) == (("a_Intercept", "a_x"), ("b_Intercept",))
    np.testing.assert_array_equal(first.X, np.column_stack([np.ones(12), DATA["x"]]))
    np.testing.assert_array_equal(second.X, np.ones((12, 1)))
    assert [(t.group, t.effects, t.z.shape) for t in first.terms] == [("g", ("a_Intercept", "a_x"), (12, 2))]
    assert sorted((t.group, t.effects) for t in second.terms) == [("g", ("b_Intercept",)), ("h", ("b_Intercept",))]
    assert (first.has_residual, second.has_residual) == (False, False)
    values = [np.arange(len(term.effects)) for term in model.design.terms]
    (of_first,) = first.of_terms(values)
    np.testing.assert_array_equal(of_first, [0, 1])
