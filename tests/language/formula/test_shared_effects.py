"""IDs of effects that share a covariance: what they cannot stand for."""

from __future__ import annotations

import pytest

from bayesmix.errors import FormulaError
from bayesmix.language.formula.parse import parse
from bayesmix.language.formula.shared_effects import check_shared


def checked(*formulas: str) -> None:
    check_shared(parse(text) for text in formulas)


@pytest.mark.parametrize(
    "formulas",
    [
        ("y ~ x + (x | ID | g)", "sigma ~ 1 + (1 | ID | g)"),  # the intercept of another predictor
        ("y ~ x + (1 | a | g) + (0 + x | b | g)",),
        ("y ~ x + (1 | a | g) + (0 + x | a | g)",),  # different effects in two bars
        ("y ~ x + (1 | g) + (1 | h)",),
    ],
)
def test_one_factor_an_id_and_each_effect_once(formulas: tuple[str, ...]) -> None:
    checked(*formulas)


@pytest.mark.parametrize(
    ("formulas", "place", "message"),
    [
        (
            ("y ~ (1 | ID | g)", "sigma ~ 1 + (1 | ID | h)"),
            "(1 | ID | h)",
            r"ID `ID` is one of levels of `g`, and here of `h`",
        ),
        (("y ~ (1 | ID | g) + (1 | ID | g:h)",), "(1 | ID | g:h)", "and here of `g:h`"),
        (("y ~ x + (x | a | g) + (0 + x | a | g)",), "(0 + x", "Effect `x` is there twice under the ID `a`"),
        (("y ~ (1 | a | g) + (0 + x | a | g) + (1 | a | g)",), None, "Effect `Intercept` is there twice"),
        (("y ~ (1 | a | g) + (1 | a | g)",), None, "Effect `Intercept` is there twice"),
    ],
)
def test_what_has_no_covariance_is_refused_where_it_stands(
    formulas: tuple[str, ...], place: str | None, message: str
) -> None:
    with pytest.raises(FormulaError, match=message) as raised:
        checked(*formulas)
    if place is not None:
        shown, mark = str(raised.value).splitlines()[1:3]
        start = shown.index(place)
        assert start <= mark.index("^") < start + len(place)
