"""Covariance of the effects of one level: free numbers theta, relative factor Lambda, SDs and correlations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

Array = np.ndarray


@dataclass(frozen=True, slots=True)
class Structure:
    """Where the free numbers of one term stand in its ``(k, k)`` lower-triangular factor."""

    k: int
    row: tuple[int, ...]
    column: tuple[int, ...]

    @property
    def size(self) -> int:
        """Number of free numbers."""
        return len(self.row)

    @property
    def is_diagonal(self) -> bool:
        """Whether the effects are independent."""
        return self.row == self.column


def unstructured(k: int) -> Structure:
    """All of the lower triangle, column by column, as lme4 orders theta."""
    positions = [(i, j) for j in range(k) for i in range(j, k)]
    return Structure(k, tuple(i for i, _ in positions), tuple(j for _, j in positions))


def diagonal(k: int) -> Structure:
    """Independent effects, each with a standard deviation of its own."""
    return Structure(k, tuple(range(k)), tuple(range(k)))


STRUCTURES = {"us": unstructured, "diag": diagonal}


def to_factor(structures: Sequence[Structure], theta: Array) -> list[Array]:
    """Lower-triangular factors ``(..., k, k)`` of all terms from ``theta (..., size)``."""
    factors, offset = [], 0
    for structure in structures:
        factor = np.zeros((*theta.shape[:-1], structure.k, structure.k))
        factor[..., structure.row, structure.column] = theta[..., offset : offset + structure.size]
        factors.append(factor)
        offset += structure.size
    return factors


def from_factor(structures: Sequence[Structure], factors: Sequence[Array]) -> Array:
    """Free numbers ``(..., size)`` of factors, the inverse of `to_factor`."""
    parts = [factor[..., s.row, s.column] for s, factor in zip(structures, factors, strict=True)]
    return np.concatenate(parts, axis=-1) if parts else np.zeros(0)


def side_by_side(factors: Sequence[Array]) -> Array:
    """Block-diagonal factor of several independent terms of one grouping factor."""
    k = sum(factor.shape[-1] for factor in factors)
    lead = np.broadcast_shapes(*(factor.shape[:-2] for factor in factors))
    whole = np.zeros((*lead, k, k))
    offset = 0
    for factor in factors:
        end = offset + factor.shape[-1]
        whole[..., offset:end, offset:end] = factor
        offset = end
    return whole


def sd_and_corr(covariance: Array) -> tuple[Array, Array]:
    """Standard deviations ``(..., k)`` and correlations ``(..., k, k)``; NaN correlations where an SD is zero."""
    sd = np.sqrt(np.maximum(np.diagonal(covariance, axis1=-2, axis2=-1), 0.0))
    with np.errstate(divide="ignore", invalid="ignore"):
        corr = covariance / (sd[..., :, None] * sd[..., None, :])
    corr = np.clip(corr, -1.0, 1.0)
    index = np.arange(sd.shape[-1])
    corr[..., index, index] = 1.0
    return sd, corr


def cholesky_psd(covariance: Array) -> Array:
    """Lower-triangular factor with non-negative diagonal of one positive semi-definite matrix ``(k, k)``.

    A zero pivot gives a zero column, so singular matrices keep their exact rank.
    """
    k = covariance.shape[0]
    factor = np.zeros((k, k))
    scale = np.diagonal(covariance)
    for j in range(k):
        pivot = covariance[j, j] - factor[j, :j] @ factor[j, :j]
        if pivot <= 1e-14 * max(scale[j], 0.0):
            continue
        factor[j, j] = np.sqrt(pivot)
        factor[j + 1 :, j] = (covariance[j + 1 :, j] - factor[j + 1 :, :j] @ factor[j, :j]) / factor[j, j]
    return factor
