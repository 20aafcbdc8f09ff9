"""Models with monotonic effects, once the data have said which categories there are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from bayesmix.language.families.link import LINKS
from bayesmix.language.families.steps import MonotonicEffect, Steps, with_steps
from bayesmix.language.formula.model_spec import ModelSpec, Parts, Response
from bayesmix.language.formula.other_responses import with_responses
from bayesmix.language.formula.parse import Formula


def with_effects(spec: ModelSpec, effects: Sequence[tuple[MonotonicEffect, ...]]) -> ModelSpec:
    """The model whose means have those monotonic effects, one entry a response."""
    parts: Parts = {(one.response, one.parameter): one.formula for one in spec.predictors}
    responses = list(spec.responses)
    for i, own in enumerate(effects):
        if own:
            responses[i], known = _with_effects(responses[i], own)
            parts |= {(i, j): formula for j, formula in known.items()}
    return with_responses(spec, responses, parts)


def _with_effects(response: Response, effects: tuple[MonotonicEffect, ...]) -> tuple[Response, dict[int, Formula]]:
    """A response with its effects, and the formulas of what rows have by position of the parameter."""
    steps = Steps(effects, response.family, response.links[0])
    family = with_steps(steps)
    first = len(family.parameters) - len(steps.data)
    known = {
        first + j: Formula("", "0", (), (text,), text=f"{text} ~ 0", is_implied=True)
        for j, text in enumerate(steps.data)
    }
    links = (LINKS["identity"], *response.links[1:], *(LINKS[one.links[0]] for one in steps.parameters))
    return replace(response, family=family, links=links), known
