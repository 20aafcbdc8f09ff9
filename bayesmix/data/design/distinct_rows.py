"""Rows that are equal in all that their densities depend on, as one row that counts for all of them.

Engines work on these: a likelihood of independent rows is the same. Rows of successes and of counts need not have the
same response either, for it depends on the sums of theirs alone: on successes and trials, or on counts of a mean times
the number of rows, which is an offset. All other rows have the sum of the weights. What the log densities of summed
responses lack of those of the responses, which no parameter changes, is `Outcome.excess`, so that likelihoods, and with
them criteria, are those of the rows themselves.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from bayesmix.arrays import Array
from bayesmix.data.design.design import Design
from bayesmix.data.design.response import Outcome
from bayesmix.data.design.term import Term
from bayesmix.language.families.family import Family
from bayesmix.language.formula.model_spec import ModelSpec

FEWEST = 1000  # rows in memory from which on it is looked for equal ones
SHARE = 0.5  # of them that may be left, else all stay as they are
FACTORS = (np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB))  # of Steele, Lea and Flood's SplitMix
SHIFTS = (np.uint64(30), np.uint64(27), np.uint64(31))


def distinct(design: Design, spec: ModelSpec) -> Design:
    """The design with rows that are equal only once; itself where there are none, or too few to be worth while.

    Found once for each design and model.
    """
    if not _may_repeat(design, spec):
        return design
    for of, found in design.known:
        if of is spec:
            return found
    found = _distinct(design, spec)
    design.known.append((spec, found))
    return found


def _may_repeat(design: Design, spec: ModelSpec) -> bool:
    """Whether rows are independent given the predictors, and their log densities are multiplied by weights."""
    if spec.is_linear or spec.has_row_covariance or design.layout.residual:
        return False
    is_weighed = all(one.family.weights == "likelihood" for one in spec.responses)
    has_excess = any(one.excess is not None for one in design.outcomes)
    return is_weighed and not has_excess and (design.counts is not None or design.n >= FEWEST)


def _distinct(design: Design, spec: ModelSpec) -> Design:
    sums = [_sums(design, spec, response) for response in range(len(design.outcomes))]
    counts = np.ones(design.n) if design.counts is None else design.counts
    equal = _equal([*_predictors(design), *_responses(design, sums, counts)], counts)
    if len(equal.first) > (SHARE if design.counts is None else 1.0 - 1.0 / design.n) * design.n:
        return design
    number = equal.sum(np.ones(design.n))
    offset = design.data.offset[design.data.stacked(equal.first)]
    outcomes = []
    for response, (outcome, kind) in enumerate(zip(design.outcomes, sums, strict=True)):
        family = spec.responses[response].family
        outcomes.append(_summed(outcome, family, kind, equal))
        if kind == "exposure":
            offset = offset.copy()
            offset[_mean(spec, response) * len(number) :][: len(number)] += np.log(equal.count)
    data = replace(design.data.take(equal.first), counts=equal.count, offset=offset)
    return replace(design, data=data, outcomes=tuple(outcomes))


@dataclass(frozen=True, slots=True, eq=False)
class _Equal:
    """Which rows are equal."""

    first: Array  # (m,) one row of each set of equal ones, in the order of the rows
    own: Array  # (n,) the set of each row
    counts: Array  # (n,) rows of the data that each stands for

    @property
    def count(self) -> Array:
        """Rows of the data in each set ``(m,)``."""
        return self.sum(self.counts)

    def sum(self, values: Array) -> Array:
        """Sums ``(m,)`` of values ``(n,)`` over the rows of each set."""
        return np.bincount(self.own, values, len(self.first))


def _sums(design: Design, spec: ModelSpec, response: int) -> str | None:
    """Whether responses of rows with equal predictors are summed: see `Family.sums`."""
    one = spec.responses[response]
    if design.outcomes[response].bounds is not None:
        return None
    has_rate = len(one.family.parameters) == 1 and one.links[0].is_logarithm
    return one.family.sums if one.family.sums != "exposure" or has_rate else None


def _mean(spec: ModelSpec, response: int) -> int:
    """The predictor of the mean of a response."""
    return next(r for r, one in enumerate(spec.parameters) if one.response == response and one.parameter == 0)


def _summed(outcome: Outcome, family: Family, sums: str | None, equal: _Equal) -> Outcome:
    """What was observed of all rows of each set."""
    taken = outcome.take(equal.first)
    if sums is None:
        return replace(taken, weights=equal.sum(outcome.weights))
    y, trials = equal.sum(equal.counts * outcome.y), taken.trials
    if sums == "trials":
        trials = equal.sum(equal.counts * outcome.trials)
    weights = taken.weights / equal.counts[equal.first]
    excess = equal.sum(equal.counts * family.base(outcome.y, outcome.trials)) - family.base(y, trials)
    if sums == "exposure":
        excess -= y * np.log(equal.count)
    return replace(taken, y=y, trials=trials, weights=weights, excess=excess)


# ---- which rows are equal ---------------------------------------------------------------------------------------


def alike(design: Design, predictors: Collection[int], *beside: Array) -> tuple[Array, Array]:
    """Rows whose linear predictors, those named, are equal whatever the parameters are, and numbers ``(n,)`` beside.

    Returns
    -------
    first (m,), own (n,) : one row of each set of such rows, and the set of each row.
    """
    found = _equal([*_predictors(design, predictors), *beside], np.ones(design.n))
    return found.first, found.own


def _predictors(design: Design, some: Collection[int] | None = None) -> Iterator[Array]:
    """What the linear predictors of rows, or some of them, are made of, ``(n,)`` each."""
    some = range(design.R) if some is None else some
    yield from (design.column(j) for j, owner in enumerate(design.layout.owners) if owner in some)
    yield from (design.offset[design.block(r)] for r in some)
    for term in design.terms:
        owners = term.owners or (0,) * len(term.effects)
        own = [e for e, owner in enumerate(owners) if owner in some]
        yield from _of_term(term, own, design.n) if own else ()


def _of_term(term: Term, effects: Sequence[int], n: int) -> Iterator[Array]:
    slots = term.slots
    yield from term.codes[: slots * n].reshape(slots, n)
    parts = term.z.reshape(-1, n, term.z.shape[1])  # by memberships, or by predictors
    for e in effects:
        yield from parts[:, :, e] if slots > 1 else parts[[term.owners[e] if term.owners else 0], :, e]


def _responses(design: Design, sums: list[str | None], counts: Array) -> Iterator[Array]:
    """What is known of the responses of rows, without what is summed."""
    for outcome, kind in zip(design.outcomes, sums, strict=True):
        yield outcome.weights / counts
        if kind is None:
            yield from (outcome.y, outcome.trials, *(() if outcome.bounds is None else outcome.bounds.arrays))


def _equal(columns: list[Array], counts: Array) -> _Equal:
    """Rows that are equal to the last bit in all columns, by their hashes, which are then held against the columns."""
    import pandas as pd

    bits = [found for column in columns if (found := _bits(column)) is not None]
    hashes = np.zeros(len(counts), np.uint64)
    for own in bits:
        hashes = _mixed(hashes + own)
    codes, levels = pd.factorize(hashes)
    first = np.empty(len(levels), np.intp)
    first[codes[::-1]] = np.arange(len(codes))[::-1]
    at = first[codes]
    if not all(np.array_equal(own, own[at]) for own in bits):  # two of the hashes are equal by chance
        everyone = np.arange(len(counts))
        return _Equal(everyone, everyone, counts)
    return _Equal(first, codes, counts)


def _bits(column: Array) -> Array | None:
    """Numbers as integers of 64 bits; None where all are the same."""
    if np.all(column == column[0]):
        return None
    return (np.asarray(column, np.float64) + 0.0).view(np.uint64)  # zero has two signs


def _mixed(bits: Array) -> Array:
    """Integers each bit of which depends on all bits of those given."""
    for shift, factor in zip(SHIFTS, FACTORS, strict=False):
        bits = (bits ^ (bits >> shift)) * factor
    return bits ^ (bits >> SHIFTS[-1])
