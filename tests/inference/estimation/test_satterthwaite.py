"""Degrees of freedom against lmerTest's, whose own numerical derivatives are good to about four digits."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import bayesmix as bmx

REFERENCE = Path(__file__).parents[2] / "reference" / "lme4"
DIGITS = 1e-4

CASES = [
    path.stem
    for path in sorted(REFERENCE.glob("*.json"))
    if json.loads(path.read_text(encoding="utf-8")).get("satterthwaite") and path.stem != "insteval"
]


def test_there_are_cases() -> None:
    assert len(CASES) >= 20


@pytest.mark.parametrize("case", CASES)
def test_lmertest(case: str) -> None:
    given = json.loads((REFERENCE / f"{case}.json").read_text(encoding="utf-8"))
    contrasts = {factor: name.removeprefix("contr.") for factor, name in (given.get("contrasts") or {}).items()}
    data = bmx.load_dataset(given["data"])
    model = bmx.Model(given["formula"], data, weights=given.get("weights"), contrasts=contrasts)
    table = model.estimate("reml" if given["REML"] else "ml").satterthwaite()
    expected = given["satterthwaite"]
    df, p = (list(part.values()) if isinstance(part, dict) else part for part in (expected["df"], expected["p"]))
    np.testing.assert_allclose(table["df"], df, rtol=DIGITS)
    np.testing.assert_allclose(table["p"], p, rtol=1e-2)


def test_z_tests_have_no_degrees_of_freedom() -> None:
    data = bmx.load_dataset("cbpp")
    model = bmx.Model("cbind(incidence, size - incidence) ~ period + (1 | herd)", data, family="binomial")
    with pytest.raises(bmx.SpecError, match="z tests"):
        model.estimate().satterthwaite()
