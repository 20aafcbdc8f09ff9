"""Effects that share a covariance, ``(x | ID | g)``: what an ID cannot stand for."""

from __future__ import annotations

from collections.abc import Iterable

from bayesmix.language.formula.location import PlaceError, pointing
from bayesmix.language.formula.parse import Bar, Formula
from bayesmix.language.formula.reader import read
from bayesmix.language.formula.terms import expand


def check_shared(formulas: Iterable[Formula]) -> None:
    """Refuse an ID of two grouping factors, and an effect that is there twice under one ID."""
    groups: dict[str, Bar] = {}
    for formula in formulas:
        seen: set[tuple[str, str]] = set()
        with pointing(formula.text or str(formula)):
            for bar in (bar for bar in formula.bars if bar.shared):
                _check_group(bar, groups.setdefault(bar.shared, bar))
                effects = {(bar.shared, effect) for effect in _effects(bar)}
                if seen & effects:
                    what = f"Effect `{min(seen & effects)[1]}` is there twice under the ID `{bar.shared}`."
                    raise PlaceError(what, bar.place, "Leave one of them out.")
                seen |= effects


def _check_group(bar: Bar, first: Bar) -> None:
    if (bar.group, bar.grouping) != (first.group, first.grouping):
        here, there = (one.grouping.spelled(one.group) for one in (bar, first))
        what = f"The ID `{bar.shared}` is one of levels of `{there}`, and here of `{here}`."
        advice = f"Effects of one factor share a covariance: give these another ID, `(... | {bar.shared}2 | {here})`."
        raise PlaceError(what, bar.place, advice)


def _effects(bar: Bar) -> list[str]:
    terms = expand(read(bar.effects))
    return ["Intercept"] * terms.intercept + list(terms.labels)
