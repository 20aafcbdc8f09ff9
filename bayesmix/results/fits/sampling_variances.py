"""Known sampling variances of responses, of ``y | se(s)``, wherever a design holds them."""

from __future__ import annotations

import numpy as np

from bayesmix.arrays import Array
from bayesmix.data.design.design import Design
from bayesmix.errors import SpecError
from bayesmix.language.formula.model_spec import ModelSpec


def sampling_variances(design: Design, spec: ModelSpec, response: int, verb: str) -> Array:
    """Squared standard errors ``(n,)`` of a response.

    Parameters
    ----------
    verb : what asks for them, for the message.

    Raises
    ------
    SpecError
        If they are not known, or the response is not normal around its linear predictor.
    """
    own, outcome = spec.responses[response], design.outcomes[response]
    if not own.additions.se:
        raise SpecError(
            f"{verb} is of responses whose standard errors are known, as those of a meta-analysis:"
            f" `{own.label} | se(s) ~ ...`."
        )
    if not own.is_linear:
        raise SpecError(
            f"{verb} is of normal responses with identity link; `{own.label}` has family `{own.family.name}`."
        )
    if outcome.has_known_noise:
        return 1.0 / outcome.weights
    places = [r for r, one in enumerate(spec.predictors) if one.response == response and one.formula.is_implied]
    predictor = spec.parameters.index(spec.predictors[places[0]])
    return np.exp(2.0 * design.offset[design.block(predictor)])
