"""One page on what is wrong with a fit: each finding with the next command to type."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from dataclasses import dataclass, replace
from html import escape
from typing import TYPE_CHECKING

import numpy as np

from bayesmix.arrays import Array
from bayesmix.data.design.row_statistics import mean
from bayesmix.inference.estimation.methods import Agq, Laplace
from bayesmix.inference.estimation.optimise import Status
from bayesmix.inference.parameters.centring import at_means, centring, to_means
from bayesmix.inference.parameters.names import corr_names, df_name, heavy_tailed, sd_names
from bayesmix.language.formula.model_spec import Auxiliary, Predictor, Response
from bayesmix.results.criticism.count_checks import (
    DRAWS,
    CountCheck,
    applies,
    check_censored,
    check_counts,
    check_spread,
)
from bayesmix.results.criticism.cross_validation import loo
from bayesmix.results.criticism.power_scaling import sensitivity
from bayesmix.results.fits.accessors import fitted_of
from bayesmix.results.fits.chosen_parameter import choose
from bayesmix.results.fits.linear_predictor import flatten, number_names, singular_terms
from bayesmix.results.fits.refit import estimate_again
from bayesmix.results.fits.residuals import residuals
from bayesmix.results.prediction.simulation import check_statistics
from bayesmix.results.tables import r_printing
from bayesmix.results.tables.posterior_summary import convergence_advice, convergence_sentences

if TYPE_CHECKING:
    import pandas as pd

    from bayesmix.results.fits.records import EstimateRecord, FitRecord, PosteriorRecord


K_GOOD = 0.7  # Pareto k up to which importance sampling works
SMALL, OFTEN = 0.1, 0.25  # a group SD below this part of the residual SD, in this share of the draws, may be zero
TAIL = 0.025  # of a predictive check, to either side
UNUSUAL = 0.005  # p value of a residual pattern
CURVED = 0.1  # a Laplace error above this part of a standard error is worth mending
POINTS = {1: 9, 2: 5}  # of the quadrature that finds it, by number of effects
ENOUGH = 100  # draws that importance weights can be smoothed with
LARGEST = 20_000_000  # draws x rows up to which pointwise checks are made


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found."""

    topic: str
    good: bool
    text: str
    next: str = ""  # a command to type


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """All findings; ``print`` it."""

    findings: tuple[Finding, ...]

    @property
    def good(self) -> bool:
        """Whether no check found anything."""
        return all(finding.good for finding in self.findings)

    def __str__(self) -> str:
        width = max(len(finding.topic) for finding in self.findings) + 2
        lines = []
        for finding in self.findings:
            mark = " " if finding.good else "!"
            head, blank = f"{mark} {finding.topic:<{width}}", " " * (width + 2)
            lines += textwrap.wrap(finding.text, r_printing.PAGE, initial_indent=head, subsequent_indent=blank)
            if finding.next and not finding.good:
                lines += r_printing.paragraph(f"{blank}Next: {finding.next}", indent=2)
        return "\n".join(lines)

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        left = 'style="text-align: left"'
        rows = "".join(
            f'<tr><td>{"✓" if one.good else "<b>!</b>"}</td><th scope="row" {left}>{escape(one.topic)}</th>'
            f"<td {left}>{escape(one.text)}{_next(one)}</td></tr>\n"
            for one in self.findings
        )
        return f"<table><tbody>\n{rows}</tbody></table>"


def _next(finding: Finding) -> str:
    """The next command, of what is not good."""
    is_needed = finding.next and not finding.good
    return f"<br>Next: <code>{escape(finding.next)}</code>" if is_needed else ""


def of_posterior(fit: PosteriorRecord) -> Diagnosis:
    """Chains, divergences, influential rows, SDs near zero, prior against data, predictions, residuals."""
    chains = Finding("Chains", fit.converged, convergence_sentences(fit), convergence_advice(fit))
    findings = [chains, *_divergences(fit), *_near_zero(fit)]
    draws = int(np.prod(fit.values.lead))
    if fit.design.counts is not None:
        findings += _priors(fit)
    elif fit.draws.thinned is None and ENOUGH <= draws <= LARGEST / len(fit.design.y):
        findings += [_rows(fit), *_priors(fit)]
        findings += [_predictions(fit, response) for response in fit.spec.responses]
    return Diagnosis((*findings, *_of_responses(fit)))


def of_estimate(fit: EstimateRecord) -> Diagnosis:
    """Optimiser, singularity, Laplace error, residuals."""
    advice = "model.sample()" if _is_lost(fit) else "bmx.Model(...) with rescaled predictors, or model.sample()"
    text = " ".join(fit.problems) or f"The optimiser {fit.point.optimum.status.value}."
    findings = [Finding("Optimiser", fit.converged, text, advice), *_singular(fit), *_laplace(fit)]
    return Diagnosis((*findings, *_of_responses(fit)))


# ---- of a posterior ---------------------------------------------------------------------------------------------


def _divergences(fit: PosteriorRecord) -> Iterator[Finding]:
    """Which parameter is farthest from its usual values where transitions diverge."""
    if not fit.divergences:
        return
    values, diverged = flatten(fit.design, fit.values), fit.draws.stats["diverging"].astype(bool)
    shift = (values[diverged].mean(axis=0) - values.mean(axis=(0, 1))) / values.std(axis=(0, 1))
    at = int(np.nanargmax(np.abs(shift)))
    where = f"{fit.names[at]} is {'small' if shift[at] < 0 else 'large'} ({shift[at]:+.1f} sd)"
    text = f"The {fit.divergences} divergent transitions lie where {where}."
    group = fit.names[at].partition("(")[2].partition(",")[0]
    prior = (
        f'priors={{"sd({group})": "HalfNormal(...)"}}'
        if group and not fit.names[at].startswith(("sds(", "sdgp(", "lscale("))
        else 'priors={"sd": "HalfNormal(...)"}'
    )
    yield Finding("Divergences", False, text, f"bmx.Model(..., {prior})")


def _near_zero(fit: PosteriorRecord) -> Iterator[Finding]:
    """Standard deviations that move the predictor by less than a tenth of the noise, where the data are.

    Numeric columns are taken from their means: far from zero any slope moves the predictor far.
    """
    if not fit.design.group_sizes:
        return
    noise = [_noise(fit, one) for one in fit.spec.parameters]
    found = []
    changes = [centring(term, fit.design.layout.prefixes, fit.design.counts) for term in fit.design.terms]
    terms, sds = at_means(fit.design, changes).terms, to_means(replace(fit.values, b=()), changes).sd
    for term, sd in zip(terms, sds, strict=True):
        if term.is_population:  # a curve may be a straight line
            continue
        size = np.sqrt(mean(term.total**2, fit.design.counts))
        for e, effect in enumerate(term.effects):
            r = next(r for r in range(fit.design.R) if e in term.columns_of(r))
            share = float(np.mean(sd[..., e] * size[e] < SMALL * noise[r]))
            if share > OFTEN:
                found.append(f"sd({term.group}, {effect}) in {share:.0%}")
    if not found:
        yield Finding("Group SDs", True, "All standard deviations of groups are clear of zero.")
        return
    what = "a tenth of sigma" if fit.spec.dispersion == "sigma" else "a tenth of the noise"
    text = f"Some may be zero: they move the predictor by less than {what}: {', '.join(found)} of the draws."
    yield Finding("Group SDs", False, text, 'bmx.loo_compare({"full": post, "without": simpler})')


def _noise(fit: PosteriorRecord, one: Predictor | Auxiliary) -> Array:
    """Standard deviation ``(...,)`` beside which effects on a predictor are small: of a mean in units, else 1.

    Where sigma varies between rows it is the geometric mean of those without random effects.
    """
    response = fit.spec.responses[one.response]
    if one.parameter > 0 or not response.family.is_normal or not one.link.is_identity:
        return np.ones(fit.values.lead)
    if fit.values.dispersion is not None:
        return np.asarray(fit.values.dispersion)
    if fit.design.outcome.has_known_noise:
        return np.full(fit.values.lead, np.exp(-0.5 * np.log(fit.design.weights).mean()))
    chosen = choose(fit.spec, response.family.parameters[1].name, response.label)
    rows = fit.design.data.of_predictor(chosen.predictor)
    return chosen.link.mean((fit.values.beta @ rows.X.T + rows.offset).mean(axis=-1))


def _rows(fit: PosteriorRecord) -> Finding:
    k = loo(fit, refit=False, seed=0).pareto_k.to_numpy()
    bad = np.flatnonzero(k > K_GOOD)
    if not len(bad):
        return Finding("Rows", True, f"No row dominates the fit: Pareto k is at most {k.max():.2f} (limit {K_GOOD}).")
    worst = bad[np.argsort(-k[bad])][:5]
    shown = ", ".join(str(fit.design.rows[row]) for row in worst)
    text = f"{len(bad)} of {len(k)} rows are influential, Pareto k above {K_GOOD}: rows {shown} first (counted from 0)."
    blocks = 'post.residuals("normalized") of these rows'
    has_residuals = not any(one.family.has_category_counts for one in fit.spec.responses)
    rows = f"post.influence(), {'post.residuals("quantile"), ' * has_residuals}post.loo(refit=True)"
    return Finding("Rows", False, text, blocks if fit.spec.has_row_covariance else rows)


def _priors(fit: PosteriorRecord) -> Iterator[Finding]:
    """Power-scaling sensitivity (Kallioinen, Paananen, Buerkner, Vehtari 2024)."""
    if fit.priors.has_flat:
        yield Finding("Priors", True, "Some priors are flat: nothing to be in conflict with the data.")
        return
    table = prior_sensitivity(fit)
    told = table[table["diagnosis"] != "✓"]
    if told.empty:
        yield Finding("Priors", True, "Power-scaling finds no parameter that is sensitive to the priors.")
        return
    parts = [f"{name} ({row['diagnosis'].removeprefix('potential ')})" for name, row in told.iterrows()]
    text = f"Power-scaling finds parameters that the priors move: {', '.join(parts)}."
    yield Finding("Priors", False, text, 'model.prior_table(), then bmx.Model(..., priors="brms") to compare')


def prior_sensitivity(fit: PosteriorRecord) -> pd.DataFrame:
    """Power-scaling sensitivity of every parameter: ``prior, likelihood, diagnosis``."""
    return sensitivity(fit, list(_parameters(fit)))


def _parameters(fit: PosteriorRecord) -> Iterator[str]:
    """Names of all parameters but random effects."""
    terms = fit.design.terms
    yield from fit.design.layout.coefficients
    yield from number_names(fit.design)
    for sd, corr in zip(sd_names(terms), corr_names(terms), strict=True):
        yield from (*sd, *corr)
    yield from map(df_name, heavy_tailed(terms))
    if fit.values.dispersion is not None:
        yield str(fit.spec.family.dispersion)


def _predictions(fit: PosteriorRecord, response: Response) -> Finding:
    topic = f"Predictions of {response.label}" if len(fit.spec.responses) > 1 else "Predictions"
    bounds = fit.design.outcomes[fit.spec.responses.index(response)].bounds
    table = check_statistics(fit, None, groups="fitted", interval=0.95, seed=0, response=response.label)
    odd = table[(table["p"] < TAIL) | (table["p"] > 1.0 - TAIL)]
    if odd.empty:
        whole = "" if bounds is None or not bounds.is_censored.any() else ", completed where they are censored"
        return Finding(topic, True, f"Replicated data have the {', '.join(table.index)} of the data{whole}.")
    parts = [
        f"{name} {row['observed']:.4g}, replicated {row['lower']:.4g} .. {row['upper']:.4g}"
        for name, row in odd.iterrows()
    ]
    text = f"Replicated data differ from the data: {'; '.join(parts)}."
    return Finding(topic, False, text, "bmx.plots.ppc(post)")


# ---- of an estimate ---------------------------------------------------------------------------------------------


def _singular(fit: EstimateRecord) -> Iterator[Finding]:
    if not fit.design.group_sizes:
        return
    if not fit.singular:
        yield Finding("Group SDs", True, "The covariance matrices of the random effects have full rank.")
        return
    terms = [fit.design.terms[t] for t in singular_terms(fit.design, fit.point.singular)]
    where = "; ".join(f"({' + '.join(term.effects)} | {term.group})" for term in terms)
    text = f"The fit is singular: no variation in some direction of the effects of {where}."
    yield Finding("Group SDs", False, text, "bmx.compare(model.sample(), fit), which says what the data know of it")


def _laplace(fit: EstimateRecord) -> Iterator[Finding]:
    """Quadrature beside the Laplace approximation, where it is cheap."""
    design, effects = fit.design, sum(len(term.effects) for term in fit.design.terms)
    is_one = len({t.group for t in design.terms}) == 1 and all(t.is_independent for t in design.terms)
    if _is_lost(fit) or not (isinstance(fit.point.method, Laplace) and is_one and effects in POINTS):
        return
    better = estimate_again(fit, Agq(POINTS[effects])).point
    error = np.sqrt(np.diagonal(better.beta_cov))
    known = error > 0.0  # of a coefficient that runs off there is none
    shift = np.where(known, np.abs(better.beta - fit.point.beta) / np.where(known, error, 1.0), 0.0)
    at, points = int(np.argmax(shift)), POINTS[effects]
    text = f"Quadrature with {points} points moves {design.fixed[at]} most, by {shift[at]:.2g} standard errors."
    yield Finding("Laplace", bool(shift[at] < CURVED), text, f"model.estimate(bmx.Agq(points={points}))")


def _is_lost(fit: EstimateRecord) -> bool:
    """Whether the estimate is at the edge of where there is a conditional mode: with quadrature around none, either."""
    return fit.point.optimum.status is Status.LOST


# ---- of both ----------------------------------------------------------------------------------------------------


def _of_responses(fit: FitRecord) -> Iterator[Finding]:
    """Zeros and dispersion of counts, residuals of all responses; of rows that stay where they are there are none."""
    if fit.design.counts is not None:
        text = "Rows stay where they are: nothing is said of residuals, influential rows and predictive checks."
        yield Finding("Rows", True, text)
        return
    for response in fit.spec.responses:
        if applies(fit, response) and len(fit.design.y) * DRAWS <= LARGEST:
            yield from _counts(fit, response)
        if response.family.has_category_counts:
            if len(fit.design.y) * len(response.family.levels) * DRAWS <= LARGEST:
                yield _dispersion(fit, response, check_spread(fit, response))
            continue
        yield from _censored(fit, response)
        yield _residuals(fit, response)


def _censored(fit: FitRecord, response: Response) -> Iterator[Finding]:
    """Share of censored values beside that of draws, and the families to try next."""
    bounds = fit.design.outcomes[fit.spec.responses.index(response)].bounds
    if bounds is None or not bounds.is_censored.any():
        return
    topic = f"Censoring of {response.label}" if len(fit.spec.responses) > 1 else "Censoring"
    text, found = f"{np.mean(bounds.is_censored):.1%} of the data are censored", check_censored(fit, response)
    if found is None:
        untold = "how many should be the model cannot tell, for rows that were seen have no known limits"
        yield Finding(topic, True, f"{text}: {untold}.")
        return
    range_ = f"{found.expected:.1%} ({found.lower:.1%} .. {found.upper:.1%})"
    advice = " or ".join(f'family="{name}"' for name in found.families)
    text = f"{text}, {range_} of data drawn from the fit (p = {found.p:.2g})."
    yield Finding(topic, found.good, text, advice or "predictors or effects that are missing")


def _counts(fit: FitRecord, response: Response) -> Iterator[Finding]:
    """Simulated shares of zeros and variation beside those of the data, and the family to try next."""
    zeros, dispersion = check_counts(fit, response)
    of = f" of {response.label}" if len(fit.spec.responses) > 1 else ""
    text = (
        f"{zeros.observed:.1%} of the data are zero, {zeros.expected:.1%} ({zeros.lower:.1%} .. {zeros.upper:.1%}) of"
        f" data drawn from the fit (p = {zeros.p:.2g})."
    )
    families = (*zeros.families, *(() if dispersion.good else dispersion.families))
    advice = " or ".join(f'family="{name}"' for name in families if zeros.observed > zeros.expected)
    yield Finding(f"Zeros{of}", zeros.good, text, advice or "another family, or a formula for its zeros")
    yield _dispersion(fit, response, dispersion)


def _dispersion(fit: FitRecord, response: Response, found: CountCheck) -> Finding:
    of = f" of {response.label}" if len(fit.spec.responses) > 1 else ""
    text = (
        f"Counts vary {found.observed / found.expected:.2f} times as much as those drawn from the fit"
        f" (p = {found.p:.2g} of more)."
    )
    advice = " or ".join(f'family="{name}"' for name in found.families)
    return Finding(f"Dispersion{of}", found.good, text, advice or "predictors or effects that are missing")


# ---- residuals ----------------------------------------------------------------------------------------------------


def _residuals(fit: FitRecord, response: Response) -> Finding:
    """Quantile residuals: normal, no wider than the standard one, their spread the same at all means.

    Effects that were fitted to the data take up some of their variation: narrower residuals are no sign.
    """
    from scipy.stats import kstest, spearmanr

    quantiles = residuals(fit, "quantile", response=response.label)
    is_number = not response.family.levels
    means = fitted_of(fit, response=response.label) if is_number else fit.linear_predictor(response=response.label)
    topic = f"Residuals of {response.label}" if len(fit.spec.responses) > 1 else "Residuals"
    found = []
    shape = quantiles / min(1.0, float(quantiles.std()) or 1.0)
    if not (response.family.is_normal and fit.spec.is_simple) and kstest(shape, "norm").pvalue < UNUSUAL:
        found.append("they are not standard normal")
    trend = spearmanr(np.abs(quantiles), means) if np.ptp(means) > 0.0 else None
    if trend is not None and trend.pvalue < UNUSUAL:
        found.append(f"their spread {'grows' if trend.statistic > 0 else 'falls'} with the mean")
    largest = float(np.abs(quantiles).max())
    if largest > 4.5:
        found.append(f"the largest is {largest:.1f} standard deviations out")
    if not found:
        return Finding(topic, True, "Quantile residuals show no pattern.")
    advice = 'another family or a transformed response; look at fit.residuals("quantile") against fit.fitted()'
    return Finding(topic, False, f"Quantile residuals: {', '.join(found)}.", advice)
