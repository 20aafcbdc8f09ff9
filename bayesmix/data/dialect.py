"""The dialect of a text table: encoding, separator, decimal mark and the names of its columns, from its first rows."""

from __future__ import annotations

import codecs
import csv
import re
from collections.abc import Sequence
from dataclasses import dataclass
from io import StringIO
from itertools import islice

from bayesmix.errors import DataError

SAMPLE_ROWS = 1_000  # looked at
REGULAR = 0.9  # of the rows that have as many fields as the header, for a separator to be one
WHITESPACE = r"\s+"
SEPARATORS = (",", ";", "\t", "|")

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_COMMA, _POINT = re.compile(r"[-+]?\d*,\d+(e[-+]?\d+)?", re.I), re.compile(r"[-+]?\d*\.\d+(e[-+]?\d+)?", re.I)
_THOUSANDS = re.compile(r"[-+]?[1-9]\d{0,2},\d{3}")

Rows = Sequence[Sequence[str]]


@dataclass(frozen=True, slots=True)
class Dialect:
    """How a text table is written."""

    encoding: str
    sep: str
    decimal: str
    names: tuple[str, ...]  # of the columns, row names included where the header leaves them out


def find_dialect(head: bytes, *, sep: str | None, decimal: str | None, encoding: str | None, blanks: bool) -> Dialect:
    """Find out how a text table is written; what is given is not looked for.

    Parameters
    ----------
    head
        The file, or its beginning.
    sep, decimal, encoding
        None where they are to be found.
    blanks
        Whether blanks may separate the fields.

    Raises
    ------
    DataError
        If this is no text, has no header, or its numbers can be read in two ways.
    """
    encoding = find_encoding(head) if encoding is None else encoding
    text = _decode(head, encoding)
    sep = _find_separator(text, blanks=blanks) if sep is None else WHITESPACE if sep == " " else sep
    rows = _split(text, sep)
    if not rows:
        raise DataError("a field of it has more than 131072 characters" if text.strip() else "it is empty")
    width = len(rows[0])
    body = [row for row in rows[1:] if len(row) in (width, width + 1)]
    has_row_names = width > 1 and len(rows) > 1 and all(len(row) == width + 1 for row in rows[1:])
    names = ["", *rows[0]] if has_row_names else rows[0]
    decimal = _find_decimal(names, body, sep) if decimal is None else decimal
    return Dialect(encoding, sep, decimal, tuple(name.strip() or f"Unnamed: {i}" for i, name in enumerate(names)))


def find_encoding(head: bytes) -> str:
    """Return the encoding of text: by its mark, else UTF-8 where it is valid, else UTF-16 or Windows' western one."""
    for mark, name in _MARKS:
        if head.startswith(mark):
            return name
    if 0 in head:
        pairs = head[: len(head) // 2 * 2]
        if pairs[1::2].count(0) > len(pairs) / 4 and 0 not in pairs[::2]:
            return "utf-16-le"
        if pairs[::2].count(0) > len(pairs) / 4 and 0 not in pairs[1::2]:
            return "utf-16-be"
        raise DataError("it is not text")
    for name in ("utf-8", "cp1252"):
        try:
            codecs.getincrementaldecoder(name)().decode(head)
        except UnicodeDecodeError:
            continue
        return name
    raise DataError("it is not text")


def _decode(head: bytes, encoding: str) -> str:
    try:
        return codecs.getincrementaldecoder(encoding)().decode(head)
    except LookupError:
        raise DataError(f"there is no encoding `{encoding}`") from None
    except UnicodeDecodeError:
        raise DataError(f"it is not text in encoding {encoding}") from None


def _find_separator(text: str, *, blanks: bool) -> str:
    """The separator that gives all rows as many fields as the header has; of several, the one with most fields."""
    candidates = {sep: _regular_width(_split(text, sep)) for sep in (*SEPARATORS, *([WHITESPACE] if blanks else []))}
    best = max(candidates, key=lambda sep: candidates[sep])
    return best if candidates[best] > 1 else ","


def _regular_width(rows: Rows) -> int:
    if not rows:
        return 0
    width = len(rows[0])
    fits = [len(row) in (width, width + 1) for row in rows[1:]]
    return width if sum(fits) >= REGULAR * len(fits) else 0


def _split(text: str, sep: str) -> list[list[str]]:
    """The first rows, without a last one that may not be complete."""
    if sep == WHITESPACE:
        return [line.split() for line in text.splitlines()[:SAMPLE_ROWS] if line.strip()]
    try:
        rows = list(
            islice((row for row in csv.reader(StringIO(text, newline=None), delimiter=sep) if row), SAMPLE_ROWS + 1)
        )
    except csv.Error:  # a field of more than 131 072 characters: this is not what separates
        return []
    except TypeError:
        raise DataError(f"`sep` is one character, not {sep!r}") from None
    return rows if len(rows) < 3 else rows[:-1] if len(rows) > SAMPLE_ROWS or not text.endswith(("\n", "\r")) else rows


def _find_decimal(names: Sequence[str], rows: Rows, sep: str) -> str:
    """A comma where numbers have commas and none has a point; nothing is guessed where they may be thousands."""
    if sep == ",":
        return "."
    cells = [(name, cell.strip()) for row in rows for name, cell in zip(names, row, strict=False)]
    commas = [(name, cell) for name, cell in cells if _COMMA.fullmatch(cell)]
    if not commas or any(_POINT.fullmatch(cell) for _, cell in cells):
        return "."
    if all(_THOUSANDS.fullmatch(cell) for _, cell in commas):
        name, cell = commas[0]
        what = f"its column `{name}` has `{cell}`, whose comma may be a decimal mark or part thousands"
        raise DataError(f'{what}: give decimal="," or decimal="."')
    return ","
