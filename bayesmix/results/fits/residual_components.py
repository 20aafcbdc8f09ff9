"""Standard deviations and correlations of residuals, as a table of variance components has them."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

import numpy as np

from bayesmix.arrays import Array
from bayesmix.data.design.design import Design
from bayesmix.data.design.residual_blocks import RowBlocks
from bayesmix.inference.parameters.names import Parameters
from bayesmix.inference.parameters.natural_scale import reported
from bayesmix.language.formula.model_spec import ModelSpec
from bayesmix.results.fits.correlated_residuals import residual_correlation
from bayesmix.results.fits.linear_predictor import residual_sds

type Component = tuple[str, str | None, Array, Array]  # effects; (co)variance; sd or correlation


def residual_components(design: Design, spec: ModelSpec, values: Parameters) -> Iterator[Component]:
    """Components of the residuals with free leading axes ``(...,)``; what is no covariance is NaN there."""
    blocks = design.data.blocks
    visits = blocks.structure.visits if blocks is not None else ()
    of_visits = _of_visits(design, values, blocks) if blocks is not None and visits else None
    names = dict(residual_sds(design, spec, values))
    sds = names if of_visits is None else dict(zip(visits, np.moveaxis(of_visits, -1, 0), strict=True))
    for name, sd in sds.items():
        yield name, None, sd**2, sd
    if blocks is None:
        return
    if not visits:
        numbers = reported(design.layout, values.beta)
        for name in blocks.structure.names:
            own = numbers[..., design.fixed.index(name)]
            yield name, None, np.full(own.shape, np.nan), own
        return
    C = residual_correlation(blocks, values.beta)
    alone = next(iter(names.values()), np.full(C.shape[:-2], np.nan))
    for i, j in combinations(range(len(visits)), 2):
        size = alone**2 if of_visits is None else of_visits[..., i] * of_visits[..., j]
        yield visits[i], visits[j], size * C[..., i, j], C[..., i, j]


def _of_visits(design: Design, values: Parameters, blocks: RowBlocks) -> Array | None:
    """Standard deviation of each visit ``(..., T)``, for rows of weight one; None where visits do not decide it."""
    own = design.block(1)
    said = np.column_stack([design.X[own][:, design.of_predictor(1)], design.offset[own]])
    first = np.unique(blocks.place, return_index=True)[1]
    is_number = 1 in design.layout.numbers
    if is_number or len(first) < blocks.structure.size or not np.array_equal(said, said[first][blocks.place]):
        return None
    return np.asarray(np.exp(values.beta @ design.X[own][first].T + design.offset[own][first]))
