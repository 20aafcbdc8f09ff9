"""NUTS on the PyMC model: through nutpie in coordinates of its own, or through any of PyMC's samplers."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from importlib.util import find_spec
from typing import Any

import numpy as np

from bayesmix.arrays import Array
from bayesmix.data.design.design import Design
from bayesmix.errors import FitError, SpecError, nearest
from bayesmix.inference.estimation.point_estimate import PointEstimate
from bayesmix.inference.parameters.names import Parameters
from bayesmix.inference.parameters.priors_in_force import Priors
from bayesmix.inference.sampling.diagnostics import R_HAT_LIMIT, convergence, enough
from bayesmix.inference.sampling.draws import FEWEST, Draws, Schedule, interruption
from bayesmix.inference.sampling.nuts.compile_directory import cached
from bayesmix.inference.sampling.nuts.compiled_density import VALUES, density_of
from bayesmix.inference.sampling.nuts.held_estimate import held_by_priors
from bayesmix.inference.sampling.nuts.reparametrisation import reparametrise
from bayesmix.inference.sampling.nuts.reparametrised_model import (
    SamplerModel,
    free_shapes,
    parameters_at,
    sampler_model,
)
from bayesmix.inference.sampling.nuts.starts import Starts
from bayesmix.language.arguments import explained
from bayesmix.language.formula.model_spec import ModelSpec
from bayesmix.parallel.progress import ChainsBar, working

SECOND_TARGET = 0.99  # target acceptance of the repeated run, when the first one had divergences
LONGER = 3  # times as many draws, of which every third is kept, when a run is too short
LONG_ENOUGH = 100  # draws a chain below which a run is too short to say anything of its convergence
CONTINUED = 4  # times as few steps of warm-up where chains go on from where they were

BACKENDS = ("nutpie", "pymc", "numpyro", "blackjax")


@explained
@dataclass(frozen=True, slots=True)
class Nuts:
    """Options of the No-U-Turn sampler.

    Parameters
    ----------
    tune : steps of warm-up, which are few since chains move in units of the curvature at the point estimate.
    target_accept : a run with divergences is repeated once at a higher value.
    backend : ``"nutpie"``, or what PyMC calls: ``"pymc"`` (its own sampler), ``"numpyro"``, ``"blackjax"``.
    """

    tune: int = 500
    target_accept: float = 0.9
    backend: str = "nutpie"

    def __post_init__(self) -> None:
        if self.backend not in BACKENDS:
            raise SpecError(
                f"Backend `{self.backend}` of NUTS does not exist.{nearest(self.backend, BACKENDS)}"
                f" Backends: {', '.join(BACKENDS)}."
            )
        if find_spec(self.backend) is None:
            raise SpecError(f"Backend `{self.backend}` of NUTS is not installed: pip install {self.backend}.")
        if self.tune < 1 or not 0.0 < self.target_accept < 1.0:
            raise SpecError(f"Nuts needs tune >= 1 and a target_accept between 0 and 1, not {self}.")


@dataclass(frozen=True, slots=True)
class Run:
    """How long to sample, and how."""

    draws: int
    chains: int
    tune: int
    target_accept: float
    seed: int
    progress: bool
    thin: int = 1
    state: Array | None = None  # free values (chain, m) from which chains go on


@dataclass(frozen=True, slots=True, eq=False)
class Sampled:
    """What a run has given."""

    parameters: Parameters
    stats: Mapping[str, Array]
    interrupted: bool = False
    state: Array | None = None  # free values (chain, m) of the last draws

    @property
    def divergences(self) -> int:
        """Number of transitions that diverged."""
        return int(self.stats["diverging"].sum())


Sampler = Callable[[Run], Sampled]


def sample_nuts(  # noqa: PLR0913 - a posterior, its start and its length
    design: Design,
    spec: ModelSpec,
    priors: Priors,
    start: PointEstimate,
    options: Nuts,
    schedule: Schedule,
    *,
    known: Draws | None = None,
    state: Array | None = None,
) -> Draws:
    """Sample; again with shorter steps if transitions diverged, or longer if chains disagree, as the notes then say.

    ``known``: draws of the marginal sampler, at some of which chains start. ``state``: that of `Draws` that are to be
    continued, chain by chain.
    """
    start = held_by_priors(priors, start)
    reparametrisation = reparametrise(design, spec, priors, start)
    model = sampler_model(design, spec, priors, reparametrisation)
    starts = Starts(design, priors, reparametrisation, start, None if known is None else known.parameters)

    def sampler(run: Run) -> Sampled:
        raw = _by_nutpie(model, starts, run) if options.backend == "nutpie" else _by_pymc(model, run, options)
        kept = {name: values[:, :: run.thin] for name, values in raw.free.items()}
        parameters = parameters_at(design, priors, reparametrisation, kept)
        stats = {name: values[:, :: run.thin] for name, values in raw.stats.items()}
        return Sampled(parameters, stats, raw.interrupted, raw.state)

    tune = options.tune if state is None else -(-options.tune // CONTINUED)
    length = (schedule.draws, schedule.chains, tune, options.target_accept)
    run = Run(*length, schedule.seed, schedule.progress, state=state)
    found, notes = until_good(sampler, run)
    return Draws(found.parameters, found.stats, "nuts", notes, state=found.state)


def until_good(sampler: Sampler, run: Run) -> tuple[Sampled, tuple[str, ...]]:
    """Run; again at a higher target acceptance if transitions diverged; again and longer if chains were too short."""
    notes: list[str] = []
    found = sampler(run)
    if not found.interrupted and found.divergences and run.target_accept < SECOND_TARGET:
        notes.append(
            f"{found.divergences} of {run.draws * run.chains} transitions diverged at"
            f" target_accept={run.target_accept:g}; the run was repeated at {SECOND_TARGET:g}."
        )
        run = replace(run, target_accept=SECOND_TARGET, tune=2 * run.tune)
        found = sampler(run)
    is_part = run.state is not None  # of chains that are judged when they are whole
    reason = "" if found.interrupted or is_part else too_short(found.parameters)
    if reason:
        notes.append(
            f"{reason} after {run.draws} draws a chain; the run was repeated with {LONGER} times as many, of which one"
            f" in {LONGER} is kept."
        )
        found = sampler(replace(run, thin=LONGER, tune=2 * run.tune))
    if found.interrupted:
        chains, kept = found.parameters.lead
        notes.append(interruption(kept, run.draws, chains))
    return found, tuple(notes)


def too_short(parameters: Parameters) -> str:
    """Why chains long enough to tell are not enough; empty if they are."""
    chains, draws = parameters.lead
    if draws < LONG_ENOUGH or chains < 2:
        return ""
    found = convergence(_flat(parameters))
    if found.worst_r_hat > R_HAT_LIMIT:
        return f"R-hat was {found.worst_r_hat:.3f}"
    if found.smallest_ess < enough(chains * draws):
        return f"The smallest effective sample size was {found.smallest_ess:.0f}"
    return ""


def _flat(parameters: Parameters) -> Array:
    """All scalar parameters side by side: ``(chain, draw, m)``."""
    lead = parameters.lead
    corr = [matrix[..., *np.tril_indices(matrix.shape[-1], -1)] for matrix in parameters.corr]
    parts = [parameters.beta, *parameters.sd, *corr, *(b.reshape(*lead, -1) for b in parameters.b)]
    parts += [df[..., None] for df in parameters.df.values()]
    if parameters.dispersion is not None:
        parts.append(parameters.dispersion[..., None])
    return np.concatenate(parts, axis=-1)


# ---- nutpie ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Raw:
    """Free values ``(chain, draw, ...)`` by variable, statistics, and whether the user interrupted."""

    free: dict[str, Array]
    stats: dict[str, Array]
    interrupted: bool
    state: Array | None = None  # all free values (chain, m) of the last draws


def _by_nutpie(model: SamplerModel, starts: Starts, run: Run) -> _Raw:
    with working("Compiling", is_shown=run.progress):
        density = density_of(model.model, free_shapes(model.model), model.key)
    arrays = model.packed.arrays()

    def start(seed: int | None) -> Array:
        return starts.of_chain(seed, density.size, density.join, lambda values: density.evaluate(values, arrays)[0])

    if run.state is None:
        jobs = [(density.bind(arrays, start), run.chains, run.seed)]
    else:
        seeds = np.random.SeedSequence(run.seed).generate_state(run.chains)
        own = zip(run.state, seeds, strict=True)
        jobs = [(density.bind(arrays, partial(_there, at)), 1, int(seed)) for at, seed in own]
    trees, interrupted = _side_by_side(jobs, run)
    values = np.concatenate([tree["posterior"][VALUES].to_numpy() for tree in trees])
    found = [_stats(tree["sample_stats"]) for tree in trees]
    chains, draws = _complete(values) if interrupted else (np.arange(run.chains), values.shape[1])
    stats = {name: np.concatenate([one[name] for one in found])[chains, :draws] for name in found[0]}
    values = values[chains, :draws]
    return _Raw(density.split(values), stats, interrupted, values[:, -1])


def _there(at: Array, _: int) -> Array:
    """Where a chain goes on, whatever its seed."""
    return at.copy()


def _side_by_side(jobs: list[tuple[Any, int, int]], run: Run) -> tuple[list[Any], bool]:
    """Draws of samplers, each a bound density, a number of chains and a seed, and whether the user interrupted."""
    import nutpie

    progress = ChainsBar("NUTS", run.chains * (run.tune + run.draws * run.thin), is_shown=run.progress)
    try:
        samplers = [
            nutpie.sample(
                model,
                draws=run.draws * run.thin,
                tune=run.tune,
                chains=chains,
                seed=seed,
                target_accept=run.target_accept,
                progress_bar=False,
                progress_callback=partial(progress.update, sampler=number) if run.progress else None,
                save_warmup=False,
                blocking=False,
            )
            for number, (model, chains, seed) in enumerate(jobs)
        ]
        return _wait(samplers, progress)
    except RuntimeError as error:
        raise FitError(
            f"NUTS could not start: {error}. Check the scale of the priors with print(model),"
            " or give tighter ones, for example priors={'sd': 'HalfNormal(1)'}."
        ) from error


def _wait(samplers: list[Any], progress: ChainsBar) -> tuple[list[Any], bool]:
    """The draws once the samplers have finished, or what there is of them when the user presses Ctrl-C."""
    try:
        with progress:
            return [sampler.wait() for sampler in samplers], False
    except KeyboardInterrupt:
        trees = [sampler.abort() for sampler in samplers]
        is_part = len(trees) > 1  # of chains that go on: those before are kept, this one is not
        if is_part or "posterior" not in trees[0].children or not trees[0]["posterior"].sizes.get("draw", 0):
            raise  # still warming up: there is nothing to keep
        return trees, True


def _complete(values: Array) -> tuple[Array, int]:
    """Of interrupted chains ``(chain, draw, m)``, filled up with NaN, those at least half as long as the longest.

    Returns
    -------
    chains, draws
        Which they are, and how many draws all of them have.

    Raises
    ------
    KeyboardInterrupt
        If there are too few draws for a posterior.
    """
    lengths = np.isfinite(values[..., 0]).sum(axis=1)
    chains = np.flatnonzero(lengths >= max(FEWEST, 0.5 * lengths.max(initial=0)))
    if not len(chains):
        raise KeyboardInterrupt
    return chains, int(lengths[chains].min())


# ---- PyMC's samplers ------------------------------------------------------------------------------------------------


def _by_pymc(model: SamplerModel, run: Run, options: Nuts) -> _Raw:
    """The same by a sampler that PyMC calls."""
    import pymc as pm

    with model.model, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tree = cached(
            lambda: pm.sample(
                draws=run.draws * run.thin,
                tune=run.tune,
                chains=run.chains,
                cores=run.chains,  # PyMC's chains of one process are others than those of a process each
                random_seed=run.seed,
                target_accept=run.target_accept,
                nuts_sampler=options.backend,
                progressbar=run.progress,
                compute_convergence_checks=False,
            )
        )
    free = {variable.name: tree["posterior"][variable.name].to_numpy() for variable in model.model.free_RVs}
    draws = next(iter(free.values())).shape[1]
    return _Raw(free, _stats(tree["sample_stats"]), draws < run.draws * run.thin)


def _stats(stats: Any) -> dict[str, Array]:
    """Statistics of a run by ArviZ's names."""
    wanted = {
        "diverging": "diverging",
        "energy": "energy",
        "lp": "lp",
        "logp": "lp",
        "n_steps": "n_steps",
        "depth": "tree_depth",
        "tree_depth": "tree_depth",
        "step_size": "step_size",
        "mean_tree_accept": "acceptance_rate",
        "acceptance_rate": "acceptance_rate",
    }
    return {ours: stats[theirs].to_numpy() for theirs, ours in wanted.items() if theirs in stats}
