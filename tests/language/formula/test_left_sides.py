"""Which formulas are of responses and which of parameters."""

from __future__ import annotations

import pytest

from bayesmix.language.families.registry import find_family
from bayesmix.language.formula.left_sides import divide, name_of
from bayesmix.language.formula.parse import parse


@pytest.mark.parametrize(
    ("formulas", "families", "means", "others"),
    [
        (["y ~ x", "sigma ~ z"], {}, ["y"], [("sigma", "")]),
        (["sigma ~ x", "y ~ z"], {}, ["sigma", "y"], []),  # the first is of a response, whatever its name
        (["a ~ x", "b ~ x", "sigma_b ~ z"], {}, ["a", "b"], [("sigma", "b")]),
        (["a ~ x", "sigma_b ~ z"], {}, ["a", "sigma_b"], []),  # there is no response b
        (["y ~ x", "shape ~ z"], {"shape": "gamma"}, ["y", "shape"], []),  # `family` names it
        (["cbind(s, f) ~ x", "phi_cbindsf ~ z"], {}, ["cbind(s, f)"], [("phi", "cbindsf")]),
        (["a_b ~ x", "b ~ x", "sigma_a_b ~ z"], {}, ["a_b", "b"], [("sigma", "a_b")]),
    ],
)
def test_left_sides_say_what_a_formula_is_of(
    formulas: list[str], families: dict[str, str], means: list[str], others: list[tuple[str, str]]
) -> None:
    found, beside = divide(
        [parse(text) for text in formulas], {name: find_family(one) for name, one in families.items()}
    )
    assert [formula.response for formula in found] == means
    assert [(one.parameter, one.response) for one in beside] == others


@pytest.mark.parametrize(
    ("label", "right"), [("y", "y"), ("cbind(s, f)", "cbindsf"), ("log(y.1)", "logy.1"), ("größe", "größe")]
)
def test_responses_as_parts_of_names(label: str, right: str) -> None:
    assert name_of(label) == right
