"""Expected log predictive densities: ArviZ's record, without ArviZ, and what of it was computed by refits."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, override

import numpy as np

from bayesmix.arrays import Array
from bayesmix.inference.sampling.pareto_smoothing import smoothed, tail_length
from bayesmix.results.tables.r_printing import table_lines

if TYPE_CHECKING:
    import xarray as xr

GOOD_K = 0.7  # Pareto k up to which many draws are enough


@dataclass(kw_only=True, repr=False, eq=False)
class Elpd:
    """An ``ELPDData`` that every function of ArviZ takes; ``refitted`` are the units left out by a refit, exactly."""

    elpd: float
    se: float
    p: float  # effective number of parameters
    n_samples: int
    n_data_points: int
    warning: bool  # whether a Pareto k is above `good_k`
    good_k: float
    elpd_i: xr.DataArray  # (unit,)
    pareto_k: xr.DataArray  # (unit,)
    log_weights: xr.DataArray  # (chain, draw, unit), smoothed
    label: str  # of the estimate: loo, logo, kfold
    units: str  # what is left out: rows, levels of a group
    refitted: Array
    advice: str = "refit=True"  # what to do about units whose Pareto k is high
    scale: str = "log"
    kind: str = "loo"
    approx_posterior: bool = False
    log_jacobian: None = None
    p_loo_i: None = None
    influence_pareto_k: None = None
    n_eff_i: None = None

    @property  # type: ignore[misc]
    @override
    def __class__(self) -> type[Any]:
        """ArviZ's class where ArviZ is loaded, which takes seconds: its functions ask for it."""
        theirs = sys.modules.get("arviz_stats.utils")
        return type(self) if theirs is None else theirs.ELPDDataLOO

    def __reduce__(self) -> tuple[Any, ...]:
        return _made, (dict(self.__dict__),)

    def with_exact(self, units: Array, values: Array, pointwise: Array) -> Elpd:
        """The same where the densities ``values`` of some units were found by leaving them out."""
        every, k = self.elpd_i.to_numpy().copy(), self.pareto_k.to_numpy().copy()
        every[units], k[units] = values, 0.0
        changes = {
            "elpd": float(every.sum()),
            "se": standard_error(every),
            "p": effective_parameters(pointwise, every),
            "warning": False,
            "elpd_i": self.elpd_i.copy(data=every),
            "pareto_k": self.pareto_k.copy(data=k),
            "refitted": units,
        }
        return _made({**self.__dict__, **changes})

    def __getitem__(self, key: str) -> Any:
        return getattr(self, key)

    def __str__(self) -> str:
        names = [f"elpd_{self.label}", f"p_{self.label}"]
        columns = [("Estimate", [f"{self.elpd:.2f}", f"{self.p:.2f}"]), ("SE", [f"{self.se:.2f}", ""])]
        head = f"Expected log predictive density of {self.n_data_points} {self.units}, by {self.n_samples} draws"
        return "\n".join([head, "", *table_lines(names, columns), "", *self._on_refits()])

    def _on_refits(self) -> Iterator[str]:
        n, units = self.n_data_points, self.units
        if len(self.refitted) == n:
            yield f"All {units} were left out by refits."
            return
        if len(self.refitted):
            yield f"{len(self.refitted)} of {n} {units} had a high Pareto k and were left out by refits."
        k = np.delete(self.pareto_k.to_numpy(), self.refitted)
        bad = int(np.sum(~(k <= self.good_k)))
        others = " of the others" if len(self.refitted) else ""
        yield f"Pareto k{others} is at most {k.max():.2f} (limit {self.good_k:.2f})."
        if bad:
            yield f"{bad} of {n} {units} are above it: their densities are not to be trusted. Next: {self.advice}"

    def __repr__(self) -> str:
        return str(self)


def _made(fields: dict[str, Any]) -> Elpd:
    return Elpd(**fields)


def psis_loo(pointwise: Array, efficiency: float, label: str, units: str) -> Elpd:
    """The record of densities ``(chain, draw, units)`` by Pareto smoothed importance sampling.

    Parameters
    ----------
    efficiency : effective over actual number of draws.
    """
    import xarray as xr

    draws, n = pointwise[..., 0].size, pointwise.shape[-1]
    log_density = pointwise.reshape(draws, n)
    tail = tail_length(draws, efficiency)
    pairs = [smoothed(-own, tail) for own in log_density.T]
    log_weights = np.array([weights for weights, _ in pairs]).reshape(n, draws)
    k = np.array([shape for _, shape in pairs])
    values = np.logaddexp.reduce(log_weights + log_density.T, axis=1)
    good_k = min(1.0 - 1.0 / np.log10(draws), GOOD_K) if draws > 1 else GOOD_K
    by_draw = log_weights.T.reshape(pointwise.shape)
    return Elpd(
        elpd=float(values.sum()),
        se=standard_error(values),
        p=effective_parameters(pointwise, values),
        n_samples=draws,
        n_data_points=n,
        warning=bool(np.any(k > good_k)),
        good_k=float(good_k),
        elpd_i=xr.DataArray(values, dims="unit"),
        pareto_k=xr.DataArray(k, dims="unit"),
        log_weights=xr.DataArray(by_draw, dims=("chain", "draw", "unit")),
        label=label,
        units=units,
        refitted=np.zeros(0, int),
    )


def standard_error(values: Array) -> float:
    """Standard error of the sum of densities of units ``(n,)``."""
    return float(np.sqrt(len(values) * values.var()))


def effective_parameters(pointwise: Array, values: Array) -> float:
    """Effective number of parameters: what the densities of units ``(n,)`` lose when these are left out."""
    lppd = np.logaddexp.reduce(pointwise, axis=(0, 1)) - np.log(pointwise[..., 0].size)
    return float(lppd.sum() - values.sum())
