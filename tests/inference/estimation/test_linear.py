"""Estimates of linear models against generalised least squares with dense matrices."""

from __future__ import annotations

import numpy as np
import pytest
from dense import gls, indicator, random_covariance
from handmade import level_codes, make_design, make_term, with_x
from scipy.linalg import block_diag

from bayesmix.inference.estimation.linear import fit_linear
from bayesmix.inference.estimation.methods import Ml, Reml
from bayesmix.inference.estimation.reml import linear_problem
from bayesmix.inference.least_squares.scaling import coordinates

N = 90
EXACT = {"rtol": 1e-7, "atol": 1e-9}


def simulated():
    rng = np.random.default_rng(3)
    g, h, x = level_codes(rng, N, 15), level_codes(rng, N, 6), with_x(rng, N)
    effects, crossed = rng.normal(size=(15, 2)) * [1.0, 0.6], rng.normal(size=6)
    weights, offset = rng.uniform(0.5, 2.0, N), rng.normal(size=N)
    y = offset + x @ [2.0, -1.0] + np.sum(x * effects[g], axis=1) + crossed[h] + rng.normal(size=N) / np.sqrt(weights)
    terms = [make_term("g", g, x), make_term("h", h, np.ones((N, 1)))]
    return make_design(y, x, terms, weights=weights, offset=offset)


@pytest.fixture(scope="module", params=[Reml(), Ml()], ids=["REML", "ML"])
def found(request):
    design = simulated()
    return design, fit_linear(linear_problem(design, coordinates(design)), request.param)


def variances(design, point):
    noise = np.diag(point.dispersion**2 / design.weights)
    return random_covariance(design, point.covariances) + noise


def test_fixed_effects_and_their_covariance(found):
    design, point = found
    V, y = variances(design, point), design.y - design.offset
    np.testing.assert_allclose(point.beta, gls(design.X, y, V), **EXACT)
    np.testing.assert_allclose(point.beta_cov, np.linalg.inv(design.X.T @ np.linalg.inv(V) @ design.X), **EXACT)


def test_the_residual_variance_has_its_degrees_of_freedom(found):
    """``sigma^2`` is the weighted sum of squares over n - p (REML) or n (ML)."""
    design, point = found
    V, residual = variances(design, point), design.y - design.offset - design.X @ point.beta
    freedom = N - 2 if isinstance(point.method, Reml) else N
    assert residual @ np.linalg.solve(V, residual) == pytest.approx(freedom, rel=1e-9)


def test_random_effects_and_their_conditional_covariances(found):
    """``G Z'V^-1 r`` and ``(Z'WZ / sigma^2 + G^-1)^-1``, fixed effects held."""
    design, point = found
    residual = design.y - design.offset - design.X @ point.beta
    Z = [indicator(term.codes, term.z, len(term.levels)) for term in design.terms]
    G = [np.kron(np.eye(len(t.levels)), S) for t, S in zip(design.terms, point.covariances, strict=True)]
    pulled = np.linalg.solve(variances(design, point), residual)
    whole = np.hstack(Z)
    precision = (whole.T * design.weights) @ whole / point.dispersion**2 + np.linalg.inv(block_diag(*G))
    conditional, begin = np.linalg.inv(precision), 0
    for t, term in enumerate(design.terms):
        k = len(term.effects)
        np.testing.assert_allclose(point.b[t].ravel(), G[t] @ Z[t].T @ pulled, **EXACT)
        for level, own in enumerate(point.b_cov[t]):
            block = slice(begin + level * k, begin + (level + 1) * k)
            np.testing.assert_allclose(own, conditional[block, block], **EXACT)
        begin += k * len(term.levels)


def test_parameters_are_counted(found):
    """Two fixed effects, two sds and a correlation, one sd, sigma."""
    assert found[1].df == 7
    assert found[1].singular == ()
