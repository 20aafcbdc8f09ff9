"""Independence Metropolis chains driven by a global proposal, for densities of a few dimensions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from bayesmix.inference.diagnostics import pareto_shape
from bayesmix.inference.proposal import adapt, start

Array = np.ndarray
LogDensity = Callable[[Array], Array]  # (n, m) points -> (n,) values

STEP = 1e-3  # of the differences that find the mode: coordinates are logarithms, of order one
MAX_NEWTON = 50
CLOSE = 1e-9  # rise that the next Newton step promises at which the search stops
PILOT = 400  # draws a dimension in each round of adaptation ...
PILOT_LIMITS = (1000, 4000)  # ... within these limits


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


def explore(
    log_density: LogDensity, at: Array, *, draws: int, chains: int, rng: np.random.Generator, thin: int = 1
) -> Chains:
    """Find the mode from ``at``, fit a proposal, run the chains; ``thin`` proposals are made for each draw kept."""
    mode, covariance, evaluations = find_mode(log_density, at)
    fitted = adapt(log_density, start(mode, covariance), pilot_size(len(at)), rng)
    proposals = fitted.mixture.draw(chains * (draws * thin + 1), rng)
    values = log_density(proposals)
    log_weights = values - fitted.mixture.log_density(proposals)
    m = len(at)
    evidence, error = integral(log_weights)
    picked, accepted = metropolis(log_weights.reshape(chains, -1), thin, rng)
    rows = np.arange(chains)[:, None]
    return Chains(
        proposals.reshape(chains, -1, m)[rows, picked],
        values.reshape(chains, -1)[rows, picked],
        accepted,
        pareto_shape(log_weights),
        fitted.efficiency,
        evaluations + fitted.evaluations + len(proposals),
        mode,
        evidence,
        error,
    )


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
    state = np.zeros(chains, np.intp)
    # a chain may not start where the target has no mass: there it would never be left
    state[:] = np.argmax(np.isfinite(log_weights), axis=1)
    picked = np.zeros((chains, draws), np.intp)
    accepted = np.zeros((chains, draws), bool)
    rows = np.arange(chains)
    for step in range(1, draws * thin + 1):
        better = uniform[:, step] < log_weights[:, step] - log_weights[rows, state]
        state = np.where(better, step, state)
        if step % thin == 0:
            picked[:, step // thin - 1] = state
            accepted[:, step // thin - 1] = better
    return picked, accepted


def find_mode(log_density: LogDensity, at: Array) -> tuple[Array, Array, int]:
    """Mode and inverse curvature by damped Newton steps on differenced values, each step one batch of points.

    Returns
    -------
    mode (m,), covariance (m, m), number of evaluations
    """
    x, evaluations = at, 0
    value = -np.inf
    for _ in range(MAX_NEWTON):
        points = _stencil(x)
        values = log_density(points)
        evaluations += len(points)
        value, gradient, hessian = _derivatives(values, len(x))
        step, covariance = _newton(gradient, hessian)
        if float(gradient @ step) < CLOSE:
            break
        lengths = 0.5 ** np.arange(8)
        trials = x + lengths[:, None] * step
        found = log_density(trials)
        evaluations += len(trials)
        best = int(np.argmax(np.where(np.isfinite(found), found, -np.inf)))
        if not found[best] > value:
            break
        x = trials[best]
    return x, covariance, evaluations


def _stencil(x: Array) -> Array:
    """The point, its neighbours along each axis, and those along each pair of axes."""
    m = len(x)
    unit = STEP * np.eye(m)
    pairs = [unit[i] + unit[j] for i in range(m) for j in range(i)]
    return x + np.vstack([np.zeros((1, m)), unit, -unit, *([pairs] if pairs else [])])


def _derivatives(values: Array, m: int) -> tuple[float, Array, Array]:
    centre, up, down = values[0], values[1 : m + 1], values[m + 1 : 2 * m + 1]
    gradient = (up - down) / (2.0 * STEP)
    hessian = np.diag((up - 2.0 * centre + down) / STEP**2)
    position = 2 * m + 1
    for i in range(m):
        for j in range(i):
            # f(+i +j) - f(+i) - f(+j) + f, corrected to second order by the diagonal terms being symmetric
            cross = (values[position] - up[i] - up[j] + centre) / STEP**2
            hessian[i, j] = hessian[j, i] = cross
            position += 1
    return float(centre), gradient, hessian


def _newton(gradient: Array, hessian: Array) -> tuple[Array, Array]:
    """Ascent step and covariance; directions of wrong or hardly any curvature are given that of a unit normal."""
    values, vectors = np.linalg.eigh(-hessian)
    curvature = np.where(values > 0.05, values, np.maximum(np.abs(values), 0.25))
    step = vectors @ ((vectors.T @ gradient) / curvature)
    size = float(np.abs(step).max(initial=0.0))
    return step * min(1.0, 3.0 / size) if size > 0 else step, (vectors / curvature) @ vectors.T
