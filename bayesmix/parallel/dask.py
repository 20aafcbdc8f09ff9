"""Jobs on a Dask cluster whose futures are resolved whatever becomes of its workers."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import Any


def resolving(executor: Executor) -> Executor:
    """The executor itself, or in place of Dask's one that resolves all its futures."""
    is_of_dask = type(executor).__module__.startswith("distributed.")  # by name: Dask is loaded by those who use it
    return DaskJobs(executor) if is_of_dask else executor


class DaskJobs(Executor):
    """What ``Client.get_executor()`` returns, with an outcome for every job.

    A worker can be killed between the end of a job and the moment its result is fetched. Dask's own executor
    (``distributed.cfexecutor._cascade_future``, 2026.8) then takes the result for an exception, or never resolves the
    future: it looks at the state of a job once. Here a result is waited for however often Dask has to compute it.
    """

    def __init__(self, executor: Any) -> None:
        self._client = executor._client
        self._options = {"pure": False, **executor._kwargs}  # equal jobs are two jobs, also when one has failed

    def submit[Result](self, task: Callable[..., Result], /, *args: Any, **kwargs: Any) -> Future[Result]:
        """A future of the task's result; cancelling it cancels the job."""
        job = self._client.submit(task, *args, **kwargs, **self._options)
        outcome = Future[Result]()

        def resolve(_: Any) -> None:
            if not outcome.set_running_or_notify_cancel():
                return
            try:
                outcome.set_result(job.result())
            except BaseException as error:  # raised where the result is asked for
                outcome.set_exception(error)

        outcome.add_done_callback(lambda done: job.cancel() if done.cancelled() else None)
        job.add_done_callback(resolve)
        return outcome
