"""One process at a time: a lock beside a run on disk, so that two that are asked for it do not disturb each other."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from bayesmix.errors import BayesmixWarning, warn_user

try:
    import fcntl
except ImportError:  # Windows, where runs of one name at a time are left to the user
    fcntl = None  # type: ignore[assignment]


@contextmanager
def one_at_a_time(target: Path) -> Iterator[None]:
    """Wait until no other process works on ``target``, and have others wait.

    The lock is the process's: it ends with that, killed or not, and is not inherited by workers, as locks of open files
    are. Where files cannot be locked or written, in a folder that can only be read, nobody waits.
    """
    place = Path(os.path.realpath(target))
    path = place.parent / f".{place.name}.lock"
    lock = _locked(path, target)
    try:
        yield
    finally:
        if lock is not None:
            with suppress(OSError):
                path.unlink()
            os.close(lock)


def _locked(path: Path, target: Path) -> int | None:
    """The open file, locked; None where that cannot be."""
    if fcntl is None:
        return None
    is_said = False
    while True:
        try:
            found = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK, 0o666)
        except OSError:
            return None
        try:
            fcntl.lockf(found, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if not is_said:
                warn_user(f"Another process works on `{target}`: this one waits for it.", BayesmixWarning)
            is_said = True
            _wait(found)
        except OSError:  # file systems without locks
            os.close(found)
            return None
        if _is_same(found, path):
            return found
        os.close(found)  # who had it has removed it: what is locked is nobody's


def _wait(lock: int) -> None:
    try:
        fcntl.lockf(lock, fcntl.LOCK_EX)
    except BaseException:
        os.close(lock)
        raise


def _is_same(lock: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(lock), os.stat(path))
    except OSError:
        return False
