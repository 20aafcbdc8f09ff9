"""PyTensor's folder where the home cannot be written: one of the process, unless the user has named another."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from bayesmix.inference.sampling.nuts import compile_directory as module


@pytest.fixture(autouse=True)
def before_pytensor(monkeypatch, tmp_path):
    monkeypatch.delitem(sys.modules, "pytensor", raising=False)
    monkeypatch.delenv(module.FLAGS, raising=False)
    monkeypatch.delenv("PYTENSORRC", raising=False)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))


def flags_after(monkeypatch, home, flags=None):
    monkeypatch.setenv("HOME", str(home))
    if flags is not None:
        monkeypatch.setenv(module.FLAGS, flags)
    module.find_compile_directory()
    return module.os.environ.get(module.FLAGS)


@pytest.mark.parametrize("home", ["/proc", "/nowhere/at/all", "/dev/null"])
@pytest.mark.parametrize("flags", [None, "optimizer=fast_compile"])
def test_homes_that_cannot_be_written(home, flags, monkeypatch, tmp_path):
    first, _, last = (flags_after(monkeypatch, home, flags) or "").rpartition("base_compiledir=")
    assert first == ("" if flags is None else f"{flags},")
    assert Path(last).parent == tmp_path
    assert Path(last).stat().st_mode & 0o777 == 0o700  # nobody else's code


@pytest.mark.parametrize("with_own", [True, False])
def test_homes_that_can_are_left_alone(with_own, monkeypatch, tmp_path):
    if with_own:
        (tmp_path / ".pytensor").mkdir()
    assert flags_after(monkeypatch, tmp_path) is None
    assert [path.name for path in tmp_path.iterdir()] == [".pytensor"] * with_own


@pytest.mark.parametrize("flags", ["base_compiledir=/x", "compiledir=/y,floatX=float64"])
def test_what_the_user_says_holds(flags, monkeypatch):
    assert flags_after(monkeypatch, "/proc", flags) == flags


def test_loaded_already(monkeypatch):
    monkeypatch.setitem(sys.modules, "pytensor", module)
    assert flags_after(monkeypatch, "/proc") is None


@pytest.mark.slow  # loads Numba
@pytest.mark.parametrize("apart", [True, False])
def test_two_processes_that_compile_at_once_keep_their_code_apart(apart, monkeypatch, tmp_path):
    """Both have read the index before either has written it: without our names one has the code of the other."""
    from numba.core.caching import IndexDataCacheFile

    monkeypatch.setattr(IndexDataCacheFile, "_data_name", lambda own, n: own._data_name_pattern.format(number=n))
    if apart:
        module._name_files_apart.__wrapped__()
    here, there = (IndexDataCacheFile(str(tmp_path), "function", 0) for _ in range(2))
    write = here._save_index

    def write_both(overloads):
        write(overloads)
        there.save("of integers", "integers")

    monkeypatch.setattr(there, "_load_index", dict)
    monkeypatch.setattr(here, "_save_index", write_both)
    here.save("of floats", "floats")
    found = IndexDataCacheFile(str(tmp_path), "function", 0)
    assert found.load("of integers") == ("integers" if apart else "floats")
    assert found.load("of floats") is None  # compiled once more


SCRIPT = """
import shutil, sys, warnings
from pathlib import Path
from bayesmix.inference.sampling.nuts.compile_directory import cached
import pytensor
import pytensor.tensor as pt

folder = pytensor.config.base_compiledir / "numba"
x = pt.vector("x")

def value(make):
    return float(cached(lambda: pytensor.function([x], make(x), mode="NUMBA")([1.0, 2.0])))

assert value(lambda x: pt.exp(x).sum()) == value(lambda x: pt.exp(x).sum())
assert list(folder.glob("*.nbi")), "nothing is kept"
shutil.rmtree(folder)
value(lambda x: pt.log(x).sum())
assert list(folder.glob("*.nbi")), "a folder that was deleted is not there again"

def deleting(x):
    shutil.rmtree(folder, ignore_errors=True)
    return pt.sin(x).prod()

value(deleting)
cached(lambda: None)
kept = value(lambda x: pt.cos(x).prod())

def zeros(content):  # in the machine code, as a power failure leaves them
    return content[:len(content) // 3] + bytes(len(content) // 3) + content[len(content) // 3 * 2 :]

for kind, damage in {"*": lambda content: content[:30], "*.nbi": lambda content: b"", "*.nbc": zeros}.items():
    for file in folder.glob(kind):
        file.write_bytes(damage(file.read_bytes()))
    for times in (1, 0):  # what was damaged is replaced
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            assert value(lambda x: pt.cos(x).prod()) == kept
        assert ["was damaged: it has been compiled again" in str(one.message) for one in said] == [True] * times, said
"""


@pytest.mark.slow
def test_a_cache_that_is_deleted_or_damaged_is_compiled_anew(tmp_path):
    flags = {module.FLAGS: f"base_compiledir={tmp_path / 'cache'}"}
    result = subprocess.run(
        [sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=False, env=os.environ | flags
    )
    assert result.returncode == 0, result.stderr[-2000:]
