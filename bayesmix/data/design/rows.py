"""Rows of a design, those of a fit and those of new data alike.

A row has R linear predictors. Arrays of rows are stacked predictor by predictor: with ``n`` rows, entry ``r n + i`` of
the ``N = R n`` belongs to predictor ``r`` of row ``i``; columns of other predictors are zero there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from bayesmix.arrays import Array
from bayesmix.data.design.residual_blocks import RowBlocks
from bayesmix.data.design.term import Term


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """Fixed and random columns of rows."""

    X: Array  # (N, p) float64; of a fit, of full column rank
    offset: Array  # (N,) known part of the linear predictors, zeros where none was given
    terms: tuple[Term, ...]  # lme4's order: decreasing number of levels
    index: Array  # (n,) positions of the rows in the data as given: those without a missing value
    n_given: int  # rows of the data as given; n_given - n were dropped for missing values
    outside: Array  # (n, d) what the data of the fit do not tell of each row, zero where they tell all
    missing: tuple[str, ...] = ()  # columns with missing values
    blocks: RowBlocks | None = None  # of correlated residuals; None where there are none
    counts: Array | None = None  # (n,) rows of the data that each stands for; None where each is one

    @property
    def n(self) -> int:
        """Number of rows."""
        return len(self.index)

    @property
    def R(self) -> int:
        """Number of linear predictors of a row."""
        return len(self.X) // len(self.index) if len(self.index) else 1

    def stacked(self, part: Array | slice) -> Array:
        """Positions of some of the rows in the stacked arrays."""
        own = np.arange(self.n)[part]
        return own if self.R == 1 else np.concatenate([own + r * self.n for r in range(self.R)])

    def of_predictor(self, *predictors: int) -> Rows:
        """Rows with a single linear predictor: one of theirs, or the sum of several."""
        if self.R == 1:
            return self
        n = self.n
        terms = [
            replace(term, z=self._sum(term.z, predictors), codes=np.where(_is_of(term, predictors), term.codes[:n], 0))
            for term in self.terms
        ]
        return replace(
            self, X=self._sum(self.X, predictors), offset=self._sum(self.offset, predictors), terms=tuple(terms)
        )

    def _sum(self, stacked: Array, predictors: Sequence[int]) -> Array:
        return np.asarray(sum(stacked[r * self.n : (r + 1) * self.n] for r in predictors))

    def take(self, part: Array | slice, terms: Sequence[Term] | None = None) -> Rows:
        """Some of the rows; with ``terms`` in place of their own where these are coded anew."""
        at = part if self.R == 1 else self.stacked(part)
        own = (replace(term, z=term.z[term.places(at)], codes=term.codes[term.places(at)]) for term in self.terms)
        taken = own if terms is None else terms
        return replace(
            self,
            X=self.X[at],
            offset=self.offset[at],
            terms=tuple(taken),
            index=self.index[part],
            outside=self.outside[part],
            blocks=None if self.blocks is None else self.blocks.take(part),
            counts=None if self.counts is None else self.counts[part],
        )


def _is_of(term: Term, predictors: Sequence[int]) -> bool:
    """Whether a term has effects on any of some predictors; the level of a row does not matter where it has none."""
    return any(term.columns_of(r) for r in predictors)


def stack(parts: Sequence[Array]) -> Array:
    """Columns ``(n, p_r)`` of each predictor as stacked rows ``(N, sum p_r)``."""
    if len(parts) == 1:
        return parts[0]
    n, widths = len(parts[0]), [part.shape[1] for part in parts]
    whole, begin = np.zeros((len(parts) * n, sum(widths))), 0
    for r, (part, width) in enumerate(zip(parts, widths, strict=True)):
        whole[r * n : (r + 1) * n, begin : begin + width] = part
        begin += width
    return whole


def beside(X: Array, numbers: int) -> Array:
    """Columns ``(N, p)`` with those of numbers that no predictor has: zeros."""
    return np.pad(X, ((0, 0), (0, numbers))) if numbers else X
