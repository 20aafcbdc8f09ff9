"""Rows and columns that a table in a file may have: files of strangers are looked at before they fill memory.

A few bytes can stand for any number of rows, packed or declared. Whoever has a larger table, and trusts it, says so by
``BAYESMIX_MAX_ROWS`` and ``BAYESMIX_MAX_COLUMNS`` in the environment.
"""

from __future__ import annotations

import io
import os
from typing import IO, TYPE_CHECKING, override

from bayesmix.data.memory import too_much
from bayesmix.errors import DataError

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

ROWS, COLUMNS = 100_000_000, 1_000_000
LONGEST = 2**26  # bytes of a row of text


def check_table(rows: int, columns: int) -> None:
    """Raise a `DataError` where a table is larger than may be, or than memory."""
    for what, count, most in (("rows", rows, ROWS), ("columns", columns, COLUMNS)):
        if count > (limit := _allowed(what, most)):
            raise DataError(
                f"it has {count if what == 'columns' else f'more than {limit}'} {what}, and at most {limit} are read."
                f" Where you trust the file, set BAYESMIX_MAX_{what.upper()} in the environment"
            )
    if (size := too_much(float(rows) * columns)) is not None:
        raise DataError(f"{rows} rows of {columns} columns would take {size}")


def _allowed(what: str, most: int) -> int:
    name = f"BAYESMIX_MAX_{what.upper()}"
    given = os.environ.get(name, "")
    if not given:
        return most
    try:
        limit = int(float(given))
    except (ValueError, OverflowError):
        limit = 0
    if limit < 1:
        raise DataError(f"{name}={given[:40]!r} in the environment: a whole number above zero is needed")
    return limit


class Watched(io.RawIOBase):
    """The bytes of a text file, whose lines are counted as they are read; of so many columns that are wanted."""

    def __init__(self, stream: IO[bytes], columns: int) -> None:
        super().__init__()
        self.stream, self.columns = stream, columns
        self.lines = self.bytes = self.row = 0  # read so far; bytes since the last line
        self.error: DataError | None = None  # pandas has words of its own for what is raised while it reads

    @override
    def readable(self) -> bool:
        return True

    @override
    def readinto(self, buffer: WriteableBuffer, /) -> int:
        found = self.stream.read(len(memoryview(buffer)))
        memoryview(buffer)[: len(found)] = found
        last = found.rfind(b"\n") + 1
        self.lines += found.count(b"\n")
        self.bytes += len(found)
        self.row = len(found) - last + (0 if last else self.row)
        try:
            self._check()
        except DataError as error:
            self.error = error
            raise
        return len(found)

    def _check(self) -> None:
        check_table(self.lines, self.columns)
        if (size := too_much(self.bytes / 8)) is not None:
            raise DataError(f"its text takes {size}")
        if self.row > LONGEST:
            raise DataError(f"row {self.lines + 1} has more than {LONGEST} bytes")

    @override
    def close(self) -> None:
        self.stream.close()
        super().close()
