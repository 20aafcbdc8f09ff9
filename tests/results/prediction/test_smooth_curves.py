"""Curves of smooths and their bands: mgcv's term by term, on grids and new data, of estimates and posteriors."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from smooths import data, estimate, model, new_data, reference

import bayesmix as bmx
from bayesmix.errors import SpecError
from bayesmix.inference.estimation.prediction_variance import NewRows, predictor_variance
from bayesmix.results.fits import smooth_terms_table
from bayesmix.results.fits.smooth_parts import level_parts

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
def by_level():
    return bmx.Model('y ~ s(z, k = 5) + s(x, g, bs = "fs", k = 4) + (1 | f)', data())


@pytest.fixture(scope="module")
def estimate_by_level(by_level):
    return by_level.estimate()


def test_levels_have_curves_with_bands(estimate_by_level, monkeypatch):
    """What a level adds to the population; its variance by the elimination of all effects, which knows no curves."""
    fit = estimate_by_level
    curves = fit.smooths(points=4)
    assert list(curves["smooth"].unique()) == ["s(z)", *(f"s(x,g):g{j:02d}" for j in range(1, 21))]
    new = pd.DataFrame({"x": [0.1, 0.6, 0.9], "z": 0.4, "g": "g07", "f": "a"})
    own = fit.smooths("s(x,g):g07", new)
    assert list(own.columns[:3]) == ["smooth", "g", "x"]
    with_level, without = (
        fit.predict(new, groups=groups)["estimate"] for groups in ({"g": "known", "f": "zero"}, "zero")
    )
    np.testing.assert_allclose(own["estimate"], with_level - without, atol=1e-10)
    rows = []
    for term in fit.design.terms:
        codes = np.full(3, term.levels.index("g07") if term.smooth.startswith("sxg") else 0)
        rows.append(replace(term, codes=codes, z=np.zeros((3, term.z.shape[1]))))
    learnt = next(part.learnt for part in level_parts(fit.spec, fit.design))
    mine = [t for t, term in enumerate(fit.design.terms) if term.smooth.startswith("sxg")]
    for t, columns in zip(mine, learnt.curve(new[["x"]].to_numpy())[1:], strict=True):
        rows[t] = replace(rows[t], z=columns)
    none = np.zeros((3, fit.design.X.shape[1]))
    variance = predictor_variance(fit.design, fit.spec, fit.point, NewRows(none, rows))
    np.testing.assert_allclose(own["std_error"], np.sqrt(variance), rtol=1e-6)
    monkeypatch.setattr(smooth_terms_table, "LARGEST", 10)
    assert list(fit.smooths(points=4)["smooth"].unique()) == ["s(z)"]
    with pytest.raises(SpecError, match=r"`s\(x,g\)` has too many levels .* groups=\"known\""):
        fit.smooths("s(x,g)")


@pytest.mark.slow
def test_levels_of_a_posterior_have_the_curves_of_their_effects(by_level):
    post = by_level.sample(draws=300, seed=1, progress=False)
    new = pd.DataFrame({"x": [0.1, 0.6, 0.9], "z": 0.4, "g": "g07", "f": "a"})
    own = post.smooths("s(x,g):g07", new)
    draws = post.predict(new, groups={"g": "known", "f": "zero"})["mean"] - post.predict(new, groups="zero")["mean"]
    np.testing.assert_allclose(own["mean"], draws, atol=1e-10)
    assert np.all(own["lower_simultaneous"] < own["lower"])


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
