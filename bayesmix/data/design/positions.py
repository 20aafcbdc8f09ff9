"""Positions of effects, told by numeric coordinates: each distinct one in the data is an effect of every level."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from bayesmix.arrays import Array
from bayesmix.data.columns import Numeric, Variable, name_all
from bayesmix.errors import DataError, DesignError
from bayesmix.language.formula.terms import Terms

Point = tuple[float, ...]

DIGITS = 12  # of coordinates: what differs later than that is one position
SHOWN = 3  # positions that a message lists


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

    def columns(self, variables: Mapping[str, Variable]) -> Array:
        """Columns ``(n, k)`` that are one at a row's position.

        Raises
        ------
        DataError
            If a row is at a position that was not among those of the fit.
        """
        known = {point: j for j, point in enumerate(self.points)}
        found, member = _distinct(self.terms, variables)
        unseen = [point for point in found if point not in known]
        if unseen:
            where = ", ".join(f"({', '.join(f'{x:g}' for x in point)})" for point in unseen[:SHOWN])
            raise DataError(
                f"New data are at positions of {name_all(self.terms.used)} that were not among those of the fit:"
                f" {where}{', ...' * (len(unseen) > SHOWN)}. Effects are known at the positions of the fit: predict"
                " there, or leave the term out of the model."
            )
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
