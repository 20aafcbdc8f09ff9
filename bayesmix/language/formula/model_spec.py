"""What was asked: formula, family, link and priors, without any data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from bayesmix.errors import SpecError, nearest
from bayesmix.language.families.family import Family, is_linear
from bayesmix.language.families.link import Link
from bayesmix.language.families.registry import find_family, find_link
from bayesmix.language.formula.parse import Formula, parse
from bayesmix.language.priors.prior import Prior, to_prior

PRESETS = ("default", "flat", "brms", "rstanarm", "bambi")


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """A model to be fitted."""

    formula: Formula
    family: Family
    link: Link
    preset: str = "default"  # the priors that hold where none is named
    priors: Mapping[str, Prior] = field(default_factory=dict)  # by parameter name, or by group: "sd(agegp)"

    @property
    def is_linear(self) -> bool:
        """Whether it is a linear mixed model: normal responses around the linear predictor itself."""
        return is_linear(self.family, self.link)


def make_spec(formula: str | Formula, family: str | Family, link: str | None, priors: Any) -> ModelSpec:
    """Read the user's words; `FormulaError` or `SpecError` where they make no sense."""
    chosen = family if isinstance(family, Family) else find_family(family)
    preset, named = _read_priors(priors)
    parsed = formula if isinstance(formula, Formula) else parse(formula)
    return ModelSpec(parsed, chosen, find_link(chosen, link), preset, named)


def _read_priors(priors: Any) -> tuple[str, dict[str, Prior]]:
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
