"""Which models are nested in which."""

from __future__ import annotations

import pytest
from term_cases import estimate

from bayesmix.results.criticism.nested_fits import has_same_fixed_effects, has_same_random_effects, is_nested

DAYS = "Reaction ~ Days"


@pytest.mark.parametrize(
    ("small", "large", "nested"),
    [
        ("Reaction ~ 1 + (1 | Subject)", f"{DAYS} + (1 | Subject)", True),
        (f"{DAYS} + (1 | Subject)", "Reaction ~ 1 + (1 | Subject)", False),
        (DAYS, f"{DAYS} + (1 | Subject)", True),
        (f"{DAYS} + (1 | Subject)", DAYS, False),
        (f"{DAYS} + (1 | Subject)", f"{DAYS} + (Days | Subject)", True),
        (f"{DAYS} + (Days | Subject)", f"{DAYS} + (1 | Subject)", False),
        (f"{DAYS} + (Days || Subject)", f"{DAYS} + (Days | Subject)", True),
        (f"{DAYS} + (Days | Subject)", f"{DAYS} + (Days || Subject)", False),
        (f"{DAYS} + (I(Days / 10) | Subject)", f"{DAYS} + (Days | Subject)", True),
        (f"{DAYS} + (1 | Subject)", f"{DAYS} + (1 | Days)", False),
        (f"{DAYS} + (1 | Subject)", f"{DAYS} + (1 | Subject) + (1 | Days)", True),
        (f"{DAYS} + (1 | half:Subject)", f"{DAYS} + (1 | Subject:half) + (1 | Subject)", True),
        (f"{DAYS} + cs(half | Subject, hom = TRUE)", f"{DAYS} + cs(half | Subject)", True),
        (f"{DAYS} + cs(half | Subject)", f"{DAYS} + cs(half | Subject, hom = TRUE)", False),
        (f"{DAYS} + cs(half | Subject)", f"{DAYS} + (half | Subject)", True),
    ],
)
def test_random_effects_are_looked_at(small: str, large: str, nested: bool) -> None:
    assert is_nested(estimate(small, "sleepstudy"), estimate(large, "sleepstudy")) is nested


def test_what_models_share() -> None:
    first = estimate(f"{DAYS} + (Days | Subject)", "sleepstudy")
    other = estimate(f"{DAYS} + (1 | Subject)", "sleepstudy")
    less = estimate("Reaction ~ 1 + (1 | Subject)", "sleepstudy")
    assert has_same_fixed_effects(first, other)
    assert not has_same_fixed_effects(other, less)
    assert has_same_random_effects(other, less)
    assert not has_same_random_effects(first, other)
