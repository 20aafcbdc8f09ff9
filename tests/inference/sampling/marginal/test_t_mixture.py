"""Mixtures of t distributions against `scipy.stats`, their fit against expectation-maximisation point by point."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from scipy.special import logsumexp

from bayesmix.inference.sampling.marginal.t_mixture import (
    COMPONENTS,
    DEFENCE,
    ENOUGH,
    FREEDOM,
    KEPT_MODES,
    WIDE_FREEDOM,
    WIDER,
    ApproximationError,
    Mixture,
    _refit,
    _spread,
    adapt,
    fitted,
    joined,
    normalised,
    start,
    tempered,
)

EXACT = {"rtol": 1e-10, "atol": 1e-12}


HALVES = np.array([0.5, 0.5])  # of two parts


def mixture() -> Mixture:
    roots = np.array([[[1.0, 0.0], [0.6, 0.5]], [[0.3, 0.0], [-0.2, 2.0]]])
    return Mixture(np.array([0.3, 0.7]), np.array([[0.0, 1.0], [4.0, -2.0]]), roots, np.array([5.0, 3.0]))


def scipy_components(of: Mixture, x: np.ndarray) -> np.ndarray:
    """Log of weight times density: ``(n, K)``."""
    parts = zip(of.weights, of.means, of.roots, of.freedom, strict=True)
    return np.stack(
        [
            np.log(w) + np.atleast_1d(stats.multivariate_t(mean, root @ root.T, df=nu).logpdf(x))
            for w, mean, root, nu in parts
        ],
        axis=1,
    )


def test_densities_are_scipys() -> None:
    x = np.random.default_rng(0).normal(scale=5.0, size=(40, 2))
    np.testing.assert_allclose(mixture().log_components(x), scipy_components(mixture(), x), **EXACT)
    np.testing.assert_allclose(mixture().log_density(x), logsumexp(scipy_components(mixture(), x), axis=1), **EXACT)


def test_a_component_whose_weight_one_draw_has_stays_as_wide_as_it_was() -> None:
    """Of weights that say nothing else a fit ended in an error of Cholesky's."""
    x = np.random.default_rng(3).normal(size=(50, 2))
    found = _refit(mixture(), x, np.eye(50)[7])
    np.testing.assert_allclose(found.means, np.tile(x[7], (len(found.means), 1)))
    assert all(any(np.array_equal(root, old) for old in mixture().roots) for root in found.roots)


def test_a_mixture_of_one_dimension_integrates_to_one() -> None:
    grid = np.linspace(-400.0, 400.0, 800_001)
    assert np.trapezoid(np.exp(start(np.zeros(1), np.eye(1)).log_density(grid[:, None])), grid) == pytest.approx(
        1.0, abs=1e-5
    )


def test_draws_are_those_of_the_components() -> None:
    """Squared distances over the dimension are F distributed, and counts are the weights' to one draw."""
    of, n = mixture(), 20_000
    x = of.draw(n, np.random.default_rng(1))
    near = np.argmax(scipy_components(Mixture(of.weights, of.means, 0.2 * of.roots, of.freedom), x), axis=1)
    assert abs(np.mean(near == 0) - 0.3) < 0.02  # some draws of either lie near the other
    for k in range(2):
        alone = Mixture(np.ones(1), of.means[k : k + 1], of.roots[k : k + 1], of.freedom[k : k + 1])
        own = alone.draw(4000, np.random.default_rng(2))
        half = np.linalg.solve(of.roots[k], (own - of.means[k]).T)
        assert stats.kstest(np.sum(half**2, axis=0) / 2.0, stats.f(2, of.freedom[k]).cdf).pvalue > 1e-3
        assert stats.kstest(np.arctan2(*half) / np.pi, stats.uniform(-1.0, 2.0).cdf).pvalue > 1e-3
    far = Mixture(np.array([0.25, 0.75]), np.array([[0.0], [1e6]]), np.ones((2, 1, 1)), np.full(2, 50.0))
    assert np.sum(far.draw(1000, np.random.default_rng(3))[:, 0] > 5e5) in {749, 750, 751}


def test_a_mixture_of_mixtures() -> None:
    other = start(np.array([1.0, 1.0]), np.array([[2.0, 0.3], [0.3, 1.0]]))
    x = np.random.default_rng(4).normal(size=(20, 2))
    both = joined([mixture(), other], np.array([0.4, 0.6]))
    expected = np.logaddexp(np.log(0.4) + mixture().log_density(x), np.log(0.6) + other.log_density(x))
    np.testing.assert_allclose(both.log_density(x), expected, **EXACT)


def test_the_first_proposal_and_a_wider_one() -> None:
    covariance = np.array([[2.0, 0.3], [0.3, 1.0]])
    of = start(np.array([1.0, -1.0]), covariance)
    x = np.random.default_rng(5).normal(size=(20, 2))
    parts = [(0.7, 1.1), (0.3, 2.2)]
    expected = logsumexp(
        [np.log(w) + stats.multivariate_t([1.0, -1.0], s**2 * covariance, df=FREEDOM).logpdf(x) for w, s in parts],
        axis=0,
    )
    np.testing.assert_allclose(of.log_density(x), expected, **EXACT)
    wider = of.widened()
    np.testing.assert_allclose(wider.roots, WIDER * of.roots, **EXACT)
    np.testing.assert_array_equal(wider.freedom, [WIDE_FREEDOM, WIDE_FREEDOM])
    np.testing.assert_array_equal(
        Mixture(of.weights, of.means, of.roots, np.full(2, 1.5)).widened().freedom, [1.5, 1.5]
    )


def by_points(of: Mixture, x: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """One pass of expectation-maximisation (Peel, McLachlan 2000), point by point."""
    mass, means, covariances = [], [], []
    for k in range(len(of.weights)):
        scale = of.roots[k] @ of.roots[k].T
        total, pulls, numerator = 0.0, 0.0, np.zeros(2)
        kept = []
        for point, weight in zip(x, weights, strict=True):
            logs = scipy_components(of, point[None])[0]
            share = weight * np.exp(logs[k] - logsumexp(logs))
            away = point - of.means[k]
            heavy = (of.freedom[k] + 2.0) / (of.freedom[k] + away @ np.linalg.solve(scale, away))
            kept.append(share * heavy)
            total, pulls, numerator = total + share, pulls + share * heavy, numerator + share * heavy * point
        mean = numerator / pulls
        mass.append(total)
        means.append(mean)
        covariances.append(sum(p * np.outer(a, a) for p, a in zip(kept, x - mean, strict=True)) / total)
    return np.array(mass), np.array(means), np.array(covariances)


def test_a_pass_of_expectation_maximisation() -> None:
    rng = np.random.default_rng(6)
    x, weights = mixture().draw(60, rng), rng.dirichlet(np.ones(60))
    mass, means, covariances = by_points(mixture(), x, weights)
    found = _refit(mixture(), x, weights, passes=1)
    np.testing.assert_allclose(found.weights, mass, **EXACT)
    np.testing.assert_allclose(found.means, means, **EXACT)
    np.testing.assert_allclose(found.roots @ np.swapaxes(found.roots, 1, 2), covariances, rtol=1e-6)
    np.testing.assert_array_equal(found.freedom, mixture().freedom)


def test_passes_raise_the_weighted_likelihood_and_drop_what_dies() -> None:
    rng = np.random.default_rng(7)
    x, weights = mixture().draw(400, rng), np.full(400, 1.0 / 400)
    heights = [weights @ _refit(mixture(), x, weights, passes=n).log_density(x) for n in range(4)]
    assert np.all(np.diff(heights) > 0.0)
    far = Mixture(np.ones(1), np.array([[1e4, 1e4]]), np.eye(2)[None], np.ones(1) * 5.0)
    assert len(_refit(joined([mixture(), far], np.array([0.9, 0.1])), x, weights).weights) == 2


def test_a_mode_of_tiny_weights_keeps_its_component() -> None:
    """Their squares are zero in floating point."""
    first = joined([mixture(), Mixture(np.ones(1), np.full((1, 2), 40.0), np.eye(2)[None], np.ones(1) * 5.0)], HALVES)
    x = np.concatenate([mixture().draw(200, np.random.default_rng(1)), np.full((3, 2), 40.0)])
    weights = np.concatenate([np.full(200, 1.0 / 200), np.full(3, 1e-200)])
    found = _spread(first, x, weights, np.random.default_rng(2))
    assert np.any(np.all(found.means == 40.0, axis=1))


def test_weights_ignore_points_without_density() -> None:
    np.testing.assert_allclose(normalised(np.array([0.0, -np.inf, np.nan, 0.0])), [0.5, 0.0, 0.0, 0.5])
    np.testing.assert_allclose(normalised(np.log([1.0, 3.0]) + 900.0), [0.25, 0.75])


@pytest.mark.parametrize("dimension", [1, 2, 5])
def test_tempered_weights_have_the_largest_power_that_leaves_enough(dimension: int) -> None:
    logs = 40.0 * np.random.default_rng(8).normal(size=400)
    logs[3] = np.nan
    found = tempered(logs, dimension)
    for halvings in range(21):
        weights = normalised(0.5**halvings * np.where(np.isnan(logs), -np.inf, logs))
        if 1.0 / np.sum(weights**2) > ENOUGH * dimension:
            break
    np.testing.assert_allclose(found, weights, **EXACT)
    assert halvings > 2
    np.testing.assert_allclose(tempered(np.zeros(400), dimension), np.full(400, 1.0 / 400))


def test_a_fitted_mixture_has_a_wide_component() -> None:
    """Of the moments of the weighted draws, twice as wide."""
    rng = np.random.default_rng(9)
    x, weights = mixture().draw(500, rng), rng.dirichlet(np.ones(500))
    found = fitted(x, weights, rng)
    assert len(found.weights) <= COMPONENTS + 1
    np.testing.assert_allclose(found.weights.sum(), 1.0, **EXACT)
    assert (found.weights[-1], found.freedom[-1]) == (pytest.approx(DEFENCE), WIDE_FREEDOM)
    np.testing.assert_allclose(found.means[-1], weights @ x, **EXACT)
    np.testing.assert_allclose(
        found.roots[-1] @ found.roots[-1].T, 4.0 * np.cov(x.T, aweights=weights, ddof=0), rtol=1e-6
    )


def two_modes(x: np.ndarray) -> np.ndarray:
    both = np.stack([stats.norm.logpdf(x[:, 0], -3.0, 0.5), stats.norm.logpdf(x[:, 0], 3.0, 1.0)])
    return np.logaddexp(*both)


def test_adaptation_finds_two_separate_modes() -> None:
    found = adapt(two_modes, start(np.array([-3.0]), np.eye(1) * 9.0), 4000, np.random.default_rng(0))
    assert found.efficiency > 0.6


def test_first_proposals_of_several_modes_are_kept() -> None:
    """A mode of which hardly any draw is made keeps its share of the proposal."""

    def target(x: np.ndarray) -> np.ndarray:
        return np.where(x[:, 0] > 20.0, -30.0, stats.norm.logpdf(x[:, 0]))

    first = joined([start(np.zeros(1), np.eye(1)), start(np.array([50.0]), np.eye(1))], np.array([0.9, 0.1]))
    found = adapt(target, first, 1000, np.random.default_rng(1))
    assert found.mixture.weights[found.mixture.means[:, 0] > 20.0].sum() >= KEPT_MODES * 0.1 * 0.99


def test_adaptation_counts_its_evaluations_and_reports_its_efficiency() -> None:
    calls = []

    def target(x: np.ndarray) -> np.ndarray:
        calls.append(len(x))
        return stats.multivariate_normal(np.zeros(2), np.eye(2)).logpdf(x)

    found = adapt(target, start(np.zeros(2), np.eye(2)), 2000, np.random.default_rng(2))
    assert found.evaluations == sum(calls)
    x = found.mixture.draw(20_000, np.random.default_rng(3))
    weights = normalised(target(x) - found.mixture.log_density(x))
    assert found.efficiency == pytest.approx(1.0 / np.sum(weights**2) / 20_000, abs=0.03)
    assert found.efficiency > 0.8


def test_points_without_density_have_no_weights():
    """Of counts that are all zero NaN went on, into an error of Python's."""
    with pytest.raises(ApproximationError, match="Sample with NUTS"):
        normalised(np.full(3, -np.inf))
    np.testing.assert_allclose(normalised(np.array([-np.inf, np.nan, 2.0])), [0.0, 0.0, 1.0])


def test_one_draw_with_all_the_weight_is_no_error_of_linear_algebra() -> None:
    """Its covariance was zero: a posterior of `zi ~ x` beside effects ended in *Matrix is not positive definite*."""

    def steep(x: np.ndarray) -> np.ndarray:
        return 5e3 * x[:, 0]

    with pytest.raises(ApproximationError, match="Sample with NUTS"):
        adapt(steep, start(np.zeros(2), np.eye(2)), 200, np.random.default_rng(0), is_fitted=True)
