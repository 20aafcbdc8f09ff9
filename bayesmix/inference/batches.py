"""Batches of independent numerical work on all cores, with a progress bar where it is long."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np

LONG = 24  # batches from which on progress is shown


def in_threads[Result](
    task: Callable[[slice, np.random.Generator], Result],
    batches: Sequence[slice],
    rng: np.random.Generator,
    *,
    label: str,
    progress: bool,
) -> list[Result]:
    """Results of ``task(batch, generator)`` in order; each batch has a generator of its own, so threads change nothing.

    NumPy releases the interpreter while it computes.
    """
    generators = rng.spawn(len(batches))
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        found = pool.map(task, batches, generators)
        if not progress or len(batches) < LONG:
            return list(found)
        from rich.console import Console
        from rich.progress import track

        console = Console(stderr=True)
        shown = track(
            found, label, total=len(batches), console=console, disable=not console.is_terminal, transient=True
        )
        return list(shown)
