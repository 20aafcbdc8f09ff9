"""Mean of a response as a function of all its linear predictors, of families whose mean is not the parameter mu."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import product

import numpy as np

from bayesmix.arrays import Array
from bayesmix.data.design.design import Term
from bayesmix.inference.parameters.covariance import cholesky_psd
from bayesmix.inference.parameters.names import Parameters, covariance
from bayesmix.language.formula.model_spec import ModelSpec
from bayesmix.results.fits.chosen_parameter import ChosenParameter
from bayesmix.results.fits.row_parameters import mean_of, parameters_at, row_mean

POINTS = {1: 31, 2: 15, 3: 9}  # of the quadrature over effects of so many predictors
FEW = 5  # of each of more
SLIGHT = 1e-13  # weights of points at which a probability does not matter
AT_ONCE = 50_000  # numbers of draws x rows, so that they stay in the processor's cache
STEP = 1e-5  # of difference quotients by linear predictors, relative to their size
ROUNDING = 1e-5  # of a linear predictor, of which a step is not less


def averaged_mean(
    spec: ModelSpec, eta: Array, values: Parameters, trials: Array, terms: Sequence[Term], chosen: ChosenParameter
) -> Array:
    """Mean of a response, or probabilities of categories as in `row_mean`, averaged over the effects of ``terms``.

    ``(..., n)``, by Gauss-Hermite quadrature.

    Parameters
    ----------
    eta : (..., N), stacked predictor by predictor, without those effects.
    terms : all of the model, with zeros in ``z`` where they are not averaged over.
    """
    R = spec.R
    own = [r for r, one in enumerate(spec.parameters) if one.response == chosen.response and _is_moved(terms, r, R)]
    if not own or chosen.response in spec.imputed:  # normal means are linear in effects of groups
        return row_mean(spec, eta, values, trials, chosen)
    by_row, roots = np.moveaxis(eta.reshape(*eta.shape[:-1], R, -1), -2, 0), _roots(terms, values, own, R)
    n = by_row.shape[-1]
    size = max(1, AT_ONCE // max(np.size(by_row[0, ..., 0]), np.size(roots[0, 0, ..., 0])))
    parts = []
    for rows in (slice(begin, begin + size) for begin in range(0, n, size)):
        root = roots[..., rows] if roots.shape[-1] == n else roots
        some = trials if np.ndim(trials) == 0 else trials[rows]
        parts.append(_averaged(spec, by_row[..., rows], (values, own, root), some, chosen))
    return np.concatenate(parts, axis=-1)


def _averaged(
    spec: ModelSpec,
    by_row: Array,
    moved: tuple[Parameters, Sequence[int], Array],
    trials: Array,
    chosen: ChosenParameter,
) -> Array:
    """The average of some rows.

    Parameters
    ----------
    by_row : (R, ..., n).
    moved : parameters; the predictors that are averaged over; the root of their covariances ``(d, d, ..., n)``.
    """
    values, own, root = moved
    parameters = list(parameters_at(spec, list(by_row), values, response=chosen.response))
    of_response = [(r, one.link) for r, one in enumerate(spec.parameters) if one.response == chosen.response]
    total: Array = np.zeros(())
    for node, weight in _points(len(own), is_share=chosen.category is not None):
        for position, (r, link) in enumerate(of_response):
            if r in own:
                i = own.index(r)
                parameters[position] = link.mean(by_row[r] + sum(root[i, j] * node[j] for j in range(i + 1)))
        total = total + weight * mean_of(spec, parameters, trials, chosen)
    return total


def _points(count: int, *, is_share: bool) -> list[tuple[Array, float]]:
    """Points of the quadrature over ``count`` predictors and their weights, those that count for what is averaged."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(POINTS.get(count, FEW))
    weights = weights / weights.sum()
    found = [(nodes[list(at)], float(np.prod(weights[list(at)]))) for at in product(range(len(nodes)), repeat=count)]
    return [one for one in found if one[1] > SLIGHT] if is_share else found


def mean_of_rows(
    spec: ModelSpec, values: Parameters, trials: Array, terms: Sequence[Term], chosen: ChosenParameter
) -> Callable[[Array], Array]:
    """`averaged_mean` as a function of the linear predictors."""
    return lambda eta: averaged_mean(spec, eta, values, trials, terms, chosen)


def mean_slopes(spec: ModelSpec, function: Callable[[Array], Array], eta: Array) -> Array:
    """Derivatives ``(R, n)`` of means of rows by their linear predictors ``eta (N,)``, by central differences."""
    by_row = eta.reshape(spec.R, -1)
    slopes = np.zeros(by_row.shape)
    for r, size in enumerate(_sizes(spec, by_row)):
        step, ends = STEP * size, []
        for side in (-1.0, 1.0):
            moved = by_row.copy()
            moved[r] += side * step
            ends.append(function(moved.ravel()))
        slopes[r] = (ends[1] - ends[0]) / (2.0 * step)
    return _of_differences(spec, slopes)


def _of_differences(spec: ModelSpec, slopes: Array) -> Array:
    """Slopes ``(R, n)`` of ratings, by what thresholds are less than: minus those by the thresholds, to the last digit.

    Where a predictor is far from zero the variances of both are large, and so would be those of what rounding leaves.
    """
    parameters = [spec.responses[one.response].family.parameters[one.parameter] for one in spec.parameters]
    by_threshold = {(spec.parameters[r].response, one.name): r for r, one in enumerate(parameters) if one.is_threshold}
    for r, (place, own) in enumerate(zip(spec.parameters, parameters, strict=True)):
        below = [at for (response, _), at in by_threshold.items() if response == place.response]
        if own.of_threshold:
            slopes[r] = -slopes[by_threshold[place.response, own.of_threshold]]
        elif place.parameter == 0 and below:
            slopes[r] = -slopes[below].sum(axis=0)
    return slopes


def _sizes(spec: ModelSpec, by_row: Array) -> Iterator[Array]:
    """Sizes ``(n,)`` of the linear predictors ``(R, n)`` by which functions of them bend.

    One where they have no unit, however far from zero a predictor of theirs is: ratings know but their differences from
    thresholds. Their own where they are in units of the response, which may be any.
    """
    for r, own in enumerate(np.abs(by_row)):
        one = spec.parameters[r] if r < len(spec.parameters) else None  # correlations of residuals come last
        if one is None or not one.link.is_identity or spec.responses[one.response].family.is_ordered:
            yield np.maximum(1.0, ROUNDING * own)
        else:
            yield np.full(own.shape, float(own.max(initial=0.0)) or 1.0)


def _is_moved(terms: Sequence[Term], r: int, R: int) -> bool:
    return any(bool(np.any(term.z.reshape(R, -1, term.z.shape[1])[r])) for term in terms)


def _roots(terms: Sequence[Term], values: Parameters, own: Sequence[int], R: int) -> Array:
    """Roots ``(d, d, ..., n)`` of the covariances of a row's predictors between groups; of one row if all are equal."""
    total: Array = np.zeros(())
    every = [term.z.reshape(R, -1, term.z.shape[1])[list(own)] for term in terms]
    units = [term.variances[: z.shape[1]] for term, z in zip(terms, every, strict=True)]
    rows = slice(1) if all(_is_constant(z) for z in every) and all(map(_is_constant, units)) else slice(None)
    for term, z, unit, sd, corr in zip(terms, every, units, values.sd, values.corr, strict=True):
        some = z[:, rows]
        own_part = np.einsum("rnk,...kl,snl->...nrs", some, covariance(sd, corr), some, optimize=True)
        total = total + (own_part if term.relation is None else own_part * unit[rows, None, None])
    return np.moveaxis(cholesky_psd(total), (-2, -1), (0, 1))


def _is_constant(z: Array) -> bool:
    """Whether all rows, along the second of three axes or the only one, are equal."""
    first = z[:, :1] if z.ndim > 1 else z[:1]
    return bool(np.all(z == first))
