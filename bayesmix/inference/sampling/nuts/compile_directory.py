"""Where PyTensor keeps what it has compiled: below the user's home, or in a folder of this process where it cannot.

PyTensor raises an error when it is imported and cannot make its folder, as in containers and batch jobs whose home is
read-only or does not exist. A folder with a name that others know would let them put code into it. Numba raises one
where a file of the folder cannot be written (another process has deleted the folder, the disk is full) or read (the
power failed while it was written): a cache must not decide whether there is a result.
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
from pathlib import Path
from pickle import UnpicklingError
from typing import Any
from uuid import uuid4

from bayesmix.errors import BayesmixWarning, warn_user

FLAGS = "PYTENSOR_FLAGS"


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
    with suppress(OSError):
        NUMBA_CACHE_PATH.mkdir(parents=True, exist_ok=True)
    try:
        with config.change_flags(numba__fastmath=False):
            return make()
    except (OSError, EOFError, UnpicklingError) as error:
        if not isinstance(error, OSError):
            warn_user(
                f"Code in `{NUMBA_CACHE_PATH}` is damaged and compiled again. Remove the folder: until then"
                " every process compiles anew.",
                BayesmixWarning,
            )
        with config.change_flags(numba__fastmath=False, numba__cache=False):
            return make()


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


def _is_writable() -> bool:
    """Whether PyTensor can write below the home: asked by writing, since rights do not tell of every file system."""
    try:
        home = Path(os.environ["HOME"]) if "HOME" in os.environ else Path.home()
        own = home / ".pytensor"
        with tempfile.TemporaryFile(dir=own if own.is_dir() else home):
            return True
    except (OSError, RuntimeError):  # no such folder, no right to; no home
        return False
