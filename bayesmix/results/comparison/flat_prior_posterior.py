"""Posteriors that a decomposition compares: under flat priors, and under the same priors with many draws.

*Flat* is flat on every fixed effect, on every standard deviation and on sigma, and uniform on correlation matrices,
LKJ(1), where the numeric columns of a term are at their means (`centring`). On this scale the posterior of the variance
parameters, random and fixed effects integrated out, is the restricted likelihood, so that its joint mode is the REML
estimate; that under a prior flat on variances or logarithms, or on the standard deviations at zero, is not. The shape
of a negative binomial response keeps its prior: a Poisson response is its limit, so that the posterior under a flat one
is never proper.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from bayesmix.arrays import Array
from bayesmix.data.design.design import Design
from bayesmix.inference.parameters.centring import log_jacobian
from bayesmix.inference.parameters.names import Parameters, df_name, heavy_tailed, sd_names
from bayesmix.inference.parameters.priors_in_force import Priors, log_prior, resolve
from bayesmix.inference.sampling.diagnostics import K_LIMIT
from bayesmix.inference.sampling.draws import Schedule
from bayesmix.inference.sampling.marginal.importance_correction import too_large
from bayesmix.inference.sampling.marginal.marginal_posterior import applies
from bayesmix.inference.sampling.marginal.sampler import MAX_DIMENSION, Marginal
from bayesmix.inference.sampling.nuts.nuts import Nuts
from bayesmix.inference.sampling.pareto_smoothing import smoothed, tail_length
from bayesmix.inference.sampling.propriety import MEAN, PROPER, freedom, is_separated
from bayesmix.inference.sampling.sample import dimension, failure
from bayesmix.language.formula.model_spec import ModelSpec
from bayesmix.language.priors.on_link import natural
from bayesmix.language.priors.prior import Prior
from bayesmix.results.fits.accessors import priors_of
from bayesmix.results.fits.linear_predictor import coefficient_names, flatten, flatten_coefficients
from bayesmix.results.fits.marginal_summary import Range
from bayesmix.results.fits.parameter_ranges import parameter_ranges
from bayesmix.results.fits.refit import sample_again

if TYPE_CHECKING:
    from bayesmix.results.fits.records import FitRecord, PosteriorRecord

Block = tuple[list[str], Array]  # names and draws (chain, draw, m) of scalars

CHAINS, DRAWS = 4, 2500
SEED = 24
FEW_ROWS = 1_000  # of a generalized model
QUICK = 4_000  # numbers of one factorisation up to which a reference takes a fraction of a second


@dataclass(frozen=True, slots=True, eq=False)
class Reference:
    """Draws of scalars, in blocks that may differ in their number of draws, and where they come from."""

    blocks: tuple[Block, ...]
    source: str = "the draws themselves"
    ranges: Mapping[str, Range] = field(default_factory=dict)  # of the parameters


def reference_of(fit: PosteriorRecord, *, groups: bool, source: str = "the draws themselves") -> Reference:
    """The scalars of a posterior, as they are."""
    return Reference(blocks_of(fit, groups=groups), source, parameter_ranges(fit.design, fit.spec))


def blocks_of(fit: PosteriorRecord, *, groups: bool) -> tuple[Block, ...]:
    """The scalars of a posterior: parameters, and group coefficients where wanted."""
    design = fit.design
    found: list[Block] = [(fit.names, flatten(design, fit.values))]
    if groups and design.group_sizes:
        coefficients = flatten_coefficients(design, fit.with_effects)
        found.append((coefficient_names(design), coefficients))
    return tuple(found)


def is_quick(fit: FitRecord) -> bool:
    """Whether the references of a model cost no more than a fraction of a second."""
    design = fit.design
    if not _has_exact(fit) or dimension(design, priors_of(fit)) > MAX_DIMENSION:
        return False
    p, groups = design.X.shape[1], [term.group for term in design.terms]
    sizes = [(len(term.levels), len(term.effects), term.group == groups[0]) for term in design.terms]
    crossed = sum(J * k for J, k, is_first in sizes if not is_first)
    return sum(J * k * (3 * k + p + 1) for J, k, _ in sizes) + 3 * crossed**2 <= QUICK


def why_not_flat(fit: FitRecord, centre: str) -> str | None:
    """Why the posterior under flat priors does not exist, or has no mean; None if it does and has."""
    needed = MEAN if centre == "mean" else PROPER
    counted = freedom(fit.design, fit.spec)
    for term, names, counts in zip(fit.design.terms, sd_names(fit.design.terms), counted, strict=True):
        for name, count in zip(names, counts, strict=True):
            if count < needed:
                what = "does not exist" if count < PROPER else "has no mean"
                next_step = "" if count < PROPER else ' compare(..., centre="median") still works.'
                return (
                    f"Under flat priors the posterior {what}: the {len(term.levels)} levels of {term.group} leave"
                    f" {max(count, 0)} degrees of freedom for {name}, {needed} are needed."
                    f" With so few levels the prior of this standard deviation decides; give one you can defend."
                    f"{next_step}"
                )
    if is_separated(fit.design, fit.spec, fit.design.X):
        return (
            f"Under flat priors the posterior does not exist: the fixed effects separate the outcomes of"
            f" `{fit.design.response}`, and the likelihood does not fall at infinity. The priors decide."
        )
    return None


def with_flat_priors(posterior: PosteriorRecord, *, groups: bool, costly: bool) -> Reference | None:
    """The posterior under flat priors: refitted or re-weighted, whichever is certified; None if neither is."""
    spec = _flat(posterior)
    priors = resolve(spec, posterior.design)
    if _has_exact(posterior):
        return _refitted(posterior, spec, priors, groups=groups, costly=costly)
    if (spec.preset, spec.priors) == (posterior.spec.preset, posterior.spec.priors):
        return reference_of(posterior, groups=groups)
    found = _refitted(posterior, spec, priors, groups=groups, costly=False) if _has_few_rows(posterior) else None
    found = found or _reweighted(posterior, priors, groups)
    return found or (_refitted(posterior, spec, priors, groups=groups, costly=True) if costly else None)


def with_same_priors(posterior: PosteriorRecord, *, groups: bool) -> Reference | None:
    """The posterior again, with other and more draws where they are cheap; None elsewhere."""
    if not (_has_exact(posterior) or _has_few_rows(posterior)):
        return None
    return _refitted(posterior, posterior.spec, posterior.priors, groups=groups, costly=False)


def _has_few_rows(fit: FitRecord) -> bool:
    """Whether the marginal sampler draws from a generalized model within seconds."""
    is_small = len(fit.design.y) <= FEW_ROWS and too_large(fit.design, CHAINS * DRAWS) is None
    return is_small and not heavy_tailed(fit.design.terms)


def _has_exact(fit: FitRecord) -> bool:
    """Whether the model is linear, with normal effects, which the marginal sampler integrates out."""
    return applies(fit.spec) and not heavy_tailed(fit.design.terms)


def _flat(posterior: PosteriorRecord) -> ModelSpec:
    return replace(posterior.spec, preset="flat", priors=_kept(posterior))


def _kept(posterior: PosteriorRecord) -> dict[str, Prior]:
    """Priors of what has another family as its limit, under which the posterior with flat priors does not exist."""
    spec, design, priors = posterior.spec, posterior.design, posterior.priors
    tails = {df_name(group): prior.prior for group, prior in priors.df.items()}
    if spec.is_simple:
        shape = priors.dispersion
        return tails | ({str(priors.dispersion_name): shape} if spec.family.limits and shape is not None else {})
    limited = {
        r
        for r, one in enumerate(spec.parameters)
        if spec.responses[one.response].family.parameters[one.parameter].limit is not None
    }
    fixed = zip(priors.names, priors.fixed, design.layout.owners, strict=True)
    kept = tails | {name: natural(prior) for name, prior, owner in fixed if owner in limited}
    for term, names, own in zip(design.terms, sd_names(design.terms), priors.sd, strict=True):
        kept |= {name: prior for name, prior, r in zip(names, own, term.owners, strict=False) if r in limited}
    return kept


def _refitted(fit: FitRecord, spec: ModelSpec, priors: Priors, *, groups: bool, costly: bool) -> Reference | None:
    """Draws of the marginal sampler if its certificate holds, of any engine if they may be costly."""

    def drawn(method: Marginal | Nuts) -> PosteriorRecord:
        return sample_again(fit, method, Schedule(DRAWS, CHAINS, SEED), spec=spec, priors=priors)

    is_normal = not heavy_tailed(fit.design.terms)
    feasible = is_normal and (applies(spec) or too_large(fit.design, CHAINS * DRAWS) is None)
    found = drawn(Marginal(thin=1)) if feasible else None
    if found is None or failure(found.draws) is not None:
        if not costly:
            return None
        found = drawn(Nuts())
    return reference_of(found, groups=groups, source="refitted")


def _reweighted(posterior: PosteriorRecord, flat: Priors, groups: bool) -> Reference | None:
    """Draws picked anew with the inverse prior density as Pareto-smoothed weights, if these are certified."""
    if groups and posterior.draws.thinned is not None:
        return None
    design, values = posterior.design, posterior.values
    own, other = (_log_density(priors, design, values) for priors in (posterior.priors, flat))
    ratio = np.ravel(other - own)
    weights, k = smoothed(ratio, tail_length(ratio.size))
    if not k <= K_LIMIT:
        return None
    picked = _systematic(np.exp(weights - weights.max()))
    own_blocks = blocks_of(posterior, groups=groups)
    anew = tuple((names, draws.reshape(1, -1, draws.shape[-1])[:, picked]) for names, draws in own_blocks)
    source = f"draws re-weighted, Pareto k {k:.2f} (limit {K_LIMIT:g})"
    return Reference(anew, source, parameter_ranges(posterior.design, posterior.spec))


def _log_density(priors: Priors, design: Design, values: Parameters) -> Array:
    """Log prior density of the parameters as they are reported, wherever the priors are stated: ``(chain, draw)``."""
    return sum(log_prior(priors, design, values).values(), log_jacobian(values, priors.changes))


def _systematic(weights: Array) -> Array:
    """Positions drawn in proportion to weights with the least noise: one uniform grid through their sums."""
    edges = np.cumsum(weights) / np.sum(weights)
    n = len(weights)
    return np.minimum(np.searchsorted(edges, (np.arange(n) + 0.5) / n), n - 1)
