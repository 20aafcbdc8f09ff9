"""Bad input: each of some hundred cases is one error of bayesmix, at once, and takes no memory."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import bad_inputs
import pytest

SECONDS, MEGABYTES = 2.0, 500.0
LETTERS = 3_000  # of a message: what is wrong, where, and what to do


def test_there_are_enough_of_each_kind():
    cases = bad_inputs.cases()
    assert len(cases) == len(set(cases)) > 900
    for part, fewest in {
        "Model(": 150,
        "estimate": 10,
        "sample": 12,
        ".csv": 8,
        ".toml": 8,
        ".zarr": 15,
        "C(": 35,
    }.items():
        assert sum(part in case for case in cases) >= fewest, part


@pytest.mark.slow  # a process of its own
def test_bad_input_is_one_message_at_once_without_memory(tmp_path: Path) -> None:
    command = [sys.executable, str(Path(bad_inputs.__file__)), str(tmp_path)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr[-2000:]
    found = json.loads(result.stdout.splitlines()[-1])
    assert len(found) == len(bad_inputs.cases())
    assert [(case, said) for case, said, _, _ in found if said.startswith(("NOT OURS", "NO ERROR"))] == []
    assert [(case, len(said)) for case, said, _, _ in found if not 20 < len(said) < LETTERS] == []
    assert [(case, seconds) for case, _, seconds, _ in found if seconds > SECONDS] == []
    assert [(case, peak) for case, _, _, peak in found if peak > MEGABYTES] == []
