"""The covariance of the rows in a marginal posterior: its numbers, their priors, the cross-products they give."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from bayesmix.arrays import Array
from bayesmix.data.design.design import Design
from bayesmix.inference.estimation.correlated import CorrelatedProblem, correlated_problem
from bayesmix.inference.estimation.point_estimate import PointEstimate
from bayesmix.inference.estimation.reml import LinearProblem
from bayesmix.inference.least_squares.cross_products import Moments
from bayesmix.inference.parameters.priors_in_force import Priors
from bayesmix.language.formula.model_spec import ModelSpec
from bayesmix.language.priors.on_link import CoefficientPrior


@dataclass(frozen=True, slots=True, eq=False)
class RowCovariance:
    """Numbers ``phi`` of the covariance of the rows, in the coordinates that an estimate is searched in."""

    problem: CorrelatedProblem
    contrast: Array  # (p, p) what priors are stated on
    start: Array  # (size,) of an estimate
    alike: tuple[tuple[CoefficientPrior, list[int]], ...]  # the priors of the numbers, and whose each is

    @property
    def size(self) -> int:
        """How many there are."""
        return self.problem.rows.size

    def linear(self) -> LinearProblem:
        """The model at the start; its log weights are part of each elimination."""
        return replace(self.problem.at(self.start), log_weights=0.0)

    def moments(self, phi: Array) -> tuple[Moments, Array]:
        """Cross-products at ``phi (..., size)``, and ``log|V| (...,)``."""
        return self.problem.rows.moments(phi)

    def log_prior(self, phi: Array) -> Array:
        """Log prior density of ``phi (..., size)``, the change of coordinates included."""
        mean = np.zeros((*phi.shape[:-1], len(self.problem.mean)))
        gamma = self.problem.beta_of(mean, phi) @ self.contrast.T
        total = np.full(phi.shape[:-1], float(np.linalg.slogdet(self.problem.change)[1]))
        for prior, places in self.alike:
            total = total + prior.log_density(gamma[..., places]).sum(axis=-1)
        return np.asarray(total)


def row_covariance(
    design: Design, spec: ModelSpec, priors: Priors, point: PointEstimate
) -> tuple[RowCovariance, Priors]:
    """The covariance of the rows of a model, and the priors of all that is not part of it."""
    problem = correlated_problem(design, spec, point.coordinates)
    mean = list(problem.mean)
    rest = replace(
        priors,
        names=tuple(priors.names[j] for j in mean),
        fixed=tuple(priors.fixed[j] for j in mean),
        contrast=priors.contrast[np.ix_(mean, mean)],
    )
    start = problem.phi_of(point.beta)
    alike: dict[CoefficientPrior, list[int]] = {}
    for j in (*problem.spread, *problem.correlation):
        alike.setdefault(priors.fixed[j], []).append(j)
    return RowCovariance(problem, priors.contrast, start, tuple(alike.items())), rest
