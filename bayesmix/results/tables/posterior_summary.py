"""The parts of a posterior's summary: moments, quantiles and diagnostics of each parameter, and what they mean."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, cycle
from typing import TYPE_CHECKING

import numpy as np

from bayesmix.arrays import Array
from bayesmix.data.design.design import Design, Term
from bayesmix.inference.parameters.names import (
    corr_effects,
    corr_kinds,
    corr_names,
    df_name,
    heavy_tailed,
    sd_effects,
    sd_names,
)
from bayesmix.inference.sampling.agreement import LIMIT
from bayesmix.inference.sampling.diagnostics import ESS_LIMIT, ESS_SHARE, R_HAT_LIMIT, enough
from bayesmix.inference.sampling.sample import failure
from bayesmix.language.formula.vocabulary import STRUCTURES
from bayesmix.results.fits import linear_predictor
from bayesmix.results.fits.linear_predictor import (
    GroupEffects,
    flatten,
    groups,
    number_names,
    share_names,
)
from bayesmix.results.fits.parameter_ranges import parameter_ranges
from bayesmix.results.fits.sampling_problems import k_limit, uncertain_limits
from bayesmix.results.tables import r_printing
from bayesmix.results.tables.coefficient_tables import coefficient_tables, in_r
from bayesmix.results.tables.summary_sections import (
    SHARES,
    Section,
    call_lines,
    family_lines,
    kind_of_model,
    residuals_section,
    size_lines,
    variances_title,
)

if TYPE_CHECKING:
    import pandas as pd

    from bayesmix.results.fits.records import PosteriorRecord


ENGINES = {"nuts": "NUTS", "marginal": "exact marginal sampling"}  # by `Draws.method`


DIAGNOSTICS = 3  # columns at the end of a table: two effective sample sizes and R-hat
PROPOSAL_FITS = 0.5  # Pareto k up to which the marginal sampler needs nothing but draws


def heading_lines(fit: PosteriorRecord) -> Iterator[str]:
    """The model, the draws and the priors."""
    chains, draws = fit.values.lead
    yield f"{kind_of_model(fit)}, posterior by {ENGINES.get(fit.method, fit.method)}"
    yield from family_lines(fit.spec)
    yield from call_lines(fit)
    yield f"  Draws: {chains} chains of {draws} draws each"
    yield f" Priors: {'; '.join(_priors(fit))}"


def _priors(fit: PosteriorRecord) -> Iterator[str]:
    preset = fit.spec.preset
    yield "bayesmix defaults (print the model to see them)" if preset == "default" else preset
    yield from (f"{name} ~ {prior}" for name, prior in fit.spec.priors.items())


@dataclass(frozen=True, slots=True)
class Cells:
    """Cells of a table of parameters: three significant digits of the posterior sd set the decimals of a row."""

    interval: float

    def columns(self, rows: pd.DataFrame, *, with_mode: bool) -> list[tuple[str, list[str]]]:
        """Headings and cells."""
        tail = 50.0 * (1.0 - self.interval)
        headings = {"lower": f"{tail:.3g} %", "upper": f"{100.0 - tail:.4g} %"}
        shown = ["mean", "sd", "median", *(["mode"] if with_mode else []), "lower", "upper"]
        decimals = [r_printing.decimals_for(sd) for sd in rows["sd"]]
        columns = [
            (
                headings.get(name, name),
                [r_printing.fixed_point(v, d) for v, d in zip(rows[name], decimals, strict=True)],
            )
            for name in shown
        ]
        if not with_mode:
            columns.append(("P(direction)", [r_printing.fixed_point(v, 3) for v in rows["p_direction"]]))
        columns += [
            (f"ESS {kind}", [r_printing.fixed_point(v, 0) for v in rows[f"ess_{kind}"]]) for kind in ("bulk", "tail")
        ]
        return [*columns, ("R-hat", [r_printing.fixed_point(v, 3) for v in rows["r_hat"]])]


def p_direction(fit: PosteriorRecord) -> Array:
    """Probability of the likelier sign of every parameter that has one: fixed effects and correlations."""
    draws = linear_predictor.flatten(fit.design, fit.values).reshape(-1, len(fit.names))
    share = np.maximum(np.mean(draws > 0.0, axis=0), np.mean(draws < 0.0, axis=0))
    ranges = parameter_ranges(fit.design, fit.spec)
    return np.where([ranges[name][0] < 0.0 for name in fit.names], share, np.nan)


def sections(fit: PosteriorRecord, table: pd.DataFrame, cells: Cells) -> list[Section]:
    """The tables of parameters: those of an estimate, or brms's where there are several linear predictors."""
    if fit.spec.is_simple:
        variances = _variances(fit, table, cells)
        return [*residuals_section(fit), variances, *_smooths(fit, table, cells), _fixed(fit, table, cells)]
    return [
        Section("size", tuple(size_lines(fit))),
        *_smooths(fit, table, cells),
        *_hyperparameters(fit, table, cells),
        _coefficients(fit, table, cells),
        *_shares(fit, table, cells),
        _numbers(fit, table, cells),
    ]


# ---- one linear predictor: lme4's sections -----------------------------------------------------------------------


def _variances(fit: PosteriorRecord, table: pd.DataFrame, cells: Cells) -> Section:
    """Standard deviations, correlations and dispersion."""
    rows = table.iloc[len(fit.design.fixed) :].drop(_sds(fit))
    if rows.empty:
        return Section("random_effects", tuple(size_lines(fit)), rows)
    groups, names = zip(*_variance_rows(fit), strict=True)
    columns = [("Groups", r_printing.justify(groups, left=True)), ("Parameter", r_printing.justify(names, left=True))]
    text = cells.columns(rows, with_mode=True)
    left = r_printing.justify(r_printing.table_lines([""] * len(rows), columns, left=True), left=True)
    right = _lines([""] * len(rows), text, page=r_printing.PAGE - len(left[0]))
    lines = [first + second for first, second in zip(cycle(left), right, strict=False)]
    return Section("random_effects", (variances_title(fit), *lines, *size_lines(fit)), rows)


def _variance_rows(fit: PosteriorRecord) -> Iterator[tuple[str, str]]:
    """Group, once where rows of the same follow, and short name of each parameter but the fixed effects, in order."""
    terms = [term for term in fit.design.terms if not term.is_population]
    rows = []
    for term in terms:
        rows += [(term.group, f"sd {_label(term, own)}") for own in sd_effects(term)]
    for term in terms:
        pairs = zip(corr_kinds(term), corr_effects(term), strict=True)
        rows += [(term.group, f"{kind} {_label(term, own)}") for kind, own in pairs]
    rows += [(group, "df") for group in heavy_tailed(terms)]
    if fit.values.dispersion is not None:
        name = str(fit.spec.family.dispersion)
        rows.append(("Residual" if name == "sigma" else "Response", name))
    before = ""
    for group, name in rows:
        yield "" if group == before else group, name
        before = group


def _label(term: Term, own: tuple[str, ...]) -> str:
    """What a parameter is of: its effects, or all of the term."""
    if term.smooth:
        return term.smooth
    return ", ".join(map(in_r, own)) or f"({STRUCTURES[term.structure][0]})"


def _smooths(fit: PosteriorRecord, table: pd.DataFrame, cells: Cells) -> Iterator[Section]:
    """Standard deviations of smooths."""
    names = _sds(fit)
    if names:
        yield _section("smooth_terms", ["Smooth terms:"], table.loc[names], names, cells, with_mode=True)


def _sds(fit: PosteriorRecord) -> list[str]:
    """Names of the standard deviations of smooths that are part of the population, and of length scales."""
    terms = fit.design.terms
    together = zip(terms, sd_names(terms), corr_names(terms), strict=True)
    return [name for term, *names in together if term.is_population for name in chain(*names)]


def _fixed(fit: PosteriorRecord, table: pd.DataFrame, cells: Cells) -> Section:
    """Fixed effects."""
    rows = table.iloc[: len(fit.design.fixed)]
    if rows.empty:
        return Section("fixed_effects", (), rows)
    names = [in_r(str(name)) for name in rows.index]
    lines = _lines(names, cells.columns(rows, with_mode=False))
    return Section("fixed_effects", ("Fixed effects:", *lines), rows)


def _lines(names: Sequence[str], columns: Sequence[tuple[str, list[str]]], *, page: int = r_printing.PAGE) -> list[str]:
    """A table of parameters, the diagnostics of its draws below it where they do not fit on the page beside it.

    Limits of intervals stand there, too, where all else does not fit either.
    """
    for cut in (len(columns), len(columns) - DIAGNOSTICS, columns.index(next(c for c in columns if "%" in c[0]))):
        parts = [part for part in (columns[:cut], columns[cut:]) if part]
        lines = [r_printing.table_lines(names, part, page=page) for part in parts]
        if all(len(own) == len(names) + 1 for own in lines):
            return [line for own in lines for line in own]
    return r_printing.table_lines(names, columns, page=page)


# ---- several linear predictors: brms's sections ------------------------------------------------------------------


def _hyperparameters(fit: PosteriorRecord, table: pd.DataFrame, cells: Cells) -> Iterator[Section]:
    """Standard deviations and correlations of each grouping factor, whatever parameters its effects are of."""
    for number, group in enumerate(groups(fit.design)):
        named = dict(_named(fit.design, group))
        heading = [f"~{group.group} (number of levels: {len(group.levels)})"]
        heading = heading if number else ["Hyperparameters:", *heading]
        yield _section(f"~{group.group}", heading, table.loc[list(named)], list(named.values()), cells, with_mode=True)


def _named(design: Design, group: GroupEffects) -> Iterator[tuple[str, str]]:
    """Name of each parameter of a grouping factor, and the same without the group."""
    sds, corrs = sd_names(design.terms), corr_names(design.terms)
    parts = [(t, sds[t], ["sd"] * len(sds[t]), sd_effects(design.terms[t])) for t in group.terms]
    parts += [(t, corrs[t], corr_kinds(design.terms[t]), corr_effects(design.terms[t])) for t in group.terms]
    for t, names, kinds, effects in parts:
        labels = [", ".join(own) or STRUCTURES[design.terms[t].structure][0] for own in effects]
        yield from ((name, f"{kind}({label})") for name, kind, label in zip(names, kinds, labels, strict=True))
    if group.group in heavy_tailed(design.terms):
        yield df_name(group.group), "df"


def _coefficients(fit: PosteriorRecord, table: pd.DataFrame, cells: Cells) -> Section:
    """Fixed effects of all parameters."""
    names = [name for part in coefficient_tables(fit.spec, fit.design) for name in part.columns]
    return _section("fixed_effects", ["Regression coefficients:"], table.loc[names], names, cells, with_mode=False)


def _numbers(fit: PosteriorRecord, table: pd.DataFrame, cells: Cells) -> Section:
    """Parameters that are one number for all rows."""
    shares = share_names(fit.design)
    names = [name for name in number_names(fit.design) if name not in shares]
    heading = ["Further distributional parameters:"]
    return _section("numbers", heading, table.loc[names], names, cells, with_mode=True)


def _shares(fit: PosteriorRecord, table: pd.DataFrame, cells: Cells) -> list[Section]:
    """Shares of the steps of monotonic effects, where there are some."""
    names = share_names(fit.design)
    return [_section("shares", [f"{SHARES}:"], table.loc[names], names, cells, with_mode=False)] if names else []


def _section(
    name: str, heading: Sequence[str], rows: pd.DataFrame, names: Sequence[str], cells: Cells, *, with_mode: bool
) -> Section:
    if rows.empty:
        return Section(name, (), rows)
    lines = _lines(names, cells.columns(rows, with_mode=with_mode))
    return Section(name, (*heading, *lines), rows, heading[-1].rstrip(":"))


# ---- convergence -------------------------------------------------------------------------------------------------


def convergence_lines(fit: PosteriorRecord) -> list[str]:
    """What the sampler achieved, in sentences; and what to do next where that is not enough."""
    lines = textwrap.wrap(convergence_sentences(fit), r_printing.PAGE)
    return lines if fit.converged else [*lines, *r_printing.paragraph(f"Next: {convergence_advice(fit)}", indent=2)]


def convergence_sentences(fit: PosteriorRecord) -> str:
    """What the sampler achieved."""
    engine = [*fit.draws.notes, *_engine(fit)]
    return " ".join(
        [
            _verdict(fit),
            *engine,
            _worst_r_hat(fit),
            _smallest_ess(fit),
            *uncertain_limits(fit.convergence, fit.names, flatten(fit.design, fit.values)),
        ]
    )


def _verdict(fit: PosteriorRecord) -> str:
    if fit.converged:
        return "The chains converged."
    if has_few_draws(fit):
        return f"{int(np.prod(fit.values.lead))} draws are too few to say whether the chains converged."
    return "The chains did not converge."


def has_few_draws(fit: PosteriorRecord) -> bool:
    """Whether only the number of draws is missing: they are as good as so few can be, but below the limits.

    Of chains that have converged, R-hat is about ``1 + chains / ess``, and for one of many parameters up to three times
    as far from 1.
    """
    chains, draws = fit.values.lead
    found, total = fit.convergence, chains * draws
    disagree = fit.draws.certificate.get("disagreement", 0.0) > LIMIT
    if fit.converged or fit.divergences or disagree:
        return False
    if total >= ESS_LIMIT / ESS_SHARE or not found.smallest_ess >= enough(total):
        return False
    return found.worst_r_hat <= max(R_HAT_LIMIT, 1.0 + 3.0 * chains / found.smallest_ess) and failure(fit.draws) is None


def _engine(fit: PosteriorRecord) -> Iterator[str]:
    """What the engine says of its run."""
    certificate = fit.draws.certificate
    if "diverging" in fit.draws.stats:
        yield f"{fit.divergences or 'None'} of the {int(np.prod(fit.values.lead))} transitions diverged."
    if "acceptance" in certificate:
        levels = certificate.get("level_acceptance")
        of_levels = "" if levels is None else f" of parameters, {levels:.0%} of those of levels,"
        yield f"{certificate['acceptance']:.0%} of the proposals{of_levels} were accepted."
    if "pareto_k" in certificate:
        yield f"Pareto k of the proposal is {certificate['pareto_k']:.2f} (limit {k_limit(fit.method):g})."


def _worst_r_hat(fit: PosteriorRecord) -> str:
    if np.all(np.isnan(fit.convergence.r_hat)):
        return "R-hat is not defined for these chains."
    where = _parameter_at(fit, int(np.nanargmax(fit.convergence.r_hat)))
    return f"R-hat is at most {fit.convergence.worst_r_hat:.3f}{where} (limit {R_HAT_LIMIT:g})."


def _smallest_ess(fit: PosteriorRecord) -> str:
    smaller = np.minimum(fit.convergence.ess_bulk, fit.convergence.ess_tail)
    if np.all(np.isnan(smaller)):
        return "Effective sample sizes are not defined for these chains."
    where = _parameter_at(fit, int(np.nanargmin(smaller)))
    return f"The effective sample size is at least {fit.convergence.smallest_ess:.0f}{where} (limit {ESS_LIMIT:g})."


def _parameter_at(fit: PosteriorRecord, position: int) -> str:
    """Name of an element of `Posterior.convergence`: parameters, then random effects."""
    return f" for {[*fit.names, *_effect_names(fit.design)][position]}"


def _effect_names(design: Design) -> Iterator[str]:
    for term in design.terms:
        if term.is_population:
            yield from (f"coefficient {effect} of {term.smooth}" for effect in term.effects)
            continue
        for level in term.levels:
            yield from (f"the effect of {effect} at {term.group} {level}" for effect in term.effects)


def convergence_advice(fit: PosteriorRecord) -> str:
    """What to do about chains that did not converge."""
    if fit.divergences:
        return (
            "take shorter steps, model.sample(method=bmx.Nuts(target_accept=0.999, tune=2000)),\n"
            'or tighten the priors of the standard deviations, priors={"sd": "HalfNormal(...)"}.'
        )
    if fit.draws.certificate.get("disagreement", 0.0) > LIMIT:
        return (
            'look at both, model.sample(method="marginal") and model.sample(method="nuts"): the posterior has several\n'
            "modes, or a tail that one of them misses; tighter priors of the standard deviations leave one."
        )
    more = max(4 * fit.values.lead[1], 1000)
    if has_few_draws(fit):
        return f"draw more, model.sample(draws={more}); on the command line, --draws {more}."
    if fit.method == "marginal":
        if fit.draws.certificate.get("pareto_k", 1.0) <= PROPOSAL_FITS:  # nearly independent draws, only too few
            return f"draw more, model.sample(draws={more})."
        return 'sample with NUTS, model.sample(method="nuts").'
    return f"draw more, model.sample(draws={more}), or tighten the priors of the parameters named."
