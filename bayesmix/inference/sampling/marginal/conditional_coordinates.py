"""Random effects in coordinates in which the Gaussian approximation of their distribution is spherical.

Given the parameters ``x`` (covariances, fixed effects, dispersion) the approximation has ``b = m(x) + L(x) z``, ``z``
standard normal. In coordinates ``(x, z)`` the posterior density is

    p(x, z | y)  ~  s(y | theta) p(theta) N(noise | 0, I) N(z | 0, I) prod_i p(y_i | eta_i) / s(y_i | eta_i),

``s`` the densities of the approximation, whose fixed effects are spherical noise, too. ``m``, ``L`` and
``s(y | theta)`` cost no pass over the rows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from functools import partial

import numpy as np

from bayesmix.arrays import Array
from bayesmix.inference.least_squares.cholesky import DenseEnd, Eliminated, Factorisation
from bayesmix.inference.least_squares.incidence import effects_on_rows
from bayesmix.inference.least_squares.solve import at_noise, moved_by_noise
from bayesmix.inference.sampling.marginal.effect_proposals import by_dispersion
from bayesmix.inference.sampling.marginal.gaussian_approximation import GaussianApproximation, predictor
from bayesmix.inference.sampling.marginal.marginal_posterior import FixedEffects, fixed_at, fixed_effects
from bayesmix.inference.sampling.marginal.parameter_proposal import Parameters

AXES = {"Lambda": 2, "D": 3, "a": 2, "B": 3, "L": 3, "P": 3, "dense": 3}  # of one point, of what an elimination leaves


@dataclass(frozen=True, slots=True, eq=False)
class Points:
    """Covariance parameters, and what the approximation has of them whatever the fixed effects are."""

    x: Array  # (C, m)
    theta: Array  # (C, size) where that can be factorised, its centre elsewhere
    factorisation: Factorisation
    fixed: FixedEffects
    log_density: Array  # (C,) of x and, fixed and random effects integrated out, the responses

    def take(self, part: slice) -> Points:
        """Some of the points."""
        factorisation = _combined(lambda one, axes: one if one.ndim == axes else one[part], self.factorisation)
        fixed = FixedEffects(*(one[part] for one in self.fixed))
        return Points(self.x[part], self.theta[part], factorisation, fixed, self.log_density[part])


@dataclass(frozen=True, slots=True, eq=False)
class Conditional:
    """The approximate distribution of the random effects given parameters, one point a chain."""

    at: Parameters
    factorisation: Factorisation
    shift: Array  # (C, p) fixed effects as deviations
    log_dispersion: Array  # (C,)
    log_density: Array  # (C,) of all but the rows and z

    @property
    def combination(self) -> Array:
        """Weights ``(C, c)`` of the columns of ``[X y]``, as `solve.modes` has them."""
        return np.concatenate([-self.shift, np.ones((len(self.shift), 1))], axis=1)

    def where(self, accepted: Array, other: Conditional) -> Conditional:
        """The other one for the chains that accepted it ``(C,) bool``."""
        return Conditional(
            Parameters(where(accepted, other.at.x, self.at.x), where(accepted, other.at.noise, self.at.noise)),
            _combined(partial(where, accepted), other.factorisation, self.factorisation),
            where(accepted, other.shift, self.shift),
            where(accepted, other.log_dispersion, self.log_dispersion),
            where(accepted, other.log_density, self.log_density),
        )


@dataclass(frozen=True, slots=True, eq=False)
class State:
    """Where chains stand."""

    conditional: Conditional
    z: tuple[Array, ...]  # (C, J, k) of each factor that is eliminated level by level, then (C, q) of the dense end
    b: tuple[Array, ...]  # (C, J, k) per factor
    eta: Array  # (C, n) without offset
    ratio: Array  # (C, n) log density of each row over that of its approximation

    @property
    def log_density(self) -> Array:
        """Log posterior density in these coordinates ``(C,)``, up to a constant."""
        squares = sum(np.sum(part**2, axis=tuple(range(1, part.ndim))) for part in self.z)
        return np.asarray(self.log_density_of_rows - 0.5 * squares)

    @property
    def log_density_of_rows(self) -> Array:
        """The same over the standard normal density of z."""
        return np.asarray(self.conditional.log_density + self.ratio.sum(axis=-1))

    def where(self, accepted: Array, other: State) -> State:
        """The other one for the chains that accepted it ``(C,) bool``."""
        is_moved = other.conditional is not self.conditional
        return State(
            self.conditional.where(accepted, other.conditional) if is_moved else self.conditional,
            tuple(where(accepted, new, old) for new, old in zip(other.z, self.z, strict=True)),
            tuple(where(accepted, new, old) for new, old in zip(other.b, self.b, strict=True)),
            where(accepted, other.eta, self.eta),
            where(accepted, other.ratio, self.ratio),
        )


@dataclass(frozen=True, slots=True, eq=False)
class ConditionalCoordinates:
    """The coordinates of a generalized model with one linear predictor."""

    approximation: GaussianApproximation

    @property
    def nested(self) -> int:
        """Number of factors that are eliminated level by level."""
        return self.approximation.target.problem.coordinates.plan.nested

    @property
    def shapes(self) -> list[tuple[int, ...]]:
        """Shapes of z of one chain."""
        plan = self.approximation.target.problem.coordinates.plan
        return [*plan.shapes[: plan.nested], *([(plan.q,)] if plan.q else [])]

    @property
    def integrated(self) -> int:
        """Number of fixed effects."""
        return int((~self.approximation.target.explored).sum())

    def points(self, x: Array) -> Points:
        """Factorise at covariance parameters; minus infinity for a log density where numbers fail.

        Raises
        ------
        numpy.linalg.LinAlgError
            If one cannot be factorised.
        """
        target = self.approximation.target
        theta = x[:, : target.size]
        prior = target.log_prior(theta)
        usable = np.where(np.isfinite(prior)[:, None], theta, self.approximation.centre)
        factorisation = target.factorise(usable)
        reduced, density = target.reduced(factorisation), target.priors.dispersion
        value = target.log_likelihood(usable, reduced) + prior
        if self.approximation.dispersion is not None and density is not None:
            log_dispersion = x[:, -1]
            value = value + density.log_density(np.exp(log_dispersion)) + log_dispersion
            value = value + by_dispersion(target, usable, log_dispersion)
        return Points(x, usable, factorisation, fixed_effects(target, usable, reduced), value)

    def conditional(self, points: Points, noise: Array) -> Conditional:
        """The approximate distribution at parameters, with spherical noise ``(C, p)`` of the fixed effects."""
        shift = fixed_at(self.approximation.target, points.theta, points.fixed, noise)
        value = points.log_density - 0.5 * np.sum(noise**2, axis=1) + self.approximation.prior_remainder(shift)
        has_dispersion = self.approximation.dispersion is not None
        log_dispersion = points.x[:, -1] if has_dispersion else np.zeros(len(noise))
        value = np.where(np.isfinite(value), value, -np.inf)
        return Conditional(Parameters(points.x, noise), points.factorisation, shift, log_dispersion, value)

    def state(self, conditional: Conditional, z: Sequence[Array]) -> State:
        """Where chains stand with these parameters and z: one pass over the rows."""
        b = at_noise(conditional.factorisation, conditional.combination, z)
        eta = predictor(self.approximation.target, conditional.shift, b)
        return State(conditional, tuple(z), tuple(b), eta, self._ratio(eta, conditional))

    def with_noise(self, state: State, number: int, z: Array) -> State:
        """The same with other z of a factor, or, after those, of the dense end: one pass over the rows."""
        moved = moved_by_noise(state.conditional.factorisation, number, z - state.z[number])
        parts, b, eta = list(state.z), list(state.b), state.eta.copy()
        parts[number] = z
        for place, change in enumerate(moved):
            factor = self.approximation.target.problem.coordinates.factors[place]
            b[place] = b[place] + change
            eta += effects_on_rows(factor.z, factor.codes, change, factor.slots)
        return State(state.conditional, tuple(parts), tuple(b), eta, self._ratio(eta, state.conditional))

    def where_levels(self, state: State, number: int, accepted: Array, other: State) -> State:
        """The other one for the levels of a factor that accepted it ``(C, J) bool``, and for those nested in them."""
        factors = self.approximation.target.problem.coordinates.factors
        on_rows = np.take(accepted, factors[number].codes, axis=1)
        z, b = list(state.z), list(state.b)
        for place in range(number + 1):
            own = accepted if place == number else _of_levels(on_rows, factors[place].codes, factors[place].levels)
            z[place] = np.where(own[..., None], other.z[place], z[place])
            b[place] = np.where(own[..., None], other.b[place], b[place])
        eta, ratio = np.where(on_rows, other.eta, state.eta), np.where(on_rows, other.ratio, state.ratio)
        return State(state.conditional, tuple(z), tuple(b), eta, ratio)

    def within_levels(self, number: int, ratio: Array) -> Array:
        """Sums of rows ``(C, n)`` within the levels of a factor ``(C, J)``."""
        return self.approximation.target.problem.coordinates.pattern.observations[number].sum(ratio)

    def _ratio(self, eta: Array, own: Conditional) -> Array:
        return self.approximation.remainder(eta, own.log_dispersion)


def _of_levels(on_rows: Array, codes: Array, levels: int) -> Array:
    """What holds for all rows of a level, of each level: ``(C, J)`` from ``(C, n)``."""
    found = np.zeros((len(on_rows), levels), bool)
    found[:, codes] = on_rows
    return found


def where(accepted: Array, new: Array, old: Array, axes: int = 0) -> Array:
    """New values for the chains that accepted them; ``axes`` of one chain, if values may be the same for all."""
    if new.ndim == axes:
        return new
    return np.where(accepted.reshape(-1, *[1] * (new.ndim - 1)), new, old)


def _combined(function: Callable[..., Array], first: Factorisation, *others: Factorisation) -> Factorisation:
    """Arrays of factorisations, made of theirs by a function that also has the number of axes of one point."""
    every = (first, *others)
    steps = [
        Eliminated(*(function(*(getattr(one, f.name) for one in own), AXES[f.name]) for f in fields(Eliminated)))
        for own in zip(*(one.eliminated for one in every), strict=True)
    ]
    ends, end = [one.end for one in every if one.end is not None], None
    if ends:
        Lambdas = tuple(function(*own, 2) for own in zip(*(one.Lambdas for one in ends), strict=True))
        L, W = (function(*(getattr(one, name) for one in ends), 2) for name in ("L", "W"))
        end = DenseEnd(Lambdas, ends[0].H[:, :0], ends[0].B[:, :0], L, W)  # H and B are not needed again
    return replace(
        first,
        eliminated=tuple(steps),
        end=end,
        log_determinant=function(*(one.log_determinant for one in every), 0),
        XX=function(*(one.XX for one in every), 2),
    )
