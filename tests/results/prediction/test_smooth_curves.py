"""Curves of smooths and their bands: mgcv's term by term, on grids and new data, of estimates and posteriors."""

import numpy as np
import pandas as pd
import pytest
from smooths import data, estimate, model, new_data, reference

from bayesmix.errors import SpecError

NAMES = ["thin", "cubic", "by_factor", "by_number", "two", "surface"]


@pytest.mark.parametrize("name", [*NAMES, pytest.param("tensor", marks=pytest.mark.slow)])
def test_curves_and_standard_errors_are_those_that_mgcv_plots(name):
    case, new = reference()["cases"][name], new_data()
    found = estimate(name).smooths(newdata=new)
    for label in case["smooths"]:
        values = case["terms"][label]
        own, at = found[found["smooth"] == label], np.arange(len(new))
        times = np.ones(len(new))
        if label.startswith("s(x):f"):
            at = np.flatnonzero(new["f"] == label[-1])
        elif label == "s(x):w":
            times = new["w"].to_numpy()
        np.testing.assert_allclose(own["estimate"] * times[at], np.array(values)[at], atol=1e-4)
        expected = np.array(case["terms_se"][label])[at]
        np.testing.assert_allclose(own["std_error"] * np.abs(times[at]), expected, atol=1e-4)


def test_predictions_of_the_population_are_the_intercept_and_the_curve():
    fit, new = estimate("thin"), new_data()
    curve = fit.smooths("s(x)", new)["estimate"].to_numpy()
    expected = fit.fixef().loc["Intercept", "estimate"] + curve
    np.testing.assert_allclose(fit.predict(new, groups="zero")["estimate"], expected)
    case = reference()["cases"]["thin"]["population"]
    np.testing.assert_allclose(fit.predict(new, groups="zero")["std_error"], case["se"], rtol=1e-4)


def test_a_grid_runs_over_the_range_of_the_data():
    curves = estimate("two").smooths(points=20)
    assert list(curves["smooth"].unique()) == ["s(x)", "s(z)"]
    x = curves.loc[curves["smooth"] == "s(x)", "x"]
    assert (len(x), x.min(), x.max()) == (20, data()["x"].min(), data()["x"].max())
    surface = estimate("surface").smooths(points=100)
    assert len(surface) == 30**2
    assert list(surface.columns[:3]) == ["smooth", "x", "z"]


def test_simultaneous_bands_hold_the_whole_curve():
    fit = estimate("thin")
    curves = fit.smooths(points=30)
    inside = (curves["upper_simultaneous"] - curves["estimate"]) / curves["std_error"]
    assert np.ptp(inside) < 1e-9
    assert 1.96 < inside.iloc[0] < 3.2
    wide = fit.smooths(points=30, interval=0.99)
    assert np.all(wide["upper_simultaneous"] > curves["upper_simultaneous"])


@pytest.fixture(scope="module")
def posterior():
    return model("two").sample(draws=300, seed=1)


def test_curves_of_a_posterior_are_near_those_of_the_estimate_and_of_its_predictions(posterior):
    curves = posterior.smooths("s(z)", points=15)
    assert list(curves.columns) == [
        "smooth",
        "z",
        "mean",
        "sd",
        "lower",
        "upper",
        "lower_simultaneous",
        "upper_simultaneous",
    ]
    same = estimate("two").smooths("s(z)", points=15)
    assert np.all(np.abs(curves["mean"] - same["estimate"]) < curves["sd"])
    rows = pd.DataFrame({"x": 0.5, "z": curves["z"], "w": 0.0})
    differences = np.diff(posterior.predict(rows, groups="zero")["mean"])
    np.testing.assert_allclose(np.diff(curves["mean"]), differences, atol=1e-9)
    assert np.all(curves["lower_simultaneous"] < curves["lower"])


REFUSED = {"s(v)": "no smooth `s\\(v\\)`.*Smooths: `s\\(x\\)`", "s(x, k = 3)": "no smooth"}


@pytest.mark.parametrize("name", REFUSED)
def test_smooths_that_are_not_there_are_refused(name):
    with pytest.raises(SpecError, match=REFUSED[name]):
        estimate("two").smooths(name)
