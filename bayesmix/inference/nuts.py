"""NUTS on the PyMC model, through nutpie."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from bayesmix.data.design import Design
from bayesmix.errors import FitError
from bayesmix.inference.covariance import sd_and_corr, structure_of
from bayesmix.inference.draws import Draws
from bayesmix.inference.estimate import PointEstimate
from bayesmix.inference.parameters import Parameters
from bayesmix.inference.priors import Priors
from bayesmix.inference.pymc_model import term_label, to_pymc
from bayesmix.language.prior import Prior
from bayesmix.language.spec import ModelSpec

Array = np.ndarray

SECOND_TARGET = 0.995  # target acceptance of the repeated run, when the first one had divergences
NUDGE = 0.1  # noise of the spherical effects at the start
SMALLEST = 0.05  # a standard deviation estimated at zero starts at this share of its prior's scale


@dataclass(frozen=True, slots=True)
class Nuts:
    """Options of the No-U-Turn sampler."""

    tune: int = 1000
    target_accept: float = 0.95


def sample_nuts(
    design: Design,
    spec: ModelSpec,
    priors: Priors,
    start: PointEstimate,
    options: Nuts,
    *,
    draws: int,
    chains: int,
    seed: int,
    progress: bool,
) -> Draws:
    """Sample; once more with shorter steps if transitions diverge, which the notes then say."""
    initial = _nudged(_initial_point(design, priors, start), np.random.default_rng(seed))
    compiled = _compile(to_pymc(design, spec, priors), initial)
    notes: tuple[str, ...] = ()
    tree = _run(compiled, options.tune, options.target_accept, draws, chains, seed, progress)
    diverged = int(tree["sample_stats"]["diverging"].sum())
    if diverged and options.target_accept < SECOND_TARGET:
        notes = (
            f"{diverged} of {draws * chains} transitions diverged at target_accept={options.target_accept:g};"
            f" the run was repeated at {SECOND_TARGET:g}.",
        )
        tree = _run(compiled, options.tune, SECOND_TARGET, draws, chains, seed, progress)
    return Draws(_parameters(design, priors, tree["posterior"]), _stats(tree["sample_stats"]), "nuts", notes)


def _compile(model: Any, initial: Mapping[str, Array]) -> Any:
    import nutpie
    import pytensor

    # fast-math makes draws depend on whether the code came from the compiler or from its cache
    with pytensor.config.change_flags(numba__fastmath=False), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return nutpie.compile_pymc_model(model, initial_points=dict(initial), jitter_rvs=set())


def _run(compiled: Any, tune: int, target: float, draws: int, chains: int, seed: int, progress: bool) -> Any:
    import nutpie

    try:
        return nutpie.sample(
            compiled,
            draws=draws,
            tune=tune,
            chains=chains,
            seed=seed,
            target_accept=target,
            progress_bar=progress,
            save_warmup=False,
        )
    except RuntimeError as error:
        raise FitError(
            f"NUTS could not start: {error}. Check the scale of the priors with print(model),"
            " or give tighter ones, for example priors={'sd': 'HalfNormal(1)'}."
        ) from error


def _nudged(point: dict[str, Array], rng: np.random.Generator) -> dict[str, Array]:
    """Move the spherical effects a little off their modes: nutpie takes a gradient of exactly zero for a failure."""
    return {
        name: value + NUDGE * rng.standard_normal(value.shape) if name.startswith("z_") else value
        for name, value in point.items()
    }


def _initial_point(design: Design, priors: Priors, start: PointEstimate) -> dict[str, Array]:
    """The point estimate as values of the free variables of `to_pymc`, moved off the boundary and into the priors."""
    point = _by_kind("fixef_centred", priors.fixed, _inside(priors.fixed, priors.contrast @ start.beta))
    for t in range(len(design.terms)):
        label = term_label(design.terms, t)
        sd, corr = sd_and_corr(start.covariances[t])
        free = sd[: len(priors.sd[t])]
        free = _inside(priors.sd[t], np.maximum(free, SMALLEST * _typical(priors.sd[t])))
        sd = np.broadcast_to(free, sd.shape)
        k = len(sd)
        root = np.eye(k)
        if priors.corr[t] is not None:
            family = structure_of(design.terms[t]).correlation
            partial = family.partial(0.95 * np.where(np.isnan(corr), 0.0, corr) + 0.05 * np.eye(k))
            root = family.root(partial)
            point[f"lkj_{label}"] = 0.5 * (1.0 + partial)
        point |= _by_kind(f"sd_free_{label}", priors.sd[t], free, scalar=len(free) == 1)
        point[f"z_{label}"] = np.linalg.solve(sd[:, None] * root, start.b[t].T).T
    if priors.dispersion is not None and start.dispersion is not None:
        dispersion = _inside((priors.dispersion,), np.array([start.dispersion]))
        point[str(priors.dispersion_name)] = dispersion[0]
    return point


def _inside(priors: tuple[Prior, ...], values: Array) -> Array:
    """Values, those without prior density replaced by one well inside the prior's support."""
    inside = np.array(values, float)
    for j, prior in enumerate(priors):
        if np.isfinite(prior.log_density(inside[j])):
            continue
        lower, upper = prior.arguments if prior.kind == "Uniform" else (0.0, 2.0 * float(_typical((prior,))[0]))
        inside[j] = 0.5 * (lower + upper)
    return inside


def _typical(sd_priors: tuple[Prior, ...]) -> Array:
    """Median-like size under each prior, 1 for improper ones."""
    grid = np.logspace(-8, 8, 2001)
    sizes = []
    for prior in sd_priors:
        mass = np.exp(prior.log_density(grid)) * grid
        sizes.append(1.0 if prior.is_flat else float(grid[np.searchsorted(np.cumsum(mass), 0.5 * mass.sum())]))
    return np.array(sizes)


def _by_kind(name: str, priors: tuple[Prior, ...], values: Array, *, scalar: bool = False) -> dict[str, Array]:
    """Values of the vectors, one a kind of distribution, that stand for parameters in the PyMC model."""
    kinds = dict.fromkeys(prior.kind for prior in priors)
    if scalar:
        return {name: np.asarray(values[0])}
    return {
        name + ("" if len(kinds) == 1 else f"_{kind.lower()}"): values[[prior.kind == kind for prior in priors]]
        for kind in kinds
    }


def _parameters(design: Design, priors: Priors, posterior: Any) -> Parameters:
    """Read the deterministics of `to_pymc` back into arrays ``(chain, draw, ...)``."""
    labels = [term_label(design.terms, t) for t in range(len(design.terms))]
    corr = []
    for label, term, eta in zip(labels, design.terms, priors.corr, strict=True):
        lead = posterior[f"sd_{label}"].shape[:2]
        numbers = np.zeros((*lead, 0)) if eta is None else posterior[f"corr_{label}"].to_numpy()
        corr.append(structure_of(term).correlation.matrix(numbers))
    return Parameters(
        beta=posterior["fixef"].to_numpy(),
        sd=tuple(posterior[f"sd_{label}"].to_numpy() for label in labels),
        corr=tuple(corr),
        b=tuple(posterior[f"ranef_{label}"].to_numpy() for label in labels),
        dispersion=None if priors.dispersion_name is None else posterior[priors.dispersion_name].to_numpy(),
    )


def _stats(stats: Any) -> dict[str, Array]:
    wanted = {
        "diverging": "diverging",
        "energy": "energy",
        "logp": "lp",
        "n_steps": "n_steps",
        "depth": "tree_depth",
        "step_size": "step_size",
        "mean_tree_accept": "acceptance_rate",
    }
    return {ours: stats[theirs].to_numpy() for theirs, ours in wanted.items() if theirs in stats}
