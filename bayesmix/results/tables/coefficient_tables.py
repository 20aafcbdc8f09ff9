"""The coefficient tables of a model, one of a linear predictor, and its columns in R's spelling."""

from __future__ import annotations

from dataclasses import dataclass

from bayesmix.data.design.design import Design, Term
from bayesmix.language.formula.model_spec import ModelSpec, Predictor


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
    ]
    thresholds = [_thresholds(spec, design, i) for i in range(len(spec.responses))]
    kept = [table for table in found if table.columns or spec.is_simple]
    return [*kept, *(table for table in thresholds if table.columns)]


def _thresholds(spec: ModelSpec, design: Design, response: int) -> CoefficientTable:
    """The thresholds of a response, which have no formula."""
    own = spec.responses[response].name
    places = [r for r in design.layout.thresholds if spec.parameters[r].response == response]
    names = tuple(name for r in places for name in design.layout.fixed_of(r))
    words = tuple(name.removesuffix(f"_{own}") for name in names) if own else names
    title = f"Thresholds of {spec.responses[response].label}" if own else "Thresholds"
    return CoefficientTable(f"thresholds_{own}".removesuffix("_"), title, names, words)


def component(spec: ModelSpec, r: int) -> tuple[str, str]:
    """What broom.mixed calls the parameter that a linear predictor is of, ``cond`` for the mean; and its response."""
    one = spec.parameters[r]
    response = spec.responses[one.response]
    parameter = response.family.parameters[one.parameter]
    kind = "threshold" if parameter.is_threshold else parameter.name
    return ("cond" if one.parameter == 0 else kind), response.name


def in_r(name: str) -> str:
    """A column's name as R spells it."""
    return "(Intercept)" if name == "Intercept" else name


def spelled(design: Design, r: int, name: str, *, whole: bool = True) -> str:
    """A column of a linear predictor as R spells it, with the predictor's prefix or without."""
    prefix = design.layout.prefixes[r]
    own = in_r(name.removeprefix(prefix))
    return f"{prefix}{own}" if whole else own


def effect_words(design: Design, term: Term) -> dict[str, str]:
    """The effects of a term as R spells them: ``sigma_(Intercept)``."""
    return {name: spelled(design, r, name) for name, r in zip(term.effects, owners_of(term), strict=True)}


def owners_of(term: Term) -> tuple[int, ...]:
    """The predictor that each effect of a term is of."""
    return term.owners or (0,) * len(term.effects)


def _table(spec: ModelSpec, design: Design, r: int, predictor: Predictor) -> CoefficientTable:
    names = tuple(design.fixed[j] for j in design.of_predictor(r))
    words = tuple(spelled(design, r, name, whole=False) for name in names)
    if spec.is_simple:
        return CoefficientTable("fixed_effects", "Fixed effects", names, words)
    return CoefficientTable(
        predictor.prefix.removesuffix("_") or "fixed_effects", _title(spec, predictor), names, words
    )


def _title(spec: ModelSpec, predictor: Predictor) -> str:
    """glmmTMB's headings, with the name of the parameter where it has *dispersion*."""
    response = spec.responses[predictor.response]
    of = f" of {response.label}" if response.name else ""
    if predictor.parameter == 0 and not response.family.parameters[0].is_mean:
        return f"Conditional model{of}"
    return f"{response.family.parameters[predictor.parameter].name.capitalize()} model{of} ({predictor.link.name} link)"
