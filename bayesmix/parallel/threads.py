"""Threads: batches of independent numerical work on all cores, and BLAS kept to one thread meanwhile."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from functools import cache
from threading import Lock

import numpy as np
from threadpoolctl import ThreadpoolController

from bayesmix.parallel.progress import shown

LONG = 24  # batches from which on progress is shown
KEPT = 3_900_000  # numbers, 31 MB: a little below the most that the C library keeps rather than gives back


class _BlasLimit:
    """One BLAS thread as long as somebody wants it: the first sets the limit, the last takes it away again.

    Limits that each caller set and reset for itself would, in overlapping threads, end in the wrong order.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._users = 0
        self._libraries = -1  # how many BLAS libraries are limited
        self._controller: ThreadpoolController | None = None
        self._limits = ExitStack()

    def enter(self) -> None:
        with self._lock:
            self._users += 1
            libraries = sum(name in sys.modules for name in ("numpy", "scipy.linalg._fblas"))
            if self._controller is None or libraries != self._libraries:
                self._controller = ThreadpoolController()  # a scan of what is loaded: 1.5 ms, as against 15 us
            elif self._users > 1:
                return
            self._libraries = libraries
            self._limits.enter_context(self._controller.limit(limits=1, user_api="blas"))

    def leave(self) -> None:
        with self._lock:
            self._users -= 1
            if not self._users:
                self._limits.close()


_LIMIT = _BlasLimit()


@cache
def keep_freed_memory() -> None:
    """Have the C library keep what arrays of up to 31 MB leave, once a process.

    It learns from what is freed how much to keep at hand (glibc: mallopt, M_MMAP_THRESHOLD). Until then it gives the
    arrays of every batch back, and the system clears their pages again for the next: a tenth of all time.
    """
    np.empty(KEPT)


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """One BLAS thread for the numerical work within; also a decorator.

    The blocks of mixed models are small. On two threads they are hardly faster, and where other processes use the
    cores BLAS threads wait for each other: a crossed design of 20 000 rows then took 22 times as long.
    """
    _LIMIT.enter()
    try:
        yield
    finally:
        _LIMIT.leave()


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
        with one_blas_thread():
            return [task(batches[0])]
    results: list[Result] = []
    with one_blas_thread(), ThreadPoolExecutor(os.cpu_count()) as pool:
        found = pool.map(task, batches)
        try:
            is_long = progress and len(batches) >= LONG
            for result in shown(found, len(batches), label, transient=True, is_shown=is_long):
                results.append(result)  # noqa: PERF402 (an interruption keeps them)
        except KeyboardInterrupt:
            pool.shutdown(cancel_futures=True)
            if not interruptible or not results:
                raise
    return results


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
