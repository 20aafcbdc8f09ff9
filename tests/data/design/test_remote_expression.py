"""Numeric expressions are what NumPy makes of them, where the data are."""

from __future__ import annotations

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pytest

from bayesmix.data.columns import Factor, Numeric
from bayesmix.data.design.evaluate import evaluate
from bayesmix.data.design.remote_expression import is_number, remote
from bayesmix.data.remote_table import open_remote
from bayesmix.language.formula.reader import read

FRAME = pd.DataFrame({"x": [1.0, 2.5, 4.0], "k": [3, 1, 2], "f": list("aba")})
NUMBERS = [
    "x",
    "k",
    "I(x^2 - 1)",
    "log(x)",
    "log2(x) + log10(x)",
    "exp(-x / k)",
    "sqrt(abs(1 - x))",
    "2 * (x - k)",
    "sin(pi * x)",
    "-cos(x)",
]
COLUMNS = {
    "x": Numeric(FRAME["x"].to_numpy()),
    "k": Numeric(FRAME["k"].to_numpy(float)),
    "f": Factor(np.array([0, 1, 0]), ("a", "b")),
}


@pytest.mark.parametrize("text", NUMBERS)
@pytest.mark.parametrize("kind", ["duckdb", "polars"])
def test_arithmetic(text: str, kind: str) -> None:
    table = open_remote(duckdb.connect().from_df(FRAME) if kind == "duckdb" else pl.from_pandas(FRAME).lazy())
    kinds = table.kinds(["x", "k", "f"])
    assert is_number(read(text), kinds)
    right = evaluate(text, COLUMNS, {})
    found = table.total({"sum": remote(read(text), kinds).sum()})["sum"]
    assert isinstance(right, Numeric)
    assert found == pytest.approx(right.values.sum(), rel=1e-14)


@pytest.mark.parametrize(
    "text", ["f", "factor(x)", "x > 2", "log(x, 2, 3)", "log(2)", "scale(x)", "!f", "x %in% c(1, 2)", "missing"]
)
def test_what_is_no_arithmetic(text: str) -> None:
    assert not is_number(read(text), COLUMNS)
