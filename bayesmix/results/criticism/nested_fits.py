"""Which of two fits is nested in the other: families, links, offsets, weights, fixed columns, random effects."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from bayesmix.arrays import Array
from bayesmix.data.design.condensed import Condensed
from bayesmix.data.design.design import Term, is_same_response
from bayesmix.data.design.layout import parts_of
from bayesmix.data.design.rebuild import rebuild
from bayesmix.data.design.residual_blocks import RowBlocks
from bayesmix.data.design.response import Outcome
from bayesmix.errors import SpecError
from bayesmix.language.families.family import Family
from bayesmix.language.families.link import Link
from bayesmix.language.formula.vocabulary import STRUCTURES
from bayesmix.results.fits.records import EstimateRecord
from bayesmix.results.fits.refit import with_design

SPAN = 1e-8  # relative distance of a column from the space of others within which it lies in it


def families(fit: EstimateRecord) -> list[Family]:
    """Families of the responses."""
    return [response.family for response in fit.spec.responses]


def is_same_family(first: Family, second: Family) -> bool:
    """Whether families are one, or that of the same categories, with or without a parameter that may be left out."""
    if first.recipe is None or second.recipe is None:
        return first is second
    return first.recipe[:3] == second.recipe[:3]  # name, levels, link


def is_nested(smaller: EstimateRecord, larger: EstimateRecord) -> bool:
    """Whether the larger model has the smaller one's families, as themselves or as limits, links, offsets and columns.

    Parameters of the distribution are compared one by one; one without a formula has a column of ones.
    """
    for few, many in zip(families(smaller), families(larger), strict=True):
        if not (is_same_family(few, many) or few.name in many.limits):
            return False
    if any(not np.array_equal(one.weights, other.weights) for one, other in _outcomes(smaller, larger)):
        return False
    many_parts = _parts(larger)
    if not all(is_within(part, many_parts[key]) for key, part in _parts(smaller).items()):
        return False
    if not _is_residual_part(smaller.design.data.blocks, larger.design.data.blocks):
        return False
    keys = sorted({*_predictors(smaller), *_predictors(larger)})
    many_terms = [_aligned(larger, term, keys) for term in larger.design.terms]
    return all(_is_random_part(_aligned(smaller, term, keys), many_terms) for term in smaller.design.terms)


def _predictors(fit: EstimateRecord) -> list[tuple[int, int]]:
    """Response and parameter of each linear predictor."""
    return [(one.response, one.parameter) for one in fit.spec.parameters]


def _aligned(fit: EstimateRecord, term: Term, keys: Sequence[tuple[int, int]]) -> Term:
    """The term with columns on the rows of all these predictors, zero on those that the model has not."""
    own = {key: term.z[fit.design.block(r)] for r, key in enumerate(_predictors(fit))}
    nothing = np.zeros((fit.design.n, term.z.shape[1]))
    return replace(term, z=np.concatenate([own.get(key, nothing) for key in keys]))


def _is_random_part(term: Term, others: Sequence[Term]) -> bool:
    """Whether a random-effects term is a special case of others: fewer effects of the same levels, or less correlated.

    Correlated effects need a term that has them all; independent ones may be spread over several.
    """
    same = [other for other in others if _factors(other) == _factors(term) and is_same_relation(other, term)]
    if len(term.effects) > 1 and term.structure != "diag":
        return any(_is_spanned(term.z, other.z) for other in same if _is_wider(other.structure, term.structure))
    return bool(same) and _is_spanned(term.z, np.column_stack([other.z for other in same]))


def is_same_relation(first: Term, second: Term) -> bool:
    """Whether levels depend on each other in the same way, or not at all."""
    mine, theirs = first.relation, second.relation
    if mine is None or theirs is None:
        return mine is theirs
    return mine.is_same(theirs)


def _factors(term: Term) -> frozenset[str]:
    """The crossed factors of a term, in any order."""
    return frozenset(term.group.split(":"))


def _is_wider(structure: str, other: str) -> bool:
    """Whether a covariance structure has another one as a special case: one of equal standard deviations, or itself."""
    (function, hom), (own, own_hom) = STRUCTURES[structure], STRUCTURES[other]
    return structure == "us" or (function == own and (own_hom or not hom))


def _is_spanned(columns: Array, by: Array) -> bool:
    Q = np.linalg.qr(by)[0]
    outside = columns - Q @ (Q.T @ columns)
    return bool(np.all(np.linalg.norm(outside, axis=0) <= SPAN * np.linalg.norm(columns, axis=0)))


def _is_residual_part(few: RowBlocks | None, many: RowBlocks | None) -> bool:
    """Whether a correlation of residuals is a special case of another: none of any, a series of one of higher orders.

    Of an unstructured one is whatever depends on nothing but the visits.
    """
    if few is None or many is None:
        return few is None
    own, wider = few.structure.term, many.structure.term
    if not is_same_partition(few.block, many.block):
        return False
    if wider.function == "unstr":
        return own.function == "cosy" or _is_of_places(few, many)
    if "cosy" in (own.function, wider.function) or own.function == "unstr":
        return own.function == wider.function
    return own.p <= wider.p and own.q <= wider.q and np.array_equal(few.place, many.place)


def is_same_partition(first: Array, second: Array) -> bool:
    """Whether two codes ``(n,)`` part rows in the same way."""
    pairs = len(np.unique(np.column_stack([first, second]), axis=0))
    return pairs == len(np.unique(first)) == len(np.unique(second))


def _is_of_places(few: RowBlocks, many: RowBlocks) -> bool:
    """Whether two rows' places in one structure decide how their correlation is in another: its places, or lags."""
    if few.structure.term.function == "unstr":
        return is_same_partition(few.place, many.place)
    found = []
    for rows, place in many.by_block():
        i, j = np.triu_indices(rows.shape[1], 1)
        lag = few.place[rows[:, j]] - few.place[rows[:, i]]
        found.append(np.stack([place[:, i], place[:, j], lag], axis=-1).reshape(-1, 3))
    every = np.unique(np.concatenate(found), axis=0)
    return len(np.unique(every[:, :2], axis=0)) == len(every)


def has_same_random_effects(first: EstimateRecord, second: EstimateRecord) -> bool:
    """Whether two models differ in their fixed effects alone."""
    mine, theirs = (
        {(term.group, frozenset(term.effects), term.structure) for term in fit.design.terms} for fit in (first, second)
    )
    one, other = first.design.data.blocks, second.design.data.blocks
    return mine == theirs and _is_residual_part(one, other) and _is_residual_part(other, one)


def has_same_fixed_effects(first: EstimateRecord, second: EstimateRecord) -> bool:
    """Whether two models differ in their random effects alone."""
    mine, theirs = _parts(first), _parts(second)
    return all(is_within(mine[key], theirs[key]) and is_within(theirs[key], mine[key]) for key in mine)


def _outcomes(first: EstimateRecord, second: EstimateRecord) -> Iterable[tuple[Outcome, Outcome]]:
    return zip(first.design.outcomes, second.design.outcomes, strict=True)


@dataclass(frozen=True, slots=True, eq=False)
class _Part:
    """The fixed part of one parameter's linear predictor."""

    link: Link
    X: Array  # (n, p)
    offset: Array  # (n,)


def _parts(fit: EstimateRecord) -> dict[tuple[int, int], _Part]:
    """By response and parameter."""
    design, n = fit.design, fit.design.n
    found = {
        (i, j): _Part(link, np.ones((n, 1)), np.zeros(n))
        for i, response in enumerate(fit.spec.responses)
        for j, link in enumerate(response.links)
    }
    for r, one in enumerate(fit.spec.parameters):
        own = design.block(r)
        found[one.response, one.parameter] = _Part(one.link, design.X[own, design.of_predictor(r)], design.offset[own])
    return found


def is_within(part: _Part, larger: _Part) -> bool:
    """Whether a fixed part is a special case of another."""
    if part.link != larger.link or not np.array_equal(part.offset, larger.offset):
        return False
    return _is_spanned(part.X, larger.X)


def on_same_rows(fits: Sequence[EstimateRecord]) -> list[EstimateRecord]:
    """Fits whose columns can be compared; those of data that stay where they are on rows that stand for these in all.

    Raises
    ------
    SpecError
        If there are none: the sums that were read for one are not among those of another.
    """
    known = [None if fit.design.source is None else fit.design.source.condensed for fit in fits]
    condensed = [one for one in known if one is not None]
    if not condensed:
        return list(fits)
    finest = max(condensed, key=lambda one: len(one.keys) + len(one.numbers))
    if len(condensed) < len(fits) or not all(finest.stands_for(one) for one in condensed):
        raise SpecError(
            f"These fits were made of different rows or sums, those of {finest.label} among them. Make each of the"
            ' largest, large.update("~ . - x"), and compare these.'
        )
    return [_on_rows_of(finest, fit) for fit in fits]


def _on_rows_of(condensed: Condensed, fit: EstimateRecord) -> EstimateRecord:
    source = fit.design.source
    assert source is not None
    if source.condensed is condensed:
        return fit
    design = rebuild(parts_of(fit.spec), replace(source, condensed=condensed))
    return with_design(fit, design)


def check_same_data(fits: Sequence[EstimateRecord]) -> None:
    """Raise `SpecError` where likelihoods are not densities of the same data."""
    first = fits[0]
    for fit in fits[1:]:
        if not is_same_response(first.design, fit.design):
            raise SpecError(
                f"anova compares fits of the same rows of the same response; these differ (`{first.design.response}`,"
                f" {len(first.design.y)} and `{fit.design.response}`, {len(fit.design.y)} rows). Drop rows with missing"
                " values beforehand."
            )
        for one, other in zip(families(first), families(fit), strict=True):
            if one.values.is_discrete != other.values.is_discrete:
                raise SpecError(
                    f"anova compares likelihoods of one kind: `{one.name}` and `{other.name}` give probabilities and"
                    " densities, whose ratio depends on the unit of the response."
                )
