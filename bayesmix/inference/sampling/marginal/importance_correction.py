"""The exact posterior of a generalized linear mixed model from independent proposals.

The linear mixed model nearest to it, `gaussian_approximation`, proposes: covariance parameters ``theta`` from a mixture
fitted to their posterior, then fixed and random effects from their exact distribution under the approximation. With
``s`` densities of the approximation, a proposal has the weight

    p(y, x, theta) / q(x, theta)  =  [s(z | theta) p(theta) / q(theta)]  prod_i p(y_i | eta_i) / s(z_i | eta_i),

by which Metropolis steps accept it. Effects of the factor with most levels are independent of each other given the
rest, so each level draws several proposals and its factor of the weight becomes the mean of theirs, of which one is
then picked; so do levels of factors that it is nested in, each of their proposals with proposals below it. That is a
particle independence Metropolis-Hastings step (Andrieu, Doucet, Holenstein 2010, J. R. Stat. Soc. B 72), exact for any
number of proposals. Weights that are nearly equal are the certificate: Pareto k and acceptance.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from bayesmix.arrays import Array
from bayesmix.data.design.design import Design
from bayesmix.inference.estimation.point_estimate import PointEstimate
from bayesmix.inference.least_squares.incidence import effects_on_rows
from bayesmix.inference.parameters.covariance import structure_of
from bayesmix.inference.parameters.names import Parameters
from bayesmix.inference.parameters.priors_in_force import Priors, log_sd
from bayesmix.inference.sampling.diagnostics import PROPOSAL_K_LIMIT, pareto_shape
from bayesmix.inference.sampling.draws import FEWEST, Draws, Schedule, interruption
from bayesmix.inference.sampling.marginal.defence import defended_noise
from bayesmix.inference.sampling.marginal.gaussian_approximation import (
    GaussianApproximation,
    draw_all,
    fit_approximation,
)
from bayesmix.inference.sampling.marginal.independence_metropolis import find_modes, integral, metropolis, pilot_size
from bayesmix.inference.sampling.marginal.level_proposals import LevelProposals
from bayesmix.inference.sampling.marginal.marginal_posterior import MarginalPosterior, scatter
from bayesmix.inference.sampling.marginal.sampler import Marginal, in_units, with_emulator
from bayesmix.inference.sampling.marginal.t_mixture import Mixture, adapt, fitted, normalised, tempered
from bayesmix.language.formula.model_spec import ModelSpec
from bayesmix.parallel.threads import draw_in_threads

FREEDOM = 5.0  # degrees of freedom of the proposal of the log dispersion
# proposals of a level, the fewest first; where levels are nested in others, of the inner and of the outer ones
LADDER: tuple[tuple[int, ...], ...] = ((4,), (8,), (16,))
NESTED_LADDER: tuple[tuple[int, ...], ...] = ((4,), (4, 4), (4, 8), (8, 8))
JOINT_LADDER, NESTED_JOINT_LADDER = ((8,), (16,), (32,)), ((4, 4), (8, 8))  # where all parameters are explored jointly
JOINT_GOOD = 0.6  # efficiency at which no more proposals are tried
JOINT_DENSITIES = 10_000  # most densities of rows a proposal for that, half of them
REFITS, POOR = 2, 0.4  # further fits of proposals of lower efficiency than this, or of heavy tails
PILOT = 500  # proposals that measure the efficiency
GOOD, ENOUGH = 0.45, 1.5  # efficiency that will do, and effective proposals wanted for each draw
FRACTION = 0.25  # of a proposal more a draw that is not worth a whole one
DENSITIES = 200_000  # most densities of rows a proposal that are tried for the sake of efficiency
THIN, CHEAP_THIN = 3, 5  # most proposals a draw, and how many where they are cheap
CHEAP = 3_000  # densities of rows, and numbers of one factorisation, a proposal up to which that many are made
DEAR = 20_000  # numbers of one factorisation from which on polynomials fit the mixture
NUMBERS = 1_000_000  # held at once by one batch
MAX_DIMENSION = 15  # of covariance parameters, for a global proposal
MOST = 300_000_000  # random effects of all proposals, held together


@dataclass(frozen=True, slots=True, eq=False)
class Proposed:
    """Proposals and their log weights against the mixture's density of theta."""

    shift: Array  # (N, p) fixed effects as deviations of computational coordinates
    b: list[Array]  # per factor (N, J, k), computational coordinates
    log_dispersion: Array  # (N,)
    log_density: Array  # (N,) unbiased estimates of p(y, theta), logarithms


def sample_generalized(
    design: Design,
    spec: ModelSpec,
    priors: Priors,
    point: PointEstimate,
    options: Marginal,
    schedule: Schedule,
) -> Draws:
    """Draw from the posterior; the draws are exact, the certificate says how well the proposals fitted."""
    draws, chains = schedule.draws, schedule.chains
    rng = np.random.default_rng(schedule.seed)
    run = _Run(draws, chains, options.thin, rng, schedule.progress)
    found = _weighted(_fit_first(fit_approximation(design, spec, priors, point, rng), point, rng), run)
    for _ in range(REFITS):
        if found.is_good or found.is_interrupted or not _affords_joint(found.proposal):
            break  # the certificate says so where no fit will do
        found = _weighted(_fit_jointly(found, rng), run)
    complete = (found.length - 1) // found.thin
    if complete < min(FEWEST, draws):
        raise KeyboardInterrupt
    notes = () if complete == draws else (interruption(complete, draws, chains),)
    log_weights = found.log_weights[: chains * found.length]
    picked, accepted = metropolis(log_weights.reshape(chains, found.length), found.thin, rng)
    kept = picked + np.arange(chains)[:, None] * found.length
    evidence, error = integral(log_weights)
    approximation = found.proposal.approximation
    certificate = {
        "pareto_k": found.pareto_k,
        "acceptance": float(accepted.mean()),
        "proposals_a_level": float(np.prod(found.proposal.tries)),
        "remainder_sd": approximation.spread,
    }
    if not priors.has_flat:
        certificate |= {"log_evidence": evidence, "log_evidence_error": error}
    stats = {"lp": found.proposed.log_density[kept], "accepted": accepted}
    return Draws(in_user_units(approximation, found.theta, found.proposed, kept), stats, "marginal", notes, certificate)


@dataclass(frozen=True, slots=True, eq=False)
class _Run:
    draws: int
    chains: int
    thin: int | None
    rng: np.random.Generator
    progress: bool


@dataclass(frozen=True, slots=True, eq=False)
class _Proposal:
    """How proposals are made, and how good they were when they were fitted."""

    approximation: GaussianApproximation
    mixture: Mixture
    tries: tuple[int, ...]
    efficiency: float


@dataclass(frozen=True, slots=True, eq=False)
class _Weighted:
    """Proposals of a whole run and their weights."""

    proposal: _Proposal
    theta: Array  # (N, m)
    proposed: Proposed
    log_weights: Array  # (N,)
    pareto_k: float
    thin: int
    length: int  # of a chain of proposals
    is_interrupted: bool

    @property
    def is_good(self) -> bool:
        """Whether neither the tail of the weights nor their spread asks for better proposals."""
        return self.pareto_k <= PROPOSAL_K_LIMIT and _efficiency(self.log_weights) >= POOR


def _weighted(proposal: _Proposal, run: _Run) -> _Weighted:
    thin = run.thin or _thin(proposal.approximation, proposal.tries, proposal.efficiency, run.draws * run.chains)
    wanted = run.chains * (run.draws * thin + 1)
    theta = proposal.mixture.draw(wanted, run.rng)
    proposed = propose(
        proposal.approximation, theta, proposal.tries, run.rng, progress=run.progress, interruptible=True
    )
    theta = theta[: len(proposed.shift)]  # all, unless interrupted
    log_weights = proposed.log_density - proposal.mixture.log_density(theta)
    k = pareto_shape(log_weights)
    length = len(theta) // run.chains
    return _Weighted(proposal, theta, proposed, log_weights, k, thin, length, len(theta) < wanted)


def in_user_units(approximation: GaussianApproximation, theta: Array, proposed: Proposed, kept: Array) -> Parameters:
    """The proposals at ``kept (...,)``."""
    dispersion = None if approximation.dispersion is None else np.exp(proposed.log_dispersion[kept])
    effects = approximation.target.problem.coordinates.of_terms([part[kept] for part in proposed.b])
    return in_units(
        approximation.target, theta[kept][..., : approximation.target.size], proposed.shift[kept], effects, dispersion
    )


def _thin(approximation: GaussianApproximation, tries: tuple[int, ...], efficiency: float, draws: int) -> int:
    """Proposals for each draw kept: the more, the fewer of them are effective; more still where they are cheap."""
    work = approximation.size * int(np.prod(tries)) + approximation.target.numbers
    needed = ENOUGH / max(efficiency, 1e-6)
    wanted = CHEAP_THIN if work <= CHEAP else min(THIN, int(np.ceil(needed - FRACTION)))
    effects = sum(levels * k for levels, k in approximation.target.problem.coordinates.pattern.shapes)
    return max(1, min(wanted, MOST // max(effects * draws, 1)))


def too_large(design: Design, draws: int) -> str | None:
    """Why the sampler is not to be tried; None if it is."""
    effects = sum(len(term.levels) * len(term.effects) for term in design.terms)
    dimension = sum(structure_of(term).size for term in design.terms)
    if dimension > MAX_DIMENSION:
        return f"{dimension} standard deviations and correlations are more than one proposal can fit"
    if effects * draws <= MOST:
        return None
    return f"{draws} draws of {effects} random effects would have to be held together"


def _fit_first(approximation: GaussianApproximation, point: PointEstimate, rng: np.random.Generator) -> _Proposal:
    """Fit the proposal of theta, to the approximation's posterior first, then to the model's own as it is estimated."""
    target = approximation.target
    quick, _, _ = with_emulator(target, point, rng, DEAR)
    at = target.start(point)
    # polynomials hold around the estimate only
    modes = find_modes(quick, at, None if quick.emulator is not None else scatter(target, at, rng))
    size = pilot_size(len(at))
    mixture = adapt(quick, modes.mixture(), size, rng).mixture
    best, tries = 0.0, LADDER[0]
    for more in _ladder(approximation):
        theta = mixture.draw(PILOT, rng)
        found = _efficiency(propose(approximation, theta, more, rng).log_density - mixture.log_density(theta))
        if found > best:
            best, tries = found, more
        if best > GOOD:
            return _Proposal(approximation, mixture, tries, best)
    adapted = adapt(lambda at: propose(approximation, at, tries, rng).log_density, mixture, size, rng)
    if best > adapted.efficiency:
        return _Proposal(approximation, mixture, tries, best)
    return _Proposal(approximation, adapted.mixture, tries, adapted.efficiency)


def _affords_joint(proposal: _Proposal) -> bool:
    """Whether all but the random effects can be explored together, with many proposals a level."""
    approximation = proposal.approximation
    dimension = (
        approximation.target.covariances + approximation.target.problem.p + int(approximation.dispersion is not None)
    )
    return (
        dimension <= MAX_DIMENSION
        and approximation.size * int(np.prod(_joint_ladder(approximation)[-1])) <= JOINT_DENSITIES
    )


def _joint_ladder(approximation: GaussianApproximation) -> Sequence[tuple[int, ...]]:
    stages = len(approximation.target.problem.coordinates.plan.stages)
    return JOINT_LADDER if stages < 2 else NESTED_JOINT_LADDER


def _fit_jointly(found: _Weighted, rng: np.random.Generator) -> _Proposal:
    """Fit a mixture to all parameters together, from weighted proposals of which some weigh too much.

    A normal approximation of the fixed effects given theta has tails that are too light where data are few; and where
    an outcome is all but certain, effects are as large as their standard deviation lets them be.
    """
    old = found.proposal.approximation
    x = found.theta
    if not old.is_joint:
        x = old.coordinates(found.theta, found.proposed.shift, found.proposed.log_dispersion)
    approximation = old if old.is_joint else old.jointly()
    weights = tempered(found.log_weights, x.shape[1])
    approximation = approximation.at(x[int(np.argmax(weights))], approximation.dispersion)
    mixture = found.proposal.mixture.widened() if old.is_joint else fitted(x, weights, rng)
    ladder = _joint_ladder(approximation)
    for tries in ladder[-1:] if old.is_joint else ladder:

        def density(at: Array, tries: tuple[int, ...] = tries) -> Array:
            return propose(approximation, at, tries, rng).log_density

        adapted = adapt(density, mixture, pilot_size(x.shape[1]), rng, is_fitted=True)
        mixture = adapted.mixture
        if adapted.efficiency > JOINT_GOOD:
            break
    return _Proposal(approximation, mixture, tries, adapted.efficiency)


def _ladder(approximation: GaussianApproximation) -> Sequence[tuple[int, ...]]:
    """Numbers of proposals to try in turn: more from the start where they cost nothing, no more than is affordable."""
    n, stages = approximation.size, len(approximation.target.problem.coordinates.plan.stages)
    if not stages:  # no level has proposals
        return LADDER[:1]
    ladder = NESTED_LADDER if stages > 1 else LADDER
    fitting = [tries for tries in ladder if n * np.prod(tries) <= DENSITIES]
    return fitting[1:] if len(fitting) > 1 and n * np.prod(fitting[1]) <= CHEAP else fitting or ladder[:1]


def _efficiency(log_weights: Array) -> float:
    """Effective share of importance draws."""
    return 1.0 / float(np.sum(normalised(log_weights) ** 2)) / len(log_weights)


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

    batches = list(_batches(approximation, len(theta)))
    return _together(
        draw_in_threads(batch, batches, rng, label="Drawing", progress=progress, interruptible=interruptible)
    )


def _together(parts: list[Proposed]) -> Proposed:
    return Proposed(
        np.concatenate([part.shift for part in parts]),
        [np.concatenate(b) for b in zip(*(part.b for part in parts), strict=True)],
        np.concatenate([part.log_dispersion for part in parts]),
        np.concatenate([part.log_density for part in parts]),
    )


def _batches(approximation: GaussianApproximation, n: int) -> Iterator[slice]:
    most = max(1, NUMBERS // (4 * approximation.size))
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
        if not (is_own := approximation.target.is_own(usable[:, : approximation.target.size])).all():
            return _split(approximation, theta, is_own, tries, rng)
        try:
            return _propose_inside(approximation, usable, prior, tries, rng)
        except np.linalg.LinAlgError:
            return _halved(approximation, theta, tries, rng)


def _split(
    approximation: GaussianApproximation, theta: Array, is_own: Array, tries: tuple[int, ...], rng: np.random.Generator
) -> Proposed:
    """Proposals of a batch, in order, of which some are by positive weights."""
    parts = [(approximation.positive, np.flatnonzero(~is_own)), (approximation, np.flatnonzero(is_own))]
    found = _together([_propose(one, theta[at], tries, rng) for one, at in parts if one is not None and len(at)])
    order = np.argsort(np.concatenate([at for _, at in parts]))
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
    return _together([_propose(approximation, part, tries, rng) for part in (theta[:half], theta[half:])])


def _propose_inside(
    approximation: GaussianApproximation, x: Array, prior: Array, tries: tuple[int, ...], rng: np.random.Generator
) -> Proposed:
    """Proposals at ``x (B, m)``, where numbers do not fail; ``prior (B,)`` is the log prior density of theta there."""
    target = approximation.target
    theta = x[:, : target.size]
    factorisation = target.factorise(theta)
    noise, excess = defended_noise(len(x), int((~target.explored).sum()), rng)
    value = target.log_likelihood(theta, factorisation) + prior + excess
    shift, combination, later = draw_all(target, theta, factorisation, rng, noise=noise, end_only=True)
    log_dispersion, correction = _dispersion_at(approximation, x, rng)
    working = target.problem.coordinates
    proposals = LevelProposals(approximation, factorisation, combination, log_dispersion, tries, rng)
    nested = len(factorisation.plan.stages)
    rest = (target.problem.beta_ols + shift) @ working.X.T
    for factor, effects in zip(working.factors[nested:], later, strict=True):
        rest += effects_on_rows(factor.z, factor.codes, effects)
    chosen, weights = proposals.pick(nested - 1, later, rest)
    value = value + weights.sum(axis=-1) + correction + approximation.prior_remainder(shift)
    value = value + _by_dispersion(target, theta, log_dispersion)
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


def _by_dispersion(target: MarginalPosterior, theta: Array, log_dispersion: Array) -> Array:
    """Log prior density of standard deviations that is relative to the dispersion, over that with one of one."""
    total: Array = np.zeros(len(theta))
    if target.priors.dispersion is None:
        return total
    for coordinates, x, priors in zip(target.terms, target.parts(theta)[0], target.priors.sd, strict=True):
        sd = coordinates.unpack(x)[0]
        total = total + log_sd(priors, sd, np.exp(log_dispersion)) - log_sd(priors, sd, np.ones(len(theta)))
    return total
