"""Ordered categories (McCullagh 1980; Tutz 1990; Bürkner and Vuorre 2019, AMPPS 2) and unordered ones.

Of ``K`` categories, coded 0 to K - 1, with thresholds ``tau_1 .. tau_(K-1)``, a latent mean ``mu`` and its
discrimination ``disc``, ``F`` the distribution function of a link:

===========  ==========================================================================================
cumulative   ``P(y <= k) = F(disc (tau_k - mu))``
sratio       stopping: ``P(y = k | y >= k) = F(disc (tau_k - mu))``
cratio       continuing: ``P(y > k | y >= k) = F(disc (mu - tau_k))``
acat         ``P(y = k + 1 | y in {k, k + 1}) = F(disc (mu - tau_k))``
categorical  ``log P(y = k) / P(y = 0) = mu_k``
===========  ==========================================================================================

With category-specific effects ``tau_k - c_k``, row by row, are in the place of the thresholds.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np

from bayesmix.arrays import Array
from bayesmix.language.families.cut import between, by_neighbours
from bayesmix.language.families.family import Family, Parameter
from bayesmix.language.families.latent import LATENT, Latent
from bayesmix.language.families.namespaces import NUMERIC, Namespace
from bayesmix.language.families.taylor import value_of

UNNAMED = ("1", "2")  # before the data have said which categories there are
UNSAID = ("", "")  # the same where parameters are called by them: the second has no name of its own
FEW = 3  # categories of which each knows all thresholds
SPREAD = 1.5  # prior standard deviation of a threshold, on the latent scale
FUNCTIONS = {"logit": "logistic", "probit": "Phi", "cloglog": "gompertz"}  # in words
SPECIFIC = "cs"  # among the names of parameters with formulas: thresholds have effects of their own
DISC = Parameter("disc", ("log",), has_intercept=False, priors={}, endless=1e3)

Log = Callable[..., Any]  # (latent, xp, y, mu, thresholds, disc): log probability of categories
Shares = Callable[[Latent, Sequence[Array]], list[Array]]  # (latent, thresholds from mu in units of disc): of all
Rises = Callable[[int, str], Array]  # (number of categories, link): `Family.rises`


def _chosen(xp: Namespace, y: Any, values: Sequence[Any], first: int) -> Any:
    """The value of the category of each row, ``values[j]`` being that of category ``first + j``; ends go on."""
    found = values[-1]
    for j in reversed(range(len(values) - 1)):
        found = xp.where(y < first + j + 0.5, values[j], found)
    return found


def _cumulative(latent: Latent, xp: Namespace, y: Any, mu: Any, thresholds: Sequence[Any], disc: Any) -> Any:
    low, high = _chosen(xp, y, thresholds, 1), _chosen(xp, y, thresholds, 0)
    return between(latent, xp, len(thresholds) + 1, y, mu, low, high, disc)


def _stopping(latent: Latent, xp: Namespace, y: Any, mu: Any, thresholds: Sequence[Any], disc: Any) -> Any:
    steps = [(tau - mu) * disc for tau in thresholds]
    return _staged(xp, y, [(latent.log_cdf(xp, x), latent.log_survival(xp, x)) for x in steps])


def _continuing(latent: Latent, xp: Namespace, y: Any, mu: Any, thresholds: Sequence[Any], disc: Any) -> Any:
    steps = [(mu - tau) * disc for tau in thresholds]
    return _staged(xp, y, [(latent.log_survival(xp, x), latent.log_cdf(xp, x)) for x in steps])


def _staged(xp: Namespace, y: Any, stages: Sequence[tuple[Any, Any]]) -> Any:
    """Of categories that are passed one by one: log probabilities to stop at each stage, and to go on from it."""
    total = 0.0 * y
    for k, (stops, goes_on) in enumerate(stages):
        total = total + xp.where(y < k - 0.5, 0.0, xp.where(y < k + 0.5, stops, goes_on))
    return total


def _adjacent(latent: Latent, xp: Namespace, y: Any, mu: Any, thresholds: Sequence[Any], disc: Any) -> Any:
    steps = [(mu - tau) * disc for tau in thresholds]
    scores = _cumulated([latent.log_odds(xp, x) for x in steps])
    return _chosen(xp, y, scores, 0) - log_sum(xp, scores)


def _cumulated(steps: Sequence[Any]) -> list[Any]:
    """Log probabilities of categories over that of the first, from the log odds of the next one of two."""
    scores: list[Any] = [0.0 * steps[0]]
    for step in steps:
        scores.append(scores[-1] + step)
    return scores


def log_sum(xp: Namespace, scores: Sequence[Any]) -> Any:
    """``log sum exp``, less the largest score, which is a number: the sum does not depend on it."""
    top = value_of(scores[0])
    for score in scores[1:]:
        own = value_of(score)
        top = xp.where(own > top, own, top)
    total = sum((xp.exp(score - top) for score in scores[1:]), start=xp.exp(scores[0] - top))
    return xp.log(total) + top


# ---- probabilities of all categories: the same, quicker than the density of each in turn --------------------------


def _shares_between(latent: Latent, ends: Sequence[Array]) -> list[Array]:
    below = [np.zeros(()), *map(latent.cdf, ends), np.ones(())]
    return [np.maximum(high - low, 0.0) for low, high in pairwise(below)]


def _shares_of_stopping(latent: Latent, ends: Sequence[Array]) -> list[Array]:
    return _by_stages([latent.cdf(x) for x in ends])


def _shares_of_continuing(latent: Latent, ends: Sequence[Array]) -> list[Array]:
    return _by_stages([1.0 - latent.cdf(-x) for x in ends])


def _by_stages(stops: Sequence[Array]) -> list[Array]:
    """Of categories that are passed one by one, from the probabilities to stop at each."""
    reached, found = np.ones(()), []
    for stop in stops:
        found.append(reached * stop)
        reached = reached - found[-1]
    return [*found, reached]


def _shares_of_steps(latent: Latent, ends: Sequence[Array]) -> list[Array]:
    return softmax(_cumulated([latent.log_odds(NUMERIC, -x) for x in ends]))


def softmax(scores: Sequence[Array]) -> list[Array]:
    """Probabilities of categories from their scores."""
    most = scores[0]
    for score in scores[1:]:
        most = np.maximum(most, score)
    parts = [np.exp(score - most) for score in scores]
    total = sum(parts, start=np.zeros(()))
    return [part / total for part in parts]


# ---- what makes a category likelier for ever ------------------------------------------------------------------------


def _up_to(K: int, k: int) -> Array:
    """That the latent mean falls below the threshold above category ``k``: one form of it and ``K - 1`` thresholds."""
    return np.concatenate([[-1.0], np.eye(K - 1)[k]])


def _stack(K: int, forms: Callable[[int], list[Array]]) -> Array:
    """The forms of each category, zeros where one has fewer than others."""
    own = [forms(k) for k in range(K)]
    stacked = np.zeros((K, max(map(len, own)), len(own[0][0])))
    for k, some in enumerate(own):
        stacked[k, : len(some)] = some
    return stacked


def _rises_between(K: int, _: str) -> Array:
    """The latent mean is below the threshold above, and over that below a category."""

    def forms(k: int) -> list[Array]:
        return [*([_up_to(K, k)] if k < K - 1 else []), *([-_up_to(K, k - 1)] if k else [])]

    return _stack(K, forms)


def _rises_by_stages(K: int, _: str) -> Array:
    """All categories below are passed, and the one above is not reached."""

    def forms(k: int) -> list[Array]:
        return [*(-_up_to(K, j) for j in range(k)), *([_up_to(K, k)] if k < K - 1 else [])]

    return _stack(K, forms)


def _rises_by_steps(K: int, link: str) -> Array:
    """Steps from other categories to one, together for a logit, whose log odds add up; else one by one, which is enough
    but not needed.
    """

    def forms(k: int) -> list[Array]:
        steps = np.array([-_up_to(K, j) if j < k else _up_to(K, j) for j in range(K - 1)])
        if link != "logit":
            return list(steps)
        return [*(steps[m:k].sum(axis=0) for m in range(k)), *(steps[k:m].sum(axis=0) for m in range(k + 1, K))]

    return _stack(K, forms)


def rises_of_scores(K: int) -> Array:
    """The score of a category less those of all others; that of the first is zero."""
    scores = np.eye(K)[:, 1:]
    return _stack(K, lambda k: [scores[k] - other for m, other in enumerate(scores) if m != k])


# ---- records ----------------------------------------------------------------------------------------------------


def _ordered(
    made: tuple[str, Log, Shares, Rises, str], levels: tuple[str, ...], link: str, named: frozenset[str]
) -> Family:
    name, log, shares, rises, words = made
    latent, K = LATENT[link], len(levels)
    has_disc, has_own, is_cut = DISC.name in named, SPECIFIC in named, log is _cumulative
    middles = latent.quantile(np.arange(1, K) / K)
    thresholds = tuple(
        Parameter(f"{low}|{high}", ("identity",), is_threshold=True, priors=_of_threshold(float(middle)))
        for low, high, middle in zip(levels, levels[1:], middles, strict=False)
    )

    own_effects = tuple(_own_effects(one.name) for one in thresholds if has_own)

    def divided(others: Sequence[Any]) -> tuple[Sequence[Any], Any]:
        """Thresholds with their own effects, and the discrimination."""
        rest, disc = (others[:-1], others[-1]) if has_disc else (others, 1.0)
        return [tau - own for tau, own in zip(rest, rest[K - 1 :], strict=False)] if has_own else rest, disc

    def kernel(xp: Namespace, y: Any, _: Any, mu: Any, *others: Any) -> Any:
        return log(latent, xp, y, mu, *divided(others))

    is_local = is_cut and not has_own and K > FEW
    density = by_neighbours(kernel, latent, K, has_disc=has_disc) if is_local else kernel

    def probabilities(mu: Array, *others: Array) -> list[Array]:
        own, disc = divided(others)
        return shares(latent, [(tau - mu) * disc for tau in own])

    def crude(y: Array, _: Array) -> tuple[float, ...]:
        shares = np.bincount(y.astype(int), minlength=K) + 0.5
        below = np.cumsum(shares)[:-1] / shares.sum()
        none = (0.0,) * len(own_effects)
        return (0.0, *latent.quantile(below).tolist(), *none, *((1.0,) if has_disc else ()))

    return _of_categories(
        name,
        (
            Parameter("mu", tuple(LATENT), has_intercept=False),
            *thresholds,
            *own_effects,
            *((DISC,) if has_disc else ()),
        ),
        "ordered",
        (density, probabilities),
        crude,
        levels,
        words=_in_words(words, link, has_own=has_own),
        with_levels=partial(_ordered, made),
        recipe=(name, levels, link, named),
        latent=latent.link if is_cut else replace(latent.link, latent_variance=None),
        is_cut=is_cut,
        rises=_with_own_effects(rises(K, link)) if has_own else rises(K, link),
    )


def _own_effects(threshold: str) -> Parameter:
    name = f"{SPECIFIC}({threshold})"
    return Parameter(name, ("identity",), has_intercept=False, of_threshold=threshold, priors={})


def _with_own_effects(rises: Array) -> Array:
    """Of what is taken from thresholds, too, behind them."""
    return np.concatenate([rises, -rises[..., 1:]], axis=-1)


def _in_words(words: str, link: str, *, has_own: bool) -> str:
    found = words.replace("F(", f"{FUNCTIONS[link]}(")
    return found.replace("threshold[k]", f"(threshold[k] - {SPECIFIC}[k][i])") if has_own else found


def _of_threshold(middle: float) -> dict[str, str]:
    own = f"Normal({middle:.6g}, {SPREAD})"
    return {"default": own, "bambi": own, "flat": "Flat", "brms": "StudentT(3, 0, 2.5)"}


def _categorical(levels: tuple[str, ...], link: str = "logit", named: frozenset[str] = frozenset()) -> Family:
    def kernel(xp: Namespace, y: Any, _: Any, *mu: Any) -> Any:
        scores = [0.0 * mu[0], *mu]
        return _chosen(xp, y, scores, 0) - log_sum(xp, scores)

    def probabilities(*mu: Array) -> list[Array]:
        return softmax([np.zeros(()), *mu])

    def crude(y: Array, _: Array) -> tuple[float, ...]:
        shares = np.bincount(y.astype(int), minlength=len(levels)) + 0.5
        return tuple(np.log(shares[1:] / shares[0]).tolist())

    return _of_categories(
        "categorical",
        tuple(Parameter(f"mu{level}", ("logit",), is_mean=True) for level in levels[1:]),
        "nominal",
        (kernel, probabilities),
        crude,
        levels,
        words="Categorical(softmax(0, mu[i]))",
        with_levels=_categorical,
        recipe=("categorical", levels, link, named),
        latent=replace(LATENT["logit"].link, latent_variance=None),
        rises=rises_of_scores(len(levels)),
    )


def _of_categories(
    name: str,
    parameters: tuple[Parameter, ...],
    support: Any,
    formulas: tuple[Any, Callable[..., list[Array]]],
    crude: Any,
    levels: tuple[str, ...],
    **rest: Any,
) -> Family:
    """A family of categories: everything follows from the probabilities of all of them.

    Parameters
    ----------
    formulas : the log density, and the probabilities of all categories.
    """
    kernel, shares = formulas
    codes = np.arange(float(len(levels)))

    def probabilities(*own: Array) -> Array:
        """``(K, ...)``."""
        with np.errstate(all="ignore"):
            return np.stack(np.broadcast_arrays(*shares(*own)))

    def below(*own: Array) -> Array:
        """Probabilities of each category but the last and those below it: ``(K - 1, ...)``."""
        return np.cumsum(probabilities(*own), axis=0)[:-1]

    def cdf(y: Array, _: Array, *own: Array) -> Array:
        found = below(*own)
        y = np.broadcast_to(y, found.shape[1:])
        place = np.clip(y, 0, len(levels) - 2).astype(int)
        chosen = np.take_along_axis(found, place[None], axis=0)[0]
        return np.where(y < 0.0, 0.0, np.where(y >= len(levels) - 1, 1.0, chosen))

    def sample(rng: np.random.Generator, _: Array, *own: Array) -> Array:
        found = below(*own)
        return np.sum(rng.random(found.shape[1:]) > found, axis=0).astype(float)

    def expected(_: Array, *own: Array) -> Array:
        return np.tensordot(codes, probabilities(*own), axes=1)

    def variance(_: Array, *own: Array) -> Array:
        found = probabilities(*own)
        return np.tensordot(codes**2, found, axes=1) - np.tensordot(codes, found, axes=1) ** 2

    return Family(
        name,
        parameters,
        support,
        kernel,
        cdf,
        sample,
        variance,
        expected=expected,
        probabilities=probabilities,
        untold="Categories that could not be told apart are made one, in the data.",
        crude=crude,
        levels=levels,
        **rest,
    )


def _record(name: str, formulas: tuple[Log, Shares, Rises], words: str) -> Family:
    return _ordered((name, *formulas, words), UNNAMED, "logit", frozenset({DISC.name}))


CUMULATIVE = _record(
    "cumulative",
    (_cumulative, _shares_between, _rises_between),
    "Cumulative(mu[i]): P(y <= k) = F(threshold[k] - mu[i])",
)
SRATIO = _record(
    "sratio",
    (_stopping, _shares_of_stopping, _rises_by_stages),
    "Stopping(mu[i]): P(y = k | y >= k) = F(threshold[k] - mu[i])",
)
CRATIO = _record(
    "cratio",
    (_continuing, _shares_of_continuing, _rises_by_stages),
    "Continuing(mu[i]): P(y > k | y >= k) = F(mu[i] - threshold[k])",
)
ACAT = _record(
    "acat",
    (_adjacent, _shares_of_steps, _rises_by_steps),
    "Adjacent(mu[i]): P(y = k + 1 | y = k or k + 1) = F(mu[i] - threshold[k])",
)
CATEGORICAL = _categorical(UNSAID)
