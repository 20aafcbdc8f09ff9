"""Default priors, ours and those of other packages, on the scale of the data.

============  =======================================================================================================
preset        priors
============  =======================================================================================================
``default``   weakly informative by the spread of response and column
``flat``      none (improper); of terms with numeric columns it is flat where these are at their means, as ``default``
``brms``      brms 2.23: Student t by median and MAD, flat slopes, the same half-t for every standard deviation
``rstanarm``  rstanarm 2.32: normal by mean and SD, standard deviations of groups relative to the residual one (decov)
``bambi``     bambi 0.21: normal by mean and SD, half-normal standard deviations
============  =======================================================================================================

The intercept's prior holds where all other columns are at their means, as in those packages. Under ``default`` and
``flat`` so do those of a random-effects term (`centring`): flat in the standard deviations at the means is another
density than flat in those at zero. Under ``default`` slopes whose columns are multiplied with numbers, ``z`` beside
``x:z``, have theirs where these are at their means (`column_scales`). bambi has no correlations: here they are uniform,
LKJ(1).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from bayesmix.arrays import Array
from bayesmix.data.design.design import Design, Term
from bayesmix.data.design.row_statistics import mean, spread
from bayesmix.errors import DesignError, SpecError
from bayesmix.inference.parameters.column_scales import column_scale, scale_at_zero, scales_at_means
from bayesmix.language.formula.model_spec import ModelSpec
from bayesmix.language.priors.prior import Prior, to_prior

MAD = 1.4826  # R's mad() estimates the standard deviation of normal data


@dataclass(frozen=True, slots=True, eq=False)
class Defaults:
    """The priors of a preset on a design."""

    intercept: Prior  # at centred predictors
    fixed: tuple[Prior, ...]  # (p,) of all other columns
    sd: Callable[[Term, int], Prior]  # of an effect of a term
    eta: float  # of LKJ
    others: tuple[Prior, ...]  # of the family's parameters beside the mean


def defaults(spec: ModelSpec, design: Design, levels: Array) -> Defaults:
    """The priors of the specification's preset, of a model with a formula for the mean alone.

    Parameters
    ----------
    levels : (p,) the coefficients of a predictor that is one everywhere: of cell means, all one; zero for slopes.
    """
    centre, size = scales(design, spec)
    match spec.preset:
        case "flat":
            return _flat(spec, design)
        case "brms":
            return _brms(spec, design)
        case "rstanarm":
            return _rstanarm(spec, design)
        case "bambi":
            return _bambi(spec, design)
        case _:
            return _own(spec, design, levels, centre=centre, size=size)


# ---- ours -------------------------------------------------------------------------------------------------------


def scales(design: Design, spec: ModelSpec) -> tuple[float, float]:
    """Centre ``g(mean y)`` and scale ``s_y`` of the linear predictor: ``sd(y)`` for identity links, 1 otherwise.

    Of a latent mean zero and one: its place and its unit are those of the thresholds.
    """
    if spec.link.is_latent:
        return 0.0, 1.0
    y = spec.family.on_scale(design.y)
    if spec.link.is_identity:
        size = float(spread(y - design.offset, design.counts, ddof=1))
        if not size > 0.0:
            raise DesignError(f"Response `{design.response}` is constant: there is no variation to explain.")
        return float(mean(y - design.offset, design.counts)), size
    trials = design.trials if design.counts is None else design.trials * design.counts
    share = float(np.average(y / design.trials, weights=trials if design.has_trials else design.weights))
    if design.has_trials:
        share = float(np.clip(share, 0.5 / trials.sum(), 1.0 - 0.5 / trials.sum()))
    elif spec.link.range == "positive":
        share = max(share, 0.5 / design.n_used)
    return float(spec.link.of(np.asarray(share))) - float(mean(design.offset, design.counts)), 1.0


def _own(spec: ModelSpec, design: Design, levels: Array, *, centre: float, size: float) -> Defaults:
    own = scales_at_means(design.fixed, design.X, design.counts)
    columns = zip((centre * levels + 0.0).tolist(), own, strict=True)  # never -0

    def sd(term: Term, e: int) -> Prior:
        return Prior("Exponential", (scale_at_zero(term.effects, term.total, e, design.counts) / size,))

    sigma, shape = Prior("Exponential", (1.0 / size,)), Prior("Gamma", (2.0, 0.1))
    return Defaults(
        intercept=Prior("Normal", (centre, 2.5 * size)),
        fixed=tuple(Prior("Normal", (at, 2.5 * size / one)) for at, one in columns),
        sd=sd,
        eta=2.0,
        others=_of_others(spec, design, sigma, shape),
    )


def _flat(spec: ModelSpec, design: Design) -> Defaults:
    half = Prior("HalfFlat")
    flat = (Prior("Flat"),) * design.X.shape[1]
    return Defaults(Prior("Flat"), flat, lambda term, e: half, 1.0, _of_others(spec, design, half, half))


def _of_others(spec: ModelSpec, design: Design, scale: Prior, shape: Prior) -> tuple[Prior, ...]:
    """The priors of the parameters beside the mean: in units of the response, or without any."""
    found = []
    for parameter in spec.family.parameters[1:]:
        own = parameter.priors.get(spec.preset)
        text = own(design.y) if callable(own) else own
        usual = scale if parameter.unit == "response" else shape
        found.append(usual if text is None else to_prior(text))
    return tuple(found)


# ---- brms -------------------------------------------------------------------------------------------------------


def _brms(spec: ModelSpec, design: Design) -> Defaults:
    """``def_scale_prior`` and ``def_dpar_prior`` of brms: rounded as there."""
    if design.counts is not None:
        raise SpecError(
            'The priors of preset "brms" take medians, for which the rows are needed, and these stay where they are:'
            ' take priors="default", or fit in memory: leave `where` out.'
        )
    location, scale = 0.0, 2.5
    if spec.link.range not in ("unit", "angle") and not spec.link.is_latent:
        with np.errstate(invalid="ignore", divide="ignore"):
            infinite = np.isinf(spec.link.of(np.zeros(())))
            y = spec.family.on_scale(design.y)
            linked = spec.link.of(y + np.where((y == 0.0) & infinite, 0.1, 0.0))
        middle = float(np.median(linked))
        spread = round(MAD * float(np.median(np.abs(linked - middle))), 1)
        scale = max(scale, spread) if np.isfinite(spread) else scale
        centre = round(middle - float(np.mean(design.offset)), 1)
        location = centre if np.isfinite(centre) else location
    half = Prior("HalfStudentT", (3.0, scale))
    return Defaults(
        intercept=Prior("StudentT", (3.0, location, scale)),
        fixed=(Prior("Flat"),) * design.X.shape[1],
        sd=lambda term, e: half,
        eta=1.0,
        others=_of_others(spec, design, half, Prior("Gamma", (0.01, 0.01))),
    )


# ---- rstanarm ---------------------------------------------------------------------------------------------------

PROBIT = 4.0 / np.sqrt(2.0 * np.pi)  # dnorm(0) / dlogis(0)


def _rstanarm(spec: ModelSpec, design: Design) -> Defaults:
    """``default_prior_coef``, ``default_prior_intercept`` and ``decov()`` of rstanarm, after its autoscaling.

    What it calls ``aux``, sigma or the shape, is the unit of the groups' standard deviations, whatever the family.
    """
    gaussian, counts = spec.family.is_normal, design.counts
    unit = float(spread(design.y, counts, ddof=1)) if gaussian else 1.0
    size = 2.5 * unit * (float(PROBIT) if spec.link.latent_variance == 1.0 else 1.0)
    centre = float(mean(design.y, counts)) if spec.is_linear else 0.0
    decov = Prior("Decov", (1.0, 1.0, 1.0))
    return Defaults(
        intercept=Prior("Normal", (centre, size)),
        fixed=tuple(
            Prior("Normal", (0.0, size / (float(spread(column, counts, ddof=1)) or 1.0))) for column in design.X.T
        ),
        sd=lambda term, e: decov,
        eta=1.0,
        others=_of_others(spec, design, Prior("Exponential", (1.0 / unit,)), Prior("Exponential", (1.0,))),
    )


# ---- bambi ------------------------------------------------------------------------------------------------------


def _bambi(spec: ModelSpec, design: Design) -> Defaults:
    """``PriorScaler`` of bambi: normal priors by standard deviations with n in the denominator."""
    gaussian, shares, counts = spec.family.is_normal, spec.link.is_symmetric, design.counts
    centre, unit = (float(mean(design.y, counts)), float(spread(design.y, counts))) if gaussian else (0.0, 1.0)
    slopes = [j for j, name in enumerate(design.fixed) if name != "Intercept"]
    sigma = np.ones(design.X.shape[1])
    for j in slopes:
        column = design.X[:, j]
        sigma[j] = _bambi_share(column, counts) if shares else 2.5 * unit / _spread(column, counts)
    at = mean(design.X[:, slopes], counts)
    inflated = float(np.sqrt((2.5 * unit) ** 2 + np.sum(sigma[slopes] ** 2 * at**2)))

    def sd(term: Term, e: int) -> Prior:
        intercept = term.effects[e] == "Intercept"
        return Prior("HalfNormal", (inflated if intercept else 2.5 * unit / _spread(term.total[:, e], counts),))

    return Defaults(
        intercept=Prior("Normal", (0.0, 1.5) if shares else (centre, inflated)),
        fixed=tuple(Prior("Normal", (0.0, float(size))) for size in sigma),
        sd=sd,
        eta=1.0,
        others=_of_others(spec, design, Prior("HalfStudentT", (4.0, unit)), Prior("HalfCauchy", (1.0,))),
    )


def _bambi_share(column: Array, counts: Array | None) -> float:
    """Slopes on a logit or probit scale: 1 for categories, 1 / SD for numbers."""
    return 1.0 if set(np.unique(column)) <= {0.0, 1.0} else 1.0 / _spread(column, counts)


def _spread(column: Array, counts: Array | None) -> float:
    return float(spread(column, counts)) or column_scale(column, counts)
