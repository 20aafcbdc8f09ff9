"""Where PyTensor keeps what it has compiled: below the user's home, or in a folder of this process where it cannot.

PyTensor raises an error when it is imported and cannot make its folder, as in containers and batch jobs whose home is
read-only or does not exist. A folder with a name that others know would let them put code into it.
"""

from __future__ import annotations

import atexit
import os
import shutil
import sys
import tempfile
from pathlib import Path

FLAGS = "PYTENSOR_FLAGS"


def find_compile_directory() -> None:
    """Name a folder for PyTensor, unless its own will do, the user named one, or it is loaded already."""
    flags = os.environ.get(FLAGS, "")
    if "pytensor" in sys.modules or "compiledir" in flags or "PYTENSORRC" in os.environ or _is_writable():
        return
    folder = tempfile.mkdtemp(prefix="bayesmix-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    os.environ[FLAGS] = ",".join(filter(None, (flags, f"base_compiledir={folder}")))


def _is_writable() -> bool:
    """Whether PyTensor can write below the home: asked by writing, since rights do not tell of every file system."""
    try:
        home = Path(os.environ["HOME"]) if "HOME" in os.environ else Path.home()
        own = home / ".pytensor"
        with tempfile.TemporaryFile(dir=own if own.is_dir() else home):
            return True
    except (OSError, RuntimeError):  # no such folder, no right to; no home
        return False
