"""Heterogeneity of effects whose standard errors are known: variances between levels, I2 and H2, Cochran's Q.

With ``W = diag(1 / s^2)`` and ``P = W - W X (X'W X)^-1 X'W``, ``v = (n - p) / tr P`` is the typical sampling variance
(Higgins and Thompson 2002, Stat. Med. 21, eq. 9). Of variances ``tau2_g`` between the levels of each grouping factor,
of a sigma beside the errors, and of their sum ``tau2``

    I2_g = tau2_g / (tau2 + v),   I2 = tau2 / (tau2 + v),   H2 = (tau2 + v) / v,

as metafor has them of ``rma.mv``. ``Q = y'P y`` has a chi-square distribution on ``n - p`` degrees of freedom where the
predictors and the errors are all there is. Of several effects of a level the variance is its mean over rows.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from textwrap import wrap
from typing import override

import numpy as np

from bayesmix.arrays import Array
from bayesmix.results.criticism.variance_explained import partition, scalar_table
from bayesmix.results.fits.chosen_parameter import choose
from bayesmix.results.fits.records import FitRecord
from bayesmix.results.fits.row_parameters import row_parameters
from bayesmix.results.fits.sampling_variances import sampling_variances
from bayesmix.results.tables.printed_table import PrintedTable
from bayesmix.results.tables.r_printing import PAGE, format_numbers, format_p_values, table_lines

DIGITS = 4


@dataclass(frozen=True, slots=True)
class CochranQ:
    """Cochran's test of equal effects, but for predictors and errors: the same for all fits of a model."""

    statistic: float
    df: int
    p_value: float

    def __str__(self) -> str:
        p = format_p_values(np.array([self.p_value]), DIGITS)[0].strip()
        return f"Cochran's Q = {self.statistic:.5g} on {self.df} df, p {p if p.startswith('<') else f'= {p}'}"


class HeterogeneityTable(PrintedTable):
    """Variances, I2 and H2, one a row; printed, with the test of ``attrs["Q"]``."""

    @override
    def __repr__(self) -> str:
        columns = [(str(name), format_numbers(self[name].to_numpy(float), DIGITS)) for name in self.columns]
        lines = table_lines([str(label) for label in self.index], columns, left=True)
        return "\n".join([*lines, *(wrap(str(self.attrs["Q"]), PAGE) if "Q" in self.attrs else [])])


def heterogeneity(fit: FitRecord, *, response: str | None = None) -> HeterogeneityTable:
    """The variances between effects and their shares of all variance, described as a fit's parameters are.

    Raises
    ------
    SpecError
        If the standard errors of the response are not known.
    """
    number = choose(fit.spec, response=response).response
    variances = sampling_variances(fit.design, fit.spec, number, "heterogeneity()")
    table = HeterogeneityTable(scalar_table(fit, dict(_measures(fit, number, variances))))
    table.attrs["Q"] = _test(fit, number, variances)
    return table


def _measures(fit: FitRecord, response: int, variances: Array) -> Iterator[tuple[str, Array]]:
    """Names and values ``(...,)``."""
    v, parts = _typical(_columns(fit, response), variances), _variances(fit, response)
    total = np.asarray(sum(parts.values(), start=np.zeros(fit.values.lead)))
    if len(parts) > 1:
        for name, tau2 in parts.items():
            yield f"tau({name})", np.sqrt(tau2)
            yield f"I2({name})", tau2 / (total + v)
    yield from (("tau", np.sqrt(total)), ("tau2", total), ("I2", total / (total + v)), ("H2", (total + v) / v))


def _variances(fit: FitRecord, response: int) -> dict[str, Array]:
    """Variances between levels ``(...,)`` by grouping factor, and of what is beside the errors: sigma's."""
    spec, design = fit.spec, fit.design
    found = dict(partition(design, spec, fit.values, response=response).random)
    if spec.responses[response].additions.has_sigma:
        eta = fit.values.beta @ design.X.T + design.offset
        sigma = row_parameters(spec, eta, fit.values, response=response)[1]
        found["sigma"] = np.mean(sigma**2, axis=-1)
    return found


def _columns(fit: FitRecord, response: int) -> Array:
    """Columns ``(n, p)`` of the mean."""
    chosen = choose(fit.spec, response=fit.spec.responses[response].label)
    return fit.design.X[fit.design.block(chosen.predictor)][:, fit.design.of_predictor(chosen.predictor)]


def _whitened(X: Array, variances: Array) -> Array:
    """An orthonormal basis of the columns over the standard errors."""
    return np.linalg.qr(X / np.sqrt(variances)[:, None])[0]


def _typical(X: Array, variances: Array) -> float:
    """The typical sampling variance."""
    Q = _whitened(X, variances)
    trace = np.sum((1.0 - np.sum(Q**2, axis=1)) / variances)
    return float((len(X) - X.shape[1]) / trace)


def _test(fit: FitRecord, response: int, variances: Array) -> CochranQ:
    from scipy.stats import chi2

    X, design = _columns(fit, response), fit.design
    chosen = choose(fit.spec, response=fit.spec.responses[response].label)
    y = (design.outcomes[response].y - design.offset[design.block(chosen.predictor)]) / np.sqrt(variances)
    Q = _whitened(X, variances)
    residual = y - Q @ (Q.T @ y)
    statistic, df = float(residual @ residual), len(X) - X.shape[1]
    return CochranQ(statistic, df, float(chi2.sf(statistic, df)))
