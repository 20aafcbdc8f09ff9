"""Whether what stands beside a response suits its family, and rates as offsets."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from bayesmix.errors import FormulaError, SpecError
from bayesmix.language.families.family import Family
from bayesmix.language.families.link import Link
from bayesmix.language.families.registry import FAMILIES
from bayesmix.language.formula.additions import Additions
from bayesmix.language.formula.parse import Formula


def check_additions(label: str, additions: Additions, family: Family) -> None:
    """Raise `SpecError` where a family has not what is asked of it."""
    if additions.is_bounded and family.log_tails is None:
        known = ", ".join(name for name, one in FAMILIES.items() if one.log_tails is not None)
        raise SpecError(
            f"`{label} | {additions}` needs the distribution function of family `{family.name}`, which it does not"
            f" have here. Families with one: {known}."
        )
    if additions.trials and family.response != "binomial":
        raise SpecError(
            f"`{label} | trials({additions.trials})` counts successes; family `{family.name}` has no trials: use"
            ' family="binomial", or leave trials() out.'
        )


def with_rate(formula: Formula, family: Family, link: Link) -> Formula:
    """A formula whose counts are divided by ``rate(d)``: the logarithm of ``d`` is part of the offset.

    Raises
    ------
    SpecError
        If that would not be the model that brms fits.
    """
    rate = formula.additions.rate
    if not rate:
        return formula
    advice = f"Write `+ offset(log({rate}))` for a mean that is proportional to `{rate}`."
    if not (link.is_logarithm and family.values.is_discrete):
        raise SpecError(
            f"`rate({rate})` is of counts with a log link, not of family `{family.name}` with link `{link.name}`."
        )
    if not _has_mean_as_variance(family):
        raise SpecError(
            f"`rate({rate})` of family `{family.name}` is not the offset that it is of Poisson counts: of counts over"
            f" another time, brms changes the shape as well. {advice}"
        )
    return replace(formula, offsets=(*formula.offsets, f"log({rate})"))


def _has_mean_as_variance(family: Family) -> bool:
    """Whether counts are those of a Poisson process, whose mean alone grows with time."""
    mean = np.ones(1)
    return len(family.parameters) == 1 and bool(family.variance(mean, 2.0 * mean)[0] == 2.0)


def check_alone(formula: Formula) -> None:
    """Raise `FormulaError` where additions stand beside the name of a parameter."""
    if str(formula.additions):
        raise FormulaError(
            f"`{formula.left}` is a parameter: `{formula.additions}` belongs beside the response, in the first formula."
        )
