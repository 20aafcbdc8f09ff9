"""The coefficient tables of a model, one of a linear predictor, and its columns in R's spelling."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bayesmix.data.design.design import Design, Term
from bayesmix.language.families.family import Parameter
from bayesmix.language.formula.model_spec import Auxiliary, ModelSpec, Predictor


@dataclass(frozen=True, slots=True)
class CoefficientTable:
    """The fixed effects of one linear predictor."""

    name: str  # of the section in `Summary.tables`: "fixed_effects", "sigma", "a", "sigma_a"
    title: str  # "Fixed effects", "Conditional model", "Sigma model of a (log link)"
    columns: tuple[str, ...]  # names of the coefficients
    words: tuple[str, ...]  # the same as R spells them, without the prefix that the title says


def coefficient_tables(spec: ModelSpec, design: Design) -> list[CoefficientTable]:
    """The tables, those without a coefficient left out."""
    found = [
        _table(spec, design, r, predictor)
        for r, predictor in enumerate(spec.parameters)
        if isinstance(predictor, Predictor)
        and not _parameter(spec, predictor).of_threshold
        and r not in design.layout.slopes
    ]
    together = [table for i in range(len(spec.responses)) for table in _of_thresholds(spec, design, i)]
    kept = [table for table in found if table.columns or spec.is_simple]
    return [*kept, *(table for table in together if table.columns)]


def _parameter(spec: ModelSpec, one: Predictor | Auxiliary) -> Parameter:
    return spec.responses[one.response].family.parameters[one.parameter]


def _of_thresholds(spec: ModelSpec, design: Design, response: int) -> Iterator[CoefficientTable]:
    """The effects on single thresholds of a response, and the thresholds, which have no formula."""
    own = [(r, _parameter(spec, one)) for r, one in enumerate(spec.parameters) if one.response == response]
    for what, places in (
        ("Category-specific effects", [r for r, one in own if one.of_threshold]),
        ("Thresholds", [r for r, one in own if one.is_threshold]),
    ):
        yield _together(spec, design, response, what, places)


def _together(spec: ModelSpec, design: Design, response: int, what: str, places: Sequence[int]) -> CoefficientTable:
    """The coefficients of several predictors by their whole names."""
    own = spec.responses[response].name
    names = tuple(name for r in places for name in design.layout.fixed_of(r))
    words = tuple(name.removesuffix(f"_{own}") for name in names) if own else names
    title = f"{what} of {spec.responses[response].label}" if own else what
    key = what.lower().replace(" ", "_").replace("-", "_")
    return CoefficientTable(f"{key}_{own}".removesuffix("_"), title, names, words)


def component(spec: ModelSpec, r: int) -> tuple[str, str]:
    """What broom.mixed calls the parameter that a linear predictor is of, ``cond`` for the mean; and its response."""
    one = spec.parameters[r]
    response = spec.responses[one.response]
    parameter = _parameter(spec, one)
    kind = "threshold" if parameter.is_threshold else "simo" if parameter.simplex else parameter.name
    is_of_mean = one.parameter == 0 or parameter.is_slope or parameter.is_monotonic
    return ("cond" if is_of_mean else kind), response.name


def in_r(name: str) -> str:
    """A column's name as R spells it."""
    return "(Intercept)" if name == "Intercept" else name


def spelled(design: Design, r: int, name: str, *, whole: bool = True) -> str:
    """A column of a linear predictor as R spells it, with the predictor's prefix or without."""
    prefix = design.layout.prefixes[r].removesuffix(design.layout.slopes.get(r, ""))
    prefix = "" if r in design.layout.monotonic else prefix
    own = in_r(name.removeprefix(prefix))
    return f"{prefix}{own}" if whole else own


def effect_words(design: Design, term: Term) -> dict[str, str]:
    """The effects of a term as R spells them: ``sigma_(Intercept)``."""
    return {name: spelled(design, r, name) for name, r in zip(term.effects, owners_of(term), strict=True)}


def owners_of(term: Term) -> tuple[int, ...]:
    """The predictor that each effect of a term is of."""
    return term.owners or (0,) * len(term.effects)


def _table(spec: ModelSpec, design: Design, r: int, predictor: Predictor) -> CoefficientTable:
    slopes = (*design.layout.slopes, *design.layout.monotonic)
    places = [r, *(s for s in slopes if predictor.parameter == 0 and _is_beside(spec, s, r))]
    own = [(s, design.fixed[j]) for s in places for j in design.of_predictor(s)]
    names, words = tuple(name for _, name in own), tuple(spelled(design, s, name, whole=False) for s, name in own)
    if spec.is_simple:
        return CoefficientTable("fixed_effects", "Fixed effects", names, words)
    return CoefficientTable(
        predictor.prefix.removesuffix("_") or "fixed_effects", _title(spec, predictor), names, words
    )


def _is_beside(spec: ModelSpec, s: int, r: int) -> bool:
    """Whether two predictors are of one response."""
    return spec.parameters[s].response == spec.parameters[r].response


def _title(spec: ModelSpec, predictor: Predictor) -> str:
    """glmmTMB's headings, with the name of the parameter where it has *dispersion*."""
    response = spec.responses[predictor.response]
    of = f" of {response.label}" if response.name else ""
    if predictor.parameter == 0 and not response.family.parameters[0].is_mean:
        return f"Conditional model{of}"
    name = response.family.parameters[predictor.parameter].name  # "muHigh", of a category, keeps its capital letter
    return f"{name[0].upper()}{name[1:]} model{of} ({predictor.link.name} link)"
