"""Quadratics of rows: expectations by formula, integrals by dense matrices."""

from __future__ import annotations

from functools import cache

import numpy as np
import pandas as pd
import pytest
from dense import indicator
from scipy import stats

import bayesmix as bmx
from bayesmix.data.design.build import build
from bayesmix.data.design.design import Design
from bayesmix.data.design.layout import parts_of
from bayesmix.inference.estimation.conditional_mode import GeneralizedProblem, generalized_problem
from bayesmix.inference.least_squares.cholesky import factorise
from bayesmix.inference.least_squares.scaling import coordinates
from bayesmix.inference.sampling.marginal import row_quadratics as module
from bayesmix.inference.sampling.marginal.row_quadratics import (
    SMALLEST,
    BlockQuadratics,
    PseudoResponses,
    match_rows,
)
from bayesmix.language.formula.model_spec import make_spec

EXACT = {"rtol": 1e-9, "atol": 1e-9}
AT_ONE = np.zeros(())
RNG = np.random.default_rng(6)
N = 30
DATA = pd.DataFrame(
    {
        "x": RNG.normal(size=N),
        "y": RNG.normal(size=N),
        "count": RNG.poisson(2.0, N).astype(float),
        "o": RNG.uniform(0.0, 0.3, N),
        "g": np.tile(list("abcde"), 6),
        "h": np.repeat(list("pqr"), 10),
    }
)


def problem_of(*formulas: str, family: str = "gaussian") -> tuple[Design, GeneralizedProblem]:
    spec = make_spec(list(formulas), family, None, None)
    design = build(parts_of(spec), DATA)
    return design, generalized_problem(design, coordinates(design), spec)


@cache
def poisson() -> tuple[Design, GeneralizedProblem]:
    return problem_of("count ~ x + offset(o) + (1 | g)", family="poisson")


@cache
def sigma() -> tuple[Design, GeneralizedProblem]:
    return problem_of("y ~ x + (1 | ID | g) + (1 | h)", "sigma ~ 1 + offset(o) + (x | ID | g)")


# ---- rows with one predictor ----------------------------------------------------------------------------------------


def test_rows_are_matched_by_expectations() -> None:
    """Of counts with a log link: ``w = mean exp(eta)``, ``z = mean eta + (y - mean exp(eta)) / mean exp(eta)``."""
    design, problem = poisson()
    eta = 0.5 + 0.4 * np.random.default_rng(4).normal(size=(50, N))
    mean = np.exp(eta + design.offset).mean(axis=0)
    found = match_rows(problem, eta, AT_ONE)
    assert isinstance(found, PseudoResponses)
    np.testing.assert_allclose(found.weights, mean, **EXACT)
    np.testing.assert_allclose(found.z, eta.mean(axis=0) + (design.y - mean) / mean, **EXACT)
    assert found.projected() is None


def test_draws_in_pieces_are_the_same_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    _, problem = poisson()
    eta = np.random.default_rng(5).normal(size=(7, N))
    whole = match_rows(problem, eta, AT_ONE)
    monkeypatch.setattr(module, "NUMBERS", 3 * N)
    again = match_rows(problem, eta, AT_ONE)
    assert isinstance(whole, PseudoResponses)
    assert isinstance(again, PseudoResponses)
    np.testing.assert_allclose(again.z, whole.z, **EXACT)
    np.testing.assert_allclose(again.weights, whole.weights, **EXACT)


def test_a_row_that_tells_nothing_is_not_moved_far() -> None:
    """Its curvature vanishes: the floor is a thousandth of its slope."""
    design, problem = poisson()
    eta = np.full((1, N), -60.0)
    found = match_rows(problem, eta, AT_ONE)
    assert isinstance(found, PseudoResponses)
    slope = design.y - np.exp(eta[0] + problem.offset)
    np.testing.assert_allclose(found.weights, SMALLEST + 1e-3 * np.abs(slope), rtol=1e-9)
    assert np.all(np.abs(found.z - eta[0]) <= 1000.0)


def test_what_is_left_of_a_normal_row() -> None:
    found = PseudoResponses(np.array([0.3, -1.0]), np.array([2.0, 0.5]))
    eta = np.array([[0.1, 0.2], [1.0, -1.0]])
    expected = -stats.norm(eta, found.weights**-0.5).logpdf(found.z)
    np.testing.assert_allclose(found.taken_from(np.zeros((2, 2)), eta), expected, **EXACT)


# ---- rows with several predictors -----------------------------------------------------------------------------------


def matched() -> tuple[Design, GeneralizedProblem, np.ndarray, BlockQuadratics]:
    design, problem = sigma()
    eta = np.random.default_rng(7).normal(0.0, 0.3, (40, 2 * N))
    found = match_rows(problem, eta, AT_ONE)
    assert isinstance(found, BlockQuadratics)
    return design, problem, eta, found


def test_blocks_are_expectations() -> None:
    """Of a normal row with log standard deviation s and residual r: slopes and curvatures by hand."""
    design, _, eta, found = matched()
    r, precision = design.y - eta[:, :N], np.exp(-2.0 * (eta[:, N:] + DATA.o.to_numpy()))
    slope = np.concatenate([(r * precision).mean(axis=0), (r**2 * precision - 1.0).mean(axis=0)])
    np.testing.assert_allclose(found.slope, slope, **EXACT)
    np.testing.assert_allclose(found.blocks[0, 0], precision.mean(axis=0), **EXACT)
    np.testing.assert_allclose(found.blocks[0, 1], (2.0 * r * precision).mean(axis=0), **EXACT)
    np.testing.assert_allclose(found.blocks[1, 1], (2.0 * r**2 * precision).mean(axis=0), **EXACT)
    np.testing.assert_allclose(found.centre, eta.mean(axis=0), **EXACT)


def test_what_is_left_of_a_row_of_several() -> None:
    _, _, eta, found = matched()
    expected = np.zeros((3, N))
    for i in range(N):
        away = eta[:3, [i, N + i]] - found.centre[[i, N + i]]
        W = found.blocks[:, :, i]
        expected[:, i] -= away @ found.slope[[i, N + i]] - 0.5 * np.einsum("br,rs,bs->b", away, W, away)
    np.testing.assert_allclose(found.taken_from(np.zeros((3, N)), eta[:3]), expected, **EXACT)


@pytest.mark.parametrize("shared", [0, 1])
def test_predictors_that_draws_share_are_taken_once(shared: int) -> None:
    _, _, eta, found = matched()
    eta = eta[:3].copy()
    own = np.split(eta, 2, axis=-1)
    own[shared][:] = own[shared][0]
    expected = found.taken_from(np.zeros((3, N)), np.concatenate(own, axis=-1))
    own[shared] = own[shared][:1]
    np.testing.assert_allclose(-found.value_of(own), expected, **EXACT)
    own[shared] = own[shared][0]
    np.testing.assert_allclose(-found.value_of(own), expected, **EXACT)
    one = [part[None] if r != shared else part for r, part in enumerate(own)]  # a proposal by itself
    one[1 - shared] = one[1 - shared][:, :1]
    np.testing.assert_allclose(-found.value_of(one)[0, 0], expected[0], **EXACT)


@pytest.mark.parametrize("positive", [False, True])
def test_the_linear_problem_integrates_the_quadratics(positive: bool) -> None:
    """Random effects integrated out at given fixed effects: a Gaussian integral by dense matrices."""
    design, problem, _, found = matched()
    rows = found.projected() if positive else found
    working = problem.coordinates
    linear = rows.problem(design, working)
    theta = np.full(working.size, 0.2)
    Lambdas = working.by_factor(theta)
    factorisation = factorise(working.plan, linear.moments, Lambdas)
    shift = 0.1 * np.random.default_rng(8).normal(size=linear.p)
    combination = np.append(-shift, 1.0)
    value = -0.5 * (factorisation.log_determinant + combination @ factorisation.XX @ combination)

    Z = np.hstack([indicator(f.codes, f.z, f.levels) for f in working.factors])
    G = np.zeros((Z.shape[1], Z.shape[1]))
    begin = 0
    for factor, Lambda in zip(working.factors, Lambdas, strict=True):
        for _ in range(factor.levels):
            G[begin : begin + factor.k, begin : begin + factor.k] = Lambda @ Lambda.T
            begin += factor.k
    W = np.block([[np.diag(rows.blocks[r, s]) for s in range(2)] for r in range(2)])
    away = working.X @ (linear.beta_ols + shift) - rows.centre
    constant = away @ rows.slope - 0.5 * away @ W @ away
    h = Z.T @ (rows.slope - W @ away)
    precision = np.linalg.inv(G) + Z.T @ W @ Z
    log_det = np.linalg.slogdet(precision)[1] + np.linalg.slogdet(G)[1]
    expected = constant + 0.5 * h @ np.linalg.solve(precision, h) - 0.5 * log_det
    assert value == pytest.approx(expected, rel=1e-9)


def test_a_share_of_the_way_is_one_of_the_coefficients() -> None:
    """Quadratics are linear in their coefficients: so are their differences between two points."""
    *_, eta, found = matched()
    other = match_rows(sigma()[1], eta + 0.2, AT_ONE)
    assert isinstance(other, BlockQuadratics)

    def rise(rows: BlockQuadratics) -> np.ndarray:
        low, high = rows.taken_from(np.zeros((2, N)), eta[:2])
        return low - high

    expected = 0.7 * rise(found) + 0.3 * rise(other)
    np.testing.assert_allclose(rise(found.towards(other, 0.3)), expected, **EXACT)
    np.testing.assert_allclose(rise(found.towards(other, 1.0)), rise(other), **EXACT)


def test_projected_blocks_are_positive_and_keep_positive_ones() -> None:
    *_, found = matched()
    values = np.linalg.eigvalsh(np.moveaxis(found.blocks, -1, 0))
    positive = found.projected()
    assert values.min() < 0.0
    assert np.linalg.eigvalsh(np.moveaxis(positive.blocks, -1, 0)).min() > 0.0
    kept = values.min(axis=1) > 0.01
    np.testing.assert_allclose(positive.blocks[..., kept], found.blocks[..., kept], **EXACT)


def test_one_predictor_has_pseudo_responses_in_a_model() -> None:
    model = bmx.Model("count ~ x + (1 | g)", DATA, family="poisson")
    problem = generalized_problem(model.design, coordinates(model.design), model.spec)
    assert isinstance(match_rows(problem, np.zeros((2, N)), AT_ONE), PseudoResponses)
