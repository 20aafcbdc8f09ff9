"""Known sampling variances are found wherever a design holds them."""

from __future__ import annotations

import numpy as np
import pytest

import bayesmix as bmx
from bayesmix.results.fits.sampling_variances import sampling_variances

DATA = {"a": [1.0, 2.0, 4.0, 3.0], "b": [2.0, 1.0, 1.0, 5.0], "s": [0.2, 0.3, 0.1, 0.5], "r": [0.4, 0.6, 0.2, 1.0]}
CASES = {
    ("a | se(s) ~ 1",): [("a", "s")],
    ("a | se(s, sigma = TRUE) ~ 1",): [("a", "s")],
    ("a | se(s) ~ 1", "b | se(r, sigma = TRUE) ~ 1"): [("a", "s"), ("b", "r")],
}


@pytest.mark.parametrize("formulas", CASES)
def test_variances(formulas):
    model = bmx.Model(list(formulas), DATA)
    for number, (_, column) in enumerate(CASES[formulas]):
        found = sampling_variances(model.design, model.spec, number, "this")
        np.testing.assert_allclose(found, np.square(DATA[column]), rtol=1e-12)


REFUSED = {
    ("a ~ 1", "gaussian"): r"this is of responses .*`a \| se\(s\) ~ ...`",
    ("a | se(s) ~ 1", "student"): "normal responses",
}


@pytest.mark.parametrize(("formula", "family"), REFUSED)
def test_refused(formula, family):
    model = bmx.Model(formula, DATA, family=family)
    with pytest.raises(bmx.SpecError, match=REFUSED[formula, family]):
        sampling_variances(model.design, model.spec, 0, "this")
