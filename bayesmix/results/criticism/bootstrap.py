"""The parametric bootstrap: responses drawn from an estimate, random effects included, and the model fitted to each.

It is lme4's ``bootMer`` (Davison and Hinkley 1997, chapters 2 and 5). Intervals are of quantiles of the replicates
(``"percentile"``), of their distances from the estimate (``"basic"``), or of quantiles corrected for bias and
acceleration (``"bca"``, Efron 1987). The acceleration is that of the jackknife over the levels of one grouping factor,
as `influence` leaves them out: the units that are independent of each other.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from bayesmix.arrays import Array
from bayesmix.errors import FitError, SpecError, nearest
from bayesmix.inference.estimation.refits import refit_all
from bayesmix.parallel.checkpoint import Checkpoint, checkpoint_of, fingerprint
from bayesmix.parallel.executors import in_order
from bayesmix.parallel.replications import pieces, spans
from bayesmix.results.criticism.influence import of_estimate
from bayesmix.results.fits.linear_predictor import codes_of, flatten, groups
from bayesmix.results.fits.model_fingerprint import parts_of_model
from bayesmix.results.fits.parameter_ranges import parameter_ranges
from bayesmix.results.fits.records import EstimateRecord
from bayesmix.results.prediction.simulation import repeated, replicated
from bayesmix.results.tables.simulation_table import simulation_table

if TYPE_CHECKING:
    import pandas as pd

KINDS = ("percentile", "basic", "bca")
PIECE = 200  # replicates that are drawn and fitted together
FEWEST = 40  # replicates from which on there are quantiles to speak of


@dataclass(frozen=True, slots=True)
class Options:
    """Of a bootstrap."""

    replicates: int = 1000
    seed: int = 1
    kind: str = "percentile"
    executor: Executor | None = None
    progress: bool = True
    checkpoint: str | Path | None = None


def bootstrap(fit: EstimateRecord, options: Options) -> pd.DataFrame:
    """Estimates of responses drawn from a fit: one row a replicate, one column a parameter; NaN where a refit failed.

    ``attrs`` has the number of replicates that ``failed``, and of those that are ``singular``.
    """
    import pandas as pd

    if options.replicates < 1:
        raise SpecError(f"replicates={options.replicates}: draw at least one set of responses.")
    sizes = pieces(options.replicates, PIECE, options.seed)
    jobs, kept = [(fit, *one) for one in sizes], _kept(fit, options, [size for size, _ in sizes])
    parts = in_order(replicates, jobs, options.executor, label="Bootstrap", progress=options.progress, checkpoint=kept)
    table = pd.DataFrame(np.concatenate([values for values, _ in parts]), columns=fit.names)
    failed = int(table.isna().all(axis=1).sum())
    singular = int(sum(count for _, count in parts))
    table = table.rename_axis(index="replicate", columns="parameter")
    return simulation_table(table, fit.design.censoring_rule, failed=failed, singular=singular)


def _kept(fit: EstimateRecord, options: Options, sizes: Sequence[int]) -> Checkpoint | None:
    """Where pieces are kept; those of another number of replicates are the same as far as they are full."""
    if options.checkpoint is None:
        return None
    parts = (*parts_of_model(fit.spec, fit.design), flatten(fit.design, fit.values), fit.point.method)
    return checkpoint_of(options.checkpoint, fingerprint("bootstrap", *parts, options.seed), spans(sizes))


def replicates(fit: EstimateRecord, size: int, seed: int) -> tuple[Array, int]:
    """Parameters ``(size, m)`` of estimates for responses drawn from a fit, and how many of these are singular."""
    responses = replicated(fit.spec, fit.design, repeated(fit.values, size), groups="new", seed=seed)
    found = refit_all(fit.design, fit.spec, fit.point.method, responses, fit.point)
    return flatten(fit.design, found.parameters), int(found.singular.any(axis=1).sum())


def bootstrap_limits(
    fit: EstimateRecord, names: Sequence[str], level: float, options: Options
) -> tuple[list[tuple[float, float]], list[str]]:
    """Limits of parameters, and sentences on replicates that do not count.

    Raises
    ------
    FitError
        If hardly any refit succeeded.
    """
    if options.kind not in KINDS:
        known = ", ".join(KINDS)
        raise SpecError(f"There is no bootstrap kind `{options.kind}`.{nearest(options.kind, KINDS)} Kinds: {known}.")
    if options.replicates < FEWEST:
        raise SpecError(f"replicates={options.replicates} have no tails: take at least {FEWEST}, better 1000.")
    table = bootstrap(fit, options)
    counts = table.notna().sum()
    if counts.max() < FEWEST:
        raise FitError(f"{table.attrs['failed']} of {len(table)} refits failed: there are too few for quantiles.")
    influence = of_estimate(fit, units(fit)) if options.kind == "bca" else None
    estimates, found = flatten(fit.design, fit.values), list[tuple[float, float]]()
    ranges = parameter_ranges(fit.design, fit.spec)  # which basic limits may be beyond
    for name in names:
        at = fit.names.index(name)
        drawn = np.sort(table[name].dropna().to_numpy())
        acceleration = 0.0 if influence is None else skewness(-influence[name].to_numpy())
        own = limits(drawn, float(estimates[at]), level, options.kind, acceleration)
        found.append(tuple(np.clip(own, *ranges[name]).tolist()))
    return found, list(_notes(table, names))


def limits(drawn: Array, estimate: float, level: float, kind: str, acceleration: float = 0.0) -> Array:
    """Limits ``(2,)`` from sorted replicates ``(R,)``: the quantile of a probability p is the ``(R + 1) p``-th of them.

    Parameters
    ----------
    kind : of `KINDS`.
    acceleration : how fast the standard error changes with the parameter, on a normalised scale; of ``"bca"``.
    """
    from scipy.special import ndtr, ndtri

    tails = np.array([0.5 - 0.5 * level, 0.5 + 0.5 * level])
    if kind == "basic":
        return 2.0 * estimate - np.quantile(drawn, tails[::-1], method="weibull")
    if kind == "bca":
        below = np.mean(drawn < estimate) + 0.5 * np.mean(drawn == estimate)
        bias = ndtri(np.clip(below, 0.5 / len(drawn), 1.0 - 0.5 / len(drawn)))
        z = bias + ndtri(tails)
        tails = ndtr(bias + z / (1.0 - acceleration * z))
    return np.asarray(np.quantile(drawn, tails, method="weibull"))


def skewness(influence: Array) -> float:
    """The acceleration of influences of units on an estimate (Davison and Hinkley 1997, eq. 5.22); some may be NaN."""
    known = influence[np.isfinite(influence)]
    centred = known - np.mean(known) if len(known) else known
    size = float(np.sum(centred**2))
    return float(np.sum(centred**3)) / (6.0 * size**1.5) if size > 0.0 else 0.0


def units(fit: EstimateRecord) -> str:
    """The grouping factor whose levels the jackknife leaves out.

    That in whose levels all others are nested, for its levels are independent. Crossed factors have none: then it is
    the one with most levels, and the acceleration an approximation.

    Raises
    ------
    SpecError
        If the model has no grouping factor.
    """
    known = groups(fit.design)
    if not known:
        raise SpecError(
            'BCa intervals leave out levels of a grouping factor; there is none here. Use kind="percentile".'
        )
    by_size = sorted(known, key=lambda group: len(group.levels))
    codes = [codes_of(fit.design, group) for group in by_size]
    nested = all(_is_nested(own, codes[0]) for own in codes[1:])
    return by_size[0 if nested else -1].group


def _is_nested(inner: Array, outer: Array) -> bool:
    """Whether each level of one factor occurs in one level of another alone."""
    return len(np.unique(np.stack([inner, outer]), axis=1).T) == len(np.unique(inner))


def _notes(table: pd.DataFrame, names: Sequence[str]) -> Iterator[str]:
    failed = table.attrs["failed"]
    if failed:
        yield f"{failed} of {len(table)} refits failed; limits are of the others."
    for name in names:
        missing = int(table[name].isna().sum()) - failed
        if missing:
            yield (
                f"`{name}` is not defined in {missing} of {len(table)} replicates, where a standard deviation is zero;"
                " its limits are of the others."
            )
