"""Bytes that a compressed chunk of an array unpacks to, found out without unpacking more than is allowed.

Frames of Zstandard and Blosc say their size, and their decoders hold them to it; what follows a frame is unpacked as
well, and is counted as without end. Deflated bytes say nothing, and are unpacked piece by piece up to what is allowed.
"""

from __future__ import annotations

import gzip
import io
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO

PIECE = 1 << 16  # bytes unpacked at once
CHECKSUM = 4  # bytes of one
ZSTANDARD = bytes.fromhex("28b52ffd")
LONGEST_HEADER = 18  # bytes of a frame of Zstandard
REPEATED = 1  # of a block of Zstandard: one byte stands for all
CRC = "crc32c"


def unpacked_bytes(path: Path, codecs: Sequence[str], most: int) -> float:
    """Bytes that a chunk unpacks to: exact up to ``most``, infinity where that cannot be said.

    Raises
    ------
    OSError, EOFError, zlib.error
        If deflated bytes are none.
    """
    size = path.stat().st_size
    packer = next((codec for codec in codecs if codec in PACKERS), None)
    if packer is None:
        return size
    size -= CHECKSUM * codecs[codecs.index(packer) :].count(CRC)  # checksums behind what is packed
    with path.open("rb") as file:
        return _BY_PACKER[packer](file, size, most)


def _zstandard(file: IO[bytes], size: int, _: int) -> float:
    """Of a chunk that is one frame, or its beginning, its content size (RFC 8878, 3.1.1.1), if the frame says it."""
    if size <= 0:
        return 0
    header = file.read(LONGEST_HEADER).ljust(LONGEST_HEADER, b"\0")
    if header[:4] != ZSTANDARD:
        return math.inf
    about = header[4]
    is_single, has_checksum, dictionary, kind = about >> 5 & 1, about >> 2 & 1, (0, 1, 2, 4)[about & 3], about >> 6
    width = 1 << kind if kind else is_single
    begin = 6 - is_single + dictionary
    if not width or _end_of_blocks(file, begin + width) + CHECKSUM * has_checksum < size:
        return math.inf
    return int.from_bytes(header[begin : begin + width], "little") + 256 * (kind == 1)


def _end_of_blocks(file: IO[bytes], place: int) -> int:
    """Where the blocks of a frame end (RFC 8878, 3.1.1.2), or beyond the file."""
    while True:
        file.seek(place)
        header = file.read(3)
        if len(header) < 3:
            return place + 3
        about = int.from_bytes(header, "little")
        is_last, kind, size = about & 1, about >> 1 & 3, about >> 3
        place += 3 + (1 if kind == REPEATED else size)
        if is_last:
            return place


def _blosc(file: IO[bytes], _: int, __: int) -> float:
    """``nbytes`` of Blosc's header."""
    return int.from_bytes(file.read(8)[4:].ljust(4, b"\0"), "little")


def _deflated(file: IO[bytes], size: int, most: int) -> float:
    """As counted, until it is more than may be."""
    count = 0
    with gzip.GzipFile(fileobj=io.BytesIO(file.read(size))) as unpacked:
        while count <= most and (piece := unpacked.read(PIECE)):
            count += len(piece)
    return count


_BY_PACKER: dict[str, Callable[[IO[bytes], int, int], float]] = {
    "zstd": _zstandard,
    "blosc": _blosc,
    "gzip": _deflated,
}
PACKERS = frozenset(_BY_PACKER)
