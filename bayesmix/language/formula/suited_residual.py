"""Whether correlated residuals suit the rest of a model: within blocks of rows, or between several responses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bayesmix.errors import SpecError
from bayesmix.language.families.family import Family, is_linear
from bayesmix.language.families.link import LINKS, Link
from bayesmix.language.formula.additions import Additions
from bayesmix.language.formula.parse import Formula


def check_residual(
    parts: Mapping[tuple[int, int], Formula],
    families: Sequence[tuple[Family, tuple[Link, ...], Additions]],
) -> None:
    """Raise `SpecError` where residuals cannot have the structure that a formula asks for.

    Parameters
    ----------
    parts : formulas by positions of a response and of a parameter of its family.
    families : of each response, with the links of its parameters and what stands beside it.
    """
    found = [(place, one) for place, one in parts.items() if one.residual is not None]
    if not found:
        return
    (_, parameter), formula = found[0]
    term = formula.residual
    if parameter:
        raise SpecError(f"`{term}` is about the residuals of a response: write it in the formula of its mean.")
    if len(families) > 1:
        raise SpecError(
            f"`{term}` is for models of one response, not several: fit each by itself, or let random effects of the"
            " responses share a covariance, `(1 | ID | g)`."
        )
    ((family, links, additions),) = families
    if not is_linear(family, links[0]) or links[1] is not LINKS["log"]:
        raise SpecError(
            f"`{term}` correlates residuals, which family `{family.name}` with link `{links[0].name}` has not:"
            " it needs gaussian responses, identity link and the log link of sigma. Correlated effects of every time"
            " are `ar1(0 + factor(time) | g)` or `(0 + visit | g)`."
        )
    if additions.is_bounded:
        raise SpecError(f"`{term}` needs responses that are seen as they are, neither censored nor truncated.")
    _check_beside(str(term), additions)
    sigma = parts.get((0, 1))
    if sigma is not None and (sigma.bars or sigma.smooths):
        raise SpecError(
            f"`{term}` stands beside a formula of sigma with fixed effects alone, not"
            f" `{(*sigma.bars, *sigma.smooths)[0]}`: leave one of them out."
        )


def _check_beside(term: str, additions: Additions) -> None:
    """Raise `SpecError` for what is said of single rows beside a density of all rows of a block."""
    if additions.se:
        raise SpecError(
            f"`{term}` correlates residuals of one sigma, `{additions}` says how large each is: leave one of them out."
            " Effects of one study that belong together are `(1 | study)`."
        )
    if additions.weights:
        raise SpecError(
            f"`{term}` makes one density of all rows of a block, `weights({additions.weights})` is of single rows:"
            f' leave one of them out. Variances are divided by weights="{additions.weights}".'
        )


def check_rescor(rescor: Any, responses: Sequence[tuple[str, Family, tuple[Link, ...], bool, Additions]]) -> None:
    """Raise `SpecError` where the residuals of responses cannot be correlated with each other.

    Parameters
    ----------
    responses : label, family and links of each, whether it is normal around its predictor, seen as it is, and what
        stands beside it.
    """
    if not isinstance(rescor, bool):
        raise SpecError(f"rescor is True or False, not {rescor!r}.")
    if not rescor:
        return
    if len(responses) < 2:
        raise SpecError(
            f"rescor=True correlates residuals of several responses; `{responses[0][0]}` is one: leave it out."
        )
    other = next((one for one in responses if not one[3]), None)
    if other is not None:
        label, family, links, *_ = other
        raise SpecError(
            f"rescor=True correlates residuals of gaussian responses with identity link; `{label}` has family"
            f" `{family.name}`, link `{links[0].name}`. Leave rescor out, or let random effects of the responses share"
            " a covariance: `(1 | ID | g)` in each formula."
        )
    beside = next(((label, own) for label, *_, own in responses if own.weights or own.has_sigma), None)
    if beside is not None:
        raise SpecError(
            f"rescor=True has one density of all responses of a row, `{beside[1]}` is of `{beside[0]}` alone: leave one"
            " of them out."
        )
