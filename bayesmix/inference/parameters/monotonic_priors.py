"""Priors of monotonic effects: of their slopes, and Dirichlet distributions of the shares of their steps.

The default of a slope is that of a number with equal steps between the categories, in whatever preset; where it is also
multiplied with numbers, at the means of these, as all such slopes of the default preset. Shares are uniform,
``Dirichlet(1, 1, ...)``, as in brms.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from bayesmix.data.design.design import Design
from bayesmix.errors import SpecError
from bayesmix.inference.parameters.column_scales import is_number, middle
from bayesmix.inference.parameters.default_priors import Defaults, defaults
from bayesmix.inference.parameters.named_priors import SIMPLEX, NamedPriors
from bayesmix.inference.parameters.one_predictor import one_predictor, one_response
from bayesmix.inference.parameters.simplexes import independent_betas
from bayesmix.language.families.steps import MonotonicEffect
from bayesmix.language.formula.model_spec import ModelSpec
from bayesmix.language.priors.prior import Prior

type Simplex = tuple[str, tuple[int, ...], Prior]  # its name, the columns of its shares but the last, its prior


def of_monotonic(spec: ModelSpec, design: Design, predictor: int, named: NamedPriors, mean: Defaults) -> Defaults:
    """The default prior of a slope, or that of what a share takes of what those before it leave.

    Parameters
    ----------
    mean : defaults of the predictor that it is added to.
    """
    if predictor in design.layout.monotonic:
        return _of_slope(spec, design, predictor)
    name, places = next(own for own in design.layout.simplexes.items() if predictor in own[1])
    place = places.index(predictor)
    beta = Prior("Beta", independent_betas(dirichlet(named, name, len(places) + 1))[place])
    return replace(mean, intercept=beta, fixed=(beta,))


def dirichlet(named: NamedPriors, name: str, shares: int) -> tuple[float, ...]:
    """Concentrations ``(D,)`` of the prior of a simplex.

    Raises
    ------
    SpecError
        If a given one has another number of shares.
    """
    given = named.find([name, SIMPLEX])
    found = (1.0,) if given is None else given.arguments
    if len(found) not in (1, shares):
        raise SpecError(
            f"`{name}` has {shares} shares, and {given} is of {len(found)}: give one number for each, or one for all."
        )
    return found * (shares if len(found) == 1 else 1)


def simplexes(design: Design, named: NamedPriors) -> Iterator[Simplex]:
    """The simplexes of a design with their priors."""
    for name, places in design.layout.simplexes.items():
        columns = tuple(j for r in places for j in design.of_predictor(r))
        yield name, columns, Prior("Dirichlet", dirichlet(named, name, len(places) + 1))


def _of_slope(spec: ModelSpec, design: Design, predictor: int) -> Defaults:
    one = spec.parameters[predictor]
    effect, family = effect_of(spec, predictor), spec.responses[one.response].family
    own = {family.parameters[o.parameter].name: r for r, o in enumerate(spec.parameters) if o.response == one.response}
    names, columns = [effect.code], design.offset[design.block(own[effect.code])][:, None]
    if effect.multiplier:
        multiplier = design.offset[design.block(own[effect.multiplier])]
        names = [effect.code, effect.multiplier, f"{effect.code}:{effect.multiplier}"]
        columns = np.column_stack([columns, multiplier, columns[:, 0] * multiplier])
    view = one_predictor(design, spec, _place_of_mean(spec, one.response))
    layout = replace(view.layout, fixed=tuple(names), owners=(0,) * len(names))
    alone = replace(view, layout=layout, data=replace(view.data, X=columns, terms=()))
    found = defaults(one_response(spec, one.response), alone, np.zeros(len(names)))
    return replace(found, fixed=found.fixed[-1:])


def multipliers_at_means(spec: ModelSpec, design: Design, predictor: int) -> dict[int, float]:
    """Means of the numbers that the effect of a slope is also multiplied with, by the columns of these products.

    The products' steps have shares of their own, but the slopes are all of the whole way from the first category.
    """
    effect, response = effect_of(spec, predictor), spec.parameters[predictor].response
    if effect.multiplier:
        return {}
    parameters = spec.responses[response].family.parameters
    own = {parameters[o.parameter].name: r for r, o in enumerate(spec.parameters) if o.response == response}
    found = {}
    for other in spec.responses[response].family.steps.effects:
        if other.code == effect.code and other.multiplier:
            numbers = design.offset[design.block(own[other.multiplier])]
            if is_number(numbers) and (at := middle(numbers, design.counts)):
                found[design.fixed.index(other.name)] = at
    return found


def effect_of(spec: ModelSpec, predictor: int) -> MonotonicEffect:
    """The monotonic effect that a predictor is the slope of."""
    one = spec.parameters[predictor]
    family = spec.responses[one.response].family
    name = family.parameters[one.parameter].name
    return next(effect for effect in family.steps.effects if effect.name == name)


def _place_of_mean(spec: ModelSpec, response: int) -> int:
    return next(r for r, one in enumerate(spec.parameters) if (one.response, one.parameter) == (response, 0))
