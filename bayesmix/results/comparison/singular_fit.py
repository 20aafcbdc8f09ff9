"""What a singular estimate means, and what the posterior makes of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from bayesmix.arrays import Array
from bayesmix.inference.parameters.covariance import structure_of
from bayesmix.inference.parameters.names import corr_names, sd_names
from bayesmix.language.families.family import is_linear
from bayesmix.results.fits.accessors import over_rows
from bayesmix.results.fits.linear_predictor import singular_terms
from bayesmix.results.fits.marginal_summary import describe
from bayesmix.results.fits.parameter_ranges import parameter_ranges
from bayesmix.results.fits.row_parameters import row_parameters
from bayesmix.results.tables.r_printing import decimals_for, fixed_point
from bayesmix.results.tables.summary_sections import direction

if TYPE_CHECKING:
    from bayesmix.results.fits.records import EstimateRecord, PosteriorRecord


SMALL = 0.1  # of sigma, or of the linear predictor's unit: a standard deviation below is next to nothing
EXTREME = 0.95  # a correlation beyond is next to perfect


def explain_singular(estimate: EstimateRecord, posterior: PosteriorRecord | None) -> tuple[str, ...]:
    """Paragraphs on a singular estimate: what it says, what the posterior says, what to do; none for others."""
    if not estimate.singular:
        return ()
    where = "; ".join(direction(estimate, t) for t in singular_terms(estimate.design, estimate.point.singular))
    words = [
        f"{estimate.method} estimates {where}, on the boundary of what is possible (a singular fit). That value"
        " explains the data best, but others explain them nearly as well: it is no evidence that there is no variation"
        " there."
    ]
    if posterior is not None:
        for t in singular_terms(estimate.design, estimate.point.singular):
            words += _of_term(estimate, posterior, t)
    return (*words, _advice(estimate, posterior))


def _of_term(estimate: EstimateRecord, posterior: PosteriorRecord, t: int) -> Iterator[str]:
    """The posterior of every standard deviation at zero, or else of the correlations at one."""
    terms = estimate.design.terms
    names = sd_names(terms)[t]
    gone = [e for e, size in enumerate(estimate.values.sd[t][: len(names)]) if not size > 0.0]
    for e in gone:
        unit, word = _unit(posterior, terms[t].owners[e if len(names) > 1 else 0] if terms[t].owners else 0)
        yield _of_sd(posterior, names[e], posterior.values.sd[t][..., e], unit, f"{SMALL:g}{word}")
    draws = structure_of(terms[t]).correlation.numbers(posterior.values.corr[t])
    for m, name in [] if gone else enumerate(corr_names(terms)[t]):
        yield _of_correlation(posterior, name, draws[..., m])


def _unit(posterior: PosteriorRecord, r: int) -> tuple[Array | float, str]:
    """What effects on a linear predictor are small beside: sigma where it is a normal mean, else its own unit."""
    spec = posterior.spec
    one = spec.parameters[r]
    response = spec.responses[one.response]
    if one.parameter or not is_linear(response.family, response.links[0]):
        return 1.0, ""
    if posterior.values.dispersion is not None:
        return np.asarray(posterior.values.dispersion), " sigma"
    sigma = over_rows(posterior, lambda eta, values: row_parameters(spec, eta, values, response=one.response)[1])
    return float(np.mean(sigma)), " sigma (the mean of all rows)"


def _of_sd(posterior: PosteriorRecord, name: str, draws: Array, unit: Array | float, limit: str) -> str:
    share = float(np.mean(draws < SMALL * unit))
    if share > 0.9:
        reading = "next to nothing, by the data and the prior together"
    elif share > 0.5:
        reading = "more likely than not next to nothing"
    else:
        reading = "probably not zero, and how large it is the data hardly say"
    return f"The posterior of {name}: {_summary(posterior, name, draws)}. P({name} < {limit}) = {share:.2f}: {reading}."


def _of_correlation(posterior: PosteriorRecord, name: str, draws: Array) -> str:
    share = float(np.mean(np.abs(draws) > EXTREME))
    return (
        f"The posterior of {name}: {_summary(posterior, name, draws)}. P(|{name}| > {EXTREME:g}) = {share:.2f}: that it"
        f" is {'perfect is believable' if share > 0.5 else 'perfect is not what the data say'}."
    )


def _summary(posterior: PosteriorRecord, name: str, draws: Array) -> str:
    row = describe(draws[..., None], [name], 0.95, ranges=parameter_ranges(posterior.design, posterior.spec)).iloc[0]
    wanted = row[["mode", "median", "mean", "lower", "upper"]]
    mode, median, mean, lower, upper = (fixed_point(value, decimals_for(float(row["sd"]))) for value in wanted)
    return f"mode {mode}, median {median}, mean {mean}, 95 % between {lower} and {upper}"


def _advice(estimate: EstimateRecord, posterior: PosteriorRecord | None) -> str:
    terms = [estimate.design.terms[t] for t in singular_terms(estimate.design, estimate.point.singular)]
    if posterior is None:
        return "What to do: look at the posterior, model.sample(), and compare it with this estimate."
    return (
        "What to do: report the posterior's median and interval, not the zero, and do not leave the term out because of"
        " it: the intervals of the other parameters would become too short. If a value matters, put what is known of it"
        f' into a prior, priors={{"sd({terms[0].group})": "HalfNormal(...)"}}, and see how far the posterior follows:'
        f" with {len(terms[0].levels)} levels of {terms[0].group} it will."
    )
