"""Cases of tests/reference/inference: their data, estimates, and the tables of emmeans."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import bayesmix as bmx

FOLDER = Path(__file__).parent / "reference" / "inference"
FIGURES = json.loads((FOLDER / "inference.json").read_text(encoding="utf-8"))
CASES = [name for name in FIGURES if name != "versions"]
CLOSE = 1e-4  # R optimises to about 1e-6 of a standard error, lmerTest differentiates numerically


def data_of(case: str) -> pd.DataFrame:
    """The data of a case, with the columns that the R script makes."""
    if case.startswith("machines"):
        return pd.read_csv(FOLDER / "machines.csv")
    if case.startswith("oats"):
        frame = pd.read_csv(FOLDER / "oats.csv")
        return frame.assign(rate=[f"N{10 * nitro:g}" for nitro in frame["nitro"]])
    if case == "clinics":
        return pd.read_csv(FOLDER.parent / "emmeans" / "clinics.csv").rename(columns={"g": "clinic"})
    frame = bmx.load_dataset(case.split("_", maxsplit=1)[0])
    return frame.assign(weight=1 + np.arange(1, len(frame) + 1) % 3) if case.startswith("cake") else frame


@cache
def fit_of(case: str, method: str = "reml") -> Any:
    """The estimate of a case, once."""
    weights = "weight" if case == "cake_weighted" else None
    return bmx.Model(FIGURES[case]["formula"], data_of(case), weights=weights).estimate(method)


MEANS = {
    "cake": lambda fit, **options: fit.marginal_means("recipe", **options),
    "cake_weighted": lambda fit, **options: fit.marginal_means("recipe", **options),
    "sleepstudy": lambda fit, **options: fit.marginal_means("Days", at={"Days": [0, 5, 9]}, **options),
    "sleepstudy_nested": lambda fit, **options: fit.marginal_means("Days", at={"Days": [0, 5, 9]}, **options),
    "machines": lambda fit, **options: fit.marginal_means("Machine", **options),
    "machines_unstructured": lambda fit, **options: fit.marginal_means("Machine", **options),
    "oats": lambda fit, **options: fit.marginal_means("Variety", **options),
    "oats_crossed": lambda fit, **options: fit.marginal_means("nitro", at={"nitro": [0, 0.6]}, **options),
    "clinics": lambda fit, **options: fit.marginal_means("t", **options),
}
COLUMNS = ("estimate", "std_error", "df", "lower", "upper", "statistic", "p_value")


def of_emmeans(table: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """The columns of one of emmeans' tables."""
    found = {name: np.atleast_1d(np.array(table[name], float)) for name in COLUMNS}
    return found | {"df": np.where(np.isnan(found["df"]), np.inf, found["df"])}  # which JSON has not


def close(found: pd.DataFrame, expected: Mapping[str, np.ndarray]) -> None:
    """The table is emmeans', row by row."""
    letter = next(name for name in ("t value", "z", "t") if name in found)
    for name in COLUMNS:
        ours = found[letter if name == "statistic" else name]
        np.testing.assert_allclose(ours, expected[name], rtol=CLOSE * (10 if name == "p_value" else 1), atol=1e-9)
    assert np.nanmax(np.abs(found["p_value"] - expected["p_value"]), initial=0.0) < CLOSE
