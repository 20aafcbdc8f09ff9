"""Figures of smooths: a panel a curve, bands inside each other, surfaces as maps."""

import numpy as np
import pytest
from smooths import data, estimate

import bayesmix as bmx


def test_a_curve_has_a_panel_with_its_line_and_two_bands():
    fit = estimate("by_factor")
    figure = bmx.plots.smooths(fit, units={"x": "km"})
    axes = [axis for axis in figure.axes if axis.lines]
    assert [axis.get_ylabel() for axis in axes] == ["s(x):fa, 4.68 edf", "s(x):fb, 4.19 edf", "s(x):fc, 4.40 edf"]
    assert {axis.get_xlabel() for axis in axes} == {"x (km)"}
    curves = fit.smooths("s(x):fa")
    line = next(line for line in axes[0].lines if len(line.get_xdata()) == len(curves))
    np.testing.assert_allclose(line.get_ydata(), curves["estimate"])
    whole, each = (band.get_paths()[0].vertices[:, 1] for band in axes[0].collections[:2])
    assert whole.max() == curves["upper_simultaneous"].max() > each.max() == curves["upper"].max()
    texts = [text.get_text() for text in figure.legends[0].get_texts()]
    assert texts == ["REML", "each point", "whole curve"]


@pytest.mark.slow
def test_curves_of_levels_share_a_panel_and_one_alone_has_its_bands():
    fit = bmx.Model('z ~ x + s(x, g, bs = "fs", k = 4)', data()).estimate()
    figure = bmx.plots.smooths(fit)
    (axis,) = figure.axes
    assert axis.get_ylabel() == "s(x,g), 13.46 edf"
    curves = fit.smooths("s(x,g):g03")
    drawn = [line.get_ydata() for line in axis.lines if len(line.get_xdata()) == len(curves)]
    assert len(drawn) == 20
    np.testing.assert_allclose(drawn[2], curves["estimate"])
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["REML"]
    alone = bmx.plots.smooths(fit, smooth="s(x,g):g03")
    assert alone.axes[0].get_ylabel() == "s(x,g):g03"
    whole = alone.axes[0].collections[0].get_paths()[0].vertices[:, 1]
    assert whole.max() == curves["upper_simultaneous"].max()


def test_a_surface_is_a_map():
    figure = bmx.plots.smooths(estimate("surface"))
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["REML"]  # it has no bands
    axis = figure.axes[0]
    assert (axis.get_xlabel(), axis.get_ylabel(), axis.get_title(loc="left")) == ("x", "z", "s(x,z), 8.54 edf")


def test_levels_have_curves_of_their_population_in_other_figures():
    fit = estimate("two")
    (axis,) = bmx.plots.group_lines(fit, x="x", levels=["g01"]).axes
    line = max(axis.lines, key=lambda one: len(one.get_xdata()))
    y = np.asarray(line.get_ydata(), float)
    assert np.ptp(np.diff(y)) > 1e-3 * np.ptp(y)  # no straight line
