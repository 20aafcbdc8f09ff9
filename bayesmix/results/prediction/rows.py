"""Rows to predict: those of the fit or of new data, in chunks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from bayesmix.arrays import Array
from bayesmix.data.columns import name_rows
from bayesmix.data.design.design import Design, Encoder, Term
from bayesmix.data.design.encode import encode
from bayesmix.data.design.rows import Rows
from bayesmix.data.frame import Table, open_table
from bayesmix.errors import PredictionWarning, SpecError, warn_user
from bayesmix.inference.estimation.point_estimate import PointEstimate
from bayesmix.inference.parameters.names import Parameters
from bayesmix.language.families.bounds import Bounds
from bayesmix.language.formula.expression import column_names
from bayesmix.language.formula.reader import read
from bayesmix.results.prediction.new_positions import NewPositions, check_positions, new_positions
from bayesmix.results.prediction.scopes import (
    Groups,
    Scope,
    resolve_scopes,
)

if TYPE_CHECKING:
    import pandas as pd


CHUNK = 20_000_000  # numbers of one chunk of draws x rows


@dataclass(frozen=True, slots=True, eq=False)
class PredictionRows:
    """Rows to predict: those of the fit or coded new data."""

    data: Rows  # terms: all of the design's; without levels or columns where the scope needs none
    trials: Array  # (n,) binomial denominators of new observations of a response
    weights: Array  # (n,) their prior weights
    bounds: Bounds | None  # of what could be observed; None where they are not known
    is_new: bool  # whether tables have a row for each of the data as given, those with missing values included
    positions: NewPositions | None = None  # of rows at positions that the fit has not
    first: int = 0  # rows of new data before these, which were predicted by themselves

    @classmethod
    def of_fit(cls, design: Design, response: int = 0) -> PredictionRows:
        """The rows of the fit, new observations of a response like those observed."""
        design.check_rows("A prediction of the data")
        outcome = design.outcomes[response]
        return cls(design.data, outcome.trials, outcome.weights, outcome.bounds, is_new=False)

    @classmethod
    def of_new_data(
        cls,
        design: Design,
        data: Any,
        groups: Groups,
        offset: Any,
        *,
        predictor: int | None = None,
        anywhere: bool = False,
    ) -> PredictionRows:
        """New data, coded as the data of the fit were; new observations are single trials of weight one.

        Parameters
        ----------
        predictor : the only linear predictor that is wanted; all by default.
        anywhere : whether rows may be at positions that the fit has not.
        """
        encoder = design.encoder
        if encoder is None:
            raise SpecError("This fit has no encoder for new data: its design was made by hand.")
        table, scopes = open_table(data), resolve_scopes(design.terms, groups)
        by_group = {term.group: scope for term, scope in zip(design.terms, scopes, strict=True)}
        used = {
            term.group
            for term in encoder.terms
            if not term.is_population and (predictor is None or predictor in term.predictors)
        }
        wanted = [group for group, scope in by_group.items() if scope != "zero" and group in used]
        levels = [group for group in with_levels(encoder, table, by_group) if group in used]
        coded = encode(encoder, table, groups=wanted, levels=levels, offset=offset, predictor=predictor)
        ones, terms = np.ones(coded.n), all_terms(design, coded)
        if not anywhere:
            check_positions(design, terms)
        return cls(replace(coded, terms=terms), ones, ones, None, is_new=True, positions=new_positions(design, terms))

    def at_positions(self, point: PointEstimate) -> PointEstimate:
        """An estimate with effects at the positions of the rows."""
        return point if self.positions is None else self.positions.point(point)

    def drawn(self, values: Parameters, seed: int) -> Parameters:
        """Draws of parameters with effects at the positions of the rows."""
        return values if self.positions is None else self.positions.values(values, seed)

    @property
    def X(self) -> Array:
        """Fixed columns ``(N, p)``."""
        return self.data.X

    @property
    def offset(self) -> Array:
        """Known part of the linear predictors ``(N,)``."""
        return self.data.offset

    @property
    def terms(self) -> tuple[Term, ...]:
        """Random-effects terms, all of the design's."""
        return self.data.terms

    @property
    def index(self) -> Array:
        """Positions ``(n,)`` in the data as given."""
        return self.data.index

    @property
    def outside(self) -> Array:
        """What the fit's data do not tell of each row ``(n, d)``, zero where they tell all."""
        return self.data.outside

    def of_predictor(self, *predictors: int) -> PredictionRows:
        """The rows of a single linear predictor, or of the sum of several."""
        return replace(self, data=self.data.of_predictor(*predictors))

    def take(self, part: Any) -> PredictionRows:
        """Some of the rows."""
        bounds = None if self.bounds is None else self.bounds.take(part)
        trials, weights = self.trials[part], self.weights[part]
        return replace(self, data=self.data.take(part), trials=trials, weights=weights, bounds=bounds)

    def chunks(self, draws: int) -> Iterator[PredictionRows]:
        """All rows in order, so many at a time that their draws fit into memory."""
        size = max(1, CHUNK // max(draws * self.data.R, 1))
        for begin in range(0, max(self.data.n, 1), size):
            yield self.take(slice(begin, begin + size))

    def whole(self, table: pd.DataFrame) -> pd.DataFrame:
        """A table of these rows with NaN where the fit or the new data do not determine a row."""
        table[np.any(self.outside != 0.0, axis=1)] = np.nan
        return table.reindex(np.arange(self.data.n_given)) if self.is_new else table

    def warn_of_undetermined(self, dropped: Sequence[str]) -> None:
        """Warn once of rows that `whole` leaves NaN; ``dropped`` are the columns that the fit could not tell apart."""
        unknown = self.index[np.any(self.outside != 0.0, axis=1)]
        if len(unknown) and len(dropped):  # of processes beyond their box the basis has warned
            warn_user(
                f"The data of the fit do not determine {name_rows(unknown)}: NaN. They need what was left out for"
                f" depending linearly on other columns: {', '.join(dropped)}.",
                PredictionWarning,
            )
        missing = np.setdiff1d(np.arange(self.data.n_given if self.is_new else 0), self.index)
        if len(missing):
            names = ", ".join(f"`{name}`" for name in self.data.missing)
            what = f"Values of {names} are missing in {name_rows(missing)} of the new data: NaN."
            warn_user(what, PredictionWarning)


def with_levels(encoder: Encoder, table: Table, scopes: dict[str, Scope]) -> list[str]:
    """Grouping factors whose levels are read: for ``"new"`` only where the data have the columns."""
    found = []
    for term in encoder.terms:
        names = {name for text in term.factors for name in column_names(read(text))}
        scope = scopes[term.group]
        if scope in ("fitted", "known") or (scope == "new" and names <= set(table.names)):
            found.append(term.group)
    return found


def all_terms(design: Design, coded: Rows) -> tuple[Term, ...]:
    """The terms that were coded, in the place of those that were not empty ones."""
    n, rest = len(coded.X), list(coded.terms)
    terms = []
    for term in design.terms:
        if rest and rest[0].group == term.group:
            terms.append(rest.pop(0))
        else:
            size = term.slots * n
            terms.append(replace(term, z=np.zeros((size, len(term.effects))), codes=np.zeros(size, dtype=np.intp)))
    return tuple(terms)
