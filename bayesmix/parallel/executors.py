"""Many independent tasks, here or on any ``concurrent.futures.Executor``, with a progress bar."""

from __future__ import annotations

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
from typing import Any

from bayesmix.errors import DroppedWarning, FitError, warn_user
from bayesmix.parallel.checkpoint import Checkpoint
from bayesmix.parallel.progress import shown

Job = tuple[Any, ...]
ADVICE = "most often by the system for want of memory. Use fewer processes."
FRUITLESS = 10  # pools one after the other that break before they have finished anything


def in_order[Result](
    task: Callable[..., Result],
    jobs: Sequence[Job],
    executor: Executor | None,
    *,
    label: str,
    progress: bool,
    checkpoint: Checkpoint | None = None,
) -> list[Result]:
    """Results of ``task(*job)`` in the order of the jobs; the bar is drawn where someone is looking.

    Jobs that were lost because a process of the pool was killed are run once more in a new one. A job whose process is
    killed again has no result, and a warning says how many have none.

    Parameters
    ----------
    executor : where the tasks run; here, one after the other, if None.
    checkpoint : where results are kept as they come; those that it has are not computed again.

    Raises
    ------
    FitError
        If no job was finished.
    DataError
        If the checkpoint is of another study, or cannot be written.
    """
    found: dict[int, Result] = {} if checkpoint is None else checkpoint.read()
    places = [place for place in range(len(jobs)) if place not in found]
    finished = _finished(task, [jobs[place] for place in places], executor)
    for number, result in shown(finished, len(places), label, is_shown=progress):
        found[places[number]] = result
        if checkpoint is not None:
            checkpoint.add(places[number], result)
    lost = len(jobs) - len(found)
    if jobs and not found:
        raise FitError(f"The processes of all {len(jobs)} replications were killed, {ADVICE}")
    if lost:
        warn_user(
            f"{lost} of {len(jobs)} replications were lost: their processes were killed, {ADVICE}", DroppedWarning
        )
    return [found[place] for place in sorted(found)]


def _finished[Result](
    task: Callable[..., Result], jobs: Sequence[Job], executor: Executor | None
) -> Iterator[tuple[int, Result]]:
    """Places and results of the jobs that are finished."""
    if executor is None:
        yield from ((place, task(*job)) for place, job in enumerate(jobs))
        return
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
