"""Whether data have as many zeros or censored values, and vary as much, as draws from the fit; families to try next."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from bayesmix.arrays import Array
from bayesmix.inference.parameters.names import Parameters
from bayesmix.language.families.category_counts import counts_of
from bayesmix.language.families.registry import FAMILIES, wider
from bayesmix.language.formula.model_spec import Response
from bayesmix.results.fits.accessors import over_rows
from bayesmix.results.fits.records import FitRecord
from bayesmix.results.fits.residuals import cumulative
from bayesmix.results.fits.row_parameters import row_parameters
from bayesmix.results.prediction.simulation import simulate

DRAWS = 250  # of data sets
TAIL = 0.01  # probability that draws are as far out as the data, below which the data are said to be unlike them


@dataclass(frozen=True, slots=True)
class CountCheck:
    """A statistic of data beside its values in data sets drawn from the fit, effects of groups as they were found."""

    observed: float
    expected: float  # mean of the draws
    lower: float
    upper: float  # 95 % of them are between these
    p: float  # share of draws as far out
    families: tuple[str, ...]  # that have this one as a limit and more of what the statistic is of

    @property
    def good(self) -> bool:
        """Whether the data are like the draws."""
        return self.p >= TAIL


def applies(fit: FitRecord, response: Response) -> bool:
    """Whether a response is of counts among which there may be zeros."""
    values = response.family.values
    if response.family.levels or not values.is_discrete or not values.has_zeros:
        return False
    return bool(np.any(fit.design.outcomes[fit.spec.responses.index(response)].trials > 1.0)) or not values.has_trials


def check_counts(fit: FitRecord, response: Response, *, seed: int = 0) -> tuple[CountCheck, CountCheck]:
    """Share of zeros, more or fewer; and dispersion, mean squared Pearson residual, where it is more.

    Effects that were fitted to the data take up some of their variation: counts that vary less are no sign.
    """
    number = fit.spec.responses.index(response)
    table = simulate(fit, DRAWS, newdata=None, groups="fitted", offset=None, seed=seed, response=response.label)
    drawn, y = table.to_numpy().T, fit.design.outcomes[number].y
    zeros = np.mean(drawn == 0.0, axis=1)
    share = float(np.mean(y == 0.0))
    both = min(1.0, 2.0 * min(_tail(zeros >= share), _tail(zeros <= share)))
    more = wider(response.family)
    return _check(share, zeros, both, more.zeros), _dispersion(drawn, y, more.dispersion)


def check_spread(fit: FitRecord, response: Response, *, seed: int = 0) -> CountCheck:
    """Dispersion of counts of several categories: mean squared Pearson residual of all of them, where it is more."""
    number = fit.spec.responses.index(response)
    outcome, K = fit.design.outcomes[number], len(response.family.levels)
    table = simulate(fit, DRAWS, newdata=None, groups="fitted", offset=None, seed=seed, response=response.label)
    drawn = table.to_numpy(float).reshape(len(table), DRAWS, K).transpose(1, 0, 2).reshape(DRAWS, -1)
    return _dispersion(drawn, counts_of(outcome.y, outcome.trials, K).ravel(), ())


def check_censored(fit: FitRecord, response: Response, *, seed: int = 0) -> CountCheck | None:
    """Share of censored values, more or fewer; None where each row is censored in an interval of its own.

    Of rows that were seen it has to be known where they would have been censored: a limit of detection, an end of
    observation.
    """
    number = fit.spec.responses.index(response)
    outcome = fit.design.outcomes[number]
    bounds = outcome.bounds
    known = None if bounds is None else bounds.for_all_rows()
    if bounds is None or known is None or not np.all(known.low < known.high):
        return None
    hidden = replace(outcome, bounds=replace(known, is_censored=np.ones_like(bounds.is_censored)))

    def probability(eta: Array, values: Parameters) -> Array:
        parameters = row_parameters(fit.spec, eta, values, response=number)
        return np.diff(cumulative(response.family, hidden, parameters), axis=0)[0]

    p = over_rows(fit, probability)
    drawn = np.mean(np.random.default_rng(seed).random((DRAWS, len(p))) < p, axis=1)
    share = float(np.mean(bounds.is_censored))
    both = min(1.0, 2.0 * min(_tail(drawn >= share), _tail(drawn <= share)))
    own = response.family
    others = [one.name for one in FAMILIES.values() if one.support == own.support and one.log_tails is not None]
    return _check(share, drawn, both, tuple(name for name in others if name != own.name))


def _dispersion(drawn: Array, y: Array, families: tuple[str, ...]) -> CountCheck:
    centre, variance = drawn.mean(axis=0), drawn.var(axis=0)
    moves = variance > 0.0
    squares = np.mean((drawn - centre)[:, moves] ** 2 / variance[moves], axis=1)
    square = float(np.mean((y - centre)[moves] ** 2 / variance[moves]))
    return _check(square, squares, _tail(squares >= square), families)


def _tail(is_beyond: Array) -> float:
    return float((1.0 + np.sum(is_beyond)) / (1.0 + len(is_beyond)))


def _check(observed: float, drawn: Array, p: float, families: tuple[str, ...]) -> CountCheck:
    lower, upper = np.percentile(drawn, [2.5, 97.5])
    return CountCheck(observed, float(drawn.mean()), float(lower), float(upper), p, families)
