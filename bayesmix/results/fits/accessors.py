"""Accessors of fits that are the same question of both kinds and no business of users."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import TYPE_CHECKING, Any

from bayesmix.arrays import Array
from bayesmix.inference.parameters.priors_in_force import Priors, resolve
from bayesmix.results.fits.chosen_parameter import choose
from bayesmix.results.fits.records import EstimateRecord, FitRecord, PosteriorRecord
from bayesmix.results.fits.row_parameters import fitted_means

if TYPE_CHECKING:
    from bayesmix.inference.parameters.names import Parameters


def centre(fit: FitRecord, values: Array) -> Array:
    """Collapse the leading axes: the value itself, or the posterior mean."""
    return fit._centre(values)


def described(fit: FitRecord, values: Array) -> dict[str, Array]:
    """Columns that describe ``(..., m)`` values: the estimate, or mean, sd and limits."""
    return fit._described(values)


def over_rows(fit: FitRecord, function: Callable[[Array, Parameters], Array]) -> Array:
    """Centre of a function of the linear predictor ``(..., n)``, without holding all draws of all rows at once."""
    return fit._over_rows(function)


def fitted_of(fit: FitRecord, parameter: str | None = None, response: str | None = None) -> Array:
    """Fitted means of the rows used ``(n,)``, or probabilities of categories ``(n, K)``; see `Questions.fitted`."""
    return fitted_means(fit._over_rows, fit.spec, fit.design, choose(fit.spec, parameter, response))


def priors_of(fit: FitRecord) -> Priors:
    """The priors in force: those a posterior was drawn with, or those of an estimate's model."""
    return fit.priors if isinstance(fit, PosteriorRecord) else resolve(fit.spec, fit.design)


def inferences_of(fit: EstimateRecord) -> dict[Hashable, Any]:
    """What has been prepared for inference about the fixed effects, by method: see `fixed_inference`."""
    return fit._inferences
