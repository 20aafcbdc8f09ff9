"""Methods of estimation as records: REML, ML, Laplace, adaptive quadrature."""

from __future__ import annotations

from dataclasses import dataclass

from bayesmix.errors import SpecError, nearest
from bayesmix.language.arguments import explained
from bayesmix.language.formula.model_spec import ModelSpec

MAX_POINTS = 100  # of adaptive quadrature, as in lme4: integrals do not change from a few dozen on


@explained
@dataclass(frozen=True, slots=True)
class Reml:
    """Restricted maximum likelihood, for linear mixed models."""


@explained
@dataclass(frozen=True, slots=True)
class Ml:
    """Maximum likelihood of a linear mixed model."""


@explained
@dataclass(frozen=True, slots=True)
class Laplace:
    """Maximum of the Laplace approximation to the likelihood of a generalized linear mixed model."""


@explained
@dataclass(frozen=True, slots=True)
class Agq:
    """Maximum likelihood by adaptive Gauss-Hermite quadrature with ``points`` nodes an effect; one grouping factor."""

    points: int = 9

    def __post_init__(self) -> None:
        if self.points < 1:
            raise SpecError(f"Agq needs at least one point, not {self.points}. The usual choice is Agq(points=9).")
        if self.points > MAX_POINTS:
            raise SpecError(
                f"Agq takes up to {MAX_POINTS} points, not {self.points}. The usual choice is Agq(points=9)."
            )


Method = Reml | Ml | Laplace | Agq


def resolve_method(method: str | Method, spec: ModelSpec) -> Method:
    """Turn text into a method record and check that it fits the model."""
    linear = spec.is_linear
    if isinstance(method, str):
        names: dict[str, Method] = {"reml": Reml(), "ml": Ml(), "laplace": Laplace(), "agq": Agq()}
        names["auto"] = names["reml"] if linear else names["laplace"]
        if not linear:
            names["ml"] = names["laplace"]
        if method.lower() not in names:
            raise SpecError(
                f"Estimation method `{method}` does not exist.{nearest(method, names)} Methods: {', '.join(names)}."
            )
        method = names[method.lower()]
    if not isinstance(method, Reml | Ml | Laplace | Agq):
        raise SpecError(f'An estimation method is text such as "reml", or a record such as bmx.Agq(9), not {method!r}.')
    if linear != isinstance(method, Reml | Ml):
        fitting = "Reml() or Ml()" if linear else "Laplace() or Agq(points=...)"
        raise SpecError(f"{method} does not fit a model with {_described(spec)}: use {fitting}.")
    return method


def _described(spec: ModelSpec) -> str:
    """What it is in a model that a method does not fit."""
    if spec.is_simple:
        return f"family `{spec.family.name}` and link `{spec.link.name}`"
    kind = "several responses" if len(spec.responses) > 1 else "formulas of several parameters"
    return f"{kind}, `{spec.text}`"
