"""Jobs on executors, and processes that are killed."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator
from concurrent.futures import BrokenExecutor, Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from killed import square

import bayesmix as bmx
from bayesmix.parallel import executors
from bayesmix.parallel.executors import in_order, in_time

JOBS = 12


@pytest.fixture(scope="module")
def context():
    """Processes that start at once: forked from a server that has imported this module."""
    found = multiprocessing.get_context("forkserver")
    found.set_forkserver_preload([__name__])
    return found


def run(executor: Executor | None, folder: Path, killers: dict[int, int] | None = None) -> list[int]:
    jobs = [(number, folder, killers or {}) for number in range(JOBS)]
    return in_order(square, jobs, executor, label="", progress=False)


# number -> how often it kills its process; and how many results are lost
KILLERS = {
    "one process is killed once": ({3: 1}, 0),
    "the first and the last": ({0: 1, 11: 1}, 0),
    "the second try too": ({3: 2}, 0),  # alone, at last
    "one job kills whatever process it runs in": ({3: 99}, 1),
    "two do": ({3: 99, 7: 99}, 2),
}


@pytest.mark.parametrize(
    "kind", [next(iter(KILLERS)), *(pytest.param(k, marks=pytest.mark.slow) for k in [*KILLERS][1:])]
)
def test_what_is_finished_is_kept(kind, context, tmp_path):
    killers, lost = KILLERS[kind]
    with ProcessPoolExecutor(2, mp_context=context) as pool:
        if lost:
            with pytest.warns(
                bmx.DroppedWarning, match=f"{lost} of 12 replications were lost: their processes were ki"
            ):
                found = run(pool, tmp_path, killers)
        else:
            found = run(pool, tmp_path, killers)
    kept = [number for number in range(JOBS) if killers.get(number, 0) < 99]
    assert found == [number**2 for number in kept]


@pytest.mark.slow
def test_when_all_are_killed_there_is_an_end(context, tmp_path):
    with (
        ProcessPoolExecutor(2, mp_context=context) as pool,
        pytest.raises(bmx.FitError, match="of all 12 replications"),
    ):
        run(pool, tmp_path, dict.fromkeys(range(JOBS), 99))


class Breaks(Executor):
    """An executor of another package that breaks after five jobs."""

    def __init__(self) -> None:
        self.count = 0

    def submit(self, task, /, *arguments):
        self.count += 1
        future: Future = Future()
        if self.count > 8:
            raise BrokenExecutor
        if self.count > 5:
            future.set_exception(BrokenExecutor())
        else:
            future.set_result(task(*arguments))
        return future


def test_executors_of_others_lose_only_what_they_lose(tmp_path):
    with pytest.warns(bmx.DroppedWarning, match="7 of 12 replications were lost"):
        assert run(Breaks(), tmp_path) == [number**2 for number in range(5)]


def test_results_are_in_order_everywhere(tmp_path):
    with ThreadPoolExecutor(3) as threads:
        assert run(None, tmp_path) == run(threads, tmp_path) == [number**2 for number in range(JOBS)]
    assert in_order(square, [], None, label="", progress=True) == []


def fail(number: int) -> Iterator[int]:
    raise ZeroDivisionError(number)


def test_errors_of_the_task_are_errors(context):
    with ProcessPoolExecutor(2, mp_context=context) as pool, pytest.raises(ZeroDivisionError):
        in_order(fail, [(1,), (2,)], pool, label="", progress=False)


class Clock:
    """Stands still but for jobs, which take as long as they are told to."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        monkeypatch.setattr(executors.time, "time", lambda: self.now)

    def job(self, seconds: float) -> float:
        self.now += seconds
        return seconds


def test_what_is_begun_in_time_comes_to_its_end(monkeypatch):
    clock = Clock(monkeypatch)
    jobs = [(seconds,) for seconds in (1.0, 1.5, 7.0, 0.25, 0.5)]
    assert in_time(clock.job, jobs, None, 3.0, label="", progress=False) == ([1.0, 1.5, 7.0], 2)
    with ThreadPoolExecutor(1) as thread:
        assert in_time(clock.job, jobs, thread, 2.0, label="", progress=False) == ([1.0, 1.5], 3)
    assert in_time(clock.job, jobs, None, None, label="", progress=False) == ([1.0, 1.5, 7.0, 0.25, 0.5], 0)


def test_a_limit_of_time_leaves_no_bias_towards_fast_jobs(monkeypatch):
    """Half of the jobs take nine times as long as the others: without those that are not finished it would be 44 %."""
    clock, rng = Clock(monkeypatch), np.random.default_rng(1)
    slow, begun, left = 0, 0, list[float]()
    for _ in range(600):
        jobs = [(float(seconds),) for seconds in rng.choice([1.0, 9.0], 40)]
        found, late = in_time(clock.job, jobs, None, 30.0, label="", progress=False)
        assert len(found) + late == 40
        slow, begun = slow + found.count(9.0), begun + len(found)
        left += found[:-1] if sum(found) > 30.0 else found
    error = 0.5 / np.sqrt(begun)
    assert abs(slow / begun - 0.5) < 4.0 * error
    assert left.count(9.0) / len(left) < 0.5 - 4.0 * error


def test_no_time_at_all_is_an_error(monkeypatch):
    clock = Clock(monkeypatch)
    with pytest.raises(bmx.FitError, match="None of the 2 replications was begun within 0 seconds"):
        in_time(clock.job, [(1.0,), (1.0,)], None, 0.0, label="", progress=False)
