"""Approximations of the posterior by names of their own: variational inference and Pathfinder, with their Pareto k.

They work in the sampler's coordinates (`reparametrisation`), where the posterior is nearest to what they can represent.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from importlib.util import find_spec
from math import prod
from typing import Any, assert_never

import numpy as np

from bayesmix.arrays import Array
from bayesmix.data.design.design import Design
from bayesmix.errors import SpecError
from bayesmix.inference.estimation.point_estimate import PointEstimate
from bayesmix.inference.parameters.priors_in_force import Priors
from bayesmix.inference.sampling.diagnostics import K_LIMIT, pareto_shape
from bayesmix.inference.sampling.draws import Draws, Schedule
from bayesmix.inference.sampling.nuts.compile_directory import cached
from bayesmix.inference.sampling.nuts.compiled_density import density_of
from bayesmix.inference.sampling.nuts.held_estimate import held_by_priors
from bayesmix.inference.sampling.nuts.reparametrisation import reparametrise
from bayesmix.inference.sampling.nuts.reparametrised_model import (
    SamplerModel,
    free_shapes,
    parameters_at,
    sampler_model,
)
from bayesmix.language.arguments import explained
from bayesmix.language.formula.model_spec import ModelSpec


@explained
@dataclass(frozen=True, slots=True)
class Advi:
    """Mean-field variational inference (PyMC's ADVI): independent normals closest to the posterior."""

    steps: int = 20_000


@explained
@dataclass(frozen=True, slots=True)
class Pathfinder:
    """Normals along the path of an optimiser to the mode (pymc-extras' multi-path Pathfinder)."""

    def __post_init__(self) -> None:
        if find_spec("pymc_extras") is None:
            raise SpecError(
                "Pathfinder needs the package pymc-extras in a version that goes with the installed PyMC:"
                ' pip install pymc-extras. method="advi" needs no other package.'
            )


Approximation = Advi | Pathfinder


def sample_approximation(
    design: Design,
    spec: ModelSpec,
    priors: Priors,
    start: PointEstimate,
    options: Approximation,
    schedule: Schedule,
) -> Draws:
    """Draw independently from an approximation of the posterior, which the notes call so."""
    start = held_by_priors(priors, start)
    reparametrisation = reparametrise(design, spec, priors, start)
    model = sampler_model(design, spec, priors, reparametrisation)
    chains, draws, seed = schedule.chains, schedule.draws, schedule.seed
    match options:
        case Advi():
            free, k = _advi(model, options, draws * chains, seed, schedule.progress)
            name = "advi"
        case Pathfinder():
            free, k = _pathfinder(model, draws * chains, seed), float("nan")
            name = "pathfinder"
        case _:
            assert_never(options)
    values = {key: part.reshape(chains, draws, *part.shape[1:]) for key, part in free.items()}
    note = f"These are draws from an approximation of the posterior by {options}, not from the posterior."
    if not k <= K_LIMIT:
        note += ' Check it against method="nuts".'
    return Draws(parameters_at(design, priors, reparametrisation, values), {}, name, (note,), {"pareto_k": k})


def _advi(model: SamplerModel, options: Advi, draws: int, seed: int, progress: bool) -> tuple[dict[str, Array], float]:
    """Free values ``(draws, ...)``, and Pareto k of their importance weights."""
    import pymc as pm

    with model.model, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = cached(lambda: pm.fit(n=options.steps, method="advi", random_seed=seed, progressbar=progress))
        mean, sd = cached(lambda: (found.mean.eval(), found.std.eval()))
    places: dict[str, Any] = {name: place[1] for name, place in found.groups[0].ordering.items()}
    values = mean + sd * np.random.default_rng(seed).standard_normal((draws, len(mean)))
    shapes = free_shapes(model.model)
    free = {name: values[:, places[name]].reshape(draws, *shapes[name]) for name in shapes}
    log_q = np.sum(-0.5 * ((values - mean) / sd) ** 2 - np.log(sd), axis=1)
    density, data = density_of(model.model, shapes, model.key), model.packed.arrays()
    rows = np.concatenate([free[name].reshape(draws, prod(shapes[name])) for name in density.names], axis=1)
    log_p = np.array([density.evaluate(row, data)[0] for row in rows])
    return free, pareto_shape(log_p - log_q)


def _pathfinder(model: SamplerModel, draws: int, seed: int) -> dict[str, Array]:
    import pymc_extras  # type: ignore[import-not-found]

    tree = cached(lambda: pymc_extras.fit(method="pathfinder", model=model.model, num_draws=draws, random_seed=seed))
    free = {}
    for name, shape in free_shapes(model.model).items():
        free[name] = tree["posterior"][name].to_numpy().reshape(-1, *shape)[:draws]
    return free
