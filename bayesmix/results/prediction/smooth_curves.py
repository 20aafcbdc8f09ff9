"""Curves of smooths: each by itself, summing to zero over the data, with pointwise and simultaneous bands.

Those of the levels of ``bs = "fs"`` are what a level adds to the population, its constant and line with it.

A band is simultaneous where it holds the whole curve with its probability: it is as many standard errors wide as the
largest deviation of curves drawn from the posterior, an estimate's being normal with its variances held fixed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from bayesmix.arrays import Array
from bayesmix.data.columns import Column, Factor, Numeric, name_all
from bayesmix.data.design.design import Design
from bayesmix.data.design.evaluate import evaluate
from bayesmix.data.design.hilbert_basis import HilbertBasis
from bayesmix.data.design.inputs import as_fitted
from bayesmix.data.design.natural_parametrisation import Tensor
from bayesmix.data.frame import open_table
from bayesmix.errors import SpecError, nearest
from bayesmix.inference.estimation.smooth_coefficients import SmoothCoefficients, smooth_coefficients
from bayesmix.language.formula.expression import column_names
from bayesmix.language.formula.reader import read
from bayesmix.results.fits.level import check_level
from bayesmix.results.fits.records import EstimateRecord, FitRecord
from bayesmix.results.fits.smooth_parts import SmoothPart, level_parts, smooth_parts
from bayesmix.results.fits.smooth_terms_table import coefficients_of, has_matrices
from bayesmix.results.prediction.reference_grid import check_points

if TYPE_CHECKING:
    import pandas as pd

DRAWS = 10_000  # of curves of an estimate, for the width of simultaneous bands
POINTS = 100  # of a curve
SIDE = 30  # of a surface, along each variable


@dataclass(frozen=True, slots=True, eq=False)
class _Rows:
    """Rows of a table at which a curve is taken."""

    table: pd.DataFrame
    columns: Array  # (m, k) of the curve's coefficients


def smooth_curves(
    fit: FitRecord,
    smooth: str | None = None,
    newdata: Any = None,
    *,
    points: int = POINTS,
    interval: float = 0.95,
    seed: int = 0,
) -> pd.DataFrame:
    """Curves of the smooths of a fit, a row a point.

    Parameters
    ----------
    smooth : one as it is written, ``"s(x)"``, or one of its curves, ``"s(x):fb"``; all by default.
    newdata : values of its variables; by default ``points`` over the range of the data, of surfaces a grid.

    Raises
    ------
    SpecError
        If the model has no such smooth.
    """
    import pandas as pd

    check_level(interval)
    parts = chosen_parts(fit, smooth)
    if isinstance(fit, EstimateRecord):
        known = {
            own: smooth_coefficients(fit.design, fit.spec, fit.point, own) for own in dict.fromkeys(map(_own, parts))
        }
        tables = [
            _of_estimate(known[_own(part)], part, _rows(fit.design, part, newdata, points), interval, seed)
            for part in parts
        ]
    else:
        tables = [_of_posterior(fit, part, _rows(fit.design, part, newdata, points), interval) for part in parts]
    return pd.concat(tables, ignore_index=True)


def chosen_parts(fit: FitRecord, smooth: str | None) -> list[SmoothPart]:
    """The curves of a name, or all; those of levels if they are not too many."""
    levels = level_parts(fit.spec, fit.design)
    parts = [*smooth_parts(fit.spec, fit.design), *(part for part in levels if smooth or not _is_large(fit, part))]
    if not parts and levels:
        raise SpecError(_too_many(levels[0]))
    if not parts:
        raise SpecError("The model has no smooths: a formula has them as `s(x)` or `t2(x, z)`.")
    wanted = [part for part in parts if smooth is None or _bare(smooth) in (_bare(part.label), _bare(part.smooth.text))]
    wanted = wanted or [part for part in parts if _bare(part.label).split(":")[0] == _bare(str(smooth))]
    if not wanted:
        known = [part.label for part in parts]
        raise SpecError(f"There is no smooth `{smooth}`.{nearest(str(smooth), known)} Smooths: {name_all(known)}.")
    if _is_large(fit, wanted[0]):
        raise SpecError(_too_many(wanted[0]))
    return wanted


def _own(part: SmoothPart) -> tuple[int, ...]:
    """The terms of a curve of a level, whose effects are coefficients beside those of the population."""
    return part.terms if part.group else ()


def _is_large(fit: FitRecord, part: SmoothPart) -> bool:
    return bool(part.group) and isinstance(fit, EstimateRecord) and not has_matrices(fit, part.terms)


def _too_many(part: SmoothPart) -> str:
    label = part.label.removesuffix(f":{part.level}")
    return (
        f"`{label}` has too many levels for the joint covariance of all their curves. Predictions have them point by"
        ' point: fit.predict(newdata, groups="known", interval=0.95).'
    )


def _bare(text: str) -> str:
    return text.replace(" ", "")


# ---- tables ---------------------------------------------------------------------------------------------------------


def _of_estimate(found: SmoothCoefficients, part: SmoothPart, rows: _Rows, interval: float, seed: int) -> pd.DataFrame:
    from scipy.special import ndtri

    own = coefficients_of(part, found)
    root = _root(found.covariance[np.ix_(own, own)])
    spread = rows.columns @ root
    error = np.sqrt(np.sum(spread**2, axis=1))
    noise = np.random.default_rng(seed).standard_normal((root.shape[1], DRAWS))
    widest = _widest(spread @ noise, error, interval)
    value = rows.columns @ found.mean[own]
    return _table(rows, {"estimate": value, "std_error": error}, float(ndtri(0.5 + 0.5 * interval)), widest)


def _of_posterior(fit: FitRecord, part: SmoothPart, rows: _Rows, interval: float) -> pd.DataFrame:
    values = fit.with_effects
    draws = [values.beta[..., list(part.fixed)], *(values.b[t][..., part.place, :] for t in part.terms)]
    together = np.concatenate(draws, axis=-1)
    curves = rows.columns @ together.reshape(-1, together.shape[-1]).T
    value, error = curves.mean(axis=1), curves.std(axis=1, ddof=1)
    widest = _widest(curves - value[:, None], error, interval)
    table = _table(rows, {"mean": value, "sd": error}, np.nan, widest)
    tail = 0.5 * (1.0 - interval)
    table["lower"], table["upper"] = np.quantile(curves, [tail, 1.0 - tail], axis=1)
    return table


def _table(rows: _Rows, centre: dict[str, Array], reach: float, widest: float) -> pd.DataFrame:
    value, error = centre.values()
    bounds = {"lower": value - reach * error, "upper": value + reach * error}
    bounds |= {"lower_simultaneous": value - widest * error, "upper_simultaneous": value + widest * error}
    return rows.table.assign(**centre, **bounds)


def _widest(deviations: Array, error: Array, interval: float) -> float:
    """Quantile of the largest deviation of a curve, in standard errors."""
    known = error > 1e-12 * max(float(np.nanmax(error, initial=0.0)), 1e-300)
    if not known.any():
        return 0.0
    return float(np.quantile(np.max(np.abs(deviations[known]) / error[known, None], axis=0), interval))


def _root(covariance: Array) -> Array:
    values, vectors = np.linalg.eigh(covariance)
    return np.asarray(vectors * np.sqrt(np.maximum(values, 0.0)))


# ---- rows -----------------------------------------------------------------------------------------------------------


def _rows(design: Design, part: SmoothPart, newdata: Any, points: int) -> _Rows:
    """The points of a curve and the columns of its coefficients there."""
    columns = dict(_grid(design, part, points)) if newdata is None else _given(design, part, newdata)
    return _Rows(_shown(part, columns), _curve(design, part, columns))


def _curve(design: Design, part: SmoothPart, columns: dict[str, Column]) -> Array:
    """Columns of a curve that sums to zero over the data.

    Those of tensor products and Gaussian processes do not by themselves: their means are taken from them.
    """
    fixed, *penalised = part.learnt.curve(_values(design, part, columns))
    names = design.layout.prefixes[part.predictor]
    own = [names + name for _, owned, _ in part.learnt.owners for name in owned]
    width = len(own) // max(len(part.learnt.owners), 1)
    place = 0 if part.level is None or part.group else part.learnt.levels.index(part.level)
    kept = [j for j, name in enumerate(own[place * width : (place + 1) * width]) if name in design.fixed]
    made = np.column_stack([fixed[:, kept], *penalised])
    if isinstance(part.learnt.basis, Tensor | HilbertBasis) and not part.is_by_number:
        assert design.source is not None
        data = {name: column.take(design.rows) for name, column in design.source.columns.items()}
        at_data, *others = part.learnt.curve(_values(design, part, data))
        made = made - np.column_stack([at_data[:, kept], *others]).mean(axis=0)
    return made


def _values(design: Design, part: SmoothPart, columns: dict[str, Column]) -> Array:
    """Values of the variables of a smooth ``(m, d)``."""
    assert design.encoder is not None
    memory = dict(design.encoder.memory)
    found = []
    for text in part.variables:
        value = evaluate(text, columns, memory)
        assert isinstance(value, Numeric)
        found.append(value.values)
    return np.column_stack(found)


def _columns(part: SmoothPart) -> list[str]:
    """Columns of the data that the variables of a smooth are made of."""
    return list(dict.fromkeys(name for text in part.variables for name in column_names(read(text))))


def _grid(design: Design, part: SmoothPart, points: int) -> Iterator[tuple[str, Column]]:
    """Points over the range of the data of each column, in all combinations."""
    assert design.source is not None
    check_points(points)
    names = _columns(part)
    number = points if len(names) == 1 else max(2, min(SIDE, round(points ** (1.0 / len(names)) * 3)))
    ends = [design.source.columns[name] for name in names]
    axes = [np.linspace(*_range(column, design.rows), number) for column in ends]
    for name, values in zip(names, np.meshgrid(*axes, indexing="ij"), strict=True):
        yield name, Numeric(values.ravel())


def _range(column: Column, rows: Array) -> tuple[float, float]:
    values = column.values if isinstance(column, Numeric) else column.codes.astype(float)
    return float(values[rows].min()), float(values[rows].max())


def _given(design: Design, part: SmoothPart, newdata: Any) -> dict[str, Column]:
    """The rows of new data, of a curve of a level those of that level."""
    assert design.encoder is not None
    table, names = open_table(newdata), _columns(part)
    by = [part.factor] if part.factor in table.names else []
    columns = {
        name: as_fitted(name, column, design.encoder.kinds) for name, column in table.read([*names, *by]).items()
    }
    if by and isinstance(factor := columns.pop(part.factor), Factor) and part.level in factor.levels:
        own = np.flatnonzero(factor.codes == factor.levels.index(part.level))
        columns = {name: column.take(own) for name, column in columns.items()}
    return columns


def _shown(part: SmoothPart, columns: dict[str, Column]) -> pd.DataFrame:
    import pandas as pd

    n = len(next(iter(columns.values())).missing)
    shown: dict[str, Any] = {"smooth": np.repeat(part.label, n)}
    if part.level is not None:
        shown[part.factor] = np.repeat(part.level, n)
    for name, column in columns.items():
        shown[name] = column.values if isinstance(column, Numeric) else np.array(column.levels)[column.codes]
    return pd.DataFrame(shown)


def variables_of(parts: Sequence[SmoothPart]) -> list[str]:
    """Columns that curves are functions of."""
    return list(dict.fromkeys(name for part in parts for name in _columns(part)))
