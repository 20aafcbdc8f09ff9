"""The marginal sampler of linear models: proposals, Metropolis step, exact draws of effects."""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from bayesmix.arrays import Array
from bayesmix.errors import SpecError
from bayesmix.inference.estimation.point_estimate import PointEstimate
from bayesmix.inference.least_squares.solve import draw
from bayesmix.inference.parameters.names import Parameters
from bayesmix.inference.sampling.draws import Deferred, Draws, Schedule
from bayesmix.inference.sampling.marginal.chebyshev import (
    DEGREES,
    FEW,
    ROUGH_DEGREES,
    TOLERANCE,
    fit_emulator,
    fit_polynomials,
)
from bayesmix.inference.sampling.marginal.gradient import value_and_gradient
from bayesmix.inference.sampling.marginal.hamiltonian import climb, whiten
from bayesmix.inference.sampling.marginal.independence_metropolis import Chains, explore, explore_near, least_thin
from bayesmix.inference.sampling.marginal.marginal_posterior import MarginalPosterior, fixed_at, fixed_effects, scatter
from bayesmix.language.arguments import explained
from bayesmix.parallel.progress import working
from bayesmix.parallel.threads import draw_in_threads


def draw_fixed(target: MarginalPosterior, theta: Array, rng: np.random.Generator) -> Array:
    """Draw fixed effects given ``theta (n, m)``, exactly, as deviation of beta~ from least squares: ``(n, p)``."""
    noise = rng.standard_normal((len(theta), int((~target.explored).sum())))
    shift = np.empty((len(theta), target.problem.p))
    for rows in target.reduced_batches(len(theta)):
        part = theta[rows]
        shift[rows] = fixed_at(target, part, fixed_effects(target, part, target.reduce(part)), noise[rows])
    return shift


def draw_effects(
    target: MarginalPosterior, theta: Array, shift: Array, rng: np.random.Generator, *, progress: bool = False
) -> list[Array]:
    """Draw random effects given ``theta (n, m)`` and the fixed effects of `draw_fixed`: per term ``(n, J, k)``."""
    working = target.problem.coordinates
    shapes = zip(working.places, working.C, strict=True)
    sizes = [(working.factors[place.factor].levels, len(C)) for place, C in shapes]
    effects = [np.empty((len(theta), *size)) for size in sizes]  # filled in place: large models hold them once

    def batch(rows: slice, own: np.random.Generator) -> None:
        combination = np.concatenate([-shift[rows], np.ones((len(shift[rows]), 1))], axis=1)
        sigma = np.exp(target.parts(theta[rows])[1])
        found = working.of_terms(draw(target.factorise(theta[rows]), combination, sigma, own))
        for whole, part in zip(effects, found, strict=True):
            whole[rows] = part

    draw_in_threads(batch, list(target.batches(len(theta))), rng, label="Random effects", progress=progress)
    return effects


@explained
@dataclass(frozen=True, slots=True)
class Marginal:
    """Options of the marginal sampler."""

    thin: int | None = None  # proposals for each draw kept; three where they are cheap or draws few, one elsewhere

    def __post_init__(self) -> None:
        if self.thin is not None and self.thin < 1:
            raise SpecError(f"Marginal needs thin >= 1, not {self.thin}.")


CHEAP = 20_000  # numbers of one evaluation up to which three proposals a draw are made


CHECKS = 24  # points at which the polynomials are held against factorisations


VERY_DEAR = 20_000_000  # numbers from which on polynomials of low degree are tried first, held against fewer points
NARROW = 0.01  # posterior sd of logarithms and logits up to which they are, too: at 0.004 they miss by 8e-6
LOW, FEW_CHECKS = 4, 8  # of so many levels posteriors are narrow, and what is fitted is smooth


DEAR = 300_000  # numbers from which on polynomials stand in for factorisations ...
PRODUCTS = 160  # ... products of columns that take as long as one of them
WIDE = 32  # columns from which on they stand in for the log likelihood, too: a Cholesky decomposition at every point


SEVERAL, ROUGH = 40_000, 1.5  # numbers from which on a proposal is fitted to polynomials, and how far these may be off
COVARIANCES, HIGH = 21, 12  # most of their variables, those of six correlated effects; of theta where draws are thinned


SEVERAL_NUMBERS = 12  # of theta, from which on numbers of a covariance of residuals are proposed around their mode


MAX_DIMENSION = 20  # of theta, for a global proposal: with 16 it still accepts two draws in five


EFFECT_NUMBERS = 60_000_000  # most numbers held as draws of random effects


EFFECT_WORK = 2_000_000_000  # most numbers computed for them


SMALL_EFFECTS = 5_000_000


def sample_marginal(
    target: MarginalPosterior,
    point: PointEstimate,
    options: Marginal,
    schedule: Schedule,
) -> Draws:
    """Draw from the posterior; the draws are exact, the certificate says how well the proposal fitted.

    Where theta has too many dimensions for a global proposal, Hamiltonian chains explore it.
    """
    draws, chains = schedule.draws, schedule.chains
    rng = np.random.default_rng(schedule.seed)
    with working("Fitting polynomials", is_shown=schedule.progress):
        target, notes, certificate = with_emulator(target, point, rng, DEAR)
    run = _Run(draws, chains, schedule.seed, rng, schedule.progress)
    found, stats, own = _explored(target, point, options, run)
    certificate |= own
    theta = found.reshape(chains * draws, -1)
    shift = draw_fixed(target, theta, rng)
    every = _effect_step(target, draws, chains)
    kept = np.arange(chains * draws).reshape(chains, draws)[:, every - 1 :: every]
    sigma = None if target.unit_sigma else np.exp(target.parts(theta)[1])

    def with_effects() -> Parameters:
        exact, own = replace(target, emulator=None), copy.deepcopy(rng)  # the same again after an interruption
        b = draw_effects(exact, theta[kept.ravel()], shift[kept.ravel()], own, progress=schedule.progress)
        effects = [part.reshape(*kept.shape, *part.shape[1:]) for part in b]
        return in_units(target, theta[kept], shift[kept], effects, None if sigma is None else sigma[kept])

    if every == 1:
        return Draws(with_effects(), stats, "marginal", notes, certificate)
    notes += (f"Random effects are drawn at one draw in {every} only, {kept.shape[1]} a chain, to bound memory.",)
    sigmas = None if sigma is None else sigma.reshape(chains, draws)
    parameters = in_units(target, found, shift.reshape(chains, draws, -1), (), sigmas)
    return Draws(parameters, stats, "marginal", notes, certificate, Deferred(with_effects))


@dataclass(frozen=True, slots=True)
class _Run:
    draws: int
    chains: int
    seed: int
    rng: np.random.Generator
    progress: bool


Explored = tuple[Array, dict[str, Array], dict[str, float]]  # theta (chain, draw, m), statistics, certificate


def _explored(target: MarginalPosterior, point: PointEstimate, options: Marginal, run: _Run) -> Explored:
    """Draws of theta by the engine that its dimension and its posterior ask for."""
    if not target.size:
        return _known(target, run)
    near = None if target.rows is None else _near_normal(target, point, options, run)
    quick = None if near is not None else _roughly(target, point, run.rng)
    at = target.start(point)
    if near is None and target.size > MAX_DIMENSION and quick is None:
        return _climbed(target, at, run)
    chain = _proposed(target, at, run, options, quick) if near is None else near
    return _certified(chain, has_evidence=not target.priors.has_flat)


def _known(target: MarginalPosterior, run: _Run) -> Explored:
    """Nothing to explore: the variances are known, and the posterior of the fixed effects is normal."""
    theta = np.zeros((run.chains, run.draws, 0))
    height = float(target(np.zeros((1, 0)))[0])
    stats = {"lp": np.full((run.chains, run.draws), height), "accepted": np.ones((run.chains, run.draws))}
    return theta, stats, {"acceptance": 1.0, "log_evidence": height, "log_evidence_error": 0.0}


def _near_normal(target: MarginalPosterior, point: PointEstimate, options: Marginal, run: _Run) -> Chains | None:
    """Independence chains of a proposal at the mode; None where that does not fit, or numbers are few.

    On logarithms and logits the numbers of a covariance of residuals are nearly normal, and many: 21 of six visits.
    """
    if target.size < SEVERAL_NUMBERS:
        return None
    mode, covariance = _curvature(target, point)
    return explore_near(target, mode, covariance, draws=run.draws, chains=run.chains, rng=run.rng, thin=options.thin)


def _proposed(
    target: MarginalPosterior, at: Array, run: _Run, options: Marginal, quick: MarginalPosterior | None
) -> Chains:
    """Independence chains of a global proposal, which is fitted to a rougher posterior where there is one."""
    is_high = quick is not None and target.size >= HIGH
    cheap = target.emulator is not None or target.numbers <= CHEAP or is_high
    thin = options.thin or max(3 if cheap else 1, least_thin(run.draws * run.chains))
    # polynomials hold around the estimate only
    far = None if target.emulator is not None or quick is not None else scatter(target, at, run.rng)
    return explore(target, at, draws=run.draws, chains=run.chains, rng=run.rng, thin=thin, scattered=far, quick=quick)


def _certified(chain: Chains, *, has_evidence: bool) -> Explored:
    """What independence chains have found, and how well their proposal fitted."""
    certificate = {
        "pareto_k": chain.pareto_k,
        "acceptance": float(chain.accepted.mean()),
        "evaluations": float(chain.evaluations),
    }
    if has_evidence:
        certificate |= {"log_evidence": chain.log_evidence, "log_evidence_error": chain.evidence_error}
    return chain.theta, {"lp": chain.log_density, "accepted": chain.accepted}, certificate


def _climbed(target: MarginalPosterior, at: Array, run: _Run) -> Explored:
    """Hamiltonian chains."""

    def density(theta: Array) -> tuple[float, Array]:
        return value_and_gradient(target, theta)

    chain = climb(density, at, draws=run.draws, chains=run.chains, seed=run.seed, progress=run.progress)
    stats = {"lp": chain.log_density, "diverging": chain.diverging, "n_steps": chain.steps}
    return chain.theta, stats, {"divergences": float(chain.diverging.sum()), "evaluations": float(chain.steps.sum())}


def _effect_step(target: MarginalPosterior, draws: int, chains: int) -> int:
    """Every how many draws random effects are drawn."""
    q = sum(J * k for J, k in target.problem.coordinates.pattern.shapes)
    if q * draws * chains <= SMALL_EFFECTS and target.numbers <= DEAR:
        return 1
    affordable = min(EFFECT_NUMBERS // max(q, 1), EFFECT_WORK // max(target.numbers, 1))
    return int(np.clip(int(np.ceil(draws * chains / max(affordable, 1))), 1, max(draws // 10, 1)))


def with_emulator(
    target: MarginalPosterior, point: PointEstimate, rng: np.random.Generator, dear: int
) -> tuple[MarginalPosterior, tuple[str, ...], dict[str, float]]:
    """Fit polynomials where factorisations are dear; keep the factorisations if those are not close enough."""
    products = sum(J * k for J, k in target.problem.coordinates.pattern.shapes) * (target.problem.p + 1) ** 2
    is_dear = target.numbers + products // PRODUCTS > dear and target.rows is None
    if not is_dear or target.covariances not in DEGREES or target.fallback is not None:
        return target, (), {}
    mode, covariance = _curvature(target, point)
    width = np.sqrt(np.diagonal(covariance)[: target.covariances].max(initial=0.0))
    is_smooth = target.numbers > VERY_DEAR or width <= NARROW
    check = _around(mode, covariance, FEW_CHECKS if is_smooth else CHECKS, rng)
    exact, error = target(check), math.inf
    own = DEGREES[target.covariances]
    for degree in (LOW, own) if is_smooth else (own,):
        emulated = _emulated(target, mode, covariance, degree)
        error = _error(emulated(check), exact)
        if error <= TOLERANCE:
            emulated, error = _with_heights(emulated, mode, covariance, (check, exact), error)
            return emulated, (), {"emulator_error": error}
    return target, (f"Polynomials missed the log density by {error:.2g}; every draw was factorised.",), {}


def _with_heights(
    emulated: MarginalPosterior, mode: Array, covariance: Array, known: tuple[Array, Array], error: float
) -> tuple[MarginalPosterior, float]:
    """The log likelihood by polynomials of theta, too, where fixed effects are many, and its error where it is near."""
    if emulated.problem.p < WIDE or emulated.size not in DEGREES:
        return emulated, error

    def likelihood(theta: Array) -> Array:
        return emulated.log_likelihood(theta, emulated.reduce(theta))[:, None]

    found = replace(emulated, heights=fit_polynomials(likelihood, mode, covariance))
    own = _error(found(known[0]), known[1])
    return (found, own) if own <= TOLERANCE else (emulated, error)


def _roughly(target: MarginalPosterior, point: PointEstimate, rng: np.random.Generator) -> MarginalPosterior | None:
    """The posterior by polynomials near enough to fit a proposal to; None where they would not pay, or are not near.

    Of several correlated effects of many levels: fitting a proposal takes more densities than drawing with it does.
    """
    is_plain = target.emulator is None and target.rows is None and target.fallback is None
    is_of_several = max(DEGREES) < target.covariances <= COVARIANCES
    if not (is_plain and is_of_several and target.numbers > SEVERAL):
        return None
    mode, covariance = _curvature(target, point)
    check = _around(mode, covariance, CHECKS, rng)
    emulated = _emulated(target, mode, covariance, ROUGH_DEGREES[target.covariances > FEW])
    return emulated if _error(emulated(check), target(check)) <= ROUGH else None


def _curvature(target: MarginalPosterior, point: PointEstimate) -> tuple[Array, Array]:
    """Mode ``(m,)`` and inverse curvature there."""
    mode, root = whiten(lambda theta: value_and_gradient(target, theta), target.start(point))
    return mode, root @ root.T


def _around(mode: Array, covariance: Array, checks: int, rng: np.random.Generator) -> Array:
    """Points ``(checks, m)`` somewhat further out than draws."""
    return np.asarray(mode + rng.standard_normal((checks, len(mode))) @ np.linalg.cholesky(covariance).T * 1.5)


def _emulated(target: MarginalPosterior, mode: Array, covariance: Array, degree: int) -> MarginalPosterior:
    """The posterior by polynomials of a degree in place of factorisations."""
    d = target.covariances
    exact = replace(target, emulator=None)
    return replace(target, emulator=fit_emulator(exact.reduce_covariances, mode[:d], covariance[:d, :d], degree))


def _error(found: Array, exact: Array) -> float:
    """Largest error of log densities, up to a constant."""
    if not np.isfinite(found).all():  # out of the polynomials' region
        return math.inf
    difference = found - exact
    return float(np.max(np.abs(difference - np.median(difference))))


def in_units(
    target: MarginalPosterior, theta: Array, shift: Array, b: Sequence[Array], dispersion: Array | None
) -> Parameters:
    """Draws in the user's units: ``theta (..., m)``, fixed effects as deviations ``(..., p)``, ``b`` a term."""
    own, log_sigma, _ = target.parts(theta)
    pairs = [coordinates.unpack(x) for coordinates, x in zip(target.terms, own, strict=True)]
    problem = target.problem
    beta = (problem.beta_ols + shift) @ problem.coordinates.T.T
    return Parameters(
        beta=beta if target.rows is None else target.rows.problem.beta_of(beta, target.phi(theta)),
        sd=tuple(sd * np.exp(log_sigma)[..., None] for sd, _ in pairs),
        corr=tuple(root @ np.swapaxes(root, -1, -2) for _, root in pairs),
        b=tuple(b),
        dispersion=dispersion,
    )
