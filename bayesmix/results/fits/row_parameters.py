"""Parameters of a response's distribution in each row, with free leading axes: what a family's functions take."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bayesmix.arrays import Array
from bayesmix.inference.parameters.names import Parameters
from bayesmix.inference.parameters.natural_scale import correlation_of
from bayesmix.language.families.derivatives import weighted_all
from bayesmix.language.families.family import Family
from bayesmix.language.families.link import CORRELATION
from bayesmix.language.formula.model_spec import ModelSpec


def row_parameters(spec: ModelSpec, eta: Array, values: Parameters, *, response: int = 0) -> tuple[Array, ...]:
    """The mean and the parameters beside it of each row, in the order of `Family.parameters`: ``(..., n)`` each.

    Parameters
    ----------
    eta : (..., N), stacked predictor by predictor.
    values : for the dispersion of simple models, which is one number for all rows: ``(..., 1)``.
    response : position of the response.
    """
    if spec.is_simple:
        scale = np.ones(()) if values.dispersion is None else np.asarray(values.dispersion)
        return (spec.link.mean(eta), *spec.family.others(scale[..., None]))
    by_row = eta.reshape(*eta.shape[:-1], spec.R, -1)
    return tuple(one.link.mean(by_row[..., r, :]) for r, one in enumerate(spec.parameters) if one.response == response)


def row_mean(spec: ModelSpec, eta: Array, values: Parameters, trials: Array, *, response: int = 0) -> Array:
    """Mean of a response in each row, a share for binomial data: ``(..., n)``; arguments as in `row_parameters`."""
    return spec.responses[response].family.mean(trials, *row_parameters(spec, eta, values, response=response))


def residual_root(spec: ModelSpec, eta: Array) -> Array:
    """Cholesky factor of the correlation matrix of the residuals of a row's responses: ``(..., n, k, k)``."""
    size = len(spec.residual_correlations)
    by_row = eta.reshape(*eta.shape[:-1], spec.R, -1)[..., -size:, :]
    return correlation_of(size).root(np.moveaxis(CORRELATION.mean(by_row), -2, -1))


def at_weights(family: Family, others: Sequence[Array], weights: Array) -> tuple[Array, ...]:
    """The parameters beside the mean of responses with prior weights, which divide the variance of a normal one."""
    return tuple(weighted_all(family, others, weights)[0])
