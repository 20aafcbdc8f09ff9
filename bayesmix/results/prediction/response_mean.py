"""Mean of a response as a function of all its linear predictors, of families whose mean is not the parameter mu."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import product

import numpy as np

from bayesmix.arrays import Array
from bayesmix.data.design.design import Term
from bayesmix.inference.parameters.covariance import cholesky_psd
from bayesmix.inference.parameters.names import Parameters, covariance
from bayesmix.language.formula.model_spec import ModelSpec
from bayesmix.results.fits.chosen_parameter import ChosenParameter
from bayesmix.results.fits.row_parameters import row_mean

POINTS = {1: 31, 2: 15, 3: 9}  # of the quadrature over effects of so many predictors
FEW = 5  # of each of more
STEP = 1e-5  # of difference quotients by linear predictors, relative to one more than their size


def averaged_mean(
    spec: ModelSpec, eta: Array, values: Parameters, trials: Array, terms: Sequence[Term], chosen: ChosenParameter
) -> Array:
    """Mean of a response, or probability of a category, averaged over the effects of ``terms``: ``(..., n)``.

    By Gauss-Hermite quadrature.

    Parameters
    ----------
    eta : (..., N), stacked predictor by predictor, without those effects.
    terms : all of the model, with zeros in ``z`` where they are not averaged over.
    """
    R = spec.R
    own = [r for r, one in enumerate(spec.parameters) if one.response == chosen.response and _is_moved(terms, r, R)]
    if not own:
        return row_mean(spec, eta, values, trials, chosen)
    root = _root(terms, values, own, R)
    nodes, weights = np.polynomial.hermite_e.hermegauss(POINTS.get(len(own), FEW))
    weights = weights / weights.sum()
    by_row = eta.reshape(*eta.shape[:-1], R, -1)
    total: Array = np.zeros(())
    for at in product(range(len(nodes)), repeat=len(own)):
        moved = np.broadcast_to(by_row, (*root.shape[:-3], *by_row.shape[-2:])).copy()
        moved[..., own, :] += np.moveaxis(root @ nodes[list(at)], -1, -2)
        found = row_mean(spec, moved.reshape(*moved.shape[:-2], -1), values, trials, chosen)
        total = total + np.prod(weights[list(at)]) * found
    return total


def mean_of_rows(
    spec: ModelSpec, values: Parameters, trials: Array, terms: Sequence[Term], chosen: ChosenParameter
) -> Callable[[Array], Array]:
    """`averaged_mean` as a function of the linear predictors."""
    return lambda eta: averaged_mean(spec, eta, values, trials, terms, chosen)


def mean_slopes(function: Callable[[Array], Array], eta: Array, R: int) -> Array:
    """Derivatives ``(R, n)`` of means of rows by their linear predictors ``eta (N,)``, by central differences."""
    by_row = eta.reshape(R, -1)
    slopes = np.zeros(by_row.shape)
    for r in range(R):
        step = STEP * (1.0 + np.abs(by_row[r]))
        ends = []
        for side in (-1.0, 1.0):
            moved = by_row.copy()
            moved[r] += side * step
            ends.append(function(moved.ravel()))
        slopes[r] = (ends[1] - ends[0]) / (2.0 * step)
    return slopes


def _is_moved(terms: Sequence[Term], r: int, R: int) -> bool:
    return any(bool(np.any(term.z.reshape(R, -1, term.z.shape[1])[r])) for term in terms)


def _root(terms: Sequence[Term], values: Parameters, own: Sequence[int], R: int) -> Array:
    """Roots ``(..., n, d, d)`` of the covariances of a row's predictors between groups."""
    total: Array = np.zeros(())
    for term, sd, corr in zip(terms, values.sd, values.corr, strict=True):
        z = term.z.reshape(R, -1, term.z.shape[1])[list(own)]
        own_part = np.einsum("rnk,...kl,snl->...nrs", z, covariance(sd, corr), z, optimize=True)
        unit = term.variances[: z.shape[1], None, None]
        total = total + (own_part if term.relation is None else own_part * unit)
    return cholesky_psd(total)
