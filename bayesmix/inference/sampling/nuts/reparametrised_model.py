"""The model of `to_pymc` in the sampler's coordinates: the same posterior, as a function of free numbers.

All variables are flat on the real line and of unit size (`reparametrisation`); the densities of what they stand for,
with the Jacobians, are potentials. Every number that comes from data or priors is part of four arrays, so that the
compiled model serves all data of its kind.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from bayesmix.arrays import Array
from bayesmix.data.design.design import Design, Term
from bayesmix.inference.parameters.covariance import structure_of
from bayesmix.inference.parameters.names import Parameters
from bayesmix.inference.parameters.priors_in_force import Priors
from bayesmix.inference.sampling.nuts.mixing_scales import mixing, mixing_at
from bayesmix.inference.sampling.nuts.moved_parameters import (
    bounds_of,
    free_of,
    moved,
    moved_vector,
    value_of,
    values_of,
)
from bayesmix.inference.sampling.nuts.numbers import split_priors
from bayesmix.inference.sampling.nuts.pymc_blocks import key_of
from bayesmix.inference.sampling.nuts.pymc_likelihood import add_kernels, correlations_of, is_unweighted, responses_of
from bayesmix.inference.sampling.nuts.pymc_model import (
    check_codes,
    coordinates,
    formulas,
    level_dim,
    members_of,
    root_of,
    term_label,
)
from bayesmix.inference.sampling.nuts.reparametrisation import Reparametrisation, TermReparametrisation, spherical
from bayesmix.inference.sampling.nuts.shared_data import Packed
from bayesmix.language.formula.model_spec import ModelSpec
from bayesmix.language.priors.prior import Prior


@dataclass(frozen=True, slots=True, eq=False)
class SamplerModel:
    """The graph, the numbers in it, and what it depends on besides these."""

    model: Any  # pm.Model
    packed: Packed
    key: tuple[Any, ...]


def sampler_model(
    design: Design, spec: ModelSpec, priors: Priors, reparametrisation: Reparametrisation
) -> SamplerModel:
    """Build the sampler's form of the model."""
    import pymc as pm

    check_codes(design)
    labels = [term_label(design.terms, t) for t in range(len(design.terms))]
    packed = Packed()
    with pm.Model(coords=coordinates(design, labels), check_bounds=False) as model:
        numbers, beta, change = _parameters(design, priors, reparametrisation, packed)
        eta = _fixed_parts(design, beta, packed)
        unit = numbers.get(priors.dispersion_name)
        effects: dict[int, Any] = {}
        scales = mixing(design.group_sizes, priors.df, reparametrisation.tails, packed)
        for t in _outer_first(reparametrisation):
            term, own = design.terms[t], reparametrisation.terms[t]
            L = _root(term, labels[t], priors.sd[t], priors.corr[t], own, packed, unit)
            L = _scaled(L, None if term.is_normal else scales[term.group])
            effects[t] = _effects(labels[t], L, change, own, effects, packed)
            for r, part in _random_parts(design, term, effects[t], packed).items():
                eta[r] = eta[r] + part
        add_kernels(responses_of(design, spec, eta, numbers), correlations_of(design, spec, numbers), packed)
    packed.fill()
    return SamplerModel(model, packed, _key(design, spec, priors, reparametrisation))


def free_shapes(model: Any) -> dict[str, tuple[int, ...]]:
    """Shapes of the free variables."""
    return {variable.name: tuple(variable.type.shape) for variable in model.free_RVs}


def parameters_at(
    design: Design, priors: Priors, reparametrisation: Reparametrisation, free: Mapping[str, Array]
) -> Parameters:
    """Parameters in the user's units, from values of the free variables with leading axes ``(chain, draw)``."""
    lead = next(iter(free.values())).shape[:2]
    split = split_priors(priors)
    coefficients = np.zeros((*lead, 0))
    if split.fixed:
        coefficients = values_of("fixef_centred", split.fixed, reparametrisation.fixed, free)
    numbers = [
        value_of([number.prior], move, free[f"{number.name}_free"])
        for number, move in zip(split.numbers, reparametrisation.numbers, strict=True)
    ]
    gamma = split.gamma(coefficients, [value[..., None] for value in numbers], join=np.concatenate)
    beta = gamma @ np.linalg.inv(priors.contrast).T
    sds: dict[int, Array] = {}
    corrs: dict[int, Array] = {}
    effects: dict[int, Array] = {}
    df, scales = mixing_at(priors.df, reparametrisation.tails, free)
    for t in _outer_first(reparametrisation):
        term, own = design.terms[t], reparametrisation.terms[t]
        label, k = term_label(design.terms, t), len(term.effects)
        sd = np.broadcast_to(values_of(f"sd_free_{label}", priors.sd[t], own.sd, free), (*lead, k))
        root: Array = np.broadcast_to(np.eye(k), (*lead, k, k))
        if priors.corr[t]:
            root = structure_of(term).correlation.root(_numbers_at(term, label, priors.corr[t], own, free))
        sds[t], corrs[t] = sd, root @ np.swapaxes(root, -1, -2)
        at = sd[..., :, None] * root, np.ones(1) if term.is_normal else scales[term.group]
        effects[t] = _effects_at(own, at, free[f"u_{label}"], beta - reparametrisation.beta, effects)
    dispersion = next((value for one, value in zip(split.numbers, numbers, strict=True) if one.place is None), None)
    return Parameters(beta, _in_turn(sds), _in_turn(corrs), _in_turn(effects), dispersion, df)


def _numbers_at(
    term: Term, label: str, priors: Sequence[Prior], own: TermReparametrisation, free: Mapping[str, Array]
) -> Array:
    """Free numbers ``(..., size)`` of the correlations of a term."""
    if structure_of(term).correlation.has_lkj:
        return 2.0 * value_of([BETA], own.numbers[0], free[f"lkj_{label}_free"]) - 1.0
    return values_of(f"range_free_{label}", priors, own.numbers, free)


def free_at(
    design: Design,
    priors: Priors,
    reparametrisation: Reparametrisation,
    beta: Array,
    sds: Sequence[Array],
    dispersion: Array | None,
) -> dict[str, Array]:
    """Free values of fixed effects, standard deviations ``(n_sd,)`` a term and the dispersion, by variable.

    Those of correlations and random effects are left out: at zero these are what the estimate's curvature says, given
    the others.
    """
    free: dict[str, Array] = {}
    split, gamma = split_priors(priors), priors.contrast @ beta
    if split.fixed:
        free |= free_of("fixef_centred", split.fixed, reparametrisation.fixed, gamma[list(split.coefficients)])
    for t, (own, sd) in enumerate(zip(reparametrisation.terms, sds, strict=True)):
        free |= free_of(f"sd_free_{term_label(design.terms, t)}", priors.sd[t], own.sd, sd)
    for number, move in zip(split.numbers, reparametrisation.numbers, strict=True):
        value = number.value(gamma, dispersion)
        free[f"{number.name}_free"] = move.backward(np.asarray(value), bounds_of([number.prior]))
    return free


def _parameters(
    design: Design, priors: Priors, reparametrisation: Reparametrisation, packed: Packed
) -> tuple[dict[str | None, Any], Any, Any]:
    """Parameters that are one number for all rows, by name; fixed effects ``(p,)``, and how far the estimate is."""
    import pymc as pm
    import pytensor.tensor as pt

    split, numbers = split_priors(priors), dict[str | None, Any]()
    own = moved_vector("fixef_centred", split.fixed, reparametrisation.fixed, packed) if split.fixed else pt.zeros(0)
    for number, move in zip(split.numbers, reparametrisation.numbers, strict=True):
        arguments = [packed.constant(number.name, np.asarray(value)) for value in number.prior.arguments]
        numbers[number.name] = moved(number.name, number.prior.kind, arguments, move, packed)
    if not design.fixed:
        return numbers, own, own
    gamma = split.gamma(own, [pt.atleast_1d(value) for value in numbers.values()], join=pt.concatenate)
    beta = pt.dot(packed.constant("contrast", np.linalg.inv(priors.contrast)), gamma)
    pm.Deterministic("fixef", beta)
    return numbers, beta, beta - packed.constant("fixef", reparametrisation.beta)


def _fixed_parts(design: Design, beta: Any, packed: Packed) -> dict[int, Any]:
    """What offsets and fixed effects give to each linear predictor that has a formula: ``(n,)``."""
    import pytensor.tensor as pt

    eta = {}
    for r in formulas(design):
        rows, own = design.block(r), design.of_predictor(r)
        if r in design.layout.single:
            eta[r] = beta[own[0]]
            continue
        eta[r] = packed.column(design.offset[rows])
        if own:
            columns = packed.columns(design.X[rows, own[0] : own[-1] + 1])
            eta[r] = eta[r] + pt.dot(columns, beta if len(own) == len(design.fixed) else beta[own[0] : own[-1] + 1])
    return eta


def _in_turn(found: Mapping[int, Array]) -> tuple[Array, ...]:
    return tuple(found[t] for t in sorted(found))


def _outer_first(reparametrisation: Reparametrisation) -> list[int]:
    """Terms in an order in which those that others are nested in come first."""
    return sorted(range(len(reparametrisation.terms)), key=lambda t: len(reparametrisation.terms[t].score))


BETA = Prior("Beta", (1.0, 1.0))  # stands for the prior of (1 + partial correlation) / 2, whose arguments are computed


def _root(  # noqa: PLR0913, PLR0917 - what a prior of a covariance is made of
    term: Term,
    label: str,
    sd_priors: Sequence[Prior],
    corr_priors: Sequence[Prior],
    own: TermReparametrisation,
    packed: Packed,
    unit: Any,
) -> Any:
    """Rows of a root of the covariance of a term's effects, trailing zeros left out; a matrix of many by numbers."""
    import pymc as pm
    import pytensor.tensor as pt

    k = len(term.effects)
    free = moved_vector(f"sd_free_{label}", sd_priors, own.sd, packed, unit)
    sd = [free[i if len(sd_priors) == k else 0] for i in range(k)]
    pm.Deterministic(f"sd_{label}", pt.stack(sd), dims=f"{label}_effect")
    if not corr_priors:
        return [[*[0.0] * i, sd[i]] for i in range(k)]
    family = structure_of(term).correlation
    if family.has_lkj:
        arguments = [packed.constant(label, values) for values in family.beta(corr_priors[0].arguments[0])]
        numbers = 2.0 * moved(f"lkj_{label}", "Beta", arguments, own.numbers[0], packed) - 1.0
    else:
        numbers = moved_vector(f"range_free_{label}", corr_priors, own.numbers, packed)
        if not own.is_adapted:
            return free[0] * root_of(family, numbers)
    rows = family.rows(numbers, sqrt=pt.sqrt, one=pt.ones(()))
    return [[sd[i] * value for value in row] for i, row in enumerate(rows)]


def _random_parts(design: Design, term: Term, b: Any, packed: Packed) -> dict[int, Any]:
    """What the effects of a term give to each linear predictor that has some of them: ``(n,)``."""
    import pytensor.tensor as pt

    found: dict[int, Any] = {}
    for level, columns in members_of(design, term):
        codes = packed.levels(level)
        for r, own in ((r, own) for r in formulas(design) if (own := term.columns_of(r))):
            if term.is_population and not isinstance(b, list):
                part = pt.dot(packed.columns(term.z[design.block(r)][:, own]), b[0, own[0] : own[-1] + 1])
            elif not isinstance(b, list):  # each row is at one position, or has no effect
                z = term.z[design.block(r)] if term.slots == 1 else np.stack(columns, axis=1)
                part = packed.column(z.max(axis=1)) * b[codes, packed.levels(np.argmax(z, axis=1))]
            else:
                part = sum(packed.column(columns[e]) * b[e][codes] for e in own)
            found[r] = found[r] + part if r in found else part
    return found


def _scaled(L: Any, scale: Any) -> Any:
    """A root of the covariance of each level's effects: that of all, times what the level is scaled by ``(J,)``."""
    return L if scale is None else [[v if isinstance(v, float) else v * scale for v in row] for row in L]


def _effects(
    label: str,
    L: Any,
    change: Any,
    own: TermReparametrisation,
    outer: Mapping[int, Any],
    packed: Packed,
) -> Any:
    """Effects of a term, one ``(J,)`` an effect, or ``(J, k)`` by a matrix; ``outer`` has those of terms before."""
    import pymc as pm
    import pytensor.tensor as pt

    J, k = own.score.shape
    dims = (level_dim(label), f"{label}_effect")
    free = pm.Flat(f"u_{label}", shape=(J, k), dims=dims)
    if not isinstance(L, list):
        pm.Potential(f"z_{label}", -0.5 * (free**2).sum() - 0.5 * np.log(2.0 * np.pi) * J * k)
        if own.relation is not None:
            free = pt.dot(packed.constant(label, own.relation.correlated(np.eye(J))), free)
        return pm.Deterministic(f"ranef_{label}", pt.dot(free, L.T), dims=dims)
    z = [free[:, i] for i in range(k)]
    log_scale = pt.zeros(())
    if own.is_adapted:
        information = packed.constant(label, own.information.transpose(1, 2, 0))
        blocks = [[information[i, j] for j in range(k)] for i in range(k)]
        score = _score(label, change, own, outer, packed)
        z, log_scale = spherical(z, L, blocks, score, sqrt=pt.sqrt, log=pt.log)
    density = sum(-0.5 * one**2 for one in z) + log_scale
    pm.Potential(f"z_{label}", density.sum() - 0.5 * np.log(2.0 * np.pi) * J * k)
    if own.relation is not None:
        root = packed.constant(label, own.relation.correlated(np.eye(J)))
        z = [pt.dot(root, one) for one in z]
    b = [sum(value * z[j] for j, value in enumerate(row) if not isinstance(value, float)) for row in L]
    pm.Deterministic(f"ranef_{label}", pt.stack(b, axis=1), dims=dims)
    return b


def _score(
    label: str, change: Any, own: TermReparametrisation, outer: Mapping[int, list[Any]], packed: Packed
) -> list[Any]:
    """``c_j`` of the levels, one ``(J,)`` an effect, less what fixed effects and outer terms take from it."""
    import pytensor.tensor as pt

    J, k = own.score.shape
    score = packed.constant(label, own.score.T)
    if own.slope.shape[-1]:
        slope = packed.constant(label, own.slope.transpose(1, 0, 2).reshape(k * J, -1))
        score = score - pt.dot(slope, change).reshape((k, J))
    rows = [score[i] for i in range(k)]
    for parent in own.parents:
        index = packed.index(parent.index)
        slopes = packed.constant(label, parent.slope.transpose(1, 2, 0))
        b = outer[parent.term]
        around = [(b[j] if isinstance(b, list) else b[:, j])[index] for j in range(parent.slope.shape[-1])]
        rows = [row - sum(slopes[i, j] * b for j, b in enumerate(around)) for i, row in enumerate(rows)]
    return rows


def _effects_at(
    own: TermReparametrisation, at: tuple[Array, Array], u: Array, change: Array, outer: Mapping[int, Array]
) -> Array:
    """Random effects ``(..., J, k)`` from the free numbers.

    Parameters
    ----------
    at : roots of the covariance ``(..., k, k)``, and what each level is scaled by ``(..., J or 1)``.
    """
    (L, scale), k = at, u.shape[-1]
    if not own.is_adapted:
        related = u if own.relation is None else own.relation.correlated(u)
        return (related @ np.swapaxes(L, -1, -2)) * scale[..., None]
    score = own.score - np.einsum("jkp,...p->...jk", own.slope, change, optimize=True)
    for parent in own.parents:
        score = score - np.einsum("jkl,...jl->...jk", parent.slope, outer[parent.term][..., parent.index, :])
    entries = [[L[..., i, j, None] * scale for j in range(k)] for i in range(k)]
    blocks = [[own.information[:, i, j] for j in range(k)] for i in range(k)]
    columns = [u[..., i] for i in range(k)]
    z, _ = spherical(columns, entries, blocks, [score[..., i] for i in range(k)], sqrt=np.sqrt, log=np.log)
    return (np.stack(z, axis=-1) @ np.swapaxes(L, -1, -2)) * scale[..., None]


def _key(design: Design, spec: ModelSpec, priors: Priors, reparametrisation: Reparametrisation) -> tuple[Any, ...]:
    """What the graph depends on, besides the numbers in it."""
    terms = tuple(
        (structure_of(term), term.owners, len(term.levels), tuple(map(_kind, (*sd, *corr))), term.relation is None)
        for term, sd, corr in zip(design.terms, priors.sd, priors.corr, strict=True)
    )
    tails = list(priors.df)
    scaled = [None if term.is_normal else tails.index(term.group) for term in design.terms]
    levels = tuple((term.relation is None, term.slots, own) for term, own in zip(design.terms, scaled, strict=True))
    fixed = tuple(zip((prior.kind for prior in priors.fixed), design.layout.owners, strict=True))
    dispersion = None if priors.dispersion is None else priors.dispersion.kind
    nested = tuple(tuple(parent.term for parent in term.parents) for term in reparametrisation.terms)
    families = (spec.family,) if spec.is_simple else tuple(response.family for response in spec.responses)
    predictors = tuple((one.response, one.parameter, one.link.name) for one in spec.parameters)
    outcomes = tuple((is_unweighted(one), one.bounds and one.bounds.kinds) for one in design.outcomes)
    rest = families, spec.link.name, predictors, spec.rescor, outcomes, fixed, terms, levels, nested, dispersion
    kinds = tuple(own.prior.kind for own in priors.df.values())
    return *rest, kinds, tuple(sorted(spec.imputed.items())), spec.incomplete, *key_of(design)


def _kind(prior: Prior) -> str:
    """What of a prior is part of the graph: its kind, of a joint one its numbers too."""
    return str(prior) if prior.kind == "Decov" else prior.kind
