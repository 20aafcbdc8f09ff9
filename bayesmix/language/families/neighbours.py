"""Log densities of which each row knows few of the parameters: a rating only the thresholds beside it.

Their derivatives by all other parameters are zero: of 20 categories 1 540 of third order are left out of account, where
10 are enough.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from bayesmix.arrays import Array


@dataclass(frozen=True, slots=True, eq=False)
class LocalKernel:
    """The log density of a family, `Family.kernel`, and the same by the parameters of each row alone.

    Families that are made of another have a kernel of their own, and so nothing of this.
    """

    whole: Callable[..., Any]  # (xp, y, trials, *parameters)
    own: Callable[..., Any]  # (xp, y, trials, *those of `places`)
    places: Callable[[Array], Array]  # (y): the parameters of each row, (m, n), no two of a row the same
    alike: tuple[int, ...]  # (m,) parameters that have the links of these

    def __call__(self, *arguments: Any) -> Any:
        """The log density by all parameters."""
        return self.whole(*arguments)
