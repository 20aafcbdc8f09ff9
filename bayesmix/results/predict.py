"""Predictions with an explicit scope for the groups, draw by draw."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

import numpy as np

from bayesmix.data.design import Design, Term, encode
from bayesmix.errors import DataError, SpecError, nearest
from bayesmix.inference.covariance import cholesky_psd
from bayesmix.inference.parameters import Parameters, covariance
from bayesmix.language.family import Family
from bayesmix.language.spec import ModelSpec
from bayesmix.results.effects import average_mean, linear_predictor, population_variance

Array = np.ndarray
Kind = Literal["mean", "linear", "response"]
Groups = Literal["fitted", "new", "average", "zero"]

CHUNK = 20_000_000  # numbers of one chunk of draws x rows


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """Rows to predict: those of the fit or coded new data."""

    X: Array  # (n, p)
    offset: Array  # (n,)
    terms: tuple[Term, ...]
    trials: Array  # (n,) binomial denominators of new observations
    weights: Array  # (n,) prior weights of new observations
    index: Array  # (n,) positions in the data as given

    @classmethod
    def of_fit(cls, design: Design) -> Rows:
        """The rows of the fit."""
        trials = np.ones(len(design.X)) if design.trials is None else design.trials
        return cls(design.X, design.offset, design.terms, trials, design.weights, design.rows)

    @classmethod
    def of_new_data(cls, design: Design, data: Any, groups: str, offset: Any) -> Rows:
        """New data, coded as the data of the fit were; new observations are single trials of weight one."""
        if design.encoder is None:
            raise SpecError("This fit has no encoder for new data: its design was made by hand.")
        coded = encode(design.encoder, data, groups=groups != "zero", offset=offset)
        n = len(coded.X)
        return cls(coded.X, coded.offset, coded.terms, np.ones(n), np.ones(n), np.arange(n))

    def take(self, part: Any) -> Rows:
        """Some of the rows."""
        terms = tuple(replace(term, z=term.z[part], codes=term.codes[part]) for term in self.terms)
        return Rows(self.X[part], self.offset[part], terms, self.trials[part], self.weights[part], self.index[part])

    def chunks(self, draws: int) -> Iterator[Rows]:
        """All rows in order, so many at a time that their draws fit into memory."""
        size = max(1, CHUNK // max(draws, 1))
        for begin in range(0, max(len(self.X), 1), size):
            yield self.take(slice(begin, begin + size))


def check_options(kind: str, groups: str) -> None:
    """Raise `SpecError` for options that do not exist."""
    for name, value, known in (("kind", kind, get_args(Kind)), ("groups", groups, get_args(Groups))):
        if value not in known:
            raise SpecError(f"predict has no {name}=`{value}`.{nearest(value, known)} Choices: {', '.join(known)}.")


def predict(spec: ModelSpec, rows: Rows, values: Parameters, *, kind: Kind, groups: Groups, seed: int) -> Array:
    """Predict ``rows``: ``(..., n)``, with the leading axes of the parameters.

    The effects of a new level depend on the seed and the level alone, whatever other rows are predicted with it.

    Raises
    ------
    DataError
        If ``groups="fitted"`` and a level was not seen in fitting.
    """
    terms = rows.terms
    if groups == "fitted":
        require_seen(terms)
    eta = linear_predictor(rows.X, rows.offset, terms, values, with_effects=groups == "fitted")
    if groups == "new":
        eta = eta + _new_groups(terms, values, seed)
    if groups == "average" and kind == "mean":
        return average_mean(spec.link, eta, population_variance(terms, values))
    rng = np.random.default_rng([seed, *rows.index[:1].tolist()])
    if groups == "average" and kind == "response":
        eta = eta + np.sqrt(population_variance(terms, values)) * rng.standard_normal(eta.shape)
    if kind == "linear":
        return eta
    mean = spec.link.inverse(eta)[0]
    return mean if kind == "mean" else sample_response(spec.family, rows, mean, values, rng)


def require_seen(terms: tuple[Term, ...]) -> None:
    """Raise `DataError` for levels not seen in fitting."""
    for term in terms:
        if np.any(term.codes < 0):
            raise DataError(
                f"New data have {int(np.sum(term.codes < 0))} rows whose level of `{term.group}` was not seen in"
                ' fitting. Use groups="new", groups="average" or groups="zero".'
            )


def _new_groups(terms: tuple[Term, ...], values: Parameters, seed: int) -> Array:
    """One draw of the effects for each level of the new data, seen or not, shared by its rows: ``(..., n)``."""
    total: Array = np.zeros(())
    for t, (term, sd, corr) in enumerate(zip(terms, values.sd, values.corr, strict=True)):
        levels, level = np.unique(term.codes, return_inverse=True)
        matrix = covariance(sd, corr)
        k = matrix.shape[-1]
        root = np.array([cholesky_psd(one) for one in matrix.reshape(-1, k, k)]).reshape(matrix.shape)
        streams = (np.random.default_rng([seed, t, int(code) + 2**31]) for code in levels)
        spherical = np.stack([stream.standard_normal((*values.lead, k)) for stream in streams], axis=-2)
        b = np.einsum("...kl,...jl->...jk", root, spherical)
        total = total + np.einsum("nk,...nk->...n", term.z, b[..., level, :])
    return total


def sample_response(family: Family, rows: Rows, mean: Array, values: Parameters, rng: np.random.Generator) -> Array:
    """Draw responses ``(..., n)``: counts of successes for binomial data."""
    dispersion = np.ones(()) if values.dispersion is None else np.asarray(values.dispersion)[..., None]
    if family.name == "gaussian":
        dispersion = dispersion / np.sqrt(rows.weights)
    return family.sample(rng, mean, np.broadcast_to(dispersion, mean.shape), np.broadcast_to(rows.trials, mean.shape))
