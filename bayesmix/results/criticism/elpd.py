"""ArviZ's record of an expected log predictive density, with what of it was computed by refits."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from arviz_stats.utils import ELPDDataLOO

from bayesmix.arrays import Array
from bayesmix.results.tables.r_printing import table_lines


@dataclass(kw_only=True, repr=False)
class Elpd(ELPDDataLOO):  # type: ignore[misc]
    """An ``ELPDData`` that every function of ArviZ takes; ``refitted`` are the units left out by a refit, exactly."""

    label: str  # of the estimate: loo, logo, kfold
    units: str  # what is left out: rows, levels of a group
    refitted: Array

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
            yield f"{bad} of {n} {units} are above it: their densities are not to be trusted. Next: refit=True"

    def __repr__(self) -> str:
        return str(self)


def record(found: Any, label: str, units: str, refitted: Array) -> Elpd:
    """The record of ArviZ with its name and its refits."""
    own = {field.name: getattr(found, field.name) for field in fields(found)}
    return Elpd(**own, label=label, units=units, refitted=refitted)
