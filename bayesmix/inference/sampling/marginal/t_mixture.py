"""Global proposals: mixtures of multivariate t distributions fitted to weighted draws.

Population Monte Carlo (Cappe, Douc, Guillin, Marin, Robert 2008, Stat. Comput. 18): draw from the mixture, weight by
the target, refit by one pass of expectation-maximisation a round.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from bayesmix.arrays import Array
from bayesmix.errors import FitError

FREEDOM = 5.0  # degrees of freedom: tails that dominate the exponential tails of log standard deviations
COMPONENTS = 6
ROUNDS = 6
DEFENCE, WIDE_FREEDOM = 0.1, 3.0  # weight and degrees of freedom of the wide component
WIDER = 1.3  # scale of components whose tails were too light
KEPT_MODES = 0.05  # weight of the first proposal where it has several modes: none of them is lost
FEWEST = 8.0  # effective draws, over the dimension, that the components of a mode are fitted to
MAX_TEMPERING = 20
ENOUGH = 30.0  # effective draws, over the dimension, that a mixture is fitted to
POINT = 1e-20  # of the squared width of a component before: that of draws which are one
GOOD = 0.85  # share of effective draws at which adaptation stops ...
FAIR, GAIN = 0.8, 1.02  # ... or from which on it stops where a round gains less than this factor
# of a single component: draws of a round a dimension, most rounds, when it stops, and tails that are nearly normal
DRAWS_OF_ONE, ROUNDS_OF_ONE, GOOD_OF_ONE, GAIN_OF_ONE, FREEDOM_OF_ONE, WIDE = 400, 8, 0.3, 1.1, 50.0, 1.5


class ApproximationError(FitError):
    """No Gaussian approximation was found, or none of its proposals has a density."""


NO_PROPOSAL = (
    "No Gaussian approximation of the random effects was found to propose from. Sample with NUTS:"
    ' model.sample(method="nuts").'
)


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
        return self._logs(self.squares(x)).T

    def squares(self, x: Array) -> Array:
        """Squared distances of ``x (n, m)`` from the means, in units of the scales: ``(K, n)``."""
        inverse = np.swapaxes(np.linalg.inv(self.roots), -1, -2)
        scaled = x @ inverse - self.means[:, None] @ inverse
        return np.asarray(np.sum(scaled**2, axis=-1))

    def _logs(self, squares: Array) -> Array:
        m, nu = self.means.shape[1], self.freedom
        constant = np.array([math.lgamma(0.5 * (one + m)) - math.lgamma(0.5 * one) for one in nu])
        constant = constant - 0.5 * m * np.log(nu * math.pi) + np.log(np.maximum(self.weights, 1e-300))
        constant = constant - np.log(np.diagonal(self.roots, axis1=-2, axis2=-1)).sum(axis=-1)
        return np.asarray(constant[:, None] - 0.5 * (nu + m)[:, None] * np.log1p(squares / nu[:, None]))

    def shares(self, x: Array) -> tuple[Array, Array]:
        """Probabilities of the components of draws ``x (n, m)``, and their weights as draws of normals: ``(K, n)``."""
        squares, m = self.squares(x), x.shape[1]
        logs = self._logs(squares)
        share = np.exp(logs - logs.max(axis=0))
        return share / share.sum(axis=0), (self.freedom[:, None] + m) / (self.freedom[:, None] + squares)

    def log_density(self, x: Array) -> Array:
        """Log density at ``x (n, m)``: ``(n,)``."""
        return _log_sum(self.log_components(x))

    def widened(self) -> Mixture:
        """The same with wider components of heavier tails."""
        return Mixture(self.weights, self.means, WIDER * self.roots, np.minimum(self.freedom, WIDE_FREEDOM))


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


def joined(parts: Sequence[Mixture], shares: Array) -> Mixture:
    """A mixture of mixtures."""
    return Mixture(
        np.concatenate([share * part.weights for part, share in zip(parts, shares, strict=True)]),
        np.concatenate([part.means for part in parts]),
        np.concatenate([part.roots for part in parts]),
        np.concatenate([part.freedom for part in parts]),
    )


def adapt(
    log_target: Callable[[Array], Array],
    mixture: Mixture,
    draws: int,
    rng: np.random.Generator,
    *,
    is_fitted: bool = False,
    rounds: int = ROUNDS,
) -> Adapted:
    """Fit the mixture to ``log_target``, a function of ``(n, m)`` points, by weighted draws.

    One that has been fitted before keeps its components; otherwise those of the first round are scattered anew.
    """
    first, best = mixture, Adapted(mixture, 0.0, 0)
    has_one_mode = len(np.unique(first.means, axis=0)) == 1
    evaluations = 0
    for round_ in range(rounds):  # where none of the rounds gives a good fit, efficiency and Pareto k say so
        x = mixture.draw(draws, rng)
        weights = normalised(log_target(x) - mixture.log_density(x))
        evaluations += draws
        efficiency = 1.0 / float(np.sum(weights**2)) / draws
        is_done = efficiency > GOOD or FAIR < efficiency < GAIN * best.efficiency
        if efficiency > best.efficiency:
            best = Adapted(mixture, efficiency, evaluations)
        if is_done and round_ > 0:
            break
        is_new = round_ == 0 and not is_fitted
        fitted = _refit(_spread(first, x, weights, rng) if is_new else mixture, x, weights)
        mixture = _defended(fitted, None if is_fitted or has_one_mode else first, x, weights)
    return Adapted(best.mixture, best.efficiency, evaluations)


def adapt_one(
    log_target: Callable[[Array], Array], mode: Array, covariance: Array, rng: np.random.Generator
) -> Adapted:
    """Fit a single component of nearly normal tails, beside a wide one, in more dimensions than several are fitted in.

    ``log_target`` is a function of ``(n, m)`` points; ``mode (m,)`` and ``covariance (m, m)`` are where it begins.
    """
    m, evaluations, best = len(mode), 0, Adapted(_one(mode, covariance), 0.0, 0)
    mixture = best.mixture
    for _ in range(ROUNDS_OF_ONE):
        x = mixture.draw(DRAWS_OF_ONE * m, rng)
        log_weights = log_target(x) - mixture.log_density(x)
        evaluations += len(x)
        efficiency = 1.0 / float(np.sum(normalised(log_weights) ** 2)) / len(x)
        is_done = efficiency > GOOD or GOOD_OF_ONE < efficiency < GAIN_OF_ONE * best.efficiency
        if efficiency > best.efficiency:
            best = Adapted(mixture, efficiency, evaluations)
        if is_done:
            break
        weights = tempered(log_weights, m)
        mean = weights @ x
        mixture = _one(mean, _regular((weights[:, None] * (x - mean)).T @ (x - mean)))
    return Adapted(best.mixture, best.efficiency, evaluations)


def _one(mean: Array, covariance: Array) -> Mixture:
    """A component of nearly normal tails, and a wide one of heavy tails."""
    root = np.linalg.cholesky(covariance)
    return Mixture(
        np.array([1.0 - DEFENCE, DEFENCE]),
        np.stack([mean, mean]),
        np.stack([1.05 * root, WIDE * root]),
        np.array([FREEDOM_OF_ONE, WIDE_FREEDOM]),
    )


def _defended(mixture: Mixture, first: Mixture | None, x: Array, weights: Array) -> Mixture:
    """Add a wide component with heavy tails, and the first proposal if it has several modes.

    Posteriors of log standard deviations fall off slowly towards zero; and a mode of which few draws were made must
    not be lost.
    """
    mean = weights @ x
    covariance = _regular((weights[:, None] * (x - mean)).T @ (x - mean))
    if len(mean) and not np.trace(covariance) > 0.0:  # one draw has all the weight
        raise ApproximationError(NO_PROPOSAL)
    wide = Mixture(np.ones(1), mean[None], 2.0 * np.linalg.cholesky(covariance)[None], np.full(1, WIDE_FREEDOM))
    if first is None:
        return joined([mixture, wide], np.array([1.0 - DEFENCE, DEFENCE]))
    return joined([mixture, wide, first], np.array([1.0 - DEFENCE - KEPT_MODES, DEFENCE, KEPT_MODES]))


def normalised(log_weights: Array) -> Array:
    """Weights that sum to one; points without density get none.

    Raises
    ------
    ApproximationError
        If no point has density: of counts that are all zero a family can be where no approximation follows it.
    """
    finite = np.where(np.isfinite(log_weights), log_weights, -np.inf)
    if np.isneginf(finite.max(initial=-np.inf)):
        raise ApproximationError(NO_PROPOSAL)
    weights = np.exp(finite - finite.max())
    return np.asarray(weights / weights.sum())


def tempered(log_weights: Array, dimension: int) -> Array:
    """Weights that sum to one, raised to a power below one if a few of them are all there is."""
    power, finite = 1.0, np.where(np.isfinite(log_weights), log_weights, -np.inf)
    for _ in range(MAX_TEMPERING):  # at power 2^-20 all weights are alike, enough or not
        weights = normalised(power * finite)
        if 1.0 / float(np.sum(weights**2)) > ENOUGH * dimension:
            break
        power *= 0.5
    return weights


def fitted(x: Array, weights: Array, rng: np.random.Generator, *, components: int = COMPONENTS) -> Mixture:
    """A mixture fitted to weighted draws ``(n, m)``."""
    return _defended(_refit(_around(x, weights, components, rng), x, weights), None, x, weights)


def _spread(first: Mixture, x: Array, weights: Array, rng: np.random.Generator) -> Mixture:
    """Components at weighted draws, each with the covariance of the draws around its mode, shrunk."""
    centres, of = np.unique(first.means, axis=0, return_inverse=True)
    logs = first.log_components(x)
    near = np.argmax(np.stack([_log_sum(logs[:, of == mode]) for mode in range(len(centres))], axis=1), axis=1)
    parts, masses = [], []
    for mode in range(len(centres)):
        own = near == mode
        mass = float(weights[own].sum())
        count = COMPONENTS if len(centres) == 1 else max(2, round(COMPONENTS * mass))
        # shares first: squares of tiny weights are zero
        enough = mass > 0.0 and 1.0 / float(np.sum((weights[own] / mass) ** 2)) > FEWEST * x.shape[1]
        if len(centres) == 1 or enough:
            parts.append(_around(x[own], weights[own] / mass, count, rng))
        else:
            part = of == mode
            share = first.weights[part] / first.weights[part].sum()
            parts.append(Mixture(share, first.means[part], first.roots[part], first.freedom[part]))
        masses.append(max(mass, 1e-3))
    return joined(parts, np.array(masses) / sum(masses))


def _around(x: Array, weights: Array, count: int, rng: np.random.Generator) -> Mixture:
    mean = weights @ x
    covariance = _regular((weights[:, None] * (x - mean)).T @ (x - mean))
    centres = x[rng.choice(len(x), count, p=weights)]
    roots = np.repeat(np.linalg.cholesky(0.6 * covariance)[None], count, axis=0)
    return Mixture(np.full(count, 1.0 / count), centres, roots, np.full(count, FREEDOM))


def _refit(mixture: Mixture, x: Array, weights: Array, passes: int = 3) -> Mixture:
    """Expectation-maximisation for t mixtures on weighted draws; components that die are dropped."""
    for _ in range(passes):
        share, heavy = mixture.shares(x)
        share *= weights
        mass = share.sum(axis=1)
        keep = mass > 0.003
        mass, pull = mass[keep], share[keep] * heavy[keep]
        means = pull @ x / pull.sum(axis=1)[:, None]
        centred = x - means[:, None]
        spread = np.swapaxes(pull[..., None] * centred, -1, -2) @ centred / mass[:, None, None]
        roots = _roots(_regular(spread), mixture.roots[keep])
        mixture = Mixture(mass / mass.sum(), means, roots, mixture.freedom[keep])
    return mixture


def _roots(spread: Array, before: Array) -> Array:
    """Cholesky factors ``(K, m, m)``; a component whose weight one draw has alone stays as wide as it was."""
    has_spread = np.trace(spread, axis1=-2, axis2=-1) > POINT * np.sum(before**2, axis=(-2, -1))
    own = has_spread[:, None, None]
    return np.where(own, np.linalg.cholesky(np.where(own, spread, np.eye(spread.shape[-1]))), before)


def _regular(covariance: Array) -> Array:
    """Covariances ``(..., m, m)`` kept off the singular ones."""
    m = covariance.shape[-1]
    trace = np.trace(covariance, axis1=-2, axis2=-1)[..., None, None]
    return np.asarray(covariance + 1e-8 * trace / max(m, 1) * np.eye(m))
