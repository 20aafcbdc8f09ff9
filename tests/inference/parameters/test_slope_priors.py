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


def widths(model: bmx.Model) -> dict[str, tuple[float, ...]]:
    return {name: prior.arguments for name, prior, _ in model.priors.rows()}


@pytest.mark.parametrize("preset", ["default", "bambi", "brms", "flat"])
def test_those_of_complete_columns_where_all_rows_are_complete(preset):
    """At the means of what their columns are multiplied with, far from zero, too."""
    data = frame().dropna().assign(x=lambda rows: rows["x"] + 50.0)
    found = priors(bmx.Model(FORMULAS, data, priors=preset))
    plain = priors(bmx.Model("y ~ x + z + z:x + (1 | g)", data, priors=preset))
    place = "(centred)" * (preset == "default")
    for name, own in {f"y_x{place}": f"x{place}", f"y_mi(z){place}": f"z{place}", "y_mi(z):x": "x:z"}.items():
        assert found[name] == plain[own], name
    assert found["sigma_y"] == plain["sigma"]


@pytest.mark.parametrize("moved", ["x", "z"])
def test_a_number_added_to_a_factor_leaves_what_priors_are_stated_on(moved):
    """At +1 000 standard deviations of ``x`` the product was .001 in place of .546, and called converged."""
    data = frame().dropna(subset=["y"])
    own, far = (bmx.Model(FORMULAS, data.assign(**{moved: data[moved] + shift})) for shift in (0.0, 100.0))
    assert priors(own).keys() == priors(far).keys()
    names = list(own.design.fixed)
    x, z, product = (names.index(name) for name in ("y_x", "y_mi(z)", "y_mi(z):x"))
    change = np.eye(len(names))  # of coefficients, where a number is added: of the other factor's at zero
    change[z if moved == "x" else x, product] = -100.0
    rows = [x, z, product]
    np.testing.assert_allclose((far.priors.contrast @ change)[rows], own.priors.contrast[rows], atol=1e-9)
    for name in ("y_x(centred)", "y_mi(z)(centred)", "y_mi(z):x"):
        assert widths(far)[name] == pytest.approx(widths(own)[name], rel=1e-9)
    given = bmx.Model(FORMULAS, data, priors={"y_x": "Normal(0, 1)"}).priors
    np.testing.assert_array_equal(given.contrast[x], np.eye(len(names))[x])


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
