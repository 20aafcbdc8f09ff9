"""Atomic replacement: files and folders appear under their name only when they are whole.

What is new is written beside its place under a hidden name and renamed into it. A folder cannot replace another in one
step: the old one is put aside first, and put back if the new one does not get into its place. Hidden names say which
process they belong to, so that the next write can remove what a killed one left.
"""

from __future__ import annotations

import hashlib
import os
import platform
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Literal
from uuid import uuid4

from bayesmix.errors import DataError

Kind = Literal["new", "old"]


def write_whole(path: str | Path, content: bytes, *, kind: str = "") -> None:
    """Write a file; on any error, what was there before is there still.

    Parameters
    ----------
    path : of the file. Devices and pipes, ``/dev/stdout`` say, are written to as they are.
    kind : of file, for the message of an error: ``"The report"``.

    Raises
    ------
    DataError
        If the file cannot be written: no such folder, no right to, the disk is full.
    """
    target = Path(os.path.realpath(path))
    if target.exists() and not target.is_file():
        with _one_message(f"{kind} `{path}`".lstrip()):
            target.write_bytes(content)
        return
    with new_file(path, kind=kind) as unfinished:
        unfinished.write_bytes(content)


@contextmanager
def new_file(path: str | Path, *, kind: str = "") -> Iterator[Path]:
    """A path to write a file to that then takes the place of another, if there is one; ``kind`` as in `write_whole`.

    Raises
    ------
    DataError
        If the file cannot be written. What was there before is there still, here and on every other error.
    """
    target = Path(os.path.realpath(path))
    with _one_message(f"{kind} `{path}`".lstrip()):
        remove_leftovers(target)
        with beside(target) as unfinished:
            yield unfinished
            _write_through(unfinished)
            if target.exists():
                shutil.copymode(target, unfinished)
            os.replace(unfinished, target)


@contextmanager
def new_folder(target: Path, *, through: bool = False) -> Iterator[Path]:
    """A path to write a folder to that then takes the place of ``target``, a folder too, if there is one.

    ``through``: have it on the disk at the end, whatever was there before, so that a power failure does not damage it.

    Raises
    ------
    DataError
        If the folder cannot be written. What was there before is there still, here and on every other error.
    """
    target = Path(os.path.realpath(target))
    with _one_message(f"`{target}`"):
        as_left(target)
        with beside(target) as unfinished:
            yield unfinished
            if through or target.exists():
                _write_back(unfinished)
            _exchange(unfinished, target)


def as_left(path: str | Path) -> Path:
    """A file or folder without what killed processes had put aside or not finished: for those that read it, too."""
    target = Path(os.path.realpath(path))
    put_back(target)
    remove_leftovers(target)
    return Path(path)


def put_back(target: Path) -> None:
    """Undo the replacement of a folder that was killed after the old one had been put aside."""
    if os.path.lexists(target):
        return
    for path, _ in _of_dead_processes(target, "old"):
        with suppress(OSError):  # of a reader who may not, or after another that has just done it
            os.rename(path, target)
        return


def remove_leftovers(target: Path) -> None:
    """Remove what writes to ``target`` by processes that are no more have left beside it."""
    for path, kind in _of_dead_processes(target, "new", "old"):
        if kind == "new" or os.path.lexists(target):  # else the old one is all there is
            _remove(path)


@contextmanager
def beside(target: Path) -> Iterator[Path]:
    """A hidden name beside ``target``, removed at the end if there is something under it still."""
    path = _hidden(target, "new")
    try:
        yield path
    finally:
        _remove(path)


def _exchange(new: Path, target: Path) -> None:
    """Rename a folder to ``target``, the old one aside until that is done."""
    aside = _hidden(target, "old")
    try:
        if os.path.lexists(target):
            os.rename(target, aside)
        os.rename(new, target)
    finally:  # the files are asked, not a variable: an interrupt can come between any two lines
        if os.path.lexists(aside) and not os.path.lexists(target):
            os.rename(aside, target)
        _remove(aside)


@contextmanager
def _one_message(name: str) -> Iterator[None]:
    """An error of the file system in bayesmix's words."""
    try:
        yield
    except OSError as error:
        raise DataError(f"{name} cannot be written: {error.strerror or error}.") from error


def _write_back(folder: Path) -> None:
    """Have the files of a folder on the disk before those that they replace are removed."""
    for parent, _, names in os.walk(folder):
        for name in names:
            _write_through(Path(parent) / name)


def _write_through(path: Path) -> None:
    """Have a file on the disk, not only in its cache: a crash after the renaming must not leave an empty one."""
    descriptor = os.open(path, os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _remove(path: Path) -> None:
    with suppress(OSError):
        path.unlink()
    shutil.rmtree(path, ignore_errors=True)


# ---- hidden names -----------------------------------------------------------------------------------------------


def _hidden(target: Path, kind: Kind) -> Path:
    return target.with_name(f".{target.name}.{kind}-{_machine()}-{os.getpid()}-{uuid4().hex[:8]}")


def _of_dead_processes(target: Path, *kinds: Kind) -> list[tuple[Path, str]]:
    """Hidden files and folders of writes to ``target`` by processes of this machine that are no more."""
    pattern = re.compile(rf"\.{re.escape(target.name)}\.({'|'.join(kinds)})-{_machine()}-([0-9]+)-[0-9a-f]{{8}}")
    found = ((entry, pattern.fullmatch(entry.name)) for entry in _entries(target.parent))
    return [(Path(entry.path), match[1]) for entry, match in found if match and not _lives(int(match[2]))]


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        return sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError:
        return []


@cache
def _machine() -> str:
    """What tells apart the process ids of machines, and of containers of one machine, that share a folder."""
    try:
        numbering = os.readlink("/proc/self/ns/pid")
    except OSError:
        numbering = ""
    return hashlib.sha256(f"{platform.node()} {numbering}".encode()).hexdigest()[:8]


def _lives(process: int) -> bool:
    """Whether a process of this machine runs; where that cannot be asked, it does."""
    if os.name == "nt":  # there, os.kill ends the process whatever the signal
        return True
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True
    return True
