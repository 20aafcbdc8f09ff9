"""Which engine draws the posterior of a model."""

from __future__ import annotations

from typing import assert_never

from bayesmix.data.design import Design
from bayesmix.errors import SpecError, nearest
from bayesmix.inference.estimate import estimate, resolve_method
from bayesmix.inference.nuts import Draws, Nuts, sample_nuts
from bayesmix.inference.priors import resolve
from bayesmix.language.spec import ModelSpec

Sampler = Nuts


def resolve_sampler(method: str | Sampler) -> Sampler:
    """Turn text into a sampler record."""
    if not isinstance(method, str):
        return method
    names: dict[str, Sampler] = {"auto": Nuts(), "nuts": Nuts()}
    if method.lower() not in names:
        known = ", ".join(names)
        raise SpecError(f"Sampling method `{method}` does not exist.{nearest(method, names)} Methods: {known}.")
    return names[method.lower()]


def sample(
    design: Design, spec: ModelSpec, method: Sampler, *, draws: int, chains: int, seed: int, progress: bool
) -> Draws:
    """Draw ``(chains, draws)`` values from the posterior."""
    priors = resolve(spec, design)
    match method:
        case Nuts():
            start = estimate(design, spec.family, spec.link, resolve_method("auto", spec.family, spec.link))
            return sample_nuts(
                design, spec, priors, start, method, draws=draws, chains=chains, seed=seed, progress=progress
            )
        case _:
            assert_never(method)
