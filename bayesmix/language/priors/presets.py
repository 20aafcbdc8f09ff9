"""The argument ``priors`` of a model: a preset, and priors by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bayesmix.errors import SpecError, nearest
from bayesmix.language.priors.prior import Prior, to_prior

PRESETS = ("default", "flat", "brms", "rstanarm", "bambi")


def read_priors(priors: Any) -> tuple[str, dict[str, Prior]]:
    """The preset, and the priors that were named.

    Raises
    ------
    SpecError
        If it is neither text nor a dictionary, or there is no such preset or prior.
    """
    if priors is None:
        return "default", {}
    if isinstance(priors, str):
        return _preset(priors), {}
    if not isinstance(priors, Mapping):
        raise SpecError(f'priors is a preset ({", ".join(PRESETS)}) or a dict such as {{"sigma": "HalfNormal(2)"}}.')
    named = {str(name): value for name, value in priors.items()}
    preset = _preset(named.pop("preset", "default"))
    return preset, {name: to_prior(value) for name, value in named.items()}


def _preset(name: str) -> str:
    if name not in PRESETS:
        raise SpecError(f"Prior preset `{name}` does not exist.{nearest(name, PRESETS)} Presets: {', '.join(PRESETS)}.")
    return name
