"""Estimates of one design for many responses: values with one leading axis, as draws have two."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from bayesmix.arrays import Array
from bayesmix.inference.estimation.methods import Method
from bayesmix.inference.estimation.optimise import Optimum, Status
from bayesmix.inference.estimation.point_estimate import PointEstimate
from bayesmix.inference.parameters.covariance import Structure
from bayesmix.inference.parameters.names import Parameters


@dataclass(frozen=True, slots=True, eq=False)
class PointEstimates:
    """Fitted models as numbers, in the user's units; NaN in all places where a fit has failed."""

    method: Method
    beta: Array  # (B, p)
    beta_cov: Array  # (B, p, p)
    structures: tuple[Structure, ...]  # per term
    covariances: tuple[Array, ...]  # per term (B, k, k)
    dispersion: Array | None  # (B,)
    b: tuple[Array, ...]  # per term (B, J, k) conditional modes
    criterion: Array  # (B,) REML criterion, or -2 log-likelihood
    singular: Array  # (B, terms) whether the covariance matrix of a term is not of full rank
    theta: Array  # (B, size) covariance parameters in computational coordinates
    converged: Array  # (B,)
    x: Array  # (B, m) all that was searched, with the derivatives of the criterion there
    gradient: Array  # (B, m)
    hessian: Array  # (B, m, m)

    def __len__(self) -> int:
        return len(self.criterion)

    @property
    def failed(self) -> Array:
        """Which responses could not be fitted: ``(B,)``."""
        return np.isnan(self.criterion)

    @property
    def parameters(self) -> Parameters:
        """The same as values of parameters, with one leading axis."""
        pairs = [one.parts(matrix) for one, matrix in zip(self.structures, self.covariances, strict=True)]
        sd, corr = tuple(sd for sd, _ in pairs), tuple(corr for _, corr in pairs)
        return Parameters(self.beta, sd, corr, self.b, self.dispersion)

    def one(self, i: int, near: PointEstimate) -> PointEstimate:
        """One of them as an estimate, as those of single fits are; ``near`` is one of the same design.

        But for the conditional covariances of the random effects, which are NaN.
        """
        value, status = float(self.criterion[i]), Status.CONVERGED if self.converged[i] else Status.STALLED
        return replace(
            near,
            beta=self.beta[i],
            beta_cov=self.beta_cov[i],
            covariances=tuple(own[i] for own in self.covariances),
            dispersion=None if self.dispersion is None else float(self.dispersion[i]),
            b=tuple(own[i] for own in self.b),
            b_cov=tuple(np.full_like(own, np.nan) for own in near.b_cov),
            criterion=value,
            singular=tuple(np.flatnonzero(self.singular[i]).tolist()),
            theta=self.theta[i],
            optimum=Optimum(self.x[i], value, self.gradient[i], self.hessian[i], 0, status),
        )

    def some(self, places: slice) -> PointEstimates:
        """Those at some places."""
        return _mapped(lambda own: own[places], self)

    def with_others(self, at: Array, others: PointEstimates) -> PointEstimates:
        """The same with those at some places exchanged."""

        def exchanged(own: Array, other: Array) -> Array:
            whole = own.copy()
            whole[at] = other
            return whole

        return _mapped(exchanged, self, others)


def joined(parts: Sequence[PointEstimates]) -> PointEstimates:
    """Estimates for the responses of several sets, end to end."""
    return _mapped(lambda *own: np.concatenate(own), *parts)


def one_of(point: PointEstimate) -> PointEstimates:
    """One estimate as the only one of a set."""
    singular = np.isin(np.arange(len(point.covariances)), point.singular)
    return PointEstimates(
        method=point.method,
        beta=point.beta[None],
        beta_cov=point.beta_cov[None],
        structures=point.coordinates.structures,
        covariances=tuple(one[None] for one in point.covariances),
        dispersion=None if point.dispersion is None else np.array([point.dispersion]),
        b=tuple(one[None] for one in point.b),
        criterion=np.array([point.criterion]),
        singular=singular[None],
        theta=point.theta[None],
        converged=np.array([point.optimum.status is Status.CONVERGED]),
        x=point.optimum.x[None],
        gradient=point.optimum.gradient[None],
        hessian=point.optimum.hessian[None],
    )


def none_of(like: PointEstimates) -> PointEstimates:
    """A set of one failed fit."""
    return _mapped(lambda own: np.zeros_like(own[:1]) if own.dtype == bool else np.full_like(own[:1], np.nan), like)


def _mapped(function: Callable[..., Array], *sets: PointEstimates) -> PointEstimates:
    """A function of the arrays of sets of estimates, field by field."""

    def applied(values: Sequence[Any]) -> Any:
        if isinstance(values[0], tuple):
            return tuple(applied(own) for own in zip(*values, strict=True))
        return function(*values) if isinstance(values[0], np.ndarray) else values[0]

    return PointEstimates(
        **{one.name: applied([getattr(part, one.name) for part in sets]) for one in fields(PointEstimates)}
    )
