"""Joint prior densities: LKJ of correlations, decov of standard deviations."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from bayesmix.arrays import Array


def log_lkj(correlation: Array, eta: float) -> Array:
    """Log density of LKJ(eta) at correlation matrices ``(..., k, k)``, normalised (Lewandowski et al. 2009, eq. 16)."""
    k = correlation.shape[-1]
    _, log_det = np.linalg.slogdet(correlation)
    return (eta - 1.0) * log_det + log_lkj_constant(k, eta)


def log_lkj_constant(k: int, eta: float) -> float:
    """Log of the normalising constant of the LKJ density of ``(k, k)`` matrices."""
    total = 0.0
    for i in range(1, k):
        alpha = eta + 0.5 * (k - 1 - i)
        log_beta = 2.0 * math.lgamma(alpha) - math.lgamma(2.0 * alpha)
        total -= (k - i) * ((2.0 * alpha - 1.0) * math.log(2.0) + log_beta)
    return total


def log_decov(sd: Any, unit: Any, concentration: float, shape: float, scale: float, *, xp: Any = np) -> Any:
    """Log density of rstanarm's prior of the standard deviations of one term, at ``sd (..., k)``: ``(...,)``.

    They are ``sd_j = unit tau sqrt(k pi_j)`` with ``tau ~ Gamma(shape, 1 / scale)``, shares of the total variance
    ``pi ~ Dirichlet(concentration, ...)``, and the dispersion parameter as ``unit (...,)``, 1 where there is none.

    Parameters
    ----------
    xp : NumPy, or PyTensor's ``tensor`` module for its symbols, of static shape.

    Notes
    -----
    With ``r = tau sqrt(k)`` the length of ``v = sd / unit``, ``dv = r^(k-1) dr 2^(1-k) prod(pi_j^(-1/2)) dpi``.
    """
    k = int(sd.shape[-1] if xp is np else sd.type.shape[-1])
    log_v = xp.log(sd) - xp.log(unit)[..., None]
    top = log_v.max(axis=-1)
    log_r = top + 0.5 * xp.log(xp.exp(2.0 * (log_v - top[..., None])).sum(axis=-1))
    log_tau = log_r - 0.5 * math.log(k)
    of_tau = (shape - 1.0) * log_tau - xp.exp(log_tau) / scale - shape * math.log(scale) - math.lgamma(shape)
    of_pi = (2.0 * concentration - 1.0) * (log_v - log_r[..., None]).sum(axis=-1)
    constant = math.lgamma(k * concentration) - k * math.lgamma(concentration) + (k - 1) * math.log(2.0)
    return of_tau + of_pi + constant - 0.5 * math.log(k) - (k - 1) * log_r - k * xp.log(unit)
