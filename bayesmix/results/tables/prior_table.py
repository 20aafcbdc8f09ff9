"""Priors beside the estimate: what each says, and how wide it is for these data."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from bayesmix.inference.parameters.prior_wording import short
from bayesmix.inference.parameters.priors_in_force import Priors
from bayesmix.inference.sampling.prior_conflict import conflicts
from bayesmix.results.fits.linear_predictor import of_priors

if TYPE_CHECKING:
    import pandas as pd

    from bayesmix.results.fits.records import EstimateRecord


def prior_table(priors: Priors, estimate: EstimateRecord) -> pd.DataFrame:
    """Columns ``prior, says, lower, upper, estimate, ratio``, one row a parameter or matrix of correlations.

    ``lower, upper`` hold 95 % of the prior; ``ratio`` is its upper bound (standard deviations), or half its width,
    over the absolute estimate: 10 and more leave the data to speak, below 2 the prior has a say. Where effects have a t
    distribution the estimate is that with normal effects.
    """
    import pandas as pd

    return pd.DataFrame(_rows(priors, estimate)).set_index("parameter")


def _rows(priors: Priors, fit: EstimateRecord) -> Iterator[dict[str, Any]]:
    names, numbers = of_priors(priors, fit.design, fit.values)
    values = dict(zip(names, numbers.tolist(), strict=True))
    intervals = priors.intervals()
    far = {one.name: one for one in conflicts(priors, fit.design, fit.point.covariances)}
    for name, prior, meaning in priors.rows():
        value = values.get(name, np.nan)
        lower = upper = ratio = np.nan
        if name in intervals:
            lower, upper = intervals[name]
            size = upper if prior.is_positive else 0.5 * (upper - lower)
            ratio = size / abs(value) if value else np.inf
        mark = f"; zero is far: the estimate is {far[name].centred:.3g} at {far[name].place}" if name in far else ""
        bounds = {"lower": lower, "upper": upper, "estimate": value, "ratio": ratio}
        yield {"parameter": name, "prior": short(prior), "says": meaning + mark, **bounds}
