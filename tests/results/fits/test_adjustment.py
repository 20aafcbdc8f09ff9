"""Adjusted tests and intervals against emmeans (tests/reference/inference)."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from emmeans import CASES, FIGURES, MEANS, close, fit_of, of_emmeans
from scipy import stats

import bayesmix as bmx
from bayesmix.errors import SpecError
from bayesmix.results.fits.adjustment import ADJUSTMENTS, SeveralTests, adjusted

COMPARED = [case for case in CASES if case != "cake_weighted"]  # pbkrtest passes weights over
PAIRS = {
    "cake": lambda fit, **options: fit.contrasts("recipe", **options),
    "sleepstudy": lambda fit, **options: fit.contrasts("Days", at={"Days": [0, 5, 9]}, **options),
    "sleepstudy_nested": lambda fit, **options: fit.contrasts("Days", at={"Days": [0, 5, 9]}, **options),
    "machines": lambda fit, **options: fit.contrasts("Machine", **options),
    "machines_unstructured": lambda fit, **options: fit.contrasts("Machine", **options),
    "oats": lambda fit, **options: fit.contrasts("Variety", **options),
    "oats_crossed": lambda fit, **options: fit.contrasts("nitro", at={"nitro": [0, 0.6]}, **options),
    "clinics": lambda fit, **options: fit.contrasts("t", **options),
}
WITHIN = {"cake": ("temperature", "recipe"), "oats": ("rate", "Variety")}


def ordered(table, k):
    """Pairs as emmeans' revpairwise orders them, by the later level."""
    ours, theirs = list(combinations(range(k), 2)), [(i, j) for j in range(k) for i in range(j)]
    blocks = [np.array([ours.index(pair) for pair in theirs]) + begin for begin in range(0, len(table), len(ours))]
    return table.iloc[np.concatenate(blocks)]


def compared(found, figures, adjust):
    expected = of_emmeans(figures)
    if adjust != "mvt":
        close(found, expected)
        return
    whole = np.abs(expected["df"] - np.round(expected["df"])) < 1e-3 * (expected["df"] < np.inf)  # R rounds others
    np.testing.assert_allclose(found["p_value"][whole], expected["p_value"][whole], rtol=0.0, atol=1e-3)
    for name in ("lower", "upper"):
        size = np.abs(expected["upper"] - expected["lower"])[whole]
        assert np.all(np.abs(found[name][whole] - expected[name][whole]) < 5e-3 * size)


@pytest.mark.parametrize("adjust", ADJUSTMENTS)
@pytest.mark.parametrize("case", COMPARED)
def test_pairs_and_means_are_emmeans(case, adjust):
    figures = FIGURES[case]["tables"]["kenward-roger"]
    compared(PAIRS[case](fit_of(case), df="kenward-roger", adjust=adjust), figures["pairs"][adjust], adjust)
    if adjust != "tukey":
        compared(MEANS[case](fit_of(case), df="kenward-roger", adjust=adjust), figures["means"][adjust], adjust)


@pytest.mark.parametrize("adjust", ADJUSTMENTS)
@pytest.mark.parametrize("case", WITHIN)
def test_families_are_within_groups(case, adjust):
    variable, by = WITHIN[case]
    fit, figures = fit_of(case), FIGURES[case]["by"]["kenward-roger"]
    k = {"cake": 6, "oats": 4}[case]
    pairs = fit.contrasts(variable, by, df="kenward-roger", adjust=adjust)
    compared(ordered(pairs, k), figures["pairs"][adjust], adjust)
    if adjust != "tukey":
        means = fit.marginal_means(variable, by=by, df="kenward-roger", adjust=adjust)
        assert list(means.columns[:2]) == [variable, by]
        compared(means, figures["means"][adjust], adjust)


@pytest.mark.parametrize("df", ["satterthwaite", "asymptotic"])
@pytest.mark.parametrize("case", CASES)
def test_tukeys_differences_by_other_degrees_of_freedom(case, df):
    pairs = PAIRS.get(case, PAIRS["cake"])(fit_of(case), df=df, adjust="tukey")
    close(pairs, of_emmeans(FIGURES[case]["tables"][df]["pairs"]["tukey"]))
    assert "Tukey" in pairs.attrs["adjustment"]


def test_tables_say_that_nothing_is_adjusted():
    assert fit_of("cake").contrasts("recipe").attrs["adjustment"].startswith("none")


def test_hypotheses_and_slopes_are_adjusted():
    fit = fit_of("oats")
    texts = ["VarietyMarvellous = 0", "VarietyVictory = 0", "rateN2 = 0"]
    alone = fit.hypothesis(*texts)
    for adjust, p in {"bonferroni": np.minimum(3 * alone["p_value"], 1.0), "holm": None, "mvt": None}.items():
        found = fit.hypothesis(*texts, adjust=adjust)
        assert np.all(found["p_value"] >= alone["p_value"] - 1e-9)
        assert np.all(found["upper"] > alone["upper"])
        if p is not None:
            np.testing.assert_allclose(found["p_value"], p, rtol=1e-10)
    one_sided = fit.hypothesis("rateN2 > 0", "rateN4 > 0", adjust="bonferroni")["p_value"]
    np.testing.assert_allclose(one_sided, 2 * fit.hypothesis("rateN2 > 0", "rateN4 > 0")["p_value"], rtol=1e-10)
    with pytest.raises(SpecError, match="two-sided tests"):
        fit.hypothesis("rateN2 > 0", "rateN4 > 0", adjust="mvt")
    model = bmx.Model("Reaction ~ Days * half + (1 | Subject)", halves()).estimate()
    few, many = model.slopes("Days", "half"), model.slopes("Days", "half", adjust="sidak")
    np.testing.assert_allclose(many["p_value"], 1 - (1 - few["p_value"]) ** 2, rtol=1e-8, atol=1e-14)


def halves():
    frame = bmx.load_dataset("sleepstudy")
    return frame.assign(half=np.where(frame["Subject"].cat.codes % 2, "odd", "even"))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"adjust": "tuckey"}, "Did you mean `tukey`"),
        ({"adjust": ["tukey"]}, "Choices: none, tukey"),
        ({"adjust": "tukey", "method": "consec"}, "differences of all pairs"),
        ({"adjust": "mvt", "groups": "fitted", "at": {"recipe:replicate": "A:1"}}, "correlations|not a column"),
    ],
)
def test_what_cannot_be_adjusted_is_refused(options, message):
    with pytest.raises(bmx.BayesmixError, match=message):
        fit_of("cake").contrasts("recipe", **options)


def test_posteriors_are_not_adjusted(posterior_of):
    with pytest.raises(SpecError, match="tests of an estimate"):
        posterior_of("cake_factor_reml").contrasts("recipe", adjust="holm") if False else posterior_of(
            "sleepstudy"
        ).slopes("Days", adjust="holm")


@pytest.mark.parametrize("name", ["holm", "fdr"])
def test_stepwise_p_values_are_scipys_or_by_hand(name):
    p = np.array([0.01, 0.04, 0.03, 0.2])
    tests = SeveralTests(stats.norm.isf(p / 2), np.full(4, np.inf), p)
    found, _ = adjusted(name, tests, np.zeros(4, int), 0.95)
    by_hand = {"holm": [0.04, 0.09, 0.09, 0.2], "fdr": stats.false_discovery_control(p)}
    np.testing.assert_allclose(found, by_hand[name], rtol=1e-12)
