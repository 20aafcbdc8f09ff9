"""Residuals that are correlated within blocks: densities given the others, independent ones, draws; with free axes."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from bayesmix.arrays import Array
from bayesmix.data.design.design import Design
from bayesmix.data.design.residual_blocks import RowBlocks
from bayesmix.inference.parameters.names import Parameters
from bayesmix.inference.parameters.residual_families import correlation_matrix, family_of
from bayesmix.language.families.link import CORRELATION
from bayesmix.language.formula.model_spec import ModelSpec
from bayesmix.results.fits.row_parameters import row_parameters

LOG_TWO_PI = float(np.log(2.0 * np.pi))


def residual_correlation(blocks: RowBlocks, beta: Array) -> Array:
    """Correlation matrix of a whole block ``(..., T, T)``, from all fixed effects ``(..., p)``."""
    own = beta[..., -len(blocks.structure.names) :]
    return correlation_matrix(family_of(blocks.structure), CORRELATION.mean(own))


def log_density_given_others(design: Design, spec: ModelSpec, values: Parameters, eta: Array) -> Array:
    """Log density of each row given the random effects and the other rows of its block: ``(..., n)``.

    With ``P = C^-1`` and standardised residuals ``z``, ``z_i`` given the others is normal with variance ``1 / P_ii``
    and ``(P z)_i / P_ii`` from its mean.
    """
    z, log_sd = _standardised(design, spec, values, eta)
    found = np.empty(z.shape)
    for rows, C in _patterns(design, values):
        P = np.linalg.inv(C)
        own = np.diagonal(P, axis1=-2, axis2=-1)[..., None, :]
        at = np.einsum("...ij,...bj->...bi", P, z[..., rows])
        found[..., rows] = 0.5 * np.log(own) - 0.5 * at**2 / own
    return np.asarray(found - log_sd - 0.5 * LOG_TWO_PI)


def log_joint_density(design: Design, spec: ModelSpec, values: Parameters, eta: Array) -> Array:
    """Log density of all rows given the random effects: ``(...,)``."""
    z, log_sd = _standardised(design, spec, values, eta)
    total = -np.sum(log_sd + 0.5 * LOG_TWO_PI, axis=-1)
    for rows, C in _patterns(design, values):
        root = np.linalg.cholesky(C)
        whitened = np.einsum("...ij,...bj->...bi", np.linalg.inv(root), z[..., rows])
        log_det = np.sum(np.log(np.diagonal(root, axis1=-2, axis2=-1)), axis=-1)
        total = total - 0.5 * np.sum(whitened**2, axis=(-1, -2)) - len(rows) * log_det
    return np.asarray(total)


def normalized_residuals(design: Design, spec: ModelSpec, values: Parameters, eta: Array) -> Array:
    """Residuals made independent, of variance one: nlme's ``type = "normalized"``, ``(..., n)``."""
    z, _ = _standardised(design, spec, values, eta)
    found = np.empty(z.shape)
    for rows, C in _patterns(design, values):
        root = np.linalg.inv(np.linalg.cholesky(C))
        found[..., rows] = np.einsum("...ij,...bj->...bi", root, z[..., rows])
    return found


def correlated_noise(blocks: RowBlocks, beta: Array, seed: int) -> Array:
    """Standard normal noise of rows, correlated within blocks ``(..., n)``; a block has a stream of its own."""
    root = np.linalg.cholesky(residual_correlation(blocks, beta))
    found, lead, T = np.empty((*beta.shape[:-1], len(blocks.block))), beta.shape[:-1], root.shape[-1]
    for block in np.unique(blocks.block):
        rows = blocks.block == block
        noise = np.random.default_rng([seed, int(block) + 2**33]).standard_normal((*lead, T))
        found[..., rows] = np.einsum("...ij,...j->...i", root[..., blocks.place[rows], :], noise)
    return found


def _standardised(design: Design, spec: ModelSpec, values: Parameters, eta: Array) -> tuple[Array, Array]:
    """Residuals over their standard deviations, and the logarithms of these: ``(..., n)``."""
    mean, sd = row_parameters(spec, eta, values)
    sd = sd / np.sqrt(design.weights)
    return (design.y - mean) / sd, np.log(sd)


def _patterns(design: Design, values: Parameters) -> Iterator[tuple[Array, Array]]:
    """Rows ``(b, m)`` of the blocks of each pattern of places, and their correlation matrix ``(..., m, m)``."""
    assert design.data.blocks is not None
    C = residual_correlation(design.data.blocks, values.beta)
    for rows, places in design.data.blocks.by_block():
        kinds, of = np.unique(places, axis=0, return_inverse=True)
        for i, kind in enumerate(kinds):
            yield rows[of.reshape(-1) == i], C[..., kind[:, None], kind[None, :]]
