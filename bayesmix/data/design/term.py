"""Grouping factors and the columns of their random effects, in compact form."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from bayesmix.arrays import Array
from bayesmix.data.columns import Factor, Numeric, SmoothColumns, Variable, drop_unused, factor_of
from bayesmix.data.design.matrix import ModelMatrix, assemble, learn_matrix
from bayesmix.errors import DataError, DesignError
from bayesmix.language.formula.parse import Bar
from bayesmix.language.formula.terms import Terms

Key = tuple[str, ...]

SERIAL = frozenset({"ar1", "hetar1"})  # structures of effects that follow each other in time


@dataclass(frozen=True, slots=True, eq=False)
class Term:
    """One random-effects term: ``(n, k)`` columns and ``(n,)`` level indices, never a dense Z."""

    group: str  # "Subject", "cask:batch"
    levels: tuple[str, ...]  # J labels, in order
    codes: Array  # (N,) intp, level of each entry (see `rows`); -1, -2, ... in new data for levels not seen in fitting
    effects: tuple[str, ...]  # k names: "Intercept", "Days", "recipeB"
    z: Array  # (N, k) float64
    structure: str = "us"  # of a single effect always "us"
    unseen: tuple[str, ...] = ()  # labels of the codes -1, -2, ...
    numeric: tuple[bool, ...] = ()  # whether a column is made of numbers alone; empty if none is known to be
    owners: tuple[int, ...] = ()  # the predictor that each effect is of; empty if all are of the first
    smooth: str = ""  # name of the standard deviation of a smooth's basis functions: "sx_1"
    is_population: bool = False  # a smooth's, of one level that all rows have: no grouping factor, known for new data

    def columns_of(self, predictor: int) -> list[int]:
        """Effects of one linear predictor."""
        return [e for e in range(len(self.effects)) if (self.owners[e] if self.owners else 0) == predictor]


@dataclass(frozen=True, slots=True)
class PenalisedBlock:
    """How the basis functions of one standard deviation of a smooth are made: one of those that its text makes."""

    text: str  # "s(x, k = 6)"
    block: int
    names: tuple[str, ...]

    @property
    def numeric(self) -> tuple[bool, ...]:
        """Whether an effect is a slope that belongs to an intercept: no basis function does."""
        return (False,) * len(self.names)


@dataclass(frozen=True, slots=True, eq=False)
class EffectsEncoder:
    """How the effects of a term on one linear predictor are made from data."""

    predictor: int
    prefix: str  # of their names
    matrix: ModelMatrix | PenalisedBlock

    @property
    def used(self) -> tuple[str, ...]:
        """Expressions that they are made of."""
        return (self.matrix.text,) if isinstance(self.matrix, PenalisedBlock) else self.matrix.terms.used

    def columns(self, variables: Mapping[str, Variable], n: int) -> Array:
        """Columns ``(n, k)``."""
        if isinstance(self.matrix, ModelMatrix):
            return assemble(self.matrix, variables, n)
        made = variables[self.matrix.text]
        assert isinstance(made, SmoothColumns)
        return made.penalised[self.matrix.block]


@dataclass(frozen=True, slots=True, eq=False)
class TermEncoder:
    """How one random-effects term is made from data."""

    factors: tuple[str, ...]  # expressions of the crossed factors
    keys: tuple[Key, ...]  # the level of each factor, for every combination that occurs
    levels: tuple[str, ...]  # their labels, in the same order
    parts: tuple[EffectsEncoder, ...]  # several where predictors share a covariance
    structure: str
    smooth: str = ""  # name of the standard deviation of a smooth

    @property
    def is_population(self) -> bool:
        """Whether all rows are of one level: of a smooth without a grouping factor."""
        return not self.factors

    @property
    def group(self) -> str:
        """Name of the grouping factor; of a smooth without one, its own."""
        return ":".join(text.strip("`") for text in self.factors) or self.smooth

    @property
    def effects(self) -> tuple[str, ...]:
        """Names of the effects."""
        return tuple(part.prefix + name for part in self.parts for name in part.matrix.names)

    @property
    def predictors(self) -> set[int]:
        """The linear predictors that it has effects on."""
        return {part.predictor for part in self.parts}

    def used(self, predictors: Container[int]) -> tuple[str, ...]:
        """Expressions that the effects on some predictors are made of."""
        return tuple(name for part in self.parts if part.predictor in predictors for name in part.used)


@dataclass(frozen=True, slots=True)
class Effects:
    """The left side of a bar: effects on one linear predictor."""

    predictor: int
    prefix: str
    terms: Terms


def learn_term(bar: Bar, effects: Sequence[Effects], variables: Mapping[str, Variable]) -> TermEncoder:
    """Find the levels of a bar's grouping factor and the coding of its effects, on all predictors that share it.

    Raises
    ------
    DesignError
        If there is a single level.
    """
    keys, _ = _cross([_group(text, variables) for text in bar.group])
    levels = _labels(keys)
    if bar.structure in SERIAL:
        for one in effects:
            _check_serial(bar, one.terms, variables)
    parts = tuple(EffectsEncoder(e.predictor, e.prefix, learn_matrix(e.terms, variables, {})) for e in effects)
    encoder = TermEncoder(bar.group, keys, levels, parts, bar.structure)
    return _checked(encoder)


def learn_smooth_term(
    name: str, block: PenalisedBlock, place: tuple[int, str], factor: str, variables: Mapping[str, Variable]
) -> TermEncoder:
    """The term of one standard deviation of a smooth: of one level, or of those of a factor.

    Parameters
    ----------
    name : of the standard deviation.
    place : the predictor, and the prefix of its names.
    factor : expression, empty where there is none.

    Raises
    ------
    DesignError
        If the factor has a single level.
    """
    factors = (factor,) if factor else ()
    keys: tuple[Key, ...] = _cross([_group(text, variables) for text in factors])[0] if factor else ((),)
    parts = (EffectsEncoder(place[0], "", block),)
    encoder = TermEncoder(factors, keys, _labels(keys), parts, "homdiag", place[1] + name)
    return _checked(encoder)


def _checked(encoder: TermEncoder) -> TermEncoder:
    levels = encoder.levels
    encoder = encoder if len(encoder.effects) > 1 else replace(encoder, structure="us")
    if len(levels) < 2 and not encoder.is_population:
        raise DesignError(
            f"The grouping factor `{encoder.group}` has the single level `{''.join(levels)}`:"
            " a spread among levels needs several. Leave the term out, or check how the column was read."
        )
    return encoder


def make_term(
    encoder: TermEncoder,
    variables: Mapping[str, Variable],
    n: int,
    *,
    predictors: Sequence[int] = (0,),
    has_levels: bool = True,
) -> Term:
    """Code n rows of data, stacked by predictor; levels not seen in fitting get the codes -1, -2, ... in order.

    Without levels all rows are of one that was not seen, and the columns of the grouping factor are not needed.
    """
    R = len(predictors)
    if encoder.is_population:
        codes, unseen = np.zeros(n, dtype=np.intp), tuple[str, ...]()
    else:
        codes, unseen = _codes(encoder, variables) if has_levels else (np.full(n, -1, dtype=np.intp), ())
    return Term(
        encoder.group,
        encoder.levels,
        codes if R == 1 else np.tile(codes, R),
        encoder.effects,
        _columns(encoder, variables, n, predictors),
        encoder.structure,
        unseen,
        tuple(number for part in encoder.parts for number in part.matrix.numeric),
        _owners(encoder) if encoder.predictors != {0} or R > 1 else (),
        encoder.smooth,
        encoder.is_population,
    )


def _owners(encoder: TermEncoder) -> tuple[int, ...]:
    return tuple(part.predictor for part in encoder.parts for _ in part.matrix.names)


def _columns(encoder: TermEncoder, variables: Mapping[str, Variable], n: int, predictors: Sequence[int]) -> Array:
    """Columns ``(N, k)`` on the rows of each of some predictors, zeros of effects on others."""
    if len(encoder.parts) == len(predictors) == 1 and encoder.parts[0].predictor == predictors[0]:
        return encoder.parts[0].columns(variables, n)
    z, begin = np.zeros((len(predictors) * n, len(encoder.effects))), 0
    for part in encoder.parts:
        end = begin + len(part.matrix.names)
        if part.predictor in predictors:
            r = predictors.index(part.predictor)
            z[r * n : (r + 1) * n, begin:end] = part.columns(variables, n)
        begin = end
    return z


def _codes(encoder: TermEncoder, variables: Mapping[str, Variable]) -> tuple[Array, tuple[str, ...]]:
    """The code of each row, and the labels of levels that were not seen."""
    found, codes = _cross([_group(text, variables) for text in encoder.factors])
    if found == encoder.keys:
        return codes, ()
    position = {key: j for j, key in enumerate(encoder.keys)}
    unseen = [key for key in found if key not in position]
    position |= {key: -1 - j for j, key in enumerate(unseen)}
    labels = _labels((*encoder.keys, *unseen))[len(encoder.keys) :]
    return np.array([position[key] for key in found], dtype=np.intp)[codes], labels


def _group(text: str, variables: Mapping[str, Variable]) -> Factor:
    value = variables[text]
    if not isinstance(value, Numeric | Factor):
        raise DataError(f"`{text}` cannot be a grouping factor.")
    return drop_unused(replace(factor_of(value), kind="factor"))


def _cross(factors: Sequence[Factor]) -> tuple[tuple[Key, ...], Array]:
    """Return the combinations of levels that occur, and each row's: the first factor varies slowest."""
    keys: tuple[Key, ...] = tuple((level,) for level in factors[0].levels)
    codes = factors[0].codes
    for factor in factors[1:]:
        width = len(factor.levels)
        found, codes = np.unique(codes * width + factor.codes, return_inverse=True)
        keys = tuple((*keys[code // width], factor.levels[code % width]) for code in found.tolist())
    return keys, codes


def _labels(keys: Sequence[Key]) -> tuple[str, ...]:
    """Join levels as lme4 does, `a:b`; quote those with a colon of their own where two labels would be the same."""
    plain = tuple(map(":".join, keys))
    if len(set(plain)) == len(plain):
        return plain
    count = Counter(plain)
    quoted = [
        ":".join(map(_quoted, key)) if count[label] > 1 else label for key, label in zip(keys, plain, strict=True)
    ]
    seen: Counter[str] = Counter()
    for j, label in enumerate(quoted):
        seen[label] += 1
        quoted[j] = label if seen[label] == 1 else f"{label}#{seen[label]}"
    return tuple(quoted)


def _quoted(level: str) -> str:
    return f'"{level}"' if ":" in level else level


def _check_serial(bar: Bar, effects: Terms, variables: Mapping[str, Variable]) -> None:
    """Refuse numbers in ``ar1()``: a slope is one effect, not one a time, and has no neighbours in time."""
    names = [name for name in effects.used if isinstance(variables[name], Numeric)]
    if names:
        group = ":".join(bar.group)
        what = f"`{bar}`: `ar1()` takes the levels of a factor, one effect a time; `{names[0]}` is a number, a slope."
        raise DesignError(f"{what} Write `ar1(0 + factor({names[0]}) | {group})`.")
