"""Figures of responses that are not plain numbers: categories, counts with zeros of their own."""

from __future__ import annotations

from functools import cache

import numpy as np
import pandas as pd
import pytest
from breadth import FOLDER
from conftest import around
from matplotlib.collections import PathCollection

import bayesmix as bmx
from bayesmix.errors import SpecError
from bayesmix.present import plots
from bayesmix.present.plots.canvas import Canvas
from bayesmix.present.report.figures import illustrations

LEVELS = ["1", "2", "3", "4", "5"]


@cache
def wine():
    data = pd.read_csv(FOLDER / "data" / "wine.csv", dtype={"judge": "str"})
    return data.assign(temp=pd.Categorical(data["temp"], ["cold", "warm"]), day=data.index % 7 * 1.0)


@cache
def model_of(family="cumulative", formula="rating ~ temp + contact + (1 | judge)"):
    return bmx.Model(formula, wine(), family=family)


@cache
def ratings():
    return model_of().estimate()


@cache
def drawn():
    return around(ratings(), model_of(), chains=2, draws=50, spread=0.02)


@cache
def along_days():
    return model_of(formula="rating ~ day + (1 | judge)").estimate()


@cache
def salamanders():
    data = bmx.load_dataset("Salamanders")
    formula = ["count ~ mined + (1 | site)", "zi ~ mined"]
    return data, bmx.Model(formula, data, family="zero_inflated_poisson").estimate()


def texts(figure):
    return [text.get_text() for text in figure.legends[0].get_texts()]


# ---- categories -------------------------------------------------------------------------------------------------


def test_categories_are_those_of_predict():
    """Contact is at its first level, the more frequent of two that are equally so."""
    figure = plots.categories(ratings(), groups="zero")
    new = pd.DataFrame({"temp": ["cold", "warm"], "contact": ["no", "no"]})
    table = ratings().predict(new, groups="zero")
    points = np.array([line.get_ydata() for line in figure.axes[0].lines])
    np.testing.assert_allclose(points, table["estimate"].to_numpy().reshape(2, 5).T, rtol=1e-12)
    bars = [path.vertices[:, 1] for bars in figure.axes[0].collections for path in bars.get_paths()]
    bounds = table[["lower", "upper"]].to_numpy().reshape(2, 5, 2).swapaxes(0, 1).reshape(10, 2)
    np.testing.assert_allclose(bars, bounds, rtol=1e-12)
    assert texts(figure) == LEVELS


def test_areas_of_all_categories_add_up_to_one():
    figure = plots.categories(along_days(), stacked=True, groups="zero")
    areas = [area.get_paths()[0].vertices for area in figure.axes[0].collections]
    assert len(areas) == 5
    assert areas[-1][:, 1].max() == pytest.approx(1.0, abs=1e-12)
    first = along_days().predict({"day": [0.0]}, groups="zero")["estimate"].iloc[0]
    assert areas[0][areas[0][:, 0] == 0.0, 1].max() == pytest.approx(first, rel=1e-12)


def test_lines_have_a_band_each():
    figure = plots.categories(along_days(), interval=0.8)
    assert len(figure.axes[0].lines) == len(figure.axes[0].collections) == 5
    ends = [line.get_ydata()[-1] for line in figure.axes[0].lines]
    table = along_days().predict({"day": [6.0]}, groups="average")
    np.testing.assert_allclose(ends, table["estimate"], rtol=1e-10)


def test_levels_have_a_panel_each():
    figure = plots.categories(ratings(), groups="fitted", levels=["1", "7"], stacked=True)
    assert [axis.get_title() or axis.get_title(loc="left") for axis in figure.axes] == ["1", "7"]
    heights = np.array([patch.get_height() for patch in figure.axes[1].patches]).reshape(5, 2)
    new = pd.DataFrame({"temp": ["cold", "warm"], "contact": ["no"] * 2, "judge": ["7"] * 2})
    expected = ratings().predict(new, groups="fitted")["estimate"].to_numpy().reshape(2, 5).T
    np.testing.assert_allclose(heights, expected, rtol=1e-12)


def test_posteriors_have_categories():
    figure = plots.categories(drawn(), groups="zero")
    table = drawn().conditional_effects("temp", groups="zero")
    points = np.array([line.get_ydata() for line in figure.axes[0].lines])
    np.testing.assert_allclose(points, table["mean"].to_numpy().reshape(2, 5).T, rtol=1e-12)


@pytest.mark.parametrize("draw", [plots.mean_curves, plots.group_lines], ids=["mean_curves", "group_lines"])
def test_categories_have_no_single_curve(draw):
    with pytest.raises(SpecError, match=r"probability for each of 5 categories: bmx\.plots\.categories\(fit\)"):
        draw(ratings())


def test_counts_have_no_categories():
    with pytest.raises(SpecError, match=r"`count` has no categories: bmx\.plots\.mean_curves\(fit\)"):
        plots.categories(salamanders()[1])


def test_unknown_groups_are_named():
    with pytest.raises(SpecError, match=r"categories has no groups=`fited`\. Did you mean `fitted`"):
        plots.categories(ratings(), groups="fited")


def test_points_of_categories_lie_at_their_names():
    figure = plots.scatter(ratings(), levels=["1", "2"])
    assert [tick.get_text() for tick in figure.axes[0].get_yticklabels()] == LEVELS
    heights = np.concatenate([one.get_offsets()[:, 1] for one in figure.axes[0].collections])
    rows = wine().loc[wine()["judge"].isin(["1", "2"])].sort_values("judge", kind="stable")
    np.testing.assert_array_equal(np.round(heights), rows["rating"] - 1)


def test_the_latent_mean_has_curves_without_data():
    figure = plots.mean_curves(ratings(), parameter="mu", levels=["1"])
    new = {"temp": ["cold", "warm"], "contact": ["no"] * 2, "judge": ["1"] * 2}
    expected = ratings().predict(new, parameter="mu", groups="fitted")["estimate"]
    np.testing.assert_allclose(figure.axes[0].lines[0].get_ydata(), expected, rtol=1e-12)
    assert not any(len(one.get_offsets()) for one in figure.axes[0].collections if isinstance(one, PathCollection))


def test_residuals_of_categories_are_quantiles_against_mean_places():
    figure = plots.residuals(ratings(), seed=4)
    offsets = figure.axes[0].collections[0].get_offsets()
    np.testing.assert_allclose(offsets[:, 0], ratings().fitted() @ np.arange(1.0, 6.0))
    np.testing.assert_allclose(offsets[:, 1], ratings().residuals("quantile", seed=4))
    assert figure.axes[0].get_ylabel() == "quantile residual"


def test_replicated_categories_are_shares():
    axis = plots.ppc(drawn()).axes[0]
    observed = np.bincount(wine()["rating"])[1:] / 72.0
    np.testing.assert_allclose([bar.get_height() for bar in axis.patches], observed)
    np.testing.assert_allclose(axis.lines[0].get_ydata(), drawn().ppc()["mean"], rtol=1e-12)
    assert [tick.get_text() for tick in axis.get_xticklabels()] == LEVELS


def test_thresholds_are_no_standard_deviations():
    assert [axis.get_xlabel() for axis in plots.sd_density(drawn()).axes] == ["sd(judge, Intercept)"]


@pytest.mark.parametrize("draw", [plots.forest, plots.caterpillar, plots.prior_posterior, plots.pooling])
def test_every_figure_is_drawn(draw):
    assert isinstance(draw(drawn()), Canvas)


@pytest.mark.slow
def test_figures_of_a_report_are_of_categories():
    captions = [one.caption for one in illustrations(bmx.compare(ratings(), causes=False), {})]
    assert "Probability of each category of rating, averaged over groups, with 95 % intervals." in captions
    assert "Residuals against fitted means (Laplace), with their mean in bins." in captions


@pytest.mark.slow
def test_priors_predict_shares():
    axis = plots.prior_predictive(model_of(), draws=40).axes[0]
    assert len(axis.patches) == 5
    assert sum(axis.lines[0].get_ydata()) == pytest.approx(1.0)


def test_effects_without_a_fixed_one_have_partial_pooling_only():
    assert [text.split(":")[0] for text in texts(plots.pooling(ratings()))] == ["partial pooling"]


# ---- counts with zeros of their own -----------------------------------------------------------------------------


@pytest.mark.parametrize("groups", ["zero", "average"])
def test_curves_of_means_are_of_all_parameters(groups):
    _, fit = salamanders()
    line = plots.mean_curves(fit, groups=groups).axes[0].lines[0]
    expected = fit.predict({"mined": ["yes", "no"]}, groups=groups)["estimate"]
    np.testing.assert_allclose(line.get_ydata(), expected, rtol=1e-10)


def test_curves_of_levels_are_of_all_parameters():
    _, fit = salamanders()
    axis = plots.group_lines(fit, levels=["R-1"]).axes[0]
    expected = fit.predict({"mined": ["no"], "site": ["R-1"]}, groups="fitted")["estimate"]
    np.testing.assert_allclose(axis.lines[0].get_ydata(), expected, rtol=1e-10)


def test_complete_pooling_of_a_factor_has_its_means():
    """At the maximum of the likelihood without sites, ``(1 - zi) mu`` of either is the mean of its counts."""
    data, fit = salamanders()
    axis = plots.group_lines(fit, lines=("complete", "partial"), levels=["R-1"], whole=True).axes[0]
    means = data.groupby("mined", observed=True)["count"].mean().loc[["yes", "no"]]
    np.testing.assert_allclose(axis.lines[0].get_ydata(), means, rtol=1e-6)


def test_a_part_of_a_mean_is_another_parameter():
    _, fit = salamanders()
    figure = plots.mean_curves(fit, parameter="mu", groups="zero")
    expected = fit.predict({"mined": ["yes", "no"]}, groups="zero", parameter="mu")["estimate"]
    np.testing.assert_allclose(figure.axes[0].lines[0].get_ydata(), expected, rtol=1e-10)
    assert figure.axes[0].get_ylabel() == "mu of count"
