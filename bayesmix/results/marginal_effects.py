"""Linear combinations of predictions: conditional effects, marginal means, contrasts and slopes.

All are ``L m`` of predicted means ``m`` of the rows of a grid: averages, differences, difference quotients. For draws
that is a matrix product; for a point estimate the delta method with ``Cov(m) = D C D``, ``C`` the covariance of the
linear predictors and ``D`` the derivatives of the means by them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np

from bayesmix.errors import DataError, SpecError, nearest
from bayesmix.inference.joint import NewRows, predictor_covariance
from bayesmix.results.effects import average_mean, linear_predictor, population_variance
from bayesmix.results.grid import check_predictor, code, grid, is_factor, levels_of, mean_offset, observed, spread_out
from bayesmix.results.predict import Groups, Kind, Rows, check_options, predict, require_seen

if TYPE_CHECKING:
    import pandas as pd

    from bayesmix.results.fit import Estimate, Fit

Array = np.ndarray

STEP = 1e-4  # of a slope's difference quotient, in standard deviations of the predictor
LARGEST = 2000  # rows of fitted groups whose covariance is formed


def conditional_effects(
    fit: Fit,
    variable: str,
    by: str | None,
    *,
    at: Mapping[str, Any] | None,
    kind: Kind,
    groups: Groups,
    points: int,
    interval: float,
) -> pd.DataFrame:
    """Predictions over the range of a predictor, for each level of another."""
    check_options(kind, groups)
    design = fit.design
    varying: dict[str, Sequence[Any]] = {}
    for name in (variable, *(() if by is None else (by,))):
        check_predictor(design, name)
        varying[name] = _by_values(design, name) if name == by else spread_out(design, name, points)
    frame = grid(design, varying | _fixed_at(fit, at), cross=False)
    table = fit.predict(frame, kind=kind, groups=groups, interval=interval, offset=mean_offset(design, len(frame)))
    return frame[list(varying)].join(table)


def marginal_means(
    fit: Fit, variables: Sequence[str], *, at: Mapping[str, Any] | None, kind: Kind, groups: Groups, interval: float
) -> pd.DataFrame:
    """Means of the combinations of variables, averaged over the levels of all other factors with equal weights."""
    import pandas as pd

    frame, cells, L = _cells(fit, variables, at)
    table = combine(fit, code(fit.design, frame, groups), L, kind=kind, groups=groups, interval=interval)
    return pd.DataFrame(cells, columns=list(variables)).join(table)


def contrasts(
    fit: Fit,
    variable: str,
    by: str | None,
    *,
    at: Mapping[str, Any] | None,
    kind: Kind,
    groups: Groups,
    interval: float,
) -> pd.DataFrame:
    """Differences of marginal means between all pairs of values of a variable, within each value of another."""
    import pandas as pd

    variables = [variable, *(() if by is None else (by,))]
    frame, cells, L = _cells(fit, variables, at)
    rows, labels = [], []
    for i, j in combinations(range(len(cells)), 2):
        if cells[i][1:] == cells[j][1:]:
            rows.append(L[j] - L[i])
            labels.append((f"{cells[j][0]} - {cells[i][0]}", *cells[i][1:]))
    table = combine(fit, code(fit.design, frame, groups), np.array(rows), kind=kind, groups=groups, interval=interval)
    return pd.DataFrame(labels, columns=["contrast", *variables[1:]]).join(table)


def slopes(fit: Fit, variable: str, by: str | None, *, kind: Kind, groups: Groups, interval: float) -> pd.DataFrame:
    """Average slope of the mean over the rows of the fit, for each level of a factor."""
    import pandas as pd

    design = fit.design
    check_predictor(design, variable)
    if is_factor(design, variable):
        raise DataError(f"`{variable}` has no slope: it is a factor. Use contrasts({variable!r}).")
    frame = observed(design)
    step = STEP * float(frame[variable].std())
    both = pd.concat([frame.assign(**{variable: frame[variable] + side * step}) for side in (-1.0, 1.0)])
    levels = [None] if by is None else levels_of(design, by)
    rows = []
    for level in levels:
        own = np.ones(len(frame)) if level is None else (frame[by] == level).to_numpy(float)
        weight = own / own.sum() / (2.0 * step)
        rows.append(np.concatenate([-weight, weight]))
    coded = code(design, both.reset_index(drop=True), groups)
    table = combine(fit, coded, np.array(rows), kind=kind, groups=groups, interval=interval)
    labels = pd.DataFrame({"slope": [variable] * len(levels)} | ({} if by is None else {by: levels}))
    return labels.join(table)


def combine(fit: Fit, rows: Rows, L: Array, *, kind: Kind, groups: Groups, interval: float) -> pd.DataFrame:
    """Linear combinations ``L (r, m)`` of the predictions of ``rows``: the fit's columns, with tests against zero.

    Raises
    ------
    SpecError
        For ``kind="response"`` and ``groups="new"``: combinations are of means, not of noise.
    """
    import pandas as pd

    check_options(kind, groups)
    if kind == "response" or groups == "new":
        raise SpecError('Effects are of means: kind="mean" or "linear", groups="average", "zero" or "fitted".')
    from bayesmix.results.fit import Estimate, describe_draws

    if isinstance(fit, Estimate):
        return pd.DataFrame(_by_delta(fit, rows, L, kind, groups, interval))
    draws, begin = np.zeros((*fit.with_effects.lead, len(L))), 0
    for chunk in rows.chunks(draws[..., 0].size):
        own = slice(begin, begin := begin + len(chunk.X))
        draws += predict(fit.spec, chunk, fit.with_effects, kind=kind, groups=groups, seed=0) @ L[:, own].T
    positive = np.mean(draws > 0.0, axis=(0, 1))
    return pd.DataFrame({**describe_draws(draws, interval), "p_direction": np.maximum(positive, 1.0 - positive)})


def _by_delta(fit: Estimate, rows: Rows, L: Array, kind: Kind, groups: Groups, interval: float) -> dict[str, Array]:
    from scipy.special import ndtr, ndtri

    link = fit.spec.link
    if groups == "fitted":
        require_seen(rows.terms)
    eta = linear_predictor(rows.X, rows.offset, rows.terms, fit.values, with_effects=groups == "fitted")
    spread = population_variance(rows.terms, fit.values) if groups == "average" else np.zeros(len(eta))
    linear = kind == "linear"
    value = L @ (eta if linear else average_mean(link, eta, spread))
    J = L if linear else L * average_mean(link, eta, spread, derivative=1)
    if groups == "fitted":
        if len(eta) > LARGEST:
            raise SpecError(f'{len(eta)} rows of fitted groups are too many: use groups="average" or fewer rows.')
        covariance = J @ predictor_covariance(fit.design, fit.spec, fit.point, NewRows(rows.X, rows.terms)) @ J.T
    else:
        covariance = J @ rows.X @ fit.point.beta_cov @ (J @ rows.X).T
    error = np.sqrt(np.maximum(np.diagonal(covariance), 0.0))
    q = float(ndtri(0.5 + 0.5 * interval))
    with np.errstate(divide="ignore", invalid="ignore"):
        z = value / error
    columns = {"estimate": value, "std_error": error, "lower": value - q * error, "upper": value + q * error}
    return {**columns, "z": z, "p_value": 2.0 * ndtr(-np.abs(z))}


def _cells(
    fit: Fit, variables: Sequence[str], at: Mapping[str, Any] | None
) -> tuple[pd.DataFrame, list[tuple[Any, ...]], Array]:
    """Grid, combinations of the variables in its order, and the averages over its rows within each."""
    design = fit.design
    varying: dict[str, Sequence[Any]] = {}
    for name in variables:
        check_predictor(design, name)
        varying[name] = _by_values(design, name)
    frame = grid(design, varying | _fixed_at(fit, at), cross=True)
    keys = list(frame[list(variables)].itertuples(index=False, name=None))
    cells = list(dict.fromkeys(keys))
    member = np.array([cells.index(key) for key in keys])
    L = (member == np.arange(len(cells))[:, None]).astype(float)
    return frame, cells, L / L.sum(axis=1, keepdims=True)


def _by_values(design: Any, name: str) -> list[Any]:
    """Levels of a factor; of a number its mean and one standard deviation to either side."""
    if is_factor(design, name):
        return levels_of(design, name)
    column = observed(design)[name]
    return [float(column.mean() + side * column.std()) for side in (-1.0, 0.0, 1.0)]


def _fixed_at(fit: Fit, at: Mapping[str, Any] | None) -> dict[str, Sequence[Any]]:
    """Values that the user sets: one or several a column."""
    known = [] if fit.design.source is None else list(fit.design.source.columns)
    found: dict[str, Sequence[Any]] = {}
    for name, value in (at or {}).items():
        if name not in known:
            raise DataError(f"`{name}` of at= is not a column of the model.{nearest(name, known)}")
        found[name] = [value] if isinstance(value, str) or np.ndim(value) == 0 else list(value)
    return found
