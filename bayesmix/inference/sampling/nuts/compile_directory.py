"""Where PyTensor keeps what it has compiled: below the user's home, or in a folder of this process where it cannot.

PyTensor raises an error when it is imported and cannot make its folder, as in containers and batch jobs whose home is
read-only or does not exist. A folder with a name that others know would let them put code into it. Numba raises one
where a file of the folder cannot be written (another process has deleted the folder, the disk is full) or read (the
power failed while it was written), and runs whatever machine code is in one that can: a cache must not decide whether
there is a result, nor which.
"""

from __future__ import annotations

import atexit
import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from hashlib import sha256
from pathlib import Path
from threading import RLock
from typing import Any
from uuid import uuid4

from bayesmix.errors import BayesmixWarning, warn_user

FLAGS = "PYTENSOR_FLAGS"
SEAL = b"bayesmix"  # at the end of compiled code, before its checksum: what unpickles the code does not read so far

_one_thread = RLock()  # PyTensor's settings are those of all threads
_damaged: list[str] = []  # files of code that were found so, and are compiled again


def find_compile_directory() -> None:
    """Name a folder for PyTensor, unless its own will do, the user named one, or it is loaded already."""
    flags = os.environ.get(FLAGS, "")
    if "pytensor" in sys.modules or "compiledir" in flags or "PYTENSORRC" in os.environ or _is_writable():
        return
    folder = tempfile.mkdtemp(prefix="bayesmix-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    os.environ[FLAGS] = ",".join(filter(None, (flags, f"base_compiledir={folder}")))


def cached[T](make: Callable[[], T]) -> T:
    """What a function makes of code that PyTensor compiles or has kept; anew without the cache where that fails.

    Without fast-math, which makes numbers depend on whether code came from the compiler or from the cache.
    """
    from pytensor import config
    from pytensor.link.numba.cache import NUMBA_CACHE_PATH

    _name_files_apart()
    _seal_files()
    with suppress(OSError):
        NUMBA_CACHE_PATH.mkdir(parents=True, exist_ok=True)
    with _one_thread:
        try:
            with config.change_flags(numba__fastmath=False):
                found = make()
        except OSError:
            with config.change_flags(numba__fastmath=False, numba__cache=False):
                found = make()
    if _damaged:
        warn_user(f"Code in `{_damaged[0]}` was damaged: it has been compiled again.", BayesmixWarning)
        _damaged.clear()
    return found


@cache
def _name_files_apart() -> None:
    """Let each file of Numba's cache have a name that no other process gives.

    Numba numbers the signatures of a function by what its index says there are, and writes the index before the code.
    Of two processes that compile it at once for other types, or for other processors with a home in common, both took
    one number: the index named the signature of one, the file had the code of the other, to be called with arguments of
    another kind.
    """
    from numba.core.caching import IndexDataCacheFile

    numbered: Any = IndexDataCacheFile._data_name

    def name(self: Any, number: int) -> Any:
        return numbered(self, uuid4().int >> 64)

    IndexDataCacheFile._data_name = name  # type: ignore[method-assign]


@cache
def _seal_files() -> None:
    """Let files of Numba's cache end with a checksum, and those that are not whole be as if they were not there.

    A power failure can leave zeros in a file of the right length: as machine code they end the process.
    """
    from numba.core.caching import IndexDataCacheFile

    dump, load_index, load_data = (getattr(IndexDataCacheFile, name) for name in ("_dump", "_load_index", "_load_data"))

    def sealed(self: Any, content: Any) -> bytes:
        data = dump(self, content)
        return data + SEAL + sha256(data).digest()

    def index(self: Any) -> Any:
        try:
            return load_index(self)
        except OSError:
            raise
        except Exception:
            _damaged.append(self._index_path)
            return {}

    def code(self: Any, name: str) -> Any:
        path = Path(self._data_path(name))
        try:
            _check_seal(path.read_bytes())
            return load_data(self, name)
        except OSError:
            raise
        except Exception as error:
            _damaged.append(str(path))
            raise FileNotFoundError(path) from error  # Numba's word for what it has to compile

    IndexDataCacheFile._dump = sealed  # type: ignore[method-assign]
    IndexDataCacheFile._load_index = index  # type: ignore[method-assign]
    IndexDataCacheFile._load_data = code  # type: ignore[method-assign]


def _check_seal(content: bytes) -> None:
    """Raise where code is not what it was; what other programs have written there has no checksum."""
    data, seal, checksum = content[:-40], content[-40:-32], content[-32:]
    if seal == SEAL and sha256(data).digest() != checksum:
        raise ValueError


def _is_writable() -> bool:
    """Whether PyTensor can write below the home: asked by writing, since rights do not tell of every file system."""
    try:
        home = Path(os.environ["HOME"]) if "HOME" in os.environ else Path.home()
        own = home / ".pytensor"
        with tempfile.TemporaryFile(dir=own if own.is_dir() else home):
            return True
    except (OSError, RuntimeError):  # no such folder, no right to; no home
        return False
