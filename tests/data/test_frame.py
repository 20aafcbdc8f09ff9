"""Every kind of dataframe and column comes in as numbers or factors."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from bayesmix.data.columns import Factor, Numeric, drop_unused, factor_of, label
from bayesmix.data.frame import open_table
from bayesmix.errors import DataError

duckdb, pl = pytest.importorskip("duckdb"), pytest.importorskip("polars")

PLAIN = {
    "n": [1.5, None, -2.0, 4.0],
    "i": [1, 2, None, 4],
    "s": ["b", None, "a", "B"],
    "b": [True, None, False, True],
}


def pandas_frame(**columns: Any) -> pd.DataFrame:
    return pd.DataFrame({name: pd.Series(values) for name, values in columns.items()})


def duckdb_relation(**columns: Any) -> Any:
    return duckdb.from_arrow(pa.table(columns))


BACKENDS: dict[str, Callable[..., Any]] = {
    "pandas": pandas_frame,
    "pandas nullable": lambda **columns: pandas_frame(**columns).convert_dtypes(),
    "pandas arrow": lambda **columns: pandas_frame(**columns).convert_dtypes(dtype_backend="pyarrow"),
    "polars": lambda **columns: pl.DataFrame(columns),
    "polars lazy": lambda **columns: pl.LazyFrame(columns),
    "arrow": lambda **columns: pa.table(columns),
    "duckdb": duckdb_relation,
    "dictionary": lambda **columns: columns,
}


@pytest.mark.parametrize("backend", BACKENDS)
def test_every_dataframe_gives_the_same_columns(backend: str) -> None:
    table = open_table(BACKENDS[backend](**PLAIN))
    columns = table.read(PLAIN)
    assert table.names == tuple(PLAIN)
    assert table.count() == 4
    np.testing.assert_array_equal(columns["n"].values, [1.5, np.nan, -2.0, 4.0])
    np.testing.assert_array_equal(columns["i"].values, [1.0, 2.0, np.nan, 4.0])
    check_factor(columns["s"], [2, -1, 1, 0], ("B", "a", "b"))
    check_factor(columns["b"], [1, -1, 0, 1], ("FALSE", "TRUE"), "boolean")
    np.testing.assert_array_equal(table.missing(["n", "i"]), [False, True, True, False])
    np.testing.assert_array_equal(table.missing(["s"]), [False, True, False, False])


def check_factor(column: Any, codes: list[int], levels: tuple[str, ...], kind: str = "factor") -> None:
    assert isinstance(column, Factor)
    assert column.levels == levels
    assert column.kind == kind
    assert column.codes.dtype == np.intp
    np.testing.assert_array_equal(column.codes, codes)
    np.testing.assert_array_equal(column.missing, np.asarray(codes) < 0)


ORDERED = pd.CategoricalDtype(["low", "high", "never"], ordered=True)
CATEGORIES = {
    "pandas": (pd.Series(["high", None, "low"], dtype=ORDERED), "ordered"),
    "polars enum": (pl.Series(["high", None, "low"], dtype=pl.Enum(["low", "high", "never"])), "factor"),
    "arrow": (
        pa.DictionaryArray.from_arrays(pa.array([1, None, 0]), pa.array(["low", "high", "never"]), ordered=True),
        "ordered",
    ),
}


@pytest.mark.parametrize("backend", CATEGORIES)
def test_the_order_of_categories_is_kept(backend: str) -> None:
    column, kind = CATEGORIES[backend]
    frame: Any = {"pandas": pd.DataFrame, "polars enum": pl.DataFrame}.get(backend, pa.table)({"x": column})
    check_factor(open_table(frame).read("x")["x"], [1, -1, 0], ("low", "high", "never"), kind)


def test_an_arrow_dictionary_inside_pandas_keeps_its_levels() -> None:
    array = pa.DictionaryArray.from_arrays(pa.array([1, None, 0]), pa.array(["low", "high"]))
    frame = pd.DataFrame({"x": pd.Series(array, dtype=pd.ArrowDtype(array.type))})
    check_factor(open_table(frame).read("x")["x"], [1, -1, 0], ("low", "high"))


def test_an_enum_of_duckdb_keeps_its_levels() -> None:
    relation = duckdb.sql("select x::enum('b', 'a') as x from (values ('a'), ('b'), (null)) t(x)")
    check_factor(open_table(relation).read("x")["x"], [1, 0, -1], ("b", "a"))


def test_a_polars_categorical_is_text() -> None:
    frame = pl.DataFrame({"x": pl.Series(["b", "a", None], dtype=pl.Categorical)})
    check_factor(open_table(frame).read("x")["x"], [1, 0, -1], ("a", "b"))


OBJECTS = {
    "booleans": ([True, None, False], "boolean"),
    "text": (["b", None, "a"], "factor"),
    "whole numbers": ([1, None, 3], "numbers"),
    "decimals": ([Decimal("1.5"), None, Decimal("2")], "numbers"),
    "nothing": ([None, None, None], "numbers"),
    "mixed numbers": ([1, 2.5, None], "numbers"),
}


@pytest.mark.parametrize("kind", OBJECTS)
def test_columns_of_objects_are_looked_into(kind: str) -> None:
    values, expected = OBJECTS[kind]
    column = open_table(pd.DataFrame({"x": pd.Series(values, dtype=object)})).read("x")["x"]
    assert ("numbers" if isinstance(column, Numeric) else column.kind) == expected
    np.testing.assert_array_equal(column.missing, pd.isna(pd.Series(values, dtype=object)))


def test_categories_that_are_numbers_are_labelled_as_in_R() -> None:
    column = open_table({"x": pd.Categorical([2.0, 1.0, 2.5])}).read("x")["x"]
    assert column.levels == ("1", "2", "2.5")


UNUSABLE = {
    "dates": [date(2020, 1, 1) + timedelta(i) for i in range(3)],
    "times": list(pd.date_range("2020", periods=3)),
    "durations": [timedelta(i) for i in range(3)],
    "complex": [1j, 2j, 3j],
    "lists": [[1], [2], [3]],
    "mixed": [1, "a", None],
}


@pytest.mark.parametrize(
    ("backend", "kind"),
    [*(("pandas", kind) for kind in UNUSABLE), *(("polars", k) for k in ("dates", "times", "durations", "lists"))],
)
def test_other_columns_are_refused(kind: str, backend: str) -> None:
    frame = pd.DataFrame({"x": UNUSABLE[kind]}) if backend == "pandas" else pl.DataFrame({"x": UNUSABLE[kind]})
    with pytest.raises(DataError, match="Column `x` holds") as caught:
        open_table(frame).read("x")
    assert ("days since the first date" in str(caught.value)) == (kind in ("dates", "times", "durations"))


@pytest.mark.parametrize("backend", ["pandas", "polars", "arrow"])
def test_identifiers_too_large_for_floats_are_refused(backend: str) -> None:
    with pytest.raises(DataError, match="too large to be told apart"):
        open_table(BACKENDS[backend](x=[2**60, 2**60 + 1])).read("x")
    assert open_table(BACKENDS[backend](x=[2**53, 1])).read("x")["x"].values[0] == 2**53


@pytest.mark.parametrize("suffix", ["csv", "csv.gz", "parquet"])
def test_files(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"data.{suffix}"
    frame = pd.DataFrame({"x": [1.5, np.nan], "s": ["a", "NA"], "t": ["None", "x"]})
    frame.to_parquet(path) if suffix == "parquet" else frame.to_csv(path, index=False)
    for data in (path, str(path)):
        columns = open_table(data).read(["x", "s", "t"])
        np.testing.assert_array_equal(columns["x"].values, [1.5, np.nan])
        assert columns["t"].levels == ("None", "x")
    if suffix != "parquet":
        assert columns["s"].levels == ("a",)


def test_only_the_columns_asked_for_are_converted() -> None:
    table = open_table({"x": [1, 2], "when": pd.date_range("2020", periods=2)})
    assert list(table.read(["x"])) == ["x"]
    assert not table.missing(["when"]).any()


def test_names_that_are_not_text_become_text() -> None:
    assert open_table(pd.DataFrame({0: [1.0], "a": [2.0]})).read(["0"])["0"].values[0] == 1.0


PROBLEMS: dict[str, tuple[Any, str]] = {
    "not a table": (5, "not int"),
    "an array": (np.zeros((2, 2)), "not ndarray"),
    "lengths": ({"x": [1, 2], "y": [1]}, "do not make a table"),
    "no columns": ({}, "no columns"),
    "twice": (pd.DataFrame([[1, 2]], columns=["y", "y"]), "Two columns of the data are named `y`: rename one of them"),
    "twice in arrow": (pa.Table.from_arrays([pa.array([1])] * 2, ["y", "y"]), "are named `y`"),
    "no file": ("nowhere.csv", "There is no file `nowhere.csv`"),
    "a data set": ("cbpp", r"There is no file `cbpp`\. The data set .* bmx\.load_dataset\(.cbpp.\)"),
    "labels": ({"y": pd.Categorical([1, "1"])}, "same label"),
}


@pytest.mark.parametrize("problem", PROBLEMS)
def test_problems_with_the_data_are_named(problem: str) -> None:
    data, message = PROBLEMS[problem]
    with pytest.raises(DataError, match=message):
        open_table(data).read(["y"])


TWINS = {
    "pandas": pd.DataFrame([[1.0, 2.0, 3.0]], columns=["x", "a", "a"]),
    "arrow": pa.Table.from_arrays([pa.array([1.0]), pa.array([2.0]), pa.array([3.0])], ["x", "a", "a"]),
}


@pytest.mark.parametrize("backend", TWINS)
def test_columns_of_one_name_are_refused_only_where_they_are_used(backend: str) -> None:
    table = open_table(TWINS[backend])
    assert set(table.names) == {"x", "a"}
    assert table.read(["x"])["x"].values[0] == 1.0
    assert table.count() == 1
    with pytest.raises(DataError, match="Two columns of the data are named `a`"):
        table.read(["x", "a"])


def test_a_missing_column_is_named_with_the_nearest() -> None:
    with pytest.raises(DataError) as caught:
        open_table({"Days": [1], "Subject": [1]}).read(["Dayz"])
    expected = "Column `Dayz` of the formula is not in the data. Did you mean `Days`? Columns: Days, Subject."
    assert str(caught.value) == expected


def test_numbers_and_text_in_one_column_of_a_spreadsheet_are_named() -> None:
    mixed = pd.Series([1.5, ".", None, 3, "n.d.", "."], dtype=object)
    with pytest.raises(DataError, match=r"holds numbers, and text in rows 1, 4, 5 \(counted from 0\): `\.`, `n\.d\.`"):
        open_table(pd.DataFrame({"x": mixed})).read(["x"])


def test_the_intercept_of_other_packages_is_no_column() -> None:
    with pytest.raises(DataError, match=r"is not in the data\. The intercept is written `1`"):
        open_table({"Interest": [1]}).read(["Intercept"])


def test_factors_from_numbers_and_without_unused_levels() -> None:
    check_factor(factor_of(Numeric(np.array([3.0, np.nan, 1.0, 2.5]))), [2, -1, 0, 1], ("1", "2.5", "3"))
    factor = Factor(np.array([2, -1, 0]), ("a", "b", "c"), "ordered")
    check_factor(drop_unused(factor), [1, -1, 0], ("a", "c"), "ordered")
    boolean = Factor(np.array([1, 1]), ("FALSE", "TRUE"), "boolean")
    assert drop_unused(boolean) is boolean
    assert label(10.0) == "10"
    assert label(np.float64(0.5)) == "0.5"
