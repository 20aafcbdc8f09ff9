"""Figures as they look: colours and marks by kind of fit, names of fits, ticks of counts, labels, units, overlaps."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from itertools import combinations, pairwise

import numpy as np
import pandas as pd
import pytest
from matplotlib.collections import LineCollection
from matplotlib.colors import to_hex, to_rgb
from matplotlib.text import Text

import bayesmix as bmx
from bayesmix.present.plots.canvas import elided, folded, with_unit
from bayesmix.present.plots.looks import DOCUMENT, ESTIMATES, POSTERIORS, PRIOR, looks

OTHERS = ("forest", "shrinkage", "sd_density", "pooling", "mean_curves")
SEVERAL = ("caterpillar", *(pytest.param(name, marks=pytest.mark.slow) for name in OTHERS))


@pytest.fixture(scope="module")
def fits(fitted, posterior_of):
    return posterior_of("esoph", chains=4, draws=250, spread=0.1), fitted("esoph")


def legend(figure):
    """Text and colour of every entry of a figure's legends."""
    return [
        (text.get_text(), colour_of(handle))
        for found in figure.legends
        for handle, text in zip(found.legend_handles, found.get_texts(), strict=True)
    ]


def colour_of(handle):
    handle = handle[-1] if isinstance(handle, tuple) else handle
    colour = handle.get_color() if hasattr(handle, "get_color") else handle.get_facecolor()
    return to_hex(colour).upper()


def check_colours(figure):
    """Colours of a figure's legend are those of the kinds that its words name."""
    for text, colour in legend(figure):
        words = text.split(":")[0] if text.split(":")[0] in {"posterior", "REML", "Laplace"} else text
        if "posterior" in words and "fixed effects" not in words:
            assert colour in POSTERIORS, text
        elif "REML" in words or "Laplace" in words:
            assert colour in ESTIMATES, text
        elif words == "documented":
            assert colour == DOCUMENT["color"].upper()
        elif words == "prior":
            assert colour == PRIOR


@pytest.mark.parametrize("name", SEVERAL)
def test_colours_are_those_of_the_kind_of_fit(fits, name):
    """Whatever the order of the arguments."""
    post, reml = fits
    draw = getattr(bmx.plots, name)
    first, second = draw(post, reml), draw(reml, post)
    check_colours(first)
    check_colours(second)
    assert {colour for _, colour in legend(first)} & set(POSTERIORS)
    assert {colour for _, colour in legend(first)} & set(ESTIMATES)


def test_fits_of_a_kind_differ_and_none_looks_like_one_of_the_other():
    own = looks([True, False, True, False, True, False])
    assert len({look.colour for look in own}) == len({look.marker for look in own}) == len(own)
    assert looks([False, True]) == looks([True, False])[::-1]


def test_fits_have_the_names_that_they_are_given(fits):
    post, reml = fits
    found = bmx.compare(reml, default=post, brms=post, causes=False)
    assert found.labels == ("REML", "default", "brms")
    for kind in ("forest", "caterpillar", "shrinkage"):
        texts = " ".join(text for text, _ in legend(found.plot(kind)))
        assert all(label in texts for label in found.labels), kind
        assert "posterior 1" not in texts
    drawn = bmx.plots.forest({"a": post, "b": reml}, parameters=["sigma"])
    assert [text.partition(":")[0] for text, _ in legend(drawn)] == ["a", "b"]


def test_misspelled_options_of_compare_are_no_fits(fits):
    post, reml = fits
    with pytest.raises(bmx.SpecError, match=r"`compare` has no argument `cause`\. Did you mean `causes`"):
        bmx.compare(post, reml, cause=False)
    with pytest.raises(bmx.SpecError, match="two fits called `REML`"):
        bmx.compare(reml, REML=reml)
    with pytest.raises(bmx.SpecError, match="draws an estimate or a posterior"):
        bmx.plots.forest({"a": 1})


def test_units_come_with_the_data(fits, model):
    assert bmx.plots.mean_curves(*fits).get_supxlabel() == "ncontrols (controls)"
    assert bmx.plots.mean_curves(*fits, units={"ncontrols": "persons"}).get_supxlabel() == "ncontrols (persons)"
    frame = {"y": [1.5, 2.5, 3.0, 2.0], "x": [1.0, 2.0, 3.0, 4.0], "g": list("aabb")}
    own = bmx.Model("y ~ x + (1 | g)", frame, units={"y": "kg", "x": "s"})
    axis = bmx.plots.scatter(own).axes[0]
    assert (axis.get_xlabel(), axis.get_ylabel()) == ("x (s)", "y (kg)")


def test_explanations_are_no_units():
    units = {"a": "ms, mean of tests", "b": "-0.5, 0.5", "c": "whether the lecture is for another department", "d": ""}
    assert [with_unit(name, units) for name in "abcde"] == ["a (ms)", "b", "c", "d", "e"]


def test_counts_have_whole_ticks(model, fitted):
    for figure in (bmx.plots.scatter(model("esoph poisson")), bmx.plots.mean_curves(fitted("esoph poisson"))):
        for axis in figure.axes:
            ticks = np.concatenate([axis.get_xticks(), axis.get_yticks()])
            np.testing.assert_array_equal(ticks, np.round(ticks))
    (days,) = bmx.plots.group_lines(fitted("sleepstudy"), levels=["308"]).axes
    np.testing.assert_array_equal(days.get_xticks(), np.round(days.get_xticks()))


def test_sizes_without_a_fit_keep_their_place_on_the_axis(fitted):
    options = {"effect": {"Days": 5.0}, "replicates": 4, "seed": 1, "progress": False}
    found = bmx.studies.power(fitted("sleepstudy"), n={"Subject": [9, 18]}, **options)
    numbers = found.replicates.copy()
    numbers.loc[9, ["estimate", "std_error", "df", "p_value"]] = np.nan
    numbers.loc[9, "failed"] = True
    found = replace(found, replicates=numbers)
    assert np.isnan(found.table.loc[9, "power"])
    axes = bmx.plots.power(found).axes
    for axis in axes:
        low, high = axis.get_xlim()
        assert low < 9.0 < 18.0 < high
        assert all(tick == round(tick) for tick in axis.get_xticks())
    (limits,) = [line for line in axes[0].collections if isinstance(line, LineCollection)]
    drawn = [segment[:, 1] for segment in limits.get_segments() if len(segment)]
    np.testing.assert_allclose(drawn[-1], found.table.loc[18, ["lower", "upper"]].to_numpy(float))


def test_panels_of_curves_show_all_data(fits):
    figure = bmx.plots.mean_curves(*fits)
    low, high = figure.axes[0].get_ylim()
    assert low < min(bmx.load_dataset("esoph")["ncases"]) - 0.25
    assert high > max(bmx.load_dataset("esoph")["ncases"]) + 0.25


def test_sizes_have_a_legend(model):
    """Areas of marks are by trials: the legend's are."""
    figure = bmx.plots.scatter(model("cbpp"), levels=["8", "9"])  # that with the largest herd, and another
    assert [text for text, _ in legend(figure)][-3:] == ["5 trials", "16 trials", "34 trials"]
    largest = figure.legends[0].legend_handles[-1].get_markersize() ** 2
    assert largest == pytest.approx(max(size for found in figure.axes[0].collections for size in found.get_sizes()))


def names(axis):
    return {text.get_text() for text in axis.findobj(Text)}


def test_no_level_loses_its_name(fitted, posterior_of):
    fit = fitted("esoph poisson")
    post = posterior_of("esoph poisson", chains=2, draws=20, spread=0.05)
    assert names(bmx.plots.shrinkage(post, fit).axes[0]) >= set(fit.coef()["agegp"].index)


# ---- every figure of every chapter ------------------------------------------------------------------------------


GAP = 1.5  # pixels of a hundred an inch between neighbouring tick labels


def overlaps(axis):
    """Neighbouring tick labels that lie on each other."""
    for one, side in ((axis.xaxis, 0), (axis.yaxis, 1)):
        low, high = sorted(one.get_view_interval())
        ticks = [tick for tick in one.get_major_ticks() if low <= tick.get_loc() <= high]
        boxes = [
            tick.label1.get_window_extent() for tick in ticks if tick.label1.get_text() and tick.label1.get_visible()
        ]
        edges = sorted((box.p0[side], box.p1[side]) for box in boxes)
        yield from ((a, b) for a, b in pairwise(edges) if b[0] < a[1] + GAP)


def words(figure):
    """Texts of legends and labels of axes."""
    yield from (text for legend in figure.legends for text in legend.get_texts())
    for axis in figure.axes:
        yield from (axis.xaxis.label, axis.yaxis.label, axis.title, axis._left_title)


def check_figure(figure, name):
    figure.draw_without_rendering()
    check_colours(figure)
    width, height = figure.get_size_inches() * figure.dpi
    for axis in figure.axes:
        assert not list(overlaps(axis)), (name, axis.get_xlabel())
    titles = [axis._left_title.get_window_extent() for axis in figure.axes if axis.get_title(loc="left")]
    for one, other in combinations(titles, 2):
        apart = max(one.x0, other.x0) - min(one.x1, other.x1), max(one.y0, other.y0) - min(one.y1, other.y1)
        assert max(apart) > -1.0, (name, [axis.get_title(loc="left") for axis in figure.axes])
    for text in words(figure):
        box = text.get_window_extent()
        inside = min(box.x0, box.y0, width - box.x1, height - box.y1) > -2.0
        assert inside or not text.get_text(), (name, text.get_text())
    named = [axis.get_xlabel() or axis.get_title(loc="left") for axis in figure.axes]
    assert figure.get_supxlabel() or any(named), name
    for axis in figure.axes:
        assert to_rgb(axis.xaxis.label.get_color())[0] < 0.4  # dark on white


@pytest.mark.slow
def test_names_of_thresholds_with_wide_letters_are_whole():
    """Of `About Right|Too Much(centred)`, of 28 letters, the last was cut at the edge of the figure."""
    rng = np.random.default_rng(1)
    levels = ["TOO LITTLE", "ABOUT ROOM", "TOO MUCH"]
    data = {"y": pd.Categorical.from_codes(rng.integers(0, 3, 60), levels, ordered=True), "g": rng.integers(0, 6, 60)}
    data |= {name: rng.normal(size=60) for name in ("u", "v", "w", "x")}
    model = bmx.Model("y ~ u + v + w + x + (1 | g)", data, family="cumulative")
    post = model.sample(seed=1, draws=50, chains=2, progress=False)
    check_figure(bmx.plots.prior_posterior(post), "thresholds")


CHAPTERS = ("sleepstudy", "esoph_lmm", "esoph_poisson", "cbpp", "wine")


@pytest.mark.slow
@pytest.mark.parametrize("chapter", CHAPTERS)
def test_every_figure_of_every_chapter_can_be_read(chapter):
    model = bmx.load_model(chapter)
    fit, post = model.estimate(), model.sample(draws=250, chains=2, seed=1, progress=False)
    found = bmx.compare(post, fit, causes=False)
    is_numeric = chapter != "wine"
    plots = bmx.plots
    drawn = {kind: found.plot(kind) for kind in ("forest", "sd", "pooling", "caterpillar")}
    drawn |= {"scatter": plots.scatter(model), "residuals": plots.residuals(fit), "ppc": plots.ppc(post)}
    drawn |= {"priors": plots.prior_posterior(post), "pairs": plots.pairs(post), "trace": plots.trace(post)}
    if is_numeric:
        ways = ("partial", "none", "complete", "typical")
        drawn |= {"curves": found.plot("curves"), "lines": plots.group_lines(fit, lines=ways)}
        drawn |= {"new": found.plot("curves", groups="new"), "shrinkage": found.plot("shrinkage")}
    else:
        drawn |= {"categories": plots.categories(post), "areas": plots.categories(post, groups="fitted", stacked=True)}
    drawn |= {"rank": plots.rank(post), "replicated": plots.prior_predictive(model, seed=1)}
    for name, figure in drawn.items():
        check_figure(figure, f"{chapter} {name}")


@pytest.mark.slow
@pytest.mark.parametrize("chapter", CHAPTERS)
def test_every_figure_of_studies_can_be_read(chapter):
    fit = bmx.load_model(chapter).estimate()
    (group, levels) = next((name, len(table)) for name, table in fit.ranef().items())
    slope = next(name for name in fit.fixef().index if name != "Intercept" and "|" not in name)
    options = {"effect": {slope: 0.02}, "replicates": 4, "progress": False}
    found = bmx.studies.power(fit, n={group: [levels, 2 * levels]}, **options)
    covered = bmx.compare(fit).coverage(4, methods=["wald"], progress=False)
    check_figure(bmx.plots.power(found), f"{chapter} power")
    check_figure(bmx.plots.coverage(covered), f"{chapter} coverage")


def others():
    """Figures that are of models of another kind than the chapters'."""
    plots, sleepstudy = bmx.plots, bmx.load_dataset("sleepstudy")
    errors = {
        "y": [0.28, 0.08, -0.03, 0.07],
        "se": [0.15, 0.1, 0.16, 0.11],
        "study": [f"A study, {i}" for i in range(4)],
    }
    yield "effects", lambda: plots.effects_forest(bmx.Model("y | se(se) ~ 1 + (1 | study)", errors).estimate())
    for term in ("s(Days, k = 5)", "gp(Days, k = 5, c = 5/4)"):
        yield term, partial(plots.smooths, bmx.Model(f"Reaction ~ {term} + (1 | Subject)", sleepstudy).estimate())
    study = bmx.studies.standard_errors(groups=5, rows=5, replicates=5, estimators=["common"], progress=False)
    yield "standard errors", lambda: plots.standard_errors(study)
    yield "sample", lambda: plots.sample(study)
    names = {"Days": "days_of_sleep_deprivation_in_a_row", "Subject": "a_subject_who_slept_little"}
    own = sleepstudy.rename(columns=names).assign(
        a_subject_who_slept_little=lambda frame: "subject number " + frame["a_subject_who_slept_little"].astype(str)
    )
    formula = "Reaction ~ {Days} + ({Days} | {Subject})".format(**names)
    long = bmx.Model(formula, own)
    fit, post = long.estimate(), long.sample(draws=100, chains=2, seed=1, progress=False)
    for kind in ("forest", "sd", "pooling", "caterpillar", "curves", "shrinkage"):
        yield f"long names: {kind}", partial(bmx.compare(post, fit, causes=False).plot, kind)
    for kind in ("pairs", "trace", "rank", "prior_posterior"):
        yield f"long names: {kind}", partial(getattr(plots, kind), post)


def hospitals(levels):
    """Rows of hospitals with names as hospitals have them, and predictors with names that say what they are."""
    rng = np.random.default_rng(0)
    place, weeks = np.repeat(np.arange(levels), 8), rng.normal(size=8 * levels)
    effects, arm = rng.normal(size=(levels, 2)), rng.random(8 * levels) < 0.5
    return pd.DataFrame(
        {
            "systolic_blood_pressure_at_discharge": effects[place, 0]
            + (0.5 + 0.5 * effects[place, 1]) * weeks
            + rng.normal(size=8 * levels),
            "weeks_since_the_operation_was_done": weeks,
            "hospital_of_admission": [f"Regional Hospital of Northern District {k:02d}" for k in place],
            "kind_of_treatment": np.where(arm, "with rehabilitation at home", "without rehabilitation"),
        }
    )


@pytest.mark.slow
@pytest.mark.rotating
@pytest.mark.parametrize("levels", [8, 60])
def test_figures_of_long_names_and_many_levels_can_be_read(levels):
    response, slope, group, arm = hospitals(2).columns
    model = bmx.Model(f"{response} ~ {slope} + {arm} + ({slope} | {group})", hospitals(levels))
    fit, post = model.estimate(), model.sample(draws=100, chains=2, seed=1, progress=False)
    plots, found = bmx.plots, bmx.compare(post, fit, causes=False)
    drawn = {kind: found.plot(kind) for kind in ("forest", "sd", "pooling", "caterpillar", "curves", "shrinkage")}
    drawn |= {"scatter": plots.scatter(model), "lines": plots.group_lines(fit, lines=("none", "partial"))}
    drawn |= {"rank": plots.rank(post), "trace": plots.trace(post), "priors": plots.prior_posterior(post)}
    if levels == 8:
        power = bmx.studies.power(fit, effect={slope: 0.3}, n={group: [8, 16]}, replicates=4, progress=False)
        drawn |= {"power": plots.power(power)}
        drawn |= {"coverage": plots.coverage(found.coverage(4, methods=["wald"], progress=False))}
    for name, figure in drawn.items():
        check_figure(figure, f"{levels} levels, {name}")


def test_names_are_folded_and_keep_both_ends():
    assert folded("sd(hospital, weeks_since_then)", 17) == "sd(hospital,\nweeks_since_then)"
    assert folded("sd(hospital, weeks_since_then)", 15) == "sd(hospital,\nweeks_since_\nthen)"
    assert folded("x" * 25, 10).split("\n") == ["x" * 10, "x" * 10, "x" * 5]
    assert elided("Regional Hospital of Northern District 07", 22) == "Regional H…District 07"
    assert elided("short", 22) == "short"


@pytest.mark.slow
def test_figures_of_other_models_can_be_read():
    for name, draw in others():
        check_figure(draw(), name)


def test_curves_that_leave_the_axis_are_said_to(fitted, posterior_of):
    """A mean over draws of a new level, some of which are far out: nothing of its line is to be seen."""
    post = posterior_of("esoph poisson", chains=2, draws=20, spread=4.0)
    texts = [text for text, _ in legend(bmx.plots.mean_curves(fitted("esoph poisson"), post, groups="new"))]
    assert ["(beyond this axis)" in text for text in texts] == [False, True]


def test_coverage_of_all_data_sets_has_limits():
    """Of 20 in 20 the share may be 0.83 (Clopper and Pearson): it has a line as others have."""
    table = pd.DataFrame({"wald": [1.0, 0.9]}, index=["a", "b"])
    table.attrs["n"] = 20
    (lines,) = (found for found in bmx.plots.coverage(table).axes[0].collections if isinstance(found, LineCollection))
    ends = [segment[:, 0].tolist() for segment in lines.get_segments()]
    np.testing.assert_allclose(ends, [[0.8316, 1.0], [0.6830, 0.9877]], atol=1e-4)
