"""Global proposals: mixtures of multivariate t distributions fitted to weighted draws.

Population Monte Carlo (Cappe, Douc, Guillin, Marin, Robert 2008, Stat. Comput. 18): draw from the mixture, weight by
the target, refit by one pass of expectation-maximisation a round.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

Array = np.ndarray

FREEDOM = 5.0  # degrees of freedom: tails that dominate the exponential tails of log standard deviations
COMPONENTS = 6
ROUNDS = 6
DEFENCE, WIDE_FREEDOM = 0.1, 3.0  # weight and degrees of freedom of the wide component
GOOD = 0.85  # share of effective draws at which adaptation stops


@dataclass(frozen=True, slots=True, eq=False)
class Mixture:
    """A mixture of ``K`` multivariate t distributions in ``m`` dimensions."""

    weights: Array  # (K,)
    means: Array  # (K, m)
    roots: Array  # (K, m, m) lower Cholesky factors of the scale matrices
    freedom: Array  # (K,) degrees of freedom

    def draw(self, n: int, rng: np.random.Generator) -> Array:
        """``(n, m)`` draws, as many of each component as its weight says (stratified)."""
        m = self.means.shape[1]
        edges = np.cumsum(self.weights)
        component = np.minimum(np.searchsorted(edges, (np.arange(n) + rng.random()) / n), len(edges) - 1)
        normal = rng.standard_normal((n, m))
        freedom = self.freedom[component]
        tail = np.sqrt(freedom / rng.chisquare(freedom))
        x = self.means[component] + tail[:, None] * np.einsum("nij,nj->ni", self.roots[component], normal)
        return x[rng.permutation(n)]

    def log_components(self, x: Array) -> Array:
        """Log of weight times density of each component at ``x (n, m)``: ``(n, K)``."""
        m = x.shape[1]
        columns = []
        for weight, mean, root, nu in zip(self.weights, self.means, self.roots, self.freedom, strict=True):
            constant = math.lgamma(0.5 * (nu + m)) - math.lgamma(0.5 * nu) - 0.5 * m * math.log(nu * math.pi)
            scaled = np.linalg.solve(root, (x - mean).T)
            log_det = np.log(np.diagonal(root)).sum()
            density = constant - log_det - 0.5 * (nu + m) * np.log1p(np.sum(scaled**2, axis=0) / nu)
            columns.append(math.log(max(weight, 1e-300)) + density)
        return np.stack(columns, axis=1)

    def log_density(self, x: Array) -> Array:
        """Log density at ``x (n, m)``: ``(n,)``."""
        return _log_sum(self.log_components(x))


def _log_sum(logs: Array) -> Array:
    top = logs.max(axis=1, keepdims=True)
    return (top + np.log(np.exp(logs - top).sum(axis=1, keepdims=True)))[:, 0]


@dataclass(frozen=True, slots=True, eq=False)
class Adapted:
    """A fitted proposal and how well it fits."""

    mixture: Mixture
    efficiency: float  # effective share of importance draws in the last round
    evaluations: int


def start(mode: Array, covariance: Array) -> Mixture:
    """Two components at the mode: one of the curvature's size, a wide one for what the curvature does not see."""
    root = np.linalg.cholesky(covariance)
    return Mixture(
        np.array([0.7, 0.3]), np.stack([mode, mode]), np.stack([1.1 * root, 2.2 * root]), np.full(2, FREEDOM)
    )


def adapt(log_target: Callable[[Array], Array], mixture: Mixture, draws: int, rng: np.random.Generator) -> Adapted:
    """Fit the mixture to ``log_target``, a function of ``(n, m)`` points, by weighted draws."""
    best = Adapted(mixture, 0.0, 0)
    evaluations = 0
    for round_ in range(ROUNDS):
        x = mixture.draw(draws, rng)
        weights = normalised(log_target(x) - mixture.log_density(x))
        evaluations += draws
        efficiency = 1.0 / float(np.sum(weights**2)) / draws
        if efficiency > best.efficiency:
            best = Adapted(mixture, efficiency, evaluations)
        if efficiency > GOOD and round_ > 0:
            break
        fitted = _refit(_spread(x, weights, rng) if round_ == 0 else mixture, x, weights)
        mixture = _defended(fitted, x, weights)
    return Adapted(best.mixture, best.efficiency, evaluations)


def _defended(mixture: Mixture, x: Array, weights: Array) -> Mixture:
    """Add a wide component with heavy tails: posteriors of log standard deviations fall off slowly towards zero."""
    mean = weights @ x
    covariance = _regular((weights[:, None] * (x - mean)).T @ (x - mean))
    return Mixture(
        np.append((1.0 - DEFENCE) * mixture.weights, DEFENCE),
        np.vstack([mixture.means, mean]),
        np.concatenate([mixture.roots, 2.0 * np.linalg.cholesky(covariance)[None]]),
        np.append(mixture.freedom, WIDE_FREEDOM),
    )


def normalised(log_weights: Array) -> Array:
    """Weights that sum to one; points without density get none."""
    finite = np.where(np.isfinite(log_weights), log_weights, -np.inf)
    weights = np.exp(finite - finite.max())
    return np.asarray(weights / weights.sum())


def _spread(x: Array, weights: Array, rng: np.random.Generator) -> Mixture:
    """Components at weighted draws, each with the overall covariance, shrunk."""
    mean = weights @ x
    covariance = _regular((weights[:, None] * (x - mean)).T @ (x - mean))
    centres = x[rng.choice(len(x), COMPONENTS, p=weights)]
    roots = np.repeat(np.linalg.cholesky(0.6 * covariance)[None], COMPONENTS, axis=0)
    return Mixture(np.full(COMPONENTS, 1.0 / COMPONENTS), centres, roots, np.full(COMPONENTS, FREEDOM))


def _refit(mixture: Mixture, x: Array, weights: Array, passes: int = 3) -> Mixture:
    """Expectation-maximisation for t mixtures on weighted draws; components that die are dropped."""
    m = x.shape[1]
    for _ in range(passes):
        logs = mixture.log_components(x)
        share = np.exp(logs - _log_sum(logs)[:, None]) * weights[:, None]  # (n, K)
        mass = share.sum(axis=0)
        keep = mass > 0.01
        means, roots = [], []
        for k in np.flatnonzero(keep):
            scaled = np.linalg.solve(mixture.roots[k], (x - mixture.means[k]).T)
            heavy = (mixture.freedom[k] + m) / (mixture.freedom[k] + np.sum(scaled**2, axis=0))
            pull = share[:, k] * heavy
            mean = pull @ x / pull.sum()
            centred = x - mean
            means.append(mean)
            roots.append(np.linalg.cholesky(_regular((pull[:, None] * centred).T @ centred / mass[k])))
        mixture = Mixture(mass[keep] / mass[keep].sum(), np.stack(means), np.stack(roots), mixture.freedom[keep])
    return mixture


def _regular(covariance: Array) -> Array:
    return covariance + 1e-8 * np.trace(covariance) / max(len(covariance), 1) * np.eye(len(covariance))
