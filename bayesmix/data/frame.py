"""Any dataframe in: the columns that a formula needs, as numbers or factors.

pandas, Polars, PyArrow, DuckDB, Dask, Ibis and PySpark tables come in through narwhals; dictionaries of arrays and
files are read by `bayesmix.data.files`. What kind of column each becomes:

=============================  =====================================================================================
in the data                    here
=============================  =====================================================================================
integers, floats, decimals     `Numeric`, missing values are NaN
booleans                       `Factor` of kind ``boolean`` with levels ``FALSE`` and ``TRUE``
categorical, Enum, dictionary  `Factor` with the declared order of its levels; ``ordered`` if pandas or Arrow say so
text, Polars' Categorical      `Factor` with levels in the order of their characters (R's C locale: capitals first)
dates, times, other objects    refused
=============================  =====================================================================================

An ``Enum`` of Polars or DuckDB is an unordered factor: there it is the only way to declare the order of levels, so the
order alone does not ask for polynomial contrasts.
"""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import reduce
from numbers import Real
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bayesmix.arrays import Array
from bayesmix.data.columns import Column, Factor, Kind, Numeric, boolean_factor, label, name_all, name_rows
from bayesmix.data.files import DataFile, OpenFile, open_file
from bayesmix.errors import BayesmixError, DataError, first_line, nearest

if TYPE_CHECKING:
    import pandas as pd


INTERCEPTS = ("Intercept", "intercept", "const", "_cons")  # as brms, statsmodels and Stata call it
LARGEST_EXACT = 2**53  # larger integers are not all different as floats


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """A dataframe whose columns have not been read yet."""

    names: tuple[str, ...]
    native: Any  # a pandas frame, a narwhals frame, eager or lazy, or a file
    twice: frozenset[str] = frozenset()  # names that several columns have: they are in the way only where they are used

    def read(self, needed: Iterable[str]) -> dict[str, Column]:
        """Return the columns named; all have the same number of rows.

        Raises
        ------
        DataError
            If a column is not there, or holds what a model cannot use.
        """
        import pandas as pd

        if isinstance(self.native, pd.DataFrame):  # by narwhals it would take longer than all else of a small fit
            columns = {name: self.native[name] for name in self._checked(needed)}
            return {name: _from_pandas(name, one, is_integer=_is_integer(one)) for name, one in columns.items()}
        frame = self._select(needed)
        return {name: to_column(name, frame[name]) for name in frame.columns}

    def missing(self, needed: Iterable[str]) -> Array:
        """Return in which rows any of the columns named, at least one, has a missing value; they may be of any type."""
        import narwhals as nw

        frame = nw.from_native(self._select(needed), pass_through=True)
        return reduce(np.logical_or, (_missing(frame[name]) for name in frame.columns))

    def count(self) -> int:
        """Return the number of rows."""
        return len(self._select([name for name in self.names if name not in self.twice][:1] or self.names[:1]))

    def _select(self, needed: Iterable[str]) -> Any:
        """A pandas frame of a pandas frame, one of narwhals of all others."""
        import narwhals as nw
        import pandas as pd

        wanted = self._checked(needed)
        if isinstance(self.native, pd.DataFrame):
            return self.native[wanted]
        if isinstance(self.native, OpenFile):
            return nw.from_native(self.native.select(wanted))
        with reporting(engine_of(self.native)):
            return collect(self.native.select(wanted))

    def _checked(self, needed: Iterable[str]) -> list[str]:
        """The names of columns that are wanted, once each."""
        wanted = list(dict.fromkeys(needed))
        for name in wanted:
            if name not in self.names:
                raise missing_column(name, self.names)
            if name in self.twice:
                raise DataError(f"Two columns of the data are named `{name}`: rename one of them.")
        return wanted


def open_table(data: Any) -> Table:
    """Take any dataframe, dictionary of columns, or path of a file.

    Raises
    ------
    DataError
        If ``data`` is none of these.
    """
    if isinstance(data, Table):
        return data
    if isinstance(data, str | PathLike | DataFile):
        file = open_file(data if isinstance(data, DataFile) else DataFile(Path(data)))
        return Table(file.names, file, _twice(file.names))
    if isinstance(data, Mapping):
        data = _from_mapping(data)
    data, twice = _without_twins(_text_names(data))
    native, names = _native(data)
    if not names and not twice:
        raise DataError("The data have no columns.")
    return Table((*names, *sorted(twice)), native, twice)


def _native(data: Any) -> tuple[Any, tuple[str, ...]]:
    """The frame that columns are taken from, and their names."""
    import pandas as pd

    if isinstance(data, pd.DataFrame):
        return data, tuple(data.columns)
    try:
        native = narwhals_frame(data)
    except TypeError:
        what = f"Data are a dataframe, a dictionary of columns or a path, not {type(data).__name__}."
        raise DataError(what) from None
    with reporting(engine_of(native)):
        return native, tuple(native.collect_schema().names())


def narwhals_frame(data: Any) -> Any:
    """The frame of narwhals of a table; its warning that Dask is to have a package of its own is no user's business.

    Raises
    ------
    TypeError
        If it is none that narwhals knows.
    """
    import narwhals as nw

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Dask support is moving", FutureWarning)
        return nw.from_native(data)


def engine_of(frame: Any) -> str:
    """What a frame of narwhals is called in messages."""
    return f"the {frame.implementation.name.lower().replace('_', ' ')} table"


@contextmanager
def reporting(label: str) -> Iterator[None]:
    """Turn what engines raise into a DataError that names the source."""
    try:
        yield
    except BayesmixError:
        raise
    except Exception as error:  # engines have error classes of their own, and need not be installed
        raise DataError(f"{label} cannot be read: {first_line(error)}.") from error


class MissingColumnError(DataError):
    """A column that is not in the data."""

    def __init__(self, message: str, column: str = "") -> None:
        super().__init__(message)
        self.column = column


def missing_column(name: str, known: Sequence[str]) -> MissingColumnError:
    """Return the error for a column that is not in the data."""
    shown = ", ".join(sorted(known)[:20]) + (", ..." if len(known) > 20 else "")
    hint = " The intercept is written `1`, and is there by default." if name in INTERCEPTS else nearest(name, known)
    return MissingColumnError(f"Column `{name}` of the formula is not in the data.{hint} Columns: {shown}.", name)


def _from_mapping(data: Mapping[str, Any]) -> Any:
    import pandas as pd

    try:
        return pd.DataFrame(dict(data))
    except (ValueError, TypeError) as error:
        raise DataError(f"The columns do not make a table: {error}") from None


def _text_names(data: Any) -> Any:
    """Make the column names of a pandas frame text."""
    import pandas as pd

    if isinstance(data, pd.DataFrame) and not all(isinstance(name, str) for name in data.columns):
        return data.set_axis([str(name) for name in data.columns], axis=1)
    return data


def _without_twins(data: Any) -> tuple[Any, frozenset[str]]:
    """Leave out columns that share their name, which no one can ask for, and return their names."""
    import pandas as pd

    if isinstance(data, pd.DataFrame):
        twice = _twice(list(map(str, data.columns)))
        return (data.loc[:, [name not in twice for name in data.columns]], twice) if twice else (data, twice)
    if type(data).__module__.startswith("pyarrow"):
        twice = _twice(data.column_names)
        return (data.select([i for i, name in enumerate(data.column_names) if name not in twice]), twice)
    return data, frozenset()


def _twice(names: Sequence[str]) -> frozenset[str]:
    return frozenset(name for name, count in Counter(names).items() if count > 1)


def collect(frame: Any) -> Any:
    """An eager frame of narwhals; itself if it is one."""
    import narwhals as nw

    if not isinstance(frame, nw.LazyFrame):
        return frame
    if frame.implementation.is_duckdb():
        return nw.from_native(_unordered(frame.collect("pandas").to_native()))
    return frame.collect("polars" if frame.implementation.is_polars() else "pandas")


def _unordered(frame: pd.DataFrame) -> pd.DataFrame:
    """Undo that DuckDB calls every enumeration ordered."""
    ordered = [name for name in frame if getattr(frame[name].dtype, "ordered", False)]
    return frame.assign(**{str(name): frame[name].cat.as_unordered() for name in ordered})


def _missing(series: Any) -> Array:
    missing = series.is_null() | series.is_nan() if series.dtype.is_float() else series.is_null()
    return np.asarray(missing.fill_null(True).to_numpy(), dtype=bool)


def to_column(name: str, series: Any) -> Column:
    """Convert a narwhals series."""
    if series.implementation.is_polars():
        return _from_polars(name, series)
    native = series.to_native()
    if series.implementation.is_pyarrow():
        native = native.to_pandas()  # keeps the levels of a dictionary, which narwhals' own conversion loses
    elif not series.implementation.is_pandas():
        native = series.to_pandas()
    return _from_pandas(name, native, is_integer=series.dtype.is_integer())


def without_rows(name: str, dtype: Any) -> Column:
    """A column of no rows, of one of narwhals' types.

    Raises
    ------
    DataError
        If a model cannot use it.
    """
    import narwhals as nw

    none = np.zeros(0)
    if dtype == nw.Boolean:
        return boolean_factor(none, none.astype(bool))
    if dtype.is_numeric():
        return Numeric(none)
    if dtype in (nw.String, nw.Categorical, nw.Enum):
        return Factor(none.astype(np.intp), tuple(dtype.categories) if dtype == nw.Enum else ())
    raise _unusable(name, str(dtype))


def _is_integer(series: pd.Series[Any]) -> bool:
    from pandas.api import types

    return bool(types.is_integer_dtype(series.dtype))


def _from_polars(name: str, series: Any) -> Column:
    import narwhals as nw

    dtype = series.dtype
    if dtype == nw.Boolean:
        missing = series.is_null().to_numpy()
        return boolean_factor(series.fill_null(False).to_numpy(), missing)
    if dtype.is_numeric():
        return _numeric(name, series.cast(nw.Float64).to_numpy(), is_integer=dtype.is_integer())
    if dtype in (nw.String, nw.Categorical, nw.Enum):
        levels = dtype.categories if dtype == nw.Enum else None
        return _text(series.cast(nw.String).to_numpy(), levels)
    raise _unusable(name, str(dtype))


def _from_pandas(name: str, series: pd.Series[Any], *, is_integer: bool = False) -> Column:
    import pandas as pd
    from pandas.api import types

    dtype = series.dtype
    if isinstance(dtype, pd.ArrowDtype):
        return _from_pandas(name, series.array.__arrow_array__().to_pandas(), is_integer=is_integer)
    if isinstance(dtype, pd.CategoricalDtype):
        return _categories(name, series)
    if types.is_bool_dtype(dtype):
        missing = series.isna().to_numpy(dtype=bool)
        return boolean_factor(series.fillna(False).to_numpy(dtype=bool), missing)
    if types.is_numeric_dtype(dtype) and not types.is_complex_dtype(dtype):
        return _numeric(name, series.to_numpy(dtype=np.float64, na_value=np.nan), is_integer=is_integer)
    if types.is_object_dtype(dtype):
        return _from_objects(name, series)
    if types.is_string_dtype(dtype):
        return _text(series)
    raise _unusable(name, str(dtype))


def _from_objects(name: str, series: pd.Series[Any]) -> Column:
    """Convert a column of Python objects, if all are of one usable kind."""
    import pandas as pd

    kind = pd.api.types.infer_dtype(series, skipna=True)
    if kind == "string":
        return _text(series)
    if kind == "boolean":
        return _from_pandas(name, series.astype("boolean"))
    if kind in ("integer", "floating", "mixed-integer-float", "empty"):
        try:
            numbers = series.astype("Float64")
        except OverflowError:  # Python's own whole numbers have no end
            raise DataError(f"Column `{name}` has a number that is too large for a float of 64 bits.") from None
        return _from_pandas(name, numbers, is_integer=kind == "integer")
    if kind == "decimal":
        return _from_pandas(name, series.astype(np.float64))
    if kind in ("mixed", "mixed-integer"):
        raise _mixed(name, series)
    raise _unusable(name, kind)


def _mixed(name: str, series: pd.Series[Any]) -> DataError:
    """The error for numbers and text in one column, as spreadsheets hold them."""
    is_text = np.array([isinstance(value, str) for value in series], dtype=bool)
    is_number = np.array([isinstance(value, Real) for value in series], dtype=bool)
    if not (is_text.any() and np.all(is_text | is_number | series.isna().to_numpy(dtype=bool))):
        return _unusable(name, "mixed")
    words = list(dict.fromkeys(series[is_text]))
    what = f"Column `{name}` holds numbers, and text in {name_rows(np.flatnonzero(is_text))}: {name_all(words, 3)}."
    return DataError(f'{what} Make it one or the other, as with `pandas.to_numeric(data["{name}"], errors="coerce")`.')


def _categories(name: str, series: pd.Series[Any]) -> Factor:
    levels = tuple(map(label, series.cat.categories))
    if len(set(levels)) < len(levels):
        raise DataError(f"Two categories of column `{name}` have the same label.")
    kind: Kind = "ordered" if series.cat.ordered else "factor"
    return Factor(series.cat.codes.to_numpy(dtype=np.intp), levels, kind)


def _numeric(name: str, values: Array, *, is_integer: bool) -> Numeric:
    if is_integer and values.size and np.nanmax(np.abs(values), initial=0.0) > LARGEST_EXACT:
        advice = "Make them text or categories if they are identifiers."
        raise DataError(f"Column `{name}` has integers too large to be told apart as numbers. {advice}")
    return Numeric(values)


def _text(values: Any, levels: Sequence[str] | None = None) -> Factor:
    """Return text as a factor with the levels in the order given, or of their characters."""
    import pandas as pd

    codes, found = pd.factorize(values, use_na_sentinel=True)
    order = sorted(map(str, found)) if levels is None else list(levels)
    place = {level: i for i, level in enumerate(order)}
    position = np.array([*(place[str(level)] for level in found), -1], dtype=np.intp)
    return Factor(position[codes], tuple(order), is_text=levels is None)


def _unusable(name: str, kind: str) -> DataError:
    advice = "Make it a number, a truth value, text or a category."
    if any(word in kind.lower() for word in ("date", "time", "period", "duration")):
        days = f'data["{name}"] - data["{name}"].min()'
        advice = (
            f"Make it a number, such as the days since the first date: `({days}).dt.days`; or text, to group by it."
        )
    return DataError(f"Column `{name}` holds {kind}, which a model cannot use. {advice}")
