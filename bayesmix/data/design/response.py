"""The response: numbers, or successes and trials."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from bayesmix.arrays import Array
from bayesmix.data.columns import Factor, Numeric, Variable, drop_unused, name_all, name_rows
from bayesmix.errors import DataError
from bayesmix.language.families.bounds import Bounds
from bayesmix.language.families.category_counts import coded, most_trials
from bayesmix.language.families.family import Family
from bayesmix.language.families.support import COUNTABLE
from bayesmix.language.formula.expression import Call, Chain, Expr, spell
from bayesmix.language.formula.imputed_predictors import MISSING, VALUE, known_text
from bayesmix.language.formula.reader import read

ResponseKind = Literal["numeric", "binomial", "categories", "category_counts"]
Categories = tuple[str, ...]  # failure and success; or all that there are, in order

MOST = 100  # categories: more are numbers

WHOLE = 1e-3  # R's tolerance for successes that come from a rounded proportion times its trials


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """What was observed."""

    y: Array  # (n,) values, numbers of successes, or those that counts of categories are
    trials: Array  # (n,) binomial denominators, ones for other families
    weights: Array  # (n,) prior weights; ones where they were the trials of a proportion
    has_trials: bool = False  # whether it counts successes
    categories: Categories | None = None  # failure and success, or what the codes 0, 1, ... of `y` stand for
    bounds: Bounds | None = None  # of censored and truncated responses
    is_counted: bool = False  # whether weights are brms's, which multiply log densities whatever the family
    has_known_noise: bool = False  # whether the weights are inverses of known variances: there is no sigma to estimate
    excess: Array | None = None  # (n,) of rows that are sums: what the log density of those summed is beyond their own

    @property
    def is_complete(self) -> bool:
        """Whether it was observed in all rows."""
        return not np.isnan(self.y).any()

    @property
    def seen(self) -> Array:
        """Whether it was observed in each row ``(n,)``."""
        return np.asarray(~np.isnan(self.y))

    @property
    def present(self) -> Outcome:
        """The rows in which it was observed."""
        return self if self.is_complete else self.take(np.flatnonzero(self.seen))

    @property
    def arrays(self) -> tuple[Array, ...]:
        """All that there is of each row."""
        bounds = () if self.bounds is None else self.bounds.arrays
        return (self.y, self.trials, self.weights, *bounds)

    @property
    def counts(self) -> Array:
        """How often each row ``(n,)`` counts."""
        return self.weights if self.is_counted else np.ones_like(self.weights)

    @property
    def divisors(self) -> Array:
        """What divides the variance of each row ``(n,)``: prior weights, unless these count rows."""
        return np.ones_like(self.weights) if self.is_counted else self.weights

    def is_same(self, other: Outcome) -> bool:
        """Whether the same was observed, whatever its weights."""
        mine, theirs = (replace(one, weights=one.y).arrays for one in (self, other))
        pairs = zip(mine, theirs, strict=False)
        return len(mine) == len(theirs) and all(np.array_equal(a, b, equal_nan=True) for a, b in pairs)

    def with_values(self, y: Array) -> Outcome:
        """Other values of the same rows, as they would have been seen.

        `Bounds.rule` says when they are censored; those that are missing stay so.
        """
        if self.bounds is None:
            return replace(self, y=y if self.is_complete else np.where(self.seen, y, np.nan))
        seen, bounds = self.bounds.of_new(y)
        return replace(self, y=seen, bounds=bounds)

    def take(self, part: Array) -> Outcome:
        """Some of the rows."""
        bounds = None if self.bounds is None else self.bounds.take(part)
        excess = None if self.excess is None else self.excess[part]
        own = {"y": self.y[part], "trials": self.trials[part], "weights": self.weights[part]}
        return replace(self, bounds=bounds, excess=excess, **own)


def outcome_texts(response: str, kind: ResponseKind, *, weighted: bool, trials: str = "") -> tuple[str, ...]:
    """Return the expressions that a response is made of: two for successes and failures or trials, else one.

    Of counts of categories one for each of them, and the trials behind them where these are said.

    Parameters
    ----------
    weighted
        Whether there are weights: of a proportion, its trials.
    trials
        What brms's ``y | trials(n)`` says.
    """
    expression = read(response)
    if kind == "category_counts":
        return (*_of_categories(response, expression).values(), *((trials,) if trials else ()))
    if trials:
        if isinstance(expression, Call | Chain):
            raise DataError(f"`{response} | trials({trials})` has its trials twice: write `successes | trials(n)`.")
        return response, trials
    match expression:
        case Call(function="cbind", arguments=(successes, failures)):
            if kind != "binomial":
                raise DataError(
                    f"The response `{response}` counts successes and failures: it needs family binomial, or multinomial"
                    " of several categories."
                )
            return spell(successes.value), spell(failures.value)
        case Call(function="cbind"):
            raise DataError(
                f"The response `{response}` needs two columns, `cbind(successes, failures)`; counts of several"
                " categories are of family multinomial."
            )
        case Chain(operators=("/",), operands=(successes, total)) if kind == "binomial" and not weighted:
            return spell(successes), spell(total)
    return (response,)


def outcome(
    response: str,
    variables: Mapping[str, Variable],
    kind: ResponseKind,
    weights: Array | None,
    *,
    rows: Array,
    trials: str = "",
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
    trials
        As in `outcome_texts`.

    Raises
    ------
    DataError
        If the values are not those of the kind of response.
    """
    texts = outcome_texts(response, kind, weighted=weights is not None, trials=trials)
    values = [variables[text] for text in texts]
    ones = np.ones(len(rows))
    plain = ones if weights is None else weights
    if kind == "category_counts":
        return _category_counts(response, texts, values, plain, rows)
    if kind == "categories":
        codes, levels = _coded(response, values[0])
        return Outcome(codes, ones, plain, categories=levels)
    if kind == "numeric":
        return Outcome(_numbers(response, values[0]), ones, plain)
    if len(values) == 2:
        first, second = (_counts(text, _numbers(text, value), rows) for text, value in zip(texts, values, strict=True))
        total = first + second if response.startswith("cbind(") else second
        _check_possible(response, first, total, rows)
        return Outcome(first, total, plain, has_trials=True)
    if isinstance(values[0], Factor):
        pair = _categories(response, values[0])
        return Outcome(_successes(values[0], pair), ones, plain, has_trials=True, categories=pair)
    return _proportions(response, _numbers(response, values[0]), weights, rows)


def _of_categories(response: str, expression: Expr) -> dict[str, str]:
    """The categories of ``cbind(a, b, c)`` and the expressions of their counts, by name where they have one.

    Raises
    ------
    DataError
        If it is none, or two categories have the same name.
    """
    match expression:
        case Call(function="cbind", arguments=arguments) if len(arguments) > 1:
            texts = [spell(one.value) for one in arguments]
            names = [one.name or text for one, text in zip(arguments, texts, strict=True)]
            twice = next((name for j, name in enumerate(names) if name in names[:j]), None)
            if twice is not None:
                raise DataError(f"The response `{response}` has the category `{twice}` twice.")
            return dict(zip(names, texts, strict=True))
    raise DataError(
        f"The response `{response}` of a multinomial model has a column of counts for each category: `cbind(a, b, c)`,"
        " or with its trials `cbind(a, b, c) | trials(n)`. A single category a row is of family categorical."
    )


def _category_counts(
    response: str, texts: Sequence[str], values: Sequence[Variable], weights: Array, rows: Array
) -> Outcome:
    """Counts of categories, whose sums are the trials: those that are given, where they are."""
    levels = tuple(_of_categories(response, read(response)))
    numbers = [_counts(text, _numbers(text, value), rows) for text, value in zip(texts, values, strict=True)]
    counts = np.stack(numbers[: len(levels)], axis=-1)
    total = counts.sum(axis=-1)
    _check_sums(response, texts[-1], total, numbers[-1] if len(numbers) > len(levels) else total, rows)
    most = most_trials(len(levels))
    if total.max() > most:
        raise DataError(
            f"The response `{response}` counts {total.max():g} in {name_rows(rows[total > most])}: of {len(levels)}"
            f" categories a row may have up to {most}. A row for each category with its count is the same model:"
            ' `category | weights(count) ~ ...`, family="categorical".'
        )
    return Outcome(coded(counts), total, weights, categories=levels)


def _check_sums(response: str, text: str, total: Array, trials: Array, rows: Array) -> None:
    """Raise `DataError` where counts do not add up to the trials, or to nothing."""
    other = np.flatnonzero(total != trials)
    if len(other):
        i = other[0]
        raise DataError(
            f"The counts of `{response}` add up to {total[i]:g} where `trials({text})` has {trials[i]:g}, in"
            f" {name_rows(rows[other])}."
        )
    if np.any(total < 1):
        raise DataError(f"The response `{response}` has no trials in {name_rows(rows[total < 1])}: leave them out.")


def incomplete_outcome(response: str, variables: Mapping[str, Variable]) -> Outcome:
    """A response of which values may be missing, NaN: ``z | mi()``.

    Raises
    ------
    DataError
        If all of them are.
    """
    values, is_missing = (_numbers(response, variables[known_text(response, what)]) for what in (VALUE, MISSING))
    if np.all(is_missing > 0.0):
        raise DataError(f"The response `{response}` has no value in the rows used: nothing tells what it may be.")
    ones = np.ones(len(values))
    return Outcome(np.where(is_missing > 0.0, np.nan, values), ones, ones.copy())


def _coded(response: str, value: Variable) -> tuple[Array, Categories]:
    """Codes ``(n,)`` of the categories that occur, and these in order: of a factor its own, of numbers by size."""
    match value:
        case Factor():
            used = drop_unused(value)
            codes, levels = used.codes.astype(float), used.levels
        case Numeric(values=values):
            numbers, codes = np.unique(values, return_inverse=True)
            codes, levels = codes.astype(float), tuple(f"{number:g}" for number in numbers)
        case _:
            raise DataError(f"The response `{response}` is not a column of categories.")
    if len(levels) < 2:
        raise DataError(f"The response `{response}` has the single category `{levels[0]}`: nothing differs.")
    if len(levels) > MOST:
        raise DataError(
            f"The response `{response}` has {len(levels)} different values: this family is for categories, numbers are"
            ' for family="gaussian" and others.'
        )
    return codes, levels


def _categories(response: str, factor: Factor) -> Categories:
    """Return failure and success: the two levels that there are, or, where more are declared, the two that occur.

    R counts every level but the first as success; where there are three that is another model than was meant.
    """
    used = drop_unused(factor).levels
    levels = factor.levels if len(factor.levels) == 2 else used
    if len(levels) == 2:
        return levels[0], levels[1]
    if len(levels) == 1:
        what = f"The response `{response}` has the single level `{levels[0]}`, which may be success or failure."
        raise DataError(f"{what} Give it as TRUE and FALSE, as 0 and 1, or as a category of two levels, failure first.")
    what = f"The response `{response}` has {len(levels)} levels, {name_all(levels)}; this family needs two."
    raise DataError(f'{what} To model one against all others, write `I({response} == "{levels[-1]}")`.')


def in_words(response: str, categories: Categories, family: Family) -> str:
    """Say which of two categories is modelled, or how several are ordered, or which of them is the reference."""
    if family.is_ordered:
        return f"Response {response}: {' < '.join(categories)}."
    if family.has_category_counts:
        return f"Response: counts of {', '.join(categories)}; `{categories[0]}` is the reference."
    if family.levels:
        return f"Response {response}: {', '.join(categories)}; `{categories[0]}` is the reference."
    return f"Response {response}: `{categories[1]}` is success, `{categories[0]}` is failure."


def _successes(factor: Factor, categories: Categories) -> Array:
    return np.asarray(factor.codes == factor.levels.index(categories[1]), dtype=np.float64)


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
    large = np.flatnonzero(whole > COUNTABLE)
    if len(large):
        raise DataError(f"`{text}` counts something, but is {values[large[0]]:g} in {name_rows(rows[large])}.")
    return np.asarray(whole)


def _check_possible(response: str, successes: Array, trials: Array, rows: Array) -> None:
    problems = {"more successes than trials": successes > trials, "no trials": trials < 1}
    for what, wrong in problems.items():
        if wrong.any():
            i = np.flatnonzero(wrong)[0]
            where = f"{name_rows(rows[wrong])}: {successes[i]:g} of {trials[i]:g}"
            raise DataError(f"The response `{response}` has {what} in {where}.")


def _advice(response: str, y: Array) -> str:
    """What to write where numbers are no proportions: often two categories are coded as 1 and 2."""
    values = np.unique(y)
    if len(values) == 2 and np.all(values == np.round(values)):
        low, high = (f"{value:g}" for value in values)
        return f"It has the two values {low} and {high}: write `I({response} == {high})` if {high} is the success."
    return "It is 0, 1 or a proportion; counts are written `cbind(successes, failures)`."


def _proportions(response: str, y: Array, weights: Array | None, rows: Array) -> Outcome:
    wrong = np.flatnonzero((y < 0) | (y > 1))
    if len(wrong):
        what = f"The response `{response}` of a binomial model is {y[wrong[0]]:g} in {name_rows(rows[wrong])}."
        raise DataError(f"{what} {_advice(response, y)}")
    if weights is None and np.any((y > 0) & (y < 1)):
        raise DataError(f"The response `{response}` has proportions: give the number of trials as `weights=`.")
    ones = np.ones(len(rows))
    trials = ones if weights is None else _counts("weights", weights, rows)
    return Outcome(_counts(f"{response} * weights", y * trials, rows), trials, ones, has_trials=True)
