"""Contrast matrices of factors, as R's ``contr.*`` make them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bayesmix.arrays import Array
from bayesmix.errors import DesignError, SpecError, nearest


@dataclass(frozen=True, slots=True, eq=False)
class Contrast:
    """How a factor is coded: level ``levels[j]`` becomes row j of the matrix."""

    levels: tuple[str, ...]
    matrix: Array  # (J, c)
    suffixes: tuple[str, ...]  # c endings of the columns' names: "2", ".L"


def contrast(name: str, levels: Sequence[str], base: int = 1) -> Contrast:
    """Return the contrasts of a name: treatment, sum, helmert or poly, with or without ``contr.`` in front.

    Parameters
    ----------
    name
        Of the contrasts.
    levels
        J of them, in order.
    base
        For treatment contrasts, the position of the reference level, from 1.

    Raises
    ------
    DesignError
        If there are fewer than two levels.
    SpecError
        If there are no contrasts of this name.
    """
    short = str(name).removeprefix("contr.")
    if short not in CONTRASTS:
        raise SpecError(
            f"There are no contrasts `{name!s:.80}`.{nearest(short, CONTRASTS)} There are {', '.join(CONTRASTS)}."
        )
    if len(levels) < 2:
        raise DesignError(f"A factor with the single level `{''.join(levels)}` has no contrasts.")
    if short == "treatment":
        return _treatment(tuple(levels), base)
    matrix = {"sum": _sum, "helmert": _helmert, "poly": _poly}[short](len(levels))
    suffixes = _POLYNOMIALS if short == "poly" else ()
    return Contrast(tuple(levels), matrix, _named(suffixes, len(levels) - 1, "^" if short == "poly" else ""))


def full_dummies(levels: Sequence[str]) -> Contrast:
    """Return the coding with one column a level."""
    return Contrast(tuple(levels), np.eye(len(levels)), tuple(levels))


CONTRASTS = ("treatment", "sum", "helmert", "poly")
_POLYNOMIALS = (".L", ".Q", ".C")


def _named(first: tuple[str, ...], count: int, sign: str) -> tuple[str, ...]:
    return (*first, *(f"{sign}{i + 1}" for i in range(len(first), count)))[:count]


def _treatment(levels: tuple[str, ...], base: int) -> Contrast:
    if not 1 <= base <= len(levels):
        raise SpecError(f"Treatment contrasts have no base {base} among {len(levels)} levels.")
    others = [j for j in range(len(levels)) if j != base - 1]
    return Contrast(levels, np.eye(len(levels))[:, others], tuple(levels[j] for j in others))


def _sum(count: int) -> Array:
    return np.vstack([np.eye(count - 1), -np.ones(count - 1)])


def _helmert(count: int) -> Array:
    matrix = np.triu(-np.ones((count, count - 1)), 0)
    matrix[np.arange(1, count), np.arange(count - 1)] = np.arange(1, count)
    return matrix


def _poly(count: int) -> Array:
    """Orthonormal polynomials of equally spaced scores, with positive leading coefficients."""
    scores = np.linspace(-1.0, 1.0, count)
    q, r = np.linalg.qr(np.polynomial.legendre.legvander(scores, count - 1))
    return np.asarray((q * np.sign(np.diag(r)))[:, 1:])
