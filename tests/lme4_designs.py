"""The 120 rows that R's matrices were made from, and those matrices."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd

FORMULAS = Path(__file__).parent / "reference" / "formula"
LEVELS = {
    "f": ["b", "a", "c"],
    "h": ["lo", "hi"],
    "o": ["low", "mid", "high", "top"],
    "g": [f"g{i}" for i in range(1, 11)],
    "a": ["A1", "A2", "A3", "A4"],
    "b": ["1", "2", "3"],
    "fu": ["b", "a", "c", "zz"],
    "gu": [*(f"g{i}" for i in range(1, 11)), "g99"],
}


@cache
def lme4_rows() -> pd.DataFrame:
    """d.csv with the types it has in R; copy before changing it."""
    frame = pd.read_csv(FORMULAS / "d.csv", dtype=dict.fromkeys(LEVELS, str))
    types = {name: pd.CategoricalDtype(levels, ordered=name == "o") for name, levels in LEVELS.items()}
    return frame.astype(types)


@cache
def formula_reference(name: str) -> dict[str, Any]:
    """Read a file of the formula reference; do not change what it returns."""
    return json.loads((FORMULAS / name).read_text(encoding="utf-8"))
