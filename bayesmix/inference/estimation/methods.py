"""Methods of estimation as records: REML, ML, Laplace, adaptive quadrature."""

from __future__ import annotations

from dataclasses import dataclass

from bayesmix.errors import SpecError, nearest
from bayesmix.language.arguments import explained
from bayesmix.language.families.family import is_linear
from bayesmix.language.formula.model_spec import ModelSpec

MAX_POINTS = 100  # of adaptive quadrature, as in lme4: integrals do not change from a few dozen on


@explained
@dataclass(frozen=True, slots=True)
class Reml:
    """Restricted maximum likelihood, for gaussian responses with identity link.

    The likelihood is integrated over the fixed effects of the means, not over those of other parameters with formulas.
    """


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
    if isinstance(method, str):
        names = _named(spec)
        if method.lower() not in names:
            raise SpecError(
                f"Estimation method `{method}` does not exist.{nearest(method, names)} Methods: {', '.join(names)}."
            )
        method = names[method.lower()]
    if not isinstance(method, Reml | Ml | Laplace | Agq):
        raise SpecError(f'An estimation method is text such as "reml", or a record such as bmx.Agq(9), not {method!r}.')
    fitting = _fitting(spec)
    if not isinstance(method, fitting):
        *first, last = [_WORDS[kind] for kind in fitting]
        raise SpecError(f"{method} does not fit a model with {_described(spec)}: use {', '.join(first)} or {last}.")
    return method


_WORDS: dict[type[Method], str] = {Reml: "Reml()", Ml: "Ml()", Laplace: "Laplace()", Agq: "Agq(points=...)"}


def _named(spec: ModelSpec) -> dict[str, Method]:
    """Methods by the text that stands for them."""
    is_linear = spec.is_linear or spec.has_row_covariance
    own = Ml() if is_linear else Laplace()
    default = Reml() if is_linear or spec.has_one_linear_mean else Laplace()
    return {"reml": Reml(), "ml": own, "laplace": Laplace(), "agq": Agq(), "auto": default}


def _fitting(spec: ModelSpec) -> tuple[type[Method], ...]:
    """The methods that a model can be fitted by."""
    if spec.is_linear or spec.has_row_covariance:
        return Reml, Ml
    return (Reml, Laplace, Agq) if spec.has_linear_means else (Laplace, Agq)


def method_like(method: Method, spec: ModelSpec, groups: int) -> Method:
    """The method itself where it fits a model with so many grouping factors, else that model's own."""
    fits = isinstance(method, _fitting(spec)) and (groups == 1 or not isinstance(method, Agq))
    return method if fits else _named(spec)["auto"]


def likelihood_method(method: Method, spec: ModelSpec) -> Method:
    """The method whose criterion is minus twice a log-likelihood of all data: by ML for REML, any other itself."""
    return _named(spec)["ml"] if isinstance(method, Reml) else method


def _described(spec: ModelSpec) -> str:
    """What it is in a model that a method does not fit."""
    if spec.is_simple:
        return f"family `{spec.family.name}` and link `{spec.link.name}`"
    kind = "several responses" if len(spec.responses) > 1 else "formulas of several parameters"
    curved = next((one for one in spec.responses if not is_linear(one.family, one.links[0])), None)
    mean = "" if curved is None else f", family `{curved.family.name}` and link `{curved.links[0].name}`"
    return f"{kind}{mean}, `{spec.text}`"
