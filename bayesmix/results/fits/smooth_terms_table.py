"""Smooths of an estimate: effective degrees of freedom and a test of each curve, as mgcv's summary has them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from bayesmix.inference.estimation.smooth_coefficients import SmoothCoefficients, level_degrees, smooth_coefficients
from bayesmix.inference.estimation.smooth_test import SmoothTest, spread_test, wald_test
from bayesmix.results.fits.degrees_of_freedom import has_freedom
from bayesmix.results.fits.smooth_parts import SmoothPart, level_curves, smooth_parts

if TYPE_CHECKING:
    import pandas as pd

    from bayesmix.results.fits.records import EstimateRecord


LARGEST = 2_000  # coefficients of curves of levels whose dense matrices take seconds
CELLS = 20_000_000  # of their columns in all rows


def smooth_terms(fit: EstimateRecord) -> pd.DataFrame:
    """Effective and reference degrees of freedom, statistic and p-value of each curve.

    The statistic is an F where the residual standard deviation is estimated, chi-squared otherwise. Curves of the
    levels of a factor have one row, after the others: a test that all are zero, by their spread. Of more than
    `LARGEST` coefficients, which are dense matrices, it has effective degrees of freedom alone.
    """
    import pandas as pd

    found = curve_tests(fit)
    rows = [(one.edf, one.ref_df, one.statistic, one.p_value) for one in found.values()]
    columns = ["edf", "ref_df", "statistic", "p_value"]
    return pd.DataFrame(rows, columns=columns, index=pd.Index(list(found), name="smooth"))


@dataclass(frozen=True, slots=True)
class CurveTest:
    """Effective degrees of freedom of a curve, and the test that it is zero: NaN where there is none."""

    edf: float
    ref_df: float
    residual_df: float  # infinite where the statistic is a chi-squared variable
    statistic: float  # an F, or chi-squared
    p_value: float


def curve_tests(fit: EstimateRecord) -> dict[str, CurveTest]:
    """The test of each curve by its label, those of levels after the others."""
    parts, levels = smooth_parts(fit.spec, fit.design), level_curves(fit.spec, fit.design)
    found = smooth_coefficients(fit.design, fit.spec, fit.point) if parts else None
    tests = {part.label: _of_curve(fit, part, found) for part in parts} if found is not None else {}
    return tests | {label: _of_levels(fit, terms) for label, terms in levels.items()}


def coefficients_of(part: SmoothPart, found: SmoothCoefficients) -> list[int]:
    """Places of a curve's coefficients: its fixed effects, then its basis functions."""
    functions = [j for t in part.terms for j in _of_level(found, t, part)]
    return [*part.fixed, *functions]


def _of_level(found: SmoothCoefficients, t: int, part: SmoothPart) -> range:
    """Those of a term: of curves of levels, which stand one after the other, those of its level."""
    whole, width = found.places[t], part.learnt.penalised[part.terms.index(t)].shape[1]
    begin = whole.start + part.place * width
    return range(begin, begin + width)


def has_matrices(fit: EstimateRecord, terms: Sequence[int]) -> bool:
    """Whether curves of levels are few enough for the dense matrices of their coefficients."""
    size = sum(fit.design.terms[t].z.shape[1] * len(fit.design.terms[t].levels) for t in terms)
    return size <= LARGEST and size * fit.design.n <= CELLS


def _of_curve(fit: EstimateRecord, part: SmoothPart, found: SmoothCoefficients) -> CurveTest:
    own, df = coefficients_of(part, found), _residual_df(fit, found)
    return _tested(found, own, df, _test(part, found, own, df))


def _of_levels(fit: EstimateRecord, terms: list[int]) -> CurveTest:
    """Of the curves of all levels; other groups are integrated out, as mgcv's test has other random effects."""
    if not has_matrices(fit, terms):
        return CurveTest(level_degrees(fit.design, fit.spec, fit.point, terms), *[math.nan] * 4)
    found = smooth_coefficients(fit.design, fit.spec, fit.point, terms)
    own = [j for t in terms for j in range(found.places[t].start, found.places[t].stop)]
    at, df = np.ix_(own, own), _residual_df(fit, found)
    test = spread_test(found.mean[own], found.covariance[at], found.sampling_covariance[at], df=df)
    return _tested(found, own, df, test)


def _residual_df(fit: EstimateRecord, found: SmoothCoefficients) -> float:
    return fit.design.n - float(found.degrees.sum()) if has_freedom(fit) else math.inf


def _tested(found: SmoothCoefficients, own: list[int], df: float, test: SmoothTest) -> CurveTest:
    statistic = test.statistic / (1.0 if math.isinf(df) else test.df)
    return CurveTest(float(found.degrees[own].sum()), test.df, df, statistic, test.p_value)


def _test(part: SmoothPart, found: SmoothCoefficients, own: list[int], df: float) -> SmoothTest:
    at = np.ix_(own, own)
    if not part.fixed:
        return spread_test(found.mean[own], found.covariance[at], found.sampling_covariance[at], df=df)
    rank = min(float(found.reference_degrees[own].sum()), float(len(own)))
    first = part.first if len(part.first) == len(own) else np.ones(len(own))
    information, covariance = found.information[at], found.covariance[at]
    return wald_test(found.mean[own], information, covariance, rank=rank, df=df, first=first)
