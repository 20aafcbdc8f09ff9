"""Draws of linear predictors from Laplace's distribution at a point estimate."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bayesmix.arrays import Array
from bayesmix.data.design.design import Design
from bayesmix.inference.estimation.point_estimate import PointEstimate
from bayesmix.inference.least_squares.incidence import effects_on_rows
from bayesmix.inference.sampling.normal_posterior import normal_posterior

TOLD = 1e-12  # variance, over the largest, below which a direction of the fixed effects has no curvature


def around(
    point: PointEstimate,
    design: Design,
    contrast: Array,
    fixed: Sequence[tuple[float, float]],
    *,
    rng: np.random.Generator,
    n: int,
) -> Array:
    """Linear predictors ``(n, N)`` without offset.

    The distribution of the fixed effects is multiplied by their priors, of the means and precisions ``fixed`` on
    ``contrast @ beta``: a parameter that the likelihood lets run off stays there.
    """
    T = point.coordinates.T  # columns of unit size, whatever the user's units: where nothing is lost to rounding
    mean, precision = np.array(fixed).reshape(-1, 2).T
    inverse = np.linalg.inv(T)
    covariance = inverse @ point.beta_cov @ inverse.T
    centre, whole = normal_posterior(inverse @ point.beta, covariance, contrast @ T, (mean, precision), told=TOLD)
    eta = (centre + _normal(whole, (n,), rng)) @ point.coordinates.X.T
    for term, b, cov in zip(design.terms, point.b, point.b_cov, strict=True):
        eta += effects_on_rows(term.z, term.codes, b + _normal(cov, (n, len(b)), rng), term.slots)
    return np.asarray(eta)


def _normal(covariance: Array, lead: tuple[int, ...], rng: np.random.Generator) -> Array:
    """Normal draws ``(*lead, k)`` of covariances ``(..., k, k)`` that may be singular."""
    values, vectors = np.linalg.eigh(0.5 * (covariance + np.swapaxes(covariance, -1, -2)))
    root = vectors * np.sqrt(np.maximum(values, 0.0))[..., None, :]
    return np.asarray(np.einsum("...kl,...l->...k", root, rng.standard_normal((*lead, covariance.shape[-1]))))
