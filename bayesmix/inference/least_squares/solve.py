"""Solving with a factorisation: conditional modes, draws, right-hand sides."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol, override

import numpy as np

from bayesmix.arrays import Array
from bayesmix.inference.least_squares.cholesky import AtPieces, Eliminated, Factorisation
from bayesmix.inference.least_squares.pieces import rows_in_order
from bayesmix.inference.least_squares.small_blocks import (
    block_rows,
    inverse_of_lower,
    solve_lower,
    solve_upper,
    transposed_times,
)
from bayesmix.inference.least_squares.symbolic import Stage


def modes(factorisation: Factorisation, combination: Array) -> tuple[list[Array], list[Array]]:
    """Solve for the random effects given a combination of the columns of ``[X y]``.

    Parameters
    ----------
    combination : (..., c) weights; ``[-beta, 1]`` gives the conditional modes of Bates et al. eq. 11.

    Returns
    -------
    b, u : per factor ``(..., J, k)``, on the response scale (``b = Lambda u``) and spherical.
    """
    rhs = [np.einsum("...jkc,...c->...jk", step.B, combination) for step in factorisation.eliminated]
    return _substitute(factorisation, rhs, _half_of_end(factorisation, combination))


def draw(
    factorisation: Factorisation, combination: Array, sigma: Array, rng: np.random.Generator, *, end_only: bool = False
) -> list[Array]:
    """Draw random effects given the rest: per factor ``b (..., J, k)`` around the modes of ``combination``.

    Back-substitution with noise, ``u = L^-T (L^-1 Lambda' (...) + sigma e)``: one pass gives mean and draw alike.
    ``combination (..., c)`` and ``sigma (...,)`` have the batch axes of the factorisation. With ``end_only``, factors
    eliminated level by level are left out: `given_later` has their distribution.
    """
    steps = () if end_only and factorisation.at is None else factorisation.eliminated
    rhs = [np.einsum("...jkc,...c->...jk", step.B, combination) for step in steps]
    b, _ = _substitute(factorisation, rhs, _half_of_end(factorisation, combination), _DrawnNoise(sigma, rng))
    return b


def given_later(
    factorisation: Factorisation, number: int, combination: Array, later: Sequence[Array]
) -> tuple[Array, Array, Array]:
    """Distribution of the effects of one factor that is eliminated level by level, given those eliminated after it.

    Effects eliminated before it are integrated out; the residual variance is one.

    Parameters
    ----------
    combination : (..., c) as for `modes`.
    later : effects of the factors after it, ``b (..., J, k)`` each.

    Returns
    -------
    mean (..., J, k), root (..., J, k, k), rhs (..., J, k)
        ``b = mean + root e`` with ``e`` standard normal, independently for every level; ``mean = root root' rhs``.
    """
    stage, step = factorisation.plan.stages[number], factorisation.eliminated[number]
    rhs = np.einsum("...jkc,...c->...jk", step.B, combination)
    flat = [part.reshape(*part.shape[:-2], -1) for part in later]
    rest = _without(stage, step, rhs, np.concatenate(flat, axis=-1) if flat else np.zeros(0))
    root = step.Lambda[..., None, :, :] @ np.swapaxes(inverse_of_lower(step.L), -1, -2)
    return np.einsum("...jkl,...jl->...jk", step.P, rest), root, rest


def at_noise(factorisation: Factorisation, combination: Array, noise: Sequence[Array]) -> list[Array]:
    """Random effects at spherical noise that is given: per factor ``b (..., J, k)``, as `draw` has them.

    ``noise`` is ``(..., J, k)`` for each factor that is eliminated level by level, and ``(..., q)`` for the dense end.
    """
    rhs = [np.einsum("...jkc,...c->...jk", step.B, combination) for step in factorisation.eliminated]
    half = _half_of_end(factorisation, combination)
    return _substitute(factorisation, rhs, half, _GivenNoise(reversed(noise)))[0]


def moved_by_noise(factorisation: Factorisation, number: int, change: Array) -> list[Array]:
    """How the effects of `at_noise` change with the noise of one factor: per factor up to it ``(..., J, k)``.

    Later factors stay where they are.

    Parameters
    ----------
    number : of the factor; where all that are eliminated level by level come before it, the dense end, and all factors.
    change : of its noise.
    """
    plan, steps = factorisation.plan, factorisation.eliminated
    if number == len(steps):
        assert factorisation.end is not None
        u = solve_upper(factorisation.end.L, change)
        b_later = block_rows(plan.dense, factorisation.end.Lambdas, u[..., None])[..., 0]
        moved = _split(plan.dense, b_later)
    else:
        u = solve_upper(steps[number].L, change)
        moved = [np.einsum("...kl,...jl->...jk", steps[number].Lambda, u)]
        after = sum(levels * k for levels, k in plan.shapes[number + 1 :])
        own = moved[0].reshape(*u.shape[:-2], -1)
        b_later = np.concatenate([own, np.zeros((*own.shape[:-1], after))], axis=-1) if number else own
    for stage, step in reversed(list(zip(plan.stages[:number], steps[:number], strict=True))):
        b, _ = _of_stage(stage, step, np.zeros((stage.levels, stage.k)), b_later, None)
        moved.insert(0, b)
        b_later = np.concatenate([b.reshape(*b.shape[:-2], -1), b_later], axis=-1)
    return moved


class _Noise(Protocol):
    """Noise that is added in solving."""

    def like(self, values: Array, trailing: int) -> Array:
        """Noise of the shape of ``values``."""


@dataclass(frozen=True, slots=True, eq=False)
class _GivenNoise(_Noise):
    """Noise in the order in which it is asked for."""

    parts: Iterator[Array]

    @override
    def like(self, values: Array, trailing: int) -> Array:
        return next(self.parts)


@dataclass(frozen=True, slots=True, eq=False)
class _DrawnNoise(_Noise):
    """Gaussian noise for `draw`."""

    sigma: Array
    rng: np.random.Generator

    @override
    def like(self, values: Array, trailing: int) -> Array:
        """Noise of the shape of ``values``, scaled along its leading axes."""
        return self.sigma.reshape(*self.sigma.shape, *[1] * trailing) * self.rng.standard_normal(values.shape)


def solve(factorisation: Factorisation, rhs: Sequence[Array]) -> tuple[list[Array], list[Array]]:
    """Solve ``(Lambda' A Lambda + I) u = Lambda' rhs``, ``rhs`` per factor ``(..., J, k)``; return ``b``, ``u``."""
    stages = factorisation.plan.stages
    forward: list[Array] = []
    at = factorisation.at
    if at is not None:
        rhs = [part @ Lambda for part, Lambda in zip(rhs, at.Lambdas, strict=True)]
    rest = rows_in_order(factorisation.plan, [part[..., None] for part in rhs], 1)[..., 0]
    for stage, step in zip(stages, factorisation.eliminated, strict=True):
        width = stage.levels * stage.k
        own = rest[..., :width].reshape(*rest.shape[:-1], stage.levels, stage.k)
        forward.append(own)
        rest = rest[..., width:]
        pairs = stage.couplings
        if len(pairs.edge_level):
            Pr = np.einsum("...jkl,...jl->...jk", step.P, own)
            across = pairs.by_column.sum(np.einsum("...ek,...ek->...e", step.a, Pr[..., pairs.edge_level, :]))
            rest = np.broadcast_to(rest, (*across.shape[:-1], rest.shape[-1])).copy()
            rest[..., pairs.columns] -= across
    end, plan = factorisation.end, factorisation.plan
    if end is None:
        return _substitute(factorisation, forward, None)
    half = solve_lower(end.L, transposed_times(plan.dense, end.Lambdas, rest[..., None]))[..., 0]
    return _substitute(factorisation, forward, half)


def _half_of_end(factorisation: Factorisation, combination: Array) -> Array | None:
    """Spherical right-hand sides of the dense end through the root of its matrix: ``(..., q)``."""
    end = factorisation.end
    return None if end is None else (end.W @ combination[..., None])[..., 0]


def _substitute(
    factorisation: Factorisation, rhs: Sequence[Array], half: Array | None, noise: _Noise | None = None
) -> tuple[list[Array], list[Array]]:
    """Back-substitution, the dense end first, then the eliminated factors; of these only where they are in ``rhs``."""
    plan_, end = factorisation.plan, factorisation.end
    b_later: Array = np.zeros(0)
    b_parts: list[Array] = []
    u_parts: list[Array] = []
    if end is not None and half is not None:
        u = solve_upper(end.L, half if noise is None else half + noise.like(half, 1))
        b_later = block_rows(plan_.dense, end.Lambdas, u[..., None])[..., 0]
        b_parts, u_parts = _split(plan_.dense, b_later), _split(plan_.dense, u)
    steps = zip(plan_.stages, factorisation.eliminated, rhs, strict=True) if rhs else ()
    for stage, step, own in reversed(list(steps)):
        b, u = _of_stage(stage, step, own, b_later, noise)
        b_parts.insert(0, b)
        u_parts.insert(0, u)
        flat = b.reshape(*b.shape[:-2], -1)
        b_later = np.concatenate([flat, b_later], axis=-1) if b_later.size else flat
    return (b_parts, u_parts) if factorisation.at is None else _of_factors(factorisation, factorisation.at, b_later)


def _of_stage(stage: Stage, step: Eliminated, rhs: Array, b_later: Array, noise: _Noise | None) -> tuple[Array, Array]:
    """Effects ``b`` and ``u (..., J, k)`` of one eliminated factor given those after it."""
    target = np.einsum("...kl,...jk->...jl", step.Lambda, _without(stage, step, rhs, b_later))
    half = solve_lower(step.L, target[..., None])[..., 0]
    u = solve_upper(step.L, half if noise is None else half + noise.like(half, 2))
    return np.einsum("...kl,...jl->...jk", step.Lambda, u), u


def _of_factors(factorisation: Factorisation, at: AtPieces, u: Array) -> tuple[list[Array], list[Array]]:
    """Effects ``b`` and ``u`` per factor ``(..., J, k)`` of spherical ones in the order of elimination."""
    pieces = factorisation.plan.pieces
    assert pieces is not None
    parts = _split(pieces.shapes, u[..., pieces.place])
    b = [part @ np.swapaxes(Lambda, -1, -2) for part, Lambda in zip(parts, at.Lambdas, strict=True)]
    return b, parts


def _without(stage: Stage, step: Eliminated, rhs: Array, b_later: Array) -> Array:
    """Subtract from ``rhs (..., J, k)`` what the effects solved for already explain."""
    pairs = stage.couplings
    if not len(pairs.edge_level):
        return rhs
    if step.dense.size:
        a = step.dense.reshape(-1, stage.left).T
        return rhs - (b_later @ a).reshape(*b_later.shape[:-1], stage.levels, stage.k)
    across = pairs.by_level.sum_rows(step.a * b_later[..., pairs.edge_column, None])
    lead = np.broadcast_shapes(rhs.shape[:-2], across.shape[:-2])
    rhs = np.broadcast_to(rhs, (*lead, *rhs.shape[-2:])).copy()
    rhs[..., pairs.levels, :] -= across
    return rhs


def _split(shapes: Sequence[tuple[int, int]], vector: Array) -> list[Array]:
    bounds = np.cumsum([0, *(levels * k for levels, k in shapes)])
    return [
        vector[..., lo:hi].reshape(*vector.shape[:-1], levels, k)
        for (levels, k), lo, hi in zip(shapes, bounds[:-1], bounds[1:], strict=True)
    ]
