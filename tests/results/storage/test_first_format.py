"""Fits that the first version of the format wrote: they say what that version said, and are saved in today's."""

from __future__ import annotations

import json
from pathlib import Path
from zipfile import ZipFile

import numpy as np
import pytest

import bayesmix as bmx
from bayesmix.results.storage.fit_storage import CHECKSUMS, MARK
from bayesmix.results.storage.store_files import METADATA

STORES = Path(__file__).parent / "stores"
SAID = json.loads((STORES / "said.json").read_text(encoding="utf-8"))


def attributes(store):
    return json.loads((store / METADATA).read_text(encoding="utf-8"))["attributes"]


def check(fit, said):
    np.testing.assert_allclose(fit.fixef().iloc[:, 0], said["fixef"], rtol=1e-12)
    np.testing.assert_allclose(fit.predict(kind="mean").iloc[:, 0], said["fitted"], rtol=1e-10)
    if said["criterion"] is not None:
        assert fit.criterion == pytest.approx(said["criterion"], rel=1e-12)
        assert len(fit.problems) == said["problems"]


@pytest.mark.parametrize("name", SAID)
def test_first_stores_are_read_and_saved_anew(name, tmp_path):
    first, second = tmp_path / "first.zarr", tmp_path / "second.zarr"
    ZipFile(STORES / f"{name}.zip").extractall(first)
    assert attributes(first)[MARK] == 1
    assert CHECKSUMS not in attributes(first)
    fit = bmx.load(first)
    check(fit, SAID[name])
    fit.save(second)
    assert CHECKSUMS in attributes(second)
    check(bmx.load(second), SAID[name])


@pytest.mark.slow
def test_first_stores_go_on(tmp_path):
    """Settings of the run that later versions keep were not written."""
    ZipFile(STORES / "posterior.zip").extractall(tmp_path / "first.zarr")
    fit = bmx.load(tmp_path / "first.zarr")
    assert fit.extend(5, progress=False).values.beta.shape == (2, 15, 1)
