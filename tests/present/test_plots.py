"""Figures: what is drawn, where; that they are of no global state."""

from __future__ import annotations

import errno
import inspect
import subprocess
import sys

import numpy as np
import pytest
from scipy.stats import linregress, t

import bayesmix as bmx
from bayesmix.present.plots import forest
from bayesmix.present.plots.canvas import Canvas


@pytest.fixture(scope="module")
def fits(fitted, posterior_of):
    return posterior_of("esoph", chains=4, draws=250, spread=0.1), fitted("esoph")


def lines(axis):
    """The data of each line of a panel, ``(x, y)``."""
    return [np.asarray(line.get_xydata(), float) for line in axis.get_lines()]


def titles(figure):
    return [axis.get_title(loc="left") for axis in figure.axes]


# ---- files ------------------------------------------------------------------------------------------------------


def test_a_figure_is_whole_or_as_it_was(tmp_path, monkeypatch):
    figure = Canvas(figsize=(1, 1))
    figure.savefig(tmp_path / "a.png")
    figure.savefig(str(tmp_path / "b"), format="svg")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.png", "b.svg"]
    before = (tmp_path / "a.png").read_bytes()
    assert before.startswith(b"\x89PNG")

    def full(_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(bmx.DataError, match=r"a\.png` cannot be written: No space left on device"):
        figure.savefig(tmp_path / "a.png", dpi=200)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.png", "b.svg"]
    assert (tmp_path / "a.png").read_bytes() == before


# ---- forest -----------------------------------------------------------------------------------------------------


def test_forest_has_a_panel_for_every_parameter(fits):
    post, reml = fits
    assert titles(forest(post, reml)) == post.names


def test_forest_draws_the_figures_of_the_tables(fits):
    post, reml = fits
    axis = forest(post, reml, documented={"ncontrols": 0.0497}, parameters=["ncontrols"]).axes[0]
    outer, inner, median, satterthwaite, estimate, tick, zero = lines(axis)
    table, middle = post.parameters().loc["ncontrols"], post.parameters(0.5).loc["ncontrols"]
    np.testing.assert_allclose(outer[:, 0], table[["lower", "upper"]])
    np.testing.assert_allclose(inner[:, 0], middle[["lower", "upper"]])
    np.testing.assert_allclose(median, [[table["median"], 0]])
    row = reml.satterthwaite().loc["ncontrols"]
    half = t(row["df"]).ppf(0.975) * row["std_error"]
    np.testing.assert_allclose(satterthwaite[:, 0], row["estimate"] + np.array([-half, half]))
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
    simulated = forest(reml, parameters=["sigma"], method="bootstrap")
    limits = reml.confint(["sigma"], method="bootstrap", progress=False).to_numpy().ravel()
    np.testing.assert_allclose(lines(simulated.axes[0])[0][:, 0], limits)


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
    figure = bmx.compare(*fits, documented={"sigma": 1.9}, causes=False).plot(parameters=["sigma"])
    assert [text.get_text() for text in figure.legends[0].get_texts()] == [
        "REML: estimate, 95 % Satterthwaite interval of fixed effects",
        "posterior: median, 50 % and 95 % interval",
        "documented",
    ]


def test_unknown_kinds_get_the_nearest(fits):
    with pytest.raises(bmx.SpecError, match=r"There is no figure `forrest`\. Did you mean `forest`"):
        bmx.compare(*fits, causes=False).plot("forrest")


def test_every_kind_of_a_comparison_draws_all_its_fits(fits):
    found = bmx.compare(*fits, causes=False)
    for kind in ("forest", "shrinkage", "sd", "pooling", "caterpillar", "curves"):
        figure = found.plot(kind)
        texts = " ".join(text.get_text() for text in figure.legends[0].get_texts())
        assert "REML" in texts, kind
        assert "posterior" in texts, kind


def test_documented_figures_are_marked_where_they_belong(fits):
    found = bmx.compare(*fits, documented={"sigma": 1.9}, causes=False)
    assert 1.9 in [line[0, 0] for line in lines(found.plot("sd", parameters=["sigma"]).axes[0])]


# ---- data and lines -----------------------------------------------------------------------------------------------


def collections(axis):
    """The places of each set of points of a panel."""
    return [np.asarray(found.get_offsets(), float) for found in axis.collections if len(found.get_offsets())]


def test_counts_are_jittered_and_stay_with_their_group(model):
    (axis,) = bmx.plots.scatter(model("esoph poisson")).axes
    data = bmx.load_dataset("esoph")
    for drawn, (_, rows) in zip(collections(axis), data.groupby("agegp", observed=True), strict=True):
        np.testing.assert_array_equal(drawn[:, 0], rows["ncontrols"])
        np.testing.assert_array_equal(np.round(drawn[:, 1]), rows["ncases"])
        assert np.any(drawn[:, 1] != rows["ncases"])


def test_zeros_and_ones_are_jittered_and_keep_apart():
    model = bmx.Model("r2 ~ Anger + (1 | id)", bmx.load_dataset("VerbAgg"), family="bernoulli")
    axis = bmx.plots.scatter(model, levels=["1", "2"]).axes[0]
    assert axis.get_ylabel() == "r2, jittered"
    for drawn in collections(axis):
        assert set(np.round(drawn[:, 1])) <= {0.0, 1.0}
        assert 0.0 < np.abs(drawn[:, 1] - np.round(drawn[:, 1])).max() < 0.1


def test_measurements_are_not_jittered(fitted):
    figure = bmx.plots.group_lines(fitted("sleepstudy"), levels=["308"])
    (drawn,) = collections(figure.axes[0])
    rows = bmx.load_dataset("sleepstudy").query("Subject == '308'")
    np.testing.assert_array_equal(drawn, rows[["Days", "Reaction"]])


def test_group_lines_are_those_of_coef(fitted):
    fit = fitted("sleepstudy")
    figure = bmx.plots.group_lines(fit, levels=["308", "335"])
    for line, level in zip(lines(figure.axes[0]), ["308", "335"], strict=True):
        intercept, slope = fit.coef()["Subject"].loc[level]
        np.testing.assert_allclose(line[:, 1], intercept + slope * line[:, 0])
        assert (line[0, 0], line[-1, 0]) == (0.0, 9.0)


def test_lines_without_pooling_are_least_squares(fitted):
    figure = bmx.plots.group_lines(fitted("sleepstudy"), lines=("none", "complete"), levels=["310"])
    none, complete = lines(figure.axes[0])
    data = bmx.load_dataset("sleepstudy")
    for line, rows in ((none, data.query("Subject == '310'")), (complete, data)):
        slope, intercept = np.polyfit(rows["Days"], rows["Reaction"], 1)
        np.testing.assert_allclose(line[:, 1], intercept + slope * line[:, 0])


def test_curves_are_on_the_scale_of_the_response(fitted):
    fit = fitted("esoph poisson")
    figure = bmx.plots.mean_curves(fit, levels=["65-74"])
    (line,) = lines(figure.axes[0])
    intercept, slope = fit.coef()["agegp"].loc["65-74"]
    np.testing.assert_allclose(line[:, 1], np.exp(intercept + slope * line[:, 0]))


def test_bands_are_those_of_predict(fits):
    post, _ = fits
    figure = bmx.plots.mean_curves(post, groups="zero")
    band = figure.axes[0].collections[-1].get_paths()[0].vertices
    newdata = {"ncontrols": [1.0, 60.0]}
    table = post.predict(newdata, groups="zero")
    at = [band[band[:, 0] == x][:, 1] for x in newdata["ncontrols"]]
    np.testing.assert_allclose([[y.min(), y.max()] for y in at], table[["lower", "upper"]], rtol=1e-6)


@pytest.mark.parametrize("name", ["cbpp", "penicillin", "gammasim", "sleepstudy offset"])
def test_every_model_has_its_figures(fitted, name):
    fit = fitted(name)
    found = [bmx.plots.caterpillar(fit), bmx.plots.shrinkage(fit), bmx.plots.pooling(fit), bmx.plots.residuals(fit)]
    if len(fit.design.fixed) > 1:
        some = list(next(iter(fit.coef().values())).index[:2])
        found += [bmx.plots.group_lines(fit, levels=some), bmx.plots.mean_curves(fit, levels=some)]
        found += [bmx.plots.mean_curves(fit, groups="new")]
    assert all(axis.get_xlabel() or figure.get_supxlabel() for figure in found for axis in figure.axes)


def test_crossed_and_nested_groups_have_lines_of_their_own(fitted):
    model = bmx.Model("angle ~ temp + (temp | recipe:replicate) + (1 | replicate)", bmx.load_dataset("cake"))
    fit = model.estimate()
    figure = bmx.plots.group_lines(fit, levels=["A:3"])
    (line,) = lines(figure.axes[0])
    intercept, slope = fit.coef()["recipe:replicate"].loc["A:3", ["Intercept", "temp"]]
    np.testing.assert_allclose(line[:, 1], intercept + slope * line[:, 0])


def test_models_without_predictors_say_where_to_go(fitted):
    with pytest.raises(bmx.SpecError, match=r"`Yield` has no predictor to draw it against\. bmx\.plots\.caterpillar"):
        bmx.plots.group_lines(fitted("dyestuff"))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda fit: bmx.plots.group_lines(fit, lines="non"), "no lines of kind `non`. Did you mean `none`"),
        (lambda fit: bmx.plots.group_lines(fit, x="ncontrol"), "`ncontrol` is not a predictor"),
        (lambda fit: bmx.plots.mean_curves(fit, levels=["25-43"]), "has no level `25-43`. Did you mean `25-34`"),
        (lambda fit: bmx.plots.mean_curves(), "mean_curves needs at least one fit"),
        (lambda fit: bmx.plots.caterpillar(fit, effects=["ncontrol"]), "has no effect `ncontrol`. Did you mean"),
        (lambda fit: bmx.plots.pooling(fit, group="age"), "`age` is not a grouping factor. Did you mean `agegp`"),
        (lambda fit: bmx.plots.residuals(fit, kind="person"), "Did you mean `pearson`"),
        (lambda fit: bmx.plots.residuals(fit, against="fited"), "no column `fited`. Did you mean `fitted`"),
        (lambda fit: bmx.plots.sd_density(fit, parameters=[]), "sd_density needs a posterior"),
    ],
)
def test_mistakes_are_named(fitted, call, message):
    with pytest.raises(bmx.BayesmixError) as error:
        call(fitted("esoph"))
    assert message in str(error.value)


# ---- groups -------------------------------------------------------------------------------------------------------


def test_caterpillars_are_sorted_with_intervals_of_the_fits(fits):
    post, reml = fits
    axis = bmx.plots.caterpillar(post, reml, effects=["ncontrols"]).axes[0]
    labels = [text.get_text() for text in axis.get_yticklabels()]
    assert labels == list(post.ranef()["agegp"]["ncontrols"].sort_values().index)
    _, mean, mode = lines(axis)
    np.testing.assert_allclose(mean[:, 0], post.ranef()["agegp"].loc[labels, "ncontrols"])
    np.testing.assert_allclose(mode[:, 0], reml.ranef()["agegp"].loc[labels, "ncontrols"])
    half = 1.959963984540054 * reml.ranef_sd()["agegp"].loc[labels, "ncontrols"]
    bars = np.array([segment[:, 0] for segment in axis.collections[1].get_segments()])
    np.testing.assert_allclose(bars, np.column_stack([mode[:, 0] - half, mode[:, 0] + half]))


def test_shrinkage_leads_from_least_squares_to_coef(fitted):
    fit = fitted("sleepstudy")
    axis = bmx.plots.shrinkage(fit).axes[0]
    alone, partial, centre = lines(axis)
    rows = bmx.load_dataset("sleepstudy").query("Subject == '308'")
    np.testing.assert_allclose(alone[0], np.polyfit(rows["Days"], rows["Reaction"], 1)[::-1])
    np.testing.assert_allclose(partial, fit.coef()["Subject"])
    np.testing.assert_allclose(centre[0], fit.fixef()["estimate"])


def test_the_outer_ellipse_holds_95_percent_of_levels(fitted):
    fit = fitted("sleepstudy")
    inner, outer = bmx.plots.shrinkage(fit).axes[0].patches
    table = fit.varcorr().set_index(["effect1", "effect2"])["covariance"]
    matrix = np.array([[table.iloc[0], table.iloc[2]], [table.iloc[2], table.iloc[1]]])
    draws = np.random.default_rng(1).multivariate_normal(fit.fixef()["estimate"], matrix, 20_000)
    for ellipse, share in ((inner, 0.5), (outer, 0.95)):
        path = ellipse.get_path().transformed(ellipse.get_patch_transform())
        inside = path.contains_points(draws)
        assert np.mean(inside) == pytest.approx(share, abs=0.011)  # three standard errors


def test_pooling_draws_the_table(fits):
    post, reml = fits
    axis = bmx.plots.pooling(reml, post, effects=["ncontrols"]).axes[0]
    table = bmx.pooling(reml, post).xs("ncontrols", level="effect")
    complete, none, partial, mean = lines(axis)
    assert complete[0, 0] == pytest.approx(table["complete"].iloc[0])
    for drawn, column in ((none, "none"), (partial, "REML"), (mean, "mean")):
        np.testing.assert_allclose(drawn[:, 0], table[column])
    bars = np.array([segment[:, 0] for segment in axis.collections[1].get_segments()])
    np.testing.assert_allclose(bars, table[["lower", "upper"]])


def test_regressions_without_pooling_have_t_intervals(fitted):
    """Of a subject's ten rows and two coefficients: eight degrees of freedom (SciPy's linregress)."""
    axis = bmx.plots.pooling(fitted("sleepstudy"), effects=["Days"], levels=["308", "372"]).axes[0]
    own = bmx.load_dataset("sleepstudy").query("Subject == '308'")
    slope = linregress(own["Days"], own["Reaction"])
    half = t(8).ppf(0.975) * slope.stderr
    segments = [segment[:, 0] for found in axis.collections for segment in getattr(found, "get_segments", list)()]
    np.testing.assert_allclose(segments[0], [slope.slope - half, slope.slope + half])


# ---- parameters, prediction, draws ----------------------------------------------------------------------------------


def test_sd_densities_have_area_one_and_mark_the_table(fits):
    post, reml = fits
    name = "sd(agegp, Intercept)"
    axis = bmx.plots.sd_density(post, reml, parameters=[name]).axes[0]
    drawn = lines(axis)
    assert np.trapezoid(drawn[0][:, 1], drawn[0][:, 0]) == pytest.approx(0.995, abs=0.004)
    marks = [line[0, 0] for line in drawn if len(line) == 1]
    np.testing.assert_allclose(marks, post.parameters().loc[name, ["mode", "median", "mean"]].astype(float))
    assert drawn[-1][0, 0] == reml.parameters().loc[name, "estimate"]


def test_priors_are_drawn_as_densities(fits):
    from scipy import integrate

    post, _ = fits
    figure = bmx.plots.prior_posterior(post)
    assert len(figure.axes) == len(post.names)
    for axis in figure.axes:
        prior = lines(axis)[1]
        if axis.get_xlabel().startswith("corr("):
            assert integrate.simpson(prior[:, 1], x=prior[:, 0]) == pytest.approx(1.0, abs=1e-3)
            np.testing.assert_allclose(prior[:, 1], 0.75 * (1.0 - prior[:, 0] ** 2))  # LKJ(2) of two effects
        if axis.get_xlabel() == "sigma":
            scale = bmx.load_dataset("esoph")["ncases"].std()
            np.testing.assert_allclose(prior[:, 1], np.exp(-prior[:, 0] / scale) / scale)


def test_predictive_figures(posterior_of):
    continuous = bmx.plots.ppc(posterior_of("sleepstudy", chains=2, draws=50, spread=0.01))
    assert continuous.axes[0].get_xlabel() == "Reaction (ms)"
    counts = bmx.plots.ppc(posterior_of("cbpp", chains=2, draws=50, spread=0.01))
    assert counts.axes[0].get_xlabel() == "incidence (new cases)"


TIMES = np.array([1.0, 2.0, 2.0, 3.0, 5.0, 8.0, 8.0, 9.0])


def of_censored_times(status):
    data = {"y": TIMES, "c": np.resize([0, status, 0], 8)}
    post = bmx.Model("y | cens(c) ~ 1", data, family="exponential").sample(draws=50, chains=2, progress=False)
    return bmx.plots.ppc(post)


def test_predictive_figure_of_censored_responses():
    """Shares by Kaplan and Meier: of those at risk at each time."""
    axis = of_censored_times(1).axes[0]
    share, expected = 1.0, [1.0]
    for value in np.unique(TIMES):
        events = np.sum((value == TIMES) & (np.resize([0, 1, 0], 8) == 0))
        share *= 1.0 - events / np.sum(value <= TIMES)
        expected.append(share)
    np.testing.assert_allclose(lines(axis)[-1][:, 1], expected, rtol=1e-12)
    assert len(axis.lines) == 51


@pytest.mark.slow
def test_predictive_figure_of_left_censored_responses():
    assert "censored values drawn" in of_censored_times(-1).legends[0].get_texts()[0].get_text()


def test_predictive_checks_of_one_of_several_responses():
    from breadth_fits import RESPONSES, posterior

    post = posterior(RESPONSES)
    assert bmx.plots.ppc(post).axes[0].get_xlabel() == "a"
    counts = bmx.plots.ppc(post, response="n").axes[0]
    assert (counts.get_xlabel(), counts.get_ylabel()) == ("n", "frequency (square root scale)")


def test_draws_have_the_names_of_the_tables(fits):
    post, _ = fits
    names = ["sigma", "sd(agegp, Intercept)"]
    assert titles(bmx.plots.rank(post, parameters=names)) == names
    assert [axis.get_xlabel() for axis in bmx.plots.trace(post, parameters=names).axes[::2]] == names
    labels = {axis.get_xlabel().replace("\n", " ") for axis in bmx.plots.pairs(post, parameters=names).axes}
    assert labels >= set(names)


def test_divergences_are_marked(fits):
    post, _ = fits
    post.draws.stats["diverging"][0, :3] = True
    try:
        figure = bmx.plots.pairs(post, parameters=["sigma", "ncontrols"])
        crosses = [drawn for axis in figure.axes for drawn in collections(axis) if len(drawn) == 3]
        values = post.data["posterior"]
        np.testing.assert_allclose(crosses[0][:, 0], values["sigma"].to_numpy()[0, :3])
        assert figure.legends[0].get_texts()[0].get_text() == "3 divergent transitions"
    finally:
        post.draws.stats["diverging"][0, :3] = False


def test_figures_of_studies():
    from bayesmix.studies import standard_errors

    study = standard_errors(4, 5, 3, estimators=["common", "separate", "reml"], progress=False)
    reported = bmx.plots.standard_errors(study)
    assert len(reported.axes) == 2  # `separate` reports none
    assert lines(reported.axes[0])[1][0, 0] == study.table.loc["common", "actual_se"]
    sample = bmx.plots.sample(study)
    assert titles(sample) == ["group 1", "group 2", "group 3", "group 4"]
    common = study.replicates.query("estimator == 'common'")["slope"].iloc[-1]
    ends = lines(sample.axes[0])[1]
    assert np.diff(ends[:, 1])[0] / np.diff(ends[:, 0])[0] == pytest.approx(common)


def test_power_is_drawn_over_sizes(fitted):
    study = bmx.studies.power(
        fitted("sleepstudy"), effect={"Days": 5.0}, n={"Subject": [6, 12]}, rows=[5, 10], replicates=20, progress=False
    )
    drawn = bmx.plots.power(study)
    power, width = drawn.axes
    own = study.table.xs(5, level="rows")
    assert lines(power)[0].tolist()[0][1] == 0.8
    np.testing.assert_allclose(lines(power)[1], np.column_stack([[6, 12], own["power"]]))
    np.testing.assert_allclose(lines(width)[0], np.column_stack([[6, 12], own["width"]]))
    band = power.collections[0].get_paths()[0].vertices[:, 1]
    assert {band.min(), band.max()} == {own["lower"].min(), own["upper"].max()}
    assert [text.get_text() for text in drawn.legends[0].get_texts()] == ["rows = 5", "rows = 10"]
    assert (power.get_xlabel(), power.get_ylabel()) == ("levels of Subject", "power")
    assert titles(drawn) == ["power at alpha = 0.05", "95 % intervals of Days"]
    joint = bmx.studies.power(
        fitted("sleepstudy"), test="Days", statistic="ratio", n={"Subject": [6, 12]}, replicates=4, progress=False
    )
    assert len(bmx.plots.power(joint).axes) == 2


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


# ---- what is not drawn ----------------------------------------------------------------------------------------------


def test_every_figure_says_what_it_draws(model, fitted, posterior_of):
    """Given a model, an estimate, a list, a text in place of what they take: a message with what to give them."""
    given = {"Model": model("esoph"), "Estimate": fitted("esoph"), "list": [fitted("esoph")], "str": "esoph.zarr"}
    names = [name for name in bmx.plots.__all__ if name != "coverage"]
    assert len(names) == 21
    for name in names:
        takes = str(next(iter(inspect.signature(getattr(bmx.plots, name)).parameters.values())).annotation)
        for kind, value in given.items():
            if kind not in takes:
                with pytest.raises(bmx.SpecError, match=rf"plots\.{name} draws an? \w+"):
                    getattr(bmx.plots, name)(value)
    with pytest.raises(bmx.SpecError, match=r"not a model\. Try bmx\.plots\.group_lines\(model\.estimate\(\)\) or"):
        bmx.plots.group_lines(model("esoph"))
    with pytest.raises(bmx.SpecError, match=r"draws a posterior, not an estimate\. Try .*pairs\(model\.sample\(\)\)"):
        bmx.plots.pairs(fitted("esoph"))
    with pytest.raises(bmx.SpecError, match=r"coverage draws a table, not an estimate"):
        bmx.plots.coverage(fitted("esoph"))
    with pytest.raises(bmx.SpecError, match="draws an estimate or a posterior, not a model"):
        bmx.plots.forest(fitted("esoph"), model("esoph"))


def test_scopes_of_curves_and_fits_of_different_models(model, fitted):
    for groups in ("known", {"agegp": "new"}, ["new"]):
        with pytest.raises(bmx.SpecError, match="Choices: fitted, zero, average, new"):
            bmx.plots.mean_curves(fitted("esoph"), groups=groups)
    with pytest.raises(bmx.SpecError, match=r"Not all of these fits .* share: Intercept, ncontrols,"):
        forest(fitted("esoph"), fitted("esoph poisson"))


def test_cells_without_rows_are_gaps_of_the_curves():
    """What the fit's data do not determine is not drawn, and said once."""
    rng = np.random.default_rng(3)
    f, x = np.tile(["p", "q"], 30), rng.uniform(0.0, 1.0, 60)
    h = np.where((f == "q") & (x > 0.5), "u", "v")
    f[(h == "v") & (f == "q")] = "p"
    frame = {"y": rng.normal(size=60) + x, "f": f, "h": h, "x": x, "g": np.repeat(list("abcdef"), 10)}
    with pytest.warns(bmx.DroppedWarning):
        fit = bmx.Model("y ~ h * f + x + (1 | g)", frame).estimate()
    with pytest.warns(bmx.PredictionWarning, match="do not determine") as caught:
        figure = bmx.plots.mean_curves(fit, x="f", groups="zero")
    assert len(caught) == 1
    drawn = [line.get_ydata() for line in figure.axes[0].get_lines() if len(line.get_ydata()) == 2]
    assert any(np.isnan(np.asarray(y, float)).sum() == 1 for y in drawn)


def test_models_without_standard_deviations_of_their_own_are_refused_by_name():
    rng = np.random.default_rng(1)
    frame = {"y": rng.normal(size=60), "visit": np.tile(list("abc"), 20), "g": np.repeat(np.arange(20), 3)}
    post = bmx.Model(["y ~ unstr(visit, g)", "sigma ~ visit"], frame).sample(draws=50, chains=2, seed=1)
    with pytest.raises(bmx.SpecError, match="no standard deviation of its own"):
        bmx.plots.sd_density(post)
