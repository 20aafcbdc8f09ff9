"""Distributions of proportions with zeros, or zeros and ones, of probabilities of their own."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from bayesmix.arrays import Array
from bayesmix.language.families.family import Family, Limit, Parameter
from bayesmix.language.families.namespaces import Namespace
from bayesmix.language.families.proportions import BETA
from bayesmix.language.families.zeros import SHARE, hurdle

HALF = 0.5  # stands for a response at an end in formulas of those inside
FEWEST, MOST = 0.01, 0.99  # shares to start from

# ---- zeros -------------------------------------------------------------------------------------------------------

_HURDLE_BETA = hurdle(BETA)
ZERO_INFLATED_BETA = replace(
    _HURDLE_BETA,
    name="zero_inflated_beta",
    parameters=(
        *BETA.parameters,
        Parameter("zi", ("logit",), priors=SHARE, limit=Limit("beta", "zero"), at_one="zero"),
    ),
    support="zero_or_proportion",
    words=f"zero with probability zi[i], else {BETA.words}",
)

# ---- zeros and ones: an end with probability zoi, the upper one of these with probability coi ----------------------


def _is_inside(y: Any) -> Any:
    return (y > 0.0) & (y < 1.0)


def _inside(y: Array) -> Array:
    return np.where(_is_inside(y), y, HALF)


def _kernel(xp: Namespace, y: Any, trials: Any, mu: Any, *others: Any) -> Any:
    phi, zoi, coi = others
    inside = xp.where(_is_inside(y), y, HALF)
    at_end = xp.log(zoi) + xp.where(y < HALF, xp.log1p(-coi), xp.log(coi))
    return xp.where(_is_inside(y), xp.log1p(-zoi) + BETA.kernel(xp, inside, trials, mu, phi), at_end)


def _base(y: Array, trials: Array) -> Array:
    return np.where(_is_inside(y), BETA.base(_inside(y), trials), 0.0)


def _cdf(y: Array, trials: Array, mu: Array, *others: Array) -> Array:
    phi, zoi, coi = others
    below_one = zoi * (1.0 - coi) + (1.0 - zoi) * BETA.cdf(y, trials, mu, phi)
    return np.where(y < 0.0, 0.0, np.where(y < 1.0, below_one, 1.0))


def _log_tails(xp: Namespace, y: Any, trials: Any, mu: Any, *others: Any) -> tuple[Any, Any]:
    phi, zoi, coi = others
    assert BETA.log_tails is not None
    below, above = BETA.log_tails(xp, xp.where(_is_inside(y), y, HALF), trials, mu, phi)
    rest, inside = 1.0 - zoi, _is_inside(y)
    at_most = zoi * (1.0 - coi) + xp.where(inside, rest * xp.exp(below), 0.0)
    more = xp.log(zoi * coi + rest * xp.where(inside, xp.exp(above), 1.0))
    return xp.log(xp.where(y < 1.0, at_most, 1.0)), xp.where(y < 1.0, more, -np.inf)


def _sample(rng: np.random.Generator, trials: Array, mu: Array, *others: Array) -> Array:
    phi, zoi, coi = others
    inside = BETA.sample(rng, trials, mu, phi)
    ends = (rng.random(inside.shape) < coi).astype(float)
    return np.where(rng.random(inside.shape) < zoi, ends, inside)


def _expected(_: Array, mu: Array, phi: Array, zoi: Array, coi: Array) -> Array:
    return zoi * coi + (1.0 - zoi) * mu


def _variance(trials: Array, mu: Array, phi: Array, zoi: Array, coi: Array) -> Array:
    squares = zoi * coi + (1.0 - zoi) * (BETA.variance(trials, mu, phi) + mu**2)
    return squares - _expected(trials, mu, phi, zoi, coi) ** 2


def _crude(y: Array, _: Array) -> tuple[float, ...]:
    inside, ends = y[_is_inside(y)], y[~_is_inside(y)]
    inside = inside if len(inside) else np.array([HALF])
    mu = float(np.mean(inside))
    upper = float(np.clip(np.mean(ends), FEWEST, MOST)) if len(ends) else HALF
    share = float(np.clip(len(ends) / len(y), FEWEST, MOST))
    return (mu, *BETA.start(inside, np.full(inside.shape, mu)), share, upper)


ZERO_ONE_INFLATED_BETA = Family(
    "zero_one_inflated_beta",
    (
        *BETA.parameters,
        Parameter("zoi", ("logit",), priors=SHARE, limit=Limit("beta", "zero"), at_one="zero or one"),
        Parameter(
            "coi",
            ("logit",),
            priors=SHARE,
            limit=Limit("zero_inflated_beta", "zero"),
            at_one="one, if it is zero or one",
        ),
    ),
    "closed_proportion",
    _kernel,
    _cdf,
    _sample,
    _variance,
    base=_base,
    log_tails=_log_tails,
    expected=_expected,
    crude=_crude,
    words=f"zero or one with probability zoi[i], one of these with coi[i], else {BETA.words}",
)
