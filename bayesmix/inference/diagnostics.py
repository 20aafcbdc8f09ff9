"""Convergence of chains, parameter by parameter, by ArviZ's estimators."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

Array = np.ndarray

R_HAT_LIMIT = 1.01  # Vehtari, Gelman, Simpson, Carpenter, Buerkner 2021
ESS_LIMIT = 400.0


@dataclass(frozen=True, slots=True, eq=False)
class Convergence:
    """Diagnostics of scalar parameters, each ``(m,)``; NaN for parameters that are constant by construction."""

    r_hat: Array
    ess_bulk: Array
    ess_tail: Array

    @property
    def worst_r_hat(self) -> float:
        """Largest R-hat."""
        return float(np.nanmax(self.r_hat, initial=1.0))

    @property
    def smallest_ess(self) -> float:
        """Smallest bulk or tail effective sample size."""
        return float(np.nanmin(np.minimum(self.ess_bulk, self.ess_tail), initial=np.inf))

    @property
    def is_good(self) -> bool:
        """R-hat at most 1.01 and bulk and tail effective sample sizes of at least 400, for every parameter."""
        return self.worst_r_hat <= R_HAT_LIMIT and self.smallest_ess >= ESS_LIMIT


def convergence(draws: Array) -> Convergence:
    """Rank-normalised split R-hat, bulk and tail effective sample size of ``draws (chain, draw, m)``."""
    from arviz_stats.base import array_stats

    with np.errstate(invalid="ignore", divide="ignore"):
        return Convergence(
            np.atleast_1d(array_stats.rhat(draws, chain_axis=0, draw_axis=1)),
            np.atleast_1d(array_stats.ess(draws, chain_axis=0, draw_axis=1, method="bulk")),
            np.atleast_1d(array_stats.ess(draws, chain_axis=0, draw_axis=1, method="tail", prob=(0.05, 0.95))),
        )
