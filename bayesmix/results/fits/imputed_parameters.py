"""Parameters of responses whose means depend on others of the same row, where these may be missing.

A value that is missing stands in the mean as what is to be expected of it, and its variance is part of that about the
mean. What is expected is given the observed ones of those that the mean depends on, not the response itself.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bayesmix.arrays import Array
from bayesmix.language.families.structural_equations import Equation, State, predicted, updated
from bayesmix.language.formula.imputation import imputation_order
from bayesmix.language.formula.model_spec import ModelSpec


def with_imputed(spec: ModelSpec, predictors: Sequence[Array], response: int) -> tuple[Array, ...]:
    """The parameters of a response, ``(..., n)`` each, of which mean and standard deviation say all.

    Values of imputed predictors are zero: the mean has them.

    Parameters
    ----------
    predictors : all linear predictors of the rows.
    """
    own = {i: _parameters(spec, predictors, i) for i in spec.imputed}
    before = _ancestors(spec, response)
    known = {
        parent: tuple(own[child][place] for place in spec.responses[child].family.slopes.places(k)[1:])
        for child in (*before, response)
        for k, parent in enumerate(spec.imputed[child])
    }
    state = State()
    for i in (one for one in imputation_order(spec.imputed) if one in before):
        value, missing = known[i]
        equation = _equation(spec, own[i], i, value, 1.0 - missing)
        state = updated(state, i, equation, predicted(state, equation))
    found = predicted(state, _equation(spec, own[response], response, np.zeros(()), None))
    mean, sd = np.broadcast_arrays(found.mean, np.sqrt(found.variance))
    return (mean, sd, *(np.zeros(()) for _ in own[response][2:]))


def _parameters(spec: ModelSpec, predictors: Sequence[Array], response: int) -> tuple[Array, ...]:
    return tuple(one.link.mean(predictors[r]) for r, one in enumerate(spec.parameters) if one.response == response)


def _ancestors(spec: ModelSpec, response: int) -> set[int]:
    """The responses that one depends on, through others, too."""
    found: set[int] = set()
    left = list(spec.imputed[response])
    while left:
        one = left.pop()
        if one not in found:
            found.add(one)
            left += spec.imputed[one]
    return found


def _equation(spec: ModelSpec, own: Sequence[Array], i: int, value: Array, seen: Array | None) -> Equation:
    mu, sigma, *others = own
    return Equation(mu, sigma, dict(zip(spec.imputed[i], others, strict=False)), value, seen)
