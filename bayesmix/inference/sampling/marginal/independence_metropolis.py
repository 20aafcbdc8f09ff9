"""Independence Metropolis chains driven by a global proposal, for densities of a few dimensions."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from bayesmix.arrays import Array
from bayesmix.inference.sampling.diagnostics import PROPOSAL_K_LIMIT, pareto_shape
from bayesmix.inference.sampling.marginal.t_mixture import Adapted, Mixture, adapt, adapt_one, joined, start

LogDensity = Callable[[Array], Array]  # (n, m) points -> (n,) values

STEP = 1e-3  # of the differences that find the mode: coordinates are logarithms, of order one
MAX_NEWTON = 50
SHARES = 0.5 ** np.arange(1, 8)  # of a Newton step, where the whole is too long
CLOSE = 1e-9  # rise that the next Newton step promises at which the search stops
PILOT = 400  # draws a dimension in each round of adaptation ...
PILOT_LIMITS = (1000, 4000)  # ... within these limits
REFITS, LARGER = (
    2,
    3,
)  # further fits of a proposal whose tails are too light, and how many times as many draws they take
STARTS = 6  # most further starts of the search of modes
FAR = 5.0  # posterior standard deviations from the first mode at which they begin, at least ...
APART = 1.0  # ... and how far they are from each other along some coordinate, of order one
CLEAR = 3.0  # posterior standard deviations between two modes that are not one
NEGLIGIBLE = 14.0  # log mass below that of the largest mode at which another one is left out
LEAST_MASS = 0.1  # of a mode in the first proposal
TELLING = 400  # proposals whose weights tell the shape of their tail
PROPOSALS = 2.0  # effective ones for each draw of a density near a normal one ...
LEAST_EFFICIENCY = 0.1  # ... of which a proposal has to be so good to be taken


@dataclass(frozen=True, slots=True, eq=False)
class Chains:
    """Draws of an independence sampler."""

    theta: Array  # (chain, draw, m)
    log_density: Array  # (chain, draw)
    accepted: Array  # (chain, draw) whether the proposal was accepted
    pareto_k: float  # shape of the tail of the importance weights, the certificate of the proposal
    efficiency: float  # effective share of importance draws
    evaluations: int  # of the log density, all told
    mode: Array  # (m,)
    log_evidence: float  # log of the integral of the density, by importance sampling
    evidence_error: float  # its standard error
    proposals: Array  # (n, m) all of them
    log_weights: Array  # (n,) and their importance weights


def explore(  # noqa: PLR0913 - lengths of chains, named
    log_density: LogDensity,
    at: Array,
    *,
    draws: int,
    chains: int,
    rng: np.random.Generator,
    thin: int = 1,
    scattered: Array | None = None,
    quick: LogDensity | None = None,
) -> Chains:
    """Find the modes, fit a proposal, run the chains; ``thin`` proposals are made for each draw kept.

    Parameters
    ----------
    at : (m,) where the search of the first mode starts.
    scattered : (n, m) points all over the prior and far around ``at``, from which further modes are searched.
    quick : nearly the log density, to which the proposal is fitted; the density itself where it is not given.
    """
    nearly = log_density if quick is None else quick
    modes = find_modes(nearly, at, scattered)
    fitted = adapt(nearly, modes.mixture(), pilot_size(len(at)), rng)
    best = _weigh(log_density, fitted, chains * (draws * thin + 1), rng)
    evaluations = modes.evaluations + fitted.evaluations + len(best.x)
    for _ in range(REFITS):
        if best.pareto_k <= PROPOSAL_K_LIMIT:
            break  # where no fit will do, the certificate says so
        size = LARGER * pilot_size(len(at))
        fitted = adapt(nearly, fitted.mixture.widened(), size, rng, is_fitted=True)
        best, first = _weigh(log_density, fitted, len(best.x), rng), _weigh(log_density, fitted, len(best.x), rng)
        best = replace(best, pareto_k=max(best.pareto_k, first.pareto_k))  # or the luckiest fit would be taken
        evaluations += fitted.evaluations + 2 * len(best.x)
    return _chained(best, modes.points[0], evaluations, chains, thin, rng)


def explore_near(  # noqa: PLR0913 - lengths of chains, named
    log_density: LogDensity,
    mode: Array,
    covariance: Array,
    *,
    draws: int,
    chains: int,
    rng: np.random.Generator,
    thin: int | None = None,
) -> Chains | None:
    """Chains of a density near a normal one, of more dimensions than a mixture is fitted in; None where none fits.

    Parameters
    ----------
    mode, covariance : (m,), (m, m) where the density is highest, and its inverse curvature there.
    thin : proposals for each draw kept; by the efficiency of the proposal where it is not given.
    """
    fitted = adapt_one(log_density, mode, covariance, rng)
    if fitted.efficiency < LEAST_EFFICIENCY:
        return None
    thin = thin or max(math.ceil(PROPOSALS / fitted.efficiency), least_thin(draws * chains))
    best = _weigh(log_density, fitted, chains * (draws * thin + 1), rng)
    if best.pareto_k > PROPOSAL_K_LIMIT:
        return None
    return _chained(best, mode, fitted.evaluations + len(best.x), chains, thin, rng)


@dataclass(frozen=True, slots=True, eq=False)
class _Weighted:
    """Draws of a proposal and their importance weights."""

    x: Array  # (n, m)
    log_density: Array  # (n,)
    log_weights: Array  # (n,)
    pareto_k: float
    efficiency: float


def _chained(
    best: _Weighted, mode: Array, evaluations: int, chains: int, thin: int, rng: np.random.Generator
) -> Chains:
    """Metropolis chains of weighted proposals."""
    evidence, error = integral(best.log_weights)
    picked, accepted = metropolis(best.log_weights.reshape(chains, -1), thin, rng)
    rows = np.arange(chains)[:, None]
    return Chains(
        best.x.reshape(chains, -1, len(mode))[rows, picked],
        best.log_density.reshape(chains, -1)[rows, picked],
        accepted,
        best.pareto_k,
        best.efficiency,
        evaluations,
        mode,
        evidence,
        error,
        best.x,
        best.log_weights,
    )


def _weigh(log_density: LogDensity, fitted: Adapted, n: int, rng: np.random.Generator) -> _Weighted:
    x = fitted.mixture.draw(n, rng)
    values = log_density(x)
    log_weights = values - fitted.mixture.log_density(x)
    return _Weighted(x, values, log_weights, pareto_shape(log_weights), fitted.efficiency)


def least_thin(draws: int) -> int:
    """Proposals for each of a few draws, all told, from which on those make a certificate."""
    return max(1, -(-TELLING // draws))


def pilot_size(dimension: int) -> int:
    """Number of draws in each round of adaptation."""
    return int(np.clip(PILOT * dimension, *PILOT_LIMITS))


def integral(log_weights: Array) -> tuple[float, float]:
    """Log of the mean of importance weights and its standard error (delta method)."""
    top = float(log_weights.max())
    weights = np.exp(log_weights - top)
    mean = float(weights.mean())
    return top + float(np.log(mean)), float(weights.std() / mean / np.sqrt(len(weights)))


def metropolis(log_weights: Array, thin: int, rng: np.random.Generator) -> tuple[Array, Array]:
    """Accept or reject independent proposals, the first of each chain being its start.

    Parameters
    ----------
    log_weights : (chain, 1 + draws * thin) log of target over proposal.

    Returns
    -------
    picked, accepted : (chain, draws) position of the proposal each draw stands at; whether the last one was accepted.
    """
    chains, proposals = log_weights.shape
    draws = (proposals - 1) // thin
    uniform = np.log(rng.random(log_weights.shape))
    # a chain may not start where the target has no mass: there it would never be left
    begin = np.argmax(np.isfinite(log_weights), axis=1)
    steps = np.arange(thin, draws * thin + 1, thin)
    states = [_states(w.tolist(), u.tolist(), int(i)) for w, u, i in zip(log_weights, uniform, begin, strict=True)]
    picked = np.array(states, np.intp).reshape(chains, -1)[:, steps]
    return picked, picked == steps


def _states(log_weights: list[float], log_uniform: list[float], state: int) -> list[int]:
    """Where a chain stands at each proposal; on plain numbers, a tenth of the time of arrays of a few chains."""
    states = [state]
    for step in range(1, len(log_weights)):
        if log_uniform[step] < log_weights[step] - log_weights[state]:
            state = step
        states.append(state)
    return states


# ---- modes ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False)
class Modes:
    """Modes of a density, the one found from the first start first."""

    points: Array  # (M, m)
    covariances: Array  # (M, m, m) inverse curvatures
    log_mass: Array  # (M,) log integral of the Gaussian approximation of each
    evaluations: int

    def mixture(self) -> Mixture:
        """A proposal: every mode by its mass, none with next to nothing, since that is an approximation."""
        mass = np.exp(self.log_mass - self.log_mass.max())
        mass = np.maximum(mass / mass.sum(), LEAST_MASS if len(mass) > 1 else 0.0)
        parts = [start(point, covariance) for point, covariance in zip(self.points, self.covariances, strict=True)]
        return joined(parts, mass / mass.sum())


def find_mode(log_density: LogDensity, at: Array) -> tuple[Array, Array, int]:
    """Mode and inverse curvature by damped Newton steps on differenced values, each step one batch of points.

    Returns
    -------
    mode (m,), covariance (m, m), number of evaluations
    """
    found, _, covariances, evaluations = _climb(log_density, at[None])
    return found[0], covariances[0], evaluations


def find_modes(log_density: LogDensity, at: Array, scattered: Array | None = None) -> Modes:
    """The mode found from ``at (m,)``, and those found from the highest of ``scattered (n, m)`` points outside it."""
    points, values, covariances, evaluations = _climb(log_density, at[None])
    if scattered is not None and len(scattered):
        heights = log_density(scattered)
        starts = _highest(scattered, heights, points[0], covariances[0])
        others = _climb(log_density, starts, (points[0], covariances[0]))
        points = np.concatenate([points, others[0]])
        values = np.concatenate([values, others[1]])
        covariances = np.concatenate([covariances, others[2]])
        evaluations += len(scattered) + others[3]
    log_mass = values + 0.5 * np.linalg.slogdet(2.0 * np.pi * covariances)[1]
    kept = _distinct(points, covariances, log_mass)
    return Modes(points[kept], covariances[kept], log_mass[kept], evaluations)


def _highest(scattered: Array, heights: Array, mode: Array, covariance: Array) -> Array:
    """Up to `STARTS` points of high density, apart from each other and from the mode: ``(S, m)``."""
    chosen: list[Array] = []
    outside = np.isfinite(heights) & (_distance(scattered, mode, covariance) > FAR**2)
    for i in np.argsort(-np.where(outside, heights, -np.inf))[: int(outside.sum())]:
        if len(chosen) == STARTS:
            break
        if all(np.abs(scattered[i] - other).max() > APART for other in chosen):
            chosen.append(scattered[i])
    return np.array(chosen).reshape(len(chosen), len(mode))


def _distance(x: Array, mode: Array, covariance: Array) -> Array:
    """Squared distance of points ``(n, m)`` in units of the covariance."""
    half = np.linalg.solve(np.linalg.cholesky(covariance), (x - mode).T)
    return np.asarray(np.sum(half**2, axis=0))


def _distinct(points: Array, covariances: Array, log_mass: Array) -> list[int]:
    """The first mode, and all others that are not the same as one before and have mass worth a component."""
    kept = [0]
    for i in 1 + np.argsort(-log_mass[1:]):
        near = [float(_distance(points[i : i + 1], points[j], covariances[j])[0]) for j in kept]
        if np.isfinite(log_mass[i]) and log_mass[i] > log_mass.max() - NEGLIGIBLE and min(near) > CLEAR**2:
            kept.append(int(i))
    return kept


def _climb(
    log_density: LogDensity, at: Array, known: tuple[Array, Array] | None = None
) -> tuple[Array, Array, Array, int]:
    """Climb from several starts ``(S, m)`` at once; one that comes into the reach of a known mode is left there.

    Returns
    -------
    points (S, m), values (S,), covariances (S, m, m), number of evaluations
        A climb that ends at the limit of steps serves as well as another: what it gives is where proposals start.
    """
    S, m = at.shape
    x, values, covariances = at.copy(), np.full(S, -np.inf), np.tile(np.eye(m), (S, 1, 1))
    heights, is_fresh = np.empty((S, _stencil(at[:1]).shape[1])), np.zeros(S, bool)  # at the stencil around x
    active, evaluations = np.arange(S), 0
    for _ in range(MAX_NEWTON):
        if known is not None and len(active):
            active = active[_distance(x[active], *known) > CLEAR**2]
        if not len(active):
            break
        stale = active[~is_fresh[active]]
        if len(stale):
            heights[stale] = _evaluate(log_density, _stencil(x[stale]))
            evaluations += heights[stale].size
        active = active[np.isfinite(heights[active]).all(axis=1)]
        values[active], gradient, hessian = _derivatives(heights[active], m)
        step, covariances[active] = _newton(gradient, hessian)
        rising = np.sum(gradient * step, axis=1) >= CLOSE
        active, step = active[rising], step[rising]
        # the whole step is nearly always the one taken: its stencil comes in the batch that tries it
        ahead, shorter = _stencil(x[active] + step), x[active, None] + SHARES[:, None] * step[:, None]
        tried = _evaluate(log_density, np.concatenate([ahead, shorter], axis=1))
        evaluations += tried.size
        heights[active], trials = tried[:, : heights.shape[1]], np.concatenate([ahead[:, :1], shorter], axis=1)
        found = np.concatenate([tried[:, :1], tried[:, heights.shape[1] :]], axis=1)
        best = np.argmax(np.where(np.isfinite(found), found, -np.inf), axis=1)
        is_fresh[active] = best == 0
        better = np.take_along_axis(found, best[:, None], axis=1)[:, 0] > values[active]
        x[active[better]] = trials[better, best[better]]
        active = active[better]
    return x, values, covariances, evaluations


def _evaluate(log_density: LogDensity, points: Array) -> Array:
    """Log densities ``(S, P)`` of points ``(S, P, m)``, in one batch; of none without a call."""
    S, P, m = points.shape
    return log_density(points.reshape(S * P, m)).reshape(S, P) if S else np.zeros((S, P))


def _stencil(x: Array) -> Array:
    """The points ``(S, m)``, their neighbours along each axis, and those along each pair of axes: ``(S, P, m)``."""
    m = x.shape[1]
    unit = STEP * np.eye(m)
    pairs = [unit[i] + unit[j] for i in range(m) for j in range(i)]
    return x[:, None] + np.vstack([np.zeros((1, m)), unit, -unit, *([pairs] if pairs else [])])


def _derivatives(values: Array, m: int) -> tuple[Array, Array, Array]:
    """Values ``(S,)``, gradients ``(S, m)`` and Hessians ``(S, m, m)`` from those ``(S, P)`` at the stencil."""
    centre, up, down = values[:, 0], values[:, 1 : m + 1], values[:, m + 1 : 2 * m + 1]
    gradient = (up - down) / (2.0 * STEP)
    hessian = np.zeros((len(values), m, m))
    hessian[:, np.arange(m), np.arange(m)] = (up - 2.0 * centre[:, None] + down) / STEP**2
    position = 2 * m + 1
    for i in range(m):
        for j in range(i):
            # f(+i +j) - f(+i) - f(+j) + f, corrected to second order by the diagonal terms being symmetric
            cross = (values[:, position] - up[:, i] - up[:, j] + centre) / STEP**2
            hessian[:, i, j] = hessian[:, j, i] = cross
            position += 1
    return centre, gradient, hessian


def _newton(gradient: Array, hessian: Array) -> tuple[Array, Array]:
    """Ascent steps and covariances; directions of wrong or hardly any curvature are given that of a unit normal."""
    values, vectors = np.linalg.eigh(-hessian)
    curvature = np.where(values > 0.05, values, np.maximum(np.abs(values), 0.25))
    across = np.swapaxes(vectors, 1, 2)
    step = (vectors @ ((across @ gradient[..., None]) / curvature[..., None]))[..., 0]
    size = np.abs(step).max(axis=1, keepdims=True, initial=0.0)
    return step * np.minimum(1.0, 3.0 / np.maximum(size, 1e-300)), (vectors / curvature[:, None]) @ across
