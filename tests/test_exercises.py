"""Answers to the exercises of the notebooks: every figure in them is computed again."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import bayesmix as bmx
from bayesmix.studies import standard_errors

FOLDER = Path(__file__).parents[1] / "notebooks"
LINEAR = "ncases ~ ncontrols + (ncontrols | agegp)"
RATINGS = "rating ~ temp + contact + (1 | judge)"
COUNTS = "count ~ mined + (1 | site)"
INTERCEPTS, SLOPES = "sd(agegp, Intercept)", "sd(agegp, ncontrols)"
OLD = {"agegp": ["75+"], "ncontrols": [30.0]}
KNOWN = {"agegp": ["65-74"], "ncontrols": [20.0]}
STREAMS = {"mined": ["yes", "no"]}


@cache
def model(**options: Any) -> bmx.Model:
    return bmx.Model(LINEAR, bmx.load_dataset("esoph"), **options)


def means(priors: Any) -> pd.Series:
    esoph = bmx.load_dataset("esoph")
    return bmx.Model(LINEAR, esoph, priors=priors).sample(seed=1, progress=False).parameters()["mean"]


def groups_matter() -> Iterator[str]:
    alone = bmx.pooling(model().estimate()).xs("ncontrols", level="effect")
    ratios = (alone["none"] / alone["none std_error"]).abs().sort_values()
    assert ratios.iloc[-2] < 1.0
    yield f"That of {ratios.index[-1]} is {ratios.iloc[-1]:.1f} standard errors"
    study = standard_errors(groups=40, rows=10, replicates=200, estimators=["common"], progress=False)
    found = study.table.loc["common"]
    yield f"by {found['actual_se']:.2f} in"
    yield f"to {found['reported_se']:.2f}"
    assert found["coverage"] == pytest.approx(0.5, abs=0.1)
    assert found["reported_over_actual"] == pytest.approx(1 / 3, abs=0.05)


def linear() -> Iterator[str]:
    formula = "ncases ~ I(ncontrols - 11) + (I(ncontrols - 11) | agegp)"
    moved, ml = bmx.Model(formula, bmx.load_dataset("esoph")).estimate(), model().estimate("ml")
    at, by_ml = moved.parameters()["estimate"], ml.parameters()
    yield f"criterion, {moved.criterion:.1f}, are the same"
    yield f"{at['Intercept']:.2f} with a standard deviation of {at[INTERCEPTS]:.2f}"
    yield f"is {at.iloc[4]:.2f} in place of {model().estimate().parameters()['estimate'].iloc[4]:.2f}"
    yield f"{by_ml['estimate'][INTERCEPTS]:.3f} and {by_ml['estimate'][SLOPES]:.4f}"
    yield f"{by_ml['std_error']['Intercept']:.3f} and {by_ml['std_error']['ncontrols']:.3f}"


def poisson() -> Iterator[str]:
    laplace = bmx.load_model("esoph_poisson").estimate()
    post = bmx.load_model("esoph_poisson").sample(draws=500, seed=1, progress=False)
    yield f"{laplace.coef()['agegp'].loc['65-74', 'ncontrols']:.4f}}} \\approx"
    yield f"{post.coef()['agegp'].loc['65-74', 'ncontrols']:.4f}: the same"
    test = bmx.anova(laplace, laplace.update("~ ncontrols + (1 | agegp)")).iloc[-1]
    yield f"chi-squared {test['chisq']:.2f}"
    yield f"p = {test['p_value']:.2f}"
    yield f"`shape`, {laplace.update(family='negbinomial').parameters()['estimate']['shape']:.1f}"


def prediction() -> Iterator[str]:
    reml, esoph = model().estimate(), bmx.load_dataset("esoph")
    one = reml.predict(OLD).iloc[0]
    yield f"{one['estimate']:.2f}, between {one['lower']:.2f} and {one['upper']:.2f}"
    yield f"end at {esoph.loc[esoph['agegp'] == '75+', 'ncontrols'].max()} controls"
    mean, row = reml.predict(KNOWN).iloc[0], reml.predict(KNOWN, kind="response").iloc[0]
    yield f"From {row['lower']:.2f} to {row['upper']:.2f}, where that of the mean is from {mean['lower']:.2f} to"
    scatter = pd.Series(reml.residuals()).groupby(esoph["agegp"], observed=True).std()
    assert scatter[["25-34", "35-44"]].max() < 0.6 * scatter.max()
    assert scatter.idxmax() == "65-74"


def differences() -> Iterator[str]:
    flat = model(priors="flat").sample(seed=1, progress=False)
    steps = bmx.compare(flat, model().estimate()).steps
    assert (steps["prior"] == 0.0).all()
    yield f"{steps.loc[INTERCEPTS, 'other parameters']:.2f} and {steps.loc[INTERCEPTS, 'skewness']:.2f} for"
    penicillin = bmx.Model("diameter ~ 1 + (1 | plate) + (1 | sample)", bmx.load_dataset("Penicillin"))
    post, reml = penicillin.sample(seed=1, progress=False).parameters(), penicillin.estimate().parameters()
    above = 100.0 * (post["mean"] / reml["estimate"] - 1.0)
    yield f"{above['sd(sample, Intercept)']:.0f} % above REML, that of the plates {above['sd(plate, Intercept)']:.0f} %"


def priors() -> Iterator[str]:
    default, own = means("default"), means({"sd(agegp)": "HalfNormal(2)"})
    yield f"from {default[INTERCEPTS]:.2f} to {own[INTERCEPTS]:.2f}"
    yield f"from {default[SLOPES]:.3f} to {own[SLOPES]:.3f}"
    yield f"Its mean is {means('rstanarm')[INTERCEPTS]:.2f}"


def diagnostics() -> Iterator[str]:
    sleepstudy = bmx.load_dataset("sleepstudy")
    rows = sleepstudy.iloc[[59, 7, 56]]
    assert rows["Subject"].tolist() == ["332", "308", "332"]
    yield f"{rows['Reaction'].iloc[2]:.0f} ms on day {rows['Days'].iloc[2]:.0f}"
    yield f"{rows['Reaction'].iloc[0]:.0f} ms on day {rows['Days'].iloc[0]:.0f}"
    normal = bmx.Model("Reaction ~ Days + (Days | Subject)", sleepstudy)
    heavy = bmx.Model("Reaction ~ Days + (Days | Subject)", sleepstudy, family="student")
    post = heavy.sample(draws=500, seed=1, progress=False)
    table = bmx.loo_compare({"normal": normal.sample(seed=1, progress=False), "t": post}).loc["normal"]
    yield f"of {post.parameters()['mean']['nu']:.1f} degrees of freedom"
    yield f"by {-table['elpd_diff']:.0f} with"
    yield f"of {table['dse']:.0f}. No row"
    page = str(post.diagnose())
    assert "No row dominates" in page
    assert "Quantile residuals show no pattern" in page


def zeros() -> Iterator[str]:
    data = bmx.load_dataset("Salamanders")
    inflated = bmx.Model([COUNTS, "zi ~ mined"], data, family="zero_inflated_poisson").estimate()
    hurdle = bmx.Model([COUNTS, "hu ~ mined"], data, family="hurdle_poisson").estimate()
    found = inflated.predict(STREAMS, groups="average", kind="zero")["estimate"]
    shares = (data["count"] == 0).groupby(data["mined"], observed=True).mean()
    yield f"{found.iloc[0]:.3f} and {found.iloc[1]:.3f}. In the data {shares['yes']:.3f} and {shares['no']:.3f}:"
    yield f"{inflated.aic:.1f} against {hurdle.aic:.1f}"


def ratings() -> Iterator[str]:
    wine = bmx.load_dataset("wine")
    laplace = bmx.Model(RATINGS, wine, family="cumulative").estimate()
    found = laplace.predict({"temp": ["warm"], "contact": ["yes"]}, groups="zero")["estimate"]
    yield f"{found.iloc[3]:.3f} and {found.iloc[4]:.3f} for four and five, together {found.iloc[3:].sum():.2f}"
    yield f"{bmx.Model(RATINGS, wine, family='acat').estimate().aic:.1f} against {laplace.aic:.1f}"


ANSWERS: dict[str, Callable[[], Iterator[str]]] = {
    "1_why_groups_matter": groups_matter,
    "2_linear_mixed_model": linear,
    "3_poisson_model": poisson,
    "4_prediction_and_pooling": prediction,
    "5_posterior_against_reml": differences,
    "6_priors": priors,
    "7_diagnostics_with_arviz": diagnostics,
    "8_counts_with_many_zeros": zeros,
    "9_ratings": ratings,
}


def answers(name: str) -> str:
    """The answers of a notebook, on one line."""
    cells = json.loads((FOLDER / f"{name}.ipynb").read_text(encoding="utf-8"))["cells"]
    own = ["".join(cell["source"]) for cell in cells if "<summary>Answers</summary>" in "".join(cell["source"])]
    assert len(own) == 1
    questions, _, found = own[0].partition("<summary>Answers</summary>")
    assert len(re.findall(r"^\d\. ", questions, re.MULTILINE)) == len(re.findall(r"^\d\. ", found, re.MULTILINE)) >= 2
    return " ".join(found.split())


@pytest.mark.parametrize("name", ANSWERS)
def test_every_chapter_has_exercises_with_answers(name):
    assert len(answers(name)) > 100


def test_no_chapter_is_left_out():
    assert list(ANSWERS) == sorted(path.stem for path in FOLDER.glob("*.ipynb"))


@pytest.mark.slow
@pytest.mark.rotating
@pytest.mark.parametrize("name", ANSWERS)
def test_figures_of_answers_are_those_of_a_run(name):
    text = answers(name)
    assert [words for words in ANSWERS[name]() if words not in text] == []
