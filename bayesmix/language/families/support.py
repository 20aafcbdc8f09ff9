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
    zero_is_edge: bool = False  # the mean of rows of zeros alone is zero
    one_is_edge: bool = False  # the mean of rows without failures is one
    hint: str = ' Counts are for family="poisson", other numbers for family="gaussian".'


def _counts(y: Array, _: Array) -> str | None:
    bad = np.flatnonzero((y < 0) | (y != np.round(y)))
    if len(bad):
        return f"counts 0, 1, 2, ...; row {bad[0]} has {y[bad[0]]:g}"
    bad = np.flatnonzero(y > COUNTABLE)
    return f"counts that can be told apart, up to 2^53; row {bad[0]} has {y[bad[0]]:g}" if len(bad) else None


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


def _proportion(y: Array, _: Array) -> str | None:
    bad = np.flatnonzero(~((y > 0) & (y < 1)))
    return f"numbers between 0 and 1, both excluded; row {bad[0]} has {y[bad[0]]:g}" if len(bad) else None


def _away_from_zero(share: Array, _: Array) -> Array:
    """Positive means, whatever the sign of the response."""
    return np.maximum(share, 0.1 * max(abs(float(share.mean())), 1e-8))


def _inside(share: Array, trials: Array) -> Array:
    return (share * trials + 0.5) / (trials + 1.0)


SUPPORTS: dict[str, Support] = {
    "real": Support(lambda y, trials: None, _away_from_zero, "real"),
    "positive": Support(_positive, _away_from_zero, "positive", hint=""),
    "proportion": Support(_proportion, lambda share, trials: share, "unit", hint=""),
    "counts": Support(_counts, lambda share, trials: share + 0.1, "positive", is_discrete=True, zero_is_edge=True),
    "trials": Support(_shares, _inside, "unit", is_discrete=True, has_trials=True, zero_is_edge=True, one_is_edge=True),
    "binary": Support(
        _zero_one, _inside, "unit", is_discrete=True, has_trials=True, zero_is_edge=True, one_is_edge=True
    ),
}
