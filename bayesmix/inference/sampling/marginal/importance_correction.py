"""The exact posterior of a generalized linear mixed model from independent proposals.

The linear mixed model nearest to it, `gaussian_approximation`, proposes: covariance parameters ``theta`` from a mixture
fitted to their posterior, then fixed and random effects from their exact distribution under the approximation. With
``s`` densities of the approximation, a proposal has the weight

    p(y, x, theta) / q(x, theta)  =  [s(z | theta) p(theta) / q(theta)]  prod_i p(y_i | eta_i) / s(z_i | eta_i),

by which Metropolis steps accept it. Effects of the factor with most levels are independent of each other given the
rest, so each level draws several proposals and its factor of the weight becomes the mean of theirs, of which one is
then picked; so do levels of factors that it is nested in, each of their proposals with proposals below it. That is a
particle independence Metropolis-Hastings step (Andrieu, Doucet, Holenstein 2010, J. R. Stat. Soc. B 72), exact for any
number of proposals. Weights that are nearly equal are the certificate: Pareto k, and acceptance by Metropolis's rule.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from bayesmix.arrays import Array
from bayesmix.data.design.design import Design
from bayesmix.inference.estimation.point_estimate import PointEstimate
from bayesmix.inference.parameters.covariance import structure_of
from bayesmix.inference.parameters.names import Parameters
from bayesmix.inference.parameters.priors_in_force import Priors
from bayesmix.inference.sampling.diagnostics import PROPOSAL_K_LIMIT, pareto_shape
from bayesmix.inference.sampling.draws import FEWEST, Draws, Schedule, interruption
from bayesmix.inference.sampling.marginal.alternating_sampler import sample_alternating
from bayesmix.inference.sampling.marginal.circular_choice import rotate
from bayesmix.inference.sampling.marginal.cost_model import (
    Costs,
    affords_alternating,
    against_alternating,
    costs,
    passes_of,
)
from bayesmix.inference.sampling.marginal.effect_proposals import Proposed, propose, together
from bayesmix.inference.sampling.marginal.fitted_proposals import (
    CHEAP,
    MAX_DIMENSION,
    FittedProposal,
    Weighted,
    affords_joint,
    fit_first,
    fit_jointly,
    weighted,
    with_more_tries,
    with_telling,
)
from bayesmix.inference.sampling.marginal.gaussian_approximation import GaussianApproximation, fit_approximation
from bayesmix.inference.sampling.marginal.independence_metropolis import integral, least_thin, metropolis
from bayesmix.inference.sampling.marginal.marginal_posterior import factorisation_numbers
from bayesmix.inference.sampling.marginal.sampler import Marginal, in_units
from bayesmix.inference.sampling.marginal.t_mixture import NO_PROPOSAL, ApproximationError
from bayesmix.inference.sampling.marginal.weight_regression import HINTING
from bayesmix.language.formula.model_spec import ModelSpec
from bayesmix.parallel.progress import told, working
from bayesmix.parallel.threads import keep_freed_memory

REFITS, POOR = 2, 0.4  # further fits of proposals of lower efficiency than this, or of heavy tails
BLOCKS_POOR = 0.3  # the first where rows have several predictors: a refit there takes longer than all draws
STAY = 10.0  # draws that a chain may stay at one proposal
ENOUGH, BLOCKS_ENOUGH = 1.5, 2.0  # effective proposals wanted for each draw, and where rows have several predictors,
# of which fitting the proposals costs as much as drawing them
FRACTION = 0.25  # of a proposal more a draw that is not worth a whole one
THIN, CHEAP_THIN = 3, 5  # most proposals a draw, and how many where they are cheap
MOST = 300_000_000  # random effects of all proposals, held together


def sample_generalized(
    design: Design,
    spec: ModelSpec,
    priors: Priors,
    point: PointEstimate,
    options: Marginal,
    schedule: Schedule,
) -> Draws:
    """Draw from the posterior; the draws are exact, the certificate says how well the proposals fitted.

    By independent proposals, or by alternating moves where those are expected to take much less: see `cost_model`.
    """
    expected = expected_costs(design, point, options, schedule)
    if expected.alternates:
        return sample_alternating(design, spec, priors, point, options, schedule, costs=expected)
    words = expected.words(schedule, alternating=False)
    told(words, is_shown=schedule.progress and not expected.is_quick)
    draws, chains, rng = schedule.draws, schedule.chains, np.random.default_rng(schedule.seed)
    run = _Run(draws, chains, options.thin, rng, schedule.progress)
    if design.R > 1:
        keep_freed_memory()
    with working("Fitting an approximation", is_shown=schedule.progress):
        first = _first_fit(fit_approximation(design, spec, priors, point, rng), point, rng)
    found = _good_enough(_drawn(first, run), run)
    complete = (found.length - 1) // found.thin
    if complete < min(FEWEST, draws):
        raise KeyboardInterrupt
    notes = (
        *([words] if expected.is_long else []),
        *([] if complete == draws else [interruption(complete, draws, chains)]),
    )
    log_weights = found.all.log_weights[: chains * found.length]
    kept, accepted = _states(found, log_weights.reshape(chains, found.length), rng)
    evidence, error = integral(log_weights)
    proposal, proposed = found.all.proposal, found.all.proposed
    approximation = proposal.approximation
    certificate = {
        "pareto_k": found.pareto_k,
        "acceptance": float(accepted.mean()),
        "proposals_a_level": float(np.prod(proposal.tries)),
        "remainder_sd": approximation.spread,
    }
    if not priors.has_flat:
        certificate |= {"log_evidence": evidence, "log_evidence_error": error}
    stats = {"lp": proposed.log_density[kept], "accepted": accepted}
    return Draws(in_user_units(approximation, found.all.theta, proposed, kept), stats, "marginal", notes, certificate)


def _states(found: _Drawn, log_weights: Array, rng: np.random.Generator) -> tuple[Array, Array]:
    """Which of all proposals each draw is, and whether Metropolis's rule accepts the last one for it.

    Draws of a seed of models of one predictor stay what they are, as in `_Drawn.is_good`.
    """
    picked, accepted = metropolis(log_weights, found.thin, rng)
    if found.has_blocks:
        picked = rotate(log_weights, found.thin, rng)
    return picked + np.arange(len(log_weights))[:, None] * found.length, accepted


def _first_fit(approximation: GaussianApproximation, point: PointEstimate, rng: np.random.Generator) -> FittedProposal:
    """The proposals that are fitted first; an approximation so far off that no mixture has numbers is none."""
    try:
        with np.errstate(all="ignore"):  # log weights of such proposals overflow
            return fit_first(approximation, point, rng)
    except np.linalg.LinAlgError as error:
        raise ApproximationError(NO_PROPOSAL) from error


@dataclass(frozen=True, slots=True, eq=False)
class _Run:
    draws: int
    chains: int
    thin: int | None
    rng: np.random.Generator
    progress: bool


@dataclass(frozen=True, slots=True, eq=False)
class _Drawn:
    """Proposals of a whole run."""

    all: Weighted
    pareto_k: float
    thin: int
    length: int  # of a chain of proposals
    is_interrupted: bool

    @property
    def has_blocks(self) -> bool:
        """Whether rows have several predictors."""
        return self.all.proposal.approximation.has_blocks

    @property
    def is_good(self) -> bool:
        """Whether neither the tail of the weights nor their spread asks for better proposals."""
        return self.is_bounded and self.all.efficiency >= (BLOCKS_POOR if self.has_blocks else POOR)

    @property
    def is_bounded(self) -> bool:
        """Whether the tail of the weights asks for no better proposals.

        Nor the largest of them: tail quantiles are not right where a chain stays out there. Models of one predictor are
        not asked for that, so that their draws of a seed stay what they are.
        """
        return self.pareto_k <= PROPOSAL_K_LIMIT and not self.is_held

    @property
    def is_held(self) -> bool:
        """Whether a chain stays too long at one proposal."""
        return self.has_blocks and self.all.longest > STAY * self.thin


def _good_enough(found: _Drawn, run: _Run) -> _Drawn:
    """The run, or one of more or of better proposals where those are wanted."""
    for _ in range(REFITS):
        if found.is_good or found.is_interrupted:
            break
        if _takes_more(found, run):
            found = _with_more(found, run)
            continue
        with working("Fitting better proposals", is_shown=run.progress):
            better = _refitted(found.all, run.rng)
        if better is None:
            break  # the certificate says so where no fit will do
        found = _better(_drawn(better, run, _least(found)), found)
    return found


def _takes_more(found: _Drawn, run: _Run) -> bool:
    """Whether twice the proposals will do: where all that is wrong is that a chain stays too long at one of them.

    They cost less than a refit, of which each draw and all that fits it are new.
    """
    is_enough = found.pareto_k <= PROPOSAL_K_LIMIT and found.all.efficiency >= BLOCKS_POOR
    is_alone = found.is_held and is_enough
    effects = sum(part[0].size for part in found.all.proposed.b)
    is_small = found.thin <= CHEAP_THIN and 2 * effects * found.thin * run.draws * run.chains <= MOST
    return is_alone and run.thin is None and is_small


def _with_more(found: _Drawn, run: _Run) -> _Drawn:
    """The run with as many proposals again, as many draws: a chain stays half as long at the same one."""
    proposal, more = found.all.proposal, run.draws * found.thin
    theta = proposal.mixture.draw(run.chains * more, run.rng)
    proposed = propose(
        proposal.approximation, theta, proposal.tries, run.rng, progress=run.progress, interruptible=True
    )
    if len(proposed.shift) < len(theta):
        return replace(found, is_interrupted=True)
    theta = np.concatenate([found.all.theta, theta])
    both = weighted(proposal, theta, together([found.all.proposed, proposed]))
    return _Drawn(both, pareto_shape(both.log_weights), 2 * found.thin, found.length + more, False)


def _least(found: _Drawn) -> int:
    """Proposals a draw of a run in the place of another: no fewer, or its chains may stay out longer than those did.

    Models of one predictor are left as they are, as in `_Drawn.is_good`.
    """
    return found.thin if found.has_blocks else 1


def _better(later: _Drawn, earlier: _Drawn) -> _Drawn:
    """The later run, unless its weights are more uneven: of many effects a refit may be off along some of them.

    Where the later one was stopped, its proposals are all there are to take. Models of one predictor are left as they
    are, as in `_Drawn.is_good`.
    """
    if later.is_interrupted or not later.has_blocks:
        return later
    order = [(one.is_bounded, one.pareto_k <= PROPOSAL_K_LIMIT, one.all.efficiency) for one in (later, earlier)]
    return later if order[0] >= order[1] else earlier


def _drawn(proposal: FittedProposal, run: _Run, least: int = 1) -> _Drawn:
    draws = run.draws * run.chains
    wanted = _thin(proposal.approximation, proposal.tries, proposal.efficiency, draws)
    thin = run.thin or max(least, wanted, least_thin(draws))
    wanted = run.chains * (run.draws * thin + 1)
    theta = proposal.mixture.draw(wanted, run.rng)
    proposed = propose(
        proposal.approximation, theta, proposal.tries, run.rng, progress=run.progress, interruptible=True
    )
    found = weighted(proposal, theta, proposed)
    k = pareto_shape(found.log_weights)
    complete = len(found.theta)
    return _Drawn(found, k, thin, complete // run.chains, complete < wanted)


def _refitted(found: Weighted, rng: np.random.Generator) -> FittedProposal | None:
    """A proposal fitted to weighted draws: of what the weights vary along, or of all but the random effects.

    None, too, where one of them has all of the weight, to which nothing can be fitted.
    """
    try:
        explored = with_telling(found, rng, HINTING)
        if explored is not None:
            return explored
        return fit_jointly(found, rng) if affords_joint(found.proposal) else with_more_tries(found, rng)
    except np.linalg.LinAlgError:
        return None


def in_user_units(approximation: GaussianApproximation, theta: Array, proposed: Proposed, kept: Array) -> Parameters:
    """The proposals at ``kept (...,)``."""
    dispersion = None if approximation.dispersion is None else np.exp(proposed.log_dispersion[kept])
    effects = approximation.target.problem.coordinates.of_terms([part[kept] for part in proposed.b])
    return in_units(
        approximation.target, theta[kept][..., : approximation.target.size], proposed.shift[kept], effects, dispersion
    )


def _thin(approximation: GaussianApproximation, tries: tuple[int, ...], efficiency: float, draws: int) -> int:
    """Proposals for each draw kept: the more, the fewer of them are effective; more still where they are cheap."""
    work = approximation.size * int(np.prod(tries)) + approximation.target.numbers
    enough = BLOCKS_ENOUGH if approximation.has_blocks else ENOUGH
    needed = enough / max(efficiency, 1e-6)
    wanted = CHEAP_THIN if work <= CHEAP else min(THIN, int(np.ceil(needed - FRACTION)))
    effects = sum(levels * k for levels, k in approximation.target.problem.coordinates.pattern.shapes)
    return max(1, min(wanted, MOST // max(effects * draws, 1)))


def expected_costs(design: Design, point: PointEstimate, options: Marginal, schedule: Schedule) -> Costs:
    """What the two ways are expected to cost."""
    numbers = factorisation_numbers(point.coordinates)
    expected = costs(len(design.offset), numbers, passes_of(point.coordinates), schedule, options.thin)
    return replace(expected, instead=against_alternating(design))


def too_large(design: Design, draws: int) -> str | None:
    """Why the sampler is not to be tried; None if it is."""
    effects = sum(len(term.levels) * len(term.effects) for term in design.terms)
    dimension = sum(structure_of(term).size for term in design.terms)
    if dimension > MAX_DIMENSION:
        return f"{dimension} standard deviations and correlations are more than one proposal can fit"
    if effects * draws <= MOST or affords_alternating(design):
        return None
    return f"{draws} draws of {effects} random effects would have to be held together"
