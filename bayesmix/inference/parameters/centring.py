"""Centring of random-effects terms: the coordinates in which their default priors are stated.

The effects of a level of ``(1 + x | g)`` are a line, whose height at ``x = 0`` is far from the data if ``x`` is a year.
Priors of the intercept's standard deviation and correlations are therefore stated where the numeric columns of the term
are at their means ``m``,

    b_c = M b,   Sigma_c = M Sigma M',   z_c = z M^-1,      M = 1 + e_0 m',

with ``e_0`` the intercept's place and ``m`` zero elsewhere than in numeric columns. ``M`` has determinant one. Adding a
number to ``x`` changes neither ``b_c`` nor ``Sigma_c``. Where effects of several linear predictors share a covariance,
the intercept of each takes in the means of its own columns over its own rows. Only unstructured covariances survive
``M``: effects that are independent, equally correlated or autoregressive at zero are so nowhere else, and nothing is
centred there.
"""

from __future__ import annotations

from collections.abc import Container, Sequence
from dataclasses import replace

import numpy as np

from bayesmix.arrays import Array
from bayesmix.data.design.design import Design, Term
from bayesmix.data.design.layout import Layout
from bayesmix.data.design.row_statistics import mean, spread
from bayesmix.inference.parameters.column_scales import AT_ZERO, at_factor_means
from bayesmix.inference.parameters.covariance import sd_and_corr, structure_of
from bayesmix.inference.parameters.names import Parameters, covariance

INTERCEPT = "Intercept"
AT_MEANS = "(centred)"  # behind the name of what is taken where columns are at their means
CENTRED = f"{INTERCEPT}{AT_MEANS}"  # the intercept at the means of the other columns
CONSTANT = 1e-12  # spread of a column, over its size, that rounding may explain


def centring(term: Term, prefixes: Sequence[str] = ("",), counts: Array | None = None) -> Array:
    """The change of coordinates ``M (k, k)`` of a term; the identity where there is nothing to centre.

    ``prefixes`` are those of the linear predictors of a row, by which their intercepts are known; ``counts (n,)`` how
    many rows of the data each row stands for.
    """
    k, n = len(term.effects), len(term.z) // len(prefixes)
    change = np.eye(k)
    if k > 1 and structure_of(term).is_invariant:
        is_numeric = np.array(term.numeric or (False,) * k)
        for r, at in intercepts(term, prefixes).items():
            change[at] += np.where(is_numeric, _means(term.z[r * n : (r + 1) * n], counts), 0.0)
    return change


def intercepts(term: Term, prefixes: Sequence[str] = ("",)) -> dict[int, int]:
    """Place among a term's effects of the intercept of each linear predictor that has one, by predictor."""
    owners = term.owners or (0,) * len(term.effects)
    pairs = enumerate(zip(term.effects, owners, strict=True))
    return {r: e for e, (effect, r) in pairs if effect == prefixes[r] + INTERCEPT}


def fixed_centring(design: Design, at_zero: Container[str]) -> tuple[tuple[str, ...], Array, Array]:
    """The parameters that carry the priors of the fixed effects, in a design of one linear predictor.

    Parameters
    ----------
    at_zero : names of those whose priors are meant at zero, as written.

    Returns
    -------
    names, contrast, levels
        Names ``(p,)`` of ``gamma = contrast @ beta``, and its coefficients ``(p,)`` of a predictor that is one
        everywhere: those of a full set of dummies are cell means, slopes are zero.
    """
    p = len(design.fixed)
    contrast, names = at_factor_means(design.fixed, design.X, design.counts), list(design.fixed)
    for j, name in enumerate(design.fixed):
        if name in at_zero:
            contrast[j] = np.eye(p)[j]
        elif np.any(contrast[j] != np.eye(p)[j]):
            names[j] += AT_MEANS
    if INTERCEPT in design.fixed:
        at = design.fixed.index(INTERCEPT)
        if INTERCEPT not in at_zero:
            contrast[at] = mean(design.X, design.counts)
            names[at] = CENTRED
        return tuple(names), contrast, np.eye(p)[at]
    unit, *_ = np.linalg.lstsq(design.X, np.ones(len(design.X)), rcond=None) if p else (np.zeros(0),)
    spans = p > 0 and bool(np.allclose(design.X @ unit, 1.0, atol=1e-8))
    return tuple(names), contrast, np.asarray(unit) if spans else np.zeros(p)


def slopes_at_means(names: Sequence[str], layout: Layout) -> list[str]:
    """Slopes whose priors are stated where what their columns are multiplied with is at its mean, as at zero.

    ``names``: of the parameters that priors are stated on, in the order of the layout's.
    """
    columns = zip(names, layout.fixed, layout.owners, strict=True)
    moved = [(name, r) for stated, name, r in columns if stated == name + AT_MEANS]
    return [name for name, r in moved if r not in layout.thresholds and name != layout.prefixes[r] + INTERCEPT]


def is_centred(change: Array) -> bool:
    """Whether a change of coordinates is more than the identity."""
    return not np.array_equal(change, np.eye(len(change)))


def at_means(design: Design, changes: Sequence[Array]) -> Design:
    """The design in the coordinates of the priors: same model, columns of random effects centred."""
    if not any(map(is_centred, changes)):
        return design
    terms = tuple(_centred(term, change) for term, change in zip(design.terms, changes, strict=True))
    return design.with_rows(terms=terms).without_source()


def to_means(values: Parameters, changes: Sequence[Array]) -> Parameters:
    """Parameters in the coordinates of the priors, from those at zero."""
    return _changed(values, changes)


def to_zero(values: Parameters, changes: Sequence[Array]) -> Parameters:
    """Parameters as they are reported, from those in the coordinates of the priors."""
    return _changed(values, [inverse(change) for change in changes])


def log_jacobian(values: Parameters, changes: Sequence[Array]) -> Array:
    """Log derivative of the priors' standard deviations and correlations by those at zero: ``(...,)``.

    Sigma has the Jacobian ``prod 2 sd^k`` by its standard deviations and correlations, Sigma_c that of one by Sigma.
    """
    total: Array = np.zeros(values.lead)
    for sd, centred, change in zip(values.sd, to_means(values, changes).sd, changes, strict=True):
        if is_centred(change):
            total = total + len(change) * (np.log(sd) - np.log(centred)).sum(axis=-1)
    return total


def inverse(change: Array) -> Array:
    """``M^-1``, exactly."""
    return 2.0 * np.eye(len(change)) - change


def places(term: Term, change: Array, prefixes: Sequence[str] = ("",)) -> tuple[str, ...]:
    """Where each effect of a term is taken: ``Days = 4.5``; empty at zero."""
    owners = term.owners or (0,) * len(term.effects)
    columns = [effect.removeprefix(prefixes[r]) for effect, r in zip(term.effects, owners, strict=True)]
    means = change - np.eye(len(change))
    return tuple(", ".join(f"{columns[f]} = {m:.6g}" for f, m in enumerate(row) if m) for row in means)


def where(found: Sequence[str]) -> str:
    """Several of `places` as one text."""
    return "; ".join(dict.fromkeys(filter(None, found)))


def _means(z: Array, counts: Array | None) -> Array:
    """Means of columns ``(k,)``, zero for those that are constant or centred already."""
    means, sizes = mean(z, counts), spread(z, counts)
    is_constant = sizes <= CONSTANT * np.abs(z).max(axis=0, initial=0.0)
    return np.where(is_constant | (np.abs(means) <= AT_ZERO * sizes), 0.0, means)


def _centred(term: Term, change: Array) -> Term:
    if not is_centred(change):
        return term
    is_moved = np.any(change != np.eye(len(change)), axis=1)
    effects = tuple(
        effect.removesuffix(INTERCEPT) + CENTRED if moved else effect
        for effect, moved in zip(term.effects, is_moved, strict=True)
    )
    return replace(term, effects=effects, z=term.z @ inverse(change))


def _changed(values: Parameters, changes: Sequence[Array]) -> Parameters:
    sds, corrs, effects = list(values.sd), list(values.corr), list(values.b)
    for t, change in enumerate(changes):
        if is_centred(change):
            moved = change @ covariance(sds[t], corrs[t]) @ change.T
            sds[t], corrs[t] = sd_and_corr(0.5 * (moved + np.swapaxes(moved, -1, -2)))  # symmetric to the bit
            effects = [b @ change.T if s == t else b for s, b in enumerate(effects)]  # none of a big model
    return replace(values, sd=tuple(sds), corr=tuple(corrs), b=tuple(effects))
