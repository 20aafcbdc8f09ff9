"""Fits of data that stay where they are are saved with the sums that were read, and loaded without the rows."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from staying import FORMULA, estimate, frame, model, posterior, relation

import bayesmix as bmx
from bayesmix.results.storage.condensed_storage import condensed_words, read_condensed


@pytest.mark.parametrize("kind", ["estimate", pytest.param("posterior", marks=pytest.mark.slow)])
def test_fits_come_back_without_the_rows(kind: str, tmp_path: Path) -> None:
    fit = (estimate if kind == "estimate" else posterior)("source")
    fit.save(tmp_path / "fit.zarr")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        back = bmx.load(tmp_path / "fit.zarr")
    assert str(back.summary()) == str(fit.summary())
    assert back.design.n_used == len(frame())
    np.testing.assert_array_equal(back.predict(frame().iloc[:5]), fit.predict(frame().iloc[:5]))
    np.testing.assert_array_equal(back.slopes("x", by="t")["slope"], fit.slopes("x", by="t")["slope"])


def test_sums_that_were_read_are_enough_for_smaller_models(tmp_path: Path) -> None:
    estimate("source").save(tmp_path / "fit.zarr")
    back = bmx.load(tmp_path / "fit.zarr")
    smaller = estimate("memory").update("~ . - z")
    assert back.update("~ . - z").criterion == pytest.approx(smaller.criterion, rel=1e-10)
    with pytest.raises(bmx.DataError, match=r"needs the duckdb table, which is not kept with this fit: give the data"):
        back.update("~ . + I(x^2)")
    found = back.update("~ . + I(x^2)", data=relation())
    assert found.criterion == pytest.approx(estimate("memory").update("~ . + I(x^2)").criterion, rel=1e-10)
    assert found.design.counts is not None


def saved(folder: Path) -> Path:
    file = folder / "rows.parquet"
    frame().to_parquet(file)
    bmx.Model(FORMULA, file, where="source").estimate().save(folder / "fit.zarr")
    return file


@pytest.mark.slow
def test_files_are_read_again_where_they_are_what_they_were(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    saved(tmp_path)
    monkeypatch.chdir(tmp_path.parent)
    back = bmx.load(tmp_path / "fit.zarr")
    assert "I(x^2)" in back.update("~ . + I(x^2)").design.fixed
    assert back.predict(to=tmp_path / "out.parquet")["rows"].item() == len(frame())


def test_files_that_have_changed_are_told_of(tmp_path: Path) -> None:
    file = saved(tmp_path)
    frame().iloc[:300].to_parquet(file)
    with pytest.raises(bmx.BayesmixWarning, match=r"^`.*has changed"):  # where warnings are errors
        bmx.load(tmp_path / "fit.zarr")
    with pytest.warns(bmx.BayesmixWarning, match=r"rows\.parquet` has changed: it was 1 file.*as they were"):
        back = bmx.load(tmp_path / "fit.zarr")
    assert back.fixef().shape == estimate("source").fixef().shape
    for verb in (lambda: back.update("~ . + I(x^2)"), lambda: back.predict(to=tmp_path / "out.parquet")):
        with pytest.raises(bmx.DataError, match=r"needs the data of the fit, but `.*rows\.parquet` has changed"):
            verb()
    assert not (tmp_path / "out.parquet").exists()
    file.unlink()
    with pytest.warns(bmx.BayesmixWarning, match=r"is not there any more\. The fit is that of the data"):
        bmx.load(tmp_path / "fit.zarr")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (frame().iloc[:399], "had 400 rows then and has 399 now"),
        (frame().assign(x=frame()["x"].where(frame()["g"] != "g01")), "has other missing values than then"),
        (frame().assign(z=frame()["z"] * 1.001), "column `z` of the duckdb table is another one than then"),
    ],
)
def test_tables_that_are_no_files_are_known_by_their_moments(data: object, message: str) -> None:
    record = model("source")._fitted
    fit = estimate("source")
    changed = bmx.Estimate(type(record)(fit.spec, fit.design, "", data=relation(data)), fit.point)
    with pytest.raises(bmx.DataError, match=message):
        changed.update("~ . + I(x^2)")


def test_damage_is_named(tmp_path: Path) -> None:
    condensed = estimate("source").design.source.condensed
    damaged = xr.Dataset({"cell_counts": ("cell_row", -condensed.counts)})
    with pytest.raises(bmx.DataError, match="sums of the stored data are damaged"):
        read_condensed(condensed_words(condensed), damaged)
