"""Terms of bars: their levels, related ones among them, and the coding of their effects."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from bayesmix.arrays import Array
from bayesmix.data.columns import Factor, Numeric, Variable, name_all
from bayesmix.data.design.level_labels import labels_of
from bayesmix.data.design.matrix import ModelMatrix, learn_matrix
from bayesmix.data.design.positions import Positions, learn_positions
from bayesmix.data.design.term import (
    SERIAL,
    Effects,
    EffectsEncoder,
    Stratum,
    TermEncoder,
    checked,
    group_levels,
    levels_of,
)
from bayesmix.data.relation import Relation
from bayesmix.errors import DataError, DesignError
from bayesmix.language.formula.parse import Bar
from bayesmix.language.formula.terms import Terms
from bayesmix.language.formula.vocabulary import POSITIONAL, STRUCTURES

PLAIN = ("us", "diag")  # structures of effects that may have a t distribution


def learn_all_terms(
    bars: Sequence[tuple[Bar, Sequence[Effects]]], variables: Mapping[str, Variable], relations: Mapping[str, Relation]
) -> list[TermEncoder]:
    """The terms of bars, each with its effects."""
    _check_distributions([bar for bar, _ in bars])
    return [term for bar, effects in bars for term in learn_terms(bar, effects, variables, relations)]


def learn_terms(
    bar: Bar, effects: Sequence[Effects], variables: Mapping[str, Variable], relations: Mapping[str, Relation]
) -> list[TermEncoder]:
    """Find the levels of a bar's grouping factor and the coding of its effects, on all predictors that share it.

    Several terms where each level of a factor between levels has a covariance of its own.

    Raises
    ------
    DesignError
        If there is a single level; but those of positions, which are many, may be all of one.
    DataError
        If levels are related by a matrix that is not given, or has not all of them.
    """
    _check_supported(bar)
    memberships = bar.grouping if bar.grouping.function == "mm" else None
    keys, codes = levels_of(bar.group, memberships, variables)
    levels = labels_of(keys)
    if bar.structure in SERIAL:
        for one in effects:
            _check_serial(bar, one.terms, variables)
    parts = tuple(EffectsEncoder(e.predictor, e.prefix, _learnt(bar, e.terms, variables)) for e in effects)
    made = TermEncoder(bar.group, keys, levels, parts, bar.structure, memberships=memberships)
    encoder = checked(replace(made, is_normal=bar.grouping.is_normal))
    if bar.grouping.cov:
        encoder = _related(encoder, bar, relations)
    if bar.grouping.by:
        between = group_levels(bar.grouping.by, variables)
        _check_between(bar, levels, codes, between)
        return [replace(encoder, stratum=Stratum(bar.grouping.by, level)) for level in between.levels]
    return [encoder]


def _learnt(bar: Bar, terms: Terms, variables: Mapping[str, Variable]) -> ModelMatrix | Positions:
    if bar.structure in POSITIONAL:
        return learn_positions(terms, variables, str(bar))
    return learn_matrix(terms, variables, {})


def _check_supported(bar: Bar) -> None:
    """Refuse what is of normal effects alone."""
    own = bar.grouping
    if own.is_normal:
        return
    beside = f"`cov = {own.cov}`" if own.cov else f"`by = {own.by}`" if own.by else ""
    if bar.structure not in PLAIN:
        beside = f"`{STRUCTURES[bar.structure][0]}()`"
    if beside:
        group = ":".join(bar.group)
        raise DesignError(
            f"`{bar}`: t distributed effects are those of independent levels with one covariance; {beside} is of normal"
            f' effects. Write `({bar.effects} | gr({group}, dist = "student"))`, or leave `dist =` out.'
        )


def _check_distributions(bars: Sequence[Bar]) -> None:
    """Refuse normal and t distributed effects of one grouping factor: those of a level are scaled together."""
    first: dict[tuple[str, ...], Bar] = {}
    for bar in bars:
        other = first.setdefault(bar.group, bar)
        if other.grouping.is_normal != bar.grouping.is_normal:
            raise DesignError(
                f"`{other}` and `{bar}`: the effects of the levels of `{':'.join(bar.group)}` have one distribution."
                ' Write `dist = "student"` in both, or in none.'
            )


def _related(encoder: TermEncoder, bar: Bar, relations: Mapping[str, Relation]) -> TermEncoder:
    """The term with all the levels that are related, of which some may have no rows."""
    name = bar.grouping.cov
    relation = relations.get(name)
    if relation is None:
        known = f" It has {name_all(list(relations))}." if relations else ""
        raise DataError(f'`{name}` of `{bar}` is not in data2: give it, data2={{"{name}": ...}}.{known}')
    lacking = [level for level in encoder.levels if level not in set(relation.labels)]
    if lacking:
        raise DataError(
            f"`{name}` has no row for {len(lacking)} level(s) of `{encoder.group}`: {name_all(lacking)}. Its rows and"
            " columns are called as the levels are: add them, or leave their rows of the data out."
        )
    keys = tuple((label,) for label in relation.labels)
    return replace(encoder, keys=keys, levels=relation.labels, relation=relation)


def _check_between(bar: Bar, levels: Sequence[str], codes: Array, between: Factor) -> None:
    """Refuse a factor of which some level of the grouping factor has several levels."""
    pairs = np.unique(np.stack([codes, between.codes]), axis=1)
    twice = np.flatnonzero(np.bincount(pairs[0], minlength=len(levels)) > 1)
    if len(twice):
        own = [between.levels[code] for code in pairs[1, pairs[0] == twice[0]]]
        group = ":".join(bar.group)
        raise DataError(
            f"`by = {bar.grouping.by}` is between levels of `{group}`: each has one covariance. `{levels[twice[0]]}` is"
            f" in {name_all(own)}. Write `(0 + {bar.grouping.by} | {group})` for effects of each within levels."
        )


def _check_serial(bar: Bar, effects: Terms, variables: Mapping[str, Variable]) -> None:
    """Refuse numbers in ``ar1()`` and ``toep()``: a slope is one effect, not one a time, and has no neighbours."""
    names = [name for name in effects.used if isinstance(variables[name], Numeric)]
    if names:
        group, function = ":".join(bar.group), STRUCTURES[bar.structure][0]
        raise DesignError(
            f"`{bar}`: `{function}()` takes the levels of a factor, one effect a time; `{names[0]}` is a number, a"
            f" slope. Write `{function}(0 + factor({names[0]}) | {group})` for times at equal steps, `ou({names[0]} |"
            f" {group})` for times at any."
        )
