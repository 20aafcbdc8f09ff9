"""Predictions that are written some rows at a time are those of all rows together."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from staying import estimate, frame, posterior, relation

import bayesmix as bmx
from bayesmix.results.storage import streamed_predictions

HOLES = frame().assign(x=frame()["x"].where(frame().index % 7 > 0))


@pytest.fixture(autouse=True)
def _few_rows_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streamed_predictions, "SIZE", 90)


def kinds(folder: Path) -> dict[str, Any]:
    HOLES.to_parquet(folder / "new.parquet")
    HOLES.to_csv(folder / "new.csv", index=False)
    return {
        "parquet": folder / "new.parquet",
        "csv": str(folder / "new.csv"),
        "relation": relation(HOLES),
        "polars": pl.from_pandas(HOLES).lazy(),
        "pandas": HOLES,
        "dictionary": HOLES.to_dict("list"),
    }


KINDS = [pytest.param(kind, marks=pytest.mark.slow) for kind in ("csv", "relation", "pandas", "dictionary")]


@pytest.mark.parametrize("kind", ["parquet", "polars", *KINDS])
def test_files_hold_what_predict_returns(kind: str, tmp_path: Path) -> None:
    fit, file = estimate("source"), tmp_path / "out.parquet"
    with pytest.warns(bmx.PredictionWarning, match="58 of 400 rows of .* are NaN: values are missing"):
        told = fit.predict(kinds(tmp_path)[kind], to=file)
    assert told.to_dict("records") == [{"file": str(file), "rows": 400, "undetermined": 58}]
    with pytest.warns(bmx.PredictionWarning):
        whole = fit.predict(HOLES)
    found = pd.read_parquet(file)
    np.testing.assert_allclose(found[whole.columns], whole, rtol=1e-9)
    np.testing.assert_array_equal(found["y"], HOLES["y"])  # residuals are a difference of columns
    assert found["g"].tolist() == HOLES["g"].tolist()


@pytest.mark.parametrize("place", [pytest.param("memory", marks=pytest.mark.slow), "source"])
def test_data_of_the_fit_are_the_default(place: str, tmp_path: Path) -> None:
    for fit in (estimate(place), posterior(place)):
        fit.predict(to=tmp_path / "out.parquet")
        whole, found = fit.predict(frame()), pd.read_parquet(tmp_path / "out.parquet")
        np.testing.assert_allclose(found[whole.columns], whole, rtol=1e-9)
        np.testing.assert_array_equal(found["y"], frame()["y"])


@pytest.mark.parametrize("groups", ["new", "known"])
def test_levels_that_the_fit_has_not_are_one_level_in_all_parts(groups: str, tmp_path: Path) -> None:
    new = frame().assign(g=[f"new{row % 7}" if row % 3 else "g01" for row in range(len(frame()))])
    new = new.iloc[np.argsort(-np.arange(len(new)) % 11, kind="stable")]
    options = {"groups": groups, "kind": "linear", "seed": 4}
    posterior("source").predict(new, to=tmp_path / "out.parquet", **options)
    found, whole = pd.read_parquet(tmp_path / "out.parquet"), posterior("source").predict(new, **options)
    np.testing.assert_allclose(found[whole.columns], whole, rtol=1e-9)


def test_new_observations_differ_between_parts(tmp_path: Path) -> None:
    same = frame().iloc[[0] * 200]
    posterior("source").predict(same, to=tmp_path / "out.parquet", kind="response", seed=4)
    found = pd.read_parquet(tmp_path / "out.parquet")["mean"].to_numpy()
    assert len(np.unique(found)) == 200


@pytest.mark.slow
def test_categories_have_a_row_each(tmp_path: Path) -> None:
    data = bmx.load_dataset("wine")
    fit = bmx.Model("rating ~ temp", data, family="cumulative").estimate()
    new = pd.DataFrame({"temp": ["cold", "warm"], "name": ["a", "b"]})
    fit.predict(new, to=tmp_path / "out.parquet")
    found, whole = pd.read_parquet(tmp_path / "out.parquet"), fit.predict(new)
    assert found["category"].tolist() == whole["category"].astype(str).tolist()
    assert found["name"].tolist() == ["a"] * 5 + ["b"] * 5
    np.testing.assert_allclose(found["estimate"], whole["estimate"])


def refused(folder: Path) -> dict[str, tuple[Any, dict[str, Any], str]]:
    file = kinds(folder)["parquet"]
    strangers = frame().assign(g=[*frame()["g"][:-1], "g99"])
    return {
        "its own file": (file, {"to": file}, "is one of the files .* that are predicted"),
        "one of its pattern": (
            str(file.with_name("*.parquet")),
            {"to": file.with_name("later.parquet")},
            r"later.parquet` is one of the files `.*\*.parquet` that are predicted",
        ),
        "another kind": (frame(), {"to": folder / "out.csv"}, "written as Parquet: `.*out.csv` has to end in .parquet"),
        "no folder": (frame(), {"to": folder / "no" / "x.parquet"}, "The predictions `.*` cannot be written"),
        "unseen at the end": (strangers, {}, r"not seen in fitting \(g99\)"),
        "a column of that name": (frame().assign(df=1.0), {}, "have a column `df`, as predictions do: rename it"),
        "a number": (3, {}, "not of int"),
        "another kind of file": ("new.xlsx", {}, r"not of a path of another kind: bmx\.read_data"),
        "no file": (folder / "no.parquet", {}, "There is no file"),
        "a column short": (frame().drop(columns="z"), {}, "Column `z`"),
        "offset": (file, {"offset": np.zeros(400)}, "offset= is one value a row, and the rows stay where they are"),
    }


CASES = (
    *("its own file", "no folder", "unseen at the end", "a column of that name", "a number", "another kind of file"),
    *("no file", "a column short", "offset"),
)


@pytest.mark.parametrize("case", CASES)
def test_nothing_is_half_written(case: str, tmp_path: Path) -> None:
    data, options, message = refused(tmp_path)[case]
    target = tmp_path / "out.parquet"
    target.write_text("before")
    names = sorted(path.name for path in tmp_path.iterdir())
    with pytest.raises(bmx.BayesmixError, match=message):
        estimate("source").predict(data, **({"to": target} | options))
    assert target.read_text() == "before"
    assert sorted(path.name for path in tmp_path.iterdir()) == names
