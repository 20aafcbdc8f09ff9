"""Runs on disk: what was drawn is not drawn again, whatever stopped it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import warnings
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import kills
import numpy as np
import pytest

import bayesmix as bmx
from bayesmix.errors import BayesmixWarning, DataError, SpecError
from bayesmix.results.storage import atomic_replacement, sampling_run


@pytest.fixture(scope="module")
def model():
    return bmx.Model("Yield ~ 1 + (1 | Batch)", bmx.load_dataset("Dyestuff"))


@pytest.fixture(scope="module", autouse=True)
def short_parts():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sampling_run, "PART", 20)
        patch.setattr("os.fsync", lambda _: None)  # a tenth of a second a part, or a second where others write
        yield


@pytest.fixture(scope="module")
def whole(model, tmp_path_factory):
    """A finished run and where it is."""
    path = tmp_path_factory.mktemp("runs") / "whole.zarr"
    return sampled(model, path), path


def sampled(model, path=None, **options):
    return model.sample(**({"draws": 50, "chains": 2, "seed": 4, "progress": False} | options), checkpoint=path)


def same(first, second):
    np.testing.assert_array_equal(first.values.beta, second.values.beta)
    np.testing.assert_array_equal(first.values.b[0], second.values.b[0])
    np.testing.assert_array_equal(first.values.dispersion, second.values.dispersion)
    assert first.draws.certificate == second.draws.certificate
    assert (first.draws.seed, first.draws.notes) == (second.draws.seed, second.draws.notes)


class CrashError(Exception):
    pass


def stopped_after(parts, monkeypatch, error=CrashError):
    """Sampling that stops in the part after so many."""
    real, calls = sampling_run.sample_model, []

    def sample(*arguments, **options):
        calls.append(options["after"])
        if len(calls) > parts:
            raise error
        return real(*arguments, **options)

    monkeypatch.setattr(sampling_run, "sample_model", sample)
    return calls


@pytest.mark.parametrize("parts", [pytest.param(0, marks=pytest.mark.slow), 1])
def test_a_stopped_run_goes_on_to_the_bit(parts, model, whole, tmp_path, monkeypatch):
    with monkeypatch.context() as stopping:
        stopped_after(parts, stopping)
        with pytest.raises(CrashError):
            sampled(model, tmp_path / "run.zarr")
    with pytest.raises(DataError, match="not a saved fit"):
        bmx.load(tmp_path / "run.zarr")
    if parts:
        with pytest.raises(DataError, match=r"is not a saved fit yet, but a run: bmx.resume\(.* goes on with it"):
            bmx.load(tmp_path / "run.zarr")
    with monkeypatch.context() as counting:
        calls = stopped_after(9, counting)
        found = bmx.resume(tmp_path / "run.zarr", progress=False)
    assert len(calls) == 2 - parts  # 50 draws in parts of 20 are 20 and 30
    same(found, whole[0])
    assert [path.name for path in tmp_path.iterdir()] == ["run.zarr"]
    same(bmx.load(tmp_path / "run.zarr"), whole[0])


def test_what_is_finished_is_not_drawn_again(model, whole, monkeypatch):
    first, path = whole
    calls = stopped_after(0, monkeypatch)
    same(sampled(model, path, seed=None), first)
    same(sampled(model, path, seed=first.draws.seed), first)
    same(bmx.resume(str(path), progress=False), first)
    assert not calls


CHANGES = [
    ({"seed": 5}, "seed 4, not 5"),
    ({"draws": 60}, "draws 50, not 60"),
    ({"chains": 3}, "chains 2, not 3"),
    ({"method": "marginal"}, "method auto, not marginal"),
    ({"data": 1}, "its model, data or priors are others"),
    ({"priors": 1}, "its model, data or priors are others"),
]


@pytest.mark.parametrize(("change", "words"), CHANGES)
def test_runs_of_something_else_are_left_alone(change, words, model, whole):
    other = model
    if "data" in change:
        other = bmx.Model("Yield ~ 1 + (1 | Batch)", bmx.load_dataset("Dyestuff").iloc[1:])
    if "priors" in change:
        other = bmx.Model(model.spec.text, bmx.load_dataset("Dyestuff"), priors={"sd": "HalfNormal(9)"})
    with pytest.raises(DataError, match=f"is not a run of this model and request: {words}"):
        sampled(other, whole[1], **{name: value for name, value in change.items() if name not in {"data", "priors"}})


@pytest.mark.slow
def test_a_cache_finds_what_is_the_same(model, tmp_path, monkeypatch):
    options = {"draws": 40, "chains": 2, "cache": tmp_path / "kept", "progress": False}
    first, other = model.sample(seed=1, **options), model.sample(seed=2, **options)
    fresh = model.sample(**options)
    assert len(list((tmp_path / "kept").iterdir())) == 3
    calls = stopped_after(0, monkeypatch)
    same(model.sample(seed=1, **options), first)
    same(model.sample(seed=2, **options), other)
    same(model.sample(**options), fresh)
    assert not calls


def test_ctrl_c_leaves_what_there_is_and_says_how_to_go_on(model, whole, tmp_path, monkeypatch):
    with monkeypatch.context() as stopping:
        stopped_after(1, stopping, KeyboardInterrupt)
        found = sampled(model, tmp_path / "run.zarr")
    assert found.values.lead == (2, 20)
    assert any('bmx.resume("' in note for note in found.draws.notes)
    same(bmx.resume(tmp_path / "run.zarr", progress=False), whole[0])


@pytest.mark.slow
def test_ctrl_c_in_the_first_part_is_one(model, tmp_path, monkeypatch):
    with monkeypatch.context() as stopping:
        stopped_after(0, stopping, KeyboardInterrupt)
        with pytest.raises(KeyboardInterrupt):
            sampled(model, tmp_path / "run.zarr")
    assert bmx.resume(tmp_path / "run.zarr", progress=False).values.lead == (2, 50)


def test_what_is_finished_is_on_the_disk_before_it_has_its_name(model, tmp_path, monkeypatch):
    """A power failure leaves no part whose files are empty, which could not be gone on from."""
    written = set()
    monkeypatch.setattr("os.fsync", lambda descriptor: written.add(os.fstat(descriptor).st_ino))
    with monkeypatch.context() as stopping:
        stopped_after(1, stopping)
        with pytest.raises(CrashError):
            sampled(model, tmp_path / "run.zarr")
    files = [path for path in (tmp_path / "run.zarr").rglob("*") if path.is_file()]
    assert len(files) > 30
    assert {path.stat().st_ino for path in files} <= written


def test_what_a_killed_run_left_beside_its_place_is_removed(model, whole, tmp_path):
    """Killed when the fit had taken the place of its parts, it had no time to remove these."""
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    shutil.copytree(whole[1], tmp_path / "run.zarr")
    left = atomic_replacement._hidden(tmp_path / "run.zarr", "old")
    left.with_name(left.name.replace(f"-{os.getpid()}-", f"-{dead.pid}-")).mkdir()
    for again in (lambda: sampled(model, tmp_path / "run.zarr"), lambda: bmx.resume(tmp_path / "run.zarr")):
        same(again(), whole[0])
        assert [path.name for path in tmp_path.iterdir()] == ["run.zarr"]
        left.with_name(left.name.replace(f"-{os.getpid()}-", f"-{dead.pid}-").replace(".old", ".new")).mkdir()


def test_bad_requests(model, tmp_path):
    with pytest.raises(SpecError, match="not both"):
        model.sample(checkpoint=tmp_path / "a", cache=tmp_path / "b")
    with pytest.raises(SpecError, match="Draws of advi"):
        model.sample(checkpoint=tmp_path / "a", method="advi")
    with pytest.raises(DataError, match="There is no run to go on with"):
        bmx.resume(tmp_path / "none.zarr")
    with pytest.raises(DataError, match="no folder"):
        sampled(model, tmp_path / "no" / "run.zarr")
    (tmp_path / "mine").mkdir()
    with pytest.raises(DataError, match="exists and is not a run of draws: it is left as it is"):
        sampled(model, tmp_path / "mine")
    assert list((tmp_path / "mine").iterdir()) == []


@pytest.fixture(scope="module")
def unfinished(model, tmp_path_factory):
    """A run with its first part."""
    path = tmp_path_factory.mktemp("runs") / "unfinished.zarr"
    with pytest.MonkeyPatch.context() as stopping:
        stopped_after(1, stopping)
        with pytest.raises(CrashError):
            sampled(model, path)
    return path


def damage(store, how):
    """Damage some of a store: a chunk of draws, the model, or a file that says what is there."""
    if how == "link":
        shutil.rmtree(store)
        store.symlink_to(store.parent)
        return
    path = store / how
    if path.is_dir():
        path = next(one for one in sorted(path.rglob("*")) if one.is_file() and "c" in one.relative_to(path).parts)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def test_runs_of_other_versions_are_said(unfinished, tmp_path):
    shutil.copytree(unfinished, tmp_path / "run.zarr")
    settings = json.loads((tmp_path / "run.zarr" / "run.json").read_text())
    (tmp_path / "run.zarr" / "run.json").write_text(json.dumps(settings | {"version": "0.0.9"}))
    with pytest.raises(DataError, match=r"was begun by bayesmix 0\.0\.9"):
        bmx.resume(tmp_path / "run.zarr")


DAMAGED_RUNS = {
    "0000/posterior/fixef": r"run.zarr/0000` is damaged .* a part of a run: without it, bmx.resume\(.*draws it again",
    "0000/zarr.json": r"run.zarr/0000` is not a saved fit .* a part of a run: without it, bmx.resume\(.*draws it again",
    "model": r"run.zarr/model` is damaged .* remove `.*run.zarr` and begin anew",
    "model/zarr.json": r"run.zarr/model` is not a saved fit .* remove `.*run.zarr` and begin anew",
    "run.json": r"run.json` is damaged, and what the draws beside it are is not known.* remove `.*` to begin anew",
}


@pytest.mark.parametrize("how", [pytest.param(how, marks=[pytest.mark.slow] * ("0000" in how)) for how in DAMAGED_RUNS])
def test_damaged_runs_say_what_to_do(how, model, whole, unfinished, tmp_path):
    shutil.copytree(unfinished, tmp_path / "run.zarr")
    damage(tmp_path / "run.zarr", how)
    with pytest.raises(DataError, match=DAMAGED_RUNS[how]):
        bmx.resume(tmp_path / "run.zarr")
    if how.startswith("0000"):
        shutil.rmtree(tmp_path / "run.zarr" / "0000")
        same(bmx.resume(tmp_path / "run.zarr", progress=False), whole[0])
    elif how == "run.json":
        with pytest.raises(DataError, match=DAMAGED_RUNS[how]):
            sampled(model, tmp_path / "run.zarr")


@pytest.mark.parametrize("how", ["posterior", "zarr.json"])
def test_damaged_fits_of_runs_say_what_to_do(how, model, whole, tmp_path):
    shutil.copytree(whole[1], tmp_path / "run.zarr")
    damage(tmp_path / "run.zarr", how)
    for again in (lambda: sampled(model, tmp_path / "run.zarr"), lambda: bmx.resume(tmp_path / "run.zarr")):
        with pytest.raises(DataError, match=r"is damaged.* (draws it again|to begin anew)"):
            again()


CHANGED = [{"draws": "many"}, {"draws": -3}, {"chains": 0}, {"chains": True}, {"seed": None}, {"method": "gibbs"}]
CHANGED += [{"options": 3}, {"method": "nuts", "options": {"nothing": 3}}, {"method": "nuts", "options": {"tune": -1}}]


@pytest.mark.parametrize("change", CHANGED, ids=str)
def test_settings_of_no_run_are_damage(change, unfinished, tmp_path):
    shutil.copytree(unfinished, tmp_path / "run.zarr")
    settings = json.loads((tmp_path / "run.zarr" / "run.json").read_text())
    (tmp_path / "run.zarr" / "run.json").write_text(json.dumps(settings | change))
    with pytest.raises(DataError, match=r"run\.json` is damaged"):
        bmx.resume(tmp_path / "run.zarr")


@pytest.mark.slow
@pytest.mark.parametrize("how", ["posterior", "zarr.json", "link", "file"])
def test_what_is_damaged_in_a_cache_is_sampled_again(how, model, tmp_path):
    """A warning names it; the next time it is found as any other."""
    options = {"draws": 4, "chains": 1, "seed": 1, "method": "marginal", "cache": tmp_path / "kept", "progress": False}
    first = model.sample(**options)
    (path,) = (tmp_path / "kept").iterdir()
    if how == "file":
        shutil.rmtree(path)
        path.write_text("mine")
    else:
        damage(path, how)
    with pytest.warns(BayesmixWarning, match=f"`{path}.* kept in a cache, and is sampled again") as said:
        same(model.sample(**options), first)
    assert len(said) == 1
    same(model.sample(**options), first)
    assert list((tmp_path / "kept").iterdir()) == [path]
    assert not path.is_symlink()


@pytest.mark.slow
def test_a_damaged_part_in_a_cache_is_sampled_again(model, tmp_path, monkeypatch):
    options = {"draws": 50, "chains": 2, "seed": 4, "cache": tmp_path / "kept", "progress": False}
    with monkeypatch.context() as stopping:
        stopped_after(1, stopping)
        with pytest.raises(CrashError):
            model.sample(**options)
    (path,) = (tmp_path / "kept").iterdir()
    damage(path, "0000/posterior/fixef")
    calls = stopped_after(9, monkeypatch)
    with pytest.warns(BayesmixWarning, match="0000` is damaged .* kept in a cache, and is sampled again"):
        model.sample(**options)
    assert len(calls) == 2


KILLED = """
import sys
import bayesmix as bmx
from bayesmix.results.storage import atomic_replacement, sampling_run
sampling_run.PART = 20
model = bmx.Model("Yield ~ 1 + (1 | Batch)", bmx.load_dataset("Dyestuff"))
print("ready", flush=True)
model.sample(draws=100, chains=2, seed=4, method=sys.argv[2], checkpoint=sys.argv[1], progress=False)
"""


@pytest.mark.slow  # three processes
def test_processes_that_are_asked_for_the_same_at_once(model, tmp_path):
    """One draws, the others wait and take what it has: before, parts were read while they went."""
    options = {"draws": 100, "chains": 2, "seed": 4, "method": "marginal", "progress": False}

    def work():
        warnings.simplefilter("ignore")  # that it waits
        model.sample(**options, cache=tmp_path / "cache")

    children = [kills.run_in_child(work) for _ in range(3)]
    assert [os.waitpid(child, 0)[1] for child in children] == [0, 0, 0]
    (path,) = (tmp_path / "cache").iterdir()
    same(bmx.load(path), sampled(model, tmp_path / "own.zarr", **options))


@pytest.mark.slow
def test_threads_that_are_asked_for_the_same_at_once(model, whole, tmp_path):
    """So do threads of one process, whose locks of files are one."""
    options = {"draws": 50, "chains": 2, "seed": 4, "cache": tmp_path / "cache", "progress": False}
    start = Barrier(4)

    def work(_):
        start.wait()
        return model.sample(**options)

    with warnings.catch_warnings(), ThreadPoolExecutor(4) as pool:
        warnings.simplefilter("ignore")  # that they wait
        for found in pool.map(work, range(4)):
            same(found, whole[0])
    assert len(list((tmp_path / "cache").iterdir())) == 1


@pytest.mark.slow
@pytest.mark.parametrize(("method", "kills"), [("marginal", 8), ("nuts", 4)])
def test_runs_killed_at_any_moment_go_on(method, kills, model, tmp_path):
    whole = sampled(model, tmp_path / "whole.zarr", draws=100, method=method)
    target, parts = tmp_path / "run.zarr", 0
    for turn in range(kills):
        command = [sys.executable, "-W", "ignore", "-c", KILLED, str(target), method]
        child = subprocess.Popen(command, stdout=subprocess.PIPE)
        assert child.stdout is not None
        child.stdout.readline()
        time.sleep(0.4 * (turn % 4) + (2.0 if method == "nuts" else 0.1))
        os.kill(child.pid, signal.SIGKILL)
        child.wait()
        child.stdout.close()
        now = sum(path.name.isdigit() for path in target.iterdir()) if target.exists() else 0
        finished = (target / "zarr.json").exists()
        assert finished or now >= parts  # no part that was there is lost
        parts = now
    same(sampled(model, target, draws=100, method=method), whole)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["run.zarr", "whole.zarr"]
