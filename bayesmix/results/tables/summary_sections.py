"""Parts of a summary that an estimate and a posterior share."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from bayesmix.arrays import Array
from bayesmix.data.design.design import Design
from bayesmix.data.design.response import in_words
from bayesmix.inference.parameters.covariance import structure_of
from bayesmix.inference.parameters.names import corr_names, heavy_tailed, sd_names
from bayesmix.inference.parameters.one_predictor import without_steps
from bayesmix.language.formula.model_spec import ModelSpec, Response
from bayesmix.results.fits.residuals import residuals
from bayesmix.results.tables import r_printing
from bayesmix.results.tables.r_printing import paragraph

if TYPE_CHECKING:
    import pandas as pd

    from bayesmix.results.fits.records import EstimateRecord, FitRecord


SHARES = "Shares of the steps of monotonic effects"
DIGITS = 4  # significant digits, as lme4 prints by default


@dataclass(frozen=True, slots=True, eq=False)
class Section:
    """One part of a summary: what is printed, and its numbers."""

    name: str
    lines: tuple[str, ...]
    table: pd.DataFrame | None = None
    title: str = ""  # of its numbers in HTML, where that does not follow from the name


def family_lines(spec: ModelSpec) -> Iterator[str]:
    """Family and links, a line a response."""
    if spec.is_simple:
        yield f" Family: {spec.family.title}  ( {spec.link.name} )"
        return
    for response in spec.responses:
        whose = f"{response.label}: " if response.name else ""
        yield from paragraph(f" Family: {whose}{response.family.title}  ( {links_in_words(response)} )", indent=8)


def links_in_words(response: Response) -> str:
    """The link of each parameter of a response; of thresholds, slopes, knowns and arguments of a curve nothing."""
    response = without_steps(response)
    named = zip(response.family.parameters, response.links, strict=True)
    hidden = [
        one.is_threshold or one.of_threshold or one.is_known or one.is_of_curve or one.is_slope
        for one in response.family.parameters
    ]
    shown = [pair for pair, is_hidden in zip(named, hidden, strict=True) if not is_hidden]
    alone = len(shown) == 1 and len(response.links) > 1
    return "; ".join(link.name if alone else f"{parameter.name} = {link.name}" for parameter, link in shown)


def links_named(spec: ModelSpec, response: Response) -> str:
    """The links of a response with their noun: ``logit link``, ``links mu = log; zi = logit``."""
    if spec.is_simple:
        return f"{spec.link.name} link"
    text = links_in_words(response)
    return f"links {text}" if ";" in text else f"link {text}" if "=" in text else f"{text} link"


def formula_lines(spec: ModelSpec) -> Iterator[str]:
    """The formulas, a line each."""
    for number, text in enumerate(spec.formula_texts):
        yield f"{'' if number else 'Formula:':8} {text}"


def call_lines(fit: FitRecord) -> Iterator[str]:
    """The model as specified: formulas, data, weights, offset."""
    encoder = fit.design.encoder
    yield from formula_lines(fit.spec)
    if fit.fitted_model.data_name:
        yield f"   Data: {fit.fitted_model.data_name}"
    if encoder is not None and encoder.weights:
        yield f"Weights: {encoder.weights}"
    if encoder is not None and encoder.offset:
        yield f" Offset: {encoder.offset}"


def scaled_residuals(fit: FitRecord) -> Array:
    """Pearson residuals over the residual standard deviation, where there is one: ``(n,)``.

    Of censored and truncated responses they are quantile residuals.
    """
    if fit.design.outcome.bounds is not None:
        return residuals(fit, "quantile")
    pearson = residuals(fit, "pearson")
    dispersion = dispersion_of(fit)
    family = fit.spec.family
    if not family.has_scale:
        return pearson
    one = np.ones(())
    return pearson / np.sqrt(family.variance(one, one, dispersion * one) / family.variance(one, one, one))


def dispersion_of(fit: FitRecord) -> float:
    """The dispersion parameter, or its posterior mean; 1 where there is none."""
    return 1.0 if fit.values.dispersion is None else float(np.mean(fit.values.dispersion))


def residual_quantiles(fit: FitRecord) -> dict[str, float]:
    """Extremes and quartiles of the scaled residuals (R's quantiles of type 7)."""
    values = np.quantile(scaled_residuals(fit), [0.0, 0.25, 0.5, 0.75, 1.0])
    return dict(zip(("Min", "1Q", "Median", "3Q", "Max"), map(float, values), strict=True))


def residuals_section(fit: FitRecord) -> Iterator[Section]:
    """Quantiles of the scaled residuals, where the rows are there."""
    import pandas as pd

    if fit.design.counts is not None:
        return
    quantiles = residual_quantiles(fit)
    texts = r_printing.format_numbers(r_printing.zap_small(np.array(list(quantiles.values())), DIGITS + 1), DIGITS)
    kind = "Scaled" if fit.design.outcome.bounds is None else "Quantile"
    lines = (f"{kind} residuals:", *r_printing.vector_lines(list(quantiles), texts))
    yield Section("scaled_residuals", lines, pd.DataFrame({"value": quantiles}))


def size_lines(fit: FitRecord) -> Iterator[str]:
    """Rows and levels, and what was left out."""
    design = fit.design
    levels = design.group_sizes
    counted = f"Number of obs: {design.n_used}" + (", groups: " if levels else "")
    groups = "; ".join(f"{group}, {count}" for group, count in levels.items())
    yield from (
        [f"{counted} {groups}".rstrip()] if len(counted) + len(groups) < r_printing.PAGE else [counted.rstrip(), groups]
    )
    missing = design.n_given - design.n_used
    if missing:
        yield f"({missing} of {design.n_given} rows left out for missing values)"
    yield from (f"Effects of {group} have a t distribution: sd is its scale" for group in heavy_tailed(design.terms))
    yield from missing_lines(fit.spec, design)
    yield from category_lines(fit.spec, design)
    family = fit.spec.family
    if fit.values.dispersion is not None and not family.is_normal:
        value = r_printing.trim(dispersion_of(fit), DIGITS)
        yield f"{str(family.dispersion).capitalize()} of the response distribution: {value}"


def missing_lines(spec: ModelSpec, design: Design) -> Iterator[str]:
    """How many values of responses are missing and integrated out."""
    gone = {spec.responses[i].label: int(np.sum(~design.outcomes[i].seen)) for i in sorted(spec.incomplete)}
    if gone:
        yield f"Missing values integrated out: {', '.join(f'{count} of {label}' for label, count in gone.items())}"


def category_lines(spec: ModelSpec, design: Design) -> Iterator[str]:
    """What failure and success are of each response of two categories, and how many are censored."""
    for response, outcome in zip(spec.responses, design.outcomes, strict=True):
        if outcome.bounds is not None:
            yield f"Response {response.label}: {outcome.bounds.in_words() or 'none is censored'}"
        if outcome.categories is not None:
            yield in_words(response.label, outcome.categories, response.family)


def kind_of_model(fit: FitRecord) -> str:
    """Linear, generalized, multivariate or distributional, with random effects (mixed) or without."""
    kind = _kind(fit.spec)
    if any(term.is_population for term in fit.design.terms):
        kind = kind.replace("Linear", "Additive").replace("linear", "additive")
    return f"{kind} {'mixed model' if fit.design.group_sizes else 'model'}"


def _kind(spec: ModelSpec) -> str:
    if spec.has_one_linear_mean or spec.has_row_covariance:
        return "Linear"
    if spec.family.steps is not None:
        spec = replace(spec, responses=tuple(map(without_steps, spec.responses)))
        return _kind(replace(spec, family=spec.responses[0].family))
    written = [one for one in spec.predictors if not one.formula.is_implied]
    if len(written) == 1:
        return "Generalized linear"
    if spec.family.curve is not None:
        return "Nonlinear"
    has_several, has_formulas = len(spec.responses) > 1, any(one.parameter for one in written)
    words = ["multivariate"] * has_several + ["distributional"] * has_formulas
    return " ".join(words).capitalize()


def variances_title(fit: FitRecord) -> str:
    """Heading of standard deviations and dispersion."""
    return "Random effects:" if fit.design.group_sizes else "Dispersion:"


def direction(fit: EstimateRecord, t: int) -> str:
    """The direction of the effects of a term in which there is no variation, by the names of the parameters."""
    term, sd, corr = fit.design.terms[t], fit.values.sd[t], fit.values.corr[t]
    sizes = zip(sd_names(fit.design.terms)[t], sd, strict=False)  # one that effects share stands first
    gone = [f"{name} = 0" for name, size in sizes if not size > 0.0]
    if gone:
        return ", ".join(gone)
    names = corr_names(fit.design.terms)[t]
    if len(names) == 1:
        return f"{names[0]} = {float(structure_of(term).correlation.numbers(corr)[0]):.3g}"
    weights = np.linalg.eigh(corr)[1][:, 0]
    parts = [f"{weight:+.2f} {effect}" for effect, weight in zip(term.effects, weights, strict=True)]
    return f"no variation between levels of {term.group} in {' '.join(parts)} (effects over their sd)"
