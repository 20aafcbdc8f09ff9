"""Degrees of freedom of an estimate's intervals and tests: t for linear models, z for all others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np

from bayesmix.arrays import Array
from bayesmix.errors import SpecError, nearest
from bayesmix.inference.estimation.connected_rows import are_few
from bayesmix.inference.estimation.methods import Ml, Reml
from bayesmix.results.fits.records import EstimateRecord

if TYPE_CHECKING:
    from bayesmix.data.design.design import Term
    from bayesmix.results.fits.records import FitRecord

Df = Literal["satterthwaite", "kenward-roger", "asymptotic"]
NAMES = {"satterthwaite": "Satterthwaite's", "kenward-roger": "Kenward and Roger's"}


def resolve_df(fit: FitRecord, df: str | None) -> str:
    """One of `Df`, or ``"posterior"``: what was asked for, or what the fit has by default.

    Raises
    ------
    SpecError
        If there are no such degrees of freedom, or the fit has none.
    """
    if df is not None and df not in get_args(Df):
        known = get_args(Df)
        hint = nearest(df, known) if isinstance(df, str) else ""
        raise SpecError(f"There are no degrees of freedom df=`{df}`.{hint} Choices: {', '.join(known)}.")
    if not isinstance(fit, EstimateRecord):
        if df is not None:
            raise SpecError(
                f"df={df!r} is for estimates; a posterior's intervals are quantiles of its draws. Leave it."
            )
        return "posterior"
    if df in NAMES and not has_freedom(fit):
        raise SpecError(
            f"{NAMES[df]} degrees of freedom are for linear mixed models of one response with one residual variance;"
            f" here z tests hold.{_of_strata(fit)}"
        )
    return df or ("satterthwaite" if has_freedom(fit) else "asymptotic")


def _of_strata(fit: EstimateRecord) -> str:
    """What to do where sigma has a formula, which models of repeated measures have degrees of freedom beside."""
    sigma = [one for one in fit.spec.predictors if one.parameter == 1 and not one.formula.is_implied]
    if not (sigma and fit.spec.has_linear_means and len(fit.spec.predictors) == 2) or sigma[0].formula.bars:
        return ""
    group = next(iter(fit.design.group_sizes), "g")
    return (
        f" Beside `{sigma[0].formula.text}` they are there with a residual structure in place of `(1 | {group})`:"
        f" `cosy(gr = {group})`, or `unstr(visit, {group})`."
    )


def has_kenward_roger(fit: EstimateRecord) -> bool:
    """Whether they may be Kenward and Roger's, whose expected information takes levels as independent.

    Beside a residual structure the covariance of rows that levels connect is dense.
    """
    if not (has_freedom(fit) and all(term.is_independent for term in fit.design.terms)):
        return False
    return not fit.spec.has_row_covariance or are_few(fit.point.coordinates.factors)


def has_freedom(fit: EstimateRecord) -> bool:
    """Whether tests of fixed effects have degrees of freedom: normal responses with a covariance of their own."""
    return is_linear(fit) or (fit.spec.has_row_covariance and isinstance(fit.point.method, Reml | Ml))


def is_linear(fit: EstimateRecord) -> bool:
    """Whether an estimate is of a linear mixed model: gaussian responses, identity link."""
    return fit.spec.is_linear and isinstance(fit.point.method, Reml | Ml)


def containment(terms: Sequence[Term], used: Sequence[Array], n: int) -> Array:
    """Degrees of freedom between the levels of the factor with the fewest that a row depends on, 0 without: ``(n,)``.

    Satterthwaite's fall below 1 where a variance between levels is small beside its own error, and quantiles of t grow
    without bound. A variance between J levels rests on J - 1 degrees of freedom all the same (SAS's containment).

    Parameters
    ----------
    used : ``(n,)`` of bool a term, which rows depend on the effects of its levels.
    """
    fewest = np.full(n, np.inf)
    for term, own in zip(terms, used, strict=True):
        of_rows = np.asarray(own).reshape(term.slots, -1).any(axis=0)
        independent = len(term.effects) if term.is_population else len(term.observed().levels) - 1  # or functions
        fewest = np.where(of_rows, np.minimum(fewest, float(independent)), fewest)
    return np.where(np.isfinite(fewest), fewest, 0.0)


def interval_columns(value: Array, error: Array, df: Array, reach: Array) -> dict[str, Array]:
    """Columns ``estimate, std_error, df, lower, upper``; ``reach`` is half the width in standard errors."""
    bounds = {"lower": value - reach * error, "upper": value + reach * error}
    return {"estimate": value, "std_error": error, "df": df, **bounds}


def quantile(df: Array, interval: float) -> Array:
    """Half the width of central intervals, in standard errors."""
    from scipy.special import stdtrit

    return np.asarray(stdtrit(df, 0.5 + 0.5 * interval))


def statistic_columns(value: Array, error: Array, df: Array, *, letter: str, sign: str = "=") -> dict[str, Array]:
    """Columns ``t`` or ``z``, and ``p_value``: two-sided, or of the alternatives ``>`` and ``<``."""
    from scipy.special import stdtr

    with np.errstate(divide="ignore", invalid="ignore"):
        statistic = value / error
    p = {">": stdtr(df, -statistic), "<": stdtr(df, statistic), "=": 2.0 * stdtr(df, -np.abs(statistic))}[sign]
    return {letter: statistic, "p_value": np.asarray(p)}
