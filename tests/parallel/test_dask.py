"""Outcomes of jobs on Dask, whatever its own executor makes of a worker that is killed."""

from __future__ import annotations

from concurrent.futures import CancelledError, ThreadPoolExecutor
from typing import Any

import pytest

import bayesmix as bmx
from bayesmix.parallel.dask import resolving
from bayesmix.parallel.executors import in_order


class KilledWorker(Exception):  # noqa: N818 - Dask's name
    """By its name Dask's."""


class Job:
    """A Dask future as seen from the caller: told that it is finished, then its result or what became of it."""

    def __init__(self, task: Any, args: tuple[Any, ...], killed: bool, waits: bool) -> None:
        self.task, self.args, self.killed, self.waits, self.is_cancelled = task, args, killed, waits, False

    def add_done_callback(self, call: Any) -> None:
        if not self.waits:
            call(self)

    def result(self) -> Any:
        if self.killed:  # after it was finished: lost with its worker, tried again, given up
            raise KilledWorker(self.args)
        return self.task(*self.args)

    def cancel(self) -> None:
        self.is_cancelled = True


class Client:
    def __init__(self, killed: set[Any], waits: bool = False) -> None:
        self.killed, self.waits = killed, waits
        self.jobs, self.options = list[Job](), dict[str, Any]()

    def submit(self, task: Any, *args: Any, **options: Any) -> Job:
        self.options = options
        self.jobs.append(Job(task, args, args[-1] in self.killed, self.waits))
        return self.jobs[-1]


def executor(client: Client) -> Any:
    kind = type("ClientExecutor", (), {"__module__": "distributed.cfexecutor"})
    found = kind()
    found._client, found._kwargs = client, {"workers": ["first"]}
    return found


def test_a_job_that_is_lost_after_its_end_is_lost_alone() -> None:
    client = Client({(3,)})
    with pytest.warns(bmx.DroppedWarning, match="1 of 5 replications were lost"):
        found = in_order(abs, [(number,) for number in range(-1, 4)], executor(client), label="", progress=False)
    assert found == [1, 0, 1, 2]
    assert client.options == {"pure": False, "workers": ["first"]}


def test_cancelling_an_outcome_cancels_the_job() -> None:
    client = Client(set(), waits=True)
    outcome = resolving(executor(client)).submit(abs, -1)
    assert outcome.cancel()
    assert client.jobs[0].is_cancelled
    with pytest.raises(CancelledError):
        outcome.result(timeout=0)


def test_other_executors_are_themselves() -> None:
    with ThreadPoolExecutor(1) as pool:
        assert resolving(pool) is pool
