"""Tweedie amounts and generalized Poisson counts against glmmTMB (tests/reference/breadth/dispersion_models.R)."""

from __future__ import annotations

import json

import pytest
from breadth import FOLDER, frame

import bayesmix as bmx

REFERENCES = json.loads((FOLDER / "dispersion_models.json").read_text(encoding="utf-8"))
CASES = {"tweedie": ("y ~ x + (1 | g)", "tweedie"), "genpois": ("count ~ mined + (1 | site)", "Salamanders")}


@pytest.mark.parametrize("family", [pytest.param("tweedie", marks=pytest.mark.slow), "genpois"])
def test_estimates(family):
    formula, data = CASES[family]
    expected = REFERENCES[family]
    fit = bmx.Model(formula, frame(data), family=family).estimate()
    assert fit.criterion == pytest.approx(expected["criterion"], rel=1e-9)
    table = fit.parameters()
    for name, value in expected["estimate"].items():
        row, error = table.loc[name.replace("(Intercept)", "Intercept")], expected["std_error"][name]
        assert row["estimate"] == pytest.approx(value, abs=1e-4 * error)
        assert row["std_error"] == pytest.approx(error, rel=1e-3)
    for name, value in expected["numbers"].items():
        assert table.loc[name, "estimate"] == pytest.approx(value, rel=1e-4)
    (sd,) = (name for name in table.index if name.startswith("sd("))
    assert table.loc[sd, "estimate"] == pytest.approx(expected["sd"], rel=1e-4)
