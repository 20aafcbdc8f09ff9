"""Parameters of a response's distribution in each row, with free leading axes: what a family's functions take."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from bayesmix.arrays import Array
from bayesmix.data.design.design import Design
from bayesmix.inference.parameters.names import Parameters
from bayesmix.inference.parameters.residual_families import correlation_of
from bayesmix.language.families.derivatives import weighted_all
from bayesmix.language.families.family import Family
from bayesmix.language.families.link import CORRELATION
from bayesmix.language.formula.model_spec import ModelSpec
from bayesmix.results.fits.chosen_parameter import ChosenParameter
from bayesmix.results.fits.imputed_parameters import with_imputed


def row_parameters(spec: ModelSpec, eta: Array, values: Parameters, *, response: int = 0) -> tuple[Array, ...]:
    """The mean and the parameters beside it of each row, in the order of `Family.parameters`: ``(..., n)`` each.

    Parameters
    ----------
    eta : (..., N), stacked predictor by predictor.
    values : for the dispersion of simple models, which is one number for all rows: ``(..., 1)``.
    response : position of the response.
    """
    by_row = eta.reshape(*eta.shape[:-1], spec.R, -1)
    return parameters_at(spec, [by_row[..., r, :] for r in range(spec.R)], values, response=response)


def parameters_at(
    spec: ModelSpec, predictors: Sequence[Array], values: Parameters, *, response: int = 0
) -> tuple[Array, ...]:
    """The same of the linear predictors one by one: ``(..., n)`` each."""
    if spec.is_simple:
        scale = np.ones(()) if values.dispersion is None else np.asarray(values.dispersion)
        return (spec.link.mean(predictors[0]), *spec.family.others(scale[..., None]))
    if spec.imputed.get(response):
        return with_imputed(spec, predictors, response)
    return tuple(one.link.mean(predictors[r]) for r, one in enumerate(spec.parameters) if one.response == response)


def row_mean(spec: ModelSpec, eta: Array, values: Parameters, trials: Array, chosen: ChosenParameter) -> Array:
    """Mean of a response in each row, a share for binomial data; or the probability of a category: ``(..., n)``.

    Of all categories ``(K, ..., n)``. Arguments as in `row_parameters`.
    """
    return mean_of(spec, row_parameters(spec, eta, values, response=chosen.response), trials, chosen)


def mean_of(spec: ModelSpec, own: Sequence[Array], trials: Array, chosen: ChosenParameter) -> Array:
    """`row_mean` of the parameters of rows, ``(..., n)`` each."""
    family = spec.responses[chosen.response].family
    match chosen.category:
        case None:
            return family.mean(trials, *own)
        case "all":
            assert family.probabilities is not None  # families of categories have them
            return family.probabilities(*own)
        case category if family.probabilities is not None:
            return np.asarray(family.probabilities(*own)[category])
        case category:
            y = np.full(own[0].shape, float(category))
            with np.errstate(all="ignore"):
                return np.exp(family.log_density(y, trials, *own))


def fitted_means(
    over_rows: Callable[[Callable[[Array, Parameters], Array]], Array],
    spec: ModelSpec,
    design: Design,
    chosen: ChosenParameter,
) -> Array:
    """Means of a parameter or of the response on the rows of a fit ``(n,)``; of ``K`` categories ``(n, K)``.

    Parameters
    ----------
    over_rows : centre of a function of the linear predictors and the parameters of a fit.
    """
    design.check_rows("A fitted value")
    block = design.block(chosen.predictor)
    if not chosen.is_expectation:
        return over_rows(lambda eta, values: chosen.link.mean(eta[..., block]))
    trials = design.outcomes[chosen.response].trials
    if not spec.responses[chosen.response].family.levels:
        return over_rows(lambda eta, values: row_mean(spec, eta, values, trials, chosen))
    chosen = replace(chosen, category="all")
    return over_rows(lambda eta, values: np.moveaxis(row_mean(spec, eta, values, trials, chosen), 0, -1))


def residual_root(spec: ModelSpec, eta: Array) -> Array:
    """Cholesky factor of the correlation matrix of the residuals of a row's responses: ``(..., n, k, k)``."""
    size = len(spec.residual_correlations)
    by_row = eta.reshape(*eta.shape[:-1], spec.R, -1)[..., -size:, :]
    return correlation_of(size).root(np.moveaxis(CORRELATION.mean(by_row), -2, -1))


def at_weights(family: Family, others: Sequence[Array], weights: Array) -> tuple[Array, ...]:
    """The parameters beside the mean of responses with prior weights, which divide the variance of a normal one."""
    return tuple(weighted_all(family, others, weights)[0])
