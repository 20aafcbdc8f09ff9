"""Random effects in coordinates in which the Gaussian approximation of their distribution is spherical.

Given the parameters ``x`` (covariances, fixed effects, dispersion) the approximation has ``b = m(x) + L(x) z``, ``z``
standard normal. In coordinates ``(x, z)`` the posterior density is

    p(x, z | y)  ~  s(y | theta) p(theta) N(noise | 0, I) N(z | 0, I) prod_i p(y_i | eta_i) / s(y_i | eta_i),

``s`` the densities of the approximation, whose fixed effects are spherical noise, too. ``m``, ``L`` and
``s(y | theta)`` cost no pass over the rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import numpy as np

from bayesmix.arrays import Array
from bayesmix.inference.least_squares.cholesky import DenseEnd, Eliminated, Factorisation
from bayesmix.inference.least_squares.incidence import effects_on_rows
from bayesmix.inference.least_squares.solve import at_noise, levels_at_noise
from bayesmix.inference.sampling.marginal.effect_proposals import by_dispersion
from bayesmix.inference.sampling.marginal.gaussian_approximation import GaussianApproximation, predictor
from bayesmix.inference.sampling.marginal.marginal_posterior import fixed_at
from bayesmix.inference.sampling.marginal.parameter_proposal import Parameters

AXES = {"Lambda": 2, "D": 3, "a": 2, "B": 3, "L": 3, "P": 3}  # of one point, of what an elimination leaves


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
            _factorisations(accepted, other.factorisation, self.factorisation),
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

    def where(self, accepted: Array, other: State, conditional: Conditional | None = None) -> State:
        """The other one for the chains that accepted it ``(C,) bool``."""
        return State(
            self.conditional if conditional is None else conditional,
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

    def conditional(self, at: Parameters) -> Conditional:
        """The approximate distribution at parameters; minus infinity for a log density where numbers fail.

        Raises
        ------
        numpy.linalg.LinAlgError
            If one cannot be factorised.
        """
        target = self.approximation.target
        theta = at.x[:, : target.size]
        prior = target.log_prior(theta)
        usable = np.where(np.isfinite(prior)[:, None], theta, self.approximation.centre)
        factorisation = target.factorise(usable)
        shift = fixed_at(target, usable, factorisation, at.noise)
        value = target.log_likelihood(usable, factorisation) + prior - 0.5 * np.sum(at.noise**2, axis=1)
        value = value + self.approximation.prior_remainder(shift)
        log_dispersion, density = np.zeros(len(theta)), target.priors.dispersion
        if self.approximation.dispersion is not None and density is not None:
            log_dispersion = at.x[:, -1]
            value = value + density.log_density(np.exp(log_dispersion)) + log_dispersion
            value = value + by_dispersion(target, usable, log_dispersion)
        value = np.where(np.isfinite(value), value, -np.inf)
        return Conditional(at, factorisation, shift, log_dispersion, value)

    def state(self, conditional: Conditional, z: Sequence[Array]) -> State:
        """Where chains stand with these parameters and z: one pass over the rows."""
        b = at_noise(conditional.factorisation, conditional.combination, z)
        eta = predictor(self.approximation.target, conditional.shift, b)
        return State(conditional, tuple(z), tuple(b), eta, self._ratio(eta, conditional))

    def with_levels(self, state: State, number: int, z: Array) -> State:
        """The same with other z of one factor: one pass over the rows."""
        own = state.conditional
        later, parts = list(state.b[number + 1 :]), [*state.z]
        parts[number] = z
        for place in reversed(range(number + 1)):
            later.insert(0, levels_at_noise(own.factorisation, place, own.combination, later, parts[place]))
        eta = state.eta.copy()
        factors = self.approximation.target.problem.coordinates.factors
        for place in range(number + 1):
            eta += effects_on_rows(factors[place].z, factors[place].codes, later[place] - state.b[place])
        return State(own, tuple(parts), tuple(later), eta, self._ratio(eta, own))

    def where_levels(self, state: State, number: int, accepted: Array, other: State) -> State:
        """The other one for the levels of a factor that accepted it ``(C, J) bool``, and for those nested in them."""
        factors = self.approximation.target.problem.coordinates.factors
        on_rows = accepted[:, factors[number].codes]
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


def where(accepted: Array, new: Array, old: Array, axes: int | None = None) -> Array:
    """New values for the chains that accepted them; ``axes`` of one chain, if values may be the same for all."""
    if new.ndim == axes:
        return new
    return np.where(accepted.reshape(-1, *[1] * (new.ndim - 1)), new, old)


def _factorisations(accepted: Array, new: Factorisation, old: Factorisation) -> Factorisation:
    steps = zip(new.eliminated, old.eliminated, strict=True)
    end = None
    if new.end is not None and old.end is not None:
        pairs = zip(new.end.Lambdas, old.end.Lambdas, strict=True)
        Lambdas = tuple(where(accepted, *pair) for pair in pairs)
        B, L = where(accepted, new.end.B, old.end.B, 2), where(accepted, new.end.L, old.end.L)
        end = DenseEnd(Lambdas, new.end.H[:, :0], B, L)  # H is not needed again
    return replace(
        new,
        eliminated=tuple(_eliminations(accepted, *pair) for pair in steps),
        end=end,
        log_determinant=where(accepted, new.log_determinant, old.log_determinant),
        XX=where(accepted, new.XX, old.XX),
    )


def _eliminations(accepted: Array, new: Eliminated, old: Eliminated) -> Eliminated:
    parts = ((getattr(new, one.name), getattr(old, one.name), AXES[one.name]) for one in fields(Eliminated))
    return Eliminated(*(where(accepted, *part) for part in parts))
