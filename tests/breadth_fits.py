"""Fits of models whose rows have several linear predictors: cases of the breadth references, and their posteriors."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
from breadth import dense_model, estimate_case, frame
from dense_rows import DenseRows, _wide, rows_of
from scipy.linalg import block_diag

from bayesmix.data.design.build import build
from bayesmix.data.design.layout import parts_of
from bayesmix.fit import Estimate, Posterior
from bayesmix.inference.estimation.estimate import estimate
from bayesmix.inference.estimation.methods import Laplace
from bayesmix.inference.parameters.names import Parameters
from bayesmix.inference.sampling.draws import Draws
from bayesmix.language.formula.model_spec import make_spec
from bayesmix.results.fits.fitted_model import Fitted

Array = np.ndarray

SIGMA = "sleepstudy_sigma_days"  # Reaction ~ Days + (Days | Subject), sigma ~ Days
SHARED = "sleepstudy_locscale"  # (1 | ID | Subject) in the mean and in sigma
SHAPE = "epilepsy_shape"  # counts, shape ~ Trt
RESPONSES = "gaussian_poisson"  # a ~ x + (1 | p | g), n ~ x + (1 | p | g)
MODELS = (SIGMA, SHARED, SHAPE, RESPONSES)


@cache
def estimated(name: str) -> Estimate:
    case = estimate_case(name)
    spec = make_spec(case["formula"], case["family"], None, None)
    design = build(parts_of(spec), frame(case["data"]))
    return Estimate(Fitted(spec, design, "", {}), estimate(design, spec, Laplace()))


@cache
def model_of(name: str) -> DenseRows:
    """The model with dense matrices, levels in the order of the fit."""
    model, design = dense_model(estimate_case(name)), estimated(name).design
    pairs = zip(model.blocks, design.terms, strict=True)
    return replace(model, blocks=[replace(block, codes=term.codes[: design.n]) for block, term in pairs])


@cache
def posterior(name: str, draws: int = 25, spread: float = 0.05) -> Posterior:
    """Draws ``(2, draws)`` scattered about the estimate: a posterior as far as what is computed from draws goes."""
    fit, rng = estimated(name), np.random.default_rng(7)

    def scattered(array: Array, scale: float = spread) -> Array:
        return array + scale * np.abs(array) * rng.standard_normal((2, draws, *array.shape))

    values = fit.values
    drawn = Parameters(
        scattered(values.beta),
        tuple(np.abs(scattered(sd)) for sd in values.sd),
        tuple(np.broadcast_to(corr, (2, draws, *corr.shape)).copy() for corr in values.corr),
        tuple(scattered(b, 0.2) for b in values.b),
        None,
    )
    return Posterior(fit.fitted_model, Draws(drawn, "made by hand", {}, {}), None)  # type: ignore[arg-type]


def at(values: Parameters, chain: int, draw: int) -> Parameters:
    """The parameters of one draw."""
    parts = {name: tuple(one[chain, draw] for one in getattr(values, name)) for name in ("sd", "corr", "b")}
    return replace(values, beta=values.beta[chain, draw], **parts)


def etas(dense: DenseRows, values: Parameters, *, with_effects: bool = True) -> Array:
    """Linear predictors ``(n, R)`` by the dense columns."""
    ends = np.cumsum([X.shape[1] for X in dense.X])
    betas = np.split(values.beta, ends[:-1])
    columns = [X @ beta + offset for X, beta, offset in zip(dense.X, betas, dense.offsets, strict=True)]
    if with_effects:
        for block, b in zip(dense.blocks, values.b, strict=True):
            columns = [eta + np.sum(z * b[block.codes], axis=1) for eta, z in zip(columns, block.z, strict=True)]
    return np.stack(columns, axis=1)


def information(name: str, values: Parameters) -> Array:
    """Observed information ``(n, R, R)`` of each row."""
    dense = model_of(name)
    return -rows_of(dense, None, etas(dense, values))[2]


def joint_covariance(name: str) -> tuple[Array, Array]:
    """Columns ``(R, n, q + p)`` of all effects, random ones first, and the covariance of their errors.

    With ``M = Z'WZ + G^-1`` it is that of ``b - b_hat`` at known coefficients, and these are as uncertain as the fit
    says, ``b_hat`` moving with them.
    """
    fit, dense = estimated(name), model_of(name)
    values = fit.values
    W = information(name, values)
    X = np.stack(
        [
            np.hstack([own if r == s else np.zeros_like(own) for s, own in enumerate(dense.X)])
            for r in range(len(dense.X))
        ]
    )
    Z = np.stack([np.hstack([_wide(block, r) for block in dense.blocks]) for r in range(len(dense.X))])
    roots = [sd[:, None] * corr * sd for sd, corr in zip(values.sd, values.corr, strict=True)]
    precision = block_diag(
        *[np.linalg.inv(S) for block, S in zip(dense.blocks, roots, strict=True) for _ in range(block.levels)]
    )
    M = np.einsum("rna,nrs,snb->ab", Z, W, Z, optimize=True) + precision
    K = np.linalg.solve(M, np.einsum("rna,nrs,snb->ab", Z, W, X, optimize=True))
    V = fit.point.beta_cov
    return np.concatenate([Z, X], axis=2), np.block([[np.linalg.inv(M) + K @ V @ K.T, -K @ V], [-V @ K.T, V]])
