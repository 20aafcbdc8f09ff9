"""Default priors of the slopes of imputed predictors: those that a column of the observed values would have."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from bayesmix.arrays import Array
from bayesmix.data.design.design import Design
from bayesmix.errors import DesignError
from bayesmix.inference.parameters.column_scales import BETWEEN, middle
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
    view = view.take(np.flatnonzero(~np.isnan(values)))
    z, label = values[~np.isnan(values)][:, None], spec.responses[parent].label
    factors = [j for j, name in enumerate(view.fixed) if name]  # columns that it is multiplied with
    names = [view.fixed[j].removeprefix(BETWEEN) for j in factors] + [label + name for name in view.fixed]
    layout = replace(view.layout, fixed=tuple(names), owners=(0,) * len(names))
    X = np.hstack([view.X[:, factors], view.X * z])
    view = replace(view, layout=layout, data=replace(view.data, X=X, terms=()))
    found = defaults(one_response(spec, one.response), view, np.zeros(len(names)))
    return replace(found, fixed=found.fixed[len(factors) :])


def factors_at_means(spec: ModelSpec, design: Design, response: int) -> Iterator[tuple[str, int, str, float]]:
    """Columns that imputed predictors are multiplied with, and the product's place; the predictor, and its mean."""
    for r, parent in _slopes(spec, response):
        z = design.outcomes[parent]
        at = middle(z.y[z.seen])
        for j in design.of_predictor(r):
            name = design.fixed[j].removeprefix(design.layout.prefixes[r])
            if name and at:
                yield name.removeprefix(BETWEEN), j, spec.responses[parent].label, at


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
