"""Estimates of a design without some of its rows, many such sets in one batch: influence of levels, the jackknife.

Rows that are left out have no weight, so that nothing but cross-products and weights differ between the sets.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from bayesmix.arrays import Array
from bayesmix.data.design.design import Design
from bayesmix.data.design.subset import split
from bayesmix.errors import DesignError
from bayesmix.inference.estimation.boundary import initial_factors
from bayesmix.inference.estimation.conditional_mode import generalized_problem
from bayesmix.inference.estimation.conditional_modes import with_rows as modes_with_rows
from bayesmix.inference.estimation.estimate import of_all_rows
from bayesmix.inference.estimation.generalized import latent_variance
from bayesmix.inference.estimation.generalized_refits import START, refit_laplace
from bayesmix.inference.estimation.linear_refits import refit_linear
from bayesmix.inference.estimation.methods import Laplace, Method, Ml, Reml
from bayesmix.inference.estimation.point_estimate import PointEstimate
from bayesmix.inference.estimation.point_estimates import PointEstimates, joined, none_of, one_of
from bayesmix.inference.estimation.refits import fitted_alone, has_modes
from bayesmix.inference.estimation.reml import linear_problem, with_rows
from bayesmix.inference.estimation.restart import FEW_ROWS
from bayesmix.language.formula.model_spec import ModelSpec
from bayesmix.parallel.threads import one_blas_thread

MEMORY = 5_000_000  # numbers of the arrays of sets that are fitted together


@one_blas_thread()
def refit_without(design: Design, spec: ModelSpec, method: Method, kept: Array, near: PointEstimate) -> PointEstimates:
    """Estimates of the rows ``kept (B, n)`` bool of a design; random effects of levels without rows are zero.

    Parameters
    ----------
    near : the estimate of all rows, by the same method.

    Returns
    -------
    PointEstimates
        NaN where too few levels are left, or the fixed effects are not identified.
    """
    near, p = of_all_rows(design, spec, near), design.X.shape[1]
    numbers = design.n + sum(f.levels * f.k * (f.k + p + 1) for f in near.coordinates.factors)
    size = max(MEMORY // numbers, 1)
    parts = [_without(design, spec, method, kept[i : i + size], near) for i in range(0, len(kept), size)]
    return joined(parts)


def _without(design: Design, spec: ModelSpec, method: Method, kept: Array, near: PointEstimate) -> PointEstimates:
    found = _together(design, spec, method, kept, near)
    missing = none_of(one_of(near))
    parts = []
    for i, rows in enumerate(kept):
        try:
            own, _ = split(design, rows)
        except DesignError:
            parts.append(missing)
            continue
        if found is not None and found.converged[i]:
            parts.append(found.some(slice(i, i + 1)))
            continue
        point = fitted_alone(own, spec, method)
        parts.append(missing if point is None else _with_all_levels(one_of(point), design, rows))
    return joined(parts)


def _together(
    design: Design, spec: ModelSpec, method: Method, kept: Array, near: PointEstimate
) -> PointEstimates | None:
    """Estimates of one batch; None where single fits would differ in more than their rows."""
    working, fewest = near.coordinates, int(kept.sum(axis=1).min(initial=design.n))
    effects = sum(factor.levels * factor.k for factor in working.factors)
    if fewest <= FEW_ROWS < design.n or fewest <= design.X.shape[1] + effects:
        return None
    try:
        match method:
            case Reml() | Ml() if spec.is_linear:
                start = initial_factors(working, START) if near.singular else near.theta
                linear = with_rows(linear_problem(design, working), design, kept)
                return refit_linear(linear, method, near, np.tile(start, (len(kept), 1)))
            case Laplace() if has_modes(design, spec) and spec.family.weights != "precision":
                problem = generalized_problem(design, working, spec)
                if latent_variance(problem) is None:
                    return refit_laplace(modes_with_rows(problem, kept), len(kept), near)
    except np.linalg.LinAlgError:  # a set by which the fixed effects are not identified
        return None
    return None


def _with_all_levels(point: PointEstimates, design: Design, rows: Array) -> PointEstimates:
    """An estimate of some of the rows with zeros for the random effects of levels without any."""
    whole = []
    for term, b in zip(design.terms, point.b, strict=True):
        effects = np.zeros((1, len(term.levels), b.shape[-1]))
        known = np.unique(term.codes[design.data.stacked(rows)]) if term.is_independent else slice(None)
        effects[:, known] = b
        whole.append(effects)
    return replace(point, b=tuple(whole))
