"""Models of data that stay where they are are those of all rows, whatever stands for these."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pytest

import bayesmix as bmx
from bayesmix.data.design import condensed

SAME = 1e-9  # relative difference that rounding of sums may explain


@cache
def frame() -> pd.DataFrame:
    rng = np.random.default_rng(20)
    n, J = 2000, 25
    g, h, x = rng.integers(0, J, n), rng.integers(0, 8, n), rng.normal(12.0, 3.0, n)
    u, effects, f = rng.normal(size=J)[g], rng.normal(size=(J, 2))[g], rng.choice(list("abc"), n)
    y = 1e3 + 0.3 * x + (f == "b") + effects[:, 0] + 0.2 * effects[:, 1] * (x - 12.0) + rng.normal(size=8)[h]
    data = {"y": y + rng.normal(size=n), "x": x, "f": f, "u": u, "h": h, "g": [f"g{j}" for j in g], "t": x > 12.0}
    return pd.DataFrame(data)


def models(formula: str, **options: str) -> tuple[bmx.Model, bmx.Model]:
    return bmx.Model(formula, frame(), **options), bmx.Model(formula, relation(), where="source", **options)


def relation() -> duckdb.DuckDBPyRelation:
    return duckdb.connect().from_df(frame())


FORMULAS = {
    "slopes": "y ~ x + (x | g)",
    "factors and a predictor between levels": "y ~ f * x + u + (x || g)",
    "crossed": "y ~ x + t + (x | g) + (1 | h)",
    "nested": "y ~ x + (1 | h/g)",
    "arithmetic": "y ~ log(x + 20) + I(x^2 / 10) + offset(u) + (0 + f | h)",
    "numbers as levels": "y ~ factor(h) + h:x + (1 | g)",
    "a regression": "y ~ x + f",
}


SLOW = ("factors and a predictor between levels", "crossed", "nested", "numbers as levels")
CASES = [pytest.param(text, id=name, marks=pytest.mark.slow if name in SLOW else ()) for name, text in FORMULAS.items()]


@pytest.mark.parametrize("formula", CASES)
def test_fits_are_those_of_all_rows(formula: str) -> None:
    whole, source = models(formula)
    assert source.design.n < whole.design.n == source.design.n_used
    assert str(source.priors) == str(whole.priors)
    one, other = whole.estimate(), source.estimate()
    np.testing.assert_allclose(other.parameters(), one.parameters(), rtol=SAME, atol=1e-9)
    for quantity in ("criterion", "bic", "aic"):
        assert getattr(other, quantity) == pytest.approx(getattr(one, quantity), rel=SAME)
    np.testing.assert_allclose(other.r2(), one.r2(), rtol=SAME)
    np.testing.assert_allclose(other.satterthwaite(), one.satterthwaite(), rtol=1e-6, atol=1e-12)


@pytest.mark.slow
def test_posteriors_are_those_of_all_rows() -> None:
    one, other = (
        model.sample(draws=50, chains=2, seed=3, method="marginal", progress=False)
        for model in models("y ~ x + (x | g)")
    )
    for name in ("beta", "dispersion"):
        np.testing.assert_allclose(getattr(other.values, name), getattr(one.values, name), rtol=1e-7)
    np.testing.assert_allclose(other.values.b[0], one.values.b[0], rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(other.values.sd[0], one.values.sd[0], rtol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("preset", ["flat", "rstanarm", "bambi"])
def test_priors_are_those_of_all_rows(preset: str) -> None:
    whole, source = models("y ~ x + f + (x | g)", priors=preset)
    assert str(source.priors) == str(whole.priors)


def test_linear_engines_know_cross_products_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Other rows of the same cross-products give the same fit, priors and start included."""
    first = bmx.Model("y ~ x + f + (x | g)", relation(), where="source")
    simplex = condensed.simplex
    turn = np.linalg.qr(np.random.default_rng(1).normal(size=(9, 9)))[0]

    def turned(d: int) -> np.ndarray:
        return simplex(d) @ np.linalg.qr(turn[:d, :d])[0]

    monkeypatch.setattr(condensed, "simplex", turned)
    second = bmx.Model("y ~ x + f + (x | g)", relation(), where="source")
    assert np.abs(first.design.y - second.design.y).max() > 0.1
    assert str(first.priors) == str(second.priors)
    one, other = first.estimate(), second.estimate()
    np.testing.assert_allclose(other.parameters(), one.parameters(), rtol=SAME)
    assert str(other.summary()) == str(one.summary())
    draws = [model.sample(draws=20, chains=2, seed=1, method="marginal", progress=False) for model in (first, second)]
    np.testing.assert_allclose(draws[1].values.beta, draws[0].values.beta, rtol=1e-7)


def test_missing_rows_are_left_out_with_a_warning() -> None:
    data = frame().copy()
    data.loc[[3, 5], "x"], data.loc[7, "g"] = np.nan, None
    with pytest.warns(bmx.DroppedWarning, match=r"3 of 2000 rows were left out: missing values in .*`x` \(2\)"):
        source = bmx.Model("y ~ x + (1 | g)", duckdb.connect().from_df(data), where="source")
    with pytest.warns(bmx.DroppedWarning):
        whole = bmx.Model("y ~ x + (1 | g)", data)
    assert source.estimate().criterion == pytest.approx(whole.estimate().criterion, rel=SAME)
    assert "3 of 2000 rows left out" in str(source.estimate().summary())


REFUSED = {
    "y ~ poly(x, 2) + (1 | g)": "`poly(x, 2)` learns from all rows of its column",
    "y ~ s(x) + (1 | g)": "learns from all rows of its column",
    "y ~ x:u + (1 | g)": r"write `I(x * u)`",
    "y | weights(u) ~ x + (1 | g)": "what stands beside a response",
    "y ~ log(x - 100) + (1 | g)": "is not finite in 2000 rows of the duckdb table",
    "y ~ I(x / 0) + (1 | g)": "`I(x/0)` is not finite in 2000 rows",
}


@pytest.mark.parametrize("formula", REFUSED)
def test_what_needs_rows_is_refused(formula: str) -> None:
    with pytest.raises(bmx.BayesmixError) as caught:
        bmx.Model(formula, relation(), where="source")
    assert REFUSED[formula] in str(caught.value)


def test_new_data_are_predicted() -> None:
    rows = frame().iloc[:5]
    one, other = (model.estimate() for model in models("y ~ x + f + (x | g)"))
    np.testing.assert_allclose(other.predict(rows)["estimate"], one.predict(rows)["estimate"], rtol=1e-8)


@pytest.mark.parametrize(
    ("formula", "where", "message"),
    [
        ("h ~ x + (1 | g)", "nowhere", "data are in one of memory, source, auto"),
        ("h ~ x + cosy(gr = g)", "source", "correlated within blocks need the rows in their order"),
    ],
)
def test_places_that_do_not_suit_are_refused(formula: str, where: str, message: str) -> None:
    with pytest.raises(bmx.SpecError, match=message):
        bmx.Model(formula, relation(), where=where)


def test_small_sources_are_read(tmp_path: Path) -> None:
    assert bmx.Model("y ~ x + (1 | g)", relation(), where="auto").design.n == 2000
    frame().to_parquet(tmp_path / "part-0.parquet")
    assert bmx.Model("y ~ x + (1 | g)", tmp_path / "part-*.parquet", where="auto").design.n == 2000
