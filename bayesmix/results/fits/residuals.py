"""Residuals at fitted means, and randomised quantile residuals (Dunn and Smyth 1996, J. Comput. Graph. Stat. 5)."""

from __future__ import annotations

from typing import Any

import numpy as np

from bayesmix.arrays import Array
from bayesmix.data.design.design import Design
from bayesmix.errors import SpecError, nearest
from bayesmix.inference.parameters.names import Parameters
from bayesmix.language.families.derivatives import weighted
from bayesmix.language.families.family import Family
from bayesmix.results.fits.accessors import centre, over_rows
from bayesmix.results.fits.records import FitRecord

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
    y = design.y
    scale = np.ones(()) if dispersion is None else np.asarray(dispersion)[..., None]
    scale, _ = weighted(family, scale, design.weights)
    trials = design.trials
    upto = family.cdf(y, trials, mean, *family.others(scale))
    below = family.cdf(y - 1.0, trials, mean, *family.others(scale)) if family.values.is_discrete else upto
    return np.stack(np.broadcast_arrays(below, upto))


def quantile_residuals(bounds: Array, seed: int) -> Array:
    """Normal quantiles of a uniform draw between the two probabilities of each row, ``bounds (2, n)``: ``(n,)``."""
    from scipy.special import ndtri

    share = bounds[0] + np.random.default_rng(seed).random(bounds.shape[1]) * (bounds[1] - bounds[0])
    return np.asarray(ndtri(np.clip(share, EDGE, 1.0 - EDGE)))


def response_residuals(design: Design, family: Family, mean: Array, dispersion: Any, kind: str) -> Array:
    """Residuals ``(n,)`` at fitted means (shares for binomial data): response, pearson or deviance."""
    trials = design.trials
    raw = design.y / trials - mean
    scale = np.ones(()) if dispersion is None else np.asarray(dispersion)
    match kind:
        case "pearson":
            # lme4's: by the variance function, without the residual variance of a gaussian or the shape of a gamma
            unit = np.ones(()) if family.has_scale else scale
            variance = family.variance(trials, mean, *family.others(unit))
            return np.asarray(raw * np.sqrt(design.weights / variance))
        case "deviance":
            deviance = family.unit_deviance(design.y, trials, mean, *family.others(scale))
            return np.asarray(np.sign(raw) * np.sqrt(np.maximum(design.weights * deviance, 0.0)))
        case _:
            return np.asarray(raw)


def residuals(fit: FitRecord, kind: str, *, seed: int = 0) -> Array:
    """Residuals of the rows of a fit, ``(n,)``; of a posterior's predictive distribution where they are quantiles."""
    check_kind(kind)
    family, link = fit.spec.family, fit.spec.link
    if kind == "quantile":

        def bounds(eta: Array, values: Parameters) -> Array:
            return np.moveaxis(cumulative(fit.design, family, link.mean(eta), values.dispersion), 0, -1)

        return quantile_residuals(over_rows(fit, bounds).T, seed)
    dispersion = None if fit.values.dispersion is None else centre(fit, np.asarray(fit.values.dispersion))
    return response_residuals(fit.design, family, fit.fitted(), dispersion, kind)
