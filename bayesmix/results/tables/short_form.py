"""Fits in a few lines: what a prompt shows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from bayesmix.results.tables import r_printing
from bayesmix.results.tables.posterior_summary import has_few_draws
from bayesmix.results.tables.summary_sections import size_lines

if TYPE_CHECKING:
    import pandas as pd

    from bayesmix.results.fits.records import EstimateRecord, PosteriorRecord


def brief_estimate(fit: EstimateRecord) -> str:
    """Method, formula, criterion and estimates."""
    criterion = "REML criterion" if fit.method == "REML" else "-2 log-likelihood"
    title = r_printing.paragraph(f"{fit.method} estimate of {fit.spec.text}", indent=2)
    lines = [*title, *size_lines(fit), f"{criterion}: {fit.criterion:.6g}"]
    if fit.singular:
        lines.append("Boundary (singular) fit: see summary()")
    problems = [line for problem in fit.problems for line in r_printing.paragraph(problem, indent=0)]
    return "\n".join([*lines, *problems, "", *_rows(fit.parameters(), ("estimate", "std_error"))])


def brief_posterior(fit: PosteriorRecord) -> str:
    """Draws, formula, the verdict on the chains, means and intervals."""
    chains, draws = fit.values.lead
    failed = "are too few" if has_few_draws(fit) else "did not converge"
    verdict = "converged" if fit.converged else f"{failed}: see diagnose()"
    lines = [*r_printing.paragraph(f"Posterior of {fit.spec.text}", indent=2), *size_lines(fit)]
    lines.append(f"{chains} chains of {draws} draws by {fit.method}, which {verdict}")
    return "\n".join([*lines, "", *_rows(fit.parameters(), ("mean", "sd", "lower", "upper"))])


def _rows(table: pd.DataFrame, columns: Sequence[str]) -> list[str]:
    cells = [(name, ["" if np.isnan(value) else f"{value:.4g}" for value in table[name]]) for name in columns]
    return r_printing.table_lines([str(name) for name in table.index], cells)
