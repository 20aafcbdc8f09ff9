"""Contrasts of the means of a factor's levels: which of them weigh how much."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import combinations
from numbers import Real
from typing import Any

import numpy as np

from bayesmix.arrays import Array
from bayesmix.errors import SpecError, nearest

Weights = dict[str, Array]  # of the levels (k,), by the name of the contrast
Method = str | Mapping[str, Sequence[float] | Mapping[Any, float]]

HIGHEST = 6  # degree of polynomial contrasts
DEGREES = ("linear", "quadratic", "cubic", "quartic")
WHOLE = 0.05  # distance to whole numbers at which weights are taken to be those


def contrast_weights(method: Method, levels: Sequence[Any]) -> Weights:
    """Weights ``(k,)`` of the levels in each contrast, by its name.

    Parameters
    ----------
    method : one of `METHODS`, or contrasts by name: weights in the order of the levels, or of some levels by name.

    Raises
    ------
    SpecError
        If there is no such method, or weights are not of the levels.
    """
    if isinstance(method, Mapping):
        return {str(name): _own(str(name), weights, levels) for name, weights in method.items()}
    if not isinstance(method, str) or method not in METHODS:
        hint = nearest(method, METHODS) if isinstance(method, str) else ""
        raise SpecError(
            f"There are no contrasts method={method!r}.{hint} Choices: {', '.join(METHODS)}, or weights by name:"
            f" method={{'first or last': {[0.5, *[0] * (len(levels) - 2), 0.5]}}}."
        )
    return METHODS[method](_texts(levels))


def _texts(levels: Sequence[Any]) -> list[str]:
    """Levels in names of contrasts: numbers with as many digits as tell them apart."""
    short = [f"{level:g}" if isinstance(level, float) else str(level) for level in levels]
    return short if len(set(short)) == len(short) else [str(level) for level in levels]


def _own(name: str, weights: Sequence[float] | Mapping[Any, float], levels: Sequence[Any]) -> Array:
    if isinstance(weights, Mapping):
        for level in weights:
            if level not in levels:
                raise SpecError(
                    f"`{level}` of contrast `{name}` is not a level.{nearest(str(level), map(str, levels))} Levels:"
                    f" {', '.join(map(str, levels))}."
                )
        weights = [weights.get(level, 0.0) for level in levels]
    if isinstance(weights, str) or not all(isinstance(weight, Real) for weight in weights):
        raise SpecError(f"Weights of contrast `{name}` are numbers, not {weights!r}.")
    if len(weights) != len(levels):
        raise SpecError(
            f"Contrast `{name}` has {len(weights)} weights for {len(levels)} levels: {', '.join(map(str, levels))}."
        )
    return np.array(weights, float)


def _difference(levels: Sequence[Any], plus: int, minus: int) -> tuple[str, Array]:
    unit = np.eye(len(levels))
    return f"{levels[plus]} - {levels[minus]}", unit[plus] - unit[minus]


def _pairwise(levels: Sequence[Any]) -> Weights:
    return dict(_difference(levels, j, i) for i, j in combinations(range(len(levels)), 2))


def _reversed(levels: Sequence[Any]) -> Weights:
    return dict(_difference(levels, i, j) for i, j in combinations(range(len(levels)), 2))


def _against_first(levels: Sequence[Any]) -> Weights:
    return dict(_difference(levels, j, 0) for j in range(1, len(levels)))


def _consecutive(levels: Sequence[Any]) -> Weights:
    return dict(_difference(levels, j, j - 1) for j in range(1, len(levels)))


def _effects(levels: Sequence[Any]) -> Weights:
    k = len(levels)
    return {f"{level} effect": own for level, own in zip(levels, np.eye(k) - 1.0 / k, strict=True)}


def _polynomial(levels: Sequence[Any]) -> Weights:
    """Orthogonal polynomials of the levels' places, as whole numbers."""
    k = len(levels)
    powers = np.vander(np.arange(k) - 0.5 * (k - 1), increasing=True)[:, : HIGHEST + 1]
    Q, R = np.linalg.qr(powers)
    columns = (Q * np.sign(np.diagonal(R))).T[1:]
    names = [*DEGREES, *(f"degree {j}" for j in range(len(DEGREES) + 1, len(columns) + 1))]
    return {name: _whole(column) for name, column in zip(names, columns, strict=False)}


def _whole(weights: Array) -> Array:
    """Proportional to weights, and whole numbers as nearly as these are."""
    found = weights / np.min(weights[weights > 0.01])
    away = float(np.max(np.abs(found - np.round(found))))
    while away > WHOLE:
        found = found / away
        away = float(np.max(np.abs(found - np.round(found))))
    return np.round(found)


METHODS: dict[str, Callable[[Sequence[Any]], Weights]] = {
    "pairwise": _pairwise,
    "revpairwise": _reversed,
    "trt.vs.ctrl": _against_first,
    "consec": _consecutive,
    "eff": _effects,
    "poly": _polynomial,
}
