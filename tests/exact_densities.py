"""Log densities to fifty digits (reference/families), where SciPy's are not exact to rounding."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from bayesmix.language.families.registry import FAMILIES

FILE = Path(__file__).parent / "reference" / "families" / "log_densities.json"
EXACT = {"rtol": 1e-11, "atol": 1e-11}


def check(name: str, *, has_trials: bool = False) -> None:
    """Hold the log density of a family against the values frozen for it; trials are the first of its parameters."""
    rows = json.loads(FILE.read_text(encoding="utf-8"))[name]
    assert rows
    y = np.array([row["y"] for row in rows])
    parameters = np.array([row["parameters"] for row in rows]).T
    trials, *others = parameters if has_trials else (np.ones(len(y)), *parameters)
    found = FAMILIES[name].log_density(y, trials, *others)
    np.testing.assert_allclose(found, [row["log_density"] for row in rows], **EXACT)
