"""A job that kills the process it runs in, for executors that lose their workers."""

from __future__ import annotations

import os
import signal
from pathlib import Path


def square(number: int, folder: Path, killers: dict[int, int]) -> int:
    """The square; some numbers kill their process, the first times that they are tried."""
    tries = folder / str(number)
    with tries.open("a") as file:
        file.write("x")
    if tries.stat().st_size <= killers.get(number, 0):
        os.kill(os.getpid(), signal.SIGKILL)
    return number**2
