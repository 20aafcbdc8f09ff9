"""Locks of runs on disk: who has one, who waits, and what is left."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import time
import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from threading import Barrier, Event

import kills
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
    lock = tmp_path / ".run.zarr.lock"
    with held(lock) as process:
        monkeypatch.setattr(module.time, "sleep", lambda _: process.kill() if end == "killed" else ended(process))
        with (
            pytest.warns(BayesmixWarning, match="Another process works on `.*run.zarr`: this one waits"),
            one_at_a_time(tmp_path / "run.zarr"),
        ):
            assert not is_free(lock)
    assert list(tmp_path.iterdir()) == []


def ended(process: subprocess.Popen[str]) -> None:
    if process.poll() is None:
        process.communicate("\n")


def test_ctrl_c_ends_the_waiting(tmp_path, monkeypatch):
    def interrupted(_):
        raise KeyboardInterrupt

    with held(tmp_path / ".run.zarr.lock") as process:
        monkeypatch.setattr(module.time, "sleep", interrupted)
        with pytest.warns(BayesmixWarning), pytest.raises(KeyboardInterrupt), one_at_a_time(tmp_path / "run.zarr"):
            pass
        monkeypatch.undo()
        ended(process)


@pytest.mark.parametrize("places", ["same", "linked", "others"])
def test_threads_take_turns(tmp_path, places):
    """Eight at once of one place, by whatever name, one after the other; of others, together."""
    (tmp_path / "here").mkdir()
    (tmp_path / "there").symlink_to(tmp_path / "here")
    folders = {"same": ["here"], "linked": ["here", "there"], "others": ["here"]}[places]
    inside, most, barrier = [], [], Barrier(8)

    def work(number):
        name = f"run {number}.zarr" if places == "others" else "run.zarr"
        with one_at_a_time(tmp_path / folders[number % len(folders)] / name):
            inside.append(number)
            if places == "others":
                barrier.wait(timeout=30.0)  # until all are inside
            most.append(len(inside))
            time.sleep(0.003)
            inside.remove(number)

    with warnings.catch_warnings(), ThreadPoolExecutor(8) as pool:
        warnings.simplefilter("ignore", BayesmixWarning)
        list(pool.map(work, range(8)))
    assert (max(most) == 1) is (places != "others")
    assert list((tmp_path / "here").iterdir()) == []


def test_a_thread_says_that_it_waits(tmp_path, monkeypatch):
    entered, done, say = Event(), Event(), module._say
    monkeypatch.setattr(module, "_say", lambda *words: done.set() or say(*words))

    def first():
        with one_at_a_time(tmp_path / "run.zarr"):
            entered.set()
            done.wait(30.0)

    with ThreadPoolExecutor(1) as pool:
        pool.submit(first)
        entered.wait(30.0)
        with pytest.warns(BayesmixWarning, match="Another thread works on"), one_at_a_time(tmp_path / "run.zarr"):
            assert done.is_set()


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")  # it has threads, and forks
def test_a_fork_waits_for_the_process_not_for_threads_that_it_does_not_have(tmp_path):
    entered, done = Event(), Event()
    told, tells = os.pipe()

    def first():
        with one_at_a_time(tmp_path / "run.zarr"):
            entered.set()
            done.wait(30.0)

    def second():
        sleep = time.sleep
        module.time.sleep = lambda seconds: os.write(tells, b"I wait") and sleep(seconds)
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            with one_at_a_time(tmp_path / "run.zarr"):
                assert [str(one.message).split()[:2] for one in said] == [["Another", "process"]]

    with ThreadPoolExecutor(1) as pool:
        pool.submit(first)
        entered.wait(30.0)
        child = kills.run_in_child(second)
        os.close(tells)
        assert os.read(told, 6) == b"I wait"
        done.set()
    assert os.waitpid(child, 0)[1] == 0
    os.close(told)


class Windows:
    """What msvcrt does: a byte of an open file is one holder's, be it of the same process, until it is closed."""

    LK_NBLCK, LK_UNLCK = 2, 0

    def __init__(self):
        self.holders = {}
        self.refusals = 0

    def locking(self, descriptor, mode, count):
        assert count == 1
        assert os.lseek(descriptor, 0, os.SEEK_CUR) == 0
        file = os.fstat(descriptor).st_ino
        if mode == self.LK_UNLCK:
            assert self.holders.pop(file) == descriptor
        elif self.holders.setdefault(file, descriptor) != descriptor:
            self.refusals += 1
            raise PermissionError(errno.EACCES, "Permission denied")


def test_on_windows(tmp_path, monkeypatch):
    """With its own locks; a file that is open is not removed, so that who waits for it gets it."""
    system = Windows()
    monkeypatch.setattr(module, "fcntl", None)
    monkeypatch.setattr(module, "msvcrt", system)
    with one_at_a_time(tmp_path / "run.zarr"):
        (lock,) = system.holders.values()
    with pytest.raises(OSError, match="Bad file"):
        os.fstat(lock)
    assert list(tmp_path.iterdir()) == []
    other = os.open(tmp_path / ".run.zarr.lock", os.O_RDWR | os.O_CREAT)  # of another process
    system.locking(other, system.LK_NBLCK, 1)

    def end(_):
        system.locking(other, system.LK_UNLCK, 1)
        os.close(other)  # its removal fails, for the file is open here

    monkeypatch.setattr(module.time, "sleep", end)
    with (
        pytest.warns(BayesmixWarning, match="Another process works on `.*run.zarr`: this one waits"),
        one_at_a_time(tmp_path / "run.zarr"),
    ):
        assert len(system.holders) == system.refusals == 1
    assert system.holders == {}
    assert list(tmp_path.iterdir()) == []


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
    assert list(tmp_path.iterdir()) == []
