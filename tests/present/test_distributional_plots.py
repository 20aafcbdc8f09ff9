"""Figures of models with several linear predictors: of a response, of a parameter, of numbers that are positive."""

from __future__ import annotations

from importlib import import_module

import numpy as np
import pytest
from distributional import estimate_of, posterior_of
from matplotlib.collections import PathCollection

from bayesmix.errors import SpecError
from bayesmix.present import plots
from bayesmix.present.plots.canvas import Canvas


def test_curves_of_a_parameter_are_those_of_predict():
    """sigma along Days, without the responses, which are on another scale."""
    fit = estimate_of("sleepstudy_locscale")
    figure = plots.mean_curves(fit, parameter="sigma", levels=["308", "309"])
    new = {"Days": [0.0, 9.0], "Subject": ["308", "308"]}
    expected = fit.predict(new, parameter="sigma", groups="fitted")["estimate"]
    line = figure.axes[0].lines[0]
    np.testing.assert_allclose(line.get_ydata()[[0, -1]], expected, rtol=1e-12)
    assert figure.get_supylabel().split() == ["sigma", "of", "Reaction"]
    points = [one for one in figure.axes[0].collections if isinstance(one, PathCollection)]
    assert [len(one.get_offsets()) for one in points] == [0]


def test_lines_are_of_the_response_that_is_asked_for():
    fit = estimate_of("two_gaussian")
    figure = plots.group_lines(fit, lines=("partial", "none"), response="b", levels=["g01", "g04"])
    table = fit.coef()["g"].loc["g01"]
    x = figure.axes[0].lines[0].get_xdata()
    np.testing.assert_allclose(figure.axes[0].lines[0].get_ydata(), table["b_Intercept"] + table["b_x"] * x, rtol=1e-10)
    assert figure.get_supylabel() == "b"
    rows = fit.design.terms[0].codes[: fit.design.n] == 0
    drawn = figure.axes[0].collections[0].get_offsets()
    np.testing.assert_allclose(np.sort(drawn[:, 1]), np.sort(fit.design.outcomes[1].y[rows]))


def test_residuals_are_of_the_response_that_is_asked_for():
    fit = estimate_of("two_gaussian")
    figure = plots.residuals(fit, response="b")
    drawn = figure.axes[0].collections[0].get_offsets()
    np.testing.assert_allclose(drawn[:, 0], fit.fitted(response="b"))
    np.testing.assert_allclose(drawn[:, 1], fit.residuals("pearson", response="b"))


def test_densities_of_numbers_begin_at_zero_and_those_of_coefficients_do_not():
    names = [axis.get_xlabel() for axis in plots.sd_density(posterior_of("two_gaussian")).axes]
    assert names == ["sigma_a", "sigma_b", "sd(g, a_Intercept)", "sd(g, b_Intercept)"]
    names = [axis.get_xlabel() for axis in plots.sd_density(posterior_of("sleepstudy_locscale")).axes]
    assert [name.replace("\n", " ") for name in names] == ["sd(Subject, Intercept)", "sd(Subject, sigma_Intercept)"]


@pytest.mark.parametrize("draw", [plots.forest, plots.caterpillar, plots.prior_posterior, plots.ppc])
def test_every_figure_is_drawn(draw):
    assert isinstance(draw(posterior_of("two_gaussian")), Canvas)


def test_a_parameter_without_predictors_says_so():
    with pytest.raises(SpecError, match="`sigma_a` has no predictor to draw it against"):
        plots.mean_curves(estimate_of("two_gaussian"), parameter="sigma")


def test_levels_whose_outcomes_a_predictor_parts_do_not_stretch_the_axis(monkeypatch):
    """A regression of them alone has no end: its interval reaches 1e5, and is cut."""
    module = import_module("bayesmix.present.plots.pooling")
    found = module.pooling_table(estimate_of("two_gaussian"))
    parted = found.copy()
    parted.loc[("g03", "b_Intercept"), ["none", "none std_error"]] = [40.0, 1e5]
    widths = []
    for table in (found, parted):
        monkeypatch.setattr(module, "pooling_table", lambda fit, table=table, **_: table)
        figure = plots.pooling(estimate_of("two_gaussian"), levels=["g01", "g02", "g03", "g04", "g05"])
        (axis,) = (one for one in figure.axes if one.get_xlabel().endswith("b_Intercept"))
        widths.append(float(np.ptp(axis.get_xlim())))
        told = "".join(text.get_text() for text in figure.legends[0].get_texts())
        assert ("without an end: cut" in told) == (table is parted)
    assert widths[1] < 1.05 * widths[0]
