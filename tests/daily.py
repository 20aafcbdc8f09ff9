"""The day by which random tests are drawn: today, or ``BAYESMIX_DAY=2026-11-29`` to repeat those of another."""

from __future__ import annotations

import datetime
import os


def day() -> datetime.date:
    given = os.environ.get("BAYESMIX_DAY")
    return datetime.date.fromisoformat(given) if given else datetime.date.today()


def repeat(test: str) -> str:
    """How to run a test of this day again."""
    return f"BAYESMIX_DAY={day().isoformat()} uv run pytest -m slow {test}"
