"""Pareto smoothed importance sampling (Vehtari, Simpson, Gelman, Yao, Gabry 2024, JMLR 25)."""

from __future__ import annotations

import numpy as np

from bayesmix.arrays import Array
from bayesmix.inference.sampling.diagnostics import tail_of

FEW = 225  # effective draws up to which the tail is a fifth of them
SHORTEST = 5  # draws that a tail is fitted to


def tail_length(draws: int, efficiency: float = 1.0) -> int:
    """Number of the largest importance weights that count as their tail.

    Parameters
    ----------
    efficiency : effective over actual number of draws.
    """
    return int(3.0 * np.sqrt(draws / efficiency) if draws * efficiency > FEW else draws / 5)


def smoothed(log_weights: Array, tail: int) -> tuple[Array, float]:
    """Logarithms ``(n,)`` of normalised weights, the largest made quantiles of a Pareto distribution; and its shape.

    Weights stay as they are where no distribution can be fitted: its shape is infinite, or zero where the largest
    weights are all the same.
    """
    found = log_weights - log_weights.max()
    if tail < SHORTEST:
        return found - np.logaddexp.reduce(found), float("inf")
    order = np.argsort(found)[len(found) - tail :]
    largest, cutoff = np.exp(found[order]), np.exp(np.partition(found, len(found) - tail - 1)[len(found) - tail - 1])
    is_level = not largest[-1] - largest[0] > np.finfo(float).tiny
    shape, scale = (0.0, 0.0) if is_level else tail_of(largest - cutoff)
    if np.isfinite(shape) and scale > 0.0:
        at = np.log1p(-np.arange(0.5, tail) / tail)
        excess = scale * (np.expm1(-shape * at) / shape if shape else -at)
        found[order] = np.minimum(np.log(cutoff + excess), found[order[-1]])
    return found - np.logaddexp.reduce(found), shape
