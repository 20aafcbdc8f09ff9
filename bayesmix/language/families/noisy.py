"""Responses with errors of known size beside their own noise: standard deviations add as squares."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from bayesmix.arrays import Array
from bayesmix.language.families.family import Family, Parameter
from bayesmix.language.families.namespaces import NUMERIC, Namespace, symbolic

ERROR = "se"  # the standard error of each row, a number that the data have


def with_errors(base: Family) -> Family:
    """A family with ``sqrt(sigma^2 + se^2)`` in the place of sigma, the first parameter beside its mean: brms's."""
    mu, sigma, *rest = base.parameters
    return replace(
        base,
        parameters=(mu, replace(sigma, exact=None), *rest, Parameter(ERROR, is_known=True)),
        kernel=_on_namespace(base.kernel),
        cdf=_on_arrays(base.cdf),
        sample=_on_arrays(base.sample),
        variance=_on_arrays(base.variance, first=1),
        log_tails=None if base.log_tails is None else _on_namespace(base.log_tails),
        expected=None if base.expected is None else _on_arrays(base.expected, first=1),
        crude=lambda y, trials: (*_crude(base, y, trials), 1.0),
        moments=None,
        deviance=None if base.deviance is None else _on_arrays(base.deviance),
        pymc=None if base.pymc is None else _on_symbols(base.pymc),
        words=base.words.replace("sigma", f"sqrt(sigma^2 + {ERROR}[i]^2)"),
        closed_form=None,
        has_scale=False,
    )


def _together(xp: Namespace, sigma: Any, *others: Any) -> tuple[Any, ...]:
    """The parameters of the base: the errors, the last, are part of sigma."""
    *rest, se = others
    return (xp.sqrt(sigma * sigma + se * se), *rest)


def _on_namespace(function: Callable[..., Any]) -> Callable[..., Any]:
    """Of ``(xp, y, trials, mu, sigma, *others)``."""

    def whole(xp: Namespace, y: Any, trials: Any, mu: Any, *others: Any) -> Any:
        return function(xp, y, trials, mu, *_together(xp, *others))

    return whole


def _on_arrays(function: Callable[..., Any], first: int = 2) -> Callable[..., Array]:
    """Of ``(y, trials, mu, sigma, *others)``, or of what stands in the place of the first ones before mu."""

    def whole(*arguments: Any) -> Array:
        known, others = arguments[: first + 1], arguments[first + 1 :]
        return np.asarray(function(*known, *_together(NUMERIC, *others)))

    return whole


def _on_symbols(function: Callable[..., Any]) -> Callable[..., Any]:
    """Of ``(trials, mu, sigma, *others)``, as symbols."""

    def whole(trials: Array, mu: Any, *others: Any) -> Any:
        return function(trials, mu, *_together(symbolic(), *others))

    return whole


def _crude(base: Family, y: Array, trials: Array) -> tuple[float, ...]:
    """A start of each parameter of the base."""
    if base.crude is not None:
        return base.crude(y, trials)
    return (float(np.mean(y)), *base.start(y, np.asarray(np.mean(y))))
