"""The response: numbers, or successes and trials."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from bayesmix.data.columns import Factor, Numeric, Variable
from bayesmix.data.inputs import name_rows
from bayesmix.errors import DataError
from bayesmix.language.expression import Call, Chain, spell
from bayesmix.language.reader import read

Array = np.ndarray
ResponseKind = Literal["numeric", "binomial"]

WHOLE = 1e-3  # R's tolerance for successes that come from a rounded proportion times its trials


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """What was observed."""

    y: Array  # (n,) values, or numbers of successes
    trials: Array | None  # (n,) binomial denominators, None for other families
    weights: Array  # (n,) prior weights; ones where they were the trials of a proportion


def outcome_texts(response: str, kind: ResponseKind, *, weighted: bool) -> tuple[str, ...]:
    """Return the expressions that a response is made of: two for successes and failures or trials, else one."""
    expression = read(response)
    match expression:
        case Call(function="cbind", arguments=(successes, failures)):
            if kind != "binomial":
                raise DataError(f"The response `{response}` counts successes and failures: it needs family binomial.")
            return spell(successes.value), spell(failures.value)
        case Call(function="cbind"):
            raise DataError(f"The response `{response}` needs two columns: `cbind(successes, failures)`.")
        case Chain(operators=("/",), operands=(successes, trials)) if kind == "binomial" and not weighted:
            return spell(successes), spell(trials)
    return (response,)


def outcome(
    response: str, variables: Mapping[str, Variable], kind: ResponseKind, weights: Array | None, rows: Array
) -> Outcome:
    """Make the outcome from the evaluated expressions of `outcome_texts`.

    Parameters
    ----------
    response
        Of the formula.
    variables
        Values by the text of the expressions.
    kind
        How to read the response.
    weights
        (n,) positive; the trials, where the response is a proportion.
    rows
        (n,) positions in the data as given, for messages.

    Raises
    ------
    DataError
        If the values are not those of the kind of response.
    """
    texts = outcome_texts(response, kind, weighted=weights is not None)
    values = [variables[text] for text in texts]
    ones = np.ones(len(rows))
    plain = ones if weights is None else weights
    if kind == "numeric":
        return Outcome(_numbers(response, values[0]), None, plain)
    if len(values) == 2:
        first, second = (_counts(text, _numbers(text, value), rows) for text, value in zip(texts, values, strict=True))
        trials = first + second if response.startswith("cbind(") else second
        _check_possible(response, first, trials, rows)
        return Outcome(first, trials, plain)
    if isinstance(values[0], Factor):
        return Outcome((values[0].codes > 0).astype(np.float64), ones, plain)
    return _proportions(response, _numbers(response, values[0]), weights, rows)


def _numbers(text: str, value: Variable) -> Array:
    match value:
        case Numeric(values=values):
            return values.copy()  # these may be the user's own memory
        case Factor(codes=codes, kind="boolean"):
            return codes.astype(np.float64)
        case Factor(levels=levels):
            hint = " A response of two categories needs family binomial." if len(levels) == 2 else ""
            raise DataError(f"The response `{text}` is a factor, not a number.{hint}")
    raise DataError(f"The response `{text}` is not a column of numbers.")


def _counts(text: str, values: Array, rows: Array) -> Array:
    whole = np.round(values)
    wrong = np.flatnonzero((np.abs(values - whole) > WHOLE) | (whole < 0))
    if len(wrong):
        raise DataError(f"`{text}` counts something, but is {values[wrong[0]]:g} in {name_rows(rows[wrong])}.")
    return np.asarray(whole)


def _check_possible(response: str, successes: Array, trials: Array, rows: Array) -> None:
    problems = {"more successes than trials": successes > trials, "no trials": trials < 1}
    for what, wrong in problems.items():
        if wrong.any():
            raise DataError(f"The response `{response}` has {what} in {name_rows(rows[wrong])}.")


def _proportions(response: str, y: Array, weights: Array | None, rows: Array) -> Outcome:
    wrong = np.flatnonzero((y < 0) | (y > 1))
    if len(wrong):
        what = f"The response `{response}` of a binomial model is {y[wrong[0]]:g} in {name_rows(rows[wrong])}."
        raise DataError(f"{what} It is 0, 1 or a proportion; counts are written `cbind(successes, failures)`.")
    if weights is None and np.any((y > 0) & (y < 1)):
        raise DataError(f"The response `{response}` has proportions: give the number of trials as `weights=`.")
    ones = np.ones(len(rows))
    trials = ones if weights is None else _counts("weights", weights, rows)
    return Outcome(_counts(f"{response} * weights", y * trials, rows), trials, ones)
