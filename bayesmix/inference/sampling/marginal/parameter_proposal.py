"""Proposals of all but the random effects, fitted to draws of a chain that holds the noise of the random effects.

Covariance parameters, with the log dispersion, come from a mixture, independently of where the chain stands; a share of
the proposals are small steps, which leave any start. The fixed effects given these are spherical noise under the
Gaussian approximation, which has moved a little under the posterior: autoregressive steps around that place (the
preconditioned Crank-Nicolson proposal of Cotter, Roberts, Stuart, White 2013, Stat. Sci. 28), as long as the data let
them be, the longest of which are independent draws.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bayesmix.arrays import Array
from bayesmix.inference.sampling.marginal.t_mixture import Mixture, fitted

LOCAL, AT_FIRST = 0.1, 0.5  # share of small steps, and before a mixture has been fitted to draws
SMALL = 1.2  # length of a small step, over the root of the dimension, in posterior standard deviations
STEPS = (0.35, 1.0)  # of the noise of the fixed effects in a small step, over that in another
GOOD, POOR = 0.4, 0.2  # acceptance above which autoregressive steps become longer, and below which shorter
LONGER = 1.5
DRAWS = 100  # a dimension and component that a mixture is fitted to
COMPONENTS = 6
NARROWEST, WIDEST = 0.1, 0.5  # by how much noise of one or two fixed effects is wider than normal: tails are left, too


@dataclass(frozen=True, slots=True, eq=False)
class Parameters:
    """What chains stand at, or are proposed to."""

    x: Array  # (C, m) covariance coordinates, the log dispersion last where the model has one
    noise: Array  # (C, p) spherical noise of the fixed effects


@dataclass(frozen=True, slots=True, eq=False)
class ParameterProposal:
    """How parameters are proposed."""

    mixture: Mixture  # of x
    root: Array  # (m, m) of the covariance of x, for small steps
    mean: Array  # (p,) of the noise
    sd: Array  # (p,)
    step: float  # of the noise: one are independent draws
    local: float  # share of small steps

    @classmethod
    def first(cls, x: Array, p: int, rng: np.random.Generator) -> ParameterProposal:
        """That before there are draws, from draws ``x (n, m)`` of a Gaussian approximation."""
        return cls(_mixture(x, rng), _root(x), np.zeros(p), np.ones(p), 1.0, AT_FIRST)

    def refitted(self, at: Parameters, acceptance: float, rng: np.random.Generator) -> ParameterProposal:
        """The same fitted to draws ``(n, m)`` and ``(n, p)`` of chains that accepted such a share."""
        least = NARROWEST * min(1.0, np.sqrt(2.0 / max(at.noise.shape[1], 1)))  # as many are refused at any dimension
        mean, sd = at.noise.mean(axis=0), np.clip(at.noise.std(axis=0), 1.0 + least, 1.0 + WIDEST)
        is_fitted = self.local == LOCAL  # what was accepted before says more of the mixture than of the steps
        step = adapted(self.step, acceptance) if is_fitted else self.step
        return ParameterProposal(_mixture(at.x, rng), _root(at.x), mean, sd, step, LOCAL)

    def start(self, chains: int, rng: np.random.Generator) -> Parameters:
        """Independent proposals."""
        noise = self.mean + self.sd * rng.standard_normal((chains, len(self.mean)))
        return Parameters(self.mixture.draw(chains, rng), noise)

    def kinds(self, moves: int, rng: np.random.Generator) -> Array:
        """Which of so many proposals are small steps ``(moves,)``."""
        return rng.random(moves) < self.local

    def independent(self, chains: int, rng: np.random.Generator) -> Array:
        """Covariance parameters ``(chains, m)`` from the mixture, wherever chains stand."""
        m = len(self.root)
        return self.mixture.draw(chains, rng) if m else np.zeros((chains, 0))

    def small_step(self, x: Array, rng: np.random.Generator) -> Array:
        """Covariance parameters a small step from where chains stand."""
        chains, m = x.shape
        return np.asarray(x + SMALL / np.sqrt(max(m, 1)) * (rng.standard_normal((chains, m)) @ self.root.T))

    def propose_noise(self, noise: Array, rng: np.random.Generator, *, is_local: bool) -> Array:
        """Noise of the fixed effects, from where chains stand."""
        moved = autoregressive(self._spherical(noise), self.step * STEPS[not is_local], rng)
        return np.asarray(self.mean + self.sd * moved)

    def back(self, old: Parameters, new: Parameters, *, is_local: bool) -> Array:
        """Log of the density of the way back over that of the way there ``(C,)``."""
        found = self._log_reference(old.noise) - self._log_reference(new.noise)
        if is_local or not len(self.root):
            return found
        old_density, new_density = np.split(self.mixture.log_density(np.concatenate([old.x, new.x])), 2)
        return np.asarray(found + old_density - new_density)

    def _spherical(self, noise: Array) -> Array:
        return (noise - self.mean) / self.sd

    def _log_reference(self, noise: Array) -> Array:
        return np.asarray(-0.5 * np.sum(self._spherical(noise) ** 2, axis=-1))


def autoregressive(noise: Array, step: float | Array, rng: np.random.Generator) -> Array:
    """A step of standard normal noise that leaves its distribution as it is; of length one, an independent draw."""
    return np.asarray(np.sqrt(1.0 - step**2) * noise + step * rng.standard_normal(noise.shape))


def adapted(step: float, acceptance: float) -> float:
    """The length of an autoregressive step after such a share of them was accepted."""
    if acceptance >= GOOD:
        return min(1.0, LONGER * step)
    return step if acceptance >= POOR else step / LONGER


def _mixture(x: Array, rng: np.random.Generator) -> Mixture:
    n, m = x.shape
    count = int(np.clip(n // (DRAWS * max(m, 1)), 1, COMPONENTS))
    return fitted(x, np.full(n, 1.0 / n), rng, components=count)


def _root(x: Array) -> Array:
    centred = x - x.mean(axis=0)
    covariance = centred.T @ centred / len(x)
    return np.linalg.cholesky(covariance + (1e-12 + 1e-8 * np.trace(covariance)) * np.eye(len(covariance)))
