"""Conditional modes: stationary by `scipy.stats` densities, found from any start."""

from __future__ import annotations

import numpy as np
import pytest
from dense import central, indicator
from generalized import COUNTS, DISPERSION, LINKS, at, log_joint_rows, make, start

from bayesmix.inference.estimation.conditional_mode import find_mode


@pytest.mark.parametrize(
    ("family", "link"),
    LINKS,
)
def test_the_mode_is_stationary_from_any_start(family, link):
    """``u = Lambda' Z' dlogp/deta``, with the derivative differenced on scipy's density."""
    design, working, problem = make(family, link, k=2)
    x = np.concatenate(start(working, link, family))
    Lambdas, mode = at(problem, working, x, family)
    h = 1e-5
    score = (
        log_joint_rows(design, family, link, mode.eta + h) - log_joint_rows(design, family, link, mode.eta - h)
    ) / (2.0 * h)
    factor = working.factors[0]
    Z = indicator(factor.codes, factor.z, factor.levels)
    pull = (Z.T @ score).reshape(factor.levels, factor.k) @ Lambdas[0]
    np.testing.assert_allclose(mode.u[0], pull, atol=1e-7)
    rng = np.random.default_rng(1)
    _, again = at(problem, working, x, family, start_u=[rng.normal(size=u.shape) for u in mode.u])
    np.testing.assert_allclose(again.u[0], mode.u[0], atol=1e-8)


def test_an_impossible_mean_has_no_mode():
    _, working, problem = make("gamma", "inverse")
    with np.errstate(all="ignore"), pytest.raises(np.linalg.LinAlgError):
        find_mode(problem, working.by_factor(np.zeros(working.size)), np.full(24, -1.0), DISPERSION)


@pytest.mark.parametrize(
    ("family", "link"),
    [
        ("poisson", "log"),
        ("binomial", "logit"),
        ("gamma", "log"),
    ],
)
def test_modes_of_extreme_effects_are_found(family, link):
    """Large random effects and data far from the start: steps must be damped, and still end at the mode."""
    design, working, problem = make(family, link, k=1, weighted=False)
    theta = np.full(working.size, 20.0)
    fixed = np.full(24, {"poisson": 8.0, "binomial": -12.0, "gamma": 7.0}[family])
    mode = find_mode(problem, working.by_factor(theta), fixed, DISPERSION)
    h = 1e-4
    score = (
        log_joint_rows(design, family, link, mode.eta + h) - log_joint_rows(design, family, link, mode.eta - h)
    ) / (2.0 * h)
    Z = indicator(working.factors[0].codes, working.factors[0].z, working.factors[0].levels)
    gradient = mode.u[0].ravel() - 20.0 * (Z.T @ score)
    np.testing.assert_allclose(gradient, 0.0, atol=1e-4)


@pytest.mark.parametrize(("family", "link"), COUNTS)
def test_the_objective_is_minus_twice_the_joint_log_density(family, link):
    design, working, problem = make(family, link, k=2, crossed=True)
    Lambdas, mode = at(problem, working, np.concatenate(start(working, link, family)), family)
    penalty = sum(float(np.sum(u**2)) for u in mode.u)
    eta = mode.eta - sum(np.sum(f.z * b[f.codes], axis=1) for f, b in zip(working.factors, mode.b, strict=True))
    np.testing.assert_allclose(eta, working.X @ start(working, link, family)[1] + design.offset, rtol=1e-10)
    for u, b, Lambda in zip(mode.u, mode.b, Lambdas, strict=True):
        np.testing.assert_allclose(b, u @ Lambda.T, rtol=1e-12)
    expected = -2.0 * log_joint_rows(design, family, link, mode.eta).sum() + penalty
    assert mode.objective == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize(("family", "link"), LINKS)
def test_derivatives_by_log_dispersion_are_those_of_scipys_density(family, link):
    design, working, problem = make(family, link)
    eta = working.X @ start(working, link, family)[1]
    (found,) = problem.by_dispersion(lambda d: (problem.value(eta, np.asarray(d)),), DISPERSION)
    expected = central(
        lambda at: log_joint_rows(design, family, link, eta, float(np.exp(at[0]))), np.log([DISPERSION]), 1e-3
    )[:, 0]
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-8)


def test_a_start_without_density_is_given_up_for_zeros():
    """Of the identity link, where a mean may leave its range."""
    _, working, problem = make("gamma", "identity")
    x = np.concatenate(start(working, "identity", "gamma"))
    _, mode = at(problem, working, x, "gamma")
    _, again = at(problem, working, x, "gamma", start_u=[np.full(u.shape, -1e3) for u in mode.u])
    np.testing.assert_allclose(again.u[0], mode.u[0], atol=1e-9)
