"""Parameters as functions of the sampler's free numbers, on PyTensor's symbols and on draws."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from bayesmix.arrays import Array
from bayesmix.inference.sampling.nuts.moves import Move
from bayesmix.inference.sampling.nuts.pymc_model import arguments_of, by_kind, distribution, in_order
from bayesmix.inference.sampling.nuts.shared_data import Packed
from bayesmix.language.priors.joint import log_decov
from bayesmix.language.priors.prior import Prior


def moved_vector(name: str, priors: Sequence[Prior], moves: Sequence[Move], packed: Packed, unit: Any = None) -> Any:
    """Parameters ``(m,)``, in order; ``unit``: the dispersion parameter, which joint priors are relative to."""
    import pytensor.tensor as pt

    kinds = by_kind(name, priors)
    parts = []
    for (own, kind, members), move in zip(kinds, moves, strict=True):
        arguments: list[Any] = list(priors[members[0]].arguments)
        if kind != "Decov":
            arguments = [packed.constant(own, values) for values in arguments_of([priors[j] for j in members])]
        parts.append(moved(own, kind, arguments, move, packed, unit))
    return parts[0] if len(parts) == 1 else pt.concatenate(parts)[in_order(kinds)]


def moved(name: str, kind: str, arguments: list[Any], move: Move, packed: Packed, unit: Any = None) -> Any:
    """Parameters of one kind of prior as functions of free numbers; their density is a potential."""
    import pymc as pm
    import pytensor.tensor as pt

    free = pm.Flat(f"{name}_free", shape=move.location.shape)
    location, scale = packed.constant(name, move.location), packed.constant(name, move.scale)
    bounds = arguments if kind == "Uniform" else (0.0, 1.0)
    values, log_jacobian = move.forward(free, location, scale, bounds, xp=pt)
    if kind == "Decov":
        density = log_decov(values, pt.ones(()) if unit is None else unit, *arguments, xp=pt)
    else:
        density = pm.logp(distribution(kind, arguments), values).sum()
    pm.Potential(name, density + log_jacobian)
    return values


def values_of(name: str, priors: Sequence[Prior], moves: Sequence[Move], free: Mapping[str, Array]) -> Array:
    """Parameters ``(..., m)``, in order."""
    kinds = by_kind(name, priors)
    parts = [
        np.atleast_1d(value_of([priors[j] for j in members], move, free[f"{own}_free"]))
        for (own, _, members), move in zip(kinds, moves, strict=True)
    ]
    return np.concatenate(parts, axis=-1)[..., in_order(kinds)]


def value_of(priors: Sequence[Prior], move: Move, free: Array) -> Array:
    """Values of parameters of one kind of prior, from their free numbers."""
    with np.errstate(over="ignore"):
        return move.forward(free, move.location, move.scale, bounds_of(priors), xp=np)[0]


def bounds_of(priors: Sequence[Prior]) -> tuple[Any, ...]:
    """Ends of the range of parameters of one kind of prior, where they have two."""
    return tuple(arguments_of(priors)) if priors[0].kind == "Uniform" else (0.0, 1.0)


def free_of(name: str, priors: Sequence[Prior], moves: Sequence[Move], values: Array) -> dict[str, Array]:
    """Free values of parameters ``(m,)``, by variable."""
    return {
        f"{own}_free": move.backward(values[members], bounds_of([priors[j] for j in members]))
        for (own, _, members), move in zip(by_kind(name, priors), moves, strict=True)
    }
