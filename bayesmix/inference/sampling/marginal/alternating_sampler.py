"""Posterior draws of generalized models of many rows by alternating Metropolis moves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from bayesmix.arrays import Array
from bayesmix.data.design.design import Design
from bayesmix.inference.estimation.point_estimate import PointEstimate
from bayesmix.inference.parameters.priors_in_force import Priors
from bayesmix.inference.sampling.draws import FEWEST, Draws, Schedule, interruption
from bayesmix.inference.sampling.marginal.alternating_metropolis import Accepted, AlternatingMetropolis, heavy_tails
from bayesmix.inference.sampling.marginal.conditional_coordinates import ConditionalCoordinates, State
from bayesmix.inference.sampling.marginal.cost_model import WARMUP, Costs
from bayesmix.inference.sampling.marginal.fitted_proposals import first_mixture
from bayesmix.inference.sampling.marginal.gaussian_approximation import GaussianApproximation, fit_approximation
from bayesmix.inference.sampling.marginal.parameter_proposal import ParameterProposal, Parameters
from bayesmix.inference.sampling.marginal.sampler import Marginal, in_units
from bayesmix.language.formula.model_spec import ModelSpec
from bayesmix.parallel.progress import shown, told, working
from bayesmix.parallel.threads import in_threads

TOGETHER = 30_000  # rows up to which the chains of a model are moved together; of more, one fills the cache
NUMBERS, FEWEST_DRAWS = 6_000_000, 50  # linear predictors of a round of the approximation, and its fewest draws
FIRST = 400  # draws of the approximation that the first proposal is fitted to
LOOKED_AT = 8  # of them, for tails of levels that are heavier than the approximation's
PIECES = 50  # that a run is made in: after each, progress is shown and the user may interrupt
EFFECT_NUMBERS = 30_000_000  # most numbers held as draws of random effects


def sample_alternating(  # noqa: PLR0913 - a model, and how it is drawn
    design: Design,
    spec: ModelSpec,
    priors: Priors,
    point: PointEstimate,
    options: Marginal,
    schedule: Schedule,
    *,
    costs: Costs,
) -> Draws:
    """Draw from the posterior; the certificate has what was accepted."""
    words, rng = costs.words(schedule, alternating=True), np.random.default_rng(schedule.seed)
    told(words, is_shown=schedule.progress)
    few = max(FEWEST_DRAWS, NUMBERS // costs.rows)
    with working("Fitting an approximation", is_shown=schedule.progress):
        approximation = fit_approximation(design, spec, priors, point, rng, most=few)
        every = _effect_step(approximation, schedule)
        moves = _first_moves(approximation, point, rng)
    moves, groups = _warmed_up(moves, _groups(moves, schedule, rng), rng, is_shown=schedule.progress)
    found = _drawn(moves, groups, schedule, thin=options.thin or 1, every=every)
    complete = len(found.x)
    if complete < min(FEWEST, schedule.draws):
        raise KeyboardInterrupt
    notes = [words]
    if complete < schedule.draws:
        notes.append(interruption(complete, schedule.draws, schedule.chains))
    if every > 1:
        notes.append(f"Random effects were kept of one draw in {every} only, to bound memory.")
    return _in_user_units(approximation, found, tuple(notes), every)


@dataclass(frozen=True, slots=True, eq=False)
class Group:
    """Chains that are moved together, with a random generator of their own."""

    state: State
    rng: np.random.Generator


@dataclass(frozen=True, slots=True, eq=False)
class Path:
    """What chains went through."""

    x: Array  # (T, C, m)
    noise: Array  # (T, C, p)
    shift: Array  # (T, C, p)
    log_density: Array  # (T, C)
    accepted: Accepted  # (T, C) each
    b: tuple[Array, ...]  # (T', C, J, k) per factor, some of the draws


def walk(
    moves: AlternatingMetropolis, group: Group, places: range, *, thin: int = 1, every: int = 0
) -> tuple[Group, Path]:
    """Draws at ``places`` of a chain, each after ``thin`` steps; effects of every ``every``-th, of none where zero."""
    state, rows, effects = group.state, [], []
    proposed = moves.proposed(len(places) * thin * moves.repeats, len(state.eta), group.rng)
    for place in places:
        for _ in range(thin):
            state, accepted = moves.step(state, group.rng, proposed)
        own = state.conditional
        rows.append((own.at.x, own.at.noise, own.shift, state.log_density, *accepted))
        if every and (place + 1) % every == 0:
            effects.append(state.b)
    x, noise, shift, log_density, *shares = (np.stack(column) for column in zip(*rows, strict=True))
    b = tuple(np.stack(part) for part in zip(*effects, strict=True))
    return replace(group, state=state), Path(x, noise, shift, log_density, Accepted(*shares), b)


def _joined(paths: Sequence[Path], axis: int) -> Path:
    """Paths one after the other (axis 0), or side by side (axis 1)."""

    def whole(parts: Sequence[Array]) -> Array:
        return parts[0] if len(parts) == 1 else np.concatenate(parts, axis=axis)

    columns = ((path.x, path.noise, path.shift, path.log_density, *path.accepted) for path in paths)
    x, noise, shift, log_density, *shares = (whole(parts) for parts in zip(*columns, strict=True))
    b = tuple(whole(parts) for parts in zip(*(path.b for path in paths if path.b), strict=True))
    return Path(x, noise, shift, log_density, Accepted(*shares), b)


def _first_moves(
    approximation: GaussianApproximation, point: PointEstimate, rng: np.random.Generator
) -> AlternatingMetropolis:
    coordinates = ConditionalCoordinates(approximation)
    x, place = first_mixture(approximation, point, rng).draw(FIRST, rng), approximation.dispersion
    if place is not None:
        x = np.concatenate([x, place.mean + place.sd * rng.standard_normal((FIRST, 1))], axis=1)
    proposal = ParameterProposal.first(x, coordinates.integrated, rng)
    return AlternatingMetropolis(coordinates, proposal, heavy_tails(coordinates, x[:LOOKED_AT]))


def _groups(moves: AlternatingMetropolis, schedule: Schedule, rng: np.random.Generator) -> list[Group]:
    """Chains at their starts: all together, or each by itself where the rows are many."""
    chains = schedule.chains
    is_large = moves.coordinates.approximation.size > TOGETHER
    return [Group(moves.start(chains // n, own), own) for n in [chains if is_large else 1] for own in rng.spawn(n)]


def _warmed_up(
    moves: AlternatingMetropolis, groups: list[Group], rng: np.random.Generator, *, is_shown: bool
) -> tuple[AlternatingMetropolis, list[Group]]:
    """Proposals fitted to the later half of what the chains went through, round by round."""
    paths: list[Path] = []
    for length in shown(WARMUP, len(WARMUP), "Warming up", transient=True, is_shown=is_shown):
        groups, path = _walked(moves, groups, range(length), thin=1, every=0)
        paths.append(path)
        whole = _joined(paths, axis=0)
        late = len(whole.x) // 2
        draws = Parameters(*(np.concatenate(list(part[late:])) for part in (whole.x, whole.noise)))
        moves = moves.refitted(draws, path.accepted, rng)
    return moves.settled(path.accepted), groups


def _drawn(moves: AlternatingMetropolis, groups: list[Group], schedule: Schedule, *, thin: int, every: int) -> Path:
    """The draws, piece by piece; those that are complete where the user interrupts."""
    bounds = np.unique(np.linspace(0, schedule.draws, PIECES + 1).astype(int)).tolist()
    pieces, paths = list(pairwise(bounds)), list[Path]()
    try:
        for begin, end in shown(pieces, len(pieces), "Drawing", transient=True, is_shown=schedule.progress):
            groups, path = _walked(moves, groups, range(begin, end), thin=thin, every=every)
            paths.append(path)
    except KeyboardInterrupt:
        if not paths:
            raise
    return _joined(paths, axis=0)


def _walked(
    moves: AlternatingMetropolis, groups: list[Group], places: range, *, thin: int, every: int
) -> tuple[list[Group], Path]:
    found = in_threads(lambda group: walk(moves, group, places, thin=thin, every=every), groups)
    return [group for group, _ in found], _joined([path for _, path in found], axis=1)


def _effect_step(approximation: GaussianApproximation, schedule: Schedule) -> int:
    """Every how many draws random effects are kept."""
    effects = sum(J * k for J, k in approximation.target.problem.coordinates.pattern.shapes)
    wanted = effects * schedule.draws * schedule.chains
    return int(np.clip(-(-wanted // EFFECT_NUMBERS), 1, max(schedule.draws // 10, 1)))


def _in_user_units(approximation: GaussianApproximation, path: Path, notes: tuple[str, ...], every: int) -> Draws:
    """The draws, chains first."""
    x, shift = (np.swapaxes(part, 0, 1) for part in (path.x, path.shift))
    theta = x[..., : approximation.target.size]
    dispersion = None if approximation.dispersion is None else np.exp(x[..., -1])
    effects = approximation.target.problem.coordinates.of_terms([np.swapaxes(part, 0, 1) for part in path.b])
    stats = {name: part.T for name, part in zip(Accepted._fields, path.accepted, strict=True)}
    certificate = {
        "acceptance": float(path.accepted.parameters.mean()),
        "level_acceptance": float(path.accepted.levels.mean()),
        "end_acceptance": float(path.accepted.end.mean()),
        "remainder_sd": approximation.spread,
    }
    statistics = {"lp": path.log_density.T, "accepted": stats["parameters"], "level_acceptance": stats["levels"]}
    kept = slice(every - 1, None, every)
    own = None if dispersion is None else dispersion[:, kept]
    with_effects = in_units(approximation.target, theta[:, kept], shift[:, kept], effects, own)
    if every == 1:
        return Draws(with_effects, statistics, "marginal", notes, certificate)
    whole = in_units(approximation.target, theta, shift, (), dispersion)
    return Draws(whole, statistics, "marginal", notes, certificate, with_effects)
