"""The textbook formulas with dense matrices: slow, short, and independent of the code under test."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from scipy.linalg import block_diag, null_space
from scipy.stats import multivariate_normal

from bayesmix.data.design.design import Design
from bayesmix.inference.least_squares.incidence import Factor

Array = np.ndarray


def indicator(codes: Array, z: Array, levels: int) -> Array:
    """The dense ``(n, J k)`` columns of one term, level by level."""
    n, k = z.shape
    Z = np.zeros((n, levels * k))
    for a in range(k):
        Z[np.arange(n), codes * k + a] = z[:, a]
    return Z


def dense_Z(factors: Sequence[Factor]) -> Array:
    return np.hstack([indicator(factor.codes, factor.z, factor.levels) for factor in factors])


def dense_Lambda(factors: Sequence[Factor], Lambdas: Sequence[Array]) -> Array:
    return block_diag(*(L for factor, L in zip(factors, Lambdas, strict=True) for _ in range(factor.levels)))


def stacked(parts: Sequence[Array]) -> Array:
    """Per factor ``(J, k)`` to one vector ``(q,)``."""
    return np.concatenate([part.ravel() for part in parts])


def random_covariance(design: Design, covariances: Sequence[Array]) -> Array:
    """``sum_t Z_t (I x Sigma_t) Z_t'``: ``(n, n)``."""
    total = np.zeros((len(design.y), len(design.y)))
    for term, matrix in zip(design.terms, covariances, strict=True):
        Z = indicator(term.codes, term.z, len(term.levels))
        total += Z @ np.kron(np.eye(len(term.levels)), matrix) @ Z.T
    return total


def gls(X: Array, y: Array, V: Array) -> Array:
    """Generalised least-squares coefficients."""
    inverse = np.linalg.inv(V)
    return np.linalg.solve(X.T @ inverse @ X, X.T @ inverse @ y)


def ml_criterion(design: Design, V: Array, sigma2: float | None = None) -> float:
    """Minus twice the log density of y with covariance ``sigma2 V``; fixed effects and (for None) sigma2 profiled."""
    y = design.y - design.offset
    mean = design.X @ gls(design.X, y, V)
    if sigma2 is None:
        sigma2 = float((y - mean) @ np.linalg.solve(V, y - mean)) / len(y)
    return -2.0 * float(multivariate_normal(mean, sigma2 * V).logpdf(y))


def reml_criterion(design: Design, V: Array, sigma2: float | None = None) -> float:
    """Minus twice the log density of error contrasts ``K'y``, in lme4's normalisation.

    With orthonormal ``K``, ``log|K'VK| = log|V| + log|X'V^-1 X| - log|X'X|``; lme4 leaves out the last.
    """
    y = design.y - design.offset
    n, p = design.X.shape
    K = null_space(design.X.T)
    if sigma2 is None:
        residual = y - design.X @ gls(design.X, y, V)
        sigma2 = float(residual @ np.linalg.solve(V, residual)) / (n - p)
    contrasts = multivariate_normal(np.zeros(n - p), sigma2 * K.T @ V @ K).logpdf(K.T @ y)
    # |X' (sigma2 V)^-1 X| has sigma2^-p, which the contrasts have not; both densities count sigma2^(n - p)
    return -2.0 * float(contrasts) + float(np.linalg.slogdet(design.X.T @ design.X)[1])


def central(function: Callable[[Array], Array | float], x: Array, step: float = 1e-4) -> Array:
    """Derivatives of a function of ``(m,)`` by central differences of fourth order, last axis."""
    columns = []
    for i in range(len(x)):
        e = np.zeros(len(x))
        e[i] = step
        f = [np.asarray(function(x + shift * e)) for shift in (-2.0, -1.0, 1.0, 2.0)]
        columns.append((f[0] - 8.0 * f[1] + 8.0 * f[2] - f[3]) / (12.0 * step))
    return np.stack(columns, axis=-1)


def gauss_weights(points: int, k: int, width: float = 9.0) -> tuple[Array, Array]:
    """Trapezoidal grid on ``[-width, width]^k`` with standard normal weights: ``(points^k, k)`` and log weights.

    For smooth integrands that vanish at the ends the trapezoidal rule converges faster than any power.
    """
    line = np.linspace(-width, width, points)
    nodes = np.stack(np.meshgrid(*[line] * k, indexing="ij"), axis=-1).reshape(-1, k)
    log_weights = -0.5 * np.sum(nodes**2, axis=1) - 0.5 * k * np.log(2.0 * np.pi) + k * np.log(line[1] - line[0])
    return nodes, log_weights
