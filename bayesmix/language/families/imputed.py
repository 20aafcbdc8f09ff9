"""Normal responses whose means depend on other responses of the same row, which may be missing.

The slope of each of these is a parameter of the family with an identity link; what is known of it in each row are two
more without coefficients: its value, and whether that is missing. Where it is, its mean stands for the value and its
variance is part of that about the mean, ``slope^2 Var(z)``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np

from bayesmix.arrays import Array
from bayesmix.language.families.family import Family, Parameter


@dataclass(frozen=True, slots=True, eq=False)
class Slopes:
    """What a mean depends on beside its linear predictor."""

    predictors: tuple[str, ...]  # "mi(z)"
    base: Family  # the distribution about the mean

    def mean(self, mu: Any, *others: Any) -> Any:
        """``mu`` and each slope times its predictor."""
        count, first = len(self.predictors), len(self.base.parameters) - 1
        slopes, values = others[first : first + count], others[first + count : first + 2 * count]
        return mu + sum(slope * value for slope, value in zip(slopes, values, strict=True))

    def of(self, mu: Any, *others: Any) -> tuple[Any, ...]:
        """Mean and other parameters of the base."""
        return (self.mean(mu, *others), *others[: len(self.base.parameters) - 1])

    def places(self, k: int) -> tuple[int, int, int]:
        """Positions among the parameters of the family: slope, value and missingness of a predictor."""
        count, first = len(self.predictors), len(self.base.parameters)
        return first + k, first + count + k, first + 2 * count + k


def predictors_of(family: Family) -> tuple[str, ...]:
    """The predictors that a family has slopes of: ``mi(z)``."""
    return () if family.slopes is None else tuple(family.slopes.predictors)


@cache
def with_slopes(base: Family, predictors: tuple[str, ...]) -> Family:
    """A family of a mean and a standard deviation with the slopes of ``predictors`` as parameters."""
    slopes = Slopes(predictors, base)

    def of_arrays(function: Callable[..., Any], first: int) -> Callable[..., Array]:
        """Of arguments before mu, of which there are ``first``."""
        return lambda *given: np.asarray(function(*given[:first], *slopes.of(*given[first:])))

    def kernel(xp: Any, y: Any, trials: Any, *given: Any) -> Any:
        return base.kernel(xp, y, trials, *slopes.of(*given))

    def crude(y: Array, trials: Array) -> tuple[float, ...]:
        mean = float(np.mean(y))
        return (mean, *base.start(y, np.asarray(mean)), *(0.0 for _ in range(3 * len(predictors))))

    return replace(
        base,
        parameters=(
            *base.parameters,
            *(Parameter(name, ("identity",), is_slope=True) for name in predictors),
            *(Parameter(f"{what} {name}", ("identity",), is_known=True) for what in KNOWN for name in predictors),
        ),
        kernel=kernel,
        cdf=of_arrays(base.cdf, 2),
        sample=of_arrays(base.sample, 2),
        variance=of_arrays(base.variance, 1),
        expected=lambda trials, *given: slopes.mean(*given),
        deviance=None if base.deviance is None else of_arrays(base.deviance, 2),
        crude=crude,
        log_tails=None,
        moments=None,
        pymc=None,
        closed_form=None,
        has_scale=False,
        noisy=None,
        is_normal=False,
        slopes=slopes,
    )


KNOWN = ("value", "missing")
