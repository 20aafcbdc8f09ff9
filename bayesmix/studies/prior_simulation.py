"""Parameters from the priors, data from the parameters."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bayesmix.arrays import Array
from bayesmix.data.design.design import Design
from bayesmix.inference.parameters.centring import to_zero
from bayesmix.inference.parameters.correlation import Correlation
from bayesmix.inference.parameters.covariance import structure_of
from bayesmix.inference.parameters.heavy_tails import scales_of
from bayesmix.inference.parameters.names import Parameters
from bayesmix.inference.parameters.priors_in_force import Priors
from bayesmix.language.priors.on_link import CoefficientPrior, OnLink, natural
from bayesmix.language.priors.prior import Prior
from bayesmix.language.priors.random import Generator, draw_in_order, draw_prior


def draw_parameters(priors: Priors, design: Design, rng: Generator) -> Parameters:
    """Parameters of a design, random effects included, drawn from the priors."""
    gamma = np.array([_draw(prior, rng) for prior in priors.fixed])
    for places, thresholds in priors.in_order():  # the prior of all of them together has no other order
        gamma[places] = draw_in_order(thresholds, 1, rng)[0]
    dispersion = None if priors.dispersion is None else np.array(draw_prior(priors.dispersion, rng))
    unit = 1.0 if dispersion is None else float(dispersion)
    sds, corrs, effects = [], [], []
    df = {group: np.asarray(prior.quantile(np.asarray(rng.random()))) for group, prior in priors.df.items()}
    scales = {group: scales_of(own, (design.group_sizes[group],), rng) for group, own in df.items()}
    for term, own, numbers in zip(design.terms, priors.sd, priors.corr, strict=True):
        family = structure_of(term).correlation
        sd = np.broadcast_to(_draw_sd(own, unit, rng), family.k)
        root = family.root(_draw_free(family, numbers, rng))
        sds.append(sd)
        corrs.append(root @ root.T)
        noise = rng.standard_normal((len(term.levels), family.k))
        noise = noise if term.relation is None else term.relation.correlated(noise)
        noise = noise if term.is_normal else noise * scales[term.group][:, None]
        effects.append(noise @ (sd[:, None] * root).T)
    beta = np.linalg.solve(priors.contrast, gamma)
    return to_zero(Parameters(beta, tuple(sds), tuple(corrs), tuple(effects), dispersion, df), priors.changes)


def _draw(prior: CoefficientPrior, rng: Generator) -> float:
    """A coefficient; of a parameter that is one number for all rows, on the scale of its link."""
    value = draw_prior(natural(prior), rng)
    return float(prior.link.of(np.asarray(value))) if isinstance(prior, OnLink) else value


def _draw_free(family: Correlation, priors: Sequence[Prior], rng: Generator) -> Array:
    """Free numbers of the correlations of a term."""
    if family.has_lkj:
        return 2.0 * rng.beta(*family.beta(priors[0].arguments[0])) - 1.0 if priors else np.zeros(0)
    return np.array([draw_prior(prior, rng) for prior in priors])


def _draw_sd(priors: Sequence[Prior], unit: float, rng: Generator) -> Array:
    """Standard deviations of a term; those under a Decov prior have it together."""
    joint = [j for j, prior in enumerate(priors) if prior.kind == "Decov"]
    sd = np.array([1.0 if prior.kind == "Decov" else draw_prior(prior, rng) for prior in priors])
    if joint:
        concentration, shape, scale = priors[joint[0]].arguments
        shares = rng.dirichlet(np.full(len(joint), concentration))
        sd[joint] = unit * rng.gamma(shape, scale) * np.sqrt(len(joint) * shares)
    return sd
