"""Files that a model file names: where they may be, how large, and whether they are those that it was written for.

A model file may be a stranger's. What it names is looked at before a byte is read: a regular file beside or below it,
not a pipe or a device, of a size that can be meant.
"""

from __future__ import annotations

from hashlib import file_digest, sha256
from pathlib import Path

from bayesmix.errors import DataError

LARGEST = 1 << 31  # bytes


def check_file(path: Path, expected: str, folder: Path | None) -> None:
    """Look at place, size and checksum of a file.

    Parameters
    ----------
    expected : its SHA-256 checksum.
    folder : of the model file, below which it has to be; None where it may be anywhere.

    Raises
    ------
    DataError
        If there is no such file, it is elsewhere, too large, or not the one that the model file was written for.
    """
    try:
        if not path.is_file():
            raise DataError(f"There is no data file `{path}`; `file` is relative to the model file.")
        if folder is not None and folder.resolve() not in path.resolve().parents:
            raise DataError(
                f"The data file `{path}` is not beside or below the model file. Where you trust that file, say so:"
                " bmx.load_model(..., outside=True), or --outside."
            )
        if (size := path.stat().st_size) > LARGEST:
            raise DataError(f"The data file `{path}` has {size} bytes; model files read at most {LARGEST}.")
        with path.open("rb") as file:
            found = file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise DataError(f"The data file `{path}` cannot be read: {error.strerror}.") from None
    _check(found, expected, path.name)


def check_content(content: bytes, expected: str, name: str) -> None:
    """Raise `DataError` where data are not those that a model file was written for."""
    _check(sha256(content).hexdigest(), expected, name)


def _check(found: str, expected: str, name: str) -> None:
    if found != expected.lower():
        raise DataError(
            f"The data `{name}` are not those of the model file: their SHA-256 checksum is {found}, the file says"
            f" {expected}. Restore the data, or correct `sha256` if the change is meant."
        )
