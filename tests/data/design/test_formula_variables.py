"""Models of the different rows of a table that stays where it is, each with how often it occurs: those of all rows."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pytest

import bayesmix as bmx

ROWS = 600
SAME = 1e-9  # relative difference that rounding of sums may explain


@cache
def frame() -> pd.DataFrame:
    rng = np.random.default_rng(21)
    g, x = rng.integers(0, 8, ROWS), rng.integers(0, 3, ROWS) / 2.0
    eta = 0.3 + 0.5 * x + rng.normal(0.0, 0.7, 8)[g]
    count = rng.poisson(np.exp(0.4 * eta))
    return pd.DataFrame(
        {
            "x": x,
            "g": [f"g{level}" for level in g],
            "w": rng.integers(1, 3, ROWS) / 2.0,
            "n": 4,
            "count": count,
            "s": rng.binomial(4, 1.0 / (1.0 + np.exp(-eta))),
            "seen": np.where(rng.random(ROWS) < 1.0 / (1.0 + np.exp(-eta)), "yes", "no"),
            "rating": np.digitize(eta + rng.logistic(size=ROWS), [-0.5, 1.5]),
            "censored": np.where(count > 3, "right", "none"),
            "time": rng.random(ROWS),
        }
    )


def relation(data: pd.DataFrame | None = None) -> duckdb.DuckDBPyRelation:
    return duckdb.connect().from_df(frame() if data is None else data)


MODELS: dict[str, tuple[Any, dict[str, Any]]] = {
    "categories": ("seen ~ x + (x | g)", {"family": "bernoulli"}),
    "trials": ("cbind(s, n - s) ~ x + (1 | g)", {"family": "binomial"}),
    "counts with weights": ("count ~ x + (1 | g)", {"family": "poisson", "weights": "w", "offset": "log(n)"}),
    "censored counts": ("count | cens(censored) ~ x + (1 | g)", {"family": "poisson"}),
    "shapes": (["count ~ x + (1 | g)", "shape ~ x"], {"family": "negbinomial"}),
    "ratings": ("rating ~ x + (1 | g)", {"family": "cumulative"}),
    "standard deviations": (["count ~ x + (1 | g)", "sigma ~ x"], {}),
}
CASES = [pytest.param(name, marks=pytest.mark.slow if j > 2 else ()) for j, name in enumerate(MODELS)]


@pytest.mark.parametrize("name", CASES)
def test_fits_are_those_of_all_rows(name: str) -> None:
    formula, options = MODELS[name]
    whole, source = bmx.Model(formula, frame(), **options), bmx.Model(formula, relation(), where="source", **options)
    assert source.design.n < whole.design.n == source.design.n_used == ROWS
    assert str(source.priors) == str(whole.priors)
    one, other = whole.estimate(), source.estimate()
    np.testing.assert_allclose(other.parameters(), one.parameters(), rtol=1e-5, atol=1e-6)
    for quantity in ("loglik", "aic", "bic", "df"):
        assert getattr(other, quantity) == pytest.approx(getattr(one, quantity), rel=SAME)
    rows = frame().iloc[:3]
    np.testing.assert_allclose(other.predict(rows)["estimate"], one.predict(rows)["estimate"], rtol=1e-5)


VERBS: dict[str, Any] = {
    "without a term": lambda fit: fit.drop1(),
    "a change": lambda fit: fit.update("~ . - w").parameters(),
    "another family": lambda fit: fit.update(family="gaussian").parameters(),
    "likelihood ratios": lambda fit: bmx.anova(fit, fit.update("~ . - w")),
    "tests of terms": lambda fit: bmx.anova(fit, type=3),
    "means": lambda fit: fit.marginal_means("x"),
    "slopes": lambda fit: fit.slopes("w"),
    "R2": lambda fit: fit.r2(),
}


@pytest.mark.slow
def test_verbs_are_those_of_all_rows(tmp_path: Path) -> None:
    formula = "count ~ x + w + (1 | g)"
    whole = bmx.Model(formula, frame(), family="poisson").estimate()
    source = bmx.Model(formula, relation(), family="poisson", where="source").estimate()
    for name, verb in VERBS.items():
        one, other = (verb(fit).select_dtypes("number") for fit in (whole, source))
        np.testing.assert_allclose(other, one, rtol=1e-6, atol=1e-7, err_msg=name)
    source.save(tmp_path / "fit.zarr")
    loaded = bmx.load(tmp_path / "fit.zarr")
    np.testing.assert_allclose(loaded.parameters(), source.parameters(), rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(loaded.drop1().select_dtypes("number"), source.drop1().select_dtypes("number"))


def test_posteriors_of_engines_are_the_same() -> None:
    """To the last bit: rows are put in order, whatever the order in which an engine returns them."""
    sources = (relation(), pl.from_pandas(frame()).sample(fraction=1.0, shuffle=True, seed=1).lazy())
    formula = "count ~ x + (1 | g)"
    drawn = [
        bmx.Model(formula, one, family="poisson", where="source").sample(20, 2, 1, progress=False) for one in sources
    ]
    np.testing.assert_array_equal(drawn[1].values.beta, drawn[0].values.beta)


def test_missing_rows_are_left_out_with_a_warning() -> None:
    data = frame().astype({"x": float}).copy()
    data.loc[[3, 5], "x"], data.loc[7, "g"], data.loc[9, "count"] = np.nan, None, np.nan
    found = []
    for options in ({"where": "source"}, {}):
        with pytest.warns(bmx.DroppedWarning, match="4 of 600 rows were left out: missing values in"):
            found.append(
                bmx.Model(
                    "count ~ x + (1 | g)", relation(data) if options else data, family="poisson", **options
                ).estimate()
            )
    assert found[0].loglik == pytest.approx(found[1].loglik, rel=SAME)
    assert "4 of 600 rows left out" in str(found[0].summary())


def test_rows_that_are_hardly_ever_equal_are_warned_of() -> None:
    with pytest.warns(
        bmx.SourceWarning, match=r"Of the 600 rows of the duckdb table 600 are different .* 1 rows to each"
    ):
        bmx.Model("seen ~ time + (1 | g)", relation(), family="bernoulli", where="source")


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "count ~ scale(x) + (1 | g)": ({}, "`scale(x)` learns from all rows of its column"),
    "count ~ s(x) + (1 | g)": ({}, "learns from all rows of its column"),
    "count ~ xx + (1 | g)": ({}, "Column `xx` of the formula is not in the data"),
    "count | cens(cut) ~ x + (1 | g)": ({}, "Column `cut` of the formula is not in the data"),
    "count ~ x + (1 | g)": ({"weights": np.ones(ROWS)}, "names of its columns or expressions, not arrays"),
    "count ~ log(x - 100) + (1 | g)": ({}, "is not finite"),
}


@pytest.mark.parametrize("formula", REFUSED)
def test_what_needs_rows_is_refused(formula: str) -> None:
    options, message = REFUSED[formula]
    with pytest.raises(bmx.BayesmixError) as caught:
        bmx.Model(formula, relation(), family="poisson", where="source", **options)
    assert message in str(caught.value)


def test_empty_sources_are_refused() -> None:
    empty = frame().iloc[:0].astype({"g": "string", "seen": "string", "censored": "string"})
    with pytest.raises(bmx.DataError, match="The data have no rows: the duckdb table is empty"):
        bmx.Model("count ~ x + (1 | g)", relation(empty), family="poisson", where="source")
    gone = frame().assign(x=np.nan)
    with pytest.raises(bmx.DataError, match="No rows are left to fit: each of the 600 given has a missing value"):
        bmx.Model("count ~ x + (1 | g)", relation(gone), family="poisson", where="source")


@cache
def estimate() -> bmx.Estimate:
    return bmx.Model("seen ~ x + (1 | g)", relation(), family="bernoulli", where="source").estimate()


@pytest.mark.parametrize("verb", ["fitted", "residuals", "predict", "bootstrap", "influence"])
def test_verbs_that_need_rows_are_refused(verb: str) -> None:
    with pytest.raises(bmx.SpecError, match="needs the rows of the data, which stay where they are"):
        getattr(estimate(), verb)(*(("g",) if verb == "influence" else ()))
