"""Regression of log importance weights on coefficients: along which of them proposals miss the posterior."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bayesmix.arrays import Array
from bayesmix.inference.sampling.marginal.t_mixture import tempered

TELLING = 0.03  # variance of the log weights, about the loss of efficiency, that a coefficient explains ...
HINTING = 0.01  # ... or, of very many weights whose tail is too heavy, hints at


def telling(gamma: Array, log_weights: Array, known: Array, most: int, limit: float = TELLING) -> Array:
    """Coefficients that explain the spread of the weights ``(p,) bool``, beside those that are explored already.

    One after the other, that which explains most first: cubics, and products with those before.

    Parameters
    ----------
    gamma, log_weights : proposals ``(N, p)`` and ``(N,)``.
    known : (p,) bool, explored already: what the weights vary along them is no reason to explore more.
    most : how many coefficients may be explored.
    limit : variance of the log weights that one explains at least.
    """
    finite = np.isfinite(log_weights)
    gamma, log_weights = gamma[finite], log_weights[finite]
    weights = tempered(log_weights, gamma.shape[1])
    away = gamma - weights @ gamma
    z = away / np.maximum(np.sqrt(weights @ away**2), 1e-300)
    root, wanted = np.sqrt(weights), log_weights - weights @ log_weights
    chosen = [int(j) for j in np.flatnonzero(known)]
    left = _unexplained(z, wanted, root, chosen)
    while len(chosen) < min(most, len(known)):
        found = {j: _unexplained(z, wanted, root, [*chosen, j]) for j in range(len(known)) if j not in chosen}
        best = min(found, key=found.__getitem__)
        if left - found[best] < limit:
            break
        chosen, left = [*chosen, best], found[best]
    return np.isin(np.arange(len(known)), chosen)


def _unexplained(z: Array, wanted: Array, root: Array, chosen: Sequence[int]) -> float:
    """Weighted mean square of what a regression leaves; ``root (N,)`` are roots of weights that sum to one."""
    columns = [np.ones(len(z))]
    for place, j in enumerate(chosen):
        columns += [z[:, j], z[:, j] ** 2, z[:, j] ** 3, *(z[:, j] * z[:, i] for i in chosen[:place])]
    X = root[:, None] * np.stack(columns, axis=1)
    beta = np.linalg.lstsq(X, root * wanted, rcond=None)[0]
    with np.errstate(over="ignore"):  # of weights that span all numbers, which no proposal is of
        return float(np.sum((root * wanted - X @ beta) ** 2))
