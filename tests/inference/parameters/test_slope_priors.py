"""Default priors of the slopes of imputed predictors."""

from __future__ import annotations

import numpy as np
import pytest
from imputation import frame

import bayesmix as bmx
from bayesmix.errors import DesignError

FORMULAS = ["y ~ x + mi(z) + mi(z):x + (1 | g)", "z | mi() ~ w"]


def priors(model: bmx.Model) -> dict[str, str]:
    return {name: str(prior) for name, prior, _ in model.priors.rows()}


@pytest.mark.parametrize("preset", ["default", "bambi", "brms", "flat"])
def test_those_of_complete_columns_where_all_rows_are_complete(preset):
    """Where predictors are centred: products of imputed ones are not taken at the means, as those of columns are."""
    data = frame().dropna()
    data = data.assign(x=data["x"] - data["x"].mean(), z=data["z"] - data["z"].mean())
    found = priors(bmx.Model(FORMULAS, data, priors=preset))
    plain = priors(bmx.Model("y ~ x + z + z:x + (1 | g)", data, priors=preset))
    for name, own in {"y_x": "x", "y_mi(z)": "z", "y_mi(z):x": "x:z", "sigma_y": "sigma"}.items():
        assert found[name] == plain[own], name


def test_intercepts_are_stated_at_the_means_of_imputed_predictors_too():
    """A predictor that is moved moves nothing but the intercept at zero."""
    data = frame().dropna(subset=["y"])
    own, far = (bmx.Model(FORMULAS, data.assign(z=data["z"] + shift)) for shift in (0.0, 1e2))
    near, moved = own.priors.contrast, far.priors.contrast
    names = list(own.design.fixed)
    row, column = names.index("y_Intercept"), names.index("y_mi(z)")
    assert near[row, column] == pytest.approx(data["z"].mean())
    assert moved[row, column] == pytest.approx(data["z"].mean() + 1e2)
    at_zero = bmx.Model(FORMULAS, data, priors="brms").priors.contrast  # as brms has it
    assert at_zero[row, column] == 0.0


def test_without_rows_that_have_both_nothing_tells_a_slope():
    data = frame().assign(y=np.where(frame()["z"].isna(), 1.0 + frame()["x"], np.nan))
    with pytest.raises(DesignError, match="No row has values of `y` and `z`"):
        _ = bmx.Model(["y | mi() ~ x + mi(z)", "z | mi() ~ w"], data).priors
