"""Figures: what is drawn, where; that they are of no global state."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

import bayesmix as bmx
from bayesmix.present.plots import forest


@pytest.fixture(scope="module")
def fits(fitted, posterior_of):
    return posterior_of("esoph", chains=4, draws=250, spread=0.1), fitted("esoph")


def lines(axis):
    """The data of each line of a panel, ``(x, y)``."""
    return [np.asarray(line.get_xydata(), float) for line in axis.get_lines()]


def titles(figure):
    return [axis.get_title(loc="left") for axis in figure.axes]


# ---- forest -----------------------------------------------------------------------------------------------------


def test_forest_has_a_panel_for_every_parameter(fits):
    post, reml = fits
    assert titles(forest(post, reml)) == post.names


def test_forest_draws_the_figures_of_the_tables(fits):
    post, reml = fits
    axis = forest(post, reml, documented={"ncontrols": 0.0497}, parameters=["ncontrols"]).axes[0]
    outer, inner, median, wald, estimate, tick, zero = lines(axis)
    table, middle = post.parameters().loc["ncontrols"], post.parameters(0.5).loc["ncontrols"]
    np.testing.assert_allclose(outer[:, 0], table[["lower", "upper"]])
    np.testing.assert_allclose(inner[:, 0], middle[["lower", "upper"]])
    np.testing.assert_allclose(median, [[table["median"], 0]])
    row = reml.parameters().loc["ncontrols"]
    np.testing.assert_allclose(wald[:, 0], row["estimate"] + np.array([-1.959964, 1.959964]) * row["std_error"])
    np.testing.assert_allclose(estimate, [[row["estimate"], 1]])
    assert (tick[0, 0], zero[0, 0]) == (0.0497, 0.0)


def test_forest_takes_the_documented_figures_of_a_model_file():
    reml = bmx.load_model("esoph_lmm").estimate()
    axis = forest(reml, parameters=["sigma"]).axes[0]
    assert lines(axis)[-1][0, 0] == 1.93211


def test_forest_profiles_on_request(fitted):
    reml = fitted("dyestuff")
    figure = forest(reml, parameters=["sd(Batch, Intercept)"], method="profile", interval=0.9)
    limits = reml.confint(["sd(Batch, Intercept)"], level=0.9).to_numpy().ravel()
    np.testing.assert_allclose(lines(figure.axes[0])[0][:, 0], limits)
    assert figure.legends[0].get_texts()[0].get_text() == "REML: estimate, 90 % profile interval"


def test_scales_are_those_of_the_parameter(fits):
    figure = forest(*fits)
    limits = dict(zip(titles(figure), (axis.get_xlim() for axis in figure.axes), strict=True))
    assert limits["corr(agegp, Intercept, ncontrols)"] == (-1.02, 1.02)
    assert limits["sd(agegp, Intercept)"][0] > 0.0  # narrow draws far from zero keep their own scale


def test_forest_of_nothing():
    with pytest.raises(bmx.SpecError, match=r"forest needs at least one fit: bmx\.plots\.forest\(post, reml\)"):
        forest()


def test_forest_of_an_unknown_parameter(fits):
    with pytest.raises(bmx.SpecError, match=r"no parameter `ncontrol` here\. Did you mean `ncontrols`"):
        forest(*fits, parameters=["ncontrol"])


# ---- of a comparison --------------------------------------------------------------------------------------------


def test_a_comparison_draws_its_fits_and_documented_figures(fits):
    figure = bmx.compare(*fits, documented={"sigma": 1.9}).plot(parameters=["sigma"])
    assert [text.get_text() for text in figure.legends[0].get_texts()] == [
        "REML: estimate, 95 % Wald interval of fixed effects",
        "posterior: median, 50 % and 95 % interval",
        "documented",
    ]


def test_unknown_kinds_get_the_nearest(fits):
    with pytest.raises(bmx.SpecError, match=r"There is no figure `forrest`\. Did you mean `forest`"):
        bmx.compare(*fits).plot("forrest")


# ---- state ------------------------------------------------------------------------------------------------------


def test_figures_show_themselves_in_notebooks(fits):
    assert forest(*fits, parameters=["sigma"])._repr_png_().startswith(b"\x89PNG")


def test_figures_leave_no_trace():
    code = (
        "import sys, bayesmix as bmx, matplotlib\n"
        "before = matplotlib.rcParams.copy()\n"
        'model = bmx.Model("Reaction ~ Days + (1 | Subject)", bmx.load_dataset("sleepstudy"))\n'
        "bmx.compare(model.estimate()).plot()\n"
        'assert "matplotlib.pyplot" not in sys.modules and matplotlib.rcParams.copy() == before'
    )
    subprocess.run([sys.executable, "-c", code], check=True)
