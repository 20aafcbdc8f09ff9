"""Design of a model on data: layout, rows and outcome."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from bayesmix.arrays import Array
from bayesmix.data.design.inputs import Source
from bayesmix.data.design.layout import Encoder, Layout
from bayesmix.data.design.response import Categories, Outcome
from bayesmix.data.design.rows import Rows
from bayesmix.data.design.term import Term
from bayesmix.errors import SpecError

__all__ = ["Design", "Encoder", "Term"]


@dataclass(frozen=True, slots=True, eq=False)
class Design:
    """Everything a fit needs to know of the data.

    Of ``n`` rows with ``R`` linear predictors each; ``N = R n`` entries are stacked predictor by predictor (see
    `rows`). What concerns the response is that of the first one where there are several.
    """

    layout: Layout
    data: Rows
    outcomes: tuple[Outcome, ...]  # one a response
    known: list[Any] = field(default_factory=list, init=False, repr=False)  # what was found of these rows before

    @property
    def R(self) -> int:
        """Number of linear predictors of a row."""
        return self.layout.R

    @property
    def n(self) -> int:
        """Number of rows."""
        return self.data.n

    @property
    def response(self) -> str:
        """Label of the response as written: ``ncases``, ``cbind(s, f)``."""
        return self.layout.response

    @property
    def outcome(self) -> Outcome:
        """What was observed of the first response."""
        return self.outcomes[0]

    @property
    def y(self) -> Array:
        """Response ``(n,)``; of counts of successes their number."""
        return self.outcome.y

    @property
    def trials(self) -> Array:
        """Binomial denominators ``(n,)``, ones for other responses."""
        return self.outcome.trials

    @property
    def has_trials(self) -> bool:
        """Whether the response counts successes."""
        return self.outcome.has_trials

    @property
    def weights(self) -> Array:
        """Prior weights ``(n,)``, ones where none were given."""
        return self.outcome.weights

    @property
    def categories(self) -> Categories | None:
        """Failure and success of a response of two categories; None for numbers."""
        return self.outcome.categories

    @property
    def X(self) -> Array:
        """Columns of the fixed effects ``(N, p)``, of full column rank."""
        return self.data.X

    @property
    def fixed(self) -> tuple[str, ...]:
        """Names of the fixed effects."""
        return self.layout.fixed

    @property
    def dropped(self) -> tuple[str, ...]:
        """Columns of X left out because they depend linearly on others."""
        return self.layout.dropped

    @property
    def terms(self) -> tuple[Term, ...]:
        """Random-effects terms in lme4's order, by decreasing number of levels."""
        return self.data.terms

    @property
    def group_sizes(self) -> dict[str, int]:
        """Number of levels of each grouping factor."""
        return {term.group: len(term.levels) for term in self.terms if not term.is_population}

    @property
    def offset(self) -> Array:
        """Known part of the linear predictors ``(N,)``, zeros where none was given."""
        return self.data.offset

    @property
    def rows(self) -> Array:
        """Positions ``(n,)`` of the rows used in the data as given."""
        return self.data.index

    @property
    def n_given(self) -> int:
        """Rows in the data as given; ``n_given - n_used`` were dropped for missing values."""
        return self.data.n_given

    @property
    def counts(self) -> Array | None:
        """Rows of the data ``(n,)`` that each row stands for; None where each is one."""
        return self.data.counts

    @property
    def n_used(self) -> int:
        """Rows of the data that are used: those that the rows stand for."""
        return self.n if self.counts is None else round(float(self.counts.sum()))

    @property
    def encoder(self) -> Encoder | None:
        """Codes new data; None in a design made by hand."""
        return self.layout.encoder

    @property
    def source(self) -> Source | None:
        """Builds the design again; None in a design made by hand."""
        return self.layout.source

    def check_independent(self, what: str, advice: str) -> None:
        """Raise `SpecError` where levels of a grouping factor are not independent, which ``what`` takes for granted."""
        related = next((term for term in self.terms if not term.is_independent), None)
        if related is not None:
            raise SpecError(f"Levels of `{related.group}` are not independent, as {what} has it. {advice}")

    def check_rows(self, what: str) -> None:
        """Raise `SpecError` where rows stand for those of a table that stays where it is, and ``what`` needs these."""
        if self.counts is not None:
            raise SpecError(
                f"{what} needs the rows of the data, which stay where they are: only sums of them were read."
                ' Predictions of all rows are written to a file by fit.predict(to="fitted.parquet"), those of new data'
                " returned by fit.predict(newdata); for all else fit some of the rows in memory: leave `where` out."
            )

    def column(self, j: int) -> Array:
        """A fixed column on the rows ``(n,)`` of its predictor."""
        return self.X[self.block(self.layout.owners[j]), j]

    def block(self, predictor: int) -> slice:
        """Entries of one predictor among the stacked ones."""
        return slice(predictor * self.n, (predictor + 1) * self.n)

    def of_predictor(self, predictor: int) -> list[int]:
        """Fixed columns of one predictor."""
        return [j for j, owner in enumerate(self.layout.owners) if owner == predictor]

    def with_response(self, *y: Array) -> Design:
        """Other responses ``(n,)`` on the same rows, one for each that there is; censored as `Bounds.rule` says."""
        self.check_rows("Another response")
        found = zip(self.outcomes, y, strict=True)
        outcomes = tuple(outcome.with_values(values) for outcome, values in found)
        data = replace(self.data, offset=self._with_copies(outcomes))
        if self.source is None:
            return replace(self, data=data, outcomes=outcomes)
        source = replace(self.source, responses=tuple(self._of_all_rows(values) for values in y))
        return replace(self, data=data, outcomes=outcomes, layout=replace(self.layout, source=source))

    def _with_copies(self, outcomes: Sequence[Outcome]) -> Array:
        """The offset ``(N,)`` with responses where they are predictors of others."""
        if not self.layout.copied:
            return self.offset
        offset = self.offset.copy()
        for r, response in self.layout.copied.items():
            offset[self.block(r)] = np.nan_to_num(outcomes[response].y)
        return offset

    @property
    def censoring_rule(self) -> str:
        """How simulated responses are censored, in words; empty where none is."""
        rules = (outcome.bounds.rule for outcome in self.outcomes if outcome.bounds is not None)
        return " ".join(dict.fromkeys(filter(None, rules)))

    def _of_all_rows(self, values: Array) -> Array:
        """Values ``(n_given,)`` of the rows of the data as given, missing where a row is not used."""
        whole = np.full(self.n_given, np.nan)
        whole[self.rows] = values
        return whole

    def with_rows(self, **changes: Any) -> Design:
        """Other arrays of the rows."""
        return replace(self, data=replace(self.data, **changes))

    def without_source(self) -> Design:
        """The same as if it had been made by hand: new data do not fit what was changed."""
        return replace(self, layout=replace(self.layout, encoder=None, source=None))

    def take(self, part: Array, terms: Sequence[Term] | None = None) -> Design:
        """Some of the rows, with terms coded anew or with the codes they have."""
        outcomes = tuple(outcome.take(part) for outcome in self.outcomes)
        return replace(self.without_source(), data=self.data.take(part, terms), outcomes=outcomes)


def is_same_response(first: Design, second: Design) -> bool:
    """Whether two designs are of the same responses, in the same order, on the same rows."""
    if len(first.outcomes) != len(second.outcomes):
        return False
    pairs = zip(first.outcomes, second.outcomes, strict=True)
    return all(a.is_same(b) for a, b in pairs)
