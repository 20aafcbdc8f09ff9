"""The axis of levels, and the effects to draw, of figures that have a row a level."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from bayesmix.arrays import Array
from bayesmix.errors import SpecError, nearest
from bayesmix.present.plots.canvas import elided
from bayesmix.present.plots.observations import choose_levels
from bayesmix.results.fits.level import check_level
from bayesmix.results.fits.linear_predictor import GroupEffects, find_group

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from bayesmix.fit import Estimate, Posterior

LONGEST_LEVEL = 44  # letters of a level's name beside its row
NAMED = 60  # levels up to which every one has its label
MOST = 400  # levels drawn, of more some


def levels_axis(axis: Axes, group: GroupEffects, rows: Array, *, shown: bool) -> None:
    """Name the levels along the vertical axis, or say how many there are."""
    if shown:
        axis.set_yticks(range(len(rows)), [elided(group.levels[row], LONGEST_LEVEL) for row in rows], fontsize="small")
        axis.set_ylabel(group.group)
    else:
        part = "" if len(rows) == len(group.levels) else f" of {len(group.levels)}"
        axis.set_yticks([])
        axis.set_ylabel(f"{len(rows)}{part} levels of {group.group}, sorted")


@dataclass(frozen=True, slots=True)
class Levels:
    """Options of a figure of levels: grouping factor, its effects and its levels, and how many at most by default."""

    group: str | None
    effects: Sequence[str] | None
    levels: Sequence[str] | None
    most: int


def find_levels(fit: Estimate | Posterior, options: Levels, interval: float) -> tuple[GroupEffects, list[str], Array]:
    """Grouping factor, names of the effects and positions of the levels that a figure draws.

    Raises
    ------
    SpecError, DataError
        If there is no such group, effect or level, or the interval has no probability.
    """
    check_level(interval)
    found = find_group(fit.design, options.group)
    names = choose_effects(found.effects, options.effects, found)
    return found, names, np.array(choose_levels(found, options.levels, options.most))


def choose_effects(known: Sequence[str], wanted: Sequence[str] | None, group: GroupEffects) -> list[str]:
    """Effects to draw, all that are known by default; `SpecError` if one of them is not."""
    for name in wanted or ():
        if name not in known:
            raise SpecError(
                f"`{group.group}` has no effect `{name}`.{nearest(name, known)} Effects: {', '.join(known)}."
            )
    return list(known if wanted is None else wanted)
