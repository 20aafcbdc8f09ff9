"""Whether the fits reproduce the figures that a document prints, and whether the sampler converged."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from bayesmix.data.model_file import Figure
from bayesmix.results.fits.degrees_of_freedom import has_freedom
from bayesmix.results.fits.fixed_inference import fixed_inference, fixed_table
from bayesmix.results.tables.posterior_summary import convergence_lines
from bayesmix.results.tables.r_printing import PAGE, table_lines
from bayesmix.results.tables.summary import fixed_correlation
from bayesmix.results.tables.summary_sections import residual_quantiles

if TYPE_CHECKING:
    import pandas as pd

    from bayesmix.results.fits.records import EstimateRecord, PosteriorRecord


class Outcome(Enum):
    """How a printed figure and ours compare; the values are the words users read."""

    OK = "ok"
    KNOWN = "known difference"
    DIFFERS = "differs"
    ABSENT = "not a figure of this fit"


@dataclass(frozen=True, slots=True)
class Check:
    """One printed figure beside ours."""

    name: str
    documented: float
    ours: float | None
    difference: float | None  # relative to the documented figure; absolute where that is zero
    tolerance: float  # relative
    outcome: Outcome
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the figures and the fits amount to."""

    checks: tuple[Check, ...]
    estimate_converged: bool
    estimate_status: str
    sampler_converged: bool | None = None  # None where nothing was sampled
    sampler_status: str = ""

    @property
    def reproduced(self) -> bool:
        """Whether every figure agrees, or differs as it is known to."""
        return all(check.outcome in {Outcome.OK, Outcome.KNOWN} for check in self.checks)

    @property
    def converged(self) -> bool:
        """Whether both fits can be used."""
        return self.estimate_converged and self.sampler_converged is not False

    @property
    def table(self) -> pd.DataFrame:
        """One row a figure: ``documented, ours, difference, tolerance, outcome, reason``."""
        import pandas as pd

        columns = ("documented", "ours", "difference", "tolerance")
        rows = {c.name: [*(getattr(c, name) for name in columns), c.outcome.value, c.reason] for c in self.checks}
        return pd.DataFrame.from_dict(rows, orient="index", columns=[*columns, "outcome", "reason"])

    def __str__(self) -> str:
        return "\n".join(_lines(self))


def judge(figures: Iterable[Figure], estimate: EstimateRecord, posterior: PosteriorRecord | None = None) -> Verdict:
    """Hold every printed figure against the estimate, and state what the fits achieved."""
    checks = check_figures(figures, figures_of(estimate))
    status = f"The optimiser {estimate.point.optimum.status.value}."
    if posterior is None:
        return Verdict(checks, estimate.converged, status)
    return Verdict(checks, estimate.converged, status, posterior.converged, " ".join(convergence_lines(posterior)))


def check_figures(figures: Iterable[Figure], ours: Mapping[str, float]) -> tuple[Check, ...]:
    """Compare printed figures with ours by name."""
    return tuple(check_figure(figure, ours.get(figure.name)) for figure in figures)


def check_figure(figure: Figure, ours: float | None) -> Check:
    """Compare one printed figure with ours.

    It agrees within its relative tolerance, or within half a unit of the last digit printed. Where it does not, the
    difference counts as known only if ours is the value that the model file gives for it.
    """
    if ours is None:
        return Check(figure.name, figure.value, None, None, figure.tolerance, Outcome.ABSENT)
    distance = abs(ours - figure.value)
    difference = distance / abs(figure.value) if figure.value else distance
    known = figure.known
    outcome, reason = Outcome.DIFFERS, ""
    if difference <= figure.tolerance or distance <= figure.rounding * (1.0 + 1e-6):
        outcome = Outcome.OK
    elif known is not None and abs(ours - known.value) <= known.tolerance * abs(known.value):
        outcome, reason = Outcome.KNOWN, known.reason
    return Check(figure.name, figure.value, ours, difference, figure.tolerance, outcome, reason)


# ---- figures of a fit -------------------------------------------------------------------------------------------


def figures_of(fit: EstimateRecord) -> dict[str, float]:
    """Everything that a document may print of an estimate, by the names that model files use."""
    return dict(_figures(fit))


def _figures(fit: EstimateRecord) -> Iterator[tuple[str, float]]:
    yield from _sizes(fit)
    yield from _criteria(fit)
    if fit.spec.is_simple and fit.design.counts is None:
        yield from ((f"scaled_residuals({name})", value) for name, value in residual_quantiles(fit).items())
    yield from ((str(name), float(value)) for name, value in fit.parameters()["estimate"].items())
    yield from _variances(fit)
    yield from _tests(fit)
    yield from _correlations(fixed_correlation(fit))
    for group, table in fit.coef().items():
        for level, row in table.iterrows():
            yield from ((f"coef({group}, {level}, {effect})", float(value)) for effect, value in row.items())


def _sizes(fit: EstimateRecord) -> Iterator[tuple[str, float]]:
    yield "n_obs", float(fit.df_resid + fit.df)
    yield from ((f"n_groups({group})", float(count)) for group, count in fit.design.group_sizes.items())


def _criteria(fit: EstimateRecord) -> Iterator[tuple[str, float]]:
    values = {"criterion": fit.criterion, "AIC": fit.aic, "BIC": fit.bic, "logLik": fit.loglik}
    yield from values.items()
    if fit.method != "REML":
        yield "deviance", fit.criterion
    yield "df_resid", float(fit.df_resid)


def _variances(fit: EstimateRecord) -> Iterator[tuple[str, float]]:
    for term, sd in zip(fit.design.terms, fit.values.sd, strict=True):
        for effect, size in zip(term.effects, sd, strict=True):
            yield f"var({term.group}, {effect})", float(size) ** 2
    if fit.spec.family.dispersion == "sigma" and fit.values.dispersion is not None:
        yield "var(Residual)", float(fit.values.dispersion) ** 2


def _tests(fit: EstimateRecord) -> Iterator[tuple[str, float]]:
    table = fixed_table(fit, fixed_inference(fit))
    letter = "t" if has_freedom(fit) else "z"
    for column in table.columns.drop("estimate"):
        kind = f"{letter}_value" if column == "statistic" else column
        yield from ((f"{kind}({name})", float(value)) for name, value in table[column].items())


def _correlations(table: pd.DataFrame) -> Iterator[tuple[str, float]]:
    names = [str(name) for name in table.index]
    values = table.to_numpy()
    for j, second in enumerate(names):
        yield from ((f"corr_fixef({first}, {second})", float(values[i, j])) for i, first in enumerate(names) if i != j)


# ---- words ------------------------------------------------------------------------------------------------------


def _lines(verdict: Verdict) -> Iterator[str]:
    yield "Verdict"
    if verdict.checks:
        yield ""
        yield from _reproduction(verdict)
    yield ""
    yield from textwrap.wrap(f"Estimate: {verdict.estimate_status}", PAGE)
    if verdict.sampler_converged is not None:
        yield from textwrap.wrap(f"Posterior: {verdict.sampler_status}", PAGE)


def _reproduction(verdict: Verdict) -> Iterator[str]:
    good, known, wrong = (
        [c for c in verdict.checks if c.outcome in kinds]
        for kinds in ({Outcome.OK}, {Outcome.KNOWN}, {Outcome.DIFFERS, Outcome.ABSENT})
    )
    does = "reproduces" if verdict.reproduced else "does not reproduce"
    counts = [f"{len(good)} of {len(verdict.checks)} figures agree"]
    counts += [f"{len(known)} differ for a known reason"] if known else []
    counts += [f"{len(wrong)} differ and should not"] if wrong else []
    yield from textwrap.wrap(f"The estimate {does} the document: {', '.join(counts)}.", PAGE)
    if wrong:
        yield from ("", "Not explained:", *_rows(wrong))
    for reason in dict.fromkeys(check.reason for check in known):
        yield from ("", *textwrap.wrap(f"Known: {reason}.", PAGE))
        yield from _rows([check for check in known if check.reason == reason])


def _rows(checks: list[Check]) -> list[str]:
    columns = [
        ("documented", [f"{check.documented:.7g}" for check in checks]),
        ("ours", ["none" if check.ours is None else f"{check.ours:.7g}" for check in checks]),
        ("difference", ["" if check.difference is None else f"{100.0 * check.difference:.2g} %" for check in checks]),
        ("tolerance", [f"{100.0 * check.tolerance:.2g} %" if check.tolerance else "rounding" for check in checks]),
    ]
    return table_lines([f"  {check.name}" for check in checks], columns)
