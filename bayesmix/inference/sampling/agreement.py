"""Whether two samplers of one posterior agree: the quantiles of every scalar parameter, in Monte Carlo errors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bayesmix.arrays import Array
from bayesmix.data.design.design import Design
from bayesmix.inference.parameters.names import Parameters, sd_names
from bayesmix.inference.parameters.natural_scale import reported
from bayesmix.inference.sampling.diagnostics import quantile_ess

LEVELS = (0.025, 0.5, 0.975)
LIMIT = 6.0  # Monte Carlo errors between two quantiles that are not one
FEWEST = 50.0  # effective draws below which a quantile says nothing


@dataclass(frozen=True, slots=True)
class Distance:
    """The two quantiles that are farthest apart."""

    errors: float  # how many Monte Carlo errors
    level: float
    name: str
    first: float
    second: float

    def says(self, first: str, second: str) -> str:
        """A sentence on the two samplers, called by their names."""
        where = "median" if self.level == 0.5 else f"{100.0 * self.level:g} % quantile"
        return (
            f"{first} and {second} disagree: the {where} of {self.name} is {self.first:.3g} by {first} and"
            f" {self.second:.3g} by {second}, {self.errors:.0f} Monte Carlo errors apart."
        )


def scalars(design: Design, values: Parameters, dispersion: str | None) -> tuple[list[str], Array]:
    """Names and draws ``(chain, draw, m)`` of fixed effects, standard deviations and the dispersion.

    Parameters that are one number for all rows are taken on their natural scale.
    """
    names = [*design.fixed, *(name for own in sd_names(design.terms) for name in own)]
    beta = reported(design.layout, values.beta)
    parts = [beta, *(sd[..., : len(own)] for sd, own in zip(values.sd, sd_names(design.terms), strict=True))]
    if values.dispersion is not None and dispersion is not None:
        return [*names, dispersion], np.concatenate([*parts, values.dispersion[..., None]], axis=-1)
    return names, np.concatenate(parts, axis=-1)


def distance(names: Sequence[str], first: Array, second: Array) -> Distance:
    """The largest distance between quantiles of draws ``(chain, draw, m)`` of two samplers."""
    worst = Distance(0.0, 0.5, "", 0.0, 0.0)
    for level in LEVELS:
        (q1, e1), (q2, e2) = _quantile(first, level), _quantile(second, level)
        with np.errstate(invalid="ignore", divide="ignore"):
            errors = np.abs(q1 - q2) / np.hypot(e1, e2)
        if np.all(np.isnan(errors)):
            continue
        j = int(np.nanargmax(errors))
        if errors[j] > worst.errors:
            worst = Distance(float(errors[j]), level, names[j], float(q1[j]), float(q2[j]))
    return worst


def _quantile(draws: Array, level: float) -> tuple[Array, Array]:
    """Quantiles ``(m,)`` and their Monte Carlo errors; NaN where too few draws are effective."""
    ess = quantile_ess(draws, level)
    spread = np.sqrt(level * (1.0 - level) / np.fmax(ess, 1.0))  # none are effective of draws that never move
    flat = draws.reshape(-1, draws.shape[-1])
    bounds = [
        [np.quantile(flat[:, j], np.clip(level + sign * spread[j], 0.0, 1.0)) for j in range(flat.shape[1])]
        for sign in (-1.0, 1.0)
    ]
    error = 0.5 * (np.array(bounds[1]) - np.array(bounds[0]))
    return np.quantile(flat, level, axis=0), np.where(ess >= FEWEST, error, np.nan)
