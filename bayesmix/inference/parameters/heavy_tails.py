"""Effects of groups with a multivariate t distribution: normal ones, each level scaled by a number of its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from bayesmix.arrays import Array
from bayesmix.data.design.design import Design, Term
from bayesmix.errors import SpecError
from bayesmix.inference.parameters.names import heavy_tailed


def check_normal(terms: Sequence[Term], what: str, instead: str) -> None:
    """Raise `SpecError` where effects have a t distribution: what is not there for them, and what is instead."""
    groups = heavy_tailed(terms)
    if groups:
        raise SpecError(f"The effects of `{groups[0]}` have a t distribution, and {what}. {instead}")


def with_normal_effects(design: Design) -> Design:
    """The design with normal effects in place of t distributed ones: what searches and samplers start from."""
    if not heavy_tailed(design.terms):
        return design
    return design.with_rows(terms=tuple(replace(term, is_normal=True) for term in design.terms))


def scales_of(df: Array, shape: tuple[int, ...], rng: np.random.Generator) -> Array:
    """Draws ``(..., *shape)`` of what makes normal effects t distributed with ``df (...)`` degrees of freedom.

    ``b = scale L z`` with ``scale^2 ~ InverseGamma(df / 2, df / 2)``, one for all effects of a level.
    """
    own = np.asarray(df).reshape(*np.shape(df), *(1 for _ in shape))
    return np.asarray(np.sqrt(own / rng.chisquare(np.broadcast_to(own, (*np.shape(df), *shape)))))


def scale_unit(df: Any, xp: Any) -> Any:
    """Nearly the standard deviation of ``log scale^2``, the root of ``trigamma(df / 2)``, of numbers or symbols."""
    return xp.sqrt(2.0 * (1.0 + 1.0 / df) / df)


def scale_law(df: Any, xp: Any, gammaln: Callable[[Any], Any]) -> Callable[[Any], tuple[Any, Any]]:
    """``log scale^2`` as a function of what it is in that unit, and the log density of the latter."""
    unit, shape = scale_unit(df, xp), 0.5 * df
    constant = shape * xp.log(shape) - gammaln(shape) + xp.log(unit)

    def at(place: Any) -> tuple[Any, Any]:
        log_w = unit * place
        return log_w, constant - shape * (log_w + xp.exp(-log_w))

    return at
