"""Rows and columns that the header of a Stata file declares (Stata manual, *File formats .dta*)."""

from __future__ import annotations

import re
import struct
from pathlib import Path

_NEWER = re.compile(
    rb"<stata_dta><header><release>\d{3}</release><byteorder>(LSF|MSF)</byteorder>"
    rb"<K>(.{2}|.{4})</K><N>(.{4}|.{8})</N>",
    re.DOTALL,
)
_HEAD = 120  # bytes in which it is found
_OLDER = (103, 115)  # first and last of the versions whose header is binary, with 32 bits for rows


def declared(path: Path) -> tuple[int, int]:
    """Rows and columns; none of a file that is no Stata file, or of an older kind: the reader says so."""
    with path.open("rb") as file:
        head = file.read(_HEAD)
    if found := _NEWER.match(head):
        columns, rows = (part[::-1] if found[1] == b"LSF" else part for part in (found[2], found[3]))
        return int.from_bytes(rows), int.from_bytes(columns)
    if len(head) < 10 or not _OLDER[0] <= head[0] <= _OLDER[1]:
        return 0, 0
    few, many = struct.unpack((">" if head[1] == 1 else "<") + "HI", head[4:10])
    return many, few
