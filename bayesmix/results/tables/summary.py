"""Fits as text in lme4's layout: the estimate to the column, the posterior in the same sections.

Models of several linear predictors have a coefficient table for each: estimates in glmmTMB's layout, posteriors in
brms's.
"""

from __future__ import annotations

import html
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from bayesmix.arrays import Array
from bayesmix.data.design.design import Design, Term
from bayesmix.inference.estimation.methods import Agq, Ml, Reml
from bayesmix.inference.parameters.correlation import Free
from bayesmix.inference.parameters.covariance import structure_of
from bayesmix.inference.parameters.names import corr_effects, corr_kinds, sd_effects
from bayesmix.language.formula.vocabulary import STRUCTURES
from bayesmix.results.fits.degrees_of_freedom import has_freedom, is_linear
from bayesmix.results.fits.fixed_inference import FixedInference, fixed_inference, fixed_table
from bayesmix.results.fits.linear_predictor import number_names, share_names, singular_terms
from bayesmix.results.fits.robust_covariance import RobustCovariance
from bayesmix.results.tables import r_printing
from bayesmix.results.tables.coefficient_tables import (
    CoefficientTable,
    coefficient_tables,
    effect_words,
    in_r,
)
from bayesmix.results.tables.posterior_summary import Cells, convergence_lines, heading_lines, p_direction
from bayesmix.results.tables.posterior_summary import sections as posterior_sections
from bayesmix.results.tables.residual_matrix import residual_matrix_section
from bayesmix.results.tables.smooth_section import smooth_section
from bayesmix.results.tables.summary_sections import (
    DIGITS,
    SHARES,
    Section,
    call_lines,
    direction,
    dispersion_of,
    family_lines,
    kind_of_model,
    residuals_section,
    size_lines,
    variances_title,
)

if TYPE_CHECKING:
    import pandas as pd

    from bayesmix.results.fits.records import EstimateRecord, PosteriorRecord


TESTS = {
    "satterthwaite": ". t-tests use Satterthwaite's method",
    "kenward-roger": ". t-tests use Kenward-Roger's method",
    "asymptotic": ". z-tests take standard errors as known",
}
DISTRIBUTIONAL = "Distributional parameters"
LARGEST_CORRELATION = 20  # fixed effects; the correlations of more are not printed


@dataclass(frozen=True, slots=True, eq=False)
class Summary:
    """A fit as text; ``print`` it, or take the numbers from ``tables``."""

    sections: tuple[Section, ...]

    @property
    def tables(self) -> dict[str, pd.DataFrame]:
        """The numbers by section, at full precision."""
        return {section.name: section.table for section in self.sections if section.table is not None}

    def __str__(self) -> str:
        return "\n\n".join("\n".join(section.lines) for section in self.sections if section.lines)

    def __repr__(self) -> str:
        return str(self)

    def to_html(self) -> str:
        """The summary as HTML: text as it is, numbers as tables."""
        return "\n".join(_html(section) for section in self.sections if section.lines)

    def _repr_html_(self) -> str:
        return self.to_html()


TITLES = {
    "criteria": "Criteria",
    "scaled_residuals": "Scaled residuals",
    "random_effects": "Random effects",
    "fixed_effects": "Fixed effects",
    "correlation": "Correlation of fixed effects",
}


def _html(section: Section) -> str:
    if section.table is None:
        return f"<p>{'<br>'.join(html.escape(line.strip()) for line in section.lines)}</p>"
    wide = section.name in ("criteria", "scaled_residuals")
    table = (section.table.T if wide else section.table).rename_axis(None).dropna(axis=1, how="all")
    shown = table.to_html(
        float_format=lambda value: f"{value:.4g}", na_rep="", border=0, index=not wide and "group" not in table
    )
    return f"<h4>{html.escape(section.title or TITLES[section.name])}</h4>\n{shown}"


def summarise_estimate(fit: EstimateRecord, df: str | None = None, vcov: RobustCovariance | None = None) -> Summary:
    """Summarise a point estimate, line by line as lme4 prints it, or glmmTMB where there are several predictors."""
    inference = fixed_inference(fit, df, vcov)
    tests = fixed_table(fit, inference)
    fixed = [
        _fixed(inference, part, tests.loc[list(part.columns)]) for part in coefficient_tables(fit.spec, fit.design)
    ]
    if fit.spec.is_simple:
        parts = (*residuals_section(fit), _variances(fit), *fixed, _correlation(fit))
    else:
        shares = _alone(fit, "shares", share_names(fit.design), SHARES)
        parts = (_variances(fit), *fixed, shares, _numbers(fit), residual_matrix_section(fit))
    smooths = smooth_section(fit)
    if smooths is not None:
        at = 1 + [section.name for section in parts].index(fixed[-1].name)
        parts = (*parts[:at], smooths, *parts[at:])
    return Summary((_heading(fit, inference), _criteria(fit), *parts, Section("messages", tuple(_messages(fit)))))


def summarise_posterior(fit: PosteriorRecord, interval: float = 0.95) -> Summary:
    """Summarise a posterior: moments, quantiles and diagnostics of each parameter."""
    table = fit.parameters(interval)
    table.insert(list(table.columns).index("upper") + 1, "p_direction", p_direction(fit))
    heading = Section("heading", tuple(heading_lines(fit)))
    parts = posterior_sections(fit, table, Cells(interval))
    return Summary((heading, *parts, Section("convergence", tuple(convergence_lines(fit)))))


# ---- heading ----------------------------------------------------------------------------------------------------


def _heading(fit: EstimateRecord, inference: FixedInference) -> Section:
    lines = textwrap.wrap(_title(fit, inference), r_printing.PAGE - 3, subsequent_indent="  ", break_on_hyphens=False)
    if not is_linear(fit):
        lines += family_lines(fit.spec)
    return Section("heading", (*lines, *call_lines(fit)))


def _title(fit: EstimateRecord, inference: FixedInference) -> str:
    has_effects = bool(fit.design.terms)
    match fit.point.method:
        case Reml() | Ml() if has_freedom(fit):
            is_residual = is_linear(fit) and fit.values.dispersion is not None and not has_effects
            is_exact = is_residual and fit.method == "REML" and inference.letter == "t" and inference.vcov is None
            detail = (
                ". t-tests are exact, on n - p degrees of freedom"
                if is_exact
                else TESTS[inference.method] + inference.aside
            )
            if inference.vcov is not None:
                detail = f". {inference.letter}-tests use {inference.vcov.words}"
        case Agq(points):
            detail = f" (Adaptive Gauss-Hermite Quadrature, nAGQ = {points})"
        case _:
            detail = " (Laplace Approximation)" if has_effects else ""
    return f"{kind_of_model(fit)} fit by {'REML' if fit.method == 'REML' else 'maximum likelihood'}{detail}"


# ---- criteria and residuals -------------------------------------------------------------------------------------


def _criteria(fit: EstimateRecord) -> Section:
    import pandas as pd

    if isinstance(fit.point.method, Reml):
        table = pd.DataFrame({"value": {"REML criterion": fit.criterion}})
        return Section(
            "criteria", (f"REML criterion at convergence: {r_printing.trim(round(fit.criterion, 1))}",), table
        )
    values = {"AIC": fit.aic, "BIC": fit.bic, "logLik": fit.loglik, "-2*log(L)": fit.criterion}
    df_resid = float(fit.df_resid)
    texts = r_printing.format_numbers([*(round(value, 1) for value in values.values()), df_resid])[:-1]
    values["df.resid"] = df_resid
    lines = r_printing.vector_lines(list(values), [*texts, r_printing.trim(df_resid)])
    return Section("criteria", tuple(lines), pd.DataFrame({"value": values}))


# ---- random effects ---------------------------------------------------------------------------------------------


def _variances(fit: EstimateRecord) -> Section:
    chosen = [t for t, term in enumerate(fit.design.terms) if not term.is_population]
    terms = [fit.design.terms[t] for t in chosen]
    sizes = [structure_of(term).n_sd for term in terms]
    sd = [size for t, n in zip(chosen, sizes, strict=True) for size in fit.values.sd[t][:n]]
    groups = [cell for label, n in zip(_labels(terms), sizes, strict=True) for cell in (label, *[""] * (n - 1))]
    effects = [effect for term in terms for effect in _effects(fit.design, term)]
    if fit.spec.family.dispersion == "sigma" and fit.values.dispersion is not None:
        sd.append(dispersion_of(fit))
        groups, effects = [*groups, "Residual"], [*effects, ""]
    if not sd:
        return Section("random_effects", tuple(size_lines(fit)))
    columns = [
        ("Groups", groups),
        ("Name", effects),
        ("Variance", r_printing.format_numbers([size**2 for size in sd], DIGITS)),
        ("Std.Dev.", r_printing.format_numbers(sd, DIGITS)),
        *_correlation_columns(terms, [fit.values.corr[t] for t in chosen], len(sd)),
    ]
    lines = (variances_title(fit), *r_printing.table_lines([""] * len(sd), columns, left=True), *size_lines(fit))
    return Section("random_effects", lines, fit.varcorr())


def _effects(design: Design, term: Term) -> list[str]:
    """What each standard deviation of a term is of."""
    if term.smooth:
        return [f"{term.smooth}, {len(term.effects)} functions" if len(term.effects) > 1 else term.smooth]
    words = effect_words(design, term)
    return [words[label[0]] if label else f"each of {len(term.effects)} effects" for label in sd_effects(term)]


def _labels(terms: Sequence[Term]) -> list[str]:
    """Grouping factors; further terms of the same one are numbered, ``Subject.1``."""
    groups = [term.group for term in terms]
    seen = [groups[:t].count(group) for t, group in enumerate(groups)]
    return [f"{group}.{before}" if before else group for group, before in zip(groups, seen, strict=True)]


def _correlation_columns(terms: Sequence[Term], matrices: Sequence[Array], rows: int) -> list[tuple[str, list[str]]]:
    """Lower triangles of the correlation matrices, one below the other; numbers that rule them beside the group."""
    shown = [_width(term) for term in terms]
    if not max(shown, default=0):
        return []
    columns = [[""] * rows for _ in range(max(shown))]
    begin = 0
    for term, matrix in zip(terms, matrices, strict=True):
        structure = structure_of(term)
        values = structure.correlation.numbers(matrix)
        if isinstance(structure.correlation, Free):
            numbers = r_printing.format_numbers(np.round(values, 2), decimals=2)
            for text, (j, i) in zip(numbers, combinations(range(structure.k), 2), strict=False):
                columns[j][begin + i] = text
        else:
            columns[0][begin : begin + structure.n_sd] = _ruling(term, values)
        begin += structure.n_sd
    return [("" if j else "Corr", column) for j, column in enumerate(columns)]


def _width(term: Term) -> int:
    """Columns that a term's correlations take."""
    k = len(term.effects)
    return min(len(corr_effects(term)), k - 1 if isinstance(structure_of(term).correlation, Free) else 1)


def _ruling(term: Term, values: Array) -> list[str]:
    """The numbers that all correlations of a term follow from, each with what it is, beside its standard deviations."""
    parts = [
        f"{value:.2f}" if kind == "corr" else f"{kind} {value:.4g}"
        for kind, value in zip(corr_kinds(term), values, strict=True)
    ]
    n, name = structure_of(term).n_sd, STRUCTURES[term.structure][0]
    if len(parts) > n or len(parts) == 1:
        return [f"{', '.join(parts)} ({name})", *[""] * (n - 1)]
    lags = [f"{part} ({name}, {', '.join(own)})" for part, own in zip(parts, corr_effects(term), strict=True)]
    return [*lags, *[""] * (n - len(lags))]


# ---- fixed effects ----------------------------------------------------------------------------------------------


def _fixed(inference: FixedInference, part: CoefficientTable, table: pd.DataFrame) -> Section:
    if table.empty:
        return Section(part.name, (), table)
    letter = inference.letter
    if letter == "t" and np.isinf(table["df"]).all():  # what the covariance of the fixed effects does not depend on
        letter, table = "z", table.drop(columns="df")
    lines = _fixed_lines(table, part.words, letter)
    return Section(part.name, (f"{part.title}:", *lines), table, part.title)


def _fixed_lines(table: pd.DataFrame, names: Sequence[str], letter: str) -> list[str]:
    estimates, errors = r_printing.format_coefficients(table[["estimate", "std_error"]].to_numpy(), DIGITS)
    p_values = table["p_value"].to_numpy()
    columns = [
        ("Estimate", estimates),
        ("Std. Error", errors),
        *([("df", r_printing.format_numbers(table["df"], DIGITS))] if "df" in table else []),
        (f"{letter} value", r_printing.format_statistics(table["statistic"].to_numpy(), DIGITS)),
        (f"Pr(>|{letter}|)", r_printing.format_p_values(p_values, r_printing.statistic_digits(DIGITS))),
    ]
    if not np.any(p_values < r_printing.CUTPOINTS[-1][0]):
        return r_printing.table_lines(names, columns)
    columns.append(("", r_printing.justify([r_printing.stars(p) for p in p_values], left=True)))
    return [*r_printing.table_lines(names, columns), "---", r_printing.LEGEND]


def _numbers(fit: EstimateRecord) -> Section:
    """Parameters that are one number for all rows."""
    shares = share_names(fit.design)
    return _alone(fit, "numbers", [name for name in number_names(fit.design) if name not in shares], DISTRIBUTIONAL)


def _alone(fit: EstimateRecord, section: str, names: list[str], title: str) -> Section:
    table = fit.parameters().loc[names]
    if table.empty:
        return Section(section, (), table)
    estimates, errors = r_printing.format_coefficients(table[["estimate", "std_error"]].to_numpy(), DIGITS)
    lines = r_printing.table_lines(names, [("Estimate", estimates), ("Std. Error", errors)])
    return Section(section, (f"{title}:", *lines), table, title)


def fixed_correlation(fit: EstimateRecord) -> pd.DataFrame:
    """Correlation matrix of the estimates of the fixed effects."""
    table = fit.vcov
    errors = np.sqrt(np.diagonal(table))
    with np.errstate(divide="ignore", invalid="ignore"):
        return table.div(errors, axis=0).div(errors, axis=1)


def _correlation(fit: EstimateRecord) -> Section:
    table = fixed_correlation(fit)
    p = len(table)
    if p < 2:
        return Section("correlation", (), table)
    if p > LARGEST_CORRELATION:
        what = f"Correlation of fixed effects not shown, as p = {p} > {LARGEST_CORRELATION}; see fit.vcov"
        return Section("correlation", (what,), table)
    names = [in_r(str(name)) for name in table.index]
    texts = np.array(r_printing.format_numbers(np.round(table.to_numpy(), 3).ravel(), decimals=3)).reshape(p, p)
    columns = [
        (heading, ["" if i <= j else str(texts[i, j]) for i in range(1, p)])
        for j, heading in enumerate(r_printing.abbreviate(names, 6)[:-1])
    ]
    lines = r_printing.table_lines(r_printing.abbreviate(names, 11)[1:], columns, left=True)
    return Section("correlation", ("Correlation of Fixed Effects:", *lines), table)


# ---- messages ---------------------------------------------------------------------------------------------------


def _messages(fit: EstimateRecord) -> Iterator[str]:
    dropped = fit.design.dropped
    if dropped:
        noun = "column / coefficient" if len(dropped) == 1 else "columns / coefficients"
        what = f"fixed-effect model matrix is rank deficient so dropping {len(dropped)} {noun}: {', '.join(dropped)}"
        yield from textwrap.wrap(what, r_printing.PAGE)
    if fit.singular:
        where = "; ".join(direction(fit, t) for t in singular_terms(fit.design, fit.point.singular))
        yield from textwrap.wrap(f"boundary (singular) fit: {where}", r_printing.PAGE)
    for problem in fit.problems:
        yield from textwrap.wrap(problem, r_printing.PAGE)
