"""Residuals at fitted means, and randomised quantile residuals (Dunn and Smyth 1996, J. Comput. Graph. Stat. 5)."""

from __future__ import annotations

from typing import Any

import numpy as np

from bayesmix.data.design import Design
from bayesmix.errors import SpecError, nearest
from bayesmix.language.family import Family

Array = np.ndarray


KINDS = ("response", "pearson", "deviance", "quantile")
EDGE = 1e-15  # probabilities closer to 0 or 1 have no finite normal quantile


def check_kind(kind: str) -> None:
    """Raise `SpecError` for residuals that do not exist."""
    if kind not in KINDS:
        raise SpecError(f"There are no residuals of kind `{kind}`.{nearest(kind, KINDS)} Kinds: {', '.join(KINDS)}.")


def cumulative(design: Design, family: Family, mean: Array, dispersion: Any) -> Array:
    """Probability of a response below the one observed, and of one up to it: ``(2, ..., n)``.

    Parameters
    ----------
    mean : (..., n) shares for binomial data.
    dispersion : (...,) or None.
    """
    from scipy import special

    y = design.y
    scale = np.ones(()) if dispersion is None else np.asarray(dispersion)[..., None]
    match family.name:
        case "gaussian":
            both = [special.ndtr((y - mean) / scale * np.sqrt(design.weights))] * 2
        case "gamma":
            both = [special.gammainc(scale, scale * y / mean)] * 2
        case "poisson":
            both = [np.where(k >= 0.0, special.pdtr(np.maximum(k, 0.0), mean), 0.0) for k in (y - 1.0, y)]
        case "negbinomial":
            both = [special.betainc(scale, k + 1.0, scale / (scale + mean)) for k in (np.maximum(y - 1.0, 0.0), y)]
            both[0] = np.where(y > 0.0, both[0], 0.0)
        case _:
            trials = np.ones_like(y) if design.trials is None else design.trials
            below = special.betainc(np.maximum(trials - y + 1.0, 1.0), np.maximum(y, 1.0), 1.0 - mean)
            upto = special.betainc(np.maximum(trials - y, 1.0), y + 1.0, 1.0 - mean)
            both = [np.where(y > 0.0, below, 0.0), np.where(y < trials, upto, 1.0)]
    return np.stack(np.broadcast_arrays(*both))


def quantile_residuals(bounds: Array, seed: int) -> Array:
    """Normal quantiles of a uniform draw between the two probabilities of each row, ``bounds (2, n)``: ``(n,)``."""
    from scipy.special import ndtri

    share = bounds[0] + np.random.default_rng(seed).random(bounds.shape[1]) * (bounds[1] - bounds[0])
    return np.asarray(ndtri(np.clip(share, EDGE, 1.0 - EDGE)))


def response_residuals(design: Design, family: Family, mean: Array, dispersion: Any, kind: str) -> Array:
    """Residuals ``(n,)`` at fitted means (shares for binomial data): response, pearson or deviance."""
    trials = np.ones_like(design.y) if design.trials is None else design.trials
    raw = design.y / trials - mean
    scale = np.ones(()) if dispersion is None else np.asarray(dispersion)
    match kind:
        case "pearson":
            # lme4's: by the variance function, without the residual variance of a gaussian or the shape of a gamma
            unit = np.ones(()) if family.name in {"gaussian", "gamma"} else scale
            return np.asarray(raw * np.sqrt(design.weights / family.variance(mean, unit, trials)))
        case "deviance":
            return np.asarray(
                np.sign(raw) * np.sqrt(np.maximum(design.weights * family.deviance(design.y, mean, scale, trials), 0.0))
            )
        case _:
            return np.asarray(raw)
