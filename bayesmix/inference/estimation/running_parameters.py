"""Parameters beside the means, with predictors of their own, that run off to the ends of their ranges."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import numpy as np

from bayesmix.arrays import Array
from bayesmix.data.design.design import Design
from bayesmix.inference.estimation.optimise import Status
from bayesmix.inference.estimation.point_estimate import PointEstimate
from bayesmix.inference.estimation.running_steps import running_steps
from bayesmix.inference.parameters.names import Parameters, sd_names
from bayesmix.inference.parameters.natural_scale import residual_columns
from bayesmix.inference.parameters.residual_families import correlation_matrix, residual_family
from bayesmix.language.families.family import Family, Parameter
from bayesmix.language.families.link import CORRELATION
from bayesmix.language.formula.known_errors import SIGMA
from bayesmix.language.formula.model_spec import ModelSpec, Response

EXACT = 1e-5  # residual over total standard deviation that is zero to rounding
LARGE = 1e6  # from which on a parameter, or its inverse, cannot be told from the end of its range
NEAR_ONE = 1e-6  # distance from one from which on a share cannot be told from it
ENDLESS = 10.0  # standard deviation of effects on the log of a parameter: two of them take it by a factor of 5e8


def running_parameters(design: Design, spec: ModelSpec, point: PointEstimate) -> list[str]:
    """Say which parameters beside the means run off, and why: one sentence each."""
    return [
        *_beside_means(design, spec, point),
        *_residuals(design, spec, point),
        *_spreads(design, spec, point),
        *running_steps(design, spec, point),
    ]


def running_dispersion(design: Design, spec: ModelSpec, values: Parameters) -> list[str]:
    """The same of the number beside the only linear predictor."""
    if values.dispersion is None:
        return []
    parameter, value = spec.family.parameters[1], np.asarray(values.dispersion).ravel()
    label, unit = spec.responses[0].label, _unit(parameter, spec.family, design.y)
    return [
        *_exact_fit(parameter, value / unit, parameter.name, label),
        *_limit(parameter, value / unit, parameter.name, label, lambda _: False),
    ]


def _beside_means(design: Design, spec: ModelSpec, point: PointEstimate) -> Iterator[str]:
    eta = point.predictor(design)
    for r, one in enumerate(spec.parameters):
        if one.parameter == 0:
            continue
        response = spec.responses[one.response]
        with np.errstate(over="ignore"):
            values = one.link.mean(eta[design.block(r)])
        name = spec_name(spec, r)
        parameter = response.family.parameters[one.parameter]
        unit = _unit(parameter, response.family, design.outcomes[one.response].present.y)
        yield from _exact_fit(parameter, values / unit, name, response.label)
        yield from _no_noise(response, one.parameter, values / unit, name)
        is_told = partial(_is_told, design, point, r, eta[design.block(r)])
        yield from _limit(parameter, values / unit, name, response.label, is_told)
        yield from _endless(parameter, values, name, response.label, is_told)
        yield from _at_one(parameter, values, name, response.label, is_told)


def _is_told(design: Design, point: PointEstimate, r: int, eta: Array, is_beyond: Array) -> bool:
    """Whether other rows tell the linear predictor of those beyond its range: an estimate has an end there, too.

    Where the likelihood has no maximum its curvature vanishes on the way, and the standard error of the predictor is
    many times the predictor; where a slope that other rows tell takes a few rows far out, it is a part of it.
    """
    if point.optimum.status is not Status.CONVERGED:
        return False
    own = design.of_predictor(r)
    X = design.X[design.block(r)][is_beyond][:, own]
    variances = np.sum((X @ point.covariance_of_fixed[np.ix_(own, own)]) * X, axis=1)
    return bool(np.all((variances > 0.0) & (variances < eta[is_beyond] ** 2)))


def _residuals(design: Design, spec: ModelSpec, point: PointEstimate) -> Iterator[str]:
    """Whether some combination of the residuals of a row has no variance."""
    own = residual_columns(design.layout)
    if not own:
        return
    matrix = correlation_matrix(residual_family(design.layout), CORRELATION.mean(point.beta[own]))
    if np.linalg.eigvalsh(matrix)[0] < EXACT**2 and design.layout.structure is not None:
        yield (
            f"The correlations of the residuals run off to a singular matrix: `{design.layout.structure.term}` asks for"
            f" more than the data of `{design.response}` tell. What is shown is where the search stopped; standard"
            " errors mean nothing. Write a structure with fewer numbers, or sample with proper priors (model.sample())."
        )
    elif np.linalg.eigvalsh(matrix)[0] < EXACT**2:
        labels = ", ".join(f"`{one.label}`" for one in spec.responses)
        yield (
            f"Correlations of the residuals of {labels} run off: one of them follows from the others exactly, and the"
            " likelihood has no maximum. What is shown is where the search stopped; standard errors mean nothing. Leave"
            " that response out, or rescor=True."
        )


def spec_name(spec: ModelSpec, r: int) -> str:
    """What the parameter of a predictor is called: ``sigma``, ``shape_a``."""
    one = spec.parameters[r]
    own = spec.responses[one.response]
    return "_".join(filter(None, (own.family.parameters[one.parameter].name, own.name)))


def _unit(parameter: Parameter, family: Family, y: Array) -> float:
    """Spread of the response, where the parameter is in units of it."""
    return (float(np.std(family.on_scale(y))) or 1.0) if parameter.unit == "response" else 1.0


def _exact_fit(parameter: Parameter, values: Array, name: str, label: str) -> Iterator[str]:
    """Whether no variance is left where a parameter is at the end of its range that stands for none."""
    if parameter.exact is None:
        return
    rows = int(np.sum(values < EXACT if parameter.exact == "zero" else values > LARGE))
    if rows:
        where = "" if len(values) == 1 else f" in {rows} of {len(values)} rows"
        yield (
            f"`{name}` runs off to {parameter.exact}{where}: predictors and random effects can follow"
            f" `{label}` there exactly, and the likelihood has no maximum. What is shown is where the search stopped;"
            " standard errors mean nothing. Leave predictors or effects out of a formula, or sample with proper priors"
            " (model.sample())."
        )


def _no_noise(response: Response, parameter: int, values: Array, name: str) -> Iterator[str]:
    """Whether nothing is left of sigma beside known standard errors."""
    if response.additions.has_sigma and parameter == SIGMA and np.all(values < EXACT):
        errors = response.additions.se
        yield (
            f"`{name}` runs off to zero: the known standard errors `{errors}` explain all of the variation of"
            f" `{response.label}` about its predictors. Write `{response.label} | se({errors})`, which is the model"
            f" without `{name}`, or sample (model.sample())."
        )


def _limit(
    parameter: Parameter, values: Array, name: str, label: str, is_told: Callable[[Array], bool]
) -> Iterator[str]:
    limit = parameter.limit
    if limit is None:
        return
    is_beyond = values > 1.0 / limit.near if limit.end == "infinity" else values < limit.near
    rows = int(np.sum(is_beyond))
    if rows and not is_told(is_beyond):
        where = "" if len(values) == 1 else f" in {rows} of {len(values)} rows"
        advice = "" if len(values) == 1 else f" where it is so in all rows, or leave predictors out of that of `{name}`"
        yield (
            f"`{name}` runs off to {limit.end}{where}: given the predictors and random effects, `{label}` is there"
            f" distributed as in family `{limit.family}`. The size of `{name}` and of its coefficients means nothing."
            f' Fit that family (family="{limit.family}"){advice}.'
        )


def _at_one(
    parameter: Parameter, values: Array, name: str, label: str, is_told: Callable[[Array], bool]
) -> Iterator[str]:
    """Whether a share has no end below one: rows where the response is nothing else."""
    is_beyond = values > 1.0 - NEAR_ONE
    if parameter.at_one and is_beyond.any() and not is_told(is_beyond):
        yield (
            f"`{name}` runs off to one in {is_beyond.sum()} of {len(values)} rows: each `{label}` there is"
            f" {parameter.at_one}, and the likelihood has no maximum. The size of the coefficients of `{name}` means"
            " nothing. Leave predictors out of its formula, or sample with proper priors (model.sample())."
        )


def _endless(
    parameter: Parameter, values: Array, name: str, label: str, is_told: Callable[[Array], bool]
) -> Iterator[str]:
    """Whether the scale of a latent variable vanishes somewhere, or has no end: categories then say no more of it."""
    if parameter.endless is None:
        return
    told = {
        "infinity": (values > parameter.endless, f"predictors tell the categories of `{label}` there without error"),
        "zero": (values < 1.0 / parameter.endless, f"predictors say nothing of the categories of `{label}` there"),
    }
    for end, (is_beyond, why) in told.items():
        if is_beyond.any() and not is_told(is_beyond):
            yield (
                f"`{name}` runs off to {end} in {is_beyond.sum()} of {len(values)} rows: {why}, and the likelihood"
                f" has no maximum. The size of the coefficients of `{name}` means nothing. Leave predictors out of its"
                " formula, or sample with proper priors (model.sample())."
            )


def _spreads(design: Design, spec: ModelSpec, point: PointEstimate) -> Iterator[str]:
    """Standard deviations of effects on parameters beside the means."""
    for term, sd, names in zip(design.terms, point.parameters.sd, sd_names(design.terms), strict=True):
        for e, owner in enumerate(term.owners):
            one, size = spec.parameters[owner], float(np.sqrt(np.mean(term.z[design.block(owner), e] ** 2)))
            is_of_curve = spec.responses[one.response].family.parameters[one.parameter].is_of_curve
            if one.parameter and not is_of_curve and sd[e] * size > ENDLESS:
                yield (
                    f"The standard deviation {names[min(e, len(names) - 1)]} = {sd[e]:.3g} runs off: on the"
                    f" {one.link.name} scale of `{spec_name(spec, owner)}` such effects take it to"
                    " the ends of its range. Leave the effects out, or sample with a proper prior (model.sample())."
                )
