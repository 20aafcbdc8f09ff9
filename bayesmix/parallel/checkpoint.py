"""Checkpoints: what a study has finished, line by line in a file, so that it goes on where it was stopped.

The first line says which study it is, each other one is a finished job. A line that was cut off, by a process that was
killed, a power failure or a disk that was full, is a job to do again; so is one that does not match its checksum.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from bayesmix import __version__
from bayesmix.errors import DataError

FORMAT = "bayesmix study"


@dataclass(frozen=True, slots=True, eq=False)
class Checkpoint:
    """A file of finished jobs.

    Results come back as JSON has them: lists for tuples and arrays, numbers to the last bit.
    """

    path: Path
    study: str  # `fingerprint` of all that results depend on
    keys: Sequence[str]  # of the jobs, in their order

    def read(self) -> dict[int, Any]:
        """Results that are there, by the place of the job; of a study that has not begun none.

        Raises
        ------
        DataError
            If the file is another's.
        """
        if not self.path.exists():
            return {}
        try:
            self._check_beginning()
            text = self.path.read_bytes().decode(errors="replace")
        except (OSError, UnicodeDecodeError):
            raise self._of_another() from None
        first, *lines = text.split("\n")
        if self._is_cut_off(text):
            return {}
        if _parsed(first) != self._head:
            raise self._of_another()
        places = {key: place for place, key in enumerate(self.keys)}
        found = [_parsed(line) for line in lines[:-1]]  # the last is empty, or was cut off
        return {places[one["job"]]: one["result"] for one in found if _is_whole(one) and one["job"] in places}

    def _check_beginning(self) -> None:
        """Raise where it is no file, or its first line another: a pipe never ends, and a large file fills memory."""
        if not self.path.is_file():
            raise self._of_another()
        head = (json.dumps(self._head) + "\n").encode()
        with self.path.open("rb") as file:
            found = file.read(len(head))
        if found != head and not self._is_cut_off(found.decode()):
            raise self._of_another()

    def add(self, place: int, result: Any) -> None:
        """Write one result, whole and at once."""
        words = json.dumps(result, default=_plain)
        job = json.dumps(self.keys[place])
        line = f'{{"job": {job}, "checksum": "{_checksum(job, words)}", "result": {words}}}'
        try:
            with self.path.open("ab+") as file:
                file.write(f"{self._before(file)}{line}\n".encode())
                file.flush()
                os.fsync(file.fileno())  # on the disk, not only in its cache: a power failure leaves what is finished
        except OSError as error:
            raise DataError(f"The checkpoint `{self.path}` cannot be written: {error.strerror}.") from None

    def _before(self, file: BinaryIO) -> str:
        """What has to stand before the next line: the first one, or the end of one that was cut off."""
        head = json.dumps(self._head) + "\n"
        size = file.seek(0, 2)
        file.seek(0)
        if size <= len(head) and self._is_cut_off(file.read(size).decode(errors="replace")):
            file.truncate(0)
            return head
        file.seek(-1, 2)
        return "" if file.read(1) == b"\n" else "\n"

    def _is_cut_off(self, text: str) -> bool:
        """Whether a file has not even its first line: none of it, a part, or zeros where a disk had got no further."""
        head = json.dumps(self._head)
        return "\n" not in text and head.startswith(text.rstrip("\0"))

    @property
    def _head(self) -> dict[str, str]:
        return {"format": FORMAT, "study": self.study, "version": __version__}  # another may compute other numbers

    def _of_another(self) -> DataError:
        return DataError(
            f"`{self.path}` is not a checkpoint of this study: its model, data, seed, options or version are others."
            " Give another name, or remove the file to begin anew."
        )


def checkpoint_of(path: Any, study: str, keys: Sequence[str]) -> Checkpoint | None:
    """The checkpoint in a file, or None without one."""
    return None if path is None else Checkpoint(Path(path), study, keys)


def fingerprint(*parts: Any) -> str:
    """A short text that is the same for the same values in any process: of texts, numbers and arrays."""
    digest = hashlib.sha256()
    for part in parts:
        if isinstance(part, np.ndarray):
            digest.update(f"{part.dtype.str}{part.shape}".encode() + np.ascontiguousarray(part).tobytes())
        else:
            digest.update(repr(part).encode())
        digest.update(b"\0")
    return digest.hexdigest()[:24]


def _parsed(line: str) -> Any:
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return None


def _is_whole(line: Any) -> bool:
    """Whether a line is a finished job as it was written: numbers are written as they were read."""
    if not isinstance(line, dict) or line.keys() != {"job", "checksum", "result"}:
        return False
    return bool(line["checksum"] == _checksum(json.dumps(line["job"]), json.dumps(line["result"])))


def _checksum(job: str, result: str) -> str:
    return hashlib.sha256(f"{job} {result}".encode()).hexdigest()[:24]


def _plain(value: Any) -> Any:
    """Arrays and NumPy's numbers as Python's."""
    return value.tolist()
