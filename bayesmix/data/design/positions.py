"""Positions of effects, told by numeric coordinates: each distinct one in the data is an effect of every level."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from bayesmix.arrays import Array
from bayesmix.data.columns import Numeric, Variable
from bayesmix.errors import DesignError
from bayesmix.language.formula.terms import Terms

Point = tuple[float, ...]

DIGITS = 12  # of coordinates: what differs later than that is one position


@dataclass(frozen=True, slots=True, eq=False)
class Positions:
    """The positions that are effects, with the interface of a `ModelMatrix`: its columns say which a row is at."""

    terms: Terms  # the coordinates
    points: tuple[Point, ...]  # k distinct ones, in order

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the positions, glmmTMB's ``(1,2.5)``."""
        return tuple(f"({','.join(f'{value:.12g}' for value in point)})" for point in self.points)

    @property
    def numeric(self) -> tuple[bool, ...]:
        """Whether each column is made of numbers alone: none is, they are ones and zeros."""
        return (False,) * len(self.points)

    def with_those_of(self, variables: Mapping[str, Variable]) -> Positions:
        """The same with the positions of new rows that are not among them, after the others."""
        known = set(self.points)
        unseen = tuple(point for point in _distinct(self.terms, variables)[0] if point not in known)
        return replace(self, points=(*self.points, *unseen)) if unseen else self

    def columns(self, variables: Mapping[str, Variable]) -> Array:
        """Columns ``(n, k)`` that are one at a row's position, which is one of these."""
        known = {point: j for j, point in enumerate(self.points)}
        found, member = _distinct(self.terms, variables)
        columns = np.zeros((len(member), len(self.points)))
        columns[np.arange(len(member)), np.array([known[point] for point in found], np.intp)[member]] = 1.0
        return columns


def learn_positions(terms: Terms, variables: Mapping[str, Variable], bar: str) -> Positions:
    """Find the distinct positions of the data.

    Raises
    ------
    DesignError
        If a coordinate is no number, or all rows are at one position.
    """
    for name in terms.used:
        if not isinstance(variables[name], Numeric):
            what = f"`{bar}`: coordinates are numbers, and `{name}` is a factor."
            raise DesignError(f"{what} Effects of its levels are `ar1(0 + {name} | ...)` or `toep(0 + {name} | ...)`.")
    points, _ = _distinct(terms, variables)
    if len(points) < 2:
        raise DesignError(f"`{bar}`: all rows are at one position, and correlations between positions need several.")
    return Positions(terms, points)


def _distinct(terms: Terms, variables: Mapping[str, Variable]) -> tuple[tuple[Point, ...], Array]:
    """Distinct positions, the last coordinate varying fastest, and the position of each row ``(n,)``."""
    columns = []
    for name in terms.used:
        value = variables[name]
        assert isinstance(value, Numeric)
        columns.append(value.values)
    rounded = [_rounded(column) for column in columns]
    points, member = np.unique(np.stack(rounded, axis=1), axis=0, return_inverse=True)
    return tuple(map(tuple, points.tolist())), member.reshape(-1)


def _rounded(values: Array) -> Array:
    """Numbers to so many digits of the number itself, so that those computed in several ways agree."""
    with np.errstate(divide="ignore"):
        size = np.where(values == 0.0, 0.0, np.floor(np.log10(np.abs(values))))
    unit = 10.0 ** (DIGITS - 1 - size)
    return np.where(values == 0.0, 0.0, np.round(values * unit) / unit) + 0.0
