"""Grouping factors and the columns of their random effects, in compact form."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from bayesmix.arrays import Array
from bayesmix.data.columns import Factor, Numeric, SmoothColumns, Spectrum, Variable, drop_unused, factor_of
from bayesmix.data.design.level_labels import Key, labels_of
from bayesmix.data.design.matrix import ModelMatrix, assemble
from bayesmix.data.design.memberships import member_levels, membership_weights
from bayesmix.data.design.positions import Point, Positions
from bayesmix.data.relation import Relation
from bayesmix.errors import DataError, DesignError
from bayesmix.language.formula.grouping import Grouping
from bayesmix.language.formula.terms import Terms

SERIAL = frozenset({"ar1", "hetar1", "toep", "homtoep"})  # structures of effects that follow each other in time


@dataclass(frozen=True, slots=True, eq=False)
class Term:
    """One random-effects term: ``(n, k)`` columns and ``(n,)`` level indices, never a dense Z."""

    group: str  # "Subject", "cask:batch"
    levels: tuple[str, ...]  # J labels, in order
    codes: Array  # (N,) intp, level of each entry (see `rows`); -1, -2, ... in new data for levels not seen in fitting
    effects: tuple[str, ...]  # k names: "Intercept", "Days", "recipeB"
    z: Array  # (N, k) float64
    structure: str = "us"  # of a single effect always "us"; of a Gaussian process its covariance function
    unseen: tuple[str, ...] = ()  # labels of the codes -1, -2, ...
    numeric: tuple[bool, ...] = ()  # whether a column is made of numbers alone; empty if none is known to be
    owners: tuple[int, ...] = ()  # the predictor that each effect is of; empty if all are of the first
    smooth: str = ""  # name of the standard deviation of a smooth's basis functions: "sx_1"
    is_population: bool = False  # a smooth's, of one level that all rows have: no grouping factor, known for new data
    relation: Relation | None = None  # of the levels, of which some may be without rows; None if independent
    positions: tuple[Point, ...] = ()  # where each effect stands, of structures by distance
    spectrum: Spectrum | None = None  # of the functions of a Gaussian process
    slots: int = 1  # levels that a row is a member of: arrays have one membership after the other, ``slots N`` entries
    is_normal: bool = True  # whether effects are; else they have a multivariate t distribution

    @property
    def is_independent(self) -> bool:
        """Whether levels are, and each row of one of them."""
        return self.relation is None and self.slots == 1

    @property
    def total(self) -> Array:
        """Columns ``(N, k)`` of rows, summed over their memberships."""
        return self.z if self.slots == 1 else self.z.reshape(self.slots, -1, self.z.shape[1]).sum(axis=0)

    def places(self, rows: Array | slice) -> Array | slice:
        """Where some of the rows stand in the arrays."""
        if self.slots == 1:
            return rows
        n = len(self.codes) // self.slots
        own = np.arange(n)[rows]
        return np.concatenate([own + slot * n for slot in range(self.slots)])

    def over_slots(self, values: Array) -> Array:
        """Sums ``(..., N)`` over the memberships of each row, of values ``(..., slots N)``."""
        if self.slots == 1:
            return values
        return np.asarray(values.reshape(*values.shape[:-1], self.slots, -1).sum(axis=-2))

    def spread(self, matrix: Array) -> Array:
        """Variance ``(..., N)`` of the effects on each row, of covariances ``(..., k, k)`` of a level's effects."""
        if self.slots == 1:
            own = np.einsum("nk,...kl,nl->...n", self.z, matrix, self.z)
            return np.asarray(own if self.relation is None else own * self.variances)
        z, codes = (part.reshape(self.slots, -1, *part.shape[1:]) for part in (self.z, self.codes))
        same = codes[:, None] == codes
        return np.asarray(np.einsum("abn,ank,...kl,bnl->...n", same, z, matrix, z, optimize=True))

    @property
    def is_related(self) -> bool:
        """Whether levels are related, so that they tell of one another."""
        return self.relation is not None and not self.relation.is_diagonal

    @property
    def variances(self) -> Array:
        """Variance of the effects of each row's level in units of their variance parameters ``(N,)``.

        Of a level that is not known it is the mean of those that are.
        """
        if self.relation is None:
            return np.ones(len(self.codes))
        own = self.relation.variances
        return np.where(self.codes >= 0, own[np.maximum(self.codes, 0)], np.mean(own))

    def observed(self) -> Term:
        """The same with the levels that have rows, as if they were independent; itself where all have."""
        if self.is_independent:
            return self
        used, codes = np.unique(self.codes, return_inverse=True)
        levels = tuple(self.levels[code] for code in used)
        return replace(self, levels=levels, codes=codes.reshape(-1), relation=None)

    def columns_of(self, predictor: int) -> list[int]:
        """Effects of one linear predictor."""
        return [e for e in range(len(self.effects)) if (self.owners[e] if self.owners else 0) == predictor]


@dataclass(frozen=True, slots=True)
class PenalisedBlock:
    """How the basis functions of one standard deviation of a smooth are made: one of those that its text makes."""

    text: str  # "s(x, k = 6)"
    block: int
    names: tuple[str, ...]
    spectrum: Spectrum | None = None  # of a Gaussian process

    @property
    def numeric(self) -> tuple[bool, ...]:
        """Whether an effect is a slope that belongs to an intercept: no basis function does."""
        return (False,) * len(self.names)


@dataclass(frozen=True, slots=True, eq=False)
class EffectsEncoder:
    """How the effects of a term on one linear predictor are made from data."""

    predictor: int
    prefix: str  # of their names
    matrix: ModelMatrix | PenalisedBlock | Positions

    @property
    def used(self) -> tuple[str, ...]:
        """Expressions that they are made of."""
        return (self.matrix.text,) if isinstance(self.matrix, PenalisedBlock) else self.matrix.terms.used

    def columns(self, variables: Mapping[str, Variable], n: int) -> Array:
        """Columns ``(n, k)``."""
        match self.matrix:
            case ModelMatrix() as matrix:
                return assemble(matrix, variables, n)
            case Positions() as positions:
                return positions.columns(variables)
            case block:
                made = variables[block.text]
                assert isinstance(made, SmoothColumns)
                return made.penalised[block.block]


@dataclass(frozen=True, slots=True)
class Stratum:
    """The rows that a term has effects on: those of one level of a factor between levels, ``gr(g, by = h)``."""

    factor: str  # its expression
    level: str

    @property
    def suffix(self) -> str:
        """Of the effects' names, as brms has it: ``Intercept:hA``."""
        return f":{self.factor.strip('`')}{self.level}"


@dataclass(frozen=True, slots=True, eq=False)
class TermEncoder:
    """How one random-effects term is made from data."""

    factors: tuple[str, ...]  # expressions of the crossed factors
    keys: tuple[Key, ...]  # the level of each factor, for every combination that occurs
    levels: tuple[str, ...]  # their labels, in the same order
    parts: tuple[EffectsEncoder, ...]  # several where predictors share a covariance
    structure: str
    smooth: str = ""  # name of the standard deviation of a smooth
    relation: Relation | None = None  # of the levels
    memberships: Grouping | None = None  # what is said of them where a row is of a level of each factor
    stratum: Stratum | None = None  # of rows, if not all
    is_normal: bool = True  # whether effects are

    @property
    def is_population(self) -> bool:
        """Whether all rows are of one level: of a smooth without a grouping factor."""
        return not self.factors

    @property
    def group(self) -> str:
        """Name of the grouping factor; of a smooth without one, its own."""
        if self.memberships is not None:
            return self.memberships.name(self.factors)
        return ":".join(text.strip("`") for text in self.factors) or self.smooth

    @property
    def slots(self) -> int:
        """Levels that a row is a member of."""
        return 1 if self.memberships is None else len(self.factors)

    @property
    def effects(self) -> tuple[str, ...]:
        """Names of the effects."""
        suffix = "" if self.stratum is None else self.stratum.suffix
        return tuple(part.prefix + name + suffix for part in self.parts for name in part.matrix.names)

    @property
    def positions(self) -> tuple[Point, ...]:
        """Where each effect stands; empty unless the structure goes by distance."""
        made = self.parts[0].matrix
        return made.points if isinstance(made, Positions) else ()

    @property
    def spectrum(self) -> Spectrum | None:
        """Of the functions of a Gaussian process."""
        made = self.parts[0].matrix
        return made.spectrum if isinstance(made, PenalisedBlock) else None

    @property
    def predictors(self) -> set[int]:
        """The linear predictors that it has effects on."""
        return {part.predictor for part in self.parts}

    def used(self, predictors: Container[int]) -> tuple[str, ...]:
        """Expressions that the effects on some predictors are made of."""
        own = [part for part in self.parts if part.predictor in predictors]
        between = (self.stratum.factor,) if self.stratum is not None and own else ()
        weights = self.memberships.weights if self.memberships is not None and own else ()
        return (*(name for part in own for name in part.used), *between, *weights)


@dataclass(frozen=True, slots=True)
class Effects:
    """The left side of a bar: effects on one linear predictor."""

    predictor: int
    prefix: str
    terms: Terms


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
    keys: tuple[Key, ...] = cross([group_levels(text, variables) for text in factors])[0] if factor else ((),)
    parts = (EffectsEncoder(place[0], "", block),)
    structure = "homdiag" if block.spectrum is None else block.spectrum.kernel
    return checked(TermEncoder(factors, keys, labels_of(keys), parts, structure, place[1] + name))


def checked(encoder: TermEncoder) -> TermEncoder:
    """A term whose levels tell of a spread; a single effect has no structure."""
    levels = encoder.levels
    encoder = encoder if len(encoder.effects) > 1 else replace(encoder, structure="us")
    if len(levels) < 2 and not (encoder.is_population or encoder.positions):  # a single series tells of itself
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
        new = np.repeat(-1 - np.arange(encoder.slots, dtype=np.intp), n)  # of each membership another
        codes, unseen = _codes(encoder, variables) if has_levels else (new, ())
    z = _columns(encoder, variables, n, predictors)
    if encoder.memberships is not None:
        if R > 1 or encoder.predictors != {0}:
            raise DesignError(f"`{encoder.group}`: rows with several linear predictors are members of one level each.")
        weights = membership_weights(encoder.memberships, encoder.slots, variables, n)
        z = np.tile(z, (encoder.slots, 1)) * weights[:, None]
    if encoder.stratum is not None:
        z = z * np.tile(_is_in(encoder.stratum, variables), R)[:, None]
    return Term(
        encoder.group,
        encoder.levels,
        codes if R == 1 else np.tile(codes, R),
        encoder.effects,
        z,
        encoder.structure,
        unseen,
        _numeric(encoder),
        _owners(encoder) if encoder.predictors != {0} or R > 1 else (),
        encoder.smooth,
        encoder.is_population,
        encoder.relation,
        encoder.positions,
        encoder.spectrum,
        encoder.slots,
        encoder.is_normal,
    )


def _is_in(stratum: Stratum, variables: Mapping[str, Variable]) -> Array:
    """Whether each row is of the level of a factor between levels."""
    factor = group_levels(stratum.factor, variables)
    return np.array([level == stratum.level for level in factor.levels], bool)[factor.codes]


def _numeric(encoder: TermEncoder) -> tuple[bool, ...]:
    """Which columns are centred by priors: not those with zeros elsewhere, or of memberships."""
    if encoder.stratum is not None or encoder.memberships is not None:
        return ()
    return tuple(number for part in encoder.parts for number in part.matrix.numeric)


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
    found, codes = levels_of(encoder.factors, encoder.memberships, variables)
    if found == encoder.keys:
        return codes, ()
    position = {key: j for j, key in enumerate(encoder.keys)}
    unseen = [key for key in found if key not in position]
    position |= {key: -1 - j for j, key in enumerate(unseen)}
    labels = labels_of((*encoder.keys, *unseen))[len(encoder.keys) :]
    return np.array([position[key] for key in found], dtype=np.intp)[codes], labels


def levels_of(
    factors: Sequence[str], memberships: Grouping | None, variables: Mapping[str, Variable]
) -> tuple[tuple[Key, ...], Array]:
    """The levels that occur, and each row's; of memberships one factor's after the other's."""
    own = [group_levels(text, variables) for text in factors]
    return cross(own) if memberships is None else member_levels(own)


def group_levels(text: str, variables: Mapping[str, Variable]) -> Factor:
    """The values of an expression as levels of a grouping factor, those that occur."""
    value = variables[text]
    if not isinstance(value, Numeric | Factor):
        raise DataError(f"`{text}` cannot be a grouping factor.")
    return drop_unused(replace(factor_of(value), kind="factor"))


def cross(factors: Sequence[Factor]) -> tuple[tuple[Key, ...], Array]:
    """Return the combinations of levels that occur, and each row's: the first factor varies slowest."""
    keys: tuple[Key, ...] = tuple((level,) for level in factors[0].levels)
    codes = factors[0].codes
    for factor in factors[1:]:
        width = len(factor.levels)
        found, codes = np.unique(codes * width + factor.codes, return_inverse=True)
        keys = tuple((*keys[code // width], factor.levels[code % width]) for code in found.tolist())
    return keys, codes
