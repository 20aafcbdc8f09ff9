"""Threads: BLAS has one while models are fitted, and afterwards what it had before."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

import bayesmix as bmx
from bayesmix.parallel import threads
from bayesmix.parallel.threads import in_threads, one_blas_thread


def blas_threads() -> set[int]:
    return {library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"}


@pytest.fixture(autouse=True)
def _two_threads():
    import scipy.linalg  # noqa: F401 (its BLAS is a library of its own: loaded later it would have what the suite has, one)

    with threadpool_limits(2, user_api="blas"):
        yield


def test_one_thread_within_and_the_users_own_afterwards():
    with one_blas_thread():
        assert blas_threads() == {1}
        with one_blas_thread():
            assert blas_threads() == {1}
        assert blas_threads() == {1}
    assert blas_threads() == {2}


def test_the_last_of_several_users_resets_it(monkeypatch):
    """The first to come may be the first to go: a limit that each reset for itself would end in the wrong order.

    OpenBLAS's own number cannot be asked here: set by another thread than the main one it is told too late.
    """
    log: list[str] = []

    class Controller:
        @contextmanager
        def limit(self, *, limits: int, user_api: str) -> Iterator[None]:
            log.append(f"{limits} {user_api}")
            yield
            log.append("reset")

    monkeypatch.setattr(threads, "ThreadpoolController", Controller)
    limit = threads._BlasLimit()
    limit.enter()
    limit.enter()
    limit.leave()
    assert log == ["1 blas"]
    limit.leave()
    assert log == ["1 blas", "reset"]


@pytest.mark.parametrize("n", [1, 3])
def test_batches_have_one_thread(n):
    assert in_threads(lambda _: blas_threads(), range(n)) == [{1}] * n


@pytest.mark.parametrize("verb", ["estimate", "sample"])
def test_fits_have_one_thread(verb, monkeypatch):
    seen: list[set[int]] = []
    enter = threads._LIMIT.enter

    def watched() -> None:
        enter()
        seen.append(blas_threads())

    monkeypatch.setattr(threads._LIMIT, "enter", watched)
    rng = np.random.default_rng(1)
    model = bmx.Model("y ~ 1 + (1 | g)", {"y": rng.normal(size=40), "g": np.repeat(list("abcdefgh"), 5)})
    options = {"draws": 20, "chains": 2, "seed": 1, "progress": False} if verb == "sample" else {}
    getattr(model, verb)(**options)
    assert seen
    assert set.union(*seen) == {1}
    assert blas_threads() == {2}


NEW_PAGES = """
import resource, sys
import numpy as np
from bayesmix.parallel.threads import keep_freed_memory
if sys.argv[1] == "kept":
    keep_freed_memory()

def faults():
    two = np.ones(300_000), np.ones(300_000)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

first = [faults() for _ in range(5)][-1]
print([faults() for _ in range(40)][-1] - first)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="says what glibc does")
@pytest.mark.slow
def test_memory_of_one_batch_is_that_of_the_next():
    """Two arrays of 586 pages, forty times over: their pages were cleared again each time."""
    run = [sys.executable, "-c", NEW_PAGES]
    own = {name: value for name, value in os.environ.items() if not name.startswith("MALLOC_")}  # Dask leaves some
    given_back, kept = (int(subprocess.check_output([*run, how], env=own)) for how in ("given back", "kept"))
    assert kept < 600 < 10_000 < given_back
