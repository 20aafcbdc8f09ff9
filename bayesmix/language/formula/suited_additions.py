"""Whether what stands beside a response suits its family, and rates as offsets."""

from __future__ import annotations

from dataclasses import replace

from bayesmix.errors import FormulaError, SpecError
from bayesmix.language.families.family import Family
from bayesmix.language.families.link import LINKS, Link
from bayesmix.language.families.registry import FAMILIES, counted
from bayesmix.language.formula.additions import Additions
from bayesmix.language.formula.known_errors import check_errors
from bayesmix.language.formula.parse import Formula, parse


def suited_family(label: str, additions: Additions, family: Family) -> Family:
    """The family of a response with what stands beside it: one whose log density is multiplied by ``weights(w)``.

    Raises
    ------
    SpecError
        If it has not what is asked of it.
    """
    if additions.is_bounded and family.log_tails is None:
        known = ", ".join(name for name, one in FAMILIES.items() if one.log_tails is not None)
        reason = f" {family.untold}" if family.untold else ""
        raise SpecError(
            f"`{label} | {additions}` needs the distribution function of family `{family.name}`, which it does not"
            f" have here.{reason} Families with one: {known}."
        )
    check_errors(label, additions, family)
    if additions.trials and not family.values.has_trials:
        raise SpecError(
            f"`{label} | trials({additions.trials})` counts successes; family `{family.name}` has no trials: use"
            ' family="binomial", or leave trials() out.'
        )
    return counted(family) if additions.weights else family


type Rated = tuple[Family, tuple[Link, ...], dict[int, Formula]]  # formulas by position of the parameter


def with_rate(family: Family, links: tuple[Link, ...], formulas: dict[int, Formula]) -> Rated:
    """A response of counts that ``rate(d)`` divides: the logarithm of ``d`` is part of the offset of its mean.

    And of what else grows with the time of a process: the shape of negative binomial counts, as in brms. Geometric ones
    are of shape one over a time of one, so negative binomial ones of shape ``d``.

    Raises
    ------
    SpecError
        If that would not be the model that brms fits.
    """
    rate = formulas[0].additions.rate
    if not rate:
        return family, links, formulas
    _check_rate(family, links[0], rate)
    found = dict(formulas)
    whole = family if family.process is None else family.process
    links = (*links, *(LINKS[one.links[0]] for one in whole.parameters[len(links) :]))
    for j, one in enumerate(whole.parameters):
        if one.name in (whole.exposed or ()):
            _check_rate(family, links[j], rate)
            found.setdefault(j, replace(parse(f"{one.name} ~ {1 if whole is family else 0}"), response=""))
        elif j:
            continue
        found[j] = replace(found[j], offsets=(*found[j].offsets, f"log({rate})"))
    return whole, links, found


def _check_rate(family: Family, link: Link, rate: str) -> None:
    if not (link.is_logarithm and family.values.is_discrete):
        raise SpecError(
            f"`rate({rate})` is of counts with a log link, not of family `{family.name}` with link `{link.name}`."
        )
    if family.exposed is None and family.process is None:
        raise SpecError(
            f"`rate({rate})` of family `{family.name}` is not the offset that it is of Poisson counts: its counts over"
            f" another time have another distribution. Write `+ offset(log({rate}))` for a mean that is proportional to"
            f" `{rate}`."
        )


def check_alone(formula: Formula) -> None:
    """Raise `FormulaError` where the formula of a parameter has what belongs in that of a response."""
    if formula.specific:
        raise FormulaError(
            f"`{formula.text}`: category-specific effects belong in the first formula, that of the rating."
        )
    if str(formula.additions):
        raise FormulaError(
            f"`{formula.left}` is a parameter: `{formula.additions}` belongs beside the response, in the first formula."
        )
