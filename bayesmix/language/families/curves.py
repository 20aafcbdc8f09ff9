"""Nonlinear means: the mean of a distribution as a function of several linear predictors and of what a row has.

The parameters of the curve are parameters of the family, each with an identity link and a linear predictor; numbers
that a row has, times or doses, are parameters without coefficients. ``mu`` is what an offset adds to the curve.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from bayesmix.arrays import Array
from bayesmix.errors import SpecError
from bayesmix.language.families.family import Family, Parameter
from bayesmix.language.families.link import Link
from bayesmix.language.families.namespaces import NUMERIC, Namespace, symbolic


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """A function of the linear predictors of parameters and of numbers that rows have."""

    text: str  # as written
    parameters: tuple[str, ...]
    data: tuple[str, ...]  # columns
    function: Callable[[Namespace, Mapping[str, Any]], Any]  # of values by name
    base: Family  # the distribution about it
    link: Link  # that its value is on
    starts: Mapping[str, float]  # values of parameters that a search begins with, as the user has them
    found: tuple[Mapping[str, float], ...] = ()  # those of the other parameters, found in the data: at most two

    def check_starts(self) -> None:
        """Raise `SpecError` where a search would not know where to begin."""
        missing = [name for name in self.parameters if name not in self.starts] if not self.found else []
        if missing:
            example = ", ".join(f'"{name}": ...' for name in missing)
            raise SpecError(
                f"`{self.text}` is not linear in {', '.join(f'`{name}`' for name in missing)}: a search needs values to"
                f" begin with, near those the data have. Give Model(..., start={{{example}}}), or priors,"
                f' priors={{"{missing[0]}_Intercept": "Normal(..., ...)"}}, whose medians are taken.'
            )

    def start(self, place: int = 0) -> list[float]:
        """Values of the parameters that a search begins with; ``place`` is that among those found."""
        self.check_starts()
        values = {**self.starts, **(self.found[place] if self.found else {})}
        return [values[name] for name in self.parameters]

    @property
    def count(self) -> int:
        """Number of the base's parameters beside its mean."""
        return len(self.base.parameters) - 1

    def of(self, xp: Namespace, mu: Any, *others: Any) -> tuple[Any, ...]:
        """The mean and the other parameters of the base: ``others`` are those, the curve's and a row's numbers."""
        own = dict(zip((*self.parameters, *self.data), others[self.count :], strict=True))
        return (self.link.formula(xp, self.function(xp, own) + mu), *others[: self.count])


def with_mean(
    base: Family,
    parameters: tuple[Parameter, ...],
    of: Callable[..., tuple[Any, ...]],
    *,
    crude: Callable[..., tuple[float, ...]],
    apart: Callable[..., tuple[float, ...]] | None,
) -> Family:
    """The base with a mean that is a function of several parameters.

    Parameters
    ----------
    parameters : all of them, in the place of the base's.
    of : of a namespace and these: the parameters of the base.
    crude, apart : starts of all parameters.
    """

    def of_arrays(function: Callable[..., Any], first: int) -> Callable[..., Array]:
        """Of arguments before mu, of which there are ``first``."""
        return lambda *given: np.asarray(function(*given[:first], *of(NUMERIC, *given[first:])))

    def on_namespace(function: Callable[..., Any]) -> Callable[..., Any]:
        return lambda xp, y, trials, *given: function(xp, y, trials, *of(xp, *given))

    return replace(
        base,
        parameters=parameters,
        kernel=on_namespace(base.kernel),
        log_tails=None if base.log_tails is None else on_namespace(base.log_tails),
        cdf=of_arrays(base.cdf, 2),
        sample=of_arrays(base.sample, 2),
        variance=of_arrays(base.variance, 1),
        expected=of_arrays(base.mean, 1),
        deviance=None if base.deviance is None else of_arrays(base.deviance, 2),
        pymc=None if base.pymc is None else _of_symbols(of, base.pymc),
        crude=crude,
        apart=apart,
        moments=None,
        closed_form=None,
        has_scale=False,
        noisy=None,
        is_normal=False,
    )


def with_curve(curve: Curve) -> Family:
    """The base with the curve in the place of its mean."""
    base = curve.base

    def crude(y: Array, trials: Array, place: int = 0) -> tuple[float, ...]:
        middle = np.asarray(np.mean(y / trials))
        _, *others = base.crude(y, trials) if base.crude is not None else (0.0, *base.start(y, middle))
        return (0.0, *others, *curve.start(place), *(0.0 for _ in curve.data))

    parameters = (
        Parameter("mu", ("identity",)),
        *base.parameters[1:],
        *(Parameter(name, ("identity",), is_of_curve=True) for name in curve.parameters),
        *(Parameter(name, ("identity",), is_known=True) for name in curve.data),
    )
    apart = partial(crude, place=1) if len(curve.found) > 1 else None
    made = with_mean(base, parameters, curve.of, crude=crude, apart=apart)
    return replace(made, words=base.words.replace("mu[i]", "curve[i]"), curve=curve)


def _of_symbols(of: Callable[..., tuple[Any, ...]], function: Callable[..., Any]) -> Callable[..., Any]:
    return lambda trials, *given: function(trials, *of(symbolic(), *given))
