"""Ratings that are where a latent variable falls between thresholds: the density of a row by those beside it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from bayesmix.arrays import Array
from bayesmix.language.families.latent import Latent
from bayesmix.language.families.namespaces import Namespace
from bayesmix.language.families.neighbours import LocalKernel


def between(  # noqa: PLR0913, PLR0917 - a category and what a row has
    latent: Latent, xp: Namespace, K: int, y: Any, mu: Any, below: Any, above: Any, disc: Any
) -> Any:
    """Log probability of each row's category of ``K``, from the thresholds below and above it.

    Of the first category the one below, and of the last the one above, does not matter. One of three formulas a row;
    those that are not its own are computed at harmless points.
    """
    low, high = (below - mu) * disc, (above - mu) * disc
    lowest, highest = latent.log_cdf(xp, high), latent.log_survival(xp, low)
    if K == 2:
        return xp.where(y < 0.5, lowest, highest)
    is_inner = xp.where(y < 0.5, 0.0, xp.where(y > K - 1.5, 0.0, 1.0))
    gap = xp.where(is_inner > 0.5, high - low, 1.0)
    is_ordered = gap > 0.0
    safe_low, safe_high = xp.where(is_ordered, low, 0.0), xp.where(is_inner > 0.5, high, low + 1.0)
    found = latent.log_between(xp, safe_low, safe_high, lowest + highest)
    inner = xp.where(is_ordered, found, -np.inf)
    return xp.where(y < 0.5, lowest, xp.where(y > K - 1.5, highest, inner))


def by_neighbours(whole: Callable[..., Any], latent: Latent, K: int, *, has_disc: bool) -> LocalKernel:
    """The density ``whole`` of all parameters, and that of a row by its latent mean and the thresholds beside it.

    Parameters
    ----------
    has_disc : whether the last parameter is a discrimination.
    """

    def own(xp: Namespace, y: Any, _: Any, mu: Any, below: Any, above: Any, disc: Any = 1.0) -> Any:
        return between(latent, xp, K, y, mu, below, above, disc)

    def places(y: Array) -> Array:
        code = y.astype(int)
        below = np.where(code == 0, 2, code)  # of an end any other will do
        above = np.where(code == K - 1, K - 2, code + 1)
        return np.stack(np.broadcast_arrays(0, below, above, *((K,) if has_disc else ())))

    return LocalKernel(whole, own, places, (0, 1, 2, *((K,) if has_disc else ())))
