"""Quantities of a model from its parameters: array functions with free leading axes.

``...`` is ``()`` for a point estimate and ``(chain, draw)`` for a posterior; each quantity is written once.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain

import numpy as np

from bayesmix.arrays import Array
from bayesmix.data.design.design import Design, Term
from bayesmix.errors import SpecError, nearest
from bayesmix.inference.parameters.centring import at_means, to_means
from bayesmix.inference.parameters.covariance import structure_of
from bayesmix.inference.parameters.heavy_tails import check_normal
from bayesmix.inference.parameters.likelihood import likelihood_of
from bayesmix.inference.parameters.names import Parameters, corr_names, covariance, df_name, heavy_tailed, sd_names
from bayesmix.inference.parameters.natural_scale import (
    number_columns,
    reported,
    reported_jacobian,
    residual_columns,
    simplex_columns,
    standard_errors,
)
from bayesmix.inference.parameters.priors_in_force import Priors
from bayesmix.language.families.link import Link
from bayesmix.language.formula.model_spec import ModelSpec
from bayesmix.results.fits.correlated_residuals import log_density_given_others, log_joint_density

NO_VARIANCE = 'Their scales and df are among fit.parameters(); r2("bayesian") goes by the effects themselves.'


@dataclass(frozen=True, slots=True)
class GroupEffects:
    """The effects of one grouping factor, its terms side by side."""

    group: str
    levels: tuple[str, ...]
    effects: tuple[str, ...]
    terms: tuple[int, ...]


def groups(design: Design) -> list[GroupEffects]:
    """Grouping factors in the order of their first term; smooths are none."""
    found = []
    for name in dict.fromkeys(term.group for term in design.terms if not term.is_population):
        members = tuple(t for t, term in enumerate(design.terms) if term.group == name)
        effects = tuple(effect for t in members for effect in design.terms[t].effects)
        found.append(GroupEffects(name, design.terms[members[0]].levels, effects, members))
    return found


def singular_terms(design: Design, singular: Sequence[int]) -> tuple[int, ...]:
    """Those of the terms of singular covariances that are a fault: the variance of a smooth may be zero.

    Its curve is its fixed part alone then, as a straight line.
    """
    return tuple(t for t in singular if not design.terms[t].is_population)


def find_group(design: Design, name: str | None) -> GroupEffects:
    """The grouping factor of a name, the first for None; `SpecError` if there is none."""
    known = groups(design)
    found = next((group for group in known if name is None or group.group == name), None)
    if found is None:
        if not known:
            raise SpecError(
                f"The model of `{design.response}` has no random effects, and so no levels to tell apart."
                " Add a term such as (1 | group)."
            )
        names = [group.group for group in known]
        raise SpecError(f"`{name}` is not a grouping factor.{nearest(str(name), names)} Factors: {', '.join(names)}.")
    return found


def codes_of(design: Design, group: GroupEffects) -> Array:
    """Level of each row ``(n,)``.

    Raises
    ------
    SpecError
        If rows are of several.
    """
    if design.terms[group.terms[0]].slots > 1:
        raise SpecError(f"Rows are members of several levels of `{group.group}`: none of them is a level's alone.")
    return design.terms[group.terms[0]].codes[: design.n]


def of_group(parts: Sequence[Array], members: Sequence[int]) -> Array:
    """Arrays of several terms side by side along the last axis."""
    return np.concatenate([parts[t] for t in members], axis=-1)


def correlated(term: Term) -> list[tuple[int, int]]:
    """Row and column of every correlation of a term that can differ from zero, below the diagonal, by columns."""
    if term.spectrum is not None or not structure_of(term).correlation.size:
        return []
    k = len(term.effects)
    return [(i, j) for j in range(k) for i in range(j + 1, k)]


def parameter_names(design: Design, dispersion: str | None) -> list[str]:
    """The one vocabulary: fixed effects, ``sd(group, effect)``, ``corr(group, effect, effect)``, dispersion.

    ``sd(group)`` and ``corr(group)`` where one number rules all effects of a term, ``df(group)`` where effects have a t
    distribution. Of rows with several predictors,
    parameters without a formula are among the fixed effects: ``sigma_a``.
    """
    names = [*design.fixed, *chain(*sd_names(design.terms)), *chain(*corr_names(design.terms))]
    names += map(df_name, heavy_tailed(design.terms))
    return names + last_shares(design) + ([dispersion] if dispersion is not None else [])


def last_shares(design: Design) -> list[str]:
    """Names of what the shares of each monotonic effect leave: of the last step."""
    return [f"{name}[{len(places) + 1}]" for name, places in design.layout.simplexes.items()]


def flatten(design: Design, values: Parameters) -> Array:
    """Parameters in the order of `parameter_names`: ``(..., m)``."""
    structures = [structure_of(term) for term in design.terms]
    beta = reported(design.layout, values.beta)
    left = [1.0 - beta[..., own].sum(axis=-1, keepdims=True) for own in simplex_columns(design.layout)]
    parts = [beta]
    parts += [sd[..., : structure.n_sd] for structure, sd in zip(structures, values.sd, strict=True)]
    parts += [structure.correlation.numbers(corr) for structure, corr in zip(structures, values.corr, strict=True)]
    parts += [np.asarray(df)[..., None] for df in values.df.values()]
    parts += left
    if values.dispersion is not None:
        parts.append(np.asarray(values.dispersion)[..., None])
    return np.concatenate(parts, axis=-1)


def parameter_errors(design: Design, values: Parameters, covariance: Array) -> Array:
    """Standard errors ``(m,)`` in the order of `parameter_names`, NaN of variance components.

    Parameters
    ----------
    covariance : (p, p) of the fixed effects of an estimate.
    """
    slopes, columns = reported_jacobian(design.layout, values.beta), simplex_columns(design.layout)
    totals = [slopes[own].sum(axis=0)[own] for own in columns]
    left = [t @ covariance[np.ix_(own, own)] @ t for t, own in zip(totals, columns, strict=True)]
    found = np.full(flatten(design, values).shape[-1], np.nan)
    found[: len(slopes)] = standard_errors(slopes, covariance)
    end = len(found) - (values.dispersion is not None)
    found[end - len(left) : end] = np.sqrt(left)
    return found


def number_names(design: Design) -> list[str]:
    """Names of the parameters that are one number for all rows of several predictors: ``sigma_a``."""
    return [design.fixed[j] for j, _ in number_columns(design.layout)]


def share_names(design: Design) -> list[str]:
    """Names of the shares of monotonic effects, simplex by simplex, the last of each with them."""
    pairs = zip(simplex_columns(design.layout), last_shares(design), strict=True)
    return [name for own, last in pairs for name in (*(design.fixed[j] for j in own), last)]


def signed_numbers(design: Design) -> list[str]:
    """Names of the correlations of the residuals of several responses: ``rescor(a, b)``."""
    return [design.fixed[j] for j in residual_columns(design.layout)]


def residual_sds(design: Design, spec: ModelSpec, values: Parameters) -> Iterator[tuple[str, Array]]:
    """Names and values ``(...,)`` of residual standard deviations that are one number for all rows."""
    if values.dispersion is not None and spec.family.dispersion == "sigma":
        yield "sigma", np.asarray(values.dispersion)
    beta = reported(design.layout, values.beta)
    for r, one in enumerate(spec.parameters):
        if r in design.layout.numbers and spec.responses[one.response].family.parameters[one.parameter].name == "sigma":
            (j,) = design.of_predictor(r)
            yield design.fixed[j], beta[..., j]


def of_priors(priors: Priors, design: Design, values: Parameters) -> tuple[list[str], Array]:
    """Names and values ``(..., m)`` of the parameters that priors are stated on: intercepts centred if theirs are."""
    centred = at_means(design, priors.changes)
    stated = replace(centred, layout=replace(centred.layout, fixed=priors.names))
    gamma = values.beta @ priors.contrast.T
    names = parameter_names(stated, priors.dispersion_name)
    return names, flatten(stated, replace(to_means(values, priors.changes), beta=gamma))


def linear_predictor(
    X: Array, offset: Array, terms: Sequence[Term], values: Parameters, *, with_effects: bool = True
) -> Array:
    """``X beta + Z b + offset``: ``(..., n)``. Rows of unseen levels, codes below zero, get no random effect.

    Without effects of groups there are those of smooths, which are part of the population.
    """
    eta = values.beta @ X.T + offset
    if not with_effects and not any(term.is_population for term in terms):
        return eta
    for term, b in zip(terms, values.b, strict=True):
        if term.is_population:
            eta += b[..., 0, :] @ term.z.T
            continue
        if not with_effects:
            continue
        known = np.maximum(term.codes, 0)  # codes of unseen levels may lie below minus the number of levels
        z = np.where(term.codes >= 0, term.z.T, 0.0)
        for e, column in enumerate(z):
            eta += term.over_slots(column * np.take(b[..., e], known, axis=-1))
    return eta


def coefficient_columns(design: Design, group: GroupEffects) -> list[str]:
    """Columns of `coefficients`: the fixed effects, then effects that vary between levels only."""
    fixed = design.layout.coefficients
    return [*fixed, *(effect for effect in group.effects if effect not in fixed)]


def varying_columns(design: Design, group: GroupEffects) -> Array:
    """Whether each fixed effect ``(p,)`` varies between the levels of a group."""
    return np.isin(design.fixed, group.effects)


def coefficients(design: Design, values: Parameters, group: GroupEffects) -> tuple[list[str], Array]:
    """Group coefficients, fixed plus random effects as lme4's ``coef``: names and ``(..., J, columns)``."""
    names = coefficient_columns(design, group)
    shape = (*values.lead, len(group.levels), len(names))
    result = np.zeros(shape)
    own = [j for j, owner in enumerate(design.layout.owners) if owner not in design.layout.numbers]
    result[..., : len(own)] = values.beta[..., None, own]
    b = of_group(values.b, group.terms)
    for position, effect in enumerate(group.effects):
        result[..., names.index(effect)] += b[..., position]
    return names, result


def coefficient_names(design: Design) -> list[str]:
    """``coef(group, level, effect)`` of every group coefficient."""
    names = []
    for group in groups(design):
        columns = coefficient_columns(design, group)
        names += [f"coef({group.group}, {level}, {column})" for level in group.levels for column in columns]
    return names


def flatten_coefficients(design: Design, values: Parameters) -> Array:
    """Group coefficients in the order of `coefficient_names`: ``(..., m)``."""
    parts = [coefficients(design, values, group)[1] for group in groups(design)]
    flat = [part.reshape(*values.lead, -1) for part in parts]
    return np.concatenate([np.zeros((*values.lead, 0)), *flat], axis=-1)


def population_variance(terms: Sequence[Term], values: Parameters) -> Array:
    """Variance of the random part of the linear predictor in a new group: ``(..., n)``, ``z' Sigma z`` summed.

    Smooths are no part of it: they are the same in all groups.

    Raises
    ------
    SpecError
        If some of the effects have a t distribution.
    """
    moving = [term for term in terms if np.any(term.z != 0.0)]
    check_normal(moving, "with two degrees of freedom or fewer they have no variance", NO_VARIANCE)
    total: Array = np.zeros(())
    for term, sd, corr in zip(terms, values.sd, values.corr, strict=True):
        if term.is_population:
            continue
        total = total + term.spread(covariance(sd, corr))
    return total


def average_mean(
    link: Link, eta: Array, variance: Array, *, derivative: int = 0, power: int = 1, points: int = 31
) -> Array:
    """Mean response averaged over groups, ``E h(eta + N(0, variance))``, by Gauss-Hermite quadrature: ``(..., n)``.

    ``derivative`` averages a derivative of the inverse link by the linear predictor instead, ``power`` a power.
    """
    if link.is_identity and power == 1:
        return np.broadcast_to(eta if derivative == 0 else np.ones(()), np.broadcast_shapes(eta.shape, variance.shape))
    nodes, weights = np.polynomial.hermite_e.hermegauss(points)
    spread = np.sqrt(variance)
    total: Array = np.zeros(np.broadcast_shapes(eta.shape, spread.shape))
    for node, weight in zip(nodes, weights / weights.sum(), strict=True):
        total = total + weight * link.inverse(eta + node * spread)[derivative] ** power
    return total


def log_likelihood(design: Design, spec: ModelSpec, values: Parameters, eta: Array) -> Array:
    """Log density of each row given the random effects, of all its responses together: ``(..., n)``.

    Where residuals are correlated within blocks, given the other rows of its block: what leaving one row out is about.
    """
    if spec.has_row_covariance:
        return log_density_given_others(design, spec, values, eta)
    dispersion = np.ones(()) if values.dispersion is None else np.asarray(values.dispersion)[..., None]
    return likelihood_of(design, spec).value(eta, dispersion)


def log_likelihood_of_all(design: Design, spec: ModelSpec, values: Parameters, eta: Array) -> Array:
    """Log density of all rows given the random effects: ``(...,)``."""
    if spec.has_row_covariance:
        return log_joint_density(design, spec, values, eta)
    return np.asarray(log_likelihood(design, spec, values, eta).sum(axis=-1))
