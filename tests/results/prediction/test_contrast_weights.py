"""Weights of contrasts, as emmeans has them."""

from __future__ import annotations

import numpy as np
import pytest
from emmeans import FIGURES, close, fit_of, of_emmeans

from bayesmix.errors import DataError, SpecError
from bayesmix.results.prediction.contrast_weights import contrast_weights

POLYNOMIALS = {  # emmeans 1.8.4, poly.emmc
    3: {"linear": [-1, 0, 1], "quadratic": [1, -2, 1]},
    4: {"linear": [-3, -1, 1, 3], "quadratic": [1, -1, -1, 1], "cubic": [-1, 3, -3, 1]},
    5: {"linear": [-2, -1, 0, 1, 2], "quadratic": [2, -1, -2, -1, 2], "cubic": [-1, 2, 0, -2, 1],
        "quartic": [1, -4, 6, -4, 1]},
}  # fmt: skip
FACTORS = {
    "cake": "recipe",
    "machines": "Machine",
    "machines_unstructured": "Machine",
    "oats": "Variety",
    "clinics": "t",
}


@pytest.mark.parametrize("k", POLYNOMIALS)
def test_polynomials_are_whole_numbers(k):
    found = contrast_weights("poly", range(k))
    assert {name: own.tolist() for name, own in found.items()} == POLYNOMIALS[k]


def test_names_and_weights():
    levels = ["a", "b", "c"]
    assert list(contrast_weights("pairwise", levels)) == ["b - a", "c - a", "c - b"]
    assert list(contrast_weights("revpairwise", levels)) == ["a - b", "a - c", "b - c"]
    assert list(contrast_weights("trt.vs.ctrl", levels)) == ["b - a", "c - a"]
    assert list(contrast_weights("consec", levels)) == ["b - a", "c - b"]
    np.testing.assert_allclose(contrast_weights("eff", levels)["b effect"], [-1 / 3, 2 / 3, -1 / 3])
    own = contrast_weights({"mean - a": [-1, 0.5, 0.5], "c - b": {"c": 1, "b": -1}}, levels)
    assert {name: weights.tolist() for name, weights in own.items()} == {
        "mean - a": [-1, 0.5, 0.5],
        "c - b": [0, -1, 1],
    }


@pytest.mark.parametrize(
    ("method", "message"),
    [
        ("pairs", "Did you mean `pairwise`"),
        ({"x": [1, -1]}, "2 weights for 3 levels: a, b, c"),
        ({"x": {"d": 1}}, "`d` of contrast `x` is not a level"),
        ({"x": ["a", "b", "c"]}, "are numbers"),
        (3, "Choices: pairwise"),
        ([1, 0, -1], "weights by name"),
    ],
)
def test_weights_that_are_none(method, message):
    with pytest.raises(SpecError, match=message):
        contrast_weights(method, ["a", "b", "c"])


@pytest.mark.parametrize("method", ["trt.vs.ctrl", "eff", "poly", "consec"])
@pytest.mark.parametrize("case", FACTORS)
def test_contrasts_are_emmeans(case, method):
    found = fit_of(case).contrasts(FACTORS[case], method=method, df="kenward-roger")
    close(found, of_emmeans(FIGURES[case]["tables"]["kenward-roger"][method]["none"]))


def test_several_variables_to_be_within():
    fit = fit_of("cake")
    one = fit.contrasts("recipe", ["temperature"])
    both = fit.contrasts("recipe", by=("temperature",), method={"C - A": {"C": 1, "A": -1}})
    assert len(both) == 6
    picked = one[one["contrast"] == "C - A"].reset_index(drop=True)
    np.testing.assert_allclose(both["estimate"], picked["estimate"])
    assert list(one["temperature"].astype(str))[:3] == ["175"] * 3


def test_slopes_are_within_levels_of_factors():
    with pytest.raises(DataError, match=r"`nitro` is a number.*at="):
        fit_of("oats_crossed").slopes("nitro", by="nitro")


def test_names_of_numbers_are_short_and_differ():
    assert list(contrast_weights("pairwise", [1.619706718843572, 4.5])) == ["4.5 - 1.61971"]
    close = [1e9 + 1, 1e9 + 2, 1e9 + 3]
    assert len(contrast_weights("pairwise", close)) == 3
