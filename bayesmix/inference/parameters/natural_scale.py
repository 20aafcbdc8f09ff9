"""Parameters that are one number for all rows of several predictors: from the scale of their links to that of reports.

A standard deviation or shape by itself, through its link. Correlations of residuals are computed with as partial
correlations (`partial_correlations`), each free on the real line, and reported as entries of their matrix.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from bayesmix.arrays import Array
from bayesmix.data.design.layout import Layout
from bayesmix.inference.parameters.correlation import Free, OneNumber
from bayesmix.inference.parameters.residual_families import Arma, reported_slopes, residual_family
from bayesmix.inference.parameters.simplexes import share_slopes, shares_of
from bayesmix.language.families.link import CORRELATION, Link


def scale_of(layout: Layout, predictor: int) -> Link:
    """What carries a parameter that is one number to its natural scale: its link; for correlations, Fisher's."""
    return CORRELATION if predictor in layout.residual else layout.numbers[predictor]


def number_columns(layout: Layout) -> list[tuple[int, Link]]:
    """Columns of the parameters that are one number for all rows, and what carries them to their natural scale."""
    return [(j, scale_of(layout, owner)) for j, owner in enumerate(layout.owners) if owner in layout.numbers]


def residual_columns(layout: Layout) -> list[int]:
    """Columns of the partial correlations of the residuals."""
    return [j for j, owner in enumerate(layout.owners) if owner in layout.residual]


def simplex_columns(layout: Layout) -> list[list[int]]:
    """Columns of the shares of each monotonic effect."""
    return [[layout.owners.index(r) for r in places] for places in layout.simplexes.values()]


def is_coordinate(layout: Layout, name: str) -> bool:
    """Whether a parameter is one that is computed with: not the correlations of residuals beside the first response's.

    Partial correlations with the first response are correlations; the first share of a monotonic effect is one of all.
    """
    firsts = {layout.fixed[own[0]] for own in simplex_columns(layout)}
    if any(name.startswith(f"{simplex}[") for simplex in layout.simplexes) and name not in firsts:
        return False
    own = [layout.fixed[j] for j in residual_columns(layout)]
    if name not in own:
        return True
    family = residual_family(layout)
    return own.index(name) < family.k - 1 if isinstance(family, Free) else isinstance(family, OneNumber)


def reported(layout: Layout, beta: Array) -> Array:
    """Fixed effects as they are reported ``(..., p)``: one number for all rows by itself, not through its link."""
    found = beta.copy() if layout.numbers else beta
    for j, link in number_columns(layout):
        found[..., j] = link.mean(beta[..., j])
    own = residual_columns(layout)
    if own:
        found[..., own] = residual_family(layout).reported(found[..., own])
    for places in simplex_columns(layout):
        found[..., places] = shares_of(found[..., places])
    return found


def reported_jacobian(layout: Layout, beta: Array) -> Array:
    """Derivatives of `reported` by the coefficients at ``beta (p,)``: ``(p, p)``."""
    found = np.eye(len(beta))
    for j, link in number_columns(layout):
        found[j, j] = link.inverse(beta[j])[1]
    own = residual_columns(layout)
    if own:
        slopes = reported_slopes(residual_family(layout), CORRELATION.mean(beta[own]))
        found[np.ix_(own, own)] = slopes * np.diagonal(found)[own]
    for places in simplex_columns(layout):
        slopes = share_slopes(np.array([layout.numbers[layout.owners[j]].mean(beta[j]) for j in places]))
        found[np.ix_(places, places)] = slopes * np.diagonal(found)[places]
    return found


def entries_of(root: Sequence[Sequence[Any]]) -> list[Any]:
    """Correlations below the diagonal, column by column, from rows of the Cholesky factor of their matrix."""
    pairs = [(i, j) for j in range(len(root)) for i in range(j + 1, len(root))]
    return [sum(a * b for a, b in zip(root[i], root[j], strict=False)) for i, j in pairs]


def on_link(layout: Layout, beta: Array) -> tuple[Array, Array]:
    """Every reported parameter through what carries it to its natural scale, ``(p,)``, and the derivatives ``(p, p)``.

    The coefficients themselves, but for correlations of residuals; coefficients of a series, which are no correlations,
    as they are.
    """
    own = residual_columns(layout)
    values, jacobian = beta.copy(), np.eye(len(beta))
    for places in simplex_columns(layout):
        logit = layout.numbers[layout.owners[places[0]]]
        values[places] = logit.of(reported(layout, beta)[places])
        slopes = reported_jacobian(layout, beta)[places]
        jacobian[places] = slopes / logit.inverse(values[places])[1][:, None]
    if not own:
        return values, jacobian
    values[own], jacobian[own] = reported(layout, beta)[own], reported_jacobian(layout, beta)[own]
    if not isinstance(residual_family(layout), Arma):
        values[own] = CORRELATION.of(values[own])
        jacobian[own] = jacobian[own] / CORRELATION.inverse(values[own])[1][:, None]
    return values, jacobian


def from_link(layout: Layout, values: Array) -> Array:
    """Parameters as reported ``(..., p)``, from values of `on_link`."""
    found = values.copy()
    series = residual_columns(layout) if layout.residual and isinstance(residual_family(layout), Arma) else []
    for j, link in number_columns(layout):
        if j not in series:
            found[..., j] = link.mean(values[..., j])
    return found


@np.errstate(invalid="ignore")
def standard_errors(slopes: Array, covariance: Array) -> Array:
    """Standard errors ``(p,)`` of the parameters by the delta method, ``slopes (p, p)`` their derivatives.

    Those of coefficients that are reported as they are do not depend on others, of which the data may say nothing. NaN
    where a fit has no optimum, and rounding made a variance negative.
    """
    errors = np.abs(np.diagonal(slopes)) * np.sqrt(np.diagonal(covariance))
    for j in np.flatnonzero(np.count_nonzero(slopes, axis=1) > 1):
        at = np.flatnonzero(slopes[j])
        errors[j] = np.sqrt(slopes[j, at] @ covariance[np.ix_(at, at)] @ slopes[j, at])
    return errors
