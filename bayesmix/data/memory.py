"""Memory that a request would take: refused before it is allocated."""

from __future__ import annotations

import os

LARGEST = 32 * 2**30  # bytes of one array, on any machine
SHARE = 0.5  # of the machine's memory


def too_much(numbers: float) -> str | None:
    """Say how much memory so many floats would take, if that is too much for this machine; None if it is not."""
    size = 8.0 * numbers
    return None if size <= limit() else f"{_readable(size)} of memory (the limit here is {_readable(limit())})"


def limit() -> float:
    """Bytes that one array may take."""
    return min(LARGEST, SHARE * _physical())


def _physical() -> float:
    try:
        return float(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    except (AttributeError, OSError, ValueError):  # not on Windows
        return 2.0 * LARGEST


def _readable(size: float) -> str:
    for unit in ("MB", "GB", "TB", "PB"):
        size /= 1e3 if unit != "MB" else 1e6
        if size < 1e3:
            return f"{size:.3g} {unit}"
    return f"{size:.3g} PB"
