"""The same draws, replicates and studies to the bit, whatever the threads, cores, hash seed, locale or home."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import elsewhere
import pytest
from daily import day

from bayesmix.language.families.registry import FAMILIES

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")


def digests(parts: list[str], threads: int, **environment: str) -> dict[str, str]:
    """Of parts computed by another process on so many threads and cores."""
    variables = dict.fromkeys(THREADS, str(threads)) | {"PYTHONHASHSEED": str(threads)} | environment
    cores = sorted(os.sched_getaffinity(0))[:threads] if hasattr(os, "sched_getaffinity") else None
    result = subprocess.run(
        [sys.executable, elsewhere.__file__, *parts],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | variables,
        preexec_fn=None if cores is None else lambda: os.sched_setaffinity(0, cores),
    )
    assert result.returncode == 0, result.stderr[-2000:]
    return dict(json.loads(result.stdout.splitlines()[-1]))


@pytest.mark.slow
def test_draws_are_the_same_anywhere(tmp_path: Path) -> None:
    """On one thread and two; in a plain locale with a home that cannot be written, and nothing compiled yet."""
    here, plain = digests(list(elsewhere.PARTS), 1), {"LC_ALL": "C", "HOME": "/proc"}
    assert digests(list(elsewhere.PARTS), 2) == here
    there = digests(["marginal", "nuts"], 1, PYTENSOR_FLAGS=f"base_compiledir={tmp_path / 'new'}", **plain)
    assert there == {part: here[part] for part in there}


FAMILY_NAMES = list(FAMILIES)
PRIME = 29  # so that days that follow each other have other families


@pytest.mark.slow
@pytest.mark.rotating
def test_a_family_of_the_day_is_the_same_anywhere() -> None:
    """Draws and bootstrap: in the order of hashes nothing is summed."""
    name = FAMILY_NAMES[day().toordinal() * PRIME % len(FAMILY_NAMES)]
    assert digests([name], 2) == digests([name], 1)
