"""What columns of a table and variables of a formula are: numbers and factors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from bayesmix.arrays import Array
from bayesmix.errors import DataError, nearest

Kind = Literal["factor", "ordered", "boolean"]


@dataclass(frozen=True, slots=True, eq=False)
class Numeric:
    """A column of numbers."""

    values: Array  # (n,) float64, NaN where missing

    @property
    def missing(self) -> Array:
        """(n,) bool."""
        return np.isnan(self.values)

    def take(self, rows: Array) -> Numeric:
        """Return the rows at the given positions."""
        return Numeric(self.values[rows])


@dataclass(frozen=True, slots=True, eq=False)
class Factor:
    """A column of categories."""

    codes: Array  # (n,) intp, position among the levels; -1 where missing
    levels: tuple[str, ...]
    kind: Kind = "factor"
    is_text: bool = False  # nobody declared the categories: `bayesmix.data.text_columns` asks whether they are any

    @property
    def missing(self) -> Array:
        """(n,) bool."""
        return self.codes < 0

    def take(self, rows: Array) -> Factor:
        """Return the rows at the given positions; the levels stay."""
        return Factor(self.codes[rows], self.levels, self.kind)


@dataclass(frozen=True, slots=True, eq=False)
class CodedFactor:
    """A factor with contrasts asked for in the formula, ``C(f, contr.sum)``."""

    factor: Factor
    contrast: str
    base: int = 1  # of treatment contrasts, counted from 1

    def take(self, rows: Array) -> CodedFactor:
        """Return the rows at the given positions."""
        return replace(self, factor=self.factor.take(rows))


@dataclass(frozen=True, slots=True, eq=False)
class Matrix:
    """Several columns of numbers that one expression makes, such as ``poly(x, 2)``."""

    values: Array  # (n, k) float64
    suffixes: tuple[str, ...]  # k endings of their names

    def take(self, rows: Array) -> Matrix:
        """Return the rows at the given positions."""
        return Matrix(self.values[rows], self.suffixes)


@dataclass(frozen=True, slots=True)
class Spectrum:
    """What a covariance structure has to know of the functions that a Gaussian process is a sum of."""

    kernel: str  # "exp_quad", "matern32", "matern52"
    frequencies: tuple[float, ...]  # (K,) lengths of their vectors of frequencies, per unit of the length scale
    dimensions: int  # of these vectors
    lengths: tuple[float, float]  # the shortest length scale that the functions follow, the largest distance
    unit: float  # of length scales, in units of the data; 0 where they are in these


@dataclass(frozen=True, slots=True, eq=False)
class SmoothColumns:
    """The columns of a smooth, ``s(x)``."""

    fixed: Array  # (n, m) float64
    names: tuple[str, ...]  # m names of fixed effects
    penalised: tuple[Array, ...]  # (n, k) of each standard deviation
    blocks: tuple[str, ...]  # what has a standard deviation is called
    spectrum: Spectrum | None = None  # of the functions of a Gaussian process
    beyond: Array | None = None  # (n,) whether a row is where these are not known

    def take(self, rows: Array) -> SmoothColumns:
        """Return the rows at the given positions."""
        beyond = None if self.beyond is None else self.beyond[rows]
        penalised = tuple(block[rows] for block in self.penalised)
        return replace(self, fixed=self.fixed[rows], penalised=penalised, beyond=beyond)


type Column = Numeric | Factor  # of a table
type Variable = Numeric | Factor | CodedFactor | Matrix | SmoothColumns  # of a formula


def factor_of(column: Column) -> Factor:
    """Return a column as a factor, as R's ``factor()`` does: numbers become levels in increasing order."""
    if isinstance(column, Factor):
        return column
    present = ~column.missing
    values, inverse = np.unique(column.values[present], return_inverse=True)
    codes = np.full(len(column.values), -1, dtype=np.intp)
    codes[present] = inverse
    return Factor(codes, tuple(map(label, values.tolist())))


def drop_unused(factor: Factor) -> Factor:
    """Return a factor without the levels that no row has; a boolean keeps both."""
    if factor.kind == "boolean":
        return factor
    used = np.bincount(factor.codes[factor.codes >= 0], minlength=len(factor.levels)) > 0
    if used.all():
        return factor
    position = np.append(np.cumsum(used) - 1, -1)  # the last entry serves the code -1
    levels = tuple(level for level, is_used in zip(factor.levels, used, strict=True) if is_used)
    return Factor(position[factor.codes], levels, factor.kind)


def boolean_factor(values: Array, missing: Array) -> Factor:
    """Return truth values as a factor."""
    return Factor(np.where(missing, -1, values.astype(np.intp)), ("FALSE", "TRUE"), "boolean")


def name_rows(rows: Array) -> str:
    """Name the first rows of a list, counted from 0."""
    shown = ", ".join(map(str, rows[:10].tolist()))
    return f"row{'s' * (len(rows) > 1)} {shown}{', ...' * (len(rows) > 10)} (counted from 0)"


def name_all(names: Sequence[str], most: int = 10) -> str:
    """Name the first of several things, each in backticks."""
    return ", ".join(f"`{name}`" for name in names[:most]) + ", ..." * (len(names) > most)


def label(value: object) -> str:
    """Return the level that a value stands for: ``1.0`` is ``1``."""
    if isinstance(value, float | np.floating) and float(value).is_integer():
        return str(int(value))
    return str(value)


def known_level(factor: Factor, value: object) -> str:
    """Return the label of a level that a factor must have.

    Raises
    ------
    DataError
        If it has not.
    """
    if label(value) not in factor.levels:
        raise DataError(f"There is no level `{label(value)}`.{nearest(label(value), factor.levels)}")
    return label(value)
