"""A comparison as one self-contained HTML file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from bayesmix import __version__
from bayesmix.comparison import Comparison
from bayesmix.data.columns import Factor
from bayesmix.data.design.row_statistics import mean
from bayesmix.errors import DataError, SpecError
from bayesmix.fit import Estimate, Posterior
from bayesmix.inference.parameters.prior_wording import short
from bayesmix.language.arguments import explained
from bayesmix.present.report import page
from bayesmix.present.report.figures import illustrations
from bayesmix.present.report.page import Part
from bayesmix.present.report.provenance import facts, methods, references
from bayesmix.results.comparison.document_check import Outcome, Verdict
from bayesmix.results.fits.accessors import priors_of
from bayesmix.results.storage.atomic_replacement import write_whole
from bayesmix.results.tables.model_html import maths_html
from bayesmix.results.tables.posterior_summary import has_few_draws
from bayesmix.results.tables.summary_sections import links_named

if TYPE_CHECKING:
    from bayesmix.arrays import Array
    from bayesmix.data.columns import Column
    from bayesmix.data.design.design import Design
    from bayesmix.data.design.inputs import Source
    from bayesmix.language.formula.model_spec import ModelSpec
    from bayesmix.results.criticism.diagnosis import Diagnosis


@explained
def report(
    comparison: Comparison,
    path: str | Path,
    *,
    title: str | None = None,
    verdict: Verdict | None = None,
    units: Mapping[str, str] | None = None,
) -> Path:
    """Write model, data, priors, summaries, comparison, diagnostics and figures as one HTML file.

    Parameters
    ----------
    comparison : of the fits to report, from `compare`.
    path : of the file; an existing one is replaced when the new one is whole.
    title : heading of the page; the formula by default.
    verdict : on the figures of a document, from `bayesmix.results.comparison.document_check.judge`.
    units : of the columns, by name.

    Returns
    -------
    Path
        The file. It needs nothing else, no network either.

    Raises
    ------
    SpecError
        If there is no comparison.
    DataError
        If the file cannot be written.
    """
    if not isinstance(comparison, Comparison):
        raise SpecError(f"A report is of a comparison, bmx.compare(...), not of {type(comparison).__name__}.")
    target = Path(path)
    if not target.absolute().parent.is_dir():  # said before the long part
        raise DataError(f"The report `{path}` cannot be written: No such file or directory.")
    text = render(comparison, title=title, verdict=verdict, units=units)
    write_whole(target, text.encode(), kind="The report")
    return target


def render(
    comparison: Comparison,
    *,
    title: str | None = None,
    verdict: Verdict | None = None,
    units: Mapping[str, str] | None = None,
) -> str:
    """The page as text; see `report`."""
    first = comparison.fits[0]
    units = {**first.fitted_model.units, **(units or {})}
    diagnoses = [fit.diagnose() for fit in comparison.fits]
    parts = [
        Part("Model", maths_html(first.spec, first.design)),
        Part("Data", _data(first.design, units)),
        Part("Priors", _priors(comparison)),
        Part("Comparison", _comparison(comparison)),
        Part("Figures", "\n".join(_figures(comparison, units))),
        Part("Diagnostics", _diagnostics(comparison, diagnoses)),
        *(
            Part(f"Summary: {label}", page.verbatim(str(fit.summary())))
            for label, fit in zip(comparison.labels, comparison.fits, strict=True)
        ),
        *([Part("Document", _document(verdict))] if verdict is not None and verdict.checks else []),
        Part("Methods and sources", _sources(comparison)),
    ]
    return page.page(title or first.spec.text, _lead(comparison, verdict, diagnoses), parts)


def _lead(comparison: Comparison, verdict: Verdict | None, diagnoses: Sequence[Diagnosis]) -> str:
    spec, data = comparison.fits[0].spec, comparison.fits[0].fitted_model.data_name
    about = f"{spec.text}; {'; '.join(_families(spec))}"
    source = f"; data {data}" if data else ""
    return page.paragraph(f"{about}{source}. bayesmix {__version__}.", quiet=True) + page.verdicts(
        [*_verdicts(comparison, verdict), *_warnings(comparison, diagnoses)]
    )


def _warnings(comparison: Comparison, diagnoses: Sequence[Diagnosis]) -> Iterator[tuple[bool, str]]:
    """What the diagnoses found beside what the verdicts say already."""
    for label, diagnosis in zip(comparison.labels, diagnoses, strict=True):
        for finding in diagnosis.findings:
            if not finding.good and finding.topic not in ("Chains", "Optimiser"):
                yield False, f"{label}: {finding.topic[:1].lower()}{finding.topic[1:]}: {finding.text}"


def _families(spec: ModelSpec) -> Iterator[str]:
    """Family and link of each response; of several predictors the link of each parameter."""
    for one in spec.responses:
        of = "" if spec.is_simple else f"{one.label}: "
        yield f"{of}{one.family.name} family, {links_named(spec, one)}"


def _verdicts(comparison: Comparison, verdict: Verdict | None) -> Iterator[tuple[bool, str]]:
    if verdict is not None and verdict.checks:
        yield verdict.reproduced, _reproduction(verdict)
    for label, fit in zip(comparison.labels, comparison.fits, strict=True):
        failed = "too few draws" if isinstance(fit, Posterior) and has_few_draws(fit) else "did not converge"
        does = "converged" if fit.converged else failed
        yield fit.converged, f"{label}: {does}."
        if isinstance(fit, Estimate) and fit.singular:
            yield False, f"{label}: the fit is singular, some variance is zero or some correlation 1 or -1."


def _reproduction(verdict: Verdict) -> str:
    counts = {outcome: sum(check.outcome is outcome for check in verdict.checks) for outcome in Outcome}
    does = "reproduces" if verdict.reproduced else "does not reproduce"
    known = f", {counts[Outcome.KNOWN]} differ for a known reason" if counts[Outcome.KNOWN] else ""
    return (
        f"The estimate {does} the document: {counts[Outcome.OK]} of {len(verdict.checks)} printed figures agree{known}."
    )


def _priors(comparison: Comparison) -> str:
    priors = priors_of(comparison.fits[0] if comparison.posterior is None else comparison.posterior)
    rows = [(name, short(prior), says) for name, prior, says in priors.rows()]
    return page.words_table(("parameter", "prior", "in units of the data"), rows)


# ---- data -------------------------------------------------------------------------------------------------------


def _data(design: Design, units: Mapping[str, str]) -> str:
    missing = design.n_given - design.n_used
    dropped = f" ({missing} dropped for missing values)" if missing else ""
    text = page.paragraph(f"{design.n_used} rows{dropped}.")
    if design.source is None:
        return text
    rows = [(name, *words, units.get(name, "")) for name, words in _described(design.source, design.rows)]
    return text + page.words_table(("column", "kind", "values", "unit"), rows)


def _described(source: Source, used: Array) -> Iterator[tuple[str, tuple[str, str]]]:
    """Kind and values of each column; of rows that stay where they are, of those that stand for them."""
    condensed = source.condensed
    for name, column in source.columns.items():
        if condensed is None:
            yield name, _describe(column.take(used), None)
        elif name in condensed.keys:
            yield name, _describe(condensed.keys[name], condensed.counts)
        else:
            one = condensed.spreads[name]
            yield name, ("number", f"{one.low:.4g} to {one.high:.4g}, mean {one.mean:.4g}")


def _describe(column: Column, counts: Array | None) -> tuple[str, str]:
    """Kind and values of a column, each of which stands for several where there are counts."""
    if not isinstance(column, Factor):
        values = np.asarray(column.values, float)
        middle = np.median(values) if counts is None else mean(values, counts)
        return (
            "number",
            f"{values.min():.4g} to {values.max():.4g}, {'median' if counts is None else 'mean'} {middle:.4g}",
        )
    sizes = np.round(np.bincount(column.codes, counts, len(column.levels))).astype(int)
    used = [level for level, size in zip(column.levels, sizes, strict=True) if size]
    names = ", ".join(used) if len(used) <= 8 else f"{', '.join(used[:3])}, ..., {used[-1]}"
    sizes = sizes[sizes > 0]
    rows = f"{sizes.min()}" if sizes.min() == sizes.max() else f"{sizes.min()} to {sizes.max()}"
    return "factor", f"{len(used)} levels of {rows} rows: {names}"


# ---- comparison, document, diagnostics --------------------------------------------------------------------------


def _comparison(comparison: Comparison) -> str:
    text = comparison.to_html().replace(" %", "&nbsp;%").replace("h4>", "h3>")
    return text.replace("<table>", '<div class="scroll"><table>').replace("</table>", "</table></div>")


def _document(verdict: Verdict) -> str:
    table = verdict.table.drop(columns=["tolerance", "reason"])
    reasons = dict.fromkeys(check.reason for check in verdict.checks if check.reason)
    text = "".join(page.paragraph(f"Known difference: {reason}.") for reason in reasons)
    return text + page.numbers_table(table.assign(difference=table["difference"].map(_percent)))


def _percent(relative: float) -> str:
    return f"{100.0 * relative:.2g} %" if np.isfinite(relative) else ""


def _diagnostics(comparison: Comparison, diagnoses: Sequence[Diagnosis]) -> str:
    found = (
        f"<h3>{escape(label)}</h3>\n{page.findings(_findings(diagnosis))}"
        for label, diagnosis in zip(comparison.labels, diagnoses, strict=True)
    )
    return "\n".join(found)


def _findings(diagnosis: Diagnosis) -> Iterator[tuple[bool, str, str, str]]:
    for finding in diagnosis.findings:
        yield finding.good, finding.topic, finding.text, "" if finding.good else finding.next


def _sources(comparison: Comparison) -> str:
    """Seed, draws, versions, checksum; a paragraph for a paper; what to cite."""
    return "\n".join(
        [
            page.words_table(("what", "value"), facts(comparison)),
            "<h3>In a methods section</h3>",
            page.paragraph(methods(comparison)),
            "<h3>How to cite</h3>",
            page.listed(references(comparison)),
        ]
    )


# ---- figures ----------------------------------------------------------------------------------------------------


def _figures(comparison: Comparison, units: Mapping[str, str]) -> Iterator[str]:
    for drawn in illustrations(comparison, units):
        yield page.picture(drawn.figure, drawn.caption, drawn.words)
