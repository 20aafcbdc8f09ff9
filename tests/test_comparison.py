"""Comparisons as people see them: tables, layouts, singular fits, documented figures."""

from __future__ import annotations

import json
from functools import cache
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

import bayesmix as bmx
from bayesmix.errors import SpecError
from bayesmix.results.tables.r_printing import PAGE

DOCUMENT = json.loads((Path(__file__).parents[0] / "reference" / "document.json").read_text(encoding="utf-8"))
SD = "sd(Batch, Intercept)"


@cache
def fits(name):
    model = (
        bmx.load_model("esoph_lmm") if name == "esoph" else bmx.Model("Yield ~ 1 + (1 | Batch)", bmx.load_dataset(name))
    )
    return model.sample(seed=1), model.estimate()


@cache
def compared(name, **options):
    return bmx.compare(*fits(name), **options)


# ---- table ------------------------------------------------------------------------------------------------------


def test_one_row_a_parameter_and_the_fits_in_columns():
    table = compared("esoph").table
    posterior, reml = fits("esoph")
    assert list(table.index) == reml.names
    assert list(table.columns)[:4] == ["documented", "ML", "REML", "REML std_error"]
    assert list(table.columns)[4:12] == ["flat mode", "mode", "median", "mean", "sd", "lower", "upper", "shift"]
    assert list(table.columns)[12:] == [f"share {c}" for c in ("other parameters", "skewness", "prior", "Monte Carlo")]
    own = posterior.parameters()
    for column in ("mode", "median", "mean", "sd", "lower", "upper"):
        np.testing.assert_array_equal(table[column], own[column])
    np.testing.assert_allclose(table["shift"], (own["mean"] - reml.parameters()["estimate"]) / own["sd"])
    ml = bmx.load_model("esoph_lmm").estimate("ml").parameters()["estimate"]
    np.testing.assert_allclose(table["ML"], ml, rtol=1e-9)


def test_groups_are_rows_on_request():
    table = compared("esoph", groups=True).table
    posterior, reml = fits("esoph")
    assert len(table) == len(reml.names) + 12
    row = table.loc["coef(agegp, 75+, ncontrols)"]
    assert row["documented"] == 0.02957821
    assert row["REML"] == reml.coef()["agegp"].loc["75+", "ncontrols"]
    assert row["mean"] == pytest.approx(posterior.coef()["agegp"].loc["75+", "ncontrols"], rel=1e-12)
    assert np.isnan(row["mode"])


def test_intervals_on_request():
    comparison = bmx.compare(*fits("Dyestuff"), causes=False, intervals=True)
    lower, upper = fits("Dyestuff")[1].confint(["sigma"]).loc["sigma"]
    assert tuple(comparison.table.loc["sigma", ["profile lower", "profile upper"]]) == (lower, upper)
    lines = str(comparison).splitlines()
    head = next(i for i, line in enumerate(lines) if line == "Intervals, 95 %")
    methods = [line.split() for line in (lines[head + 2], lines[head + 6])]  # three rows below the first
    assert [*methods[0], *methods[1]] == ["wald", "satterthwaite", "kenward-roger", "profile", "bootstrap", "credible"]
    assert f" {lower:.2f}, {upper:.2f}" in next(line for line in lines[head:] if line.startswith("sigma"))


def test_any_number_of_fits():
    posterior, reml = fits("Dyestuff")
    ml = bmx.Model("Yield ~ 1 + (1 | Batch)", bmx.load_dataset("Dyestuff")).estimate("ml")
    two = bmx.compare(ml, reml)
    assert list(two.table.columns) == ["ML", "ML std_error", "REML", "REML std_error"]
    assert two.decompositions == ()
    many = bmx.compare(posterior, ml, posterior, reml)
    assert many.labels == ("ML", "REML", "posterior 1", "posterior 2")
    assert {"shift posterior 1", "shift posterior 2", "posterior 2 mean"} <= set(many.table.columns)
    assert [way.start for way in many.decompositions] == ["ML", "ML"]
    assert np.allclose(
        many.decompositions[0].steps.sum(axis=1), many.decompositions[0].difference, rtol=0.0, atol=1e-10
    )
    both = bmx.compare(posterior, posterior)
    assert set(both.sentences.values()) == {"the same, within 0.05 posterior sd."}
    alone = bmx.compare(posterior)
    assert "shift" not in alone.table
    assert "Posterior" in str(alone)


def test_documented_figures_may_be_all_there_is():
    _, reml = fits("Dyestuff")
    comparison = bmx.compare(reml, documented={"sigma": 49.5101, SD: 42.0006})
    assert comparison.table.loc[SD, "documented"] == 42.0006
    assert "49.5101" in str(comparison)


def test_causes_only_where_wanted():
    quick = bmx.compare(*fits("Dyestuff"), causes=False)
    assert quick.decompositions == ()
    assert "ML" not in quick.table
    with pytest.raises(SpecError, match=r"causes=True"):
        _ = quick.sentences


def test_errors():
    with pytest.raises(SpecError, match="at least one fit"):
        bmx.compare()
    with pytest.raises(SpecError, match="Did you mean `median`"):
        bmx.compare(*fits("Dyestuff"), centre="medain")
    other = bmx.Model("Yield ~ 0 + (1 | Batch)", bmx.load_dataset("Dyestuff")).estimate()
    with pytest.raises(SpecError, match=r"different models; parameters of only one of them: Intercept"):
        bmx.compare(fits("Dyestuff")[1], other)


# ---- the document -----------------------------------------------------------------------------------------------


def printed(name):
    """The printed parameters and group coefficients, by our names."""
    model = DOCUMENT["models"][name]
    found = {key: value["estimate"] for key, value in model["fixef"].items()}
    found |= {key: value for key, value in model["varcorr"].items() if not key.startswith("var(")}
    columns = model["coef"]["columns"]
    for level, values in model["coef"]["agegp"].items():
        found |= {f"coef(agegp, {level}, {effect})": value for effect, value in zip(columns, values, strict=True)}
    return found


def test_every_printed_parameter_of_the_linear_model_has_its_row():
    table = compared("esoph", groups=True).table
    for name, value in printed("esoph_lmm").items():
        assert table.loc[name, "documented"] == value


def test_every_printed_parameter_of_the_poisson_model_has_its_row():
    table = bmx.compare(bmx.load_model("esoph_poisson").estimate(), groups=True).table
    for name, value in printed("esoph_poisson").items():
        assert table.loc[name, "documented"] == value


def test_the_document_differs_from_the_posterior_by_skewness():
    comparison = compared("esoph")
    for name in ("sd(agegp, Intercept)", "sd(agegp, ncontrols)"):
        steps = comparison.steps.loc[name]
        assert steps.idxmax() == "skewness"
        assert steps["prior"] < 0.0
        assert "is skewness (6 levels of agegp)" in comparison.sentences[name]
        assert "the priors take back" in comparison.sentences[name]


def test_what_is_the_same_is_called_so():
    model = bmx.load_model("esoph_lmm")
    long = model.sample(draws=4000, seed=1)  # means of 4000 draws in all have errors of 0.016 posterior sd
    assert bmx.compare(long, model.estimate()).sentences["Intercept"] == "the same, within 0.05 posterior sd."


# ---- singular fits ----------------------------------------------------------------------------------------------


def test_a_singular_fit_is_explained():
    text = " ".join(str(compared("Dyestuff2")).split())
    posterior, _ = fits("Dyestuff2")
    share = np.mean(posterior.values.sd[0][..., 0] < 0.1 * posterior.values.dispersion)
    assert "REML estimates sd(Batch, Intercept) = 0, on the boundary" in text
    assert f"P(sd(Batch, Intercept) < 0.1 sigma) = {share:.2f}:" in text
    assert "it is no evidence that there is no variation" in text
    assert "What to do: report the posterior's median and interval" in text
    assert "Singular" not in str(compared("Dyestuff"))


def test_a_singular_correlation_is_explained():
    days = bmx.load_dataset("sleepstudy")
    few = days[days["Subject"].isin(["308", "309", "310"]) & (days["Days"] < 5)]
    model = bmx.Model("Reaction ~ Days + (Days | Subject)", few)
    estimate = model.estimate()
    assert estimate.singular
    text = " ".join(str(bmx.compare(model.sample(seed=1, method="marginal"), estimate)).split())
    assert "REML estimates corr(Subject, Intercept, Days) = " in text
    assert "P(|corr(Subject, Intercept, Days)| > 0.95) = " in text
    assert "What to do" in str(bmx.compare(estimate))


# ---- layouts ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["esoph", "Dyestuff2"])
def test_text_fits_the_page(name):
    lines = str(compared(name)).splitlines()
    assert max(map(len, lines)) <= PAGE
    assert not any(line.endswith(" ") for line in lines)
    titles = ["Comparison of REML and posterior", "Estimates", "Posterior"]
    titles += ["Why they differ: from REML to the mean of the posterior"]
    assert [line for line in lines if line in titles] == titles


def test_many_fits_fit_the_page_in_parts():
    posterior, reml = fits("Dyestuff")
    lines = str(bmx.compare(posterior, reml, reml, reml, reml, reml, reml, reml)).splitlines()
    assert max(map(len, lines)) <= PAGE


def test_markdown_is_tables_of_equal_rows():
    lines = compared("Dyestuff2").to_markdown().splitlines()
    assert lines[0] == "### Comparison of REML and posterior"
    tables = [line for line in lines if line.startswith("|")]
    assert any(line.startswith("| sd(Batch, Intercept) | 0.000 |") for line in tables)
    head = next(i for i, line in enumerate(lines) if "| REML |" in line)
    width = lines[head].count(" | ")
    assert lines[head + 1].startswith("| --- | ---: |")
    assert all(lines[head + i].count(" | ") == width for i in range(1, 5))
    assert any(line.startswith("- What to do: ") for line in lines)


class Balanced(HTMLParser):
    def __init__(self):
        super().__init__()
        self.open = []
        self.seen = []

    def handle_starttag(self, tag, attrs):
        self.open.append(tag)
        self.seen.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_html_is_balanced_and_escaped():
    text = compared("Dyestuff2")._repr_html_()
    parser = Balanced()
    parser.feed(text)
    assert parser.open == []
    assert parser.seen.count("table") == 3
    assert "&lt; 0.1 sigma" in text
