"""Errors that show their place."""

from __future__ import annotations

import pytest

from bayesmix.errors import FormulaError
from bayesmix.language.formula.location import PlaceError, fail, pointing


def test_a_place_becomes_a_caret() -> None:
    with pytest.raises(FormulaError) as raised, pointing("y ~ x + z"):
        raise PlaceError("`z` is wrong.", 8, "Write `w`.")
    what, text, mark, advice = str(raised.value).splitlines()
    assert (what, text.strip(), advice) == ("`z` is wrong.", "y ~ x + z", "Write `w`.")
    assert text[mark.index("^")] == "z"
    assert type(raised.value) is FormulaError  # the place is told


def test_other_errors_go_through() -> None:
    with pytest.raises(KeyError), pointing("y ~ x"):
        raise KeyError("x")


@pytest.mark.parametrize("position", [0, 150, 499])
def test_long_text_is_cut_around_the_place(position: int) -> None:
    text = "".join(chr(ord("a") + i % 26) for i in range(500))
    with pytest.raises(FormulaError) as raised:
        fail(text, position, "Wrong.")
    _, shown, mark = str(raised.value).splitlines()
    assert shown[mark.index("^")] == text[position]
    assert len(shown) < 220
    assert shown.strip().startswith("...") == (position > 100)
