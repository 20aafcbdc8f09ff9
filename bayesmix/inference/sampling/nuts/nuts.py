"""NUTS on the PyMC model: through nutpie in coordinates of its own, or through any of PyMC's samplers."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
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
from bayesmix.inference.sampling.nuts.compiled_density import VALUES, density_of
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
from bayesmix.parallel.progress import ChainsBar

SECOND_TARGET = 0.99  # target acceptance of the repeated run, when the first one had divergences
LONGER = 3  # times as many draws, of which every third is kept, when a run is too short
LONG_ENOUGH = 100  # draws a chain below which a run is too short to say anything of its convergence

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


@dataclass(frozen=True, slots=True, eq=False)
class Sampled:
    """What a run has given."""

    parameters: Parameters
    stats: Mapping[str, Array]
    interrupted: bool = False

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
) -> Draws:
    """Sample; again with shorter steps if transitions diverged, or longer if chains disagree, as the notes then say.

    ``known``: draws of the marginal sampler, at some of which chains start.
    """
    reparametrisation = reparametrise(design, spec, priors, start)
    model = sampler_model(design, spec, priors, reparametrisation)
    starts = Starts(design, priors, reparametrisation, start, None if known is None else known.parameters)

    def sampler(run: Run) -> Sampled:
        free, stats, interrupted = (
            _by_nutpie(model, starts, run) if options.backend == "nutpie" else _by_pymc(model, run, options)
        )
        kept = {name: values[:, :: run.thin] for name, values in free.items()}
        parameters = parameters_at(design, priors, reparametrisation, kept)
        return Sampled(parameters, {name: values[:, :: run.thin] for name, values in stats.items()}, interrupted)

    length = (schedule.draws, schedule.chains, options.tune, options.target_accept)
    run = Run(*length, schedule.seed, schedule.progress)
    found, notes = until_good(sampler, run)
    return Draws(found.parameters, found.stats, "nuts", notes)


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
    reason = "" if found.interrupted else too_short(found.parameters)
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
    if parameters.dispersion is not None:
        parts.append(parameters.dispersion[..., None])
    return np.concatenate(parts, axis=-1)


# ---- nutpie ---------------------------------------------------------------------------------------------------------


def _by_nutpie(model: SamplerModel, starts: Starts, run: Run) -> tuple[dict[str, Array], dict[str, Array], bool]:
    """Free values, statistics, and whether the user interrupted."""
    import nutpie

    density = density_of(model.model, free_shapes(model.model), model.key)

    arrays = model.packed.arrays()

    def start(seed: int | None) -> Array:
        return starts.of_chain(seed, density.size, density.join, lambda values: density.evaluate(values, arrays)[0])

    progress = ChainsBar("NUTS", run.chains * (run.tune + run.draws * run.thin), is_shown=run.progress)
    try:
        sampler = nutpie.sample(
            density.bind(arrays, start),
            draws=run.draws * run.thin,
            tune=run.tune,
            chains=run.chains,
            seed=run.seed,
            target_accept=run.target_accept,
            progress_bar=False,
            progress_callback=progress.update if run.progress else None,
            save_warmup=False,
            blocking=False,
        )
        tree, interrupted = _wait(sampler, progress)
    except RuntimeError as error:
        raise FitError(
            f"NUTS could not start: {error}. Check the scale of the priors with print(model),"
            " or give tighter ones, for example priors={'sd': 'HalfNormal(1)'}."
        ) from error
    values = tree["posterior"][VALUES].to_numpy()
    chains, draws = _complete(values) if interrupted else (np.arange(run.chains), values.shape[1])
    stats = {name: array[chains, :draws] for name, array in _stats(tree["sample_stats"]).items()}
    return density.split(values[chains, :draws]), stats, interrupted


def _wait(sampler: Any, progress: ChainsBar) -> tuple[Any, bool]:
    """The draws once the sampler has finished, or what there is of them when the user presses Ctrl-C."""
    try:
        with progress:
            return sampler.wait(), False
    except KeyboardInterrupt:
        tree = sampler.abort()
        if "posterior" not in tree.children or not tree["posterior"].sizes.get("draw", 0):
            raise  # still warming up: there is nothing to keep
        return tree, True


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


def _by_pymc(model: SamplerModel, run: Run, options: Nuts) -> tuple[dict[str, Array], dict[str, Array], bool]:
    """The same by a sampler that PyMC calls."""
    import pymc as pm

    with model.model, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tree = pm.sample(
            draws=run.draws * run.thin,
            tune=run.tune,
            chains=run.chains,
            random_seed=run.seed,
            target_accept=run.target_accept,
            nuts_sampler=options.backend,
            progressbar=run.progress,
            compute_convergence_checks=False,
        )
    free = {variable.name: tree["posterior"][variable.name].to_numpy() for variable in model.model.free_RVs}
    draws = next(iter(free.values())).shape[1]
    return free, _stats(tree["sample_stats"]), draws < run.draws * run.thin


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
