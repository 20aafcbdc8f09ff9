"""Counts of several categories out of a number of trials, each with the probabilities of `categorical`.

``log P(c) = log n! - sum log c_k! + sum c_k mu_k - n log sum exp mu_k`` with ``mu_0 = 0``. The counts of a row are one
number (`category_counts`).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from bayesmix.arrays import Array
from bayesmix.errors import SpecError
from bayesmix.language.families.category_counts import coded, counts_of, digits, units
from bayesmix.language.families.family import Family, Parameter
from bayesmix.language.families.latent import LATENT
from bayesmix.language.families.log_factorial import log_factorial
from bayesmix.language.families.namespaces import Namespace
from bayesmix.language.families.ratings import UNSAID, log_sum, rises_of_scores, softmax


def _multinomial(levels: tuple[str, ...], link: str = "logit", named: frozenset[str] = frozenset()) -> Family:
    K = len(levels)

    def kernel(xp: Namespace, y: Any, trials: Any, *mu: Any) -> Any:
        counts = digits(y, trials, K)
        told = sum((c * score for c, score in zip(counts[2:], mu[1:], strict=True)), start=counts[1] * mu[0])
        return told - trials * log_sum(xp, [0.0 * mu[0], *mu])

    def base(y: Array, trials: Array) -> Array:
        return log_factorial(trials) - log_factorial(counts_of(y, trials, K)).sum(axis=-1)

    def sample(rng: np.random.Generator, trials: Array, *mu: Array) -> Array:
        shares = np.moveaxis(_probabilities(*mu), 0, -1)
        return coded(rng.multinomial(np.asarray(trials).astype(np.int64), shares).astype(float))

    def crude(y: Array, trials: Array) -> tuple[float, ...]:
        totals = counts_of(y, trials, K).sum(axis=0) + 0.5
        return tuple(np.log(totals[1:] / totals[0]).tolist())

    def expected(trials: Array, *mu: Array) -> Array:
        return np.sum(units(trials, K) * _probabilities(*mu), axis=0)

    def variance(trials: Array, *mu: Array) -> Array:
        shares, own = _probabilities(*mu), units(trials, K)
        return (np.sum(own**2 * shares, axis=0) - np.sum(own * shares, axis=0) ** 2) / trials

    return Family(
        "multinomial",
        tuple(Parameter(f"mu{level}", ("logit",), is_mean=True) for level in levels[1:]),
        "category_counts",
        kernel,
        _unordered,
        sample,
        variance,
        base=base,
        expected=expected,
        probabilities=_probabilities,
        untold="Counts of several categories have no order.",
        crude=crude,
        levels=levels,
        words="Multinomial(n[i], softmax(0, mu[i]))",
        with_levels=_multinomial,
        recipe=("multinomial", levels, link, named),
        latent=replace(LATENT["logit"].link, latent_variance=None),
        rises=rises_of_scores(K),
    )


def _probabilities(*mu: Array) -> Array:
    """Of all categories ``(K, ...)``."""
    with np.errstate(all="ignore"):
        return np.stack(np.broadcast_arrays(*softmax([np.zeros(()), *mu])))


def _unordered(*_: Array) -> Array:
    raise SpecError("Counts of several categories have no order, and no distribution function.")


MULTINOMIAL = _multinomial(UNSAID)
