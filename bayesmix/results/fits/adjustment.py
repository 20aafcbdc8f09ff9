"""Adjustments of p-values and intervals for the number of tests in a family."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from bayesmix.arrays import Array
from bayesmix.errors import SpecError, nearest
from bayesmix.inference.estimation.simultaneous import LargestOfSeveral, quantile_of, studentized_range
from bayesmix.results.fits.degrees_of_freedom import quantile

SYNONYMS = {"simultaneous": "mvt"}  # what intervals that hold together are called of a posterior


@dataclass(frozen=True, slots=True, eq=False)
class SeveralTests:
    """The tests of one family, ``(m,)`` each."""

    statistic: Array
    df: Array
    p: Array  # of each test by itself
    cov: Array | None = None  # (m, m) of the estimates; None where it is not known
    means: int | None = None  # of a family, of which its tests are all pairs; None where they are not

    def take(self, rows: Array) -> SeveralTests:
        """Some of them."""
        cov = None if self.cov is None else self.cov[np.ix_(rows, rows)]
        return replace(self, statistic=self.statistic[rows], df=self.df[rows], p=self.p[rows], cov=cov)

    @property
    def correlation(self) -> Array:
        """Correlations of the estimates ``(m, m)``.

        Raises
        ------
        SpecError
            If they are not known.
        """
        if self.cov is None:
            raise SpecError(
                'adjust="mvt" and "scheffe" need the correlations of the estimates, which are known of two-sided tests'
                ' of fixed effects. Leave groups= at "average" or "zero", or ask for adjust="holm" or "sidak".'
            )
        size = np.sqrt(np.maximum(np.diagonal(self.cov), 1e-300))
        return np.asarray(self.cov / np.outer(size, size))


@dataclass(frozen=True, slots=True)
class Adjustment:
    """p-values of the tests of a family, and half the widths of its intervals in standard errors."""

    words: str
    p: Callable[[SeveralTests], Array]
    reach: Callable[[SeveralTests, float], Array]


def adjustment(name: str) -> Adjustment:
    """The adjustment of this name.

    Raises
    ------
    SpecError
        If there is none.
    """
    name = SYNONYMS.get(name, name) if isinstance(name, str) else name
    if not isinstance(name, str) or name not in ADJUSTMENTS:
        hint = nearest(name, ADJUSTMENTS) if isinstance(name, str) else ""
        raise SpecError(f"There is no adjustment adjust={name!r}.{hint} Choices: {', '.join(ADJUSTMENTS)}.")
    return ADJUSTMENTS[name]


def adjusted(name: str, tests: SeveralTests, families: Array, level: float) -> tuple[Array, Array]:
    """p-values, and half the widths of intervals in standard errors, ``(m,)`` each.

    Parameters
    ----------
    families : (m,) number of the family that each test is of.
    level : coverage of the intervals of a family.
    """
    chosen = adjustment(name)
    p, reach = tests.p.copy(), quantile(tests.df, level)
    for number in np.unique(families):
        own = np.flatnonzero((families == number) & ~np.isnan(tests.p))  # without tests of what does not vary
        of_family = tests.take(own)
        p[own], reach[own] = chosen.p(of_family), chosen.reach(of_family, level)
    return p, reach


# ---- from the p-values alone --------------------------------------------------------------------------------------


def _bonferroni(tests: SeveralTests) -> Array:
    return np.minimum(len(tests.p) * tests.p, 1.0)


def _sidak(tests: SeveralTests) -> Array:
    return np.asarray(-np.expm1(len(tests.p) * np.log1p(-tests.p)))


def _holm(tests: SeveralTests) -> Array:
    order = np.argsort(tests.p)
    stepped = np.maximum.accumulate(tests.p[order] * np.arange(len(order), 0, -1))
    return np.asarray(np.minimum(stepped, 1.0)[np.argsort(order)])


def _false_discovery(tests: SeveralTests) -> Array:
    order = np.argsort(tests.p)[::-1]
    m = len(order)
    stepped = np.minimum.accumulate(tests.p[order] * m / np.arange(m, 0, -1))
    return np.asarray(np.minimum(stepped, 1.0)[np.argsort(order)])


def _alone(tests: SeveralTests, level: float) -> Array:
    return quantile(tests.df, level)


def _by_bonferroni(tests: SeveralTests, level: float) -> Array:
    return quantile(tests.df, 1.0 - (1.0 - level) / max(len(tests.p), 1))


def _by_sidak(tests: SeveralTests, level: float) -> Array:
    return quantile(tests.df, level ** (1.0 / max(len(tests.p), 1)))


# ---- from the joint distribution of the statistics ----------------------------------------------------------------


def _tukey(tests: SeveralTests) -> Array:
    means = _means(tests)
    size = math.sqrt(2.0) * np.abs(tests.statistic)
    return np.array([studentized_range(q, means, df) for q, df in zip(size, tests.df, strict=True)])


def _by_tukey(tests: SeveralTests, level: float) -> Array:
    means = _means(tests)
    return _reaches(lambda q, df: studentized_range(q, means, df), tests.df, level) / math.sqrt(2.0)


def _means(tests: SeveralTests) -> int:
    if tests.means is None:
        raise SpecError(
            'adjust="tukey" is for the differences of all pairs of means: contrasts(method="pairwise"). Of other'
            ' families of tests ask for adjust="mvt", which takes in their correlations, "holm" or "sidak".'
        )
    return tests.means


def _multivariate(tests: SeveralTests) -> Array:
    largest = LargestOfSeveral.of(tests.correlation)
    return np.array([largest.above(abs(t), df) for t, df in zip(tests.statistic, tests.df, strict=True)])


def _by_multivariate(tests: SeveralTests, level: float) -> Array:
    return _reaches(LargestOfSeveral.of(tests.correlation).above, tests.df, level)


def _reaches(above: Callable[[float, float], float], df: Array, level: float) -> Array:
    """Quantiles ``(m,)`` of a distribution that depends on degrees of freedom."""
    same = [float(f"{one:.9g}") for one in df]
    found = {one: quantile_of(partial(_swapped, above, one), level) for one in set(same)}
    return np.array([found[one] for one in same])


def _swapped(above: Callable[[float, float], float], df: float, c: float) -> float:
    return above(c, df)


def _scheffe(tests: SeveralTests) -> Array:
    from scipy.special import chdtrc, fdtrc

    rank = int(np.linalg.matrix_rank(tests.correlation, tol=1e-8))
    squared = tests.statistic**2
    with np.errstate(invalid="ignore"):
        finite = fdtrc(rank, np.where(np.isinf(tests.df), 1.0, tests.df), squared / rank)
    return np.where(np.isinf(tests.df), chdtrc(rank, squared), finite)


def _by_scheffe(tests: SeveralTests, level: float) -> Array:
    from scipy.special import chdtri, fdtri

    rank = int(np.linalg.matrix_rank(tests.correlation, tol=1e-8))
    finite = rank * fdtri(rank, np.where(np.isinf(tests.df), 1.0, tests.df), level)
    return np.sqrt(np.where(np.isinf(tests.df), chdtri(rank, 1.0 - level), finite))


ADJUSTMENTS = {
    "none": Adjustment("none: p-values and intervals are of each test alone", lambda tests: tests.p, _alone),
    "tukey": Adjustment("Tukey's, for all pairs of the means of a family", _tukey, _by_tukey),
    "sidak": Adjustment("Sidak's, for the tests of a family", _sidak, _by_sidak),
    "holm": Adjustment("Holm's, for the tests of a family; intervals by Bonferroni's", _holm, _by_bonferroni),
    "bonferroni": Adjustment("Bonferroni's, for the tests of a family", _bonferroni, _by_bonferroni),
    "mvt": Adjustment("multivariate t, for the tests of a family", _multivariate, _by_multivariate),
    "fdr": Adjustment(
        "Benjamini and Hochberg's false discovery rate in a family; intervals by Bonferroni's",
        _false_discovery,
        _by_bonferroni,
    ),
    "scheffe": Adjustment("Scheffe's, for all combinations of the tests of a family", _scheffe, _by_scheffe),
}
