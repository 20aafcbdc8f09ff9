"""The exact posterior of a linear mixed model from a handful of numbers.

Random effects and fixed effects with Gaussian or flat priors are integrated out; the rest, ``theta``, holds the log
standard deviations relative to sigma, the partial correlations, log sigma, and fixed effects whose prior is neither.
With ``A, c, r`` the blocks of ``[X y]' V^-1 [X y]`` that penalised least squares leaves (Bates et al. 2015, section 3),
``V`` the covariance of y relative to ``sigma^2``, and the prior ``gamma ~ N(m, S)`` on ``gamma = K^-1 beta``,

    log p(y, theta) = -1/2 [n log(2 pi sigma^2) + log|V| + r / sigma^2 + m'S^-1 m - h'H^-1 h + log|H| + log|S|]
                      + log p(theta),          H = A / sigma^2 + S^-1,   h = c / sigma^2 + S^-1 m.

A mixture of t distributions fitted to this density proposes independent draws, a Metropolis step makes them exact, and
``(beta, b) | theta`` are then drawn exactly.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from bayesmix.arrays import Array
from bayesmix.data.design.design import Design
from bayesmix.inference.estimation.point_estimate import PointEstimate
from bayesmix.inference.estimation.reml import LinearProblem, linear_problem
from bayesmix.inference.least_squares.cholesky import Factorisation, factorise
from bayesmix.inference.least_squares.scaling import Coordinates
from bayesmix.inference.least_squares.small_blocks import NotPositiveError, cholesky_and_half, solve_lower, solve_upper
from bayesmix.inference.parameters.covariance import side_by_side
from bayesmix.inference.parameters.priors_in_force import Priors, log_free, log_sd
from bayesmix.inference.parameters.unconstrained import TermCoordinates, split, term_coordinates
from bayesmix.inference.sampling.marginal.chebyshev import Emulator, Polynomials, Reduced
from bayesmix.inference.sampling.marginal.row_covariance import RowCovariance, row_covariance
from bayesmix.inference.sampling.marginal.scatter import scattered
from bayesmix.language.formula.model_spec import ModelSpec

BATCH = 4_000_000  # numbers held at once by one batch of factorisations


@dataclass(frozen=True, slots=True, eq=False)
class MarginalPosterior:
    """The log marginal posterior of ``theta``, fed by cross-products alone."""

    problem: LinearProblem
    priors: Priors
    terms: tuple[TermCoordinates, ...]
    to_gamma: Array  # (p, p) K: beta~ = K gamma
    gamma_ols: Array  # (p,) least-squares estimate of gamma
    explored: Array  # (p,) bool: coordinates of gamma that are part of theta
    mean: Array  # (p,) prior means of gamma, 0 where flat
    precision: Array  # (p,) prior precisions of gamma, 0 where flat
    emulator: Emulator | None = None  # stands in for factorisations that are dear
    heights: Polynomials | None = None  # of theta, in place of the log likelihood where fixed effects are many
    unit_sigma: bool = False  # sigma is one and no part of theta: known, or of a Gaussian approximation
    is_normal: bool = True  # whether its rows have normal densities: weights of signs of their own have not
    fallback: MarginalPosterior | None = None  # in place of this one where it cannot be factorised, by theta alone ...
    rows: RowCovariance | None = None  # whose numbers are part of theta, where residuals are correlated
    excess: float = math.inf  # ... or where its log density is more than this above that of the fallback

    @property
    def size(self) -> int:
        """Dimension of theta."""
        numbers = int(not self.unit_sigma) if self.rows is None else self.rows.size
        return self.covariances + numbers + int(self.explored.sum())

    # theta = (covariance coordinates relative to sigma, log sigma or numbers of the rows' covariance, explored gamma)

    def parts(self, theta: Array) -> tuple[list[Array], Array, Array]:
        """Relative covariance coordinates per term, log sigma ``(...,)`` and explored gamma ``(..., e)``."""
        q = self.covariances
        own = split(self.terms, theta[..., :q])
        if self.unit_sigma:
            return own, np.zeros(theta.shape[:-1]), theta[..., q if self.rows is None else q + self.rows.size :]
        return own, theta[..., q], theta[..., q + 1 :]

    def phi(self, theta: Array) -> Array:
        """Numbers of the rows' covariance ``(..., size)``."""
        assert self.rows is not None
        return theta[..., self.covariances : self.covariances + self.rows.size]

    def factorise(self, theta: Array) -> Factorisation:
        """Eliminate the random effects at ``theta (..., m)``; of correlated rows the log determinant has theirs."""
        working = self.problem.coordinates
        roots = []
        for coordinates, own, C in zip(self.terms, self.parts(theta)[0], working.C, strict=True):
            sd, root = coordinates.unpack(own)
            roots.append(np.linalg.inv(C) @ (sd[..., :, None] * root))
        by_factor = []
        for number in range(len(working.factors)):
            members = [t for t, place in enumerate(working.places) if place.factor == number]
            by_factor.append(_side_by_side([roots[t] for t in members]))
        if self.rows is None:
            return factorise(working.plan, self.problem.moments, by_factor, theta.shape[:-1])
        moments, log_det = self.rows.moments(self.phi(theta))
        found = factorise(working.plan, moments, by_factor, theta.shape[:-1])
        return replace(found, log_determinant=found.log_determinant + log_det)

    def __call__(self, theta: Array) -> Array:
        """Log marginal posterior, up to a constant only where priors are improper: ``(B, m) -> (B,)``."""
        if self.emulator is None:
            values = [self._log_density(theta[rows]) for rows in self.batches(len(theta))]
            return np.concatenate(values) if values else np.zeros(0)
        near = self.emulator.polynomials.covers(theta[:, : self.covariances])
        if self.heights is not None:
            near &= self.heights.covers(theta)
        result = np.full(len(theta), -np.inf)  # so far out that the posterior has no mass worth a factorisation
        result[near] = self._likelihood_near(theta[near]) + self.log_prior(theta[near])
        return result

    def _likelihood_near(self, theta: Array) -> Array:
        """Log likelihood ``(n,)`` where polynomials hold."""
        if self.heights is not None:
            return self.heights(theta)[:, 0]
        values = np.empty(len(theta))
        for rows in self.reduced_batches(len(theta)):
            values[rows] = self.log_likelihood(theta[rows], self.reduce(theta[rows]))
        return values

    @property
    def covariances(self) -> int:
        """Number of covariance coordinates, the first of theta."""
        return sum(term.size for term in self.terms)

    def reduce(self, theta: Array) -> Reduced:
        """Eliminate the random effects at ``theta (B, m)``, by factorisations or by the emulator."""
        if self.emulator is not None:
            return self.emulator(theta[:, : self.covariances])
        if self.rows is not None:
            return self._reduced(theta)
        return self.reduce_covariances(theta[:, : self.covariances])

    def reduce_covariances(self, x: Array) -> Reduced:
        """Eliminate the random effects at covariance coordinates ``(B, d)``, by factorisations."""
        rest = np.zeros((len(x), self.size - x.shape[1]))
        return self._reduced(np.concatenate([x, rest], axis=1))

    def _reduced(self, theta: Array) -> Reduced:
        found = [self.reduced(self.factorise(theta[rows])) for rows in self.batches(len(theta))]
        return Reduced(
            *(np.concatenate(parts) for parts in zip(*((r.log_determinant, r.XX) for r in found), strict=True))
        )

    def reduced(self, factorisation: Factorisation) -> Reduced:
        """What a factorisation leaves, in the coordinates of the fixed effects' priors."""
        p = self.problem.p
        K = np.eye(p + 1)
        K[:p, :p] = self.to_gamma
        return Reduced(factorisation.log_determinant, K.T @ factorisation.XX @ K)

    @property
    def numbers(self) -> int:
        """Size of the arrays of one factorisation: a measure of its cost."""
        own = 0 if self.rows is None else self.rows.problem.rows.numbers
        return factorisation_numbers(self.problem.coordinates) + own

    def batches(self, n: int) -> Iterator[slice]:
        """Slices of ``n`` points that fit into memory."""
        size = max(1, min(512, BATCH // max(self.numbers, 1)))
        return (slice(begin, min(begin + size, n)) for begin in range(0, n, size))

    def reduced_batches(self, n: int) -> Iterator[slice]:
        """Slices of ``n`` points whose cross-products fit into memory."""
        size = max(1, BATCH // (self.problem.p + 1) ** 2)
        return (slice(begin, min(begin + size, n)) for begin in range(0, n, size))

    def _log_density(self, theta: Array) -> Array:
        own, _ = self._own_density(theta)
        if self.fallback is None:
            return own
        is_own = self._in_range(theta, own)
        if not is_own.all():
            own[~is_own] = self.fallback(theta[~is_own])
        return own

    def _own_density(self, theta: Array) -> tuple[Array, Factorisation | None]:
        """By this posterior; minus infinity out of floating-point range, or where it cannot be factorised.

        With the factorisation, where there is one of all.
        """
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            try:
                found = self.factorise(theta)
                value = self.log_likelihood(theta, self.reduced(found)) + self.log_prior(theta)
            except np.linalg.LinAlgError as error:
                return self._where_it_can_be(theta, error), None
        return np.where(np.isfinite(value), value, -np.inf), found

    def _where_it_can_be(self, theta: Array, error: np.linalg.LinAlgError) -> Array:
        """`_own_density` of points of which some cannot be factorised: of the others, or of halves if nobody knows."""
        n = len(theta)
        left = error.points(n) if isinstance(error, NotPositiveError) else None
        halves = [np.arange(n) < n // 2, np.arange(n) >= n // 2] if n > 1 else []
        value = np.full(n, -np.inf)
        for part in halves if left is None or left.all() else [left] if left.any() else []:
            value[part] = self._own_density(theta[part])[0]
        return value

    def _in_range(self, theta: Array, own: Array) -> Array:
        """Where a density ``(B,)`` is this posterior's own, and not too far above that of the fallback: bool."""
        assert self.fallback is not None
        is_finite = np.isfinite(own)
        return is_finite if self.excess == math.inf else is_finite & (own <= self.fallback(theta) + self.excess)

    def is_own(self, theta: Array) -> tuple[Array, Factorisation | None]:
        """Where the density at ``theta (B, m)`` is not the fallback's: ``(B,) bool``, by theta alone.

        With the factorisation there, if it is nowhere the fallback's and was made to see that.
        """
        if self.fallback is None:
            return np.ones(len(theta), bool), None
        own, found = self._own_density(theta)
        is_own = self._in_range(theta, own)
        return is_own, found if is_own.all() else None

    def where_factorised(self, theta: Array) -> Iterator[tuple[MarginalPosterior, Array, Factorisation]]:
        """Parts of ``theta (n, m)``, each with the posterior whose density it has, factorised there."""
        is_own, found = self.is_own(theta)
        if is_own.any():
            yield self, theta[is_own], found or self.factorise(theta[is_own])
        if self.fallback is not None and not is_own.all():
            yield from self.fallback.where_factorised(theta[~is_own])

    def gaussian(self, theta: Array, reduced: Reduced) -> tuple[Array, Array, Array]:
        """Precision ``H`` and right-hand side ``h`` of the integrated gamma, as deviation from least squares; ``r``."""
        _, log_sigma, gamma = self.parts(theta)
        p, inside = self.problem.p, ~self.explored
        A, c, r = reduced.XX[..., :p, :p], reduced.XX[..., :p, p], reduced.XX[..., p, p]
        if self.explored.any():
            deviation = gamma - self.gamma_ols[self.explored]
            A_eg, A_ee = A[..., self.explored, :], A[..., self.explored, :][..., self.explored]
            r = r - 2.0 * np.sum(c[..., self.explored] * deviation, axis=-1)
            r = r + np.einsum("...e,...ef,...f->...", deviation, A_ee, deviation)
            c = (c - np.einsum("...e,...eg->...g", deviation, A_eg))[..., inside]
            A = A[..., inside, :][..., inside]
        precision = np.exp(-2.0 * log_sigma)
        centre = self.mean - self.gamma_ols
        H = A * precision[..., None, None] + np.diag(self.precision[inside])
        h = c * precision[..., None] + (self.precision * centre)[inside]
        return H, h, r

    def log_likelihood(self, theta: Array, reduced: Reduced) -> Array:
        """Log density of y with random effects and the integrated gamma integrated out."""
        _, log_sigma, _ = self.parts(theta)
        H, h, r = self.gaussian(theta, reduced)
        inside = ~self.explored
        proper = inside & (self.precision > 0.0)
        L, half = cholesky_and_half(H, h)
        centre = (self.mean - self.gamma_ols)[proper]
        value = self.problem.n * (math.log(2.0 * math.pi) + 2.0 * log_sigma) - self.problem.log_weights
        distance = r * np.exp(-2.0 * log_sigma) - np.sum(half**2, axis=-1)
        distance = distance + float(np.sum(self.precision[proper] * centre**2))
        # a sum of squares; where sigma is so small that nothing but rounding is left of it, it may come out negative
        distance = np.where(self.is_normal & (distance < 0.0), np.inf, distance)
        value = value + reduced.log_determinant + distance
        value = value + 2.0 * np.log(np.diagonal(L, axis1=-2, axis2=-1)).sum(axis=-1)
        value = value - float(np.log(self.precision[proper]).sum())
        flat = int((inside & ~proper).sum())
        return -0.5 * value + 0.5 * flat * math.log(2.0 * math.pi)

    def log_prior(self, theta: Array) -> Array:
        """Log prior density of theta, the change of coordinates included: ``(...,)``."""
        own, log_sigma, gamma = self.parts(theta)
        total: Array = np.zeros(log_sigma.shape) if self.rows is None else self.rows.log_prior(self.phi(theta))
        if not self.unit_sigma and self.priors.dispersion is not None:
            total = self.priors.dispersion.log_density(np.exp(log_sigma)) + log_sigma
        for coordinates, x, sds, corrs in zip(self.terms, own, self.priors.sd, self.priors.corr, strict=True):
            sd = coordinates.sd(x) * np.exp(log_sigma)[..., None]
            total = (
                total + log_sd(sds, sd, np.exp(log_sigma)) + coordinates.log_jacobian(x) + coordinates.n_sd * log_sigma
            )
            if corrs:
                total = total + log_free(coordinates.structure.correlation, coordinates.free(x), corrs)
        for j, prior in enumerate(np.array(self.priors.fixed, object)[self.explored]):
            total = total + prior.log_density(gamma[..., j])
        return np.asarray(total)

    def start(self, point: PointEstimate, smallest: float = 0.05) -> Array:
        """Theta at a point estimate, standard deviations at zero moved to ``smallest`` of sigma's share.

        Where polynomials stand in for factorisations, at their centre: with many levels that move is many posterior
        standard deviations, and leaves the region where they hold.
        """
        sigma = 1.0 if self.unit_sigma else float(point.dispersion or 1.0)
        parts = []
        for coordinates, covariance, C in zip(self.terms, point.covariances, self.problem.coordinates.C, strict=True):
            unit = np.sqrt(np.sum(C**2, axis=1))  # size of an effect that moves the predictor by one
            padded = coordinates.structure.padded(covariance / sigma**2, smallest * unit)
            parts.append(coordinates.pack(padded))
        if self.emulator is not None:
            parts = [self.emulator.polynomials.centre]
        beta = point.beta if self.rows is None else point.beta[list(self.rows.problem.mean)]
        gamma = np.linalg.solve(self.to_gamma, np.linalg.solve(self.problem.coordinates.T, beta))
        log_sigma = [] if self.unit_sigma else [math.log(sigma)]
        numbers = log_sigma if self.rows is None else self.rows.start
        return np.concatenate([*parts, numbers, gamma[self.explored]])


def factorisation_numbers(working: Coordinates) -> int:
    """Size of the arrays of one factorisation."""
    p = working.X.shape[1]
    total = sum(J * k * (3 * k + p + 1) for J, k in working.pattern.shapes)
    total += sum(stage.numbers for stage in working.plan.stages)
    if working.is_joint:  # of levels in pieces most entries are carried through many stages
        total += sum(stage.n_entries for stage in working.plan.stages)
    return int(total + 3 * working.plan.q**2)


def correlated_posterior(design: Design, spec: ModelSpec, priors: Priors, point: PointEstimate) -> MarginalPosterior:
    """The marginal posterior of a gaussian model whose residuals are correlated within blocks."""
    rows, rest = row_covariance(design, spec, priors, point)
    target = _posterior(rows.linear(), term_coordinates(design.terms), rest)
    return replace(target, rows=rows, unit_sigma=True)


def marginal_posterior(design: Design, priors: Priors, point: PointEstimate) -> MarginalPosterior:
    """Set up the marginal posterior of a gaussian model with identity link."""
    return _posterior(linear_problem(design, point.coordinates), term_coordinates(design.terms), priors)


def _posterior(problem: LinearProblem, terms: tuple[TermCoordinates, ...], priors: Priors) -> MarginalPosterior:
    working = problem.coordinates
    to_gamma = np.linalg.inv(priors.contrast @ working.T)
    gaussian = np.array([prior.kind == "Normal" for prior in priors.fixed], bool)
    flat = np.array([prior.is_flat for prior in priors.fixed], bool)
    arguments = [
        prior.arguments if normal else (0.0, np.inf) for prior, normal in zip(priors.fixed, gaussian, strict=True)
    ]
    mean, sd = np.array(arguments).reshape(-1, 2).T
    return MarginalPosterior(
        problem,
        priors,
        with_detection_limits(terms, problem),
        to_gamma,
        np.linalg.solve(to_gamma, problem.beta_ols),
        ~(gaussian | flat),
        mean,
        sd**-2.0,
        unit_sigma=problem.has_known_noise,
    )


def with_detection_limits(terms: tuple[TermCoordinates, ...], problem: LinearProblem) -> tuple[TermCoordinates, ...]:
    """Coordinates with the relative standard deviations below which the data cannot tell them from zero.

    ``theta^2`` is estimated with a standard error of about ``sqrt(2 / J) / D`` near zero, ``D`` the mean information of
    one level on an effect of unit size.
    """
    working = problem.coordinates
    limited = []
    for term, place, C in zip(terms, working.places, working.C, strict=True):
        D = problem.moments.D[place.factor][:, place.columns, place.columns]
        information = np.mean(np.diagonal(D, axis1=-2, axis2=-1), axis=0)
        unit = (2.0 / len(D)) ** 0.25 / np.sqrt(np.maximum(information, 1e-300))
        limits = term.common(np.sqrt(np.sum((C * unit) ** 2, axis=1)))
        limited.append(replace(term, detection_limits=tuple(float(limit) for limit in limits)))
    return tuple(limited)


class FixedEffects(NamedTuple):
    """The normal distribution of the integrated gamma at points: a root of the precision, and the mean through it."""

    L: Array  # (n, q, q)
    half: Array  # (n, q, 1)


def fixed_effects(target: MarginalPosterior, theta: Array, reduced: Reduced) -> FixedEffects:
    """Their distribution given ``theta (n, m)``."""
    H, h, _ = target.gaussian(theta, reduced)
    L = np.linalg.cholesky(H)
    return FixedEffects(L, solve_lower(L, h[..., None]))


def fixed_at(target: MarginalPosterior, theta: Array, fixed: FixedEffects, noise: Array) -> Array:
    """Fixed effects given ``theta (n, m)`` at spherical ``noise (n, integrated)``, as deviations: ``(n, p)``."""
    half = fixed.half + noise[..., None]
    deviation = np.empty((len(theta), target.problem.p))
    deviation[:, ~target.explored] = solve_upper(fixed.L, half[..., 0])
    deviation[:, target.explored] = target.parts(theta)[2] - target.gamma_ols[target.explored]
    return deviation @ target.to_gamma.T


def _side_by_side(roots: list[Array]) -> Array:
    return roots[0] if len(roots) == 1 else side_by_side(roots)


# ---- sampling ---------------------------------------------------------------------------------------------------


def applies(spec: ModelSpec) -> bool:
    """Whether random and fixed effects can be integrated out in closed form."""
    return spec.is_linear or spec.has_row_covariance


def scatter(target: MarginalPosterior, at: Array, rng: np.random.Generator) -> Array:
    """Overdispersed points ``(n, m)`` of theta, from which modes are searched."""
    explored = tuple(prior for prior, own in zip(target.priors.fixed, target.explored, strict=True) if own)
    return scattered(target.terms, target.priors, at, rng, has_sigma=not target.unit_sigma, explored=explored)
