"""Many independent tasks, here or on any ``concurrent.futures.Executor``, with a progress bar."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor
from typing import Any


def in_order[Result](
    task: Callable[..., Result],
    jobs: Sequence[tuple[Any, ...]],
    executor: Executor | None,
    *,
    label: str,
    progress: bool,
) -> Iterator[Result]:
    """Results of ``task(*job)`` in the order of the jobs; the bar is drawn where someone is looking.

    Parameters
    ----------
    executor : where the tasks run; here, one after the other, if None.
    """
    found: Iterable[Result]
    if executor is None:
        found = (task(*job) for job in jobs)
    else:
        futures = [executor.submit(task, *job) for job in jobs]
        found = (future.result() for future in futures)
    if not progress:
        yield from found
        return
    from rich.console import Console
    from rich.progress import track

    console = Console(stderr=True)
    yield from track(found, label, total=len(jobs), console=console, disable=not console.is_terminal)
