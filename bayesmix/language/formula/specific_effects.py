"""Category-specific effects of ratings, brms's ``cs(x)``: one at each threshold in place of one for all.

Beside each threshold stands a linear predictor, `Parameter.of_threshold`, whose formula is what ``cs()`` holds; several
calls are one sum.
"""

from __future__ import annotations

from bayesmix.errors import SpecError
from bayesmix.language.families.family import Family
from bayesmix.language.families.link import Link
from bayesmix.language.families.ratings import SPECIFIC
from bayesmix.language.families.registry import FAMILIES
from bayesmix.language.formula.parse import Formula
from bayesmix.language.formula.reader import read
from bayesmix.language.formula.terms import expand

type Made = tuple[Family, tuple[Link, ...], dict[int, Formula]]  # formulas by position of the parameter


def with_specific_effects(family: Family, links: tuple[Link, ...], formula: Formula) -> Made:
    """The family of a response with a predictor beside each threshold where its formula has ``cs()``.

    Raises
    ------
    SpecError
        If the family has no thresholds that may move by themselves, or a term stands outside ``cs()``, too.
    """
    if not formula.specific:
        return family, links, {}
    _check_family(family, formula)
    _check_once(formula)
    assert family.with_levels is not None
    _, levels, link, named = family.recipe or ()
    found = family.with_levels(levels, link, named | {SPECIFIC})
    known = {parameter.name: own for parameter, own in zip(family.parameters, links, strict=True)}
    own, latent = formula_of_thresholds(formula), found.latent
    assert latent is not None
    chosen = tuple(latent if one.of_threshold else known[one.name] for one in found.parameters)
    return found, chosen, {j: own for j, one in enumerate(found.parameters) if one.of_threshold}


def formula_of_thresholds(formula: Formula) -> Formula:
    """What the calls of ``cs()`` hold together, as the formula of the predictor beside each threshold."""
    inside = " + ".join(call.removeprefix("cs(").removesuffix(")") for call in formula.specific)
    return Formula("", inside, (), text=" + ".join(formula.specific), is_implied=True)


def has_specific_effects(family: Family) -> bool:
    """Whether a family has thresholds each of which may have effects of its own."""
    return family.is_ordered and not family.is_cut


def _check_family(family: Family, formula: Formula) -> None:
    if has_specific_effects(family):
        return
    known = ", ".join(name for name, one in FAMILIES.items() if has_specific_effects(one))
    reason = (
        " Thresholds with effects of their own may cross, where a category would have a negative probability."
        if family.is_cut
        else ""
    )
    raise SpecError(
        f"`{formula.specific[0]}` of `{formula.response}`: family `{family.name}` has no category-specific effects."
        f"{reason} Families with them: {known}."
    )


def _check_once(formula: Formula) -> None:
    inside = expand(read(formula_of_thresholds(formula).fixed)).labels
    twice = next((label for label in expand(read(formula.fixed)).labels if label in inside), None)
    if twice is not None:
        raise SpecError(
            f"`{twice}` is in the formula twice, by itself and in `cs()`: an effect on all thresholds is the same as"
            " that effect on each. Leave one of them out."
        )
