"""Gaussian responses whose residuals are correlated within blocks, in the PyMC model: multivariate normal, by pattern.

For readers a block is a multivariate normal variable; the sampler's density standardises rows first, so that blocks
with the same places share one Cholesky factor, whatever their standard deviations.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from bayesmix.arrays import Array
from bayesmix.data.design.design import Design
from bayesmix.inference.parameters.correlation import Correlation, Free, OneNumber
from bayesmix.inference.parameters.residual_families import Arma, residual_family
from bayesmix.inference.sampling.nuts.shared_data import Packed


@dataclass(frozen=True, slots=True, eq=False)
class SymbolicBlocks:
    """The correlation matrix of a whole block, as symbols, and the rows of the blocks of each pattern."""

    names: tuple[str, ...]  # of its numbers as reported
    numbers: list[Any]  # these
    matrix: Any  # (T, T)
    patterns: tuple[tuple[Array, Array], ...]  # places (m,), and rows (b, m) of the blocks with these


def blocks_of(design: Design, numbers: Mapping[str | None, Any]) -> SymbolicBlocks | None:
    """From the numbers that stand for partial correlations; None where residuals are independent."""
    import pytensor.tensor as pt

    structure = design.layout.structure
    if structure is None:
        return None
    family, one = residual_family(design.layout), pt.ones(())
    partial = [2.0 * numbers[f"lkj_{name}"] - 1.0 for name in structure.names]
    rows = family.entries(partial, sqrt=pt.sqrt, one=one)
    full = [[rows[max(i, j)][min(i, j)] for j in range(family.k)] for i in range(family.k)]
    matrix = pt.stack([pt.stack(row) for row in full])
    return SymbolicBlocks(structure.names, _reported(family, partial, rows), matrix, tuple(patterns(design)))


def patterns(design: Design) -> Iterator[tuple[Array, Array]]:
    """Places ``(m,)`` of each pattern of blocks, and their rows ``(b, m)``."""
    assert design.data.blocks is not None
    for rows, places in design.data.blocks.by_block():
        kinds, of = np.unique(places, axis=0, return_inverse=True)
        for i, kind in enumerate(kinds):
            yield kind, rows[of.reshape(-1) == i]


def key_of(design: Design) -> tuple[Any, ...]:
    """What the graph depends on, besides the numbers in it."""
    if design.layout.structure is None:
        return ()
    return residual_family(design.layout), tuple((tuple(kind.tolist()), rows.shape) for kind, rows in patterns(design))


def _reported(family: Correlation, partial: list[Any], rows: list[list[Any]]) -> list[Any]:
    match family:
        case Free():
            return [rows[i][j] for j in range(family.k) for i in range(j + 1, family.k)]
        case Arma():
            ar, ma = family.coefficients(partial)
            return [*ar, *ma]
        case OneNumber():
            return [family.rho(partial[0])]
        case _:
            return []


def add_blocks(blocks: SymbolicBlocks, y: Array, mean: Any, sd: Any) -> None:
    """Add the responses: of each pattern one multivariate normal variable, standardised by the rows' own spread."""
    import pymc as pm
    import pytensor.tensor as pt

    for name, value in zip(blocks.names, blocks.numbers, strict=True):
        pm.Deterministic(name, value)
    for number, (places, rows) in enumerate(blocks.patterns):
        root = pt.linalg.cholesky(blocks.matrix[places[:, None], places[None, :]])
        name = "y" if len(blocks.patterns) == 1 else f"y_{number + 1}"
        own = sd[rows][:, :, None] * root[None, :, :]
        pm.MvNormal(name, mean[rows], chol=own, observed=y[rows])


def add_blocks_kernel(blocks: SymbolicBlocks, y: Any, mean: Any, sd: Any, packed: Packed) -> None:
    """Add the same log density."""
    import pymc as pm
    import pytensor.tensor as pt

    z, total = (y - mean) / sd, -pt.log(sd).sum()
    for places, rows in blocks.patterns:
        at = packed.index(rows.ravel()).reshape(rows.shape)
        root = pt.linalg.cholesky(blocks.matrix[places[:, None], places[None, :]])
        own = pt.linalg.solve_triangular(root, z[at].T, lower=True)
        total = total - 0.5 * (own**2).sum() - len(rows) * pt.log(pt.diagonal(root)).sum()
        total = total - 0.5 * rows.size * np.log(2.0 * np.pi)
    pm.Potential("y", total)
