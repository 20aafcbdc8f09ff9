"""Degrees of freedom of t tests by Satterthwaite's approximation (Kuznetsova, Brockhoff, Christensen 2017, eq. 8).

``df = 2 v^2 / (g' A g)``, with ``v(theta, sigma)`` the variance of a combination of fixed effects, or of the error of a
prediction, ``g`` its gradient and ``A`` the inverse information on ``(theta, log sigma)``; the ratio makes it free of
the parametrisation. For one coefficient this is lmerTest's, for combinations of fixed effects emmeans', and for
combinations with random effects the method of SAS's PROC MIXED (``ddfm=satterthwaite``).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from bayesmix.arrays import Array
from bayesmix.data.design.design import Design
from bayesmix.inference.estimation.curvature import steps, symmetric
from bayesmix.inference.estimation.fixed_tests import FTest, f_test, principal
from bayesmix.inference.estimation.linear_refits import piece
from bayesmix.inference.estimation.methods import Reml
from bayesmix.inference.estimation.point_estimate import PointEstimate
from bayesmix.inference.estimation.point_estimates import PointEstimates
from bayesmix.inference.estimation.reml import (
    LinearProblem,
    deviance_at_sigma,
    linear_problem,
    of_some,
    solve_linear,
    with_responses,
)

STEP = 1e-4  # of central differences by the covariance parameters
FLAT = 1e-6  # of the largest curvature: directions with less say nothing
EQUAL = 1e-8  # degrees of freedom that differ by less are the same


@dataclass(frozen=True, slots=True, eq=False)
class Satterthwaite:
    """How uncertain the covariance parameters of a linear estimate are, and how Cov(beta) depends on them."""

    uncertainty: Array  # (m + 1, m + 1) inverse information on (theta, log sigma); (m, m) without a sigma
    beside: tuple[tuple[PointEstimate, PointEstimate], ...]  # the estimate with one theta moved up and down, m pairs
    cov: Array  # (p, p) of the fixed effects
    slopes: Array  # (m + 1, p, p) derivatives of that of beta~ by theta and log sigma, or (m, p, p)
    widths: Array  # (m,) distances of the estimates beside
    T: Array  # (p, p), beta = T beta~: the covariance of coefficients far from the data is large, differences are not
    has_scale: bool = True  # whether log sigma is the last parameter, to whose square all variances are proportional

    def df(self, L: Array) -> Array:
        """Degrees of freedom of ``L beta``: ``(r,)`` for ``L (r, p)``."""
        K, variance = L @ self.T, np.sum(L @ self.cov * L, axis=1)
        return self._freedom(variance, _columns([np.sum(K @ slope * K, axis=1) for slope in self.slopes], len(L)))

    def joint(self, L: Array, value: Array) -> FTest:
        """F test of all rows of ``L`` at once, ``value (r,)`` their estimates less the hypothesis.

        The denominator's degrees of freedom are those of an F with the mean of the squared t of uncorrelated
        combinations (Fai and Cornelius 1996).
        """
        found = principal(L, value, self.cov)
        return f_test(found.wald, len(found.value), _of_mean_square(self.df(found.rows)))

    def of_variance(self, variance: Callable[[PointEstimate], Array], here: Array) -> Array:
        """Degrees of freedom of any variances ``(r,)``, proportional to sigma^2 where there is one.

        Parameters
        ----------
        variance : variances at an estimate; at the estimate itself they are ``here``.
        """
        by_theta = [
            (variance(up) - variance(down)) / width for (up, down), width in zip(self.beside, self.widths, strict=True)
        ]
        by_scale = [2.0 * here] if self.has_scale else []
        return self._freedom(here, _columns([*by_theta, *by_scale], len(here)))

    def _freedom(self, variance: Array, gradient: Array) -> Array:
        """From variances ``(r,)`` and gradients ``(r, m + 1)``; infinite where a variance is known exactly."""
        spread = np.einsum("ri,ij,rj->r", gradient, self.uncertainty, gradient)
        known = spread <= 1e-300
        return np.where(known, np.inf, 2.0 * variance**2 / np.where(known, 1.0, spread))


def satterthwaite(design: Design, point: PointEstimate) -> Satterthwaite:
    """Differentiate the criterion and the covariance of the fixed effects once, for all questions that follow.

    Directions without curvature (singular fits) are left out.
    """
    problem, sigma = linear_problem(design, point.coordinates), np.asarray(point.dispersion or 1.0)
    uncertainty = _uncertainty(problem, point.theta, sigma, reml=isinstance(point.method, Reml))
    thetas = beside(point.theta, steps(point.theta, STEP))
    covs = _covariances(problem, thetas, sigma)
    m, T = len(point.theta), problem.coordinates.T
    moved = [_moved(point, theta, T @ cov @ T.T) for theta, cov in zip(thetas, covs, strict=True)]
    has_scale = not problem.has_known_noise
    slopes = _slopes(covs, steps(point.theta, STEP), _inner(T, point.beta_cov), has_scale=has_scale)
    pairs = tuple(zip(moved[:m], moved[m:], strict=True))
    return Satterthwaite(uncertainty, pairs, point.beta_cov, slopes, 2.0 * steps(point.theta, STEP), T, has_scale)


def satterthwaite_of_all(
    design: Design, responses: Array, near: PointEstimate, fits: PointEstimates
) -> list[Satterthwaite | None]:
    """The same of estimates for many responses ``(B, n)`` of one design, but for `of_variance`; None of failed ones.

    Parameters
    ----------
    near : an estimate of the design, whose coordinates those of ``fits`` are.
    """
    problem = with_responses(linear_problem(design, near.coordinates), design, responses)
    found: list[Satterthwaite | None] = [None] * len(fits)
    fitted = np.flatnonzero(~fits.failed)
    size = max(piece(near.coordinates, problem.p + 1) // (2 * len(near.theta) + 2), 1)
    for some in np.split(fitted, range(size, len(fitted), size)):
        own, theta, cov = of_some(problem, some), fits.theta[some], fits.beta_cov[some]
        sigma = np.ones(len(some)) if fits.dispersion is None else fits.dispersion[some]
        uncertainty, h = _uncertainty(own, theta, sigma, reml=isinstance(fits.method, Reml)), steps(theta, STEP)
        has_scale, T = not problem.has_known_noise, near.coordinates.T
        slopes = _slopes(_covariances(own, beside(theta, h), sigma), h, _inner(T, cov), has_scale=has_scale)
        for i, parts in zip(some, zip(uncertainty, cov, slopes, strict=True), strict=True):
            found[i] = Satterthwaite(parts[0], (), *parts[1:], np.zeros(0), T, has_scale)
    return found


def _inner(T: Array, cov: Array) -> Array:
    """Covariance ``(..., p, p)`` of ``beta~`` by that of ``beta = T beta~``."""
    half = np.linalg.solve(T, cov)
    return np.asarray(np.linalg.solve(T, np.swapaxes(half, -1, -2)))


def _uncertainty(problem: LinearProblem, theta: Array, sigma: Array, *, reml: bool) -> Array:
    """Inverse information ``(..., m + 1, m + 1)`` on theta and log sigma: central differences of exact gradients.

    On theta alone, ``(..., m, m)``, where sigma is known.
    """
    x = np.concatenate([theta, np.log(sigma)[..., None]], axis=-1)
    h = steps(x, STEP)
    points = beside(x, h)
    flat = points.reshape(-1, x.shape[-1])
    own = _repeated(problem, x.shape[:-1], len(points))
    _, gradients = deviance_at_sigma(own, flat[:, :-1], np.exp(flat[:, -1]), reml=reml)
    size = np.maximum(np.abs(x), 1.0)  # by theta the curvature falls with the square of theta
    size[..., -1] = 1.0
    free = slice(x.shape[-1] - int(problem.has_known_noise))
    both = (size[..., :, None] * size[..., None, :])[..., free, free]
    hessian = symmetric(differences(gradients.reshape(points.shape), h))[..., free, free]
    values, vectors = np.linalg.eigh(both * hessian)
    usable = values > FLAT * values.max(axis=-1, keepdims=True, initial=0.0)
    inverse = np.where(usable, 2.0 / np.where(usable, values, 1.0), 0.0)
    return np.asarray(both * ((vectors * inverse[..., None, :]) @ np.swapaxes(vectors, -1, -2)))


def _covariances(problem: LinearProblem, thetas: Array, sigma: Array) -> Array:
    """Cov(beta~) ``(k, ..., p, p)`` at other covariance parameters ``(k, ..., m)``, sigma ``(...,)`` as it is."""
    p = problem.p
    if not thetas.shape[-1]:  # there are no random effects
        return np.zeros((*thetas.shape[:-1], p, p))
    own = _repeated(problem, sigma.shape, len(thetas))
    information = solve_linear(own, thetas.reshape(-1, thetas.shape[-1])).factorisation.XX[..., :p, :p]
    return np.asarray(sigma[..., None, None] ** 2 * np.linalg.inv(information).reshape(*thetas.shape[:-1], p, p))


def _slopes(covs: Array, h: Array, cov: Array, *, has_scale: bool) -> Array:
    """Derivatives of Cov(beta~) by theta ``(..., m, p, p)``, and by log sigma: ``(..., m + 1, p, p)``."""
    by_theta = differences(covs, h)
    return np.concatenate([by_theta, 2.0 * cov[..., None, :, :]], axis=-3) if has_scale else by_theta


def _columns(parts: Sequence[Array], n: int) -> Array:
    """Columns ``(n,)`` side by side, of which there may be none."""
    return np.array(parts).reshape(len(parts), n).T


def beside(x: Array, h: Array) -> Array:
    """Points ``(2 m, ..., m)`` with one coordinate of ``x (..., m)`` moved up by its step, then with one moved down."""
    shifts = np.moveaxis(h[..., None, :] * np.eye(x.shape[-1]), -2, 0)
    return np.concatenate([x + shifts, x - shifts])


def differences(both: Array, h: Array) -> Array:
    """Derivatives by each coordinate, behind the leading axes of ``h (..., m)``, from values ``(2 m, ...)`` beside."""
    m, lead = h.shape[-1], h.ndim - 1
    width = 2.0 * np.moveaxis(h, -1, 0).reshape(m, *h.shape[:-1], *[1] * (both.ndim - 1 - lead))
    return np.moveaxis((both[:m] - both[m:]) / width, 0, lead)


def _repeated(problem: LinearProblem, lead: tuple[int, ...], times: int) -> LinearProblem:
    """The problems of many responses again and again; that of a single response is that of any points."""
    return of_some(problem, np.tile(np.arange(lead[0]), times)) if lead else problem


def _moved(point: PointEstimate, theta: Array, cov: Array) -> PointEstimate:
    """The estimate with other covariance parameters, sigma as it is; fixed and random effects are not moved."""
    sigma2 = float(point.dispersion or 1.0) ** 2
    covariances = tuple(sigma2 * G for G in point.coordinates.covariances(theta))
    return replace(point, theta=theta, beta_cov=cov, covariances=covariances)


def _of_mean_square(df: Array) -> float:
    """Degrees of freedom of an F whose mean is that of the mean of independent squared t of ``df (q,)``."""
    if not len(df):
        return math.nan
    if np.isinf(df).all() or np.ptp(df) < EQUAL:
        return float(df.mean())
    if np.any(df <= 2.0):  # which have no mean
        return 2.0
    excess = float(np.sum(2.0 / (df - 2.0)))
    return 2.0 + 2.0 * len(df) / excess
