"""Overdispersed starts of NUTS: chains that all begin at the estimate agree on its mode, whatever else there is.

Some chains start near the estimate, the others in the priors, and at draws of the marginal sampler, where there are
some, or several standard errors from the estimate. Which, and where, depends on the seed of the chain alone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from bayesmix.arrays import Array
from bayesmix.data.design.design import Design
from bayesmix.inference.estimation.point_estimate import PointEstimate
from bayesmix.inference.parameters.covariance import structure_of
from bayesmix.inference.parameters.names import Parameters
from bayesmix.inference.parameters.priors_in_force import Priors
from bayesmix.inference.sampling.marginal.scatter import LOCATED
from bayesmix.inference.sampling.nuts.reparametrisation import SMALLEST, Reparametrisation, typical
from bayesmix.inference.sampling.nuts.reparametrised_model import free_at

Point = tuple[Array, list[Array], Array | None]  # fixed effects, standard deviations of each term, dispersion

NEAR = 0.25  # share of chains that start near the estimate
TRIES = 12  # points of which a chain takes the highest
STEPS, FREEDOM = 3.0, 4.0  # standard errors from the estimate, of a t distribution
BELOW, ABOVE = -3.0, 1.5  # of logarithms of standard deviations around the median of their priors
FACTOR = 1.0  # standard deviation of their logarithms around the estimate


@dataclass(frozen=True, slots=True, eq=False)
class Starts:
    """Where chains may start."""

    design: Design
    priors: Priors
    reparametrisation: Reparametrisation
    point: PointEstimate
    known: Parameters | None = None  # draws (chain, draw) of the marginal sampler

    def of_chain(
        self,
        seed: int | None,
        size: int,
        flat: Callable[[dict[str, Array], Array], Array],
        value: Callable[[Array], float],
    ) -> Array:
        """Free values ``(size,)`` at which a chain starts.

        Parameters
        ----------
        flat : puts the free values of some variables into an array of them all.
        value : log density there.
        """
        rng = np.random.default_rng(seed)
        near = rng.uniform(-1.0, 1.0, size)  # nutpie takes a gradient of exactly zero for a failure
        kind = rng.random()
        if kind < NEAR:
            return near
        elsewhere = self._around if self.known is None else self._known
        draw = self._over_priors if kind < 0.5 + 0.5 * NEAR else elsewhere
        best, highest = near, -np.inf
        for _ in range(TRIES):
            with np.errstate(all="ignore"):
                found = flat(free_at(self.design, self.priors, self.reparametrisation, *draw(rng)), 0.3 * near)
            height = value(found) if np.isfinite(found).all() else -np.inf
            if np.isfinite(height) and height > highest:
                best, highest = found, height
        return best

    def _over_priors(self, rng: np.random.Generator) -> Point:
        """Standard deviations, dispersion and intercept from their priors."""
        beta, _, dispersion = self._around(rng)
        gamma = self.priors.contrast @ beta
        for j in self.priors.intercepts:
            prior = self.priors.fixed[j]
            if prior.kind in LOCATED:
                gamma[j] = prior.arguments[-2] + prior.arguments[-1] * rng.standard_normal()
        sds = [typical(own) * np.exp(rng.uniform(BELOW, ABOVE, len(own))) for own in self.priors.sd]
        return np.linalg.solve(self.priors.contrast, gamma), sds, dispersion

    def _around(self, rng: np.random.Generator) -> Point:
        """Several standard errors from the estimate."""
        errors = np.sqrt(np.maximum(np.nan_to_num(np.diagonal(self.point.beta_cov)), 0.0))
        beta = self.point.beta + STEPS * errors * rng.standard_t(FREEDOM, len(errors))
        sds = []
        for term, own, covariance in zip(self.design.terms, self.priors.sd, self.point.covariances, strict=True):
            sd = np.sqrt(np.diagonal(covariance)[: structure_of(term).n_sd])
            sd = np.maximum(sd, SMALLEST * typical(own))  # off the boundary
            sds.append(sd * np.exp(FACTOR * rng.standard_normal(len(sd))))
        dispersion = self.point.dispersion
        return beta, sds, None if dispersion is None else np.asarray(dispersion * np.exp(0.5 * rng.standard_normal()))

    def _known(self, rng: np.random.Generator) -> Point:
        """A draw of the marginal sampler."""
        assert self.known is not None
        chains, draws = self.known.lead
        at = int(rng.integers(chains)), int(rng.integers(draws))
        sds = [sd[at][: structure_of(term).n_sd] for term, sd in zip(self.design.terms, self.known.sd, strict=True)]
        dispersion = None if self.known.dispersion is None else np.asarray(self.known.dispersion[at])
        return self.known.beta[at], sds, dispersion
