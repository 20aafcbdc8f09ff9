"""Predictions with an explicit scope for the groups, draw by draw."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from bayesmix.data.columns import name_rows
from bayesmix.data.design import Design, Encoder, NewDesign, Term, encode
from bayesmix.data.frame import Table, open_table
from bayesmix.errors import PredictionWarning, SpecError, nearest, warn_user
from bayesmix.inference.covariance import cholesky_psd
from bayesmix.inference.parameters import Parameters, covariance
from bayesmix.language.expression import column_names
from bayesmix.language.families.derivatives import weighted
from bayesmix.language.families.family import Family
from bayesmix.language.reader import read
from bayesmix.language.spec import ModelSpec
from bayesmix.results.effects import average_mean, linear_predictor, population_variance
from bayesmix.results.freedom import noted
from bayesmix.results.scopes import (
    Groups,
    Scope,
    averaged_terms,
    drawn_rows,
    require_seen,
    resolve_scopes,
    with_own,
)

if TYPE_CHECKING:
    import pandas as pd

    from bayesmix.results.fit import Fit

__all__ = ["Groups", "Kind", "Rows", "check_options", "predict", "prediction_table", "require_seen", "sample_response"]

Array = np.ndarray
Kind = Literal["mean", "linear", "response"]

CHUNK = 20_000_000  # numbers of one chunk of draws x rows


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """Rows to predict: those of the fit or coded new data."""

    X: Array  # (n, p)
    offset: Array  # (n,)
    terms: tuple[Term, ...]  # all of the design's; without levels or columns where the scope needs none
    trials: Array  # (n,) binomial denominators of new observations
    weights: Array  # (n,) prior weights of new observations
    index: Array  # (n,) positions in the data as given
    outside: Array  # (n, d) what the fit's data do not tell of each row, zero where they tell all
    given: int | None = None  # rows of new data, those with missing values included
    missing: tuple[str, ...] = ()  # columns of new data with missing values

    @classmethod
    def of_fit(cls, design: Design) -> Rows:
        """The rows of the fit."""
        n = len(design.X)
        trials = np.ones(n) if design.trials is None else design.trials
        return cls(design.X, design.offset, design.terms, trials, design.weights, design.rows, np.zeros((n, 0)))

    @classmethod
    def of_new_data(cls, design: Design, data: Any, groups: Groups, offset: Any) -> Rows:
        """New data, coded as the data of the fit were; new observations are single trials of weight one."""
        if design.encoder is None:
            raise SpecError("This fit has no encoder for new data: its design was made by hand.")
        table, scopes = open_table(data), resolve_scopes(design.terms, groups)
        by_group = {term.group: scope for term, scope in zip(design.terms, scopes, strict=True)}
        wanted = [group for group, scope in by_group.items() if scope != "zero"]
        levels = _with_levels(design.encoder, table, by_group)
        coded = encode(design.encoder, table, groups=wanted, levels=levels, offset=offset)
        terms, ones = _all_terms(design, coded), np.ones(len(coded.X))
        found = (coded.rows, coded.outside, coded.n_given, coded.missing)
        return cls(coded.X, coded.offset, terms, ones, ones, *found)

    def take(self, part: Any) -> Rows:
        """Some of the rows."""
        terms = tuple(replace(term, z=term.z[part], codes=term.codes[part]) for term in self.terms)
        names = ("X", "offset", "trials", "weights", "index", "outside")
        return replace(self, terms=terms, **{name: getattr(self, name)[part] for name in names})

    def chunks(self, draws: int) -> Iterator[Rows]:
        """All rows in order, so many at a time that their draws fit into memory."""
        size = max(1, CHUNK // max(draws, 1))
        for begin in range(0, max(len(self.X), 1), size):
            yield self.take(slice(begin, begin + size))

    def whole(self, table: pd.DataFrame) -> pd.DataFrame:
        """A table of these rows with NaN where the fit or the new data do not determine a row."""
        table[np.any(self.outside != 0.0, axis=1)] = np.nan
        return table if self.given is None else table.reindex(np.arange(self.given))

    def warn_of_undetermined(self, dropped: Sequence[str]) -> None:
        """Warn once of rows that `whole` leaves NaN; ``dropped`` are the columns that the fit could not tell apart."""
        unknown = self.index[np.any(self.outside != 0.0, axis=1)]
        if len(unknown):
            warn_user(
                f"The data of the fit do not determine {name_rows(unknown)}: NaN. They need what was left out for"
                f" depending linearly on other columns: {', '.join(dropped)}.",
                PredictionWarning,
            )
        missing = np.setdiff1d(np.arange(self.given or 0), self.index)
        if len(missing):
            names = ", ".join(f"`{name}`" for name in self.missing)
            what = f"Values of {names} are missing in {name_rows(missing)} of the new data: NaN."
            warn_user(what, PredictionWarning)


def _with_levels(encoder: Encoder, table: Table, scopes: dict[str, Scope]) -> list[str]:
    """Grouping factors whose levels are read: for ``"new"`` only where the data have the columns."""
    found = []
    for term in encoder.terms:
        names = {name for text in term.factors for name in column_names(read(text))}
        scope = scopes[term.group]
        if scope in ("fitted", "known") or (scope == "new" and names <= set(table.names)):
            found.append(term.group)
    return found


def _all_terms(design: Design, coded: NewDesign) -> tuple[Term, ...]:
    """The terms that were coded, in the place of those that were not empty ones."""
    n, rest = len(coded.X), list(coded.terms)
    terms = []
    for term in design.terms:
        if rest and rest[0].group == term.group:
            terms.append(rest.pop(0))
        else:
            terms.append(replace(term, z=np.zeros((n, len(term.effects))), codes=np.full(n, -1)))
    return tuple(terms)


def check_options(kind: str, groups: Any, terms: Sequence[Term]) -> tuple[Scope, ...]:
    """The scopes of the terms; `SpecError` for options that do not exist."""
    if kind not in get_args(Kind):
        known = get_args(Kind)
        hint = nearest(kind, known) if isinstance(kind, str) else ""
        raise SpecError(f"predict has no kind=`{kind}`.{hint} Choices: {', '.join(known)}.")
    return resolve_scopes(terms, groups)


def prediction_table(
    fit: Fit, rows: Rows, *, kind: Kind, groups: Groups, interval: float, df: str, seed: int = 0
) -> pd.DataFrame:
    """Columns that describe the predictions of rows, NaN with a warning where they are not determined."""
    import pandas as pd

    table = pd.DataFrame(fit._predicted(rows, kind, groups, interval, df, seed), index=rows.index)
    rows.warn_of_undetermined(fit.design.dropped)
    return noted(rows.whole(table), df)


def predict(spec: ModelSpec, rows: Rows, values: Parameters, *, kind: Kind, groups: Groups, seed: int) -> Array:
    """Predict ``rows``: ``(..., n)``, with the leading axes of the parameters.

    The effects of a new level depend on the seed and the level alone, whatever other rows are predicted with it.

    Raises
    ------
    DataError
        If ``groups="fitted"`` and a level was not seen in fitting.
    """
    scopes = resolve_scopes(rows.terms, groups)
    own = with_own(rows.terms, scopes)
    has_own = any(scope in ("fitted", "known") for scope in scopes)
    eta = linear_predictor(rows.X, rows.offset, own, values, with_effects=has_own)
    eta = eta + _new_groups(rows.terms, drawn_rows(rows.terms, scopes), values, seed)
    spread = population_variance(averaged_terms(rows.terms, scopes), values) if "average" in scopes else None
    if spread is not None and kind == "mean":
        return average_mean(spec.link, eta, spread)
    rng = np.random.default_rng([seed, *rows.index[:1].tolist()])
    if spread is not None and kind == "response":
        eta = eta + np.sqrt(spread) * rng.standard_normal(eta.shape)
    if kind == "linear":
        return eta
    mean = spec.link.inverse(eta)[0]
    return mean if kind == "mean" else sample_response(spec.family, rows, mean, values, rng)


def _new_groups(terms: Sequence[Term], drawn: Sequence[Array], values: Parameters, seed: int) -> Array:
    """One draw of the effects for each level that has rows to draw, shared by these rows: ``(..., n)``."""
    if not any(rows.any() for rows in drawn):
        return np.zeros(())
    total = np.zeros((*values.lead, len(drawn[0])))
    for t, (term, rows, sd, corr) in enumerate(zip(terms, drawn, values.sd, values.corr, strict=True)):
        levels, level = np.unique(term.codes[rows], return_inverse=True)
        if not len(levels):
            continue
        root = cholesky_psd(covariance(sd, corr))
        streams = (np.random.default_rng([seed, t, int(code) + 2**31]) for code in levels)
        spherical = np.stack([stream.standard_normal((*values.lead, sd.shape[-1])) for stream in streams], axis=-2)
        b = spherical @ np.swapaxes(root, -1, -2)
        for e, column in enumerate(term.z[rows].T):
            total[..., rows] += column * np.take(b[..., e], level, axis=-1)
    return total


def sample_response(family: Family, rows: Rows, mean: Array, values: Parameters, rng: np.random.Generator) -> Array:
    """Draw responses ``(..., n)``: counts of successes for binomial data."""
    dispersion = np.ones(()) if values.dispersion is None else np.asarray(values.dispersion)[..., None]
    dispersion, _ = weighted(family, dispersion, rows.weights)
    others = (np.broadcast_to(one, mean.shape) for one in family.others(dispersion))
    return family.sample(rng, np.broadcast_to(rows.trials, mean.shape), mean, *others)
