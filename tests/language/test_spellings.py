"""Names of families and arguments of other packages: what is advised can be followed."""

from __future__ import annotations

import re

import pytest

import bayesmix as bmx
from bayesmix.errors import SpecError
from bayesmix.language.families.registry import FAMILIES as OURS
from bayesmix.language.families.registry import find_family
from bayesmix.language.formula.model_spec import make_spec
from bayesmix.language.spellings import ARGUMENTS, FAMILIES

ADVISED = re.compile(r'family="(\w+)"(?:, link="(\w+)")?')


def test_families_that_we_have_are_not_refused() -> None:
    assert not FAMILIES.keys() & OURS.keys()
    assert all(name == name.lower() for name in FAMILIES)  # as they are looked up


@pytest.mark.parametrize("name", sorted(FAMILIES))
def test_refused_families_say_what_to_write(name: str) -> None:
    with pytest.raises(SpecError) as raised:
        find_family(name)
    assert FAMILIES[name] in str(raised.value)


@pytest.mark.parametrize(
    ("family", "link"),
    sorted({pair for text in [*FAMILIES.values(), *ARGUMENTS.values()] for pair in ADVISED.findall(text)}),
)
def test_families_that_are_advised_exist(family: str, link: str) -> None:
    assert make_spec("y ~ x + (1 | g)", family, link or None, None).family.name == find_family(family).name


@pytest.mark.parametrize(
    "name", sorted({text for advice in ARGUMENTS.values() for text in re.findall(r"bmx\.(\w+)", advice)})
)
def test_names_that_are_advised_are_public(name: str) -> None:
    assert name in bmx.__all__


def test_names_of_arguments_are_as_they_are_looked_up() -> None:
    assert all(re.fullmatch(r"[a-z0-9_]+", name) for name in ARGUMENTS)
