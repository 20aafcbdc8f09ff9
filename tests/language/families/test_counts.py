"""Distributions of counts against sums of logarithms."""

from __future__ import annotations

import time

import laws
import numpy as np
import pytest
from count_densities import geometric, nbinom1, negbinomial
from scipy import special, stats

from bayesmix.language.families.derivatives import by_predictors
from bayesmix.language.families.link import LINKS
from bayesmix.language.families.namespaces import NUMERIC
from bayesmix.language.families.registry import FAMILIES

Y = np.array([0.0, 0.0, 1.0, 2.0, 5.0, 12.0, 0.0, 40.0, 1.0, 300.0])
MU = np.array([0.2, 3.0, 0.5, 4.0, 5.0, 9.0, 30.0, 25.0, 1e-9, 250.0])
PHI = np.array([0.3, 1.0, 2.0, 0.1, 7.0, 1e-3, 0.5, 12.0, 2.0, 40.0])
SHAPE = np.array([0.3, 1.0, 20.0, 0.1, 7.0, 1e3, 0.5, 12.0, 2.0, 1e7])
COUNTS = np.arange(150.0)

LAWS = [
    laws.Law(FAMILIES["negbinomial"], Y, (MU, SHAPE), negbinomial, y_of_cdf=COUNTS),
    laws.Law(FAMILIES["nbinom1"], Y, (MU, PHI), nbinom1, y_of_cdf=COUNTS),
    laws.Law(FAMILIES["geometric"], Y, (MU,), geometric, y_of_cdf=COUNTS),
]


@pytest.mark.parametrize("check", laws.CHECKS)
@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.id)
def test_law(law, check):
    check(law)


def test_kernels_of_logarithms_of_means_are_those_of_means():
    """With means of 1e-9 to 1e9 and shapes of 1e-3 to 1e6."""
    own, link = FAMILIES["negbinomial"], LINKS["log"]
    eta, y = np.linspace(-20.0, 20.0, 41)[:, None], np.array([0.0, 1.0, 7.0, 300.0])
    shape = np.array([1e-3, 2.0, 1e6])[:, None, None]
    expected = own.kernel(NUMERIC, y, None, link.formula(NUMERIC, eta), shape)
    found = own.kernel_of(link)(NUMERIC, y, None, eta, shape)
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("eta", [701.0, 2_000.0])
def test_means_that_overflow_have_the_density_of_their_logarithms(eta):
    """Their mean was bounded and its logarithm was not: log probabilities of 20 000."""
    own, link, y, shape = FAMILIES["negbinomial"], LINKS["log"], np.array([0.0, 1.0, 9.0, 36.0]), np.array([0.7])
    rising = special.gammaln(shape + y) - special.gammaln(shape) - y * np.log(shape)
    found = own.kernel_of(link)(NUMERIC, y, None, np.full(4, eta), shape)
    np.testing.assert_allclose(found, rising - shape * eta + (y + shape) * np.log(shape), rtol=1e-12)


@pytest.mark.parametrize("family", ["nbinom1", "zero_inflated_nbinom1", "truncated_nbinom1", "hurdle_nbinom1"])
@pytest.mark.parametrize("phi", [1e-8, 1e-20, 1e-120, 1e-310])
def test_what_differs_from_poisson_is_proportional_to_the_overdispersion(family, phi):
    """So are its derivatives by ``log phi``: where they were rounding, or NaN, searches were led away.

    By that of the log density by phi at zero, ``mu / 2 - y + y (y - 1) / (2 mu)``, and what zeros make of it.
    """
    own, y, mu, share = FAMILIES[family], np.array([0.0, 1.0, 2.0, 9.0, 40.0]), 3.0, 0.2
    y = y[1:] if family.startswith("truncated") else y
    eta = [np.full(len(y), np.log(mu)), np.full(len(y), np.log(phi))]
    links = [LINKS["log"], LINKS["log"]]
    if family.startswith(("zero", "hurdle")):
        eta, links = [*eta, np.full(len(y), np.log(share / (1.0 - share)))], [*links, LINKS["logit"]]
    found = by_predictors(own, links, y, eta, trials=np.ones(len(y)), weights=np.ones(len(y)), order=3)
    slope, none = 0.5 * mu - y + 0.5 * y * (y - 1.0) / mu, np.exp(-mu)
    if family.startswith("zero"):
        slope[0] *= (1.0 - share) * none / (share + (1.0 - share) * none)
    if family.startswith(("truncated", "hurdle")):
        slope = np.where(y > 0.0, slope + 0.5 * mu * none / (1.0 - none), 0.0)
    for by in ((1,), (1, 1), (1, 1, 1)):
        np.testing.assert_allclose(found.partial[by], phi * slope, rtol=2e-6, atol=0.0)
    assert all(np.all(np.isfinite(one)) for one in found.partial.values())


@pytest.mark.parametrize("family", ["nbinom1", "negbinomial", "truncated_nbinom1", "truncated_negbinomial"])
@pytest.mark.parametrize("least", [1e-7, 1e-12, 1e-17, 1e-200, 0.0])
def test_draws_and_distributions_without_overdispersion_are_poissons(family, least):
    """Where a probability rounds to one draws were zeros, and logarithms of tails wrong by two in a hundred."""
    own, n, y = FAMILIES[family], 4_000, np.array([0.0, 1.0, 2.0, 3.0, 8.0, 20.0])
    with np.errstate(divide="ignore"):
        other = np.float64(least) if "nbinom1" in family else 1.0 / np.float64(least)
    law, zero = stats.poisson(4.0), np.exp(-4.0) if "truncated" in family else 0.0
    y = y[y > 0.0] if zero else y
    one, mu, others = np.ones(len(y)), np.full(len(y), 4.0), np.full(len(y), other)
    below, above = own.log_tails(NUMERIC, y, one, mu, others)
    np.testing.assert_allclose(below, np.log((law.cdf(y) - zero) / (1.0 - zero)), atol=200.0 * least + 1e-12)
    np.testing.assert_allclose(above, law.logsf(y) - np.log1p(-zero), atol=200.0 * least + 1e-12)
    np.testing.assert_allclose(own.cdf(y, one, mu, others), np.exp(below), rtol=1e-10)
    density = own.log_density(y, one, mu, others)
    np.testing.assert_allclose(density, law.logpmf(y) - np.log1p(-zero), atol=200.0 * least + 1e-12)
    drawn = own.sample(np.random.default_rng(5), np.ones(n), np.full(n, 4.0), np.full(n, other))
    expected = n * (law.pmf(np.arange(1.0, 8.0)) / (1.0 - zero))
    seen = np.array([np.sum(drawn == k) for k in range(1, 8)])
    assert np.all(np.abs(seen - expected) < 4.0 * np.sqrt(expected))
    assert drawn.mean() == pytest.approx(4.0 / (1.0 - zero), abs=0.15)


def test_distribution_functions_of_few_counts_are_sums() -> None:
    """Against SciPy's, on both sides of where the formula changes; of a posterior's draws in a tenth of its time."""
    rng = np.random.default_rng(1)
    family, y = FAMILIES["negbinomial"], np.arange(-1.0, 40.0)
    for mean, shape in ((1e-8, 1.0), (3.0, 1e-6), (3.0, 0.7), (15.0, 1e6), (1e5, 100.0)):
        expected = stats.nbinom(shape, shape / (shape + mean)).cdf(y)
        found = family.cdf(y, np.ones(()), np.array(mean), np.array(shape))
        np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-300)
    counts, mu, shape = rng.poisson(2.0, 300).astype(float), np.exp(rng.normal(size=(200, 300))), np.full((200, 1), 1.5)
    times = []
    for cdf in (family.cdf, lambda y, _, mu, shape: special.betaincc(y + 1.0, shape, mu / (shape + mu))):
        begin = time.process_time()
        found = cdf(counts, np.ones(()), mu, shape)
        times.append(time.process_time() - begin)
    assert times[0] < 0.25 * times[1]
