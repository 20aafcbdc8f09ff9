"""Coefficients of a normal likelihood under normal priors, also where the likelihood says nothing of some."""

from __future__ import annotations

import numpy as np

from bayesmix.arrays import Array


def normal_posterior(
    estimate: Array, covariance: Array, K: Array, prior: tuple[Array, Array], *, told: float = 0.0
) -> tuple[Array, Array]:
    """Mean ``(p,)`` and covariance ``(p, p)`` of coefficients.

    Parameters
    ----------
    estimate, covariance : (p,) and (p, p) of the likelihood; directions without variance have no information.
    K, prior : (q, p), and means (q,) and precisions (q,) of ``K @ coefficients``.
    told : variance, over the largest, up to which a direction has none.
    """
    mean, precision = prior
    values, vectors = np.linalg.eigh(covariance)
    is_told = values > told * max(float(values.max(initial=0.0)), 1e-300)
    information = (vectors * np.where(is_told, 1.0 / np.where(is_told, values, 1.0), 0.0)) @ vectors.T
    whole = np.linalg.pinv(information + K.T @ (precision[:, None] * K), hermitian=True)
    return whole @ (information @ estimate + K.T @ (precision * mean)), whole
