"""Degrees of freedom against lmerTest's, whose own numerical derivatives are good to about four digits."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import bayesmix as bmx
from bayesmix.inference.estimation.refits import refit_all
from bayesmix.inference.estimation.satterthwaite import satterthwaite, satterthwaite_of_all

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


@pytest.mark.parametrize("method", ["reml", "ml"])
def test_many_responses_at_once_have_the_degrees_of_freedom_of_each(method):
    """Also beside one that could not be fitted, and where an estimate is singular."""
    model = bmx.Model("Reaction ~ Days + (Days | Subject)", bmx.load_dataset("sleepstudy"))
    fit = model.estimate(method)
    rng, mean = np.random.default_rng(1), fit.design.y.mean()
    responses = np.stack([fit.design.y + rng.normal(size=180), mean + rng.normal(size=180), fit.design.y[::-1]])
    found = refit_all(fit.design, fit.spec, fit.point.method, [responses], fit.point)
    found.criterion[2] = np.nan
    first, second, third = satterthwaite_of_all(fit.design, responses, fit.point, found)
    L = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, -3.0]])
    for y, i, many in ((responses[0], 0, first), (responses[1], 1, second)):
        single = satterthwaite(fit.design.with_response(y), found.one(i, fit.point))
        np.testing.assert_allclose(many.df(L), single.df(L), rtol=1e-6)
        by_beta = [one.T @ one.slopes @ one.T.T for one in (many, single)]
        np.testing.assert_allclose(*by_beta, rtol=1e-6, atol=1e-9)
    assert found.singular[1].any()
    assert third is None


@pytest.mark.parametrize("ratio", [1.0, 100.0, 1e3])
def test_levels_far_apart_still_count_as_levels(ratio) -> None:
    """In a balanced design what varies between J levels rests on J - 2 degrees of freedom, whatever the noise."""
    rng = np.random.default_rng(0)
    g = np.repeat(np.arange(8), 6)
    y = 5.0 * rng.normal(size=8)[g] * ratio + rng.normal(size=48)
    fit = bmx.Model("y ~ t + (1 | g)", pd.DataFrame({"y": y, "t": g % 2.0, "g": g.astype(str)})).estimate()
    np.testing.assert_allclose(fit.satterthwaite()["df"], 6.0, rtol=1e-3)
