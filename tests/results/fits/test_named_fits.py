"""Fits given to verbs that take several: one after the other or by name, and what is not a fit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

import bayesmix as bmx

Fits = tuple[bmx.Posterior, bmx.Estimate]
GIVEN: dict[str, Callable[[Any, Any], tuple[tuple[Any, ...], dict[str, Any]]]] = {
    "one after the other": lambda a, b: ((a, b), {"labels": ("A", "B")}),
    "by name": lambda a, b: (({"A": a, "B": b},), {}),
}


@pytest.fixture(scope="module")
def linear() -> Fits:
    model = bmx.Model("Yield ~ 1 + (1 | Batch)", bmx.load_dataset("Dyestuff"))
    return model.sample(draws=200, chains=2, seed=1, method="marginal", progress=False), model.estimate()


@pytest.mark.parametrize("way", GIVEN)
def test_labels_name_the_columns_of_a_comparison(linear: Fits, way: str) -> None:
    arguments, options = GIVEN[way](*linear)
    found = bmx.compare(*arguments, **options)
    default = bmx.compare(*linear)
    assert found.labels == ("B", "A")
    assert {"ML", "B", "B std_error", "A mean", "A sd"} <= set(found.table.columns)
    np.testing.assert_array_equal(found.table[["ML", "B", "A mean"]], default.table[["ML", "REML", "mean"]])
    assert "Comparison of B and A" in str(found)


@pytest.mark.parametrize("way", GIVEN)
def test_labels_name_the_columns_of_pooling(linear: Fits, way: str) -> None:
    arguments, options = GIVEN[way](*linear)
    table, default = bmx.pooling(*arguments, **options), bmx.pooling(*linear)
    np.testing.assert_array_equal(table[["B", "A mean"]], default[["REML", "mean"]])


@pytest.mark.parametrize("way", GIVEN)
def test_labels_name_the_rows_of_anova(linear: Fits, way: str) -> None:
    smaller = bmx.Model("Yield ~ 1", bmx.load_dataset("Dyestuff")).estimate()
    arguments, options = GIVEN[way](linear[1], smaller)
    table = bmx.anova(*arguments, **options)
    assert list(table.index) == ["B", "A"]
    np.testing.assert_array_equal(table["chisq"], bmx.anova(smaller, linear[1])["chisq"])


@pytest.mark.parametrize("way", GIVEN)
def test_labels_name_the_rows_of_loo(linear: Fits, way: str) -> None:
    model = bmx.Model("Yield ~ 1", bmx.load_dataset("Dyestuff"))
    other = model.sample(draws=200, chains=2, seed=1, method="marginal", progress=False)
    arguments, options = GIVEN[way](linear[0], other)
    assert set(bmx.loo_compare(*arguments, **options).index) == {"A", "B"}
    assert set(bmx.loo_compare(linear[0], other).index) == {"Yield ~ 1 + (1 | Batch)", "Yield ~ 1"}


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda post, reml, model: bmx.anova(reml, post), r"anova takes estimates; argument 2 is a posterior\. Give"),
        (
            lambda post, reml, model: bmx.anova(reml, model),
            r"argument 2 is a model that is not fitted yet\. .*estimate",
        ),
        (lambda post, reml, model: bmx.compare(post, model), r"model that is not fitted yet\. Give what model\.estim"),
        (lambda post, reml, model: bmx.compare(post, None), r"compare takes estimates or posteriors; .* 2 is None"),
        (lambda post, reml, model: bmx.compare({"a": 1}), r"argument 1 is a int"),
        (lambda post, reml, model: bmx.compare([post, reml]), r"argument 1 is a list"),
        (lambda post, reml, model: bmx.compare(post, reml, labels=["a"]), r"as many different labels as fits, 2"),
        (lambda post, reml, model: bmx.compare(post, reml, labels=["a", "a"]), r"different labels"),
        (lambda post, reml, model: bmx.compare({"a": post}, labels=["b"]), r"labels twice"),
        (lambda post, reml, model: bmx.compare({}), r"at least one fit"),
        (lambda post, reml, model: bmx.compare({"mean": post, "b": reml}), r"`mean` is a column of the comparison"),
        (lambda post, reml, model: bmx.pooling(pd.DataFrame()), r"argument 1 is a DataFrame"),
        (lambda post, reml, model: bmx.pooling({}), r"needs a fit"),
        (lambda post, reml, model: bmx.loo_compare(post, reml), r"posteriors; argument 2 is an estimate\. .*sample"),
        (lambda post, reml, model: bmx.bayes_factor(post, reml), r"bayes_factor takes posteriors; argument 2"),
    ],
)
def test_what_is_no_fit_is_refused_with_what_to_do(linear: Fits, ask: Any, message: str) -> None:
    model = bmx.Model("Yield ~ 1 + (1 | Batch)", bmx.load_dataset("Dyestuff"))
    with pytest.raises(bmx.SpecError, match=message):
        ask(*linear, model)
