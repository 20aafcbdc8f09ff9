"""The Laplace approximation at many parameter points at once, each with a response of its own."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bayesmix.arrays import Array
from bayesmix.inference.estimation.conditional_mode import GeneralizedProblem, Mode
from bayesmix.inference.estimation.conditional_modes import find_modes, of_some
from bayesmix.inference.estimation.laplace import laplace


class LaplaceLikelihoods:
    """Minus twice the Laplace log-likelihoods of ``(theta, beta~, log dispersion)``, one of each response.

    Each evaluation starts the inner iterations at the modes found before: that changes their number, not their result.
    """

    def __init__(self, problem: GeneralizedProblem, count: int) -> None:
        self.problem = problem
        self._u = [np.zeros((count, factor.levels, factor.k)) for factor in problem.coordinates.factors]

    def start_at(self, u: Sequence[Array]) -> None:
        """Start the inner iterations of all responses at spherical random effects ``(levels, k)`` a factor."""
        for own, new in zip(self._u, u, strict=True):
            own[:] = new

    def split(self, x: Array) -> tuple[Array, Array, Array]:
        """Covariance parameters, fixed effects, dispersions ``(S, 1)`` (1 where the family has none)."""
        m, p = self.problem.coordinates.size, self.problem.X.shape[1]
        with np.errstate(over="ignore"):
            dispersion = np.exp(x[:, m + p :]) if self.problem.has_dispersion else np.ones((len(x), 1))
        return x[:, :m], x[:, m : m + p], dispersion

    def mode(self, which: Array, x: Array) -> tuple[GeneralizedProblem, list[Array], Mode]:
        """Conditional modes of the responses ``which`` at points ``x``; their problem, and the relative factors."""
        theta, beta, dispersion = self.split(x)
        own, factors = of_some(self.problem, which), self.problem.coordinates.by_factor(theta)
        fixed = beta @ own.X.T + own.offset
        mode = find_modes(own, factors, fixed, dispersion, [u[which] for u in self._u])
        found = np.isfinite(mode.objective)
        for u, new in zip(self._u, mode.u, strict=True):
            u[which[found]] = new[found]
        return own, factors, mode

    @np.errstate(all="ignore")  # where no mode was found, whose value is infinite
    def __call__(self, which: Array, x: Array) -> tuple[Array, Array]:
        """Values ``(S,)`` and gradients ``(S, m)``."""
        theta, _, dispersion = self.split(x)
        own, factors, mode = self.mode(which, x)
        slopes = laplace(own, factors, mode, dispersion)
        gradient = [own.coordinates.gradient(theta, slopes.by_factor), slopes.by_eta @ own.X]
        if own.has_dispersion:
            gradient.append(np.reshape(slopes.by_dispersion, (-1, 1)))
        return np.asarray(slopes.value), np.concatenate(gradient, axis=1)
