"""Shares that add up to one, and what each takes of what those before it leave.

They are ``s_i = v_i (1 - v_1) ... (1 - v_(i-1))``. Under a Dirichlet distribution of the shares the ``v`` are
independent Beta variables, free of each other on the unit interval. The last share is what all others leave: it has no
``v``, and is not among the shares here.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bayesmix.arrays import Array


def shares_of(taken: Array) -> Array:
    """Shares ``(..., D - 1)`` of ``v (..., D - 1)``."""
    left = np.cumprod(1.0 - taken, axis=-1)
    return np.concatenate([taken[..., :1], taken[..., 1:] * left[..., :-1]], axis=-1)


def taken_of(shares: Array) -> Array:
    """The ``v (..., D - 1)`` of shares."""
    before = np.cumsum(shares, axis=-1) - shares
    return np.asarray(shares / (1.0 - before))


def share_slopes(taken: Array) -> Array:
    """Derivatives ``(D - 1, D - 1)`` of the shares, a row each, by ``v (D - 1,)``."""
    left = np.concatenate([[1.0], np.cumprod(1.0 - taken)[:-1]])
    before = np.tril(np.ones((len(taken), len(taken))), -1)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.diag(left) - before * (taken * left)[:, None] / (1.0 - taken)


def independent_betas(concentration: Sequence[float]) -> list[tuple[float, float]]:
    """Arguments of the Beta priors of the ``v`` under a Dirichlet distribution of ``D`` shares."""
    rest = np.cumsum(np.asarray(concentration)[::-1])[::-1][1:]
    return [(float(a), float(b)) for a, b in zip(concentration, rest, strict=False)]
