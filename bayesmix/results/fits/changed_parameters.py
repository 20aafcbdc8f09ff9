"""Parameters of a fit with other values of some, by their names: the inverse of `flatten`."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from numbers import Real

import numpy as np

from bayesmix.arrays import Array
from bayesmix.data.design.design import Design
from bayesmix.errors import SpecError, nearest
from bayesmix.inference.parameters.covariance import structure_of
from bayesmix.inference.parameters.names import Parameters, corr_names, sd_names
from bayesmix.inference.parameters.natural_scale import (
    number_columns,
    reported,
    residual_columns,
    simplex_columns,
)
from bayesmix.inference.parameters.residual_families import correlation_matrix, residual_family
from bayesmix.inference.parameters.simplexes import taken_of
from bayesmix.language.families.link import CORRELATION
from bayesmix.results.fits.linear_predictor import flatten, last_shares
from bayesmix.results.fits.marginal_summary import Range
from bayesmix.results.fits.parameter_ranges import parameter_ranges
from bayesmix.results.fits.records import FitRecord

SMALLEST = -1e-10  # eigenvalue of a correlation matrix that may be rounding


def changed_parameters(fit: FitRecord, changes: Mapping[str, float]) -> Parameters:
    """The values of a fit, all draws of a posterior, with some parameters at other values as they are reported.

    Raises
    ------
    SpecError
        If there is no such parameter, or it cannot have the value.
    """
    names, design, values = fit.names, fit.design, fit.values
    _check(parameter_ranges(design, fit.spec), changes)
    if not changes:
        return values
    left = next((name for name in last_shares(design) if name in changes), None)
    if left is not None:
        raise SpecError(f"`{left}` is what the other shares leave: change these.")
    flat = flatten(design, values).copy()
    for name, value in changes.items():
        flat[..., names.index(name)] = value
    return _with_flat(design, values, flat, changes)


def _check(ranges: Mapping[str, Range], changes: Mapping[str, float]) -> None:
    for name, value in changes.items():
        if name not in ranges:
            raise SpecError(f"There is no parameter `{name}`.{nearest(name, ranges)} Parameters: {', '.join(ranges)}.")
        if not isinstance(value, Real) or not math.isfinite(value):
            raise SpecError(f"`{name}` = {value!r}: a number is needed.")
        low, high = ranges[name]
        if value < low or value > high or value == low > 0.0:
            raise SpecError(f"`{name}` = {value:g}: it is {_words(low, high)}.")


def _words(low: float, high: float) -> str:
    if np.isfinite(high):
        return f"between {low:g} and {high:g}"
    return f"above {low:g}" if low else "not below zero"


def _with_flat(design: Design, values: Parameters, flat: Array, changes: Mapping[str, float]) -> Parameters:
    p = len(design.fixed)
    beta = _beta(design, values.beta, flat[..., :p]) if changes.keys() & set(design.fixed) else values.beta
    begin, sds, corrs = p, [], []
    for sd, names in zip(values.sd, sd_names(design.terms), strict=True):
        own = flat[..., begin : (begin := begin + len(names))]
        sds.append(np.broadcast_to(own, sd.shape).copy() if changes.keys() & set(names) else sd)
    for term, corr, names in zip(design.terms, values.corr, corr_names(design.terms), strict=True):
        own = flat[..., begin : (begin := begin + len(names))]
        is_changed = bool(changes.keys() & set(names))
        corrs.append(_checked(structure_of(term).correlation.matrix(own), names) if is_changed else corr)
    df = {group: flat[..., begin + j] for j, group in enumerate(values.df)}
    dispersion = None if values.dispersion is None else flat[..., -1]
    return replace(values, beta=beta, sd=tuple(sds), corr=tuple(corrs), dispersion=dispersion, df=df)


def _beta(design: Design, beta: Array, wanted: Array) -> Array:
    """Coefficients whose reported values are the wanted ones."""
    found, as_reported, own = wanted.copy(), reported(design.layout, beta), residual_columns(design.layout)
    for j, link in number_columns(design.layout):
        is_same = np.all(wanted[..., j] == as_reported[..., j])
        with np.errstate(divide="ignore", invalid="ignore"):
            found[..., j] = beta[..., j] if is_same else link.of(wanted[..., j])
        if not np.all(np.isfinite(found[..., j])):
            raise SpecError(f"`{design.fixed[j]}` cannot have the value {float(np.ravel(wanted[..., j])[0]):g}.")
    if own:
        family = residual_family(design.layout)
        with np.errstate(divide="ignore", invalid="ignore"):
            partial = family.partial_of(wanted[..., own])
        _checked(correlation_matrix(family, partial), [design.fixed[j] for j in own])
        found[..., own] = CORRELATION.of(partial)
    for places in simplex_columns(design.layout):
        if np.any(wanted[..., places] != as_reported[..., places]):
            found[..., places] = _sticks(design, places, wanted[..., places])
    return found


def _sticks(design: Design, places: list[int], shares: Array) -> Array:
    """Coefficients of shares; refused where they add up to one or more."""
    with np.errstate(divide="ignore", invalid="ignore"):
        found = design.layout.numbers[design.layout.owners[places[0]]].of(taken_of(shares))
    if not np.all(np.isfinite(found)):
        names = ", ".join(design.fixed[j] for j in places)
        raise SpecError(f"Shares {names} are between zero and one, and leave some of it to the last.")
    return found


def _checked(matrix: Array, names: list[str]) -> Array:
    """Correlation matrices; refused where they are none."""
    if not np.linalg.eigvalsh(matrix).min() >= SMALLEST:
        raise SpecError(f"There is no correlation matrix with these values of {', '.join(names)}.")
    return matrix
