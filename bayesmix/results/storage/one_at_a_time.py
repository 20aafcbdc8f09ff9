"""One at a time: a lock beside a run on disk, so that two that are asked for it do not disturb each other.

Threads take turns by a set in memory, for the lock of a file is the whole process's, and lost when any of its threads
closes the file. Not by the package filelock: its locks are inherited by workers, which outlive a process that is
killed, and where files cannot be locked it takes their existence for a lock, which a process that is killed leaves.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Condition
from typing import Any

from bayesmix.errors import BayesmixWarning, warn_user

fcntl: Any = None
msvcrt: Any = None
try:
    import fcntl
except ImportError:
    with suppress(ImportError):  # as in a browser
        import msvcrt

PAUSE = 0.1  # seconds between two looks: a wait without end could not be interrupted everywhere
_changed = Condition()
_taken = set[str]()  # by threads of this process


@contextmanager
def one_at_a_time(target: Path) -> Iterator[None]:
    """Wait until no other process or thread works on ``target``, and have others wait.

    The lock ends with the process, killed or not, and is not inherited by workers. Where files cannot be locked or
    written, in a folder that can only be read, processes do not wait, only threads.
    """
    place = Path(os.path.realpath(target))
    with _one_thread(os.path.normcase(place), target):
        path = place.parent / f".{place.name}.lock"
        lock = _locked(path, target)
        try:
            yield
        finally:
            if lock is not None:
                _release(lock, path)


@contextmanager
def _one_thread(place: str, target: Path) -> Iterator[None]:
    with _changed:
        if place in _taken:
            _say("thread", target)
        while place in _taken:
            _changed.wait(PAUSE)
        _taken.add(place)
    try:
        yield
    finally:
        with _changed:
            _taken.discard(place)
            _changed.notify_all()


def _forget() -> None:
    """In a fork: what other threads had taken is theirs, in the process where they are."""
    global _changed  # noqa: PLW0603 - one of them could have had it
    _changed = Condition()
    _taken.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)


def _say(who: str, target: Path) -> None:
    warn_user(f"Another {who} works on `{target}`: this one waits for it.", BayesmixWarning)


# ---- the file ---------------------------------------------------------------------------------------------------


def _locked(path: Path, target: Path) -> int | None:
    """The open file, locked; None where that cannot be."""
    flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    is_said = False
    while True:
        try:
            found = os.open(path, flags, 0o666)
        except OSError:
            return None
        try:
            while not _take(found):
                if not is_said:
                    _say("process", target)
                is_said = True
                time.sleep(PAUSE)
        except OSError:  # file systems without locks
            os.close(found)
            with suppress(OSError):
                path.unlink()
            return None
        except BaseException:
            os.close(found)
            raise
        if _is_same(found, path):
            return found
        os.close(found)  # who had it has removed it: what is locked is nobody's


def _take(lock: int) -> bool:
    """Lock an open file, unless another process has it."""
    try:
        if fcntl is not None:
            fcntl.lockf(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        elif msvcrt is not None:
            msvcrt.locking(lock, msvcrt.LK_NBLCK, 1)
        else:
            raise OSError
    except (BlockingIOError, PermissionError):
        return False
    return True


def _release(lock: int, path: Path) -> None:
    """Remove the file, and let others have what there is to lock.

    Windows does not remove files that are open, so that others who wait have theirs still; elsewhere it has to be gone
    first, or it could be another's by then.
    """
    if fcntl is None:
        with suppress(OSError):
            msvcrt.locking(lock, msvcrt.LK_UNLCK, 1)
        os.close(lock)
    with suppress(OSError):
        path.unlink()
    if fcntl is not None:
        os.close(lock)


def _is_same(lock: int, path: Path) -> bool:
    """Whether the file that is locked is the one of this name: those of Windows stay while they are open."""
    if fcntl is None:
        return True
    try:
        return os.path.samestat(os.fstat(lock), os.stat(path))
    except OSError:
        return False
