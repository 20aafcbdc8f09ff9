"""Data in files: what kind of file it is, and its columns, of text and Parquet files only those that are needed."""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
import re
import warnings
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from io import BufferedReader
from os import PathLike
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, NoReturn
from zipfile import BadZipFile, ZipFile

from bayesmix.data.datasets import dataset_names
from bayesmix.data.dialect import Dialect, find_dialect
from bayesmix.data.memory import limit, too_much
from bayesmix.data.stata_header import declared
from bayesmix.data.table_limits import LONGEST, Watched, check_table
from bayesmix.errors import DataError, first_line
from bayesmix.language.arguments import explained

if TYPE_CHECKING:
    import pandas as pd

HEAD = 2**20  # bytes looked at to find the dialect
MISSING = ("", "NA", "NaN", "nan")  # what stands for a missing value in text and spreadsheets
WIDE = 1_000  # columns of text from which on only those needed are read
UNPACKED = 2**29  # bytes of a spreadsheet's parts

TEXT = (".csv", ".tsv", ".tab", ".txt", ".dat")
PACKED: dict[str, Callable[[Path], Any]] = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}
SPREADSHEETS = {".xlsx": "openpyxl", ".xlsm": "openpyxl", ".xls": "xlrd", ".ods": "odfpy"}
SPEAKING = (OSError, ValueError, EOFError, BadZipFile, zlib.error, lzma.LZMAError)  # errors whose words say enough
_R_FILES = (".rds", ".rda", ".rdata")
_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/{1,2}")


@dataclass(frozen=True, slots=True)
class DataFile:
    """A file with data, and how to read it; None where that is to be found out."""

    path: Path
    sep: str | None = None
    decimal: str | None = None
    encoding: str | None = None
    na: tuple[str, ...] = ()  # what stands for a missing value, beside `MISSING`


@dataclass(frozen=True, slots=True, eq=False)
class OpenFile:
    """The columns of a file that has been looked into."""

    names: tuple[str, ...]
    select: Callable[[Sequence[str]], Any]  # a dataframe of the columns named


@explained
def read_data(
    path: str | PathLike[str],
    *,
    sep: str | None = None,
    decimal: str | None = None,
    encoding: str | None = None,
    na: str | Sequence[str] = (),
) -> pd.DataFrame:
    """Read a file of data: text (CSV, TSV, ...), Parquet, Feather, Excel, OpenDocument, Stata, SPSS or SAS.

    Parameters
    ----------
    path : of the file; text may be packed (``.gz``, ``.bz2``, ``.xz``, ``.zip``).
    sep : what separates the fields of text; found out by default, as are the following two.
    decimal : the decimal mark of text, ``"."`` or ``","``.
    encoding : of text, such as ``"utf-8"`` or ``"latin-1"``.
    na : what stands for a missing value, beside nothing, ``NA`` and ``NaN``.

    Raises
    ------
    DataError
        If there is no such file, or it cannot be read.
    """
    if not isinstance(path, str | PathLike):
        raise DataError(f"A file is called by its path, not {path!r}.")
    marks = (na,) if isinstance(na, str) else tuple(na)
    file = open_file(DataFile(Path(path), sep, decimal, encoding, marks))
    with _reporting(Path(path)):
        frame = file.select(file.names)
        return frame if not hasattr(frame, "to_pandas") else frame.to_pandas()


def is_address(text: str) -> bool:
    """Whether a text is the address of something on a network."""
    return _ADDRESS.match(text) is not None


def open_file(file: DataFile) -> OpenFile:
    """Look into a file.

    Raises
    ------
    DataError
        If there is no such file, it is of no known kind, or cannot be read.
    """
    path = file.path
    if is_address(str(path)):
        _refuse_address(path)
    if not os.path.exists(path):  # `Path.exists` raises errors of names that are too long
        name = str(path)[:500]
        own = f' The data set that comes with bayesmix is bmx.load_dataset("{name}").' * (name in dataset_names())
        if "*" in name and not own:
            own = ' Patterns are of files that stay where they are: where="source", or predict(..., to="all.parquet").'
        raise DataError(f"There is no file `{name}`.{own}")
    if not path.is_file():
        raise DataError(f"`{path}` cannot be read: it is {'a folder' if path.is_dir() else 'a pipe or a device'}.")
    with _reporting(path):
        return _opener(path)(file)


def _refuse_address(path: Path) -> NoReturn:
    address = re.sub(r"^([A-Za-z][A-Za-z0-9+.-]+:)/{1,2}", r"\1//", str(path))
    what = f"`{address}` is an address, and nothing is downloaded."
    raise DataError(f'{what} Download the file first, or give `pandas.read_csv("{address}")`.')


def _opener(path: Path) -> Callable[[DataFile], OpenFile]:
    kind = path.suffix.lower()
    if kind in (*TEXT, *PACKED, ".zip"):
        return _open_text
    if kind in SPREADSHEETS:
        return _open_spreadsheet
    if kind in _R_FILES:
        raise DataError(f'`{path.name}` is a file of R: write `write.csv(d, "d.csv", row.names = FALSE)` there.')
    openers = {".parquet": _open_parquet, ".pq": _open_parquet, ".feather": _open_feather, ".arrow": _open_feather}
    openers |= {".dta": _open_stata, ".sav": _open_spss, ".zsav": _open_spss, ".sas7bdat": _open_sas, ".xpt": _open_sas}
    if kind not in openers:
        known = ", ".join((*TEXT, *openers, *SPREADSHEETS))
        raise DataError(f"`{path.name}` is of no known kind; files end in one of {known}.")
    return openers[kind]


@contextmanager
def _reporting(path: Path) -> Iterator[None]:
    """Turn what readers raise into a DataError that names the file."""
    try:
        yield
    except DataError as error:
        told = str(error)
        raise DataError(told if told.endswith(".") else f"`{path}` cannot be read: {told}.") from None
    except MemoryError:
        raise
    except Exception as error:  # where bytes are not what the ending says, each reader has errors of its own
        told = first_line(error)
        what = told if isinstance(error, SPEAKING) else f"{type(error).__name__}: {told}"
        raise DataError(f"`{path}` cannot be read: {what}.") from None


# ---- text -------------------------------------------------------------------------------------------------------


def _open_text(file: DataFile) -> OpenFile:
    inner = file.path.suffixes[-2].lower() if len(file.path.suffixes) > 1 else file.path.suffix.lower()
    given = {"sep": file.sep, "decimal": file.decimal, "encoding": file.encoding}
    dialect = find_dialect(_head(file.path), **given, blanks=inner not in {".csv", ".tsv"})
    check_table(0, len(dialect.names))
    return OpenFile(dialect.names, lambda wanted: _read_text(file, dialect, wanted))


def _head(path: Path) -> bytes:
    """The first bytes, with the whole header among them."""
    with _unpacked(path) as stream:
        head = stream.read(HEAD)
        while len(head) < LONGEST and b"\n" not in head and b"\r" not in head:
            more = stream.read(HEAD)
            if not more:
                break
            head += more
    return head


def _unpacked(path: Path) -> IO[bytes]:
    kind = path.suffix.lower()
    if kind == ".zip":
        members = [name for name in ZipFile(path).namelist() if not name.endswith("/")]
        if len(members) != 1:
            raise DataError(f"it holds {len(members)} files instead of one")
        return ZipFile(path).open(members[0])
    return PACKED[kind](path) if kind in PACKED else path.open("rb")


def _read_text(file: DataFile, dialect: Dialect, wanted: Sequence[str]) -> Any:
    import pandas as pd

    with _reporting(file.path):
        try:
            return _parse(file, dialect, wanted)
        except pd.errors.ParserWarning:
            what = f"split by {dialect.sep!r}, its rows have more fields than the header has names"
            raise DataError(f"{what}; is this what separates them, `sep=`") from None
        except UnicodeDecodeError:
            if file.encoding is not None or dialect.encoding != "utf-8":
                raise
            return _parse(file, replace(dialect, encoding="latin-1"), wanted)  # the first letter beyond ASCII came late


def _parse(file: DataFile, dialect: Dialect, wanted: Sequence[str]) -> pd.DataFrame:
    """Read text; pandas refuses rows of too many fields only where it reads all columns: wide tables alone are cut."""
    import pandas as pd

    asked, width = set(wanted), len(dialect.names)
    places = [place for place, name in enumerate(dialect.names) if name in asked]
    with warnings.catch_warnings(), _watched(file.path, len(places)) as stream:
        warnings.simplefilter("error", pd.errors.ParserWarning)  # of a first row that is longer than the header
        frame = pd.read_csv(
            stream,
            sep=dialect.sep,
            decimal=dialect.decimal,
            encoding=dialect.encoding,
            header=0,
            names=list(range(width)),
            usecols=places if width > WIDE else None,
            index_col=False,
            keep_default_na=False,
            na_values=[*MISSING, *file.na],
            low_memory=False,
        )
    return frame[places].set_axis([dialect.names[place] for place in places], axis=1)


@contextmanager
def _watched(path: Path, columns: int) -> Iterator[IO[bytes]]:
    """Text whose rows are counted while it is read."""
    watched = Watched(_unpacked(path), columns)
    try:
        with BufferedReader(watched, HEAD) as stream:
            yield stream
    except Exception:
        if watched.error is not None:
            raise watched.error from None
        raise


# ---- tables with types ------------------------------------------------------------------------------------------


def _open_parquet(file: DataFile) -> OpenFile:
    from pyarrow.parquet import ParquetFile

    names = tuple(ParquetFile(file.path).schema_arrow.names)
    check_table(0, len(names))
    return OpenFile(names, lambda wanted: _read_parquet(file.path, wanted))


def _read_parquet(path: Path, wanted: Sequence[str]) -> Any:
    """Read columns after a look at what they declare: a few bytes can stand for any number of rows."""
    from pyarrow.parquet import ParquetFile

    with _reporting(path):
        stored = ParquetFile(path)
        about = stored.metadata
        groups = (about.row_group(i) for i in range(about.num_row_groups))
        columns = (group.column(j) for group in groups for j in range(group.num_columns))
        unpacked = sum(c.total_uncompressed_size for c in columns if c.path_in_schema.partition(".")[0] in set(wanted))
        check_table(about.num_rows, len(wanted))
        size = too_much(unpacked / 8)
        if size is not None:
            raise DataError(f"{about.num_rows} rows of {len(wanted)} columns would take {size}")
        return stored.read(columns=list(wanted))


def _open_feather(file: DataFile) -> OpenFile:
    from pyarrow import feather

    _check_feather(file.path)
    return _whole(feather.read_table(file.path))


def _check_feather(path: Path) -> None:
    """Count columns and rows by one column, part by part, before all are unpacked."""
    from pyarrow import ArrowInvalid, ipc, memory_map

    with memory_map(str(path)) as stored:
        try:
            columns = len(ipc.open_file(stored).schema.names)
        except ArrowInvalid:  # of the first kind of Feather files, which are not packed
            return
        check_table(0, columns)
        parts = ipc.open_file(stored, options=ipc.IpcReadOptions(included_fields=[0][:columns]))
        rows = 0
        for place in range(parts.num_record_batches):
            rows += parts.get_batch(place).num_rows
            check_table(rows, columns)


def _open_spreadsheet(file: DataFile) -> OpenFile:
    import pandas as pd

    kind = file.path.suffix.lower()
    if kind != ".xls":
        _check_unpacked(file.path)
    with _needing(file.path, SPREADSHEETS[kind], "excel"):
        return _whole(pd.read_excel(file.path, keep_default_na=False, na_values=[*MISSING, *file.na]))


def _check_unpacked(path: Path) -> None:
    with ZipFile(path) as parts:
        size = sum(part.file_size for part in parts.infolist())
    if size > min(UNPACKED, limit()):
        raise DataError(f"its parts unpack to {size:.3g} bytes; write the sheet as CSV")


def _open_stata(file: DataFile) -> OpenFile:
    import pandas as pd

    check_table(*declared(file.path))
    return _whole(pd.read_stata(file.path, order_categoricals=False))


def _open_spss(file: DataFile) -> OpenFile:
    import pandas as pd

    with _needing(file.path, "pyreadstat", "spss"):
        from pyreadstat import read_sav

        _, about = read_sav(file.path, metadataonly=True)
        check_table(about.number_rows or 0, about.number_columns or 0)  # long files may leave the rows out
        return _whole(pd.read_spss(file.path))


def _open_sas(file: DataFile) -> OpenFile:
    import pandas as pd

    encoding = "utf-8" if file.encoding is None else file.encoding
    about: Any  # its two readers have names of their own for the same
    with pd.read_sas(file.path, encoding=encoding, iterator=True) as about:
        if file.path.suffix.lower() == ".xpt":
            check_table(about.nobs, len(about.columns))
        else:
            check_table(about.row_count, about.column_count)
    return _whole(pd.read_sas(file.path, encoding=encoding))


@contextmanager
def _needing(path: Path, package: str, extra: str) -> Iterator[None]:
    try:
        yield
    except ImportError:
        what = f"Reading `{path.name}` needs the package {package}: pip install 'bayesmix[{extra}]'."
        raise DataError(f"{what} Or write the data as CSV.") from None


def _whole(frame: Any) -> OpenFile:
    """A table that has been read as a whole."""
    import pandas as pd

    check_table(*frame.shape)
    if isinstance(frame, pd.DataFrame):
        frame = frame.set_axis([str(name) for name in frame.columns], axis=1)
        return OpenFile(tuple(frame.columns), lambda wanted: frame[list(wanted)])
    return OpenFile(tuple(frame.column_names), lambda wanted: frame.select(list(wanted)))
