"""Null distribution of the restricted likelihood ratio of one variance, by spectral simulation.

Under the hypothesis that a variance is zero the restricted likelihood ratio of a linear mixed model with no other has
a distribution that depends on eigenvalues of the design alone (Crainiceanu and Ruppert 2004, *JRSS B* 66, theorem 1);
with a point mass at zero, it is far from a chi-square. With other variances that of a model without them approximates
it (Greven, Crainiceanu, Kuechenhoff and Peters 2008, *JCGS* 17).
"""

from __future__ import annotations

import numpy as np

from bayesmix.arrays import Array
from bayesmix.data.design.design import Design, Term

EQUAL = 1e-8  # relative difference of eigenvalues that are the same
POINTS = 160  # of the ratio of variances, whose logarithm they divide evenly: steps of 0.2
REACH = 1e6  # from the smallest to the largest ratio, beside those where a single eigenvalue matters
BATCH = 20_000_000  # numbers held at a time
MOST_LEVELS = 4_000  # of a factor whose eigenvalues are computed


def eigenvalues(design: Design, term: Term) -> tuple[Array, Array]:
    """Positive eigenvalues of ``Z' P Z``, ``P`` the projection off the fixed effects; each once, with multiplicity.

    Parameters
    ----------
    term : of one effect.
    """
    root = np.sqrt(design.weights)
    z, J = root * term.z[:, 0], len(term.levels)
    Q = np.linalg.qr(root[:, None] * design.X)[0]
    by_level = np.stack([np.bincount(term.codes, weights=z * column, minlength=J) for column in Q.T], axis=1)
    between = np.diag(np.bincount(term.codes, weights=z * z, minlength=J)) - by_level @ by_level.T
    found = np.linalg.eigvalsh(between)
    found = found[found > EQUAL * found[-1]]
    first = np.concatenate([[True], np.diff(found) > EQUAL * found[-1]])
    return found[first], np.diff(np.append(np.flatnonzero(first), len(found)))


def restricted_ratios(design: Design, term: Term, n: int, seed: int) -> Array:
    """Draws ``(n,)`` of the restricted likelihood ratio where the variance of a term of one effect is zero."""
    mu, many = eigenvalues(design, term)
    rest = float(design.outcome.counts.sum()) - design.X.shape[1] - int(many.sum())
    rng = np.random.default_rng(seed)
    size = max(1, BATCH // max(POINTS, len(mu)))
    counts = [min(size, n - begin) for begin in range(0, n, size)]
    return np.concatenate([_largest(mu, many, rest, count, rng) for count in counts])


def _largest(mu: Array, many: Array, rest: int, count: int, rng: np.random.Generator) -> Array:
    """Suprema of the profile over the ratio of variances, zero included."""
    squares = rng.chisquare(many, (count, len(mu)))
    beside = rng.chisquare(rest, count) if rest > 0 else np.zeros(count)
    ratios = np.geomspace(REACH**-0.5 / mu[-1], REACH / mu[0], POINTS)
    shrunk = 1.0 / (1.0 + ratios[:, None] * mu)  # (points, eigenvalues)
    left = squares @ shrunk.T + beside[:, None]
    total = squares.sum(axis=1) + beside
    freedom = float(many.sum()) + rest
    profile = freedom * np.log(total[:, None] / left) + np.log(shrunk) @ many
    return _refined(profile)


def _refined(profile: Array) -> Array:
    """Largest values ``(count,)`` of curves by a parabola through the largest point and its neighbours; at least 0."""
    place = np.clip(np.argmax(profile, axis=1), 1, profile.shape[1] - 2)
    rows = np.arange(len(profile))
    before, here, after = (profile[rows, place + step] for step in (-1, 0, 1))
    bend = before - 2.0 * here + after
    with np.errstate(divide="ignore", invalid="ignore"):
        peak = here - (after - before) ** 2 / (8.0 * bend)
    inside = (here >= before) & (here >= after) & (bend < 0.0)
    return np.maximum(np.where(inside, peak, np.maximum(before, np.maximum(here, after))), 0.0)
