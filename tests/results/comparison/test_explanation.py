"""Sentences of a comparison, read back and held against the figures that they are of."""

from __future__ import annotations

import re
from functools import cache

import numpy as np
import pytest

import bayesmix as bmx
from bayesmix.results.comparison.explanation import SAME, WORDS, WORTH

CAUSES = {words: cause for cause, words in WORDS.items()}
SHARE = re.compile(r"(\d+) % (?:of it is |is )?([a-zA-Z ]+)(?: \((\d+) levels of (\w+)\))?")
BACK = re.compile(r"([a-zA-Z ]+?)(?: \(\d+ levels of \w+\))? takes? back (\d+) %")
FITS = {
    "esoph from REML": ("esoph_lmm", "reml", 1000),
    "esoph from ML": ("esoph_lmm", "ml", 1000),
    "sleepstudy": ("sleepstudy", "reml", 500),
    "Dyestuff2": ("dyestuff2", "reml", 1000),
    "too few draws": ("dyestuff", "reml", 8),
}


@cache
def compared(name):
    file, method, draws = FITS[name]
    model = bmx.load_model(file)
    return bmx.compare(model.sample(draws=draws, seed=4, method="marginal"), model.estimate(method))


def steps_of(way, name):
    """What each cause adds, from the stages."""
    row, found = way.stages.loc[name].to_numpy(), {}
    for cause, move in zip(way.causes, np.diff(row), strict=True):
        found[cause] = found.get(cause, 0.0) + move
    return found, row[-1] - row[0]


def shares_said(text):
    return {CAUSES[name.strip()]: int(share) for share, name, *_ in SHARE.findall(text)}


def check(text, steps, difference, sd, mcse):
    """Every number of a sentence, and that nothing worth saying is left out."""
    if text.startswith("the same"):
        assert abs(difference) < SAME * sd
        return
    if text.startswith("no difference that shows"):
        assert 2.0 * mcse > abs(difference)
        return
    said, size = re.match(r"([+-][\d.]+) \(([\d.]+) posterior sd\): ", text).groups()
    places = len(said.partition(".")[2])
    assert float(said) == pytest.approx(difference, abs=0.51 * 10.0**-places)
    assert float(size) == pytest.approx(abs(difference) / sd, abs=0.0051)
    along = {cause: step / difference for cause, step in steps.items() if step * difference > 0.0}
    against = {cause: -step / difference for cause, step in steps.items() if step * difference < 0.0}
    gross = sum(along.values())
    forth, _, back = text.partition("; ")
    told = shares_said(forth)
    assert list(told) == sorted((c for c in along if along[c] >= WORTH * gross), key=lambda c: -along[c])
    for cause, share in told.items():
        assert share == pytest.approx(100.0 * along[cause] / gross, abs=0.51)
    pulled = re.search(r"pulled (up|down) by ([\d.]+)", text)
    if pulled:
        assert (pulled[1] == "up") == (difference > 0.0)
        assert float(pulled[2]) == pytest.approx(gross * abs(difference), abs=0.51 * 10.0**-places)
    took = {CAUSES[name.replace("and ", "").strip()]: int(share) for name, share in BACK.findall(back)}
    assert set(took) == {cause for cause, part in against.items() if part >= WORTH * gross}
    for cause, share in took.items():
        assert share == pytest.approx(100.0 * against[cause] / gross, abs=0.51)
    if "draw more" in text:
        assert mcse > 0.2 * abs(difference) or next(iter(told)) == "Monte Carlo"


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=() if name == "esoph from REML" else pytest.mark.slow) for name in FITS]
)
def test_sentences_are_true_of_the_figures(name):
    comparison = compared(name)
    (way,) = comparison.decompositions
    summary = comparison.posterior.parameters()
    for parameter, text in comparison.sentences.items():
        steps, difference = steps_of(way, parameter)
        check(text, steps, difference, summary.loc[parameter, "sd"], way.mcse[parameter])
        levels = re.search(r"\((\d+) levels of (\w+)\)", text)
        if levels:
            assert int(levels[1]) == len(comparison.posterior.ranef()[levels[2]].index.unique())


@pytest.mark.slow
def test_there_are_sentences_of_every_kind():
    texts = [text for name in FITS for text in compared(name).sentences.values()]
    assert len(texts) > 20
    for words in ("the same", "pulled up", "pulled down", "of it is", "take back", "draw more", "levels of"):
        assert any(words in text for text in texts), words


def test_a_legend_of_two_posteriors_speaks_of_their_priors():
    first = bmx.load_model("dyestuff")
    data = bmx.load_dataset("Dyestuff")
    second = bmx.Model("Yield ~ 1 + (1 | Batch)", data, priors="rstanarm")
    text = str(bmx.compare(first.sample(draws=200, seed=1), second.sample(draws=200, seed=1)))
    text = " ".join(text.split())
    assert "prior, the priors of posterior 2 instead of those of posterior 1" in text
    assert "flat" not in text
    assert text.count("shift:") == 1


@pytest.mark.parametrize("order", [("ml", "reml"), ("reml", "ml")])
def test_two_estimates_differ_by_one_thing(order):
    model = bmx.load_model("esoph_lmm")
    fits = [model.estimate(method) for method in order]
    text = " ".join(str(bmx.compare(*fits)).split())
    sizes = [fit.parameters()["estimate"]["sd(agegp, Intercept)"] for fit in fits]
    change, more = abs(sizes[1] / sizes[0] - 1.0), "larger" if sizes[1] > sizes[0] else "smaller"
    start, end = (name.upper() for name in order)
    assert f"sd(agegp, Intercept) of {end} is {change:.1%} {more} than that of {start}" in text
    assert f"Why they differ: from {start} to {end}" in text


def test_laplace_and_quadrature_differ_by_the_error_of_one():
    laplace = bmx.load_model("cbpp").estimate()
    text = " ".join(str(bmx.compare(laplace, bmx.load_model("cbpp").estimate(bmx.Agq(3)))).split())
    assert "the error of the Laplace approximation, which adaptive quadrature takes away" in text
    assert "Why they differ" not in str(bmx.compare(laplace, laplace))
