"""Tables of predictions: draws in chunks that fit into memory, undetermined rows, and the level of intervals."""

from __future__ import annotations

import numpy as np
import pytest

import bayesmix as bmx
from bayesmix.errors import SpecError
from bayesmix.results.prediction import prediction_table
from bayesmix.results.prediction.prediction_table import Estimand, predictions


@pytest.mark.parametrize(("limit", "rows"), [(30, 1), (180, 6), (10_000, 180)])
def test_no_chunk_holds_more_draws_of_rows_than_the_limit(posterior_of, monkeypatch, limit, rows):
    """Two chains of fifteen draws are thirty numbers a row; a row is the least there is."""
    sizes = []
    whole = prediction_table.predict

    def counted(*arguments, **options):
        draws = whole(*arguments, **options)
        sizes.append(draws.size)
        return draws

    monkeypatch.setattr(prediction_table, "predict", counted)
    monkeypatch.setattr("bayesmix.results.prediction.rows.CHUNK", limit)
    table = predictions(posterior_of("sleepstudy", 2, 15), Estimand("linear", "fitted", 0.95))
    assert len(table) == 180
    assert sum(sizes) == 30 * 180
    assert sizes[0] == 30 * rows


@pytest.mark.parametrize("interval", [0.0, 1.0, 95])
def test_levels_that_are_none(interval):
    with pytest.raises(SpecError, match="between 0 and 1"):
        Estimand("linear", "fitted", interval)


def test_kinds_and_groups_are_told_apart(fitted):
    """The table is of what is asked: conditional modes, zero effects, and responses with their noise."""
    fit = fitted("sleepstudy")
    first = {groups: predictions(fit, Estimand("linear", groups, 0.95)).iloc[0] for groups in ("fitted", "zero")}
    intercept = fit.ranef()["Subject"].loc["308", "Intercept"]
    assert first["fitted"]["estimate"] - first["zero"]["estimate"] == pytest.approx(intercept)
    assert first["zero"]["estimate"] == pytest.approx(fit.fixef().loc["Intercept", "estimate"])
    wide, narrow = (predictions(fit, Estimand(kind, "zero", 0.95)).iloc[0] for kind in ("response", "linear"))
    noise = wide["std_error"] ** 2 - narrow["std_error"] ** 2
    assert noise == pytest.approx(fit.point.dispersion**2)


def test_rows_that_the_fit_does_not_determine_are_nan():
    data = bmx.load_dataset("sleepstudy")
    with pytest.warns(bmx.DroppedWarning, match="Twice"):
        fit = bmx.Model("Reaction ~ Days + Twice + (1 | Subject)", data.assign(Twice=2.0 * data["Days"])).estimate()
    new = data.head(3).assign(Twice=[0.0, 2.0, 5.0])  # the last is not twice its day
    with pytest.warns(bmx.PredictionWarning, match="row 2"):
        table = predictions(fit, Estimand("linear", "fitted", 0.95), new)
    assert list(np.isnan(table["estimate"])) == [False, False, True]
    np.testing.assert_allclose(table["estimate"][:2], fit.fitted()[:2], rtol=1e-10)


# ---- probabilities of zeros --------------------------------------------------------------------------------------


COUNTS = {
    "y": np.random.default_rng(8).poisson(1.5, 60),
    "x": np.linspace(-1.0, 1.0, 60),
    "g": [f"g{j % 6}" for j in range(60)],
}


@pytest.mark.parametrize("family", ["poisson", "negbinomial"])
def test_probability_of_a_zero(family):
    """By the density, and its error by the delta method from that of the predictor."""
    fit = bmx.Model("y ~ x", COUNTS, family=family).estimate()
    eta = fit.predict(kind="linear")
    mu, shape = np.exp(eta["estimate"]), fit.values.dispersion if family == "negbinomial" else np.inf
    zero = np.exp(-mu) if np.isinf(shape) else (1.0 + mu / shape) ** -shape
    slope = -mu * zero / (1.0 if np.isinf(shape) else 1.0 + mu / shape)
    found = fit.predict(kind="zero")
    np.testing.assert_allclose(found["estimate"], zero, rtol=1e-10)
    np.testing.assert_allclose(found["std_error"], np.abs(slope) * eta["std_error"], rtol=1e-6)
    assert np.all((found["lower"] > 0.0) & (found["upper"] < 1.0))
    difference = fit.slopes("x", kind="zero")["estimate"][0]
    beta = fit.values.beta[1]
    assert difference == pytest.approx(np.mean(slope * beta), rel=1e-5)


def test_probabilities_of_zeros_that_there_are_not():
    with pytest.raises(SpecError, match="not of `gaussian`"):
        bmx.Model("y ~ x", COUNTS).estimate().predict(kind="zero")
    positive = bmx.Model("y ~ x", COUNTS | {"y": COUNTS["y"] + 1}, family="truncated_poisson").estimate()
    with pytest.raises(SpecError, match="not of `truncated_poisson`"):
        positive.predict(kind="zero")
    ratings = {"y": np.arange(len(COUNTS["y"])) % 3, "x": COUNTS["x"]}
    with pytest.raises(SpecError, match="not of `cumulative`"):
        bmx.Model("y ~ x", ratings, family="cumulative").estimate().predict(kind="zero")
    with pytest.raises(SpecError, match="leave parameter='mu' out"):
        bmx.Model("y ~ x", COUNTS, family="poisson").estimate().predict(kind="zero", parameter="mu")
