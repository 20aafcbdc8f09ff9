"""What verbs make of Gaussian processes: parts of the population, as smooths are, with two parameters each."""

import numpy as np
import pandas as pd
import pytest
from dense import ml_criterion
from processes import data, estimate, model, posterior
from scipy.optimize import minimize
from scipy.stats import chi2

import bayesmix as bmx
from bayesmix.errors import ConvergenceWarning, PredictionWarning, SpecError

NEW = data().head(4).assign(x=[0.5, 0.1, 0.9, 0.2])


def test_parameters_have_the_names_of_brms():
    fit, post = estimate("one"), posterior("one")
    names = ["Intercept", "w", "sd(g, Intercept)", "sdgp(gpx)", "lscale(gpx)", "sigma"]
    assert list(fit.parameters().index) == list(post.parameters().index) == names
    assert list(fit.tidy()["term"])[2:5] == ["sd__(Intercept)", "sdgp__gpx", "lscale__gpx"]
    variables = post.data["posterior"]
    assert variables["lscale_gpx"].dims == variables["sdgp_gpx"].dims == ("chain", "draw")
    assert variables["s_gpx"].sizes["gpx_basis"] == 30
    by_factor = bmx.Model("y ~ gp(x, by = f) + gp(z, by = w)", data())
    assert [name for own in by_factor.priors.corr_names for name in own] == [
        "lscale(gpxfa)",
        "lscale(gpxfb)",
        "lscale(gpxfc)",
        "lscale(gpzw)",
    ]


def test_summaries_show_both_parameters():
    text = str(estimate("one").summary())
    assert "gp(x) sdgp(gpx)" in text
    assert "lscale" in text
    assert "lscale(gpx)" in str(posterior("one").summary())
    assert set(estimate("one").varcorr()["group"]) == {"g", "gpx", "Residual"}
    row = estimate("one").varcorr().set_index("group").loc["gpx"]
    assert row["covariance"] == pytest.approx(row["sd_or_corr"] ** 2)


def curve():
    x = np.linspace(0.0, 8.0, 60)
    return pd.DataFrame({"x": x, "y": np.sin(x) + 0.3 * np.random.default_rng(5).normal(size=60)})


@pytest.mark.parametrize("groups", ["zero", "average", "new"])
def test_predictions_without_groups_keep_the_process(groups):
    fit = estimate("one")
    along = [fit.predict(NEW.assign(x=x, w=0.0), groups=groups)["estimate"].iloc[0] for x in (0.2, 0.8)]
    curve = fit.smooths(newdata={"x": [0.2, 0.8]})["estimate"]
    assert along[1] - along[0] == pytest.approx(curve[1] - curve[0])


def test_curves_sum_to_zero_over_the_data():
    for fit, centre in ((estimate("one"), "estimate"), (posterior("one"), "mean")):
        assert fit.smooths(newdata=data())[centre].mean() == pytest.approx(0.0, abs=1e-10)


def test_beyond_its_box_a_process_has_no_prediction():
    for fit, centre in ((estimate("one"), "estimate"), (posterior("one"), "mean")):
        with pytest.warns(PredictionWarning, match="`gp\\(x\\)`: 2 row"):
            table = fit.predict(NEW.assign(x=[0.5, 1.4, 9.0, 0.2]), groups="zero")
        assert np.isnan(table[centre]).tolist() == [False, False, True, False]


@pytest.mark.slow
def test_saved_fits_are_the_same(tmp_path):
    for name, fit in (("estimate", estimate("one")), ("posterior", posterior("one"))):
        fit.save(tmp_path / name)
        again = bmx.load(tmp_path / name)
        pd.testing.assert_frame_equal(again.smooths(points=10), fit.smooths(points=10))
        pd.testing.assert_frame_equal(again.parameters(), fit.parameters())


@pytest.mark.slow
def test_updates_and_deletions_change_processes():
    fit = estimate("rough").update("~ . + w")
    assert fit.spec.text == 'y ~ w + gp(x, k = 15, c = 3/2, cov = "matern32")'
    table = estimate("rough").drop1(test="lrt")
    assert table.loc['gp(x, k = 15, c = 3/2, cov = "matern32")', "npar"] == 2


def test_profiles_hold_the_length_scale():
    fit = bmx.Model("y ~ gp(x, k = 12)", curve()).estimate("ML")
    z, n = fit.design.terms[0].z, fit.design.n
    family = fit.point.coordinates.structures[0].correlation

    def deviance(logs, length):
        V = np.exp(2.0 * logs[0]) * z @ family.matrix(np.array([length])) @ z.T + np.exp(2.0 * logs[1]) * np.eye(n)
        return ml_criterion(fit.design, V, 1.0)

    for length in fit.confint(["lscale(gpx)"], method="profile").loc["lscale(gpx)"]:
        start = np.log([1.4 * length / 0.27, 0.27])
        found = minimize(deviance, start, args=(length,), method="Nelder-Mead", options={"fatol": 1e-7, "xatol": 1e-5})
        assert found.fun - fit.criterion == pytest.approx(chi2.ppf(0.95, 1), abs=1e-4)


def test_a_process_without_variance_has_limits():
    rough = estimate("rough")
    with pytest.warns(ConvergenceWarning, match="no upper profile limit"):
        limits = rough.confint(["sdgp(gpx)", "lscale(gpx)"], method="profile")
    assert limits.loc["sdgp(gpx)", "lower"] == 0.0
    assert limits.loc["lscale(gpx)"].tolist() == [0.0, np.inf]


def test_priors_have_names_and_words():
    priors = {"lscale(gpx)": "Gamma(2, 5)", "sdgp": "HalfNormal(2)"}
    text = str(bmx.Model("y ~ gp(x)", data(), priors=priors))
    assert "sdgp(gpx)          ~ HalfNormal(2)" in text
    assert "lscale(gpx)        ~ Gamma(2, 5)" in text
    default = model("one").priors
    (scale,), (length,) = default.sd[1], default.corr[1]
    assert 1.0 / scale.arguments[0] == pytest.approx(np.std(data()["y"], ddof=1), rel=1e-2)  # that of the response
    shortest, longest = model("one").design.terms[1].spectrum.lengths
    draws = 1.0 / np.random.default_rng(1).gamma(length.arguments[0], 1.0 / length.arguments[1], 200_000)
    assert np.mean(draws < shortest) == pytest.approx(0.01, abs=2e-3)
    assert np.mean(draws > longest) == pytest.approx(0.01, abs=2e-3)


REFUSED = {
    "robust": (lambda fit: fit.robust_vcov("g"), "share the curve `gpx`"),
    "pooling": (bmx.pooling, "The curve `gpx` is no part of a regression"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_processes_have_not_is_refused_by_name(name):
    ask, message = REFUSED[name]
    with pytest.raises(SpecError, match=message):
        ask(estimate("one"))
