"""Values of all parameters of a model, with free leading axes: ``()`` for an estimate, ``(chain, draw)`` for draws."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

Array = np.ndarray


@dataclass(frozen=True, slots=True, eq=False)
class Parameters:
    """Parameters in the user's units, terms in the order of ``Design.terms``."""

    beta: Array  # (..., p)
    sd: tuple[Array, ...]  # per term (..., k)
    corr: tuple[Array, ...]  # per term (..., k, k)
    b: tuple[Array, ...]  # per term (..., J, k)
    dispersion: Array | None  # (...,) sigma or shape

    @property
    def lead(self) -> tuple[int, ...]:
        """The leading axes."""
        return self.beta.shape[:-1]


def covariance(sd: Array, corr: Array) -> Array:
    """Covariance matrices ``(..., k, k)``; a correlation that is not defined (zero SD) counts as zero."""
    return np.where(np.isnan(corr), 0.0, corr) * sd[..., :, None] * sd[..., None, :]
