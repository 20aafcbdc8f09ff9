"""Posterior means of functions of the linear predictor, draws a block at a time."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from bayesmix.arrays import Array
from bayesmix.data.design.design import Design
from bayesmix.inference.parameters.names import Parameters
from bayesmix.parallel.threads import in_threads
from bayesmix.results.fits.linear_predictor import linear_predictor

BLOCK = 1_000_000  # numbers of draws x rows computed together: more of them do not stay near the processor


def mean_over_draws(design: Design, values: Parameters, function: Callable[[Array, Parameters], Array]) -> Array:
    """Mean over draws of ``function(eta, values)`` of the rows, without holding all draws of all rows at once.

    Parameters
    ----------
    values : draws ``(chain, draw)``, random effects with them.
    function : of the linear predictor ``(draws, n)`` and the draws it is of; its first axis is averaged.
    """
    flat = _flat_draws(values)
    draws = len(flat.beta)
    size = max(1, BLOCK // max(len(design.X), 1))

    def sum_of(begin: int) -> Array:
        block = _take(flat, slice(begin, begin + size))
        eta = linear_predictor(design.X, design.offset, design.terms, block)
        return np.asarray(np.asarray(function(eta, block)).sum(axis=0))

    total: Array = sum(in_threads(sum_of, range(0, draws, size)), np.zeros(()))
    return total / draws


def _flat_draws(values: Parameters) -> Parameters:
    """Chains end to end: leading axis ``(draws,)``."""

    def flat(array: Array) -> Array:
        return array.reshape(-1, *array.shape[2:])

    return values.each(flat)


def _take(values: Parameters, block: slice) -> Parameters:
    return values.each(lambda array: array[block])
