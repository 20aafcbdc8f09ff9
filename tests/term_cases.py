"""Cases of tests of terms and of nested models: R's figures, the data, and the fits, made once a session."""

from __future__ import annotations

import json
import warnings
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import bayesmix as bmx

FOLDER = Path(__file__).parent / "reference"
FIGURES = json.loads((FOLDER / "inference" / "terms.json").read_text(encoding="utf-8"))
CLOSE = 1e-4  # lmerTest differentiates numerically and rounds small entries of its contrasts to zero
DATA = {
    "machines": "inference/machines.csv",
    "machines_slopes": "inference/machines.csv",
    "split_plot": "inference/split_plot.csv",
    "linear_nitrogen": "inference/split_plot.csv",
    "clinics": "emmeans/clinics.csv",
    **dict.fromkeys(("slopes", "three", "empty", "without", "nested", "cells"), "emmeans/cells.csv"),
}
SETS = {"cake_numeric": "cake", "offset": "sleepstudy_ow", "polynomial": "sleepstudy", "quadratic": "sleepstudy"}
GENERALIZED = {
    "cbpp": ("cbind(incidence, size - incidence) ~ period + (1 | herd)", "cbpp", "binomial"),
    "ticks": ("TICKS ~ year * h + (1 | BROOD) + (1 | LOCATION)", "grouseticks", "poisson"),
    "salamanders": (
        "count ~ spp * cover + mined + (1 | site); zi ~ mined + DOP",
        "Salamanders",
        "zero_inflated_poisson",
    ),
}


@cache
def data_of(name: str) -> pd.DataFrame:
    if name not in DATA:
        frame = bmx.load_dataset(SETS.get(name, name))
        return frame.assign(half=np.where(frame["Days"] < 5, "early", "late")) if "Days" in frame else frame
    frame = pd.read_csv(FOLDER / DATA[name])
    if "nitrogen" in frame:
        frame = frame.assign(number=frame["nitrogen"].astype("category").cat.codes + 1.0)
    return frame


@cache
def estimate(formula: str, name: str, method: str = "auto") -> bmx.Estimate:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", bmx.DroppedWarning)
        return bmx.Model(formula.replace("as.numeric(nitrogen)", "number"), data_of(name)).estimate(method)


@cache
def generalized(name: str) -> bmx.Estimate:
    formula, data, family = GENERALIZED[name]
    frame = bmx.load_dataset(data)
    if name == "ticks":
        frame = frame.assign(year=frame["YEAR"].astype(str), h=(frame["HEIGHT"] - 460.0) / 100.0)
    return bmx.Model(formula, frame, family).estimate()


def listed(figures: dict[str, Any], column: str) -> np.ndarray:
    """A column of a table of R, which is a number where the table has one row."""
    values = np.atleast_1d(np.array(figures[column], dtype=object))
    return values if column == "term" else values.astype(float)


def check(table: pd.DataFrame, figures: dict[str, Any], rtol: float = CLOSE) -> None:
    """Hold a table against one of R, column by column."""
    assert [str(label).replace("year", "YEAR") for label in table.index] == list(listed(figures, "term"))
    for column in table.columns:
        if column in figures:
            atol = 1e-9 if column == "p_value" else 0.0  # an error of F is multiplied by F in p-values of tails
            np.testing.assert_allclose(table[column], listed(figures, column), rtol=rtol, atol=atol, err_msg=column)
