"""Locks of runs on disk: who has one, who waits, and what is left."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bayesmix.errors import BayesmixWarning
from bayesmix.results.storage import one_at_a_time as module
from bayesmix.results.storage.one_at_a_time import one_at_a_time

fcntl = pytest.importorskip("fcntl")
HOLD = """
import fcntl, os, sys, time
lock = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT)
fcntl.lockf(lock, fcntl.LOCK_EX)
print("locked", flush=True)
sys.stdin.read(1)
os.unlink(sys.argv[1])
"""


@contextmanager
def held(path: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that has the lock until it is told, or killed."""
    command = [sys.executable, "-S", "-c", HOLD, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "locked\n"
        yield process


def is_free(path: Path) -> bool:
    """Asked by another process: a lock does not keep out the one that has it."""
    code = "import fcntl, sys; fcntl.lockf(open(sys.argv[1], 'r+'), fcntl.LOCK_EX | fcntl.LOCK_NB)"
    return subprocess.run([sys.executable, "-S", "-c", code, path], capture_output=True, check=False).returncode == 0


def test_nothing_is_left(tmp_path):
    lock = tmp_path / ".run.zarr.lock"
    with one_at_a_time(tmp_path / "run.zarr"):
        assert lock.exists()
        assert not is_free(lock)
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(KeyError), one_at_a_time(tmp_path / "run.zarr"):
        raise KeyError
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("end", ["done", "killed"])
def test_others_are_waited_for(tmp_path, end, monkeypatch):
    """One that has ended has removed what was waited for: another lock is taken."""
    lock, wait = tmp_path / ".run.zarr.lock", module._wait
    with held(lock) as process:

        def told(found):
            process.kill() if end == "killed" else process.communicate("\n")
            wait(found)

        monkeypatch.setattr(module, "_wait", told)
        with (
            pytest.warns(BayesmixWarning, match="Another process works on `.*run.zarr`: this one waits"),
            one_at_a_time(tmp_path / "run.zarr"),
        ):
            assert not is_free(lock)
    assert list(tmp_path.iterdir()) == []


def test_ctrl_c_ends_the_waiting(tmp_path, monkeypatch):
    def interrupted(found, kind):
        raise BlockingIOError if kind & fcntl.LOCK_NB else KeyboardInterrupt

    monkeypatch.setattr(module.fcntl, "lockf", interrupted)
    with pytest.warns(BayesmixWarning), pytest.raises(KeyboardInterrupt), one_at_a_time(tmp_path / "run.zarr"):
        pass


def test_what_a_killed_process_left_is_taken_over(tmp_path):
    (tmp_path / ".run.zarr.lock").touch()
    start = time.monotonic()
    with one_at_a_time(tmp_path / "run.zarr"):
        pass
    assert time.monotonic() - start < 5.0
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("place", ["none/run.zarr", "link.zarr", "pipe.zarr", "/", "."])
def test_where_nothing_can_be_locked_nobody_waits(tmp_path, place, monkeypatch):
    """No folder; a link or a pipe under the lock's name, which are left alone."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".link.zarr.lock").symlink_to(tmp_path / "elsewhere")
    os.mkfifo(tmp_path / ".pipe.zarr.lock")
    with one_at_a_time(Path(place)):
        pass
    assert (tmp_path / ".link.zarr.lock").is_symlink()
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.parametrize("system", ["without locks", "of a disk"])
def test_systems_without_locks(tmp_path, system, monkeypatch):
    def refused(*_):
        raise OSError

    if system == "without locks":
        monkeypatch.setattr(module, "fcntl", None)
    else:
        monkeypatch.setattr(module.fcntl, "lockf", refused)
    with one_at_a_time(tmp_path / "run.zarr"):
        pass
