"""Default priors of the slopes of imputed predictors: those that a column of the observed values would have."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from bayesmix.arrays import Array
from bayesmix.data.design.design import Design
from bayesmix.errors import DesignError
from bayesmix.inference.parameters.default_priors import Defaults, defaults
from bayesmix.inference.parameters.one_predictor import one_predictor, one_response
from bayesmix.language.formula.model_spec import ModelSpec


def slope_defaults(spec: ModelSpec, design: Design, predictor: int) -> Defaults:
    """The priors of the predictor of a slope, from the rows in which both responses were observed.

    Raises
    ------
    DesignError
        If there are none such.
    """
    one = spec.parameters[predictor]
    parent = _parent(spec, predictor)
    y, z = design.outcomes[one.response], design.outcomes[parent]
    if not np.any(y.seen & z.seen):
        labels = " and ".join(f"`{spec.responses[i].label}`" for i in (one.response, parent))
        raise DesignError(f"No row has values of {labels}: nothing tells how one depends on the other.")
    view = one_predictor(design, spec, predictor)
    values = z.y[y.seen]
    view = view.with_rows(X=view.X * np.nan_to_num(values)[:, None]).take(np.flatnonzero(~np.isnan(values)))
    return defaults(one_response(spec, one.response), view, np.zeros(view.X.shape[1]))


def mean_columns(spec: ModelSpec, design: Design, response: int) -> Array:
    """Means ``(p,)`` of imputed predictors, times what they interact with, at their slopes' places; zeros elsewhere."""
    means = np.zeros(len(design.fixed))
    for r, parent in _slopes(spec, response):
        own, z = design.of_predictor(r), design.outcomes[parent]
        means[own] = np.mean((design.X[design.block(r)][:, own] * z.y[:, None])[z.seen], axis=0)
    return means


def _parent(spec: ModelSpec, predictor: int) -> int:
    """The response that a slope is of."""
    response = spec.parameters[predictor].response
    return next(parent for r, parent in _slopes(spec, response) if r == predictor)


def _slopes(spec: ModelSpec, response: int) -> Iterator[tuple[int, int]]:
    """The predictors of the slopes of a response, with the responses that they are of."""
    places = {one.parameter: r for r, one in enumerate(spec.parameters) if one.response == response}
    for k, parent in enumerate(spec.imputed.get(response, ())):
        yield places[spec.responses[response].family.slopes.places(k)[0]], parent
