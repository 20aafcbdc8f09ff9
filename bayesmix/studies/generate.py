"""Parameters from the priors, data from the parameters."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from bayesmix.data.design import Design
from bayesmix.errors import SpecError
from bayesmix.inference.centring import to_zero
from bayesmix.inference.covariance import structure_of
from bayesmix.inference.parameters import Parameters
from bayesmix.inference.priors import Priors
from bayesmix.language.prior import Prior
from bayesmix.language.spec import ModelSpec
from bayesmix.results.predict import Rows, predict

Array = np.ndarray
Generator = np.random.Generator

DRAW: dict[str, Callable[..., float]] = {  # by the kind of the prior, arguments as `Prior` has them
    "Normal": lambda rng, mu, sigma: rng.normal(mu, sigma),
    "StudentT": lambda rng, nu, mu, sigma: mu + sigma * rng.standard_t(nu),
    "Cauchy": lambda rng, mu, sigma: mu + sigma * rng.standard_cauchy(),
    "Laplace": lambda rng, mu, b: rng.laplace(mu, b),
    "HalfNormal": lambda rng, sigma: abs(rng.normal(0.0, sigma)),
    "HalfStudentT": lambda rng, nu, sigma: abs(sigma * rng.standard_t(nu)),
    "HalfCauchy": lambda rng, sigma: abs(sigma * rng.standard_cauchy()),
    "Exponential": lambda rng, rate: rng.exponential(1.0 / rate),
    "Gamma": lambda rng, alpha, beta: rng.gamma(alpha, 1.0 / beta),
    "InverseGamma": lambda rng, alpha, beta: beta / rng.gamma(alpha),
    "LogNormal": lambda rng, mu, sigma: rng.lognormal(mu, sigma),
    "Uniform": lambda rng, lower, upper: rng.uniform(lower, upper),
}


def draw_prior(prior: Prior, rng: Generator) -> float:
    """One draw.

    Raises
    ------
    SpecError
        If the prior is flat: there is nothing to draw from.
    """
    if prior.kind not in DRAW:
        raise SpecError(f'{prior} cannot be drawn from. Give a proper prior, such as priors={{"sd": "HalfNormal(1)"}}.')
    return float(DRAW[prior.kind](rng, *prior.arguments))


def draw_parameters(priors: Priors, design: Design, rng: Generator) -> Parameters:
    """Parameters of a design, random effects included, drawn from the priors."""
    gamma = np.array([draw_prior(prior, rng) for prior in priors.fixed])
    dispersion = None if priors.dispersion is None else np.array(draw_prior(priors.dispersion, rng))
    unit = 1.0 if dispersion is None else float(dispersion)
    sds, corrs, effects = [], [], []
    for term, own, eta in zip(design.terms, priors.sd, priors.corr, strict=True):
        family = structure_of(term).correlation
        sd = np.broadcast_to(_draw_sd(own, unit, rng), family.k)
        partial = np.zeros(0) if eta is None else 2.0 * rng.beta(*family.beta(eta)) - 1.0
        root = family.root(partial)
        sds.append(sd)
        corrs.append(root @ root.T)
        effects.append(rng.standard_normal((len(term.levels), family.k)) @ (sd[:, None] * root).T)
    beta = np.linalg.solve(priors.contrast, gamma)
    return to_zero(Parameters(beta, tuple(sds), tuple(corrs), tuple(effects), dispersion), priors.changes)


def _draw_sd(priors: Sequence[Prior], unit: float, rng: Generator) -> Array:
    """Standard deviations of a term; those under a Decov prior have it together."""
    joint = [j for j, prior in enumerate(priors) if prior.kind == "Decov"]
    sd = np.array([1.0 if prior.kind == "Decov" else draw_prior(prior, rng) for prior in priors])
    if joint:
        concentration, shape, scale = priors[joint[0]].arguments
        shares = rng.dirichlet(np.full(len(joint), concentration))
        sd[joint] = unit * rng.gamma(shape, scale) * np.sqrt(len(joint) * shares)
    return sd


def simulate_response(spec: ModelSpec, design: Design, values: Parameters, seed: int) -> Design:
    """The design with a response drawn given the parameters."""
    y = predict(spec, Rows.of_fit(design), values, kind="response", groups="fitted", seed=seed)
    return replace(design, y=np.asarray(y, float))
