"""The parameter of a response that is asked for, by name: ``sigma`` of ``y``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from bayesmix.errors import SpecError, nearest
from bayesmix.language.families.link import Link
from bayesmix.language.families.ratings import DISC
from bayesmix.language.formula.model_spec import ModelSpec, Response


@dataclass(frozen=True, slots=True)
class ChosenParameter:
    """A parameter of one response's distribution and the linear predictor that it is of."""

    response: int  # position in `ModelSpec.responses`
    parameter: int  # position in `Family.parameters`; 0 is the mean
    predictor: int  # position in `ModelSpec.parameters`
    link: Link
    category: int | Literal["all"] | None = None  # whose probability it is; of "all" categories along a first axis
    is_expectation: bool = False  # whether it is the mean of the response, one of all its parameters


def choose(spec: ModelSpec, parameter: Any = None, response: Any = None) -> ChosenParameter:
    """Find a parameter: by default the mean of the first response, which may be one of all its parameters.

    Raises
    ------
    SpecError
        If there is no such response, if its family has no such parameter, or if that is one number beside the only
        linear predictor.
    """
    number = _response(spec, response)
    family = spec.responses[number].family
    names = [one.name for one in family.parameters]
    if parameter is not None and parameter not in names:
        hint = nearest(parameter, names) if isinstance(parameter, str) else ""
        whose = f" of `{spec.responses[number].label}`" if len(spec.responses) > 1 else ""
        if parameter == DISC.name and family.is_ordered:
            raise SpecError(
                f"`{parameter}`{whose} is one in all rows: it is a parameter where it has a formula,"
                f' ["{spec.text}", "{parameter} ~ ..."].'
            )
        raise SpecError(
            f"Family `{family.name}`{whose} has no parameter=`{parameter}`.{hint} Parameters: {', '.join(names)}."
        )
    position = 0 if parameter is None else names.index(parameter)
    for r, one in enumerate(spec.parameters):
        if (one.response, one.parameter) == (number, position):
            is_whole = parameter is None or (position == 0 and family.slopes is not None)
            is_expectation = is_whole and family.expected is not None
            return ChosenParameter(number, position, r, one.link, is_expectation=is_expectation)
    if spec.responses[number].has_known_noise:
        raise SpecError(
            f"`{parameter}` is known of each row, `{spec.responses[number].additions}`: it is in the data. Noise beside"
            f" it is `se({spec.responses[number].additions.se}, sigma = TRUE)`."
        )
    raise SpecError(
        f"`{parameter}` has no linear predictor in this model: it is one number for all rows, in fit.parameters(). One"
        f' that varies has a formula of its own: ["{spec.text}", "{parameter} ~ ..."].'
    )


def check_linear(spec: ModelSpec, chosen: ChosenParameter) -> None:
    """Raise `SpecError` where the mean is asked for as a linear predictor, and is a nonlinear function of several."""
    family = spec.responses[chosen.response].family
    curve, slopes, steps = family.curve, family.slopes, family.steps
    if slopes is not None and not chosen.parameter:
        raise SpecError(
            f"The mean of `{spec.responses[chosen.response].label}` is a linear predictor and slopes of"
            f" {', '.join(slopes.predictors)}, whose values may be missing: ask for the mean."
        )
    if steps is not None and not chosen.parameter:
        effects = ", ".join(f"`{effect.name}`" for effect in steps.effects)
        raise SpecError(f"The mean has monotonic effects, {effects}, and no linear predictor: ask for the mean itself.")
    if curve is not None and not chosen.parameter:
        raise SpecError(
            f"The mean `{curve.text}` is nonlinear and has no linear predictor: ask for the mean, or for one of"
            f' {", ".join(curve.parameters)}, parameter="{curve.parameters[0]}".'
        )


def is_mean(spec: ModelSpec, chosen: ChosenParameter) -> bool:
    """Whether a parameter is the mean of its response, on whose scale the data are."""
    return chosen.is_expectation or (chosen.parameter == 0 and spec.responses[chosen.response].family.expected is None)


def _response(spec: ModelSpec, response: Any) -> int:
    """Position of a response, called by its label or its name."""
    if response is None:
        return 0
    known = [_called(one) for one in spec.responses]
    for number, names in enumerate(known):
        if response in names:
            return number
    labels = [one.label for one in spec.responses]
    hint = nearest(response, labels) if isinstance(response, str) else ""
    raise SpecError(f"`{response}` is not a response of the model.{hint} Responses: {', '.join(labels)}.")


def _called(response: Response) -> set[str]:
    return {response.label, response.name} - {""}
