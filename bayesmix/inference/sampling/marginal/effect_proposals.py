"""Importance proposals of fixed and random effects and the dispersion, given the coordinates that a mixture draws."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from bayesmix.arrays import Array
from bayesmix.inference.least_squares.cholesky import Factorisation
from bayesmix.inference.least_squares.incidence import effects_on_rows
from bayesmix.inference.parameters.priors_in_force import log_sd
from bayesmix.inference.sampling.marginal.defence import defended_noise
from bayesmix.inference.sampling.marginal.gaussian_approximation import GaussianApproximation, draw_all
from bayesmix.inference.sampling.marginal.level_proposals import LevelProposals
from bayesmix.inference.sampling.marginal.marginal_posterior import MarginalPosterior
from bayesmix.parallel.threads import draw_in_threads

FREEDOM = 5.0  # degrees of freedom of the proposal of the log dispersion
NUMBERS = 1_000_000  # held at once by one batch


@dataclass(frozen=True, slots=True, eq=False)
class Proposed:
    """Proposals and their log weights against the mixture's density of theta."""

    shift: Array  # (N, p) fixed effects as deviations of computational coordinates
    b: list[Array]  # per factor (N, J, k), computational coordinates
    log_dispersion: Array  # (N,)
    log_density: Array  # (N,) unbiased estimates of p(y, theta), logarithms


def propose(
    approximation: GaussianApproximation,
    theta: Array,
    tries: tuple[int, ...],
    rng: np.random.Generator,
    *,
    progress: bool = False,
    interruptible: bool = False,
) -> Proposed:
    """Propose effects and dispersion at each ``theta (N, m)``; where ``interruptible``, at the first until Ctrl-C."""

    def batch(rows: slice, own: np.random.Generator) -> Proposed:
        return _propose(approximation, theta[rows], tries, own)

    batches = list(_batches(approximation, len(theta), tries))
    return together(
        draw_in_threads(batch, batches, rng, label="Drawing", progress=progress, interruptible=interruptible)
    )


def together(parts: list[Proposed]) -> Proposed:
    """Proposals made in several calls, one after the other."""
    return Proposed(
        np.concatenate([part.shift for part in parts]),
        [np.concatenate(b) for b in zip(*(part.b for part in parts), strict=True)],
        np.concatenate([part.log_dispersion for part in parts]),
        np.concatenate([part.log_density for part in parts]),
    )


def _batches(approximation: GaussianApproximation, n: int, tries: tuple[int, ...]) -> Iterator[slice]:
    """Rows with several predictors have all effects of a level at once: of `level_proposals`."""
    effects = sum(levels * k for levels, k in approximation.target.problem.coordinates.pattern.shapes)
    at_once = 6 * tries[0] * effects if approximation.has_blocks else 0
    most = max(1, NUMBERS // (4 * approximation.size + at_once))
    for rows in approximation.target.batches(n):
        for begin in range(rows.start, rows.stop, most):
            yield slice(begin, min(begin + most, rows.stop))


def _propose(
    approximation: GaussianApproximation, theta: Array, tries: tuple[int, ...], rng: np.random.Generator
) -> Proposed:
    """Proposals of one batch; those so far out that numbers fail get no weight."""
    with np.errstate(all="ignore"):
        prior = approximation.target.log_prior(theta[:, : approximation.target.size])
        usable = np.where(np.isfinite(prior)[:, None], theta, approximation.centre)
        is_own, found = approximation.target.is_own(usable[:, : approximation.target.size])
        by_positive, own = np.flatnonzero(~is_own), np.flatnonzero(is_own)
        parts = []
        if len(by_positive):
            assert approximation.positive is not None
            parts.append(_propose(approximation.positive, theta[by_positive], tries, rng))
        if len(own):
            parts.append(_propose_own(approximation, theta[own], (usable[own], prior[own]), tries, rng, found))
        return _in_order(parts, np.concatenate([by_positive, own]))


def _propose_own(
    approximation: GaussianApproximation,
    theta: Array,
    usable: tuple[Array, Array],
    tries: tuple[int, ...],
    rng: np.random.Generator,
    found: Factorisation | None,
) -> Proposed:
    """Proposals of those of a batch that are by the approximation's own weights."""
    try:
        return _propose_inside(approximation, *usable, tries, rng, found)
    except np.linalg.LinAlgError:
        return _halved(approximation, theta, tries, rng)


def _in_order(parts: list[Proposed], at: Array) -> Proposed:
    """Proposals of a batch, made in parts at these places of it."""
    found = together(parts)
    if len(parts) == 1:
        return found
    order = np.argsort(at)
    return Proposed(
        found.shift[order], [b[order] for b in found.b], found.log_dispersion[order], found.log_density[order]
    )


def _halved(
    approximation: GaussianApproximation, theta: Array, tries: tuple[int, ...], rng: np.random.Generator
) -> Proposed:
    """Proposals of a batch of which one cannot be factorised."""
    if len(theta) == 1:
        if approximation.positive is not None:
            return _propose(approximation.positive, theta, tries, rng)
        return _propose_inside(approximation, approximation.centre[None], np.array([-np.inf]), tries, rng)
    half = len(theta) // 2
    return together([_propose(approximation, part, tries, rng) for part in (theta[:half], theta[half:])])


def _propose_inside(
    approximation: GaussianApproximation,
    x: Array,
    prior: Array,
    tries: tuple[int, ...],
    rng: np.random.Generator,
    factorisation: Factorisation | None = None,
) -> Proposed:
    """Proposals at ``x (B, m)``, where numbers do not fail; ``prior (B,)`` is the log prior density of theta there."""
    target = approximation.target
    theta = x[:, : target.size]
    factorisation = factorisation or target.factorise(theta)
    noise, excess = defended_noise(len(x), int((~target.explored).sum()), rng)
    value = target.log_likelihood(theta, target.reduced(factorisation)) + prior + excess
    shift, combination, later = draw_all(target, theta, factorisation, rng, noise=noise, end_only=True)
    log_dispersion, correction = _dispersion_at(approximation, x, rng)
    working = target.problem.coordinates
    proposals = LevelProposals(approximation, factorisation, combination, log_dispersion, tries, rng)
    nested = factorisation.plan.nested
    rest = (target.problem.beta_ols + shift) @ working.X.T
    for factor, effects in zip(working.factors[nested:], later, strict=True):
        rest += effects_on_rows(factor.z, factor.codes, effects, factor.slots)
    chosen, weights = proposals.pick(nested - 1, later, rest)
    value = value + weights.sum(axis=-1) + correction + approximation.prior_remainder(shift)
    value = value + by_dispersion(target, theta, log_dispersion)
    return Proposed(shift, [*chosen, *later], log_dispersion, np.where(np.isfinite(value), value, -np.inf))


def _dispersion_at(approximation: GaussianApproximation, x: Array, rng: np.random.Generator) -> tuple[Array, Array]:
    """Log dispersions, and log of prior over proposal density; of joint coordinates the last one, not drawn here."""
    prior, place = approximation.target.priors.dispersion, approximation.dispersion
    if prior is None or place is None:
        return np.zeros(len(x)), np.zeros(len(x))
    if approximation.is_joint:
        return x[:, -1], prior.log_density(np.exp(x[:, -1])) + x[:, -1]
    from scipy.stats import t

    drawn = place.mean + place.sd * rng.standard_t(FREEDOM, len(x))
    proposal = t.logpdf(drawn, FREEDOM, place.mean, place.sd)
    return drawn, prior.log_density(np.exp(drawn)) + drawn - proposal


def by_dispersion(target: MarginalPosterior, theta: Array, log_dispersion: Array) -> Array:
    """Log prior density of standard deviations that is relative to the dispersion, over that with one of one."""
    total: Array = np.zeros(len(theta))
    if target.priors.dispersion is None:
        return total
    for coordinates, x, priors in zip(target.terms, target.parts(theta)[0], target.priors.sd, strict=True):
        sd = coordinates.unpack(x)[0]
        total = total + log_sd(priors, sd, np.exp(log_dispersion)) - log_sd(priors, sd, np.ones(len(theta)))
    return total
