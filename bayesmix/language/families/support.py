"""Supports of responses: which values there are, where a fit starts, at which of them a likelihood has no maximum."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from bayesmix.arrays import Array

COUNTABLE = 2.0**53  # larger whole numbers are not all different as floats


@dataclass(frozen=True, slots=True)
class Support:
    """A set of possible responses."""

    problem: Callable[[Array, Array], str | None]  # what is wrong with (y, trials), None if nothing
    start: Callable[[Array, Array], Array]  # means inside the range from (y / trials, trials), near the response
    range: Literal["real", "positive", "unit"]  # of means, per trial
    is_discrete: bool = False
    has_trials: bool = False  # successes of a number of trials
    least: float = 0.0  # response
    ends: tuple[float, float] = (-np.inf, np.inf)  # of real ones
    least_is_edge: bool = False  # a parameter mu of rows that have it alone is zero
    one_is_edge: bool = False  # the mean of rows without failures is one
    zero_is_silent: bool = False  # on mu: zeros are of a parameter of their own
    atoms: tuple[float, ...] = ()  # responses with probabilities of their own, where all others have a density
    hint: str = ' Counts are for family="poisson", other numbers for family="gaussian".'

    def below(self, y: Array) -> Array:
        """The largest value that is less than each response, itself where that makes no difference."""
        if self.is_discrete:
            return y - 1.0
        return np.where(np.isin(y, self.atoms), np.nextafter(y, -np.inf), y) if self.atoms else y

    @property
    def has_zeros(self) -> bool:
        """Whether a zero has a probability."""
        zero = np.zeros(1)
        return (self.is_discrete or 0.0 in self.atoms) and self.problem(zero, np.ones(1)) is None

    def is_silent(self, y: Array) -> Array:
        """Whether each response says nothing on the parameter mu."""
        return (y == 0.0) & self.zero_is_silent

    def is_possible_up_to(self, y: Array) -> Array:
        """Whether responses up to each number have a probability above zero."""
        if self.zero_is_silent or 0.0 in self.atoms:
            return np.asarray(y >= 0.0)
        if self.is_discrete:
            return np.asarray(y >= self.least)
        return np.asarray(y > (self.ends[0] if self.range == "real" else 0.0))


def _counts(y: Array, _: Array) -> str | None:
    bad = np.flatnonzero((y < 0) | (y != np.round(y)))
    if len(bad):
        return f"counts 0, 1, 2, ...; row {bad[0]} has {y[bad[0]]:g}"
    bad = np.flatnonzero(y > COUNTABLE)
    return f"counts that can be told apart, up to 2^53; row {bad[0]} has {y[bad[0]]:g}" if len(bad) else None


def _positive_counts(y: Array, _: Array) -> str | None:
    bad = np.flatnonzero(y == 0)
    return f"counts 1, 2, 3, ... without zeros; row {bad[0]} has 0" if len(bad) else _counts(y, _)


def _shares(y: Array, trials: Array) -> str | None:
    bad = np.flatnonzero((y < 0) | (y > trials) | (np.abs(y - np.round(y)) > 1e-8))
    if not len(bad):
        return None
    return f"whole successes between 0 and the number of trials; row {bad[0]} has {y[bad[0]]:g} of {trials[bad[0]]:g}"


def _zero_one(y: Array, trials: Array) -> str | None:
    bad = np.flatnonzero(((y != 0) & (y != 1)) | (trials != 1))
    return f"0 or 1 (or two categories); row {bad[0]} has {y[bad[0]]:g}" if len(bad) else None


def _positive(y: Array, _: Array) -> str | None:
    bad = np.flatnonzero(~(y > 0))
    return f"positive numbers; row {bad[0]} has {y[bad[0]]:g}" if len(bad) else None


def _zero_or_positive(y: Array, _: Array) -> str | None:
    bad = np.flatnonzero(~(y >= 0))
    return f"zeros and positive numbers; row {bad[0]} has {y[bad[0]]:g}" if len(bad) else None


def _proportion(y: Array, _: Array) -> str | None:
    bad = np.flatnonzero(~((y > 0) & (y < 1)))
    return f"numbers between 0 and 1, both excluded; row {bad[0]} has {y[bad[0]]:g}" if len(bad) else None


def _zero_or_proportion(y: Array, _: Array) -> str | None:
    bad = np.flatnonzero(~((y >= 0) & (y < 1)))
    return f"numbers from 0 to below 1; row {bad[0]} has {y[bad[0]]:g}" if len(bad) else None


def _closed_proportion(y: Array, _: Array) -> str | None:
    bad = np.flatnonzero(~((y >= 0) & (y <= 1)))
    return f"numbers from 0 to 1; row {bad[0]} has {y[bad[0]]:g}" if len(bad) else None


def _angle(y: Array, _: Array) -> str | None:
    bad = np.flatnonzero(~(np.abs(y) <= np.pi))
    return f"angles in radians, from -pi to pi; row {bad[0]} has {y[bad[0]]:g}" if len(bad) else None


def _off_the_ends(share: Array, _: Array) -> Array:
    return np.clip(share, 0.01, 0.99)


def _any(y: Array, _: Array) -> str | None:
    return None


def _itself(share: Array, _: Array) -> Array:
    return share


def _above_zero(share: Array, _: Array) -> Array:
    return share + 0.1


def _away_from_zero(share: Array, _: Array) -> Array:
    """Positive means, whatever the sign of the response."""
    return np.maximum(share, 0.1 * max(abs(float(share.mean())), 1e-8))


def _inside(share: Array, trials: Array) -> Array:
    return (share * trials + 0.5) / (trials + 1.0)


SUPPORTS: dict[str, Support] = {
    "real": Support(_any, _away_from_zero, "real"),
    "angle": Support(
        _angle,
        _itself,
        "real",
        ends=(-np.pi, np.pi),
        hint=" Of degrees these are (d + 180) % 360 - 180, times pi / 180.",
    ),
    "positive": Support(
        _positive,
        _away_from_zero,
        "positive",
        hint=' Zeros beside positive numbers are for family="hurdle_gamma" or "hurdle_lognormal".',
    ),
    "proportion": Support(
        _proportion,
        _itself,
        "unit",
        hint=' Zeros are for family="zero_inflated_beta", zeros and ones for "zero_one_inflated_beta"; successes out of'
        ' trials for "binomial".',
    ),
    "zero_or_proportion": Support(
        _zero_or_proportion,
        _off_the_ends,
        "unit",
        atoms=(0.0,),
        zero_is_silent=True,
        hint=' Ones are for family="zero_one_inflated_beta".',
    ),
    "closed_proportion": Support(
        _closed_proportion,
        _off_the_ends,
        "unit",
        atoms=(0.0, 1.0),
        hint=' Successes out of trials are for family="binomial".',
    ),
    "counts": Support(_counts, _above_zero, "positive", is_discrete=True, least_is_edge=True),
    "positive_counts": Support(
        _positive_counts,
        _above_zero,
        "positive",
        is_discrete=True,
        least=1.0,
        least_is_edge=True,
        hint=' Counts with zeros are for family="poisson", or the family of this name with `hurdle` for `truncated`.',
    ),
    "zeros_and_counts": Support(
        _counts,
        _above_zero,
        "positive",
        is_discrete=True,
        least=1.0,
        least_is_edge=True,
        zero_is_silent=True,
    ),
    "zeros_and_positive": Support(
        _zero_or_positive, _away_from_zero, "positive", atoms=(0.0,), zero_is_silent=True, hint=""
    ),
    "zero_or_positive": Support(
        _zero_or_positive, _away_from_zero, "positive", least_is_edge=True, atoms=(0.0,), hint=""
    ),
    "trials": Support(
        _shares, _inside, "unit", is_discrete=True, has_trials=True, least_is_edge=True, one_is_edge=True
    ),
    "ordered": Support(_any, _itself, "positive", is_discrete=True, hint=""),
    "category_counts": Support(_any, _itself, "positive", is_discrete=True, has_trials=True, hint=""),
    "nominal": Support(_any, _itself, "positive", is_discrete=True, hint=""),
    "binary": Support(
        _zero_one, _inside, "unit", is_discrete=True, has_trials=True, least_is_edge=True, one_is_edge=True
    ),
}
