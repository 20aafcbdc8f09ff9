"""The table of smooths: a row a curve; nothing where there are none. Its numbers: tests/inference/estimation."""

import pytest
from smooths import data, estimate

import bayesmix as bmx


def test_a_curve_has_a_row():
    table = estimate("by_factor").smooth_terms()
    assert list(table.index) == ["s(x):fa", "s(x):fb", "s(x):fc"]
    assert list(table.columns) == ["edf", "ref_df", "statistic", "p_value"]


def test_models_without_smooths_have_no_rows():
    assert bmx.Model("y ~ x + (1 | g)", data()).estimate().smooth_terms().empty


@pytest.mark.slow
def test_smooths_of_generalized_models_have_chi_squared_tests_as_those_of_gamm4():
    from smooths import reference

    for name in ("poisson", "logistic"):
        found = estimate(name).smooth_terms()
        for label, row in reference()["cases"][name]["smooths"].items():
            assert found.loc[label, "edf"] == pytest.approx(row["edf"], abs=1e-3)
            assert found.loc[label, "statistic"] == pytest.approx(row["Chi.sq"], rel=1e-3)
            assert found.loc[label, "p_value"] == pytest.approx(row["p-value"], rel=2e-3, abs=2e-5)
