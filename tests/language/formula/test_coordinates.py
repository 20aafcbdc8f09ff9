"""Coordinates left of the bar of structures by distance: what they become, and what is refused."""

from __future__ import annotations

import pytest

from bayesmix.errors import FormulaError
from bayesmix.language.formula.parse import parse

READ = {
    "ou(time | g)": "ou(time | g)",
    "ou(0 + numFactor(time) | g)": "ou(time | g)",
    "exp(x + z | g)": "exp(x + z | g)",
    "exp(0 + numFactor(x, z) | g)": "exp(x + z | g)",
    "exp(numFactor(x, z) + 0 | g)": "exp(x + z | g)",
    "gau(log(x) + I(z / 10) | a:b)": "gau(log(x) + I(z/10) | a:b)",
    "mat(x + x + z | g)": "mat(x + z | g)",
    "exp(x) + exp(x | g)": "exp(x | g)",
    "ou(time | a/b)": "ou(time | b:a) + ou(time | a)",
}
REFUSED = {
    "ou(x + z | g)": "takes 1 coordinate, not 2",
    "exp(0 | g)": "needs the coordinates of positions",
    "ou(factor(x) | g)": r"`factor\(x\)` is no coordinate",
    "exp(x:z | g)": "`x:z` is no coordinate",
    "exp(x - z | g)": "`z` is no coordinate",
    "exp(. | g)": "`.` is no coordinate",
    "ou(time || g)": "both name a covariance structure",
    "ou(time | p | g)": "takes no ID",
    "exp(x | g, hom = TRUE)": r"does not take these arguments.(?s:.)*`exp\(x \| g\)`",
    "ou(time)": "goes around a bar",
}


@pytest.mark.parametrize("text", READ)
def test_coordinates_are_printed_as_what_they_became(text: str) -> None:
    found = parse(f"y ~ {text}")
    assert " + ".join(map(str, found.bars)) == READ[text]
    assert parse(str(found)) == found


@pytest.mark.parametrize("text", REFUSED)
def test_what_is_no_coordinate_is_refused(text: str) -> None:
    with pytest.raises(FormulaError, match=REFUSED[text]):
        parse(f"y ~ {text}")
