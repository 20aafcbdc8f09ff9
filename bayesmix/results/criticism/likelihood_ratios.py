"""Likelihood ratios of nested estimates, with chi-square p-values or those of data simulated from the smaller model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bayesmix.arrays import Array
from bayesmix.data.design.design import Design
from bayesmix.errors import FitError, SpecError
from bayesmix.inference.estimation.refits import refit_all
from bayesmix.parallel.checkpoint import Checkpoint, checkpoint_of, fingerprint
from bayesmix.parallel.executors import in_order
from bayesmix.parallel.replications import pieces, spans
from bayesmix.results.fits.linear_predictor import flatten
from bayesmix.results.fits.model_fingerprint import parts_of_model
from bayesmix.results.fits.records import EstimateRecord
from bayesmix.results.fits.refit import estimate_model, method_of
from bayesmix.results.fits.updated_model import updated_model
from bayesmix.results.prediction.simulation import repeated, replicated

PIECE = 100  # replications that are drawn and fitted together


@dataclass(frozen=True, slots=True)
class Ratio:
    """A likelihood ratio."""

    statistic: float  # difference of deviances
    df: float  # of parameters

    @property
    def p(self) -> float:
        """By the chi-square distribution of large samples."""
        from scipy.special import chdtrc

        return float(chdtrc(self.df, max(self.statistic, 0.0))) if self.df > 0 else np.nan


@dataclass(frozen=True, slots=True)
class Replication:
    """How a reference distribution is simulated."""

    replicates: int = 1000
    seed: int = 0
    executor: Executor | None = None
    progress: bool = True
    checkpoint: str | Path | None = None

    def __post_init__(self) -> None:
        if self.replicates < 1:
            raise SpecError(f"replicates={self.replicates}: at least one is needed, 1000 are usual.")


def ratio(small: EstimateRecord, large: EstimateRecord) -> Ratio:
    """Of two estimates whose criteria are comparable."""
    return Ratio(small.criterion - large.criterion, float(large.df - small.df))


def fitted_without(large: EstimateRecord, label: str, change: Mapping[str, str]) -> EstimateRecord:
    """The estimate of a model without something, by the method of the larger one where that suits it.

    Parameters
    ----------
    label : of what is left out, for messages.
    change : of the formulas.
    """
    model = updated_model(large, change)
    check_same_rows(large.design, model.design, f"without `{label}`")
    return estimate_model(model, method_of(large, model))


def check_same_rows(first: Design, second: Design, what: str) -> None:
    """Raise `SpecError` where a model has other rows, as where the columns with missing values are no more in it."""
    if second.n_used != first.n_used or (first.counts is None and not np.array_equal(first.rows, second.rows)):
        raise SpecError(
            f"The model {what} would have {second.n_used} rows, not {first.n_used}: drop rows with missing values"
            " beforehand."
        )


def p_names(replication: Replication | None) -> list[str]:
    """Names of `p_columns`."""
    return ["p_value"] if replication is None else ["p_value", "mc_error", "replicates"]


def p_columns(
    found: Ratio, small: EstimateRecord, large: EstimateRecord, replication: Replication | None
) -> tuple[float, ...]:
    """The p-value; of simulated data with its Monte Carlo error and the number of data sets that could be fitted.

    Without a monotonic effect, nothing is known of the shares of its steps, and the ratio is not chi-square: NaN.
    """
    if replication is None:
        is_regular = _monotonic(small) == _monotonic(large)
        return (found.p if is_regular else np.nan,)
    return monte_carlo(simulated_ratios(small, large, replication), found.statistic)


def _monotonic(fit: EstimateRecord) -> set[str]:
    """Names of the monotonic effects of a model."""
    steps = (one.family.steps for one in fit.spec.responses)
    return {effect.name for one in steps if one is not None for effect in one.effects}


def monte_carlo(reference: Array, statistic: float) -> tuple[float, float, float]:
    """p-value of a statistic by draws from its reference distribution, its Monte Carlo error, and their number.

    The statistic itself is counted among the draws (Davison and Hinkley 1997, sec. 4.2), so that it is never zero.
    """
    draws = reference[np.isfinite(reference)]
    p = (1.0 + float(np.sum(draws >= statistic))) / (1.0 + len(draws))
    return p, float(np.sqrt(p * (1.0 - p) / max(len(draws), 1))), float(len(draws))


def simulated_ratios(small: EstimateRecord, large: EstimateRecord, how: Replication) -> Array:
    """Likelihood ratios ``(replicates,)`` of data drawn from the smaller model; NaN where one of them cannot be fitted.

    Raises
    ------
    FitError
        If none can be fitted.
    """
    sizes = pieces(how.replicates, PIECE, how.seed)
    jobs, kept = [(small, large, *one) for one in sizes], _kept(small, large, how, [size for size, _ in sizes])
    parts = in_order(_ratios, jobs, how.executor, label="Simulating", progress=how.progress, checkpoint=kept)
    found = np.concatenate(parts)
    if not np.any(np.isfinite(found)):
        raise FitError(f"None of the {how.replicates} simulated data sets could be fitted by both models.")
    return found


def _kept(small: EstimateRecord, large: EstimateRecord, how: Replication, sizes: Sequence[int]) -> Checkpoint | None:
    """Where pieces are kept: one file has those of all pairs of models of the same responses."""
    if how.checkpoint is None:
        return None
    responses = [array for outcome in large.design.outcomes for array in outcome.arrays]
    parts = [(*parts_of_model(fit.spec, fit.design), fit.point.method) for fit in (small, large)]
    pair = fingerprint(*parts[0], flatten(small.design, small.values), *parts[1])
    keys = [f"{pair} {span}" for span in spans(sizes)]
    return checkpoint_of(how.checkpoint, fingerprint("likelihood ratios", *responses, how.seed), keys)


def _ratios(small: EstimateRecord, large: EstimateRecord, count: int, seed: int) -> Array:
    drawn = replicated(small.spec, small.design, repeated(small.values, count), groups="new", seed=seed)
    criteria = [refit_all(fit.design, fit.spec, fit.point.method, drawn, fit.point).criterion for fit in (small, large)]
    return np.asarray(criteria[0] - criteria[1])
