"""A fit's model with changes, on the data of the fit or on other ones, and its responses replaced by others."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass, fields, replace
from enum import Enum
from typing import Any

import numpy as np

from bayesmix.data.columns import Column, Factor, Numeric
from bayesmix.data.design.condensed import ReadTable
from bayesmix.data.design.inputs import OFFSET, WEIGHTS, Source
from bayesmix.data.design.layout import Encoder
from bayesmix.data.design.model_design import model_design, placed
from bayesmix.data.design.rebuild import to_frame
from bayesmix.data.frame import missing_column, open_table
from bayesmix.data.remote_table import is_remote
from bayesmix.errors import DataError, SpecError
from bayesmix.inference.estimation.curve_starts import with_starts
from bayesmix.inference.parameters.named_priors import prior_names
from bayesmix.language.families.registry import is_known
from bayesmix.language.formula.expression import column_names
from bayesmix.language.formula.imputed_predictors import with_imputed_terms
from bayesmix.language.formula.model_spec import Auxiliary, ModelSpec, Predictor
from bayesmix.language.formula.model_update import updated_formulas
from bayesmix.language.formula.reader import read
from bayesmix.language.formula.spec_words import read_spec, spec_words
from bayesmix.language.formula.terms import Terms, expand
from bayesmix.results.fits.fitted_model import Fitted
from bayesmix.results.fits.records import FitRecord


class Kept(Enum):
    """Says of an argument that it stays as it is."""

    KEPT = "kept"

    def __repr__(self) -> str:
        return self.value


KEPT = Kept.KEPT


@dataclass(frozen=True, slots=True, eq=False)
class Changes:
    """What changes of a model beside its formulas, in the words of `bayesmix.Model`."""

    data: Any = KEPT
    family: Any = KEPT
    link: Any = KEPT
    priors: Any = KEPT
    weights: Any = KEPT
    offset: Any = KEPT
    contrasts: Any = KEPT
    data2: Any = KEPT

    def given(self, *names: str) -> dict[str, Any]:
        """Those that do not stay."""
        chosen = names or [field.name for field in fields(self)]
        return {name: getattr(self, name) for name in chosen if getattr(self, name) is not KEPT}


def updated_model(fit: FitRecord, formula: Any = None, changes: Changes | None = None) -> Fitted:
    """The model of a fit with changes.

    Parameters
    ----------
    formula : changes of formulas, as `updated_formulas` takes them; None for no change.

    Raises
    ------
    BayesmixError
        As `bayesmix.Model`; a `DataError` where the data of the fit are not there any more.
    """
    changes = changes or Changes()
    encoder, source = _origin(fit)
    smooths = {smooth.text for one in fit.spec.predictors for smooth in one.formula.smooths}
    fixed = [one.fixed.terms.without_variables(smooths) for one in encoder.predictors]
    fixed = [_with_imputed(own, one) for own, one in zip(fixed, fit.spec.parameters, strict=False)]
    texts, labels = updated_formulas(fit.spec, fixed, formula if formula is not None else [])
    is_same = labels == [response.label for response in fit.spec.responses]
    if not is_same and source.responses and "data" not in changes.given():
        raise SpecError("The responses of this fit were replaced by `refit`: give data for another response.")
    spec = _spec(fit.spec, texts, labels, changes)
    arguments = _arguments(source, changes)
    data = _table(fit, spec, arguments) if changes.data is KEPT else _given(source, changes.data, spec)
    contrasts = changes.contrasts if changes.contrasts is not KEPT else _still_there(source.contrasts, spec, encoder)
    data2 = dict(source.relations) | (changes.data2 or {} if changes.data2 is not KEPT else {})
    spec, design = model_design(spec, data, **arguments, contrasts=contrasts, data2=data2)
    spec = with_starts(spec, design)
    if changes.priors is KEPT:
        spec = _without_priors(spec, prior_names(fit.spec, fit.design) - prior_names(spec, design))
    if changes.data is not KEPT:
        return Fitted(spec, design, "", units=fit.fitted_model.units, data=changes.data)
    if source.responses:
        design = design.with_response(*(y[design.rows] for y in source.responses))
    model = fit.fitted_model
    return Fitted(spec, design, model.data_name, units=model.units, data=model.data)


def _with_imputed(fixed: Terms, one: Predictor | Auxiliary) -> Terms:
    """The fixed effects of a formula, those of imputed predictors among them."""
    if isinstance(one, Auxiliary) or one.formula.is_implied:
        return fixed
    return with_imputed_terms(fixed, expand(read(one.formula.fixed)))


def _origin(fit: FitRecord) -> tuple[Encoder, Source]:
    encoder, source = fit.design.encoder, fit.design.source
    if encoder is None or source is None:
        raise SpecError("The design of this fit was made by hand: there is no formula on data to change.")
    return encoder, source


# ---- the specification ------------------------------------------------------------------------------------------


def _spec(old: ModelSpec, texts: list[str], labels: list[str], changes: Changes) -> ModelSpec:
    named = zip(old.responses, labels, strict=True)
    words = spec_words(replace(old, responses=tuple(replace(response, label=label) for response, label in named)))
    if not is_known(old.family):
        made = old.family.curve or old.family.steps
        words["family"] = old.family if made is None else made.base
    given = changes.given("family", "link", "priors")
    if "family" in given and "link" not in given:
        words["link"] = None  # the usual one of the new family
    return read_spec(words | given | {"formula": texts})


def _without_priors(spec: ModelSpec, gone: Container[str]) -> ModelSpec:
    """A model without the priors of parameters that it no longer has."""
    return replace(spec, priors={name: prior for name, prior in spec.priors.items() if name not in gone})


def _still_there(contrasts: Mapping[str, str], spec: ModelSpec, encoder: Encoder) -> dict[str, str]:
    """The contrasts of factors that the fixed part has."""
    used = {name for one in spec.predictors for name in expand(read(one.formula.fixed)).used}
    every = {name for one in encoder.predictors for name in one.fixed.terms.used} if "." in used else set()
    return {name: kind for name, kind in contrasts.items() if name in used | every}


# ---- the data ---------------------------------------------------------------------------------------------------


def _arguments(source: Source, changes: Changes) -> dict[str, Any]:
    """Weights and offset as `build` takes them."""
    arrays = {name: column.values for name, column in source.arguments.arrays.items() if isinstance(column, Numeric)}
    kept = {
        "weights": arrays.get(WEIGHTS, source.arguments.weights),
        "offset": arrays.get(OFFSET, source.arguments.offset),
    }
    return kept | changes.given("weights", "offset")


def _given(source: Source, data: Any, spec: ModelSpec) -> Any:
    """Other data, which stay where they are where those of the fit did, if they are of such a kind."""
    return data if source.condensed is None or not is_remote(data) else placed(data, "source", spec)


def _table(fit: FitRecord, spec: ModelSpec, arguments: Mapping[str, Any]) -> Any:
    """The columns of the fit; with new columns the data it was given, which must not have changed since."""
    _, source = _origin(fit)
    if source.condensed is not None:
        return ReadTable(source.condensed, fit.fitted_model.data)
    needed = [name for one in spec.predictors for name in one.formula.columns if name not in (".", "pi")]
    needed += [name for text in arguments.values() if isinstance(text, str) for name in column_names(read(text))]
    new = [name for name in dict.fromkeys(needed) if name not in source.columns or name in source.unread]
    if not new:
        return to_frame(source.columns)
    data = fit.fitted_model.data
    if data is None:
        kept = ", ".join(f"`{name}`" for name in source.columns if name not in source.unread)
        raise DataError(
            f"Column `{new[0]}` is not kept with this fit, which was read from a file or sent by another process and"
            f" has {kept}. Give the data: fit.update(..., data=data)."
        )
    _check_unchanged(data, source, new)
    return data


def _check_unchanged(data: Any, source: Source, new: Iterable[str]) -> None:
    """Raise a `DataError` where data lack a column, or are not those that the fit was made of."""
    table = open_table(data)
    absent = next((name for name in new if name not in table.names), None)
    if absent is not None:
        raise missing_column(absent, table.names)
    known = {name: column for name, column in source.columns.items() if name not in source.unread}
    now = table.read([name for name in known if name in table.names])
    changed = next((name for name, column in known.items() if not _is_same(column, now.get(name))), None)
    if changed is not None:
        raise DataError(
            f"The data have changed since the fit was made: column `{changed}` is another. Give those that are meant:"
            " fit.update(..., data=data)."
        )


def _is_same(first: Column, second: Column | None) -> bool:
    match first, second:
        case Numeric(values=one), Numeric(values=other):
            return np.array_equal(one, other, equal_nan=True)
        case Factor(), Factor():
            return first.levels == second.levels and np.array_equal(first.codes, second.codes)
    return False
