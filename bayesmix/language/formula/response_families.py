"""Families and links of the responses of a model, as users give them: one for all, or a dictionary by name."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from bayesmix.errors import SpecError, nearest
from bayesmix.language.families.family import Family
from bayesmix.language.families.link import Link
from bayesmix.language.families.registry import find_family, find_link
from bayesmix.language.formula.formulas import MEAN, bare

type Families = Family | dict[str, Family]  # by response
type Links = str | Mapping[str, Any] | None  # by response or parameter


def read_families(family: Any) -> Families:
    """What a user gave as ``family``, as records."""
    if not isinstance(family, Mapping):
        return family if isinstance(family, Family) else find_family(family)
    return {bare(str(key)): one if isinstance(one, Family) else find_family(one) for key, one in family.items()}


def family_of(families: Families, keys: tuple[str, str]) -> Family:
    """The family of a response, called by its label or its name."""
    if not isinstance(families, dict):
        return families
    found = next((families[key] for key in keys if key in families), None)
    if found is None:
        raise SpecError(f'family says nothing of response `{keys[0]}`: add "{keys[0]}": "gaussian", or another.')
    return found


def link_keys(keys: tuple[str, str], family: Family, taken: set[str]) -> Iterator[list[str]]:
    """What a dictionary of links may call each parameter, the most specific first; a response's name is its mean's."""
    for j, parameter in enumerate(family.parameters):
        whole = [f"{parameter.name}_{keys[1]}", parameter.name]
        free = [key for key in (whole if j else [*whole, MEAN]) if key not in taken]
        yield free if j else [*keys, *free]


def links_of(family: Family, link: Links, calls: Sequence[Sequence[str]]) -> tuple[Link, ...]:
    """The link of each parameter of a family, that of the mean first."""
    if isinstance(link, Mapping):
        found = [next((link[key] for key in keys if key in link), None) for keys in calls]
    else:
        found = [link, *[None] * (len(calls) - 1)]
    return tuple(find_link(family, name, parameter=j) for j, name in enumerate(found))


def check_keys(what: str, given: Iterable[Any], known: Iterable[str]) -> None:
    """Raise `SpecError` where a dictionary has a key that is nothing's name."""
    unknown = next((key for key in given if key not in known), None)
    if unknown is not None:
        listed = sorted(known)
        raise SpecError(f"{what} has a key `{unknown}`.{nearest(str(unknown), listed)} Known: {', '.join(listed)}.")
