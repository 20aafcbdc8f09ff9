"""Formulas of the scores of single categories, which the data name later: ``mublue ~ z``, as in brms."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from bayesmix.errors import SpecError
from bayesmix.language.families.family import Family
from bayesmix.language.formula.formulas import MEAN
from bayesmix.language.formula.parse import Formula, parse
from bayesmix.language.formula.response_families import Families


def with_named_scores(families: Families, formulas: Sequence[Formula]) -> Families:
    """The family with a parameter for each category that a formula after the first names: of one response only."""
    if isinstance(families, dict):
        return {key: _named(one, formulas) for key, one in families.items()} if len(families) == 1 else families
    return _named(families, formulas)


def _named(family: Family, formulas: Sequence[Formula]) -> Family:
    if not family.parameters[0].is_mean or family.with_levels is None:
        return family
    known = {parameter.name for parameter in family.parameters}
    names = dict.fromkeys(one.response for one in formulas[1:])
    own = [name.removeprefix(MEAN) for name in names if name.startswith(MEAN) and name not in known]
    _, levels, link, named = family.recipe or ()
    return family.with_levels((*levels, *own), link, named) if own else family


def check_scores(label: str, family: Family, found: Family, formulas: Iterable[tuple[str, Formula]]) -> None:
    """Raise `SpecError` where a formula is of a category that a response does not have, or of its first one.

    Parameters
    ----------
    family, found : the family before the data are known, and with their categories.
    formulas : of parameters, by name.
    """
    if not family.parameters[0].is_mean:
        return
    known = {parameter.name for parameter in found.parameters}
    for name, formula in formulas:
        if name == family.parameters[0].name or name in known:
            continue
        reference, level = found.levels[0], name.removeprefix(MEAN)
        why = (
            f"`{reference}` is the reference, whose score is zero"
            if level == reference
            else f"`{label}` has no category `{level}`"
        )
        others = ", ".join(f"`{one} ~ ...`" for one in sorted(known))
        raise SpecError(f"`{formula.text}` is of the score of a category, and {why}. Scores are {others}.")


def with_first_score(
    mean: Formula, formulas: Mapping[str, Formula], names: Sequence[str]
) -> tuple[Formula, dict[str, Formula]]:
    """The formula of a response as that of its first score, and those of the others, where the first has its own.

    ``["y ~ x", "mub ~ z"]`` of scores ``mub`` and ``muc`` is ``["y ~ z", "muc ~ x"]``.
    """
    own = formulas.get(names[0])
    if own is None:
        return mean, dict(formulas)
    theirs = {name: formulas.get(name) or replace(parse(_of(name, mean)), response="") for name in names[1:]}
    return parse(_of(mean.left, own)), theirs


def _of(left: str, formula: Formula) -> str:
    """A formula with another left side."""
    text = formula.text or str(formula)
    return f"{left} {text[text.index('~') :]}"
