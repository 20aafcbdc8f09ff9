"""Censored and truncated responses: what was observed in place of values, and the family of what was observed.

A censored response is known to lie in an interval ``(low, high]``, a truncated one could be observed in ``(lower,
upper]`` only. Everything is a probability of an interval by the family's distribution function: of the row's own one in
place of its density, and of the range, by which both are divided.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from bayesmix.arrays import Array
from bayesmix.errors import DataError
from bayesmix.language.families.family import Family
from bayesmix.language.families.namespaces import NUMERIC, Namespace
from bayesmix.language.families.taylor import taken, with_rows

TRIES = 20  # of drawing a response until it is in its range; what is left is drawn by its distribution function
HALVINGS = 80  # of an interval of a response
REACH = 2.0**40  # standard deviations from the mean beyond which no quantile is looked for


@dataclass(frozen=True, slots=True, eq=False)
class Bounds:
    """What is known of responses beside values ``(n,)``: ends of intervals, infinite where there is none."""

    low: Array  # of a censored response, which is larger; of one that is never censored the value itself
    high: Array  # which is at most that
    is_censored: Array  # whether the interval is all that is known; else the interval in which it would be
    lower: Array  # smallest value that could be observed
    upper: Array  # largest one

    @property
    def arrays(self) -> tuple[Array, ...]:
        """All that there is of each row."""
        return self.low, self.high, self.is_censored, self.lower, self.upper

    def take(self, part: Array | slice) -> Bounds:
        """Some of the rows."""
        return Bounds(*(array[part] for array in self.arrays))

    @property
    def kinds(self) -> tuple[bool, bool]:
        """Whether rows are censored, and whether they are truncated."""
        return bool(np.any(self.is_censored)), self.has_range

    @property
    def has_range(self) -> bool:
        """Whether a row is truncated."""
        return bool(np.any(np.isfinite(self.lower) | np.isfinite(self.upper)))

    def in_words(self) -> str:
        """How many rows are censored, and whether they are truncated."""
        ends = np.isfinite(self.low), np.isfinite(self.high)
        kinds = {"right": ends[0] & ~ends[1], "left": ~ends[0] & ends[1], "interval": ends[0] & ends[1]}
        counts = {name: int(np.sum(one & self.is_censored)) for name, one in kinds.items()}
        censored = ", ".join(f"{count} {name}-censored" for name, count in counts.items() if count)
        return "; ".join(filter(None, (censored, "truncated" if self.has_range else "")))

    def whole(self) -> Bounds:
        """The same ranges of responses that are not censored."""
        return replace(self, is_censored=np.zeros_like(self.is_censored))

    def inside(self, family: Family) -> Bounds:
        """Ranges of the values behind censored responses: what is known of them."""
        above = np.floor(self.low) + 1.0 if family.values.is_discrete else self.low
        lower, upper = np.maximum(self.lower, above), np.minimum(self.upper, self.high)
        lower, upper = np.where(self.is_censored, (lower, upper), (self.lower, self.upper))
        return replace(self.whole(), lower=lower, upper=upper)

    def of_new(self, y: Array) -> tuple[Array, Bounds]:
        """What would be seen of new values ``(n,)``, and what would be known of them: see `rule`."""
        known = self.for_all_rows()
        is_in = (known.low < y) & (y <= known.high)
        end = np.where(np.isfinite(known.low), known.low, known.high)
        return np.where(is_in, end, y), replace(known, is_censored=is_in)

    @property
    def rule(self) -> str:
        """How new values are censored, in words; empty where none is."""
        if not np.any(self.low < self.high):
            return ""
        known = self.for_all_rows()
        if np.all(known.low < known.high):
            return "Simulated responses are censored in the intervals in which those of the data would be."
        return (
            "Simulated responses are censored in rows in which those of the data are, where they fall in the same"
            " interval; rows that are seen stay seen."
        )

    def for_all_rows(self) -> Bounds:
        """A limit of detection, an end of observation: the interval that all censored rows have, of all rows."""
        own = self.low < self.high
        low, high = np.unique(self.low[own]), np.unique(self.high[own])
        if not len(low) == len(high) == 1:
            return self
        seen = self.low[~own]
        if np.any((low[0] < seen) & (seen <= high[0])):
            return self
        return replace(self, low=np.full_like(self.low, low[0]), high=np.full_like(self.high, high[0]))


@dataclass(frozen=True, slots=True, eq=False)
class Interval:
    """Intervals ``(low, high]`` of a family's support in numbers that all are finite; an end that is none is marked."""

    low: Any
    high: Any
    has_low: Any  # one where there is an end, else zero
    has_high: Any
    is_one_sided: bool  # whether none has two ends: then both are the one that there is

    def is_empty(self, family: Family) -> Array:
        """Whether no response can lie in an interval."""
        has_both = self.has_low * self.has_high > 0.5
        is_below = (self.has_high > 0.5) & ~family.values.is_possible_up_to(self.high)
        return np.where(has_both, self.low >= self.high, is_below)

    def log_probability(self, tails: Callable[[Any], tuple[Any, Any]], xp: Namespace) -> Any:
        """Logarithm of the probability, in the tail in which the interval is."""
        below_low, above_low = tails(self.low)
        if self.is_one_sided:
            return xp.where(self.has_low > 0.5, above_low, xp.where(self.has_high > 0.5, below_low, 0.0))
        below, above = tails(self.high)
        is_upper = above_low < below
        near, far = xp.where(is_upper, above_low, below), xp.where(is_upper, above, below_low)
        has_both = self.has_low * self.has_high > 0.5
        between = near + xp.log1mexp(xp.where(has_both, far - near, -1.0))
        one_sided = xp.where(self.has_low > 0.5, above_low, xp.where(self.has_high > 0.5, below, 0.0))
        return xp.where(has_both, between, one_sided)


def interval(family: Family, low: Array, high: Array, trials: Array) -> Interval:
    """Intervals with the ends that are inside the support."""
    support = family.values
    most = trials if support.has_trials else (1.0 if support.range == "unit" else support.ends[1])
    if support.is_discrete:
        low, high = np.floor(low), np.floor(high)
    has_low = np.isfinite(low) & support.is_possible_up_to(low)
    has_high = np.isfinite(high) & (high < most)
    inside = support.least if support.is_discrete else 0.5
    anchor = np.where(has_low, low, np.where(has_high, high, inside))
    ends = np.where(has_low, low, anchor), np.where(has_high, high, anchor)
    return Interval(*ends, has_low.astype(float), has_high.astype(float), not np.any(has_low & has_high))


def observed(
    family: Family, bounds: Bounds | None, trials: Array, *, column: Callable[[Array], Any] = np.asarray
) -> Family:
    """The family of what was observed in rows: that of the responses themselves without bounds.

    Parameters
    ----------
    column
        Makes what stands for ``(n,)`` numbers in the kernel: symbols for one of symbols.
    """
    if bounds is None:
        return family
    inside, within = _own_interval(family, bounds, trials), _range(family, bounds, trials)
    changes: dict[str, Any] = {"closed_form": None, "deviance": None}
    if within is not None:
        changes |= {"cdf": _truncated_cdf(family, within), "sample": _truncated_sample(family, within, bounds)}
    is_censored = bounds.is_censored
    symbols = _mapped(inside, column), _mapped(within, column)
    kernel = _kernel(family, *symbols, column(is_censored.astype(float)))
    return replace(
        family,
        kernel=kernel,
        base=lambda y, trials: np.where(is_censored, 0.0, family.base(y, trials)),
        **changes,
    )


def truncated(family: Family, bounds: Bounds | None, trials: Array) -> Family:
    """The family of new responses of rows: inside the ranges of what could be observed, none of them censored."""
    return observed(family, None if bounds is None or not bounds.has_range else bounds.whole(), trials)


def check_bounds(family: Family, label: str, bounds: Bounds | None, trials: Array) -> None:
    """Raise `DataError` where what is known of a response contradicts what could be observed, or the family."""
    if bounds is None:
        return
    could, own = "could not be observed at all", "is censored where it could not have been observed"
    for one, what in ((_range(family, bounds, trials), could), (_own_interval(family, bounds, trials), own)):
        empty = [] if one is None else np.flatnonzero(one.is_empty(family)).tolist()
        if one is not None and empty:
            raise DataError(
                f"Response `{label}` {what}: no value of family `{family.name}` is larger than"
                f" {one.low[empty[0]]:g} and at most {one.high[empty[0]]:g} (row {empty[0]}). Check cens() and trunc()."
            )


def _own_interval(family: Family, bounds: Bounds, trials: Array) -> Interval | None:
    if not np.any(bounds.is_censored):
        return None
    lower = _below(family, bounds.lower)
    low, high = np.maximum(bounds.low, lower), np.minimum(bounds.high, bounds.upper)
    rows = bounds.is_censored
    return interval(family, np.where(rows, low, -np.inf), np.where(rows, high, np.inf), trials)


def _range(family: Family, bounds: Bounds, trials: Array) -> Interval | None:
    return interval(family, _below(family, bounds.lower), bounds.upper, trials) if bounds.has_range else None


def _below(family: Family, lower: Array) -> Array:
    """What a response is larger than that is at least ``lower``."""
    return np.ceil(lower) - 1.0 if family.values.is_discrete else lower


def _mapped(one: Interval | None, column: Callable[[Array], Any]) -> Interval | None:
    if one is None:
        return None
    low, high, has_low, has_high = map(column, (one.low, one.high, one.has_low, one.has_high))
    return Interval(low, high, has_low, has_high, one.is_one_sided)


def _kernel(family: Family, inside: Interval | None, within: Interval | None, is_censored: Any) -> Callable[..., Any]:
    def kernel(xp: Namespace, y: Any, trials: Any, mu: Any, *others: Any) -> Any:
        rows = family.kernel(xp, y, trials, mu, *others)
        if inside is not None:
            rows = _with_censored(family, inside, is_censored, rows, (xp, trials, mu, *others))
        return rows if within is None else rows - within.log_probability(_tails(family, xp, trials, mu, *others), xp)

    return kernel


def _tails(family: Family, xp: Namespace, *parameters: Any) -> Callable[[Any], tuple[Any, Any]]:
    assert family.log_tails is not None
    tails = family.log_tails
    return lambda end: tails(xp, end, *parameters)


def _with_censored(family: Family, inside: Interval, is_censored: Any, rows: Any, given: tuple[Any, ...]) -> Any:
    """Log densities of rows, those of the censored ones in place: of numbers, tails are computed of these alone.

    Parameters
    ----------
    given : namespace, trials, parameters.
    """
    xp, *parameters = given
    if xp is not NUMERIC:
        found = inside.log_probability(_tails(family, xp, *parameters), xp)
        return xp.where(is_censored > 0.5, found, rows)
    n, part = len(is_censored), np.flatnonzero(is_censored > 0.5)
    own = [taken(one, part, n) for one in parameters]
    some = _mapped(inside, lambda one: np.broadcast_to(one, n)[part])
    assert some is not None  # there are censored rows
    return with_rows(rows, part, some.log_probability(_tails(family, xp, *own), xp))


def _truncated_cdf(family: Family, within: Interval) -> Callable[..., Array]:
    def cdf(y: Array, trials: Array, mu: Array, *others: Array) -> Array:
        def tails(end: Any) -> tuple[Any, Any]:
            assert family.log_tails is not None
            return family.log_tails(NUMERIC, end, trials, mu, *others)

        beyond = (within.has_high > 0.5) & (y >= within.high)
        below = (within.has_low > 0.5) & (y <= within.low) | ~family.values.is_possible_up_to(y)
        up_to = interval(family, np.where(within.has_low > 0.5, within.low, -np.inf), y, trials)
        with np.errstate(all="ignore"):
            share = np.exp(up_to.log_probability(tails, NUMERIC) - within.log_probability(tails, NUMERIC))
        return np.where(below, 0.0, np.where(beyond, 1.0, np.clip(share, 0.0, 1.0)))

    return cdf


def _truncated_sample(family: Family, within: Interval, bounds: Bounds) -> Callable[..., Array]:
    def sample(rng: np.random.Generator, trials: Array, mu: Array, *others: Array) -> Array:
        drawn = np.asarray(family.sample(rng, trials, mu, *others), float)
        for _ in range(TRIES):
            is_out = (drawn < bounds.lower) | (drawn > bounds.upper)
            if not is_out.any():
                return drawn
            drawn = np.where(is_out, family.sample(rng, trials, mu, *others), drawn)
        is_out = (drawn < bounds.lower) | (drawn > bounds.upper)
        rows = [np.broadcast_to(one, drawn.shape)[is_out] for one in (trials, mu, *others)]
        own = _mapped(within, lambda one: np.broadcast_to(one, drawn.shape)[is_out])
        if own is not None:
            drawn[is_out] = _quantile(family, own, rng.random(len(rows[0])), *rows)
        return drawn

    return sample


def _above(is_below: Callable[[Array], Array], within: Interval, start: Array, spread: Array) -> Array:
    """Ends that quantiles are below, no farther out than twice as far: sums of a density have as many terms."""
    is_open, step = within.has_high < 0.5, spread
    high = np.where(is_open, start + step, within.high)
    while step.max(initial=0.0) < REACH * spread.max(initial=0.0) and np.any(is_short := is_open & is_below(high)):
        step = 2.0 * step
        high = np.where(is_short, start + step, high)
    return high


def _quantile(family: Family, within: Interval, share: Array, trials: Array, mu: Array, *others: Array) -> Array:
    """Quantiles of truncated responses, by halving an interval."""
    cdf = _truncated_cdf(family, within)
    spread = np.sqrt(family.variance(trials, mu, *others)) * trials
    mean = trials * family.mean(trials, mu, *others)
    low = np.where(within.has_low > 0.5, within.low, mean - REACH * spread)
    high = _above(lambda y: cdf(y, trials, mu, *others) < share, within, np.maximum(mean, low), spread)
    for _ in range(HALVINGS):
        middle = 0.5 * (low + high)
        middle = np.floor(middle) if family.values.is_discrete else middle
        is_below = cdf(middle, trials, mu, *others) < share
        low, high = np.where(is_below, middle, low), np.where(is_below, high, middle)
    return np.asarray(high)
