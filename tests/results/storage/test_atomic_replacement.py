"""Writes that are broken off at every step: what was there before is there still, or what is new is there whole."""

from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import bayesmix as bmx
from bayesmix.errors import DataError
from bayesmix.results.storage import atomic_replacement
from bayesmix.results.storage.atomic_replacement import as_left, new_folder, put_back, write_whole

FULL = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
DEAD = 2**22 + 1  # above the largest number that Linux gives a process


def write_folder(target, text):
    with new_folder(target) as unfinished:
        unfinished.mkdir()
        (unfinished / "content").write_text(text)


def content(target):
    return (target / "content" if target.is_dir() else target).read_text()


def fails_at(monkeypatch, owner, name, call, error):
    """Let a function raise at its first, second, ... call, before or after it has done its work."""
    original, calls = getattr(owner, name), []

    def function(*arguments, **options):
        calls.append(arguments)
        if len(calls) == abs(call) and call < 0:
            raise error
        result = original(*arguments, **options)
        if len(calls) == call:
            raise error
        return result

    monkeypatch.setattr(owner, name, function)


# function and its call (negative: raises before it has done anything) that writing a folder is broken off at
STEPS = [
    (Path, "mkdir", -1),
    (Path, "mkdir", 1),
    (Path, "write_text", -1),
    (Path, "write_text", 1),
    (os, "fsync", -1),
    (os, "rename", -1),
    (os, "rename", 1),
    (os, "rename", -2),
    (os, "rename", 2),
    (shutil, "rmtree", -1),
    (shutil, "rmtree", 1),
]


@pytest.mark.parametrize("error", [FULL, KeyboardInterrupt(), MemoryError()], ids=lambda error: type(error).__name__)
@pytest.mark.parametrize(("owner", "name", "call"), STEPS)
@pytest.mark.parametrize("exists", [True, False])
def test_a_folder_is_the_old_or_the_new_one(exists, owner, name, call, error, tmp_path, monkeypatch):
    target = tmp_path / "fit.zarr"
    if exists:
        write_folder(target, "old")
    with monkeypatch.context() as patched:
        fails_at(patched, owner, name, call, error)
        try:
            write_folder(target, "new")
            done = True
        except (DataError, KeyboardInterrupt, MemoryError):
            done = False
    if exists or done:
        assert content(target) in ({"new"} if done else {"old", "new"})
    if name != "rmtree":  # else the garbage stays, for the next process to find
        assert [path.name for path in tmp_path.iterdir()] in ([], ["fit.zarr"])


FILE_STEPS = [(os, "fsync", -1), (os, "replace", -1), (os, "replace", 1), (shutil, "copymode", -1)]


@pytest.mark.parametrize("error", [FULL, KeyboardInterrupt()], ids=lambda error: type(error).__name__)
@pytest.mark.parametrize(("owner", "name", "call"), FILE_STEPS)
def test_a_file_is_the_old_or_the_new_one(owner, name, call, error, tmp_path, monkeypatch):
    target = tmp_path / "report.html"
    write_whole(target, b"old")
    fails_at(monkeypatch, owner, name, call, error)
    with pytest.raises((DataError, KeyboardInterrupt)):
        write_whole(target, b"new")
    assert content(target) == ("new" if (name, call) == ("replace", 1) else "old")
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]


def test_files_that_cannot_be_written_are_named(tmp_path):
    with pytest.raises(DataError, match=r"nowhere/a` cannot be written: No such file or directory\.$"):
        write_whole(tmp_path / "nowhere" / "a", b"")
    with pytest.raises(DataError, match=r"`/dev/full` cannot be written: No space left on device\.$"):
        write_whole("/dev/full", b"new")


def test_links_and_rights_stay(tmp_path):
    (tmp_path / "data").write_bytes(b"old")
    (tmp_path / "data").chmod(0o600)
    (tmp_path / "link").symlink_to("data")
    write_whole(tmp_path / "link", b"new")
    assert (tmp_path / "link").is_symlink()
    assert content(tmp_path / "data") == "new"
    assert (tmp_path / "data").stat().st_mode & 0o777 == 0o600


def hidden(target, kind, process, machine=None):
    return target.with_name(f".{target.name}.{kind}-{machine or atomic_replacement._machine()}-{process}-0123abcd")


def test_only_what_dead_processes_left_is_removed(tmp_path):
    target = tmp_path / "fit.zarr"
    ours = [hidden(target, "new", DEAD), hidden(target, "old", DEAD)]
    others = [
        hidden(target, "new", os.getpid()),
        hidden(target, "new", os.getppid()),
        hidden(target, "new", DEAD, machine="01234567"),
        hidden(tmp_path / "other.zarr", "new", DEAD),
        tmp_path / ".fit.zarr.new",
        tmp_path / ".fit.zarr.mine-01234567-1-0123abcd",
    ]
    write_folder(target, "old")
    for path in (*ours, *others):
        path.mkdir()
        (path / "content").write_text("left")
    write_folder(target, "new")
    assert content(target) == "new"
    assert sorted(tmp_path.iterdir()) == sorted([target, *others])


def test_what_a_killed_replacement_put_aside_is_put_back(tmp_path):
    target = tmp_path / "fit.zarr"
    write_folder(hidden(target, "old", DEAD), "old")
    write_folder(hidden(target, "new", DEAD), "new")
    put_back(target)
    assert content(target) == "old"
    write_folder(target, "newer")
    assert [path.name for path in tmp_path.iterdir()] == ["fit.zarr"]


def test_a_killed_save_loses_no_fit(fitted, tmp_path):
    fitted("sleepstudy").save(tmp_path / "fit.zarr")
    os.rename(tmp_path / "fit.zarr", hidden(tmp_path / "fit.zarr", "old", DEAD))
    assert bmx.load(tmp_path / "fit.zarr").method == "REML"
    os.rename(tmp_path / "fit.zarr", hidden(tmp_path / "fit.zarr", "old", DEAD))
    with pytest.raises(DataError, match="overwrite=True"):
        fitted("sleepstudy", "ml").save(tmp_path / "fit.zarr")
    assert bmx.load(tmp_path / "fit.zarr").method == "REML"


def test_a_fit_that_is_loaded_has_nothing_left_beside_it(fitted, tmp_path):
    fitted("sleepstudy").save(target := tmp_path / "fit.zarr")
    for kind in ("old", "new"):
        write_folder(hidden(target, kind, DEAD), kind)
    assert bmx.load(target).method == "REML"
    assert [path.name for path in tmp_path.iterdir()] == ["fit.zarr"]


def test_what_another_reader_has_put_back_is_no_error(tmp_path, monkeypatch):
    target = tmp_path / "fit.zarr"
    write_folder(hidden(target, "old", DEAD), "old")
    fails_at(monkeypatch, os, "rename", 1, FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT)))
    assert content(as_left(target)) == "old"


KILLED = """
import os, shutil, signal, sys, time, json
import bayesmix as bmx

target, rounds = sys.argv[1], int(sys.argv[2])
model = bmx.Model("Yield ~ 1 + (1 | Batch)", bmx.load_dataset("Dyestuff"))
fits = [model.estimate("reml"), model.estimate("ml")]
steps = [(os, "fsync"), (os, "rename"), (os, "rename"), (shutil, "rmtree")]

def kill_at(owner, name, call):
    original, calls = getattr(owner, name), []
    def function(*arguments, **options):
        calls.append(arguments)
        result = original(*arguments, **options)
        if len(calls) == call:
            os.kill(os.getpid(), signal.SIGKILL)
        return result
    setattr(owner, name, function)

for turn in range(rounds):
    child = os.fork()
    if not child:
        if turn < 4:
            kill_at(*steps[turn], 2 if turn == 2 else 1)
        while True:
            for fit in fits:
                fit.save(target, overwrite=True)
    if turn >= 4:
        time.sleep(0.05 + 0.137 * (turn % 11))
        os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    print(json.dumps([turn, bmx.load(target).method]), flush=True)
fits[0].save(target, overwrite=True)
"""


@pytest.mark.slow
def test_saves_killed_at_any_moment_lose_no_fit(tmp_path, fitted):
    target = tmp_path / "fit.zarr"
    bmx.Model("Yield ~ 1 + (1 | Batch)", bmx.load_dataset("Dyestuff")).estimate("reml").save(target)
    command = [sys.executable, "-W", "ignore", "-c", KILLED, str(target), "24"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    methods = [json.loads(line)[1] for line in done.stdout.splitlines()]
    assert len(methods) == 24
    assert set(methods) <= {"REML", "ML"}
    assert [path.name for path in tmp_path.iterdir()] == ["fit.zarr"]
