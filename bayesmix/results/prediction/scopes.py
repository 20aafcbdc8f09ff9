"""Scopes of predictions: what stands for the random effects of each grouping factor."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal, get_args

import numpy as np

from bayesmix.arrays import Array
from bayesmix.data.design.design import Term
from bayesmix.errors import DataError, SpecError, nearest

Scope = Literal["fitted", "new", "average", "zero", "known"]
Groups = Scope | Mapping[str, Scope]

SCOPES: tuple[Scope, ...] = get_args(Scope)


def resolve_scopes(terms: Sequence[Term], groups: Any) -> tuple[Scope, ...]:
    """The scope of each term, from one for all or a dictionary by grouping factor; those not named are ``"fitted"``.

    Smooths are no groups: theirs is always ``"fitted"``.

    Raises
    ------
    SpecError
        If there is no such scope or grouping factor.
    """
    if isinstance(groups, str):
        scope = _scope(groups)
        return tuple("fitted" if term.is_population else scope for term in terms)
    if not isinstance(groups, Mapping):
        raise SpecError(
            f"groups= of a prediction is a scope, not {groups!r}. Choices: {', '.join(SCOPES)}; or a scope for each"
            f" grouping factor, {_example(terms)}."
        )
    chosen = {_group(terms, name): _scope(scope) for name, scope in groups.items()}
    return tuple(chosen.get(term.group, "fitted") for term in terms)


def _scope(value: Any) -> Scope:
    if not isinstance(value, str) or value not in SCOPES:
        hint = nearest(value, SCOPES) if isinstance(value, str) else ""
        raise SpecError(f"predict has no groups=`{value}`.{hint} Choices: {', '.join(SCOPES)}.")
    return value


def _group(terms: Sequence[Term], name: Any) -> str:
    """The grouping factor of a name; the inner factor of a nested one will do, ``cask`` for ``cask:batch``."""
    known = list(dict.fromkeys(term.group for term in terms if not term.is_population))
    if name in known:
        return str(name)
    inner = [group for group in known if group.split(":")[0] == name]
    if len(inner) == 1:
        return inner[0]
    factors = f"Factors: {', '.join(known)}." if known else "The model has none."
    raise SpecError(f"`{name}` is not a grouping factor.{nearest(str(name), known)} {factors}")


def _example(terms: Sequence[Term]) -> str:
    group = next((term.group for term in terms if not term.is_population), "g")
    return f'groups={{"{group}": "new"}}'


# ---- rows ----------------------------------------------------------------------------------------------------------


def with_own(terms: Sequence[Term], scopes: Sequence[Scope], n: int) -> tuple[Term, ...]:
    """Terms in which only rows with effects of a level of the fit have a level.

    Parameters
    ----------
    n : rows of the data, whose linear predictors and memberships stand one after the other in the terms.

    Raises
    ------
    DataError
        If a level that ``"fitted"`` asks for was not seen in fitting.
    """
    require_seen([term for term, scope in zip(terms, scopes, strict=True) if scope == "fitted"], n)
    return tuple(
        term if scope in ("fitted", "known") else replace(term, codes=np.full(len(term.codes), -1))
        for term, scope in zip(terms, scopes, strict=True)
    )


def without_z(terms: Sequence[Term], rows: Sequence[Array]) -> tuple[Term, ...]:
    """Terms of zeros in the rows that are not chosen, of their first level; ``rows`` has ``(n,)`` of bool a term."""
    return tuple(
        replace(term, z=np.where(own[:, None], term.z, 0.0), codes=np.where(own, term.codes, 0))
        for term, own in zip(terms, rows, strict=True)
    )


def drawn_rows(terms: Sequence[Term], scopes: Sequence[Scope]) -> list[Array]:
    """Which rows of each term have the effects of a new level: ``(n,)`` of bool a term."""
    return [
        (term.codes < 0) & (scope == "known") | np.full(len(term.codes), scope == "new")
        for term, scope in zip(terms, scopes, strict=True)
    ]


def averaged_terms(terms: Sequence[Term], scopes: Sequence[Scope]) -> tuple[Term, ...]:
    """Terms whose effects are integrated out, the others with zeros."""
    chosen = [np.full(len(term.codes), scope == "average") for term, scope in zip(terms, scopes, strict=True)]
    return without_z(terms, chosen)


def require_seen(terms: Sequence[Term], n: int) -> None:
    """Raise `DataError` for levels not seen in fitting, of ``n`` rows of data."""
    for term in terms:
        unseen = np.any((term.codes < 0).reshape(len(term.codes) // max(n, 1), n), axis=0)
        if np.any(unseen):
            count = int(np.sum(unseen))
            named = f" ({', '.join(term.unseen[:10])}{', ...' * (len(term.unseen) > 10)})" if term.unseen else ""
            raise DataError(
                f"New data have {count} row{'s' * (count > 1)} whose level of `{term.group}` was not seen in"
                f' fitting{named}. Use groups="known", which draws the effects of such levels, or "new", "average",'
                ' "zero".'
            )
