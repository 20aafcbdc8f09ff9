"""The linear mixed model nearest to a generalized one: a Gaussian approximation of the likelihood.

Row by row the log density ``l_i`` of the linear predictor gives way to the quadratic nearest to it over the posterior,

    l_i(eta) ~ log N(z_i | eta, 1 / w_i),    w_i = E[-l_i''(eta_i)],    z_i = E[eta_i] + E[l_i'(eta_i)] / w_i,

the projection on Hermite polynomials, and so the variational Gaussian approximation (Opper, Archambeau 2009, Neural
Comput. 21). The expectations are means over draws of the approximation itself; they start at the mode and are repeated
until what is left unexplained is small and no longer shrinks. Priors of fixed effects that are not Gaussian are treated
as rows, too. Random and fixed effects of the approximation integrate out exactly, see `marginal_posterior`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from bayesmix.arrays import Array
from bayesmix.data.design.design import Design
from bayesmix.errors import FitError
from bayesmix.inference.estimation.conditional_mode import GeneralizedProblem, generalized_problem
from bayesmix.inference.estimation.point_estimate import PointEstimate
from bayesmix.inference.least_squares.cholesky import Factorisation
from bayesmix.inference.least_squares.incidence import effects_on_rows
from bayesmix.inference.least_squares.solve import draw
from bayesmix.inference.parameters.priors_in_force import Priors
from bayesmix.inference.parameters.unconstrained import term_coordinates
from bayesmix.inference.sampling.marginal.alike_rows import AlikeRows, of_first_factor
from bayesmix.inference.sampling.marginal.independence_metropolis import find_mode
from bayesmix.inference.sampling.marginal.laplace_draws import around
from bayesmix.inference.sampling.marginal.log_dispersion import Dispersion, dispersion_given, log_density
from bayesmix.inference.sampling.marginal.marginal_posterior import (
    MarginalPosterior,
    fixed_at,
    fixed_effects,
    with_detection_limits,
)
from bayesmix.inference.sampling.marginal.matched_priors import match_prior
from bayesmix.inference.sampling.marginal.number_starts import by_priors, with_numbers_moved, within_priors
from bayesmix.inference.sampling.marginal.row_quadratics import (
    BlockQuadratics,
    PseudoResponses,
    RowQuadratics,
    match_rows,
)
from bayesmix.inference.sampling.marginal.t_mixture import NO_PROPOSAL, ApproximationError
from bayesmix.language.formula.model_spec import ModelSpec

ROUNDS = 6
STEPS, DRAWS = 14, 300  # rounds where each may go a part of the way; draws of the approximation in each round
ENOUGH = 0.05  # relative fall of the spread of the remainder below which rounds stop ...
SMALL = 1.0  # ... if it is this small; where it is not, it hides behind its noise that later rounds fit better
LEVEL = 3  # rounds in turn that do not fall, after which the noise of their draws is all that is left
LAX = 1.25  # how much larger the spread of a later round may be, noise again
HOPELESS = 2.0  # spread of the remainder, over the root of the number of rows, of an approximation of nothing
MARGIN = 5.0  # of log densities by quadratics of any sign over those by positive ones, beyond that at the estimate


@dataclass(frozen=True, slots=True, eq=False)
class GaussianApproximation:
    """A generalized linear mixed model and the linear one that stands in for it."""

    problem: GeneralizedProblem
    target: MarginalPosterior  # of the pseudo-responses; its sigma is one
    rows: RowQuadratics
    centre: Array  # (m,) mode of theta under the Gaussian approximation
    dispersion: Dispersion | None
    spread: float  # standard deviation of the log-likelihood ratio of the two over draws of the Gaussian approximation
    is_joint: bool = False  # fixed effects and log dispersion are coordinates beside theta, not drawn given it
    positive: GaussianApproximation | None = None  # where this one cannot be factorised: with positive weights
    alike: AlikeRows | None = None  # rows of a level of the first factor that are computed together

    def at(self, centre: Array, dispersion: Dispersion | None) -> GaussianApproximation:
        """The same around a mode."""
        positive = None if self.positive is None else self.positive.at(centre, dispersion)
        return replace(self, centre=centre, dispersion=dispersion, positive=positive)

    def with_alike(self, alike: AlikeRows | None) -> GaussianApproximation:
        """The same with rows that are computed together."""
        positive = None if self.positive is None else self.positive.with_alike(alike)
        return replace(self, alike=alike, positive=positive)

    @property
    def has_blocks(self) -> bool:
        """Whether rows have several predictors."""
        return self.problem.likelihood.R > 1

    @property
    def size(self) -> int:
        """Number of linear predictors of all rows: a measure of the cost of their densities."""
        return len(self.problem.offset)

    def exploring(self, coefficients: Array, *, is_joint: bool = False) -> GaussianApproximation:
        """The same with some coefficients ``(p,) bool`` as coordinates beside theta.

        How far quadratics of any sign may be above positive ones was said of fixed effects that are integrated out.
        """
        positive = None if self.positive is None else self.positive.exploring(coefficients, is_joint=is_joint)
        fallback = None if positive is None else positive.target
        target = replace(self.target, explored=coefficients, fallback=fallback, excess=math.inf)
        return replace(self, target=target, is_joint=is_joint, positive=positive)

    def jointly(self) -> GaussianApproximation:
        """The same with coordinates ``(theta, gamma, log dispersion)`` for all but the random effects."""
        return self.exploring(np.ones(len(self.target.explored), bool), is_joint=True)

    def coordinates(self, theta: Array, shift: Array, log_dispersion: Array) -> Array:
        """Coordinates ``(B, m)`` that are explored here, from those of draws that had fewer."""
        parts = [theta[:, : self.target.covariances], coefficients(self.target, shift)[:, self.target.explored]]
        last = [log_dispersion[:, None]] if self.is_joint and self.dispersion is not None else []
        return np.concatenate([*parts, *last], axis=1)

    def remainder(self, eta: Array, log_dispersion: Array) -> Array:
        """Log density of each row minus that of its approximation at ``eta (..., N)``, the offset not included."""
        return self.rows.taken_from(log_density(self.problem, eta, log_dispersion), eta)

    def quadratics_of(self, own: Sequence[Array]) -> Array:
        """Those of the approximation, without constants: `BlockQuadratics.value_of`."""
        assert isinstance(self.rows, BlockQuadratics)
        return self.rows.value_of(own)

    def prior_remainder(self, shift: Array) -> Array:
        """Log prior density of fixed effects ``(B, p)``, deviations of `fixed_at`, minus its approximation's."""
        total, priors = np.zeros(len(shift)), self.target.priors.fixed
        is_matched = np.array([prior.kind != "Normal" and not prior.is_flat for prior in priors], bool)
        own = np.flatnonzero(is_matched & ~self.target.explored)
        gamma = coefficients(self.target, shift) if len(own) else shift
        for j in own:
            mean, precision = self.target.mean[j], self.target.precision[j]
            total = total + priors[j].log_density(gamma[:, j])
            total = total + 0.5 * precision * (gamma[:, j] - mean) ** 2
            total = total - 0.5 * np.log(precision / (2.0 * np.pi))
        return total


def coefficients(target: MarginalPosterior, shift: Array) -> Array:
    """The coefficients ``gamma (..., p)`` that carry the priors, from deviations of `fixed_at`."""
    return np.linalg.solve(target.to_gamma, (target.problem.beta_ols + shift)[..., None])[..., 0]


def predictor(target: MarginalPosterior, shift: Array, b: Sequence[Array]) -> Array:
    """Linear predictors ``(B, n)`` without offset, of fixed effects ``(B, p)`` and effects ``(B, J, k)`` a factor."""
    working = target.problem.coordinates
    total = (target.problem.beta_ols + shift) @ working.X.T
    for factor, effects in zip(working.factors, b, strict=True):
        total += effects_on_rows(factor.z, factor.codes, effects, factor.slots)
    return np.asarray(total)


def fit_approximation(
    design: Design,
    spec: ModelSpec,
    priors: Priors,
    point: PointEstimate,
    rng: np.random.Generator,
    *,
    most: int | None = None,
) -> GaussianApproximation:
    """Find the Gaussian approximation, from a point estimate on: its conditional mode, or Laplace's distribution there.

    ``most``: draws a round, of which the first that is no better is the last: for moves that ask less of it than
    independent proposals do.

    Raises
    ------
    ApproximationError
        If none is found.
    """
    problem = generalized_problem(design, point.coordinates, spec)
    point = with_numbers_moved(problem, design, priors, point)
    # what has no standard error, where modes beside the optimum are lost, is told nothing of: its prior stands in
    point = replace(point, beta_cov=np.nan_to_num(point.beta_cov))
    log_dispersion = np.log(float(point.dispersion or 1.0))
    fixed = _at_estimate(priors, point)
    if problem.likelihood.R > 1:
        point = within_priors(problem, design, priors, point, fixed)
    search = _Search(design, priors, point, problem, rng, min(DRAWS, most or DRAWS))
    if problem.likelihood.R > 1:
        return _from_estimate_or_priors(search, fixed).with_alike(of_first_factor(design, problem))
    eta = point.predictor(design) - design.offset
    rows = match_rows(problem, eta[None], np.array(log_dispersion))
    best: GaussianApproximation | None = None
    for _ in range(ROUNDS):
        found = search.at(rows, fixed, log_dispersion)
        trial, log_dispersion = found.approximation, found.log_dispersion
        falls = best is None or trial.spread < (1.0 - ENOUGH) * best.spread
        best = trial if best is None or trial.spread < LAX * best.spread else best
        if not falls and (best.spread < SMALL or most is not None):
            break
        rows, fixed = search.next(found)
    assert best is not None
    return best


@dataclass(frozen=True, slots=True, eq=False)
class _Found:
    """An approximation and draws from it."""

    approximation: GaussianApproximation
    log_dispersion: float
    eta: Array  # (B, N) the offset not included
    shift: Array  # (B, p)


@dataclass(frozen=True, slots=True, eq=False)
class _Search:
    """What approximations are searched for."""

    design: Design
    priors: Priors
    point: PointEstimate
    problem: GeneralizedProblem
    rng: np.random.Generator
    draws: int  # of the approximation in each round

    def at(self, rows: RowQuadratics, fixed: Sequence[tuple[float, float]], log_dispersion: float) -> _Found:
        """The approximation with these quadratics, how far it is from the model, and draws from it."""
        approximation = _approximation(self.design, self.priors, self.point, self.problem, rows, fixed)
        target = approximation.target
        mode, covariance, _ = find_mode(target, target.start(self.point))
        theta = mode + self.rng.standard_normal((self.draws, len(mode))) @ np.linalg.cholesky(covariance).T
        shift, eta = _draw_predictors(target, theta, self.rng)
        dispersion = dispersion_given(self.problem, self.priors, eta, log_dispersion)
        log_dispersion = dispersion.mean if dispersion is not None else 0.0
        trial = approximation.at(mode, dispersion)
        ratio = trial.remainder(eta, np.array(log_dispersion)).sum(axis=-1) + trial.prior_remainder(shift)
        return _Found(replace(trial, spread=_spread(ratio)), log_dispersion, eta, shift)

    def tried(self, rows: RowQuadratics, fixed: Sequence[tuple[float, float]]) -> _Found | None:
        """The same, None where numbers fail."""
        with np.errstate(all="ignore"):
            try:
                found = self.at(rows, fixed, 0.0)
            except (np.linalg.LinAlgError, FitError):
                return None
        return found if np.isfinite(found.eta).all() and math.isfinite(found.approximation.spread) else None

    def next(self, found: _Found) -> tuple[RowQuadratics, list[tuple[float, float]]]:
        """Quadratics of rows, and moments of the priors of fixed effects, nearest over the draws."""
        gamma = coefficients(found.approximation.target, found.shift)
        before = zip(found.approximation.target.mean, found.approximation.target.precision, strict=True)
        parts = zip(self.priors.fixed, gamma.T, before, strict=True)
        fixed = [match_prior(prior, draws, float(draws.std()), own) for prior, draws, own in parts]
        return match_rows(self.problem, found.eta, np.array(found.log_dispersion)), fixed


def _at_estimate(priors: Priors, point: PointEstimate) -> list[tuple[float, float]]:
    """Means and precisions for the priors of the coefficients, from a point estimate."""
    gamma, covariance = priors.moments(point.beta, point.beta_cov)
    width = np.sqrt(np.maximum(np.diagonal(covariance), 1e-12))
    return [match_prior(prior, at[None], sd) for prior, at, sd in zip(priors.fixed, gamma, width, strict=True)]


def _from_estimate_or_priors(search: _Search, fixed: list[tuple[float, float]]) -> GaussianApproximation:
    """The approximation of rows with several predictors that rounds from the estimate lead to.

    From the priors where that is none, or one of nothing: such an estimate is at a pole of the likelihood.
    """
    found = [_by_steps(search, fixed)]
    if found[0] is None or found[0].spread > HOPELESS * math.sqrt(search.design.n):
        other = by_priors(search.problem, search.design, search.priors, search.point)
        found.append(_by_steps(replace(search, point=other), _at_estimate(search.priors, other)))
    best = min((one for one in found if one is not None), key=lambda one: one.spread, default=None)
    if best is None:
        raise ApproximationError(NO_PROPOSAL)
    return best


def _by_steps(search: _Search, fixed: list[tuple[float, float]]) -> GaussianApproximation | None:
    """Rounds of which each may go only a part of the way.

    Where a parameter beside the mean has effects of its own, ``E exp(-2 log sigma)`` over too wide an approximation is
    so large that the next one is far too narrow, and the one after that too wide. Near the end rounds still go back and
    forth, within the noise of their draws: each after the one that fell last goes a smaller part, the average of them.
    """
    draws = around(search.point, search.design, search.priors.contrast, fixed, rng=search.rng, n=DRAWS)
    rows = match_rows(search.problem, draws, np.zeros(()))
    assert isinstance(rows, BlockQuadratics)
    best: GaussianApproximation | None = None
    base, wanted, share, level = rows, rows, 1.0, 0  # the last: how many rounds in turn have not fallen
    for _ in range(STEPS):
        found = search.tried(base.towards(wanted, share), fixed)
        if found is None or not found.approximation.spread < (math.inf if best is None else LAX * best.spread):
            share *= 0.5
            base = base if best is not None else base.projected()
            continue
        spread = found.approximation.spread
        level = 0 if best is None or spread < (1.0 - ENOUGH) * best.spread else level + 1
        best = found.approximation if best is None or spread < best.spread else best
        if level and (best.spread < SMALL or level == LEVEL):
            break
        following, fixed = search.next(found)
        assert isinstance(following, BlockQuadratics)
        base, wanted, share = base.towards(wanted, share), following, min(1.0 / (1.0 + level), 2.0 * share)
    return best


def _spread(values: Array) -> float:
    """Standard deviation from the quartiles: a few wild draws of an early round must not decide."""
    low, high = np.quantile(values[np.isfinite(values)], [0.25, 0.75]) if np.isfinite(values).any() else (0.0, np.inf)
    return float(high - low) / 1.349


def _approximation(
    design: Design,
    priors: Priors,
    point: PointEstimate,
    problem: GeneralizedProblem,
    rows: RowQuadratics,
    fixed: Sequence[tuple[float, float]],
) -> GaussianApproximation:
    """The model whose rows have these quadratics for log densities."""
    target, positive = _target(design, priors, point, rows, fixed), rows.projected()
    plain = GaussianApproximation(problem, target, rows, np.zeros(target.size), None, np.inf)
    if positive is None:
        return plain
    inner = _target(design, priors, point, positive, fixed)
    shared = replace(target, terms=inner.terms, fallback=inner, excess=_excess(target, inner, point))
    return replace(plain, target=shared, positive=replace(plain, target=inner, rows=positive))


def _excess(target: MarginalPosterior, positive: MarginalPosterior, point: PointEstimate) -> float:
    """How far the density by quadratics of any sign may be above that by positive ones, which it is nowhere below.

    Little more than at the estimate, and than one an effect: it has no bound where the whole is nearly singular, and no
    posterior there.
    """
    at = positive.start(point)[None]
    own = replace(target, terms=positive.terms)  # in the same coordinates
    gain = float(own(at)[0]) - float(positive(at)[0])
    effects = sum(levels * k for levels, k in point.coordinates.pattern.shapes)
    return min(gain, float(effects + target.problem.p)) + MARGIN


def _target(
    design: Design, priors: Priors, point: PointEstimate, rows: RowQuadratics, fixed: Sequence[tuple[float, float]]
) -> MarginalPosterior:
    """The marginal posterior of those rows."""
    problem = rows.problem(design, point.coordinates)
    to_gamma = np.linalg.inv(priors.contrast @ point.coordinates.T)
    moments = np.array(fixed).reshape(-1, 2)
    return MarginalPosterior(
        problem,
        priors,
        with_detection_limits(term_coordinates(design.terms), problem),
        to_gamma,
        np.linalg.solve(to_gamma, problem.beta_ols),
        np.zeros(len(moments), bool),
        moments[:, 0],
        moments[:, 1],
        unit_sigma=True,
        is_normal=isinstance(rows, PseudoResponses),
    )


def _draw_predictors(target: MarginalPosterior, theta: Array, rng: np.random.Generator) -> tuple[Array, Array]:
    """Fixed effects ``(B, p)`` and linear predictors ``(B, n)`` drawn given theta."""
    shifts, etas = [], []
    for rows in target.batches(len(theta)):
        for own, part, factorisation in target.where_factorised(theta[rows]):
            shift, _, b = draw_all(own, part, factorisation, rng)
            shifts.append(shift)
            etas.append(predictor(own, shift, b))
    return np.concatenate(shifts), np.concatenate(etas)


def draw_all(
    target: MarginalPosterior,
    theta: Array,
    factorisation: Factorisation,
    rng: np.random.Generator,
    *,
    noise: Array | None = None,
    end_only: bool = False,
) -> tuple[Array, Array, list[Array]]:
    """Fixed effects, as deviations, and random effects of each factor, drawn given ``theta (B, m)``.

    Parameters
    ----------
    noise : ``(B, integrated)`` spherical noise of the fixed effects, if it is not to be drawn here.

    Returns
    -------
    shift (B, p), combination (B, c), b per factor (B, J, k)
        ``combination`` is that of `pls.modes`; ``end_only`` as in `pls.draw`.
    """
    if noise is None:
        noise = rng.standard_normal((len(theta), int((~target.explored).sum())))
    shift = fixed_at(target, theta, fixed_effects(target, theta, target.reduced(factorisation)), noise)
    combination = np.concatenate([-shift, np.ones((len(shift), 1))], axis=1)
    return shift, combination, draw(factorisation, combination, np.ones(len(shift)), rng, end_only=end_only)
