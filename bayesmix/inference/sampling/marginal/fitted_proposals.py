"""Fits of the mixture that proposes covariance parameters, and coefficients that have to be explored beside them.

Given covariance parameters the fixed effects are proposed from the Gaussian approximation. A coefficient that the data
hardly determine has a skewed posterior with a long tail (a negative binomial's shape where counts are hardly
overdispersed, an inflation of zeros that is hardly there), so that the weights vary along it. Where a regression of the
log weights says so, it is explored with the covariance parameters: the mixture, fitted to weighted proposals, has its
skewness, and all other effects are proposed given its value.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from bayesmix.arrays import Array
from bayesmix.inference.estimation.point_estimate import PointEstimate
from bayesmix.inference.parameters.likelihood import SeveralPredictors
from bayesmix.inference.sampling.marginal.effect_proposals import Proposed, propose
from bayesmix.inference.sampling.marginal.gaussian_approximation import GaussianApproximation, coefficients
from bayesmix.inference.sampling.marginal.independence_metropolis import find_modes, pilot_size
from bayesmix.inference.sampling.marginal.marginal_posterior import scatter
from bayesmix.inference.sampling.marginal.sampler import with_emulator
from bayesmix.inference.sampling.marginal.t_mixture import ROUNDS, Mixture, adapt, fitted, normalised, tempered
from bayesmix.inference.sampling.marginal.weight_regression import TELLING, telling

# proposals of a level, the fewest first; where levels are nested in others, of the inner and of the outer ones
LADDER: tuple[tuple[int, ...], ...] = ((4,), (8,), (16,))
NESTED_LADDER: tuple[tuple[int, ...], ...] = ((4,), (4, 4), (4, 8), (8, 8))
JOINT_LADDER, NESTED_JOINT_LADDER = ((8,), (16,), (32,)), ((4, 4), (8, 8))  # where all parameters are explored jointly
JOINT_GOOD = 0.6  # efficiency at which no more proposals are tried
JOINT_DENSITIES = 10_000  # most densities of rows a proposal for that, half of them
PILOT = 500  # proposals that measure the efficiency
TOLD, TELLINGS = 1_000, 2  # proposals that a regression of their weights is made of, and most regressions at first
FEW = 4  # coefficients of a predictor that are explored together
REFINED = 3  # rounds of a mixture that has been fitted to weighted draws before
GOOD = 0.45  # efficiency that will do ...
BLOCKS_GOOD = (
    0.6  # ... of rows with several predictors, where one more costs little, but for those made in large number
)
DENSITIES = 200_000  # most densities of rows a proposal that are tried for the sake of efficiency
CHEAP = 3_000  # densities of rows, and numbers of one factorisation, a proposal up to which that many are made
DEAR = 20_000  # numbers of one factorisation from which on polynomials fit the mixture
MAX_DIMENSION = 15  # of covariance parameters, for a global proposal


@dataclass(frozen=True, slots=True, eq=False)
class FittedProposal:
    """How proposals are made, and how good they were when they were fitted."""

    approximation: GaussianApproximation
    mixture: Mixture
    tries: tuple[int, ...]
    efficiency: float


@dataclass(frozen=True, slots=True, eq=False)
class Weighted:
    """Proposals and their importance weights."""

    proposal: FittedProposal
    theta: Array  # (N, m)
    proposed: Proposed
    log_weights: Array  # (N,)

    @property
    def efficiency(self) -> float:
        """Effective share of the proposals as importance draws."""
        return 1.0 / float(np.sum(normalised(self.log_weights) ** 2)) / len(self.log_weights)

    @property
    def longest(self) -> float:
        """Largest weight over the mean of all: about how many proposals a chain stays at that one."""
        return float(normalised(self.log_weights).max()) * len(self.log_weights)


def weighted(proposal: FittedProposal, theta: Array, proposed: Proposed) -> Weighted:
    """Weights of proposals made at the first of ``theta``; all of them, unless that was interrupted."""
    theta = theta[: len(proposed.shift)]
    return Weighted(proposal, theta, proposed, proposed.log_density - proposal.mixture.log_density(theta))


def _pilot(proposal: FittedProposal, n: int, rng: np.random.Generator) -> Weighted:
    theta = proposal.mixture.draw(n, rng)
    return weighted(proposal, theta, propose(proposal.approximation, theta, proposal.tries, rng))


def first_mixture(approximation: GaussianApproximation, point: PointEstimate, rng: np.random.Generator) -> Mixture:
    """Fit a mixture to the posterior of theta under the approximation."""
    target = approximation.target
    quick, _, _ = with_emulator(target, point, rng, DEAR)
    at = target.start(point)
    # polynomials hold around the estimate only
    modes = find_modes(quick, at, None if quick.emulator is not None else scatter(target, at, rng))
    return adapt(quick, modes.mixture(), pilot_size(len(at)), rng).mixture


def fit_first(approximation: GaussianApproximation, point: PointEstimate, rng: np.random.Generator) -> FittedProposal:
    """Fit the proposal of theta, to the approximation's posterior first, then to the model's own as it is estimated."""
    mixture = first_mixture(approximation, point, rng)
    ladder, found = _ladder(approximation), FittedProposal(approximation, mixture, LADDER[0], 0.0)
    if approximation.has_blocks:
        found = _with_telling(replace(found, tries=ladder[0]), rng)
    return _with_more(found, ladder, rng)


def _with_more(first: FittedProposal, ladder: Sequence[tuple[int, ...]], rng: np.random.Generator) -> FittedProposal:
    """As many proposals a level as are needed; where they do not help, the mixture is fitted to the model's density."""
    best = replace(first, efficiency=0.0)
    rows = first.approximation
    enough = BLOCKS_GOOD if rows.has_blocks and rows.size * np.prod(ladder[0]) > CHEAP else GOOD
    for tries in ladder:
        trial = replace(first, tries=tries)
        efficiency = _pilot(trial, PILOT, rng).efficiency
        if efficiency > best.efficiency:
            best = replace(trial, efficiency=efficiency)
        if best.efficiency > enough:
            break
    if best.efficiency > GOOD:
        return best
    adapted = _adapted(best, rng, is_fitted=bool(first.approximation.target.explored.any()))
    return best if best.efficiency > adapted.efficiency else adapted


def _adapted(
    proposal: FittedProposal, rng: np.random.Generator, *, is_fitted: bool, rounds: int = ROUNDS
) -> FittedProposal:
    """The same with its mixture fitted to the density that it proposes for."""

    def density(at: Array) -> Array:
        return propose(proposal.approximation, at, proposal.tries, rng).log_density

    size = pilot_size(proposal.mixture.means.shape[1])
    adapted = adapt(density, proposal.mixture, size, rng, is_fitted=is_fitted, rounds=rounds)
    return replace(proposal, mixture=adapted.mixture, efficiency=adapted.efficiency)


def _with_telling(found: FittedProposal, rng: np.random.Generator) -> FittedProposal:
    """The same with coefficients explored along which weights vary."""
    for _ in range(TELLINGS):
        further = with_telling(_pilot(found, TOLD, rng), rng, TELLING)
        if further is None:
            break
        found = further
    return found


def with_telling(found: Weighted, rng: np.random.Generator, limit: float) -> FittedProposal | None:
    """A proposal that explores the coefficients, too, along which the weights vary; None where they do along none.

    Weights of rows with one predictor are not asked: those models explore all of their parameters, where any.
    """
    old = found.proposal.approximation
    if old.is_joint or not old.has_blocks:
        return None
    explored = old.target.explored
    gamma = coefficients(old.target, found.proposed.shift)
    most = MAX_DIMENSION - old.target.covariances
    more = telling(gamma, found.log_weights, explored, most, limit)
    if (more == explored).all():
        return None
    more = _with_their_predictors(old, more, most)
    return _adapted(_refitted(found, old.exploring(more), rng), rng, is_fitted=True, rounds=REFINED)


def _with_their_predictors(approximation: GaussianApproximation, explored: Array, most: int) -> Array:
    """Coefficients and the others of their predictors, ``(p,) bool``, where those are of parameters beside the means.

    Weights that vary along one coefficient of a shape vary along the others, too, along which they tell less. Where a
    predictor has effects of its own, mixtures of more dimensions were poorer.
    """
    target, likelihood = approximation.target, approximation.problem.likelihood
    assert isinstance(likelihood, SeveralPredictors)
    beside = {r for part in likelihood.parts for r in part.beside_means}
    working = target.problem.coordinates
    beside -= {r for factor in working.factors for r, z in enumerate(np.split(factor.z, likelihood.R)) if z.any()}
    columns = (working.X @ target.to_gamma).reshape(likelihood.R, -1, len(explored))
    owners = np.argmax(np.abs(columns).max(axis=1), axis=0)
    for r in beside & set(owners[explored].tolist()):
        own = explored | (owners == r)
        if (owners == r).sum() <= FEW and own.sum() <= most:
            explored = own
    return explored


def with_more_tries(found: Weighted, rng: np.random.Generator) -> FittedProposal | None:
    """A proposal fitted to weighted draws, with more effects a level to choose from, where more are affordable.

    None for rows with one predictor, and where all parameters are explored: those are fitted by `fit_jointly`.
    """
    old = found.proposal.approximation
    if old.is_joint or not old.has_blocks:
        return None
    more = [tries for tries in _ladder(old) if np.prod(tries) > np.prod(found.proposal.tries)]
    first = replace(_refitted(found, old, rng), tries=(*more, found.proposal.tries)[0])
    return _adapted(first, rng, is_fitted=True, rounds=REFINED)


def _refitted(found: Weighted, approximation: GaussianApproximation, rng: np.random.Generator) -> FittedProposal:
    """The mixture fitted to weighted proposals, in the coordinates that an approximation explores."""
    x = approximation.coordinates(found.theta, found.proposed.shift, found.proposed.log_dispersion)
    weights = tempered(found.log_weights, x.shape[1])
    approximation = approximation.at(x[int(np.argmax(weights))], approximation.dispersion)
    return FittedProposal(approximation, fitted(x, weights, rng), found.proposal.tries, 0.0)


def affords_joint(proposal: FittedProposal) -> bool:
    """Whether all but the random effects can be explored together, with many proposals a level."""
    approximation = proposal.approximation
    dimension = (
        approximation.target.covariances + approximation.target.problem.p + int(approximation.dispersion is not None)
    )
    return (
        dimension <= MAX_DIMENSION
        and approximation.size * int(np.prod(_joint_ladder(approximation)[-1])) <= JOINT_DENSITIES
    )


def _joint_ladder(approximation: GaussianApproximation) -> Sequence[tuple[int, ...]]:
    stages = approximation.target.problem.coordinates.plan.nested
    return JOINT_LADDER if stages < 2 else NESTED_JOINT_LADDER


def fit_jointly(found: Weighted, rng: np.random.Generator) -> FittedProposal:
    """Fit a mixture to all parameters together, from weighted proposals of which some weigh too much.

    A normal approximation of the fixed effects given theta has tails that are too light where data are few; and where
    an outcome is all but certain, effects are as large as their standard deviation lets them be.
    """
    old = found.proposal.approximation
    ladder = _joint_ladder(old)
    if old.is_joint:
        weights = tempered(found.log_weights, found.theta.shape[1])
        approximation = old.at(found.theta[int(np.argmax(weights))], old.dispersion)
        best = FittedProposal(approximation, found.proposal.mixture.widened(), ladder[-1], 0.0)
        return _adapted(best, rng, is_fitted=True)
    best = _refitted(found, old.jointly(), rng)
    for tries in ladder:
        best = _adapted(replace(best, tries=tries), rng, is_fitted=True)
        if best.efficiency > JOINT_GOOD:
            break
    return best


def _ladder(approximation: GaussianApproximation) -> Sequence[tuple[int, ...]]:
    """Numbers of proposals to try in turn: more from the start where they cost nothing, no more than is affordable."""
    n, stages = approximation.size, approximation.target.problem.coordinates.plan.nested
    if not stages:  # no level has proposals
        return LADDER[:1]
    ladder = NESTED_LADDER if stages > 1 else LADDER
    fitting = [tries for tries in ladder if n * np.prod(tries) <= DENSITIES]
    return fitting[1:] if len(fitting) > 1 and n * np.prod(fitting[1]) <= CHEAP else fitting or ladder[:1]
