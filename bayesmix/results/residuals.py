"""Residuals at fitted means, and quantile residuals."""

from __future__ import annotations

from typing import Any

import numpy as np

from bayesmix.data.design import Design
from bayesmix.errors import SpecError, nearest
from bayesmix.language.family import Family

Array = np.ndarray


def response_residuals(design: Design, family: Family, mean: Array, dispersion: Any, kind: str) -> Array:
    """Residuals ``(n,)`` at fitted means (shares for binomial data): response, pearson or deviance."""
    known = ("response", "pearson", "deviance")
    if kind not in known:
        raise SpecError(f"There are no residuals of kind `{kind}`.{nearest(kind, known)} Kinds: {', '.join(known)}.")
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
