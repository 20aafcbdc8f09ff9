"""What every engine of ``benchmarks/posterior.py`` reads and writes.

An engine is a program called with the path of a job file. It prints its summary, notes the time, and leaves
``{"finished": ..., "sampling": ...}`` in ``result.json`` and its draws ``(chain, draw, parameter)`` in ``draws.bin``.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np


def job() -> tuple[dict[str, Any], Path]:
    """Settings, and the folder of the job."""
    path = Path(sys.argv[1])
    return json.loads(path.read_text(encoding="utf-8")), path.parent


def arrays(folder: Path) -> dict[str, np.ndarray]:
    """``y, X`` (columns centred and scaled), ``z0, g0, z1, ...`` (columns scaled), ``trials``, and prior scales."""
    return dict(np.load(folder / "arrays.npz"))


def terms(data: dict[str, np.ndarray]) -> int:
    """Number of random-effects terms."""
    return sum(name.startswith("g") for name in data)


def begun(folder: Path) -> None:
    """Note the CPU seconds that went into all before sampling, for those who may have to stop it."""
    (folder / "begun.txt").write_text(str(time.process_time()), encoding="utf-8")


NOTED: dict[str, float] = {}


def finished() -> float:
    """Now, on the clock that the parent reads; what the process and its compilers have used so far is noted."""
    NOTED["used"] = sum(os.times()[:4])
    return time.time()


def write(folder: Path, draws: list[np.ndarray], **result: Any) -> None:
    """Leave draws ``(chain, draw, ...)`` of all parameters, and the figures."""
    flat = [part.reshape(*part.shape[:2], -1) for part in draws]
    whole = np.concatenate([part for part in flat if part.shape[2]], axis=2)
    whole.astype(float).tofile(folder / "draws.bin")
    about = {"shape": list(whole.shape), "widths": [part.shape[2] for part in flat]}
    (folder / "result.json").write_text(json.dumps(NOTED | result | about), encoding="utf-8")


def below_diagonal(corr: np.ndarray) -> np.ndarray:
    """Correlations ``(chain, draw, pairs)`` of matrices ``(chain, draw, k, k)``."""
    row, column = np.tril_indices(corr.shape[-1], -1)
    return corr[..., row, column]
