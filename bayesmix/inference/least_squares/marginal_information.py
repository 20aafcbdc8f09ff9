"""``Z'V^-1 Z`` and ``Z'V^-1 X``, with ``V = W^-1 + Z G Z'`` the marginal covariance relative to the residual variance.

Neither V nor ``Z'V^-1 Z`` is formed: with ``A = Z'WZ`` and ``M = Lambda'A Lambda + I`` the latter is
``A - A Lambda M^-1 Lambda' A``, one solution of the factorised system for each vector it is multiplied with.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bayesmix.arrays import Array
from bayesmix.inference.least_squares.cholesky import Factorisation
from bayesmix.inference.least_squares.cross_products import Moments
from bayesmix.inference.least_squares.incidence import Incidence, Segments
from bayesmix.inference.least_squares.solve import solve


@dataclass(frozen=True, slots=True, eq=False)
class MarginalInformation:
    """``Z'V^-1 Z`` at a parameter point. Vectors are per factor ``(..., J, k)``."""

    pattern: Incidence
    products: Moments
    factorisation: Factorisation

    def of_columns(self, p: int) -> list[Array]:
        """``Z'V^-1 X`` of the first ``p`` columns beside the factors: per factor ``(p, J, k)``."""
        return self._without_effects([np.moveaxis(B[..., :p], -1, 0) for B in self.products.B])

    def times(self, vectors: Sequence[Array]) -> list[Array]:
        """``Z'V^-1 Z v``."""
        return self._without_effects(_times(self.pattern, self.products, vectors))

    def _without_effects(self, sums: Sequence[Array]) -> list[Array]:
        """Sums ``Z'W y`` over rows less what the random effects explain: ``Z'V^-1 y``."""
        if not sums:
            return []
        b, _ = solve(self.factorisation, sums)
        return [own - part for own, part in zip(sums, _times(self.pattern, self.products, b), strict=True)]


def _times(pattern: Incidence, products: Moments, vectors: Sequence[Array]) -> list[Array]:
    """``Z'WZ v``."""
    found = [np.einsum("jab,...jb->...ja", D, v) for D, v in zip(products.D, vectors, strict=True)]
    for pair, C in zip(pattern.pairs, products.C, strict=True):
        first = np.einsum("mab,...mb->...ma", C, vectors[pair.second][..., pair.j, :])
        second = np.einsum("mba,...mb->...ma", C, vectors[pair.first][..., pair.i, :])
        found[pair.first] = found[pair.first] + Segments.of(pair.i, pattern.shapes[pair.first][0]).sum_rows(first)
        found[pair.second] = found[pair.second] + Segments.of(pair.j, pattern.shapes[pair.second][0]).sum_rows(second)
    return found
