"""Which engine draws the posterior of a model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import assert_never

import numpy as np

from bayesmix.data.design.design import Design
from bayesmix.data.design.distinct_rows import distinct
from bayesmix.data.design.row_statistics import spread
from bayesmix.errors import PriorWarning, SpecError, nearest, warn_user
from bayesmix.inference.estimation.estimate import estimate
from bayesmix.inference.estimation.methods import Ml, Reml, resolve_method
from bayesmix.inference.estimation.point_estimate import PointEstimate
from bayesmix.inference.estimation.running_steps import has_zero_step
from bayesmix.inference.parameters.centring import at_means, to_zero
from bayesmix.inference.parameters.heavy_tails import check_normal, with_normal_effects
from bayesmix.inference.parameters.names import Parameters, heavy_tailed
from bayesmix.inference.parameters.priors_in_force import Priors, resolve
from bayesmix.inference.parameters.smoothed import check_smooth, kinked, smoothed
from bayesmix.inference.parameters.unconstrained import term_coordinates
from bayesmix.inference.sampling.agreement import LIMIT, distance, scalars
from bayesmix.inference.sampling.diagnostics import PROPOSAL_K_LIMIT, R_HAT_LIMIT, convergence, enough, limits_ess
from bayesmix.inference.sampling.draws import Deferred, Draws, Schedule
from bayesmix.inference.sampling.marginal.alternating_sampler import sample_alternating
from bayesmix.inference.sampling.marginal.cost_model import Costs, longer
from bayesmix.inference.sampling.marginal.importance_correction import expected_costs, sample_generalized, too_large
from bayesmix.inference.sampling.marginal.marginal_posterior import (
    MarginalPosterior,
    applies,
    correlated_posterior,
    marginal_posterior,
)
from bayesmix.inference.sampling.marginal.sampler import Marginal, sample_marginal
from bayesmix.inference.sampling.marginal.t_mixture import ApproximationError
from bayesmix.inference.sampling.nuts.nuts import Nuts, sample_nuts
from bayesmix.inference.sampling.prior_conflict import conflicts, inside
from bayesmix.inference.sampling.propriety import check_bounded, check_proper, check_stated
from bayesmix.inference.sampling.tight_priors import tight_priors
from bayesmix.inference.sampling.variational import Advi, Pathfinder, sample_approximation
from bayesmix.language.formula.model_spec import ModelSpec
from bayesmix.parallel.progress import told, working
from bayesmix.parallel.threads import one_blas_thread

Sampler = Nuts | Marginal | Advi | Pathfinder

ACCEPTANCE_LIMIT = 0.2  # of the marginal sampler's certificate
PROPOSALS = {"acceptance": "", "level_acceptance": " of levels", "end_acceptance": " of crossed factors"}
SPARE = 1.5  # times the steps that effective draws are expected to need
SMALLEST = 1e-3  # of the spread around the fixed part: residual standard deviation of a start
GIVEN_SCALES = "they are normal only given a scale of each level"
BY_NUTS = 'Sample with NUTS: model.sample(method="nuts").'
QUICK_ROWS, QUICK_DIMENSION = 2_000, 8  # of gaussian models whose NUTS draws are held against exact ones
LONG_ENOUGH = 400  # draws a chain from which on R-hat of nearly independent draws is below its limit by itself


def resolve_sampler(method: str | Sampler) -> Sampler | None:
    """Turn text into a sampler record; None for ``"auto"``.

    Raises
    ------
    SpecError
        If the method does not exist.
    """
    if isinstance(method, Nuts | Marginal | Advi | Pathfinder):
        return method
    if not isinstance(method, str):
        raise SpecError(f'A sampling method is text such as "nuts", or a record such as bmx.Nuts(), not {method!r}.')
    methods = {"nuts": Nuts, "marginal": Marginal, "advi": Advi, "pathfinder": Pathfinder}
    names: dict[str, Callable[[], Sampler | None]] = {"auto": lambda: None, **methods}
    if method.lower() not in names:
        known = ", ".join(names)
        raise SpecError(f"Sampling method `{method}` does not exist.{nearest(method, names)} Methods: {known}.")
    return names[method.lower()]()


@one_blas_thread()
def sample(
    design: Design,
    spec: ModelSpec,
    method: Sampler | None,
    schedule: Schedule,
    *,
    priors: Priors | None = None,
    after: Draws | None = None,
) -> Draws:
    """Draw ``(chains, draws)`` values from the posterior; ``method=None`` chooses, and says so where it falls back.

    ``priors`` are those of the specification on the design unless given: a refit to some of the rows keeps the priors
    of the whole. ``after`` are draws that those asked for continue, of the engine that made them.
    """
    priors = resolve(spec, design) if priors is None else priors
    inner = at_means(distinct(design, spec), priors.changes)
    check_stated(inner, spec, priors)
    check_bounded(inner, spec, priors)
    check_proper(inner, spec, priors)
    if isinstance(method, Marginal):  # before an estimate that may take minutes
        _check_marginal(inner, spec)
    auto = resolve_method("auto", spec)
    with working("Estimating", is_shown=schedule.progress):
        point = _off_zero(inner, estimate(with_normal_effects(inner), smoothed(spec), auto))
    at_zero = conflicts(priors, inner, point.covariances)
    notes = (*map(str, at_zero), *tight_priors(priors, inner, spec, point))
    for note in notes if after is None else ():
        warn_user(note, PriorWarning)
    engines = _Engines(inner, spec, priors, inside(point, at_zero), schedule)
    found = engines.run(method) if after is None else engines.more(method, after)
    return replace(
        found,
        parameters=to_zero(found.parameters, priors.changes),
        thinned=None if found.thinned is None else Deferred(lambda: to_zero(found.with_effects, priors.changes)),
        notes=(*notes, *found.notes),
        seed=schedule.seed,
    )


def _check_marginal(design: Design, spec: ModelSpec) -> None:
    """Refuse what no Gaussian approximation proposes: kinks, and effects that are not normal."""
    check_smooth(spec)
    check_normal(design.terms, f"{GIVEN_SCALES}: no Gaussian approximation proposes them", BY_NUTS)


@dataclass(frozen=True, slots=True, eq=False)
class _Engines:
    """The engines on one posterior, with the design in the coordinates of the priors."""

    design: Design
    spec: ModelSpec
    priors: Priors
    point: PointEstimate
    schedule: Schedule

    def run(self, method: Sampler | None) -> Draws:
        """Draws of the engine that was chosen, or of the one that is right."""
        match method:
            case Nuts():
                quick = _is_quick(self.design, self.spec, self.priors, self.schedule.draws)
                return self.nuts(method, certified(self.marginal) if quick else None)
            case Marginal():
                return self.marginal(method)
            case Advi() | Pathfinder():
                return sample_approximation(self.design, self.spec, self.priors, self.point, method, self.schedule)
            case None:
                return self.marginal_or_nuts()
            case _:
                assert_never(method)

    def more(self, method: Sampler | None, before: Draws) -> Draws:
        """Draws that continue others; chains of NUTS go on from where they are."""
        if before.method == "marginal":
            return self.marginal(method if isinstance(method, Marginal) else Marginal())
        options = method if isinstance(method, Nuts) else Nuts()
        return sample_nuts(self.design, self.spec, self.priors, self.point, options, self.schedule, state=before.state)

    def nuts(self, options: Nuts, known: Draws | None = None) -> Draws:
        """NUTS, held against draws of the marginal sampler where there are some."""
        drawn = sample_nuts(self.design, self.spec, self.priors, self.point, options, self.schedule, known=known)
        return drawn if known is None else held_against(drawn, known, self.design, self.spec, self.priors)

    def marginal(self, options: Marginal) -> Draws:
        """The marginal sampler of the model's kind."""
        _check_marginal(self.design, self.spec)
        if applies(self.spec):
            return sample_marginal(self._target(), self.point, options, self.schedule)
        return sample_generalized(self.design, self.spec, self.priors, self.point, options, self.schedule)

    def _target(self) -> MarginalPosterior:
        if self.spec.has_row_covariance:
            return correlated_posterior(self.design, self.spec, self.priors, self.point)
        return marginal_posterior(self.design, self.priors, self.point)

    def against_marginal(self, draws: int) -> str | None:
        """Why the marginal sampler is not tried; None for most models."""
        family = kinked(self.spec)
        if family is not None:
            return f"the density of family `{family.name}` has a kink, where no Gaussian approximation proposes"
        groups = heavy_tailed(self.design.terms)
        if groups:
            return f"effects of `{groups[0]}` have a t distribution: {GIVEN_SCALES}"
        if has_zero_step(self.design, self.spec, self.point):
            return "a step of a monotonic effect is zero at the estimate or untold: no approximation proposes there"
        if applies(self.spec):
            return None
        return too_large(self.design, draws) or self.against_costs()

    def costs(self) -> Costs:
        """What the ways of the marginal sampler, and NUTS, are expected to cost."""
        return expected_costs(self.design, self.point, Marginal(), self.schedule)

    def against_costs(self) -> str | None:
        """Why the marginal sampler is not tried where it could draw: it is expected to take longer than NUTS."""
        expected = self.costs()
        if not expected.prefers_nuts:
            return None
        told(f"Drawn by NUTS: {expected.for_nuts()}.", is_shown=self.schedule.progress)
        return expected.for_nuts()

    def marginal_or_nuts(self) -> Draws:
        """The marginal sampler; NUTS, which says why, where that is too large or its certificate does not hold."""
        schedule, found = self.schedule, None
        reason = self.against_marginal(schedule.draws * schedule.chains)
        if reason is None:
            try:
                found = self.marginal(Marginal())
            except ApproximationError:
                reason = "no Gaussian approximation of the random effects was found to propose from"
            else:
                is_whole = found.parameters.lead[1] == schedule.draws  # else the user has had enough
                reason = failure(found) if is_whole else None
                if reason is None:
                    return found
                again = self.longer(found)
                if again is not None:
                    return again
        fallback = self.nuts(Nuts(), found)
        return replace(fallback, notes=(f"The marginal sampler was left for NUTS: {reason}.", *fallback.notes))

    def longer(self, found: Draws) -> Draws | None:
        """Alternating moves with more steps a draw; None where too few were not all, or these are expected to take more
        than NUTS.
        """
        steps = steps_wanted(found)
        if steps is None:
            return None
        expected = longer(self.costs(), steps, self.schedule)
        if expected.alternating > expected.nuts:
            return None
        options = Marginal(thin=steps)
        again = sample_alternating(
            self.design, self.spec, self.priors, self.point, options, self.schedule, costs=expected
        )
        return again if failure(again) is None else None


def _off_zero(design: Design, point: PointEstimate) -> PointEstimate:
    """The estimate as a start: a residual standard deviation of zero, of as many effects as rows, is moved off it."""
    if not isinstance(point.method, Reml | Ml) or point.dispersion is None:
        return point
    size = float(spread(design.y - design.offset - design.X @ point.beta, design.counts))
    return replace(point, dispersion=max(point.dispersion, SMALLEST * size))


def certified(marginal: Callable[[Marginal], Draws]) -> Draws | None:
    """Draws of the marginal sampler; None where its certificate does not hold."""
    found = marginal(Marginal())
    return found if failure(found) is None else None


def _is_quick(design: Design, spec: ModelSpec, priors: Priors, draws: int) -> bool:
    """Whether the marginal sampler draws at next to no cost, so that NUTS can be held against it."""
    is_small = design.n_used <= QUICK_ROWS and dimension(design, priors) <= QUICK_DIMENSION
    is_plain = not priors.has_flat and not priors.df
    return applies(spec) and is_small and is_plain and draws >= LONG_ENOUGH


def held_against(fallback: Draws, found: Draws, design: Design, spec: ModelSpec, priors: Priors) -> Draws:
    """The draws of NUTS with what those of the marginal sampler say against them."""
    both = (to_zero(draws.parameters, priors.changes) for draws in (fallback, found))
    (names, first), (_, second) = (scalars(design, values, spec.family.dispersion) for values in both)
    apart = distance(names, first, second)
    certificate = {**fallback.certificate, "disagreement": apart.errors}
    notes = fallback.notes
    if apart.errors > LIMIT:
        notes += (apart.says("NUTS", "the marginal sampler"),)
    return replace(fallback, certificate=certificate, notes=notes)


def dimension(design: Design, priors: Priors) -> int:
    """Number of parameters that the marginal sampler explores."""
    explored = sum(prior.kind not in {"Normal", "Flat"} for prior in priors.fixed)
    return sum(term.size for term in term_coordinates(design.terms)) + 1 + explored


def failure(draws: Draws) -> str | None:
    """Why the certificate of the marginal sampler does not hold; None if it does."""
    certificate = draws.certificate
    if not certificate.get("pareto_k", 0.0) <= PROPOSAL_K_LIMIT:
        return f"Pareto k of its proposal is {certificate['pareto_k']:.2f}, above {PROPOSAL_K_LIMIT}"
    for name, proposals in PROPOSALS.items():
        if certificate.get(name, 1.0) < ACCEPTANCE_LIMIT:
            return f"only {certificate[name]:.0%} of its proposals{proposals} were accepted"
    if certificate.get("divergences", 0.0) > 0.0:
        return f"{certificate['divergences']:.0f} of its transitions diverged"
    values = draws.parameters
    if (not _alternates(draws) and values.lead[1] < LONG_ENOUGH) or values.lead[0] < 2:
        return None
    worst_r_hat, smallest = _mixing(values)
    if worst_r_hat > R_HAT_LIMIT:
        return f"its R-hat is {worst_r_hat:.3f}"
    if smallest < enough(values.lead[0] * values.lead[1]):
        return f"its smallest effective sample size is {smallest:.0f}"
    return None


def steps_wanted(draws: Draws) -> int | None:
    """Steps of alternating moves for each draw that would do; None where too few steps are not what is missing.

    Effective draws grow in proportion to the steps.
    """
    is_accepted = all(draws.certificate.get(name, 1.0) >= ACCEPTANCE_LIMIT for name in PROPOSALS)
    if not (_alternates(draws) and is_accepted) or draws.parameters.lead[0] < 2:
        return None
    wanted = enough(draws.parameters.lead[0] * draws.parameters.lead[1])
    return max(2, int(np.ceil(SPARE * wanted / max(_mixing(draws.parameters)[1], 1.0))))


def _alternates(draws: Draws) -> bool:
    """Whether draws are of alternating moves."""
    return "level_acceptance" in draws.certificate


def _mixing(values: Parameters) -> tuple[float, float]:
    """Worst R-hat and smallest effective sample size of fixed effects, standard deviations and dispersion."""
    dispersion = [] if values.dispersion is None else [values.dispersion[..., None]]
    scalars = np.concatenate([values.beta, *values.sd, *dispersion], axis=-1)
    found = convergence(scalars)
    return found.worst_r_hat, min(found.smallest_ess, float(np.nanmin(limits_ess(scalars), initial=np.inf)))
