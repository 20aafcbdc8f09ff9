"""Known standard errors of responses: ``y | se(s)``, and ``y | se(s, sigma = TRUE)`` with noise beside them.

What a row of data has reaches a density as a parameter without coefficients: a linear predictor that is an offset and
nothing else. So the errors are known wherever the rows are, in new data, too.
"""

from __future__ import annotations

from bayesmix.errors import SpecError
from bayesmix.language.families.family import Family
from bayesmix.language.families.link import LINKS, Link
from bayesmix.language.families.registry import FAMILIES
from bayesmix.language.formula.additions import Additions
from bayesmix.language.formula.parse import Formula

SIGMA = 1  # position of the parameter that errors are about


def check_errors(label: str, additions: Additions, family: Family) -> None:
    """Raise `SpecError` where a family has no standard deviation that could be known, or rows count more than once."""
    if additions.se and additions.weights:
        raise SpecError(
            f"`{label} | {additions}`: a response with a known standard error is one observation and counts once."
            f" Repeat rows that count twice, or leave `weights({additions.weights})` out."
        )
    if additions.se and family.noisy is None:
        known = ", ".join(name for name, one in FAMILIES.items() if one.noisy is not None)
        raise SpecError(
            f"`{label} | {additions}`: responses of family `{family.name}` have no standard errors that could be known."
            f" Families whose have: {known}."
        )


type Known = tuple[Family, tuple[Link, ...], dict[int, Formula]]  # formulas by position of the parameter


def with_known_errors(
    family: Family, links: tuple[Link, ...], formulas: dict[int, Formula], *, is_alone: bool
) -> Known:
    """A response whose standard errors the data have, each row its own.

    Parameters
    ----------
    is_alone : whether there is no other response. A family of a mean and sigma then has the errors as weights, and
        stays a model of one linear predictor.

    Raises
    ------
    SpecError
        If sigma is known and has a formula, too.
    """
    said = formulas[0].additions
    if not said.se:
        return family, links, formulas
    known = Formula("", "0", (), (f"log({said.se})",), text=f"{family.parameters[SIGMA].name} ~ 0", is_implied=True)
    if said.has_sigma:
        assert family.noisy is not None
        whole = family.noisy
        return whole, (*links, LINKS[whole.parameters[-1].links[0]]), {**formulas, len(links): known}
    if SIGMA in formulas:
        raise SpecError(
            f"`{formulas[SIGMA].text}` is a formula of what `{said}` says is known. With noise beside the errors write"
            f" `se({said.se}, sigma = TRUE)`; else leave the formula out."
        )
    if is_alone and family.is_plain and not formulas[0].monotonic:
        return family, links, formulas
    return family, links, {**formulas, SIGMA: known}
