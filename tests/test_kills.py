"""Processes killed at random moments lose nothing that was finished, and leave nothing half done: see `kills.py`."""

from __future__ import annotations

import time
from pathlib import Path

import kills
import numpy as np
import pytest
from daily import day

TIMES = {"sample, NUTS": 2, "compare --all": 2}


@pytest.mark.slow
@pytest.mark.parametrize("kind", kills.KINDS)
@pytest.mark.filterwarnings("ignore")  # of forks: nothing that has threads of its own has run here
def test_what_is_finished_is_there_after_a_kill(kind: str, tmp_path: Path) -> None:
    times = TIMES.get(kind, 4)
    seed = int(time.time())
    hits, ends = kills.kill(kind, times, tmp_path / "work", np.random.default_rng(seed))
    assert hits == times, f"seed {seed}"
    assert ends >= 1


STEPS = {"save": 3, "extend": 2, "report": 3, "sample": 2, "study": 2, "bootstrap": 3}  # kills a day


@pytest.mark.slow
@pytest.mark.parametrize("kind", STEPS)
@pytest.mark.filterwarnings("ignore")  # as above
def test_a_kill_before_any_change_of_a_file_loses_nothing(kind: str, tmp_path: Path) -> None:
    changes, hits = kills.kill_before_changes(kind, tmp_path / "work", STEPS[kind], day().toordinal())
    assert hits == changes > 0
