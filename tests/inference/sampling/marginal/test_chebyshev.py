"""Polynomials in place of factorisations: exact for polynomials, close for analytic functions, within their ball."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

import bayesmix as bmx
from bayesmix.inference.estimation.point_estimate import PointEstimate
from bayesmix.inference.least_squares.cholesky import Factorisation
from bayesmix.inference.sampling.diagnostics import mean_ess
from bayesmix.inference.sampling.draws import Schedule
from bayesmix.inference.sampling.marginal import sampler
from bayesmix.inference.sampling.marginal.chebyshev import (
    DEGREES,
    RADIUS,
    TOLERANCE,
    Reduced,
    _ball,
    _powers,
    fit_emulator,
)
from bayesmix.inference.sampling.marginal.marginal_posterior import MarginalPosterior, marginal_posterior
from bayesmix.inference.sampling.marginal.sampler import Marginal, draw_fixed, sample_marginal, with_emulator

CENTRE = np.array([0.5, -1.0, 2.0, 0.3])
ROOT = np.array([[0.3, 0.0, 0.0, 0.0], [0.1, 0.2, 0.0, 0.0], [-0.1, 0.05, 0.4, 0.0], [0.0, 0.1, 0.0, 0.1]])


def inside(d: int, n: int = 50, radius: float = RADIUS) -> np.ndarray:
    """Points of the ball that no fit has seen."""
    rng = np.random.default_rng(1)
    z = rng.normal(size=(n, d))
    z *= radius * rng.uniform(size=(n, 1)) ** (1.0 / d) / np.linalg.norm(z, axis=1, keepdims=True)
    return np.asarray(CENTRE[:d] + z @ ROOT[:d, :d].T)


@pytest.mark.parametrize("d", DEGREES)
def test_polynomials_of_the_total_degree_are_exact(d: int) -> None:
    weights = np.linspace(0.5, 1.0, d)

    def reduce(x: np.ndarray) -> Reduced:
        s = 0.3 * (x - CENTRE[:d]) @ weights
        XX = np.stack([np.stack([s**2, s - 1.0], -1), np.stack([s - 1.0, s**3 + 2.0], -1)], -2)
        return Reduced(s ** DEGREES[d], XX)

    emulator = fit_emulator(reduce, CENTRE[:d], ROOT[:d, :d] @ ROOT[:d, :d].T)
    x = inside(d)
    found, expected = emulator(x), reduce(x)
    np.testing.assert_allclose(found.log_determinant, expected.log_determinant, rtol=1e-8, atol=1e-8)
    np.testing.assert_allclose(found.XX, expected.XX, rtol=1e-8, atol=1e-8)


def test_log_determinants_of_a_model_are_close() -> None:
    """``sum_j log(1 + n_j exp(2 x))`` over what six posterior standard deviations span."""
    sizes = np.arange(2, 12)

    def reduce(x: np.ndarray) -> Reduced:
        ratio = sizes * np.exp(2.0 * x)
        return Reduced(np.log1p(ratio).sum(axis=1), (1.0 / (1.0 + ratio)).sum(axis=1)[:, None, None])

    emulator = fit_emulator(reduce, CENTRE[:1], np.array([[0.09]]))
    x = CENTRE[:1] + 0.3 * np.linspace(-RADIUS, RADIUS, 101)[:, None]
    np.testing.assert_allclose(emulator(x).log_determinant, reduce(x).log_determinant, atol=1e-2)
    np.testing.assert_allclose(emulator(x).XX, reduce(x).XX, atol=1e-2)


def test_the_region_is_a_ball_of_whitened_distances() -> None:
    emulator = fit_emulator(lambda x: Reduced(x[:, 0], x[:, :1, None]), CENTRE[:2], ROOT[:2, :2] @ ROOT[:2, :2].T)
    x = inside(2, 400, 2.0 * RADIUS)
    distance = np.linalg.norm(np.linalg.solve(ROOT[:2, :2], (x - CENTRE[:2]).T), axis=0)
    np.testing.assert_array_equal(emulator.polynomials.covers(x), distance <= RADIUS)
    assert 50 < emulator.polynomials.covers(x).sum() < 350


def test_powers_are_those_of_the_total_degree() -> None:
    for d, degree in ((1, 3), (3, 4), (6, 2)):
        expected = [power for power in product(range(degree + 1), repeat=d) if sum(power) <= degree]
        assert sorted(map(tuple, _powers(d, degree).tolist())) == expected


def several_effects() -> tuple[MarginalPosterior, PointEstimate, Schedule]:
    """Three correlated effects of each of eighty levels: six covariance coordinates."""
    rng = np.random.default_rng(3)
    g, x, z = np.repeat(np.arange(80), 12), rng.standard_normal(960), rng.standard_normal(960)
    b = rng.standard_normal((80, 3)) @ np.array([[0.8, 0.2, -0.3], [0.0, 0.6, 0.2], [0.0, 0.0, 0.5]])
    y = b[g, 0] + b[g, 1] * x + (0.5 + b[g, 2]) * z + rng.standard_normal(960)
    model = bmx.Model("y ~ x + z + (x + z | g)", {"y": y, "x": x, "z": z, "g": g})
    point = model.estimate().point
    return marginal_posterior(model.design, model.priors, point), point, Schedule(800, 4, 1)


@pytest.mark.slow
def test_proposals_that_are_fitted_to_polynomials_draw_the_exact_posterior(monkeypatch: pytest.MonkeyPatch) -> None:
    """Even to rough ones, of degree two, and take fewer factorisations."""
    target, point, schedule = several_effects()
    factorised: list[int] = []
    whole = MarginalPosterior.factorise

    def counting(own: MarginalPosterior, theta: np.ndarray) -> Factorisation:
        factorised[-1] += int(np.prod(theta.shape[:-1]))
        return whole(own, theta)

    monkeypatch.setattr(MarginalPosterior, "factorise", counting)
    found, evidence = [], []
    for several, low in ((10**9, (4, 3)), (0, (2, 2))):
        monkeypatch.setattr(sampler, "SEVERAL", several)
        monkeypatch.setattr(sampler, "ROUGH_DEGREES", low)
        monkeypatch.setattr(sampler, "ROUGH", 20.0)
        factorised.append(0)
        draws = sample_marginal(target, point, Marginal(thin=1), schedule)
        evidence.append((draws.certificate["log_evidence"], draws.certificate["log_evidence_error"]))
        values = draws.parameters
        corr = values.corr[0][(..., *np.tril_indices(3, -1))]
        found.append(np.concatenate([values.beta, *values.sd, corr], axis=-1))
    assert factorised[1] < 0.7 * factorised[0]
    (one, error), (other, other_error) = evidence
    assert abs(one - other) < 4.0 * np.hypot(error, other_error)
    for power in (1, 2):
        powers = [(part - found[0].mean((0, 1))) ** power for part in found]
        errors = [part.std((0, 1)) / np.sqrt(mean_ess(part)) for part in powers]
        apart = (powers[0].mean((0, 1)) - powers[1].mean((0, 1))) / np.hypot(*errors)
        assert np.all(np.abs(apart) < 4.0), apart


def test_points_of_the_unit_ball() -> None:
    """In all directions alike, and denser towards the surface than uniform ones."""
    uniform = np.random.default_rng(2).uniform(size=(4000, 4))
    points = _ball(uniform)
    radius = np.linalg.norm(points, axis=1)
    np.testing.assert_allclose(radius, np.sin(0.5 * np.pi * uniform[:, 3] ** (1.0 / 3.0)), rtol=1e-10)
    assert np.all(radius <= 1.0)
    np.testing.assert_allclose((points / radius[:, None]).mean(axis=0), 0.0, atol=5.0 / np.sqrt(3.0 * 4000))


def crossed_posterior(monkeypatch: pytest.MonkeyPatch) -> tuple[MarginalPosterior, PointEstimate]:
    """Of two crossed factors with so many levels that a low degree will do; it counts as very dear."""
    rng = np.random.default_rng(3)
    a, b = rng.integers(0, 200, 2600), rng.integers(0, 190, 2600)
    y = rng.standard_normal(200)[a] + 0.7 * rng.standard_normal(190)[b] + rng.standard_normal(2600)
    model = bmx.Model("y ~ 1 + (1 | a) + (1 | b)", {"y": y, "a": a, "b": b})
    point = model.estimate().point
    monkeypatch.setattr(sampler, "VERY_DEAR", 0)
    return marginal_posterior(model.design, model.priors, point), point


@pytest.mark.slow
def test_polynomials_of_low_degree_serve_where_a_factorisation_is_very_dear(monkeypatch: pytest.MonkeyPatch) -> None:
    """At points of the posterior the log density is that of factorisations, but for a constant."""
    target, point = crossed_posterior(monkeypatch)
    found, notes, certificate = with_emulator(target, point, np.random.default_rng(1), 0)
    assert found.emulator is not None
    assert found.emulator.polynomials.powers.sum(axis=1).max() == sampler.LOW
    assert notes == ()
    assert certificate["emulator_error"] <= TOLERANCE
    sd = np.sqrt(np.diag(np.atleast_2d(found.emulator.polynomials.root @ found.emulator.polynomials.root.T)))
    x = np.tile(target.start(point), (9, 1))
    x[:, :2] = found.emulator.polynomials.centre + np.random.default_rng(2).uniform(-2.0, 2.0, (9, 2)) * sd
    difference = found(x) - target(x)
    np.testing.assert_allclose(difference, difference[0], atol=2.0 * TOLERANCE)


@pytest.mark.slow
def test_a_higher_degree_is_tried_where_a_low_one_misses(monkeypatch: pytest.MonkeyPatch) -> None:
    target, point = crossed_posterior(monkeypatch)
    monkeypatch.setattr(sampler, "LOW", 1)
    found, _, _ = with_emulator(target, point, np.random.default_rng(1), 0)
    assert found.emulator is not None
    assert found.emulator.polynomials.powers.sum(axis=1).max() == DEGREES[2]


def narrow_posterior() -> tuple[MarginalPosterior, PointEstimate]:
    """Of so many levels that the usual start, off zero, is more than six standard deviations from the mode."""
    rng = np.random.default_rng(4)
    g = np.repeat(np.arange(6000), 2)
    y = 0.1 * rng.standard_normal(6000)[g] + rng.standard_normal(12_000) / np.sqrt(500.0)
    model = bmx.Model("y ~ 1 + (1 | g)", {"y": y, "g": g, "w": np.full(12_000, 500.0)}, weights="w")
    point = model.estimate().point
    return marginal_posterior(model.design, model.priors, point), point


@pytest.mark.slow
def test_polynomials_of_low_degree_serve_where_a_posterior_is_narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    target, point = narrow_posterior()
    degrees = []
    for limit in (0.005, 0.02):
        monkeypatch.setattr(sampler, "NARROW", limit)
        found, _, certificate = with_emulator(target, point, np.random.default_rng(1), 0)
        assert found.emulator is not None
        polynomials = found.emulator.polynomials
        assert 0.005 < polynomials.root[0, 0] < 0.02
        degrees.append(polynomials.powers.max())
        assert certificate["emulator_error"] < 1e-3
        x = np.tile(target.start(point), (9, 1))
        x[:, 0] = polynomials.centre + np.linspace(-4.0, 4.0, 9) * polynomials.root[0, 0]
        difference = found(x) - target(x)
        np.testing.assert_allclose(difference, difference[0], atol=2e-3)
    assert degrees == [DEGREES[1], sampler.LOW]


def test_the_search_of_the_mode_starts_where_polynomials_hold() -> None:
    target, point = narrow_posterior()
    found, _, _ = with_emulator(target, point, np.random.default_rng(1), 0)
    assert found.emulator is not None
    assert not found.emulator.polynomials.covers(target.start(point)[None, :1])
    assert np.isfinite(found(found.start(point)[None]))


def test_polynomials_stand_in_for_likelihoods_of_many_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fixed effects that are integrated out and one that is explored; cross-products come a few points at a time."""
    rng = np.random.default_rng(5)
    g, x = rng.integers(0, 40, 300), rng.standard_normal((300, 3)) + 2.0
    y = rng.standard_normal(40)[g] + x @ [0.5, 0.0, -0.3] + rng.standard_normal(300)
    columns = {f"x{j}": x[:, j] for j in range(3)}
    model = bmx.Model("y ~ x0 + x1 + x2 + (1 | g)", {"y": y, "g": g, **columns}, priors={"x1": "StudentT(4, 0, 2)"})
    point = model.estimate().point
    exact = marginal_posterior(model.design, model.priors, point)
    rough = with_emulator(exact, point, np.random.default_rng(1), 0)[0]
    assert rough.heights is None
    monkeypatch.setattr(sampler, "WIDE", 4)
    found, notes, certificate = with_emulator(exact, point, np.random.default_rng(1), 0)
    assert found.heights is not None
    assert notes == ()
    assert certificate["emulator_error"] <= TOLERANCE
    theta = found.heights.centre + rng.standard_normal((50, found.size)) @ found.heights.root.T
    monkeypatch.setattr("bayesmix.inference.sampling.marginal.marginal_posterior.BATCH", 200)
    for target in (rough, found):
        difference = target(theta) - exact(theta)
        np.testing.assert_allclose(difference, np.median(difference), atol=2.0 * TOLERANCE)
    assert found(theta + 100.0).max() == -np.inf
    shift = [draw_fixed(target, theta, np.random.default_rng(2)) for target in (exact, found)]
    np.testing.assert_allclose(shift[0], shift[1], atol=1e-3)
