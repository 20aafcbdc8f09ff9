"""Means of one linear predictor averaged over groups, whose effects are normal or have a t distribution."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import numpy as np

from bayesmix.arrays import Array
from bayesmix.data.design.design import Term
from bayesmix.inference.parameters.heavy_tails import check_normal
from bayesmix.inference.parameters.names import Parameters, covariance, heavy_tailed
from bayesmix.language.families.link import Link
from bayesmix.results.fits.linear_predictor import average_mean, population_variance

NO_AVERAGE = (
    "means averaged over them are there for identity links and for shares of one linear predictor",
    'Draw new levels, groups="new"; or leave the effects out, groups="zero".',
)
STEP, NODES = 0.1, 36  # of the double exponential rule, on either side of the middle


def averaged_over_groups(link: Link, eta: Array, terms: Sequence[Term], values: Parameters) -> Array:
    """``E h(eta + z'b)`` over the effects of a new group: ``(..., n)``.

    Over t distributed effects, means of shares alone exist whatever their tails: by the double exponential rule
    (Takahasi and Mori 1974, Publ. RIMS 9) over the probability of ``z'b``, to 1e-9 for logits of scales up to four.

    Parameters
    ----------
    terms : with zeros in ``z`` where effects are not averaged over.

    Raises
    ------
    SpecError
        If the mean is no share, or the t distributed effects are those of several grouping factors.
    """
    from scipy.special import stdtrit

    moving = [term for term in terms if np.any(term.z != 0.0)]
    groups = heavy_tailed(moving)
    if not groups:
        return average_mean(link, eta, population_variance(terms, values))
    if link.range != "unit" or len(groups) > 1:
        check_normal(moving, *NO_AVERAGE)
    own = zip(terms, values.sd, values.corr, strict=True)
    heavy = sum(term.spread(covariance(sd, corr)) for term, sd, corr in own if not term.is_normal)
    normal = population_variance([one if one.is_normal else replace(one, z=0.0 * one.z) for one in terms], values)
    reach, df = np.sqrt(heavy), np.asarray(values.df[groups[0]])[..., None]
    inner = link.mean if not np.any(normal) else partial(average_mean, link, variance=normal)
    total = 0.25 * np.pi * inner(eta)
    for place in STEP * np.arange(1, NODES + 1):
        tail = 1.0 / (1.0 + np.exp(np.pi * np.sinh(place)))  # probability beyond, on one side
        weight = np.pi * np.cosh(place) * tail * (1.0 - tail)
        away = -stdtrit(df, tail) * reach
        total = total + weight * (inner(eta + away) + inner(eta - away))
    return np.asarray(STEP * total)
