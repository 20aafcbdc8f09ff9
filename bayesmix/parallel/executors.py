"""Many independent tasks, here or on any ``concurrent.futures.Executor``, with a progress bar."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import (
    FIRST_COMPLETED,
    BrokenExecutor,
    Executor,
    Future,
    ProcessPoolExecutor,
    as_completed,
    wait,
)
from contextlib import suppress
from enum import Enum, auto
from typing import Any, Literal

from bayesmix.errors import DroppedWarning, FitError, SpecError, warn_user
from bayesmix.parallel.checkpoint import Checkpoint
from bayesmix.parallel.dask import resolving
from bayesmix.parallel.progress import shown

Job = tuple[Any, ...]
ADVICE = "most often by the system for want of memory. Use fewer processes."
FRUITLESS = 10  # pools one after the other that break before they have finished anything


class Late(Enum):
    """In place of a result where the time was over before the job was begun."""

    LATE = auto()


def in_order[Result](  # noqa: PLR0913 - options, named
    task: Callable[..., Result],
    jobs: Sequence[Job],
    executor: Executor | None,
    *,
    label: str,
    progress: bool,
    checkpoint: Checkpoint | None = None,
    transient: bool = False,
) -> list[Result]:
    """Results of ``task(*job)`` in the order of the jobs; the bar is drawn where someone is looking.

    Jobs that were lost because a process of the pool was killed are run once more in a new one. A job whose process is
    killed again has no result, and a warning says how many have none.

    Parameters
    ----------
    executor : where the tasks run; here, one after the other, if None.
    checkpoint : where results are kept as they come; those that it has are not computed again.
    transient : whether the bar goes away at the end.

    Raises
    ------
    FitError
        If no job was finished.
    DataError
        If the checkpoint is of another study, or cannot be written.
    """
    bar: dict[str, Any] = {"label": label, "progress": progress, "transient": transient}
    return in_time(task, jobs, executor, None, checkpoint=checkpoint, **bar)[0]


def in_time[Result](  # noqa: PLR0913 - options, named
    task: Callable[..., Result],
    jobs: Sequence[Job],
    executor: Executor | None,
    seconds: float | None,
    *,
    label: str,
    progress: bool,
    checkpoint: Checkpoint | None = None,
    transient: bool = False,
) -> tuple[list[Result], int]:
    """The same of the jobs that are begun within so many seconds, and how many were not.

    What is begun comes to its end. To leave out what has not ended in time would leave out jobs that take long, and
    with them whatever makes them so; the number of jobs begun is a stopping time, by which sums over them stay unbiased
    (Wald 1945).
    """
    found: dict[int, Result] = {} if checkpoint is None else checkpoint.read()
    places = [place for place in range(len(jobs)) if place not in found]
    end = None if seconds is None else time.time() + seconds  # of the day: processes share no other clock
    timed = [(end, task, jobs[place]) for place in places]
    late = 0
    results = _finished(_begun, timed, executor)
    for number, result in shown(results, len(places), label, transient=transient, is_shown=progress):
        if isinstance(result, Late):
            late += 1
            continue
        found[places[number]] = result
        if checkpoint is not None:
            checkpoint.add(places[number], result)
    lost = len(jobs) - len(found) - late
    if lost and not found:
        raise FitError(f"The processes of all {lost} replications were killed, {ADVICE}")
    if late and not found:
        raise FitError(f"None of the {late} replications was begun within {seconds:g} seconds. Give more of them.")
    if lost:
        warn_user(
            f"{lost} of {len(jobs)} replications were lost: their processes were killed, {ADVICE}", DroppedWarning
        )
    return [found[place] for place in sorted(found)], late


def _begun[Result](end: float | None, task: Callable[..., Result], job: Job) -> Result | Literal[Late.LATE]:
    """A job's result, unless the time is over."""
    return Late.LATE if end is not None and time.time() >= end else task(*job)


def _finished[Result](
    task: Callable[..., Result], jobs: Sequence[Job], executor: Executor | None
) -> Iterator[tuple[int, Result]]:
    """Places and results of the jobs that are finished."""
    if executor is None:
        yield from ((place, task(*job)) for place, job in enumerate(jobs))
        return
    executor = resolving(executor)
    if not hasattr(executor, "submit"):
        raise SpecError(f"executor={executor!r}: one of concurrent.futures is needed, or None.")
    lost = yield from _all_at_once(task, jobs, executor)
    if lost and isinstance(executor, ProcessPoolExecutor):
        yield from _again(task, jobs, lost, executor)
    elif lost:
        yield from _one_at_a_time(task, jobs, lost, executor)


def _all_at_once[Result](
    task: Callable[..., Result], jobs: Sequence[Job], executor: Executor
) -> Generator[tuple[int, Result], None, list[int]]:
    """Submit all jobs; yield what is finished, return the places of those that broke down with the executor."""
    futures: dict[int, Future[Result]] = {}
    try:
        with suppress(BrokenExecutor):
            for place, job in enumerate(jobs):
                futures[place] = executor.submit(task, *job)
        lost = list(range(len(futures), len(jobs)))
        places = {future: place for place, future in futures.items()}
        for future in as_completed(places):
            try:
                result = future.result()
            except Exception as error:
                _raise_unless_lost(error)
                lost.append(places[future])
            else:
                yield places[future], result
        return sorted(lost)
    finally:
        for future in futures.values():
            future.cancel()


def _raise_unless_lost(error: Exception) -> None:
    """Raise what the task raised, not what says that its process was killed."""
    is_of_dask = type(error).__name__ == "KilledWorker"  # by its name: Dask is loaded by those who use it
    if not (isinstance(error, BrokenExecutor) or is_of_dask):
        raise error


def _one_at_a_time[Result](
    task: Callable[..., Result], jobs: Sequence[Job], lost: Sequence[int], executor: Executor
) -> Iterator[tuple[int, Result]]:
    """Run lost jobs again on an executor that outlives its processes.

    One at a time: Dask suspects all jobs of a worker that is killed.
    """
    for place in lost:
        try:
            result = executor.submit(task, *jobs[place]).result()
        except Exception as error:
            _raise_unless_lost(error)
        else:
            yield place, result


def _again[Result](
    task: Callable[..., Result], jobs: Sequence[Job], lost: Sequence[int], executor: ProcessPoolExecutor
) -> Iterator[tuple[int, Result]]:
    """Run lost jobs in new pools, as many at a time as there are processes.

    All that run when a pool breaks are under suspicion, for it does not say which process was killed: they run one at a
    time, at the end, and the one that breaks its pool then is given up.
    """
    waiting, suspected, fruitless = deque(lost), deque[int](), 0
    while (waiting or suspected) and fruitless < FRUITLESS:
        queue, workers = (waiting, _workers(executor)) if waiting else (suspected, 1)
        before = len(queue)
        with _like(executor, workers) as pool:
            running = yield from _few_at_a_time(task, jobs, queue, pool, workers)
        fruitless = fruitless + 1 if len(queue) + len(running) == before else 0
        if queue is waiting:
            suspected.extend(running)


def _few_at_a_time[Result](
    task: Callable[..., Result], jobs: Sequence[Job], queue: deque[int], pool: ProcessPoolExecutor, workers: int
) -> Generator[tuple[int, Result], None, list[int]]:
    """Yield what is finished until the queue is empty or the pool breaks; return what ran when it did."""
    running: dict[Future[Result], int] = {}
    broken = list[int]()
    try:
        while (queue or running) and not broken:
            while queue and len(running) < workers:
                running[pool.submit(task, *jobs[queue[0]])] = queue[0]
                queue.popleft()
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                place = running.pop(future)
                try:
                    yield place, future.result()
                except BrokenExecutor:
                    broken.append(place)
    except BrokenExecutor:  # in submitting
        pass
    finally:
        for future in running:
            future.cancel()
    return sorted([*broken, *running.values()])


def _workers(executor: ProcessPoolExecutor) -> int:
    return int(getattr(executor, "_max_workers", 1))


def _like(executor: ProcessPoolExecutor, workers: int) -> ProcessPoolExecutor:
    """A new pool in place of a broken one."""
    return ProcessPoolExecutor(
        workers,
        mp_context=getattr(executor, "_mp_context", None),
        initializer=getattr(executor, "_initializer", None),
        initargs=getattr(executor, "_initargs", ()),
    )
