"""A fitted model as numbers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bayesmix.arrays import Array
from bayesmix.data.design.design import Design
from bayesmix.inference.estimation.methods import Method
from bayesmix.inference.estimation.optimise import Optimum, Status
from bayesmix.inference.least_squares.scaling import Coordinates
from bayesmix.inference.parameters.names import Parameters


@dataclass(frozen=True, slots=True, eq=False)
class PointEstimate:
    """A fitted model as numbers, in the user's units."""

    method: Method
    beta: Array  # (p,)
    beta_cov: Array  # (p, p)
    covariances: tuple[Array, ...]  # per term (k, k)
    dispersion: float | None  # sigma, shape; None where the family has none
    b: tuple[Array, ...]  # per term (J, k) conditional modes
    b_cov: tuple[Array, ...]  # per term (J, k, k) conditional covariances, parameters held at their estimates
    criterion: float  # REML criterion, or -2 log-likelihood
    df: int  # parameters: fixed effects, covariances, dispersion
    singular: tuple[int, ...]  # terms whose covariance matrix is not of full rank
    theta: Array  # covariance parameters in computational coordinates
    optimum: Optimum
    coordinates: Coordinates  # of the distinct rows of the design

    @property
    def parameters(self) -> Parameters:
        """The same as values of parameters, without leading axes."""
        structures = self.coordinates.structures
        pairs = [one.parts(matrix) for one, matrix in zip(structures, self.covariances, strict=True)]
        dispersion = None if self.dispersion is None else np.asarray(self.dispersion)
        return Parameters(self.beta, tuple(sd for sd, _ in pairs), tuple(corr for _, corr in pairs), self.b, dispersion)

    @property
    def covariance_of_fixed(self) -> Array:
        """Of the fixed effects ``(p, p)``; NaN where a search was led to no conditional mode, which is no maximum.

        The Hessian there is indefinite: errors read off it are of some directions only, and far too small.
        """
        return np.full_like(self.beta_cov, np.nan) if self.optimum.status is Status.LOST else self.beta_cov

    def predictor(self, design: Design) -> Array:
        """Linear predictor of each row of the design that was fitted, offset included: ``(n,)``."""
        eta = design.X @ self.beta + design.offset
        for term, b in zip(design.terms, self.b, strict=True):
            eta = eta + term.over_slots(np.sum(term.z * b[term.codes], axis=1))
        return np.asarray(eta)
