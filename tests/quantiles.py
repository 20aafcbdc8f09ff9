"""Quantiles of draws beside others', in Monte Carlo errors of both."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from arviz_stats.base import array_stats
from scipy import stats

LEVELS = (0.05, 0.25, 0.5, 0.75, 0.95)


def error(draws: np.ndarray, level: float) -> float:
    """Monte Carlo error of a quantile of draws ``(chain, draw)``, as R's posterior has it."""
    ess = array_stats.ess(draws, method="quantile", prob=level)
    low, high = stats.beta(ess * level + 1.0, ess * (1.0 - level) + 1.0).ppf([0.1586553, 0.8413447])
    ordered, n = np.sort(draws.ravel()), draws.size
    return float(ordered[min(int(np.ceil(high * n)), n - 1)] - ordered[max(int(np.floor(low * n)), 0)]) / 2.0


def apart(draws: Mapping[str, np.ndarray], reference: pd.DataFrame) -> pd.Series:
    """Differences from a table of quantiles, ``q5`` with its error ``mcse_q5``, a row a name."""
    found = {}
    for name, row in reference.iterrows():
        for level in LEVELS:
            column, own = f"q{100 * level:g}", draws[str(name)]
            both = np.hypot(error(own, level), row[f"mcse_{column}"])
            found[name, level] = (np.quantile(own, level) - row[column]) / both
    return pd.Series(found)


def between(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """The same between draws ``(chain, draw)`` of two runs."""
    gaps = [np.quantile(first, level) - np.quantile(second, level) for level in LEVELS]
    return np.array(gaps) / [np.hypot(error(first, level), error(second, level)) for level in LEVELS]
