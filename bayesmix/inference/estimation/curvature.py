"""Curvature of criteria: Hessians by differences, inverses without signs or before one is known, Newton steps."""

from __future__ import annotations

import numpy as np

from bayesmix.arrays import Array

SHORT = 0.5  # longest step of a search from far out, over the size of where it begins, or over one


def absolute_inverse(hessian: Array, *, least: float = 1e-3) -> Array:
    """Inverses of Hessians ``(..., m, m)``, curvatures without their signs and at least a share of the largest."""
    if not hessian.shape[-1]:
        return hessian
    values, vectors = np.linalg.eigh(hessian)
    largest = np.abs(values).max(axis=-1, keepdims=True)
    size = np.maximum(np.abs(values), least * np.maximum(largest, 1e-8))
    return np.asarray((vectors / size[..., None, :]) @ np.swapaxes(vectors, -1, -2))


def first_inverses(x: Array, gradient: Array, rest: Array | None = None) -> Array:
    """Inverse Hessians ``(..., m, m)`` by which the first step halves the largest variable.

    ``rest`` is that of the last variables, where it is known near enough; the first step halves the largest other one.
    """
    m = x.shape[-1] - (0 if rest is None else len(rest))
    slope = np.abs(gradient[..., :m]).max(axis=-1, initial=0.0)
    size = SHORT * np.abs(x[..., :m]).max(axis=-1, initial=0.0) / np.maximum(slope, 1e-300)
    inverse = size[..., None, None] * np.eye(x.shape[-1])
    if rest is not None:
        inverse[..., m:, m:] = rest
    return np.asarray(inverse)


def longest(x: Array) -> Array:
    """Longest steps ``(...,)`` of searches from far out at ``x (..., m)``."""
    return np.asarray(SHORT * np.maximum(np.abs(x).max(axis=-1), 1.0))


def newton_step(hessian: Array, gradient: Array) -> tuple[Array, Array]:
    """Newton steps ``(..., m)`` with negative curvature reflected and flat directions left out.

    And half their predicted decreases ``(...,)``.
    """
    values, vectors = np.linalg.eigh(hessian)
    slope = np.sum(vectors * gradient[..., None], axis=-2)
    floor = 1e-9 * np.maximum(np.abs(values).max(axis=-1, keepdims=True), 1e-300)
    size = np.where(np.abs(values) > floor, np.abs(values), np.inf)
    return -np.sum(vectors * (slope / size)[..., None, :], axis=-1), 0.5 * np.sum(slope**2 / size, axis=-1)


def steps(x: Array, step: float = 1e-4) -> Array:
    """Steps ``(..., m)`` of differences at ``x``."""
    return np.asarray(step * np.maximum(np.abs(x), 0.1))


def symmetric(rows: Array) -> Array:
    """The mean of matrices ``(..., m, m)`` and their transposes."""
    return np.asarray(0.5 * (rows + np.swapaxes(rows, -1, -2)))
