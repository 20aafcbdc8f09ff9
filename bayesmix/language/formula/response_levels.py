"""Models of responses of several categories, once the data have said which there are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from bayesmix.language.families.ratings import SPECIFIC
from bayesmix.language.families.registry import find_link
from bayesmix.language.formula.category_scores import check_scores, with_first_score
from bayesmix.language.formula.formulas import MEAN
from bayesmix.language.formula.model_spec import ModelSpec, Response
from bayesmix.language.formula.other_responses import with_responses
from bayesmix.language.formula.parse import Formula
from bayesmix.language.formula.specific_effects import formula_of_thresholds


def with_levels(spec: ModelSpec, levels: Sequence[tuple[str, ...] | None]) -> ModelSpec:
    """The model whose responses of several categories have those of the data, one entry a response."""
    responses, parts = list[Response](), dict[tuple[int, int], Formula]()
    for i, (response, own) in enumerate(zip(spec.responses, levels, strict=True)):
        formulas = {
            response.family.parameters[one.parameter].name: one.formula for one in spec.predictors if one.response == i
        }
        mean = next(one.formula for one in spec.predictors if (one.response, one.parameter) == (i, 0))
        named = formulas.keys() | ({SPECIFIC} if mean.specific else set())
        responses.append(_with_levels(response, own, frozenset(named)))
        check_scores(response.label, response.family, responses[-1].family, formulas.items())
        own_parameters = responses[-1].family.parameters
        if own_parameters[0].is_mean:
            mean, formulas = with_first_score(mean, formulas, [one.name for one in own_parameters])
        for j, parameter in enumerate(own_parameters):
            implied = mean if parameter.is_mean else formula_of_thresholds(mean) if parameter.of_threshold else None
            formula = formulas.get(parameter.name, implied)
            if formula is not None:
                parts[i, j] = formula
    return with_responses(spec, responses, parts)


def _with_levels(response: Response, levels: tuple[str, ...] | None, named: frozenset[str]) -> Response:
    family = response.family
    if family.with_levels is None or levels is None:
        return response
    found = family.with_levels(levels, response.links[0].name, named)
    given = {parameter.name: link for parameter, link in zip(family.parameters, response.links, strict=True)}
    links = [found.latent or response.links[0]] if found.parameters[0].name == MEAN else []
    for parameter in found.parameters[len(links) :]:
        latent = found.latent if parameter.is_mean or parameter.of_threshold else None
        links.append(
            latent or given.get(parameter.name) or find_link(found, None, parameter=found.parameters.index(parameter))
        )
    return replace(response, family=found, links=tuple(links))
