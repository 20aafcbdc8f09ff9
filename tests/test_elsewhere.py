"""The same draws, replicates and studies to the bit, whatever the threads, cores, hash seed, locale or home."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import elsewhere
import pytest

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")
SHARES = [["marginal", "marginal, counts", "bootstrap", "studies"], ["alternating", "nuts", "pymc"]]


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


def test_all_parts_are_compared() -> None:
    assert {part for share in SHARES for part in share} == elsewhere.PARTS.keys()


@pytest.mark.slow
@pytest.mark.parametrize("share", range(len(SHARES)))
def test_draws_are_the_same_on_any_number_of_threads(share: int) -> None:
    if "pymc" in SHARES[share]:  # what is compiled anew and what a cache has may differ: both are from the cache
        digests(["pymc"], 1)
    assert digests(SHARES[share], 1) == digests(SHARES[share], 2)


@pytest.mark.slow
def test_draws_are_the_same_in_a_plain_locale_with_a_home_that_cannot_be_written(tmp_path: Path) -> None:
    """With the compiled densities of a cache that does not exist yet."""
    plain = {"LC_ALL": "C", "HOME": "/proc", "PYTENSOR_FLAGS": f"base_compiledir={tmp_path / 'new'}"}
    parts = ["marginal", "nuts"]
    assert digests(parts, 1, **plain) == digests(parts, 1)
