"""Batches of independent numerical work on all cores, with a progress bar where it is long."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from threadpoolctl import threadpool_limits

LONG = 24  # batches from which on progress is shown


def in_threads[Batch, Result](
    task: Callable[[Batch], Result],
    batches: Sequence[Batch],
    *,
    label: str = "",
    progress: bool = False,
    interruptible: bool = False,
) -> list[Result]:
    """Results of ``task(batch)`` in order; where ``interruptible``, Ctrl-C leaves those of the first batches.

    NumPy releases the interpreter while it computes; BLAS has one thread meanwhile, else its threads would wait for
    those of other batches.
    """
    if len(batches) == 1:
        return [task(batches[0])]
    results: list[Result] = []
    with threadpool_limits(1, user_api="blas"), ThreadPoolExecutor(os.cpu_count()) as pool:
        found = pool.map(task, batches)
        try:
            for result in _shown(found, len(batches), label) if progress and len(batches) >= LONG else found:
                results.append(result)  # noqa: PERF402 (an interruption keeps them)
        except KeyboardInterrupt:
            pool.shutdown(cancel_futures=True)
            if not interruptible or not results:
                raise
    return results


def _shown[Result](results: Iterable[Result], total: int, label: str) -> Iterable[Result]:
    from rich.console import Console
    from rich.progress import track

    console = Console(stderr=True)
    return track(results, label, total=total, console=console, disable=not console.is_terminal, transient=True)


def draw_in_threads[Result](
    task: Callable[[slice, np.random.Generator], Result],
    batches: Sequence[slice],
    rng: np.random.Generator,
    *,
    label: str,
    progress: bool,
    interruptible: bool = False,
) -> list[Result]:
    """Results of ``task(batch, generator)`` in order; a generator for each batch, so that threads change nothing."""
    pairs = list(zip(batches, rng.spawn(len(batches)), strict=True))
    return in_threads(lambda pair: task(*pair), pairs, label=label, progress=progress, interruptible=interruptible)
