"""What every family must obey, against functions of SciPy or mpmath that a case brings."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations_with_replacement

import numpy as np
import pytest
from scipy import stats

from bayesmix.language.families.derivatives import Derivatives, by_predictors
from bayesmix.language.families.family import Family
from bayesmix.language.families.link import LINKS
from bayesmix.language.families.namespaces import NUMERIC

Array = np.ndarray

EXACT = {"rtol": 1e-11, "atol": 1e-11}
DIFFERENCED = {"rtol": 2e-6, "atol": 2e-6}
DRAWS = 20_000
STEP = 1e-4


@dataclass(frozen=True, slots=True, eq=False)
class Law:
    """A family with values to try it at: arrays ``(m,)`` that broadcast."""

    family: Family
    y: Array
    parameters: Sequence[Array]  # mu and those beside it, on their own scales
    log_density: Callable[..., Array]  # (y, trials, *parameters), by another library
    trials: Array | float = 1.0
    y_of_cdf: Array | None = None  # all values from the least up to where cdf is nearly one, of counts

    @property
    def id(self) -> str:
        return self.family.name

    @property
    def rows(self) -> tuple[Array, Array, list[Array]]:
        """Responses, trials and parameters as arrays of one shape."""
        whole = np.broadcast_arrays(self.y, self.trials, *self.parameters)
        y, trials, *own = [np.asarray(one, float).copy() for one in whole]
        return y, trials, own


def check_density(law: Law) -> None:
    y, trials, own = law.rows
    found = law.family.log_density(y, trials, *own)
    np.testing.assert_allclose(found, law.log_density(y, trials, *own), **EXACT)


def check_derivatives(law: Law) -> None:
    """By all linear predictors up to third order, against central differences of the order before."""
    y, trials, own = law.rows
    latent = law.family.latent
    links = [
        latent if latent and (j == 0 or parameter.is_mean) else LINKS[parameter.links[0]]
        for j, parameter in enumerate(law.family.parameters)
    ]
    eta = [link.of(value) for link, value in zip(links, own, strict=True)]
    ones = np.ones(y.shape)

    def at(shift: Sequence[float], order: int) -> dict[tuple[int, ...], Array]:
        moved = [one + s for one, s in zip(eta, shift, strict=True)]
        found = by_predictors(law.family, links, y, moved, trials=trials, weights=ones, order=order)
        return {(): found.value, **_by_all(found, len(eta))}

    whole = at([0.0] * len(eta), 3)
    free = [r for r, parameter in enumerate(law.family.parameters) if not parameter.is_known]
    for order in (1, 2, 3):
        for by in combinations_with_replacement(free, order):
            *rest, last = by
            ends = []
            for size in (-2.0, -1.0, 1.0, 2.0):
                shift = [size * STEP if r == last else 0.0 for r in range(len(eta))]
                ends.append(at(shift, max(order - 1, 1))[tuple(rest)])
            difference = (ends[0] - 8.0 * ends[1] + 8.0 * ends[2] - ends[3]) / (12.0 * STEP)
            np.testing.assert_allclose(whole[by], difference, **DIFFERENCED, err_msg=str(by))


def _by_all(found: Derivatives, R: int) -> dict[tuple[int, ...], Array]:
    """Derivatives by all parameters, from those of each row by the ones that it knows."""
    if found.places is None:
        return found.partial
    whole = {
        by: np.zeros(found.value.shape)
        for order in range(1, max(map(len, found.partial)) + 1)
        for by in combinations_with_replacement(range(R), order)
    }
    for by, values in found.partial.items():
        for i, value in enumerate(values):
            whole[tuple(sorted(found.places[r, i] for r in by))][i] = value
    return whole


def check_cdf(law: Law) -> None:
    """Against sums of the density of counts, and integrals of any other."""
    _, trials, own = law.rows
    n = 5 if len(own[0]) > 5 else len(own[0])
    for i in range(n):
        at = [one[i] for one in own]
        if law.family.values.is_discrete:
            assert law.y_of_cdf is not None
            values = law.y_of_cdf
            density = np.exp(law.log_density(values, trials[i], *at))
            found = law.family.cdf(values, trials[i] + 0.0 * values, *(one + 0.0 * values for one in at))
            np.testing.assert_allclose(found, np.cumsum(density), rtol=1e-9, atol=1e-10)
        else:
            _check_integral(law, trials[i], at)


def _check_integral(law: Law, trials: float, at: Sequence[float]) -> None:
    """Differences of the distribution function between quantiles of draws."""
    from scipy.integrate import quad

    rng = np.random.default_rng(3)
    drawn = law.family.sample(rng, np.full(500, trials), *(np.full(500, one) for one in at))
    ends = np.unique(np.quantile(drawn, [0.05, 0.3, 0.6, 0.95]))
    ends = ends[~np.isin(ends, law.family.values.atoms)]
    values = law.family.cdf(ends, np.full(ends.shape, trials), *(np.full(ends.shape, one) for one in at))
    for low, high, difference in zip(ends, ends[1:], np.diff(values), strict=False):
        area, _ = quad(lambda y: float(np.exp(law.log_density(np.array(y), trials, *at))), low, high, epsabs=1e-12)
        np.testing.assert_allclose(difference, area, rtol=1e-7, atol=1e-9)


def check_draws(law: Law) -> None:
    """Kolmogorov and Smirnov's distance of draws from the distribution function; their mean and variance."""
    _, trials, own = law.rows
    for i in (0, len(trials) // 2, len(trials) - 1):
        rng = np.random.default_rng([7, i])
        at = [np.full(DRAWS, one[i]) for one in own]
        t = np.full(DRAWS, trials[i])
        drawn = law.family.sample(rng, t, *at)
        jitter = rng.random(DRAWS)
        upto = law.family.cdf(drawn, t, *at)
        below = law.family.cdf(law.family.values.below(drawn), t, *at)
        assert stats.kstest(below + jitter * (upto - below), "uniform").pvalue > 1e-4
        mean = float(law.family.mean(t, *at)[0] if law.family.expected else at[0][0])
        variance = float(np.broadcast_to(law.family.variance(t, *at), t.shape)[0])
        if np.isfinite(variance):
            error = np.sqrt(variance / DRAWS)
            assert abs(np.mean(drawn / t) - mean) < 5.0 * error
            spread = np.std((drawn / t - mean) ** 2) / np.sqrt(DRAWS)
            assert abs(np.mean((drawn / t - mean) ** 2) - variance) < 6.0 * spread


def check_symbols(law: Law) -> None:
    """The same text in PyTensor."""
    import pytensor
    import pytensor.tensor as pt
    from graphs import AS_WRITTEN

    from bayesmix.language.families.namespaces import symbolic

    y, trials, own = law.rows
    symbols = [pt.dvector(f"p{j}") for j in range(len(own))]
    graph = law.family.kernel(symbolic(), pt.as_tensor_variable(y), trials, *symbols)
    found = pytensor.function(symbols, graph, mode=AS_WRITTEN)(*own)
    expected = law.log_density(y, trials, *own) - law.family.base(y, trials)
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9)


def check_tails(law: Law) -> None:
    """Logarithms of both tails, of families that have formulas for them."""
    y, trials, own = law.rows
    if law.family.log_tails is None:
        return
    below, above = np.exp(law.family.log_tails(NUMERIC, y, trials, *own))
    np.testing.assert_allclose(below, law.family.cdf(y, trials, *own), **EXACT)
    np.testing.assert_allclose(below + above, 1.0, **EXACT)


CHECKS = (
    check_density,
    check_derivatives,
    check_cdf,
    check_tails,
    check_draws,
    pytest.param(check_symbols, marks=pytest.mark.slow),
)
