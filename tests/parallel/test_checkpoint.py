"""Checkpoints: a study that was stopped goes on, with the numbers of one that was not."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from bayesmix.errors import DataError
from bayesmix.parallel.checkpoint import Checkpoint, checkpoint_of, fingerprint
from bayesmix.parallel.executors import in_order
from bayesmix.studies import calibrate, standard_errors

VALUES = [0.1 + 0.2, np.pi * 1e-300, np.nan, np.inf]
calls: list[int] = []


def task(number: int, stop: int) -> list[object]:
    if number == stop:
        raise KeyboardInterrupt
    calls.append(number)
    return [np.array([VALUES[number % 4], number]), np.bool_(number % 2), None]


def run(path: Path, *, stop: int = -1, jobs: int = 6, study: str = "a") -> list[object]:
    calls.clear()
    kept = checkpoint_of(path, study, [f"job {k}" for k in range(jobs)])
    return in_order(task, [(k, stop) for k in range(jobs)], None, label="", progress=False, checkpoint=kept)


def plain(results: list[object]) -> str:
    return json.dumps(results, default=lambda value: value.tolist())


def test_what_is_finished_is_not_done_again(tmp_path):
    path = tmp_path / "study.jsonl"
    with pytest.raises(KeyboardInterrupt):
        run(path, stop=4)
    assert calls == [0, 1, 2, 3]
    found = run(path)
    assert calls == [4, 5]
    assert plain(found) == plain(run(tmp_path / "other.jsonl"))
    assert plain(run(path)) == plain(found)
    assert calls == []


def test_more_jobs_take_over_what_is_there(tmp_path):
    path = tmp_path / "study.jsonl"
    run(path)
    run(path, jobs=8)
    assert calls == [6, 7]


def test_a_file_that_two_processes_began_at_once(tmp_path):
    """Each saw it empty, and wrote the first line."""
    path = tmp_path / "study.jsonl"
    found = run(path)
    head = path.read_text().split("\n")[0]
    path.write_text(f"{head}\n{path.read_text()}")
    assert plain(run(path)) == plain(found)
    assert calls == []


@pytest.mark.parametrize("cut", [1, 7, 20])
def test_a_line_that_was_cut_off_is_a_job_to_do(tmp_path, cut):
    path = tmp_path / "study.jsonl"
    whole = run(path)
    path.write_bytes(path.read_bytes()[:-cut])
    assert plain(run(path)) == plain(whole)
    assert calls == [5]
    assert plain(run(path)) == plain(whole)
    assert calls == []


DAMAGE = {
    "a digit": lambda line: line.replace(b"0.30000000000000004", b"0.30000000000000014"),
    "another job": lambda line: line.replace(b"job 4", b"job 3"),
    "no text": lambda line: b"\xff\xfe" + line[2:],
    "zeros": lambda line: bytes(len(line)),
    "brackets": lambda line: b"[" * 100_000,
    "no result": lambda line: b'{"job": "job 4"}',
    "no job": lambda line: b'{"job": [4], "checksum": "", "result": 3}',
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_line_that_was_damaged_is_a_job_to_do(tmp_path, damage):
    path = tmp_path / "study.jsonl"
    whole = run(path)
    lines = path.read_bytes().split(b"\n")
    changed = DAMAGE[damage](lines[5])
    assert changed != lines[5]
    path.write_bytes(b"\n".join([*lines[:5], changed, *lines[6:]]))
    assert plain(run(path)) == plain(whole)
    assert calls == [4]


@pytest.mark.parametrize("left", [b"", b'{"for', b"\0" * 30, b'{"format": "bayesmix study"\0\0\0'])
def test_a_file_without_its_first_line_is_a_study_that_has_not_begun(tmp_path, left):
    """As a process that was killed, or a disk without power, leaves it."""
    path = tmp_path / "study.jsonl"
    whole = run(path)
    path.write_bytes(left)
    assert plain(run(path)) == plain(whole)
    assert calls == list(range(6))
    assert plain(run(path)) == plain(whole)
    assert calls == []


def test_the_file_of_another_study_is_left_alone(tmp_path):
    path = tmp_path / "study.jsonl"
    run(path)
    before = path.read_bytes()
    with pytest.raises(DataError, match=r"study.jsonl` is not a checkpoint of this study"):
        run(path, study="b")
    assert path.read_bytes() == before
    other = tmp_path / "data.csv"
    other.write_text("x,y\n1,2\n", encoding="utf-8")
    with pytest.raises(DataError, match="is not a checkpoint"):
        run(other)
    with pytest.raises(DataError, match="cannot be written: No such file"):
        run(tmp_path / "nowhere" / "study.jsonl")


def test_fingerprints_are_of_values():
    array = np.arange(6.0)
    assert fingerprint("a", array, 1) == fingerprint("a", array.copy(), 1)
    assert fingerprint("a", array[::2]) == fingerprint("a", np.array([0.0, 2.0, 4.0]))
    others = [("b", array), ("a", array[:5]), ("a", array.astype(int)), ("a", array.reshape(2, 3)), ("a",)]
    assert len({fingerprint(*one) for one in others} | {fingerprint("a", array)}) == 6


def test_without_a_file_there_is_no_checkpoint():
    assert checkpoint_of(None, "a", []) is None
    assert Checkpoint(Path("nowhere.jsonl"), "a", ["1"]).read() == {}


def test_the_study_of_standard_errors_goes_on(tmp_path):
    path = tmp_path / "errors.jsonl"
    standard_errors(4, 4, 3, estimators=["common"], progress=False, checkpoint=path)
    found = standard_errors(4, 4, 5, estimators=["common"], progress=False, checkpoint=path)
    whole = standard_errors(4, 4, 5, estimators=["common"], progress=False)
    pd.testing.assert_frame_equal(found.replicates, whole.replicates, check_exact=True)
    assert len(path.read_text().splitlines()) == 6
    with pytest.raises(DataError, match="not a checkpoint of this study"):
        standard_errors(4, 5, 3, estimators=["common"], progress=False, checkpoint=path)


@pytest.mark.slow
def test_calibration_goes_on(tmp_path):
    import bayesmix as bmx

    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"y": rng.normal(size=40), "x": rng.normal(size=40), "g": np.repeat(list("abcdefgh"), 5)})
    model, path = bmx.Model("y ~ x + (1 | g)", frame), tmp_path / "ranks.jsonl"
    calibrate(model, 3, progress=False, checkpoint=path)
    found = calibrate(model, 6, progress=False, checkpoint=path)
    pd.testing.assert_frame_equal(found.ranks, calibrate(model, 6, progress=False).ranks, check_exact=True)
    with pytest.raises(DataError, match="not a checkpoint of this study"):
        calibrate(
            bmx.Model("y ~ x + (1 | g)", frame, priors={"sd": "HalfNormal(1)"}), 3, progress=False, checkpoint=path
        )


def test_pipes_and_large_files_are_no_checkpoints(tmp_path):
    """A pipe would be read for ever; of a file of a terabyte the first line is enough."""
    os.mkfifo(tmp_path / "pipe.jsonl")
    with (tmp_path / "large.jsonl").open("wb") as file:
        file.write(b"{}\n")
        file.truncate(1 << 40)
    (tmp_path / "zero.jsonl").symlink_to("/dev/zero")
    for name in ("pipe", "large", "zero"):
        with pytest.raises(DataError, match="is not a checkpoint of this study"):
            run(tmp_path / f"{name}.jsonl")
