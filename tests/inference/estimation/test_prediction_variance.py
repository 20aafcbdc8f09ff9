"""Joint covariance of fixed and random effects, against dense inverses in the user's units."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import bayesmix as bmx
from bayesmix.data.design.encode import encode
from bayesmix.inference.estimation.prediction_variance import (
    NewRows,
    combination_variance,
    fixed_variance,
    predictor_variance,
)


def dense_z(terms, sizes):
    """All columns of Z, terms side by side, levels within terms."""
    parts = []
    for term, (levels, k) in zip(terms, sizes, strict=True):
        Z = np.zeros((len(term.z), levels, k))
        Z[np.arange(len(term.z)), term.codes] = term.z
        parts.append(Z.reshape(len(term.z), -1))
    return np.hstack(parts)


def dense_covariance(design, point, rows, W, scale):
    """``Cov(x'beta + z'b)`` by the formulas of the module's docstring, with every matrix written out."""
    sizes = [b.shape for b in point.b]
    Z, Z_new = dense_z(design.terms, sizes), dense_z(rows.terms, sizes)
    precision = np.zeros((Z.shape[1], Z.shape[1]))
    at = 0
    for (levels, k), covariance in zip(sizes, point.covariances, strict=True):
        block = np.kron(np.eye(levels), np.linalg.inv(covariance / scale))
        precision[at : at + levels * k, at : at + levels * k] = block
        at += levels * k
    inverse = np.linalg.inv(Z.T @ (W[:, None] * Z) + precision)
    K = inverse @ Z.T @ (W[:, None] * design.X)
    slope = rows.X - Z_new @ K
    return scale * Z_new @ inverse @ Z_new.T + slope @ point.beta_cov @ slope.T


def unseen_pairs(name):
    """Rows of seen levels in combinations that the data may not have."""
    if name == "penicillin":
        return pd.DataFrame({"plate": ["a", "b", "x"], "sample": ["F", "A", "C"]})
    if name == "pastes":
        return pd.DataFrame({"batch": ["A", "A", "C"], "cask": ["a", "b", "c"]})
    if name == "cbpp":
        return pd.DataFrame({"herd": ["1", "15", "8"], "period": ["4", "1", "2"]})
    return pd.DataFrame({"Days": [0.0, 20.0, 3.0], "Subject": ["308", "308", "372"]})


@pytest.mark.parametrize("name", ["sleepstudy", "sleepstudy ||", "sleepstudy weights", "penicillin", "pastes"])
def test_linear_models_have_hendersons_covariance(fitted, name):
    """The inverse of the mixed model equations: Henderson 1975, SAS's prediction errors."""
    fit = fitted(name)
    design, point, sigma2 = fit.design, fit.point, fit.point.dispersion**2
    coded = encode(design.encoder, unseen_pairs(name))
    rows = NewRows(coded.X, coded.terms)
    sizes = [b.shape for b in point.b]
    A = np.hstack([design.X, dense_z(design.terms, sizes)])
    system = A.T @ (design.weights[:, None] * A)
    at = design.X.shape[1]
    for (levels, k), covariance in zip(sizes, point.covariances, strict=True):
        end = at + levels * k
        system[at:end, at:end] += np.kron(np.eye(levels), np.linalg.inv(covariance / sigma2))
        at = end
    new = np.hstack([rows.X, dense_z(rows.terms, sizes)])
    expected = sigma2 * new @ np.linalg.solve(system, new.T)
    L = np.random.default_rng(1).normal(size=(4, len(rows.X)))
    found = combination_variance(design, fit.spec, point, rows, L)(point)
    np.testing.assert_allclose(found, np.diag(L @ expected @ L.T), rtol=1e-7)
    np.testing.assert_allclose(predictor_variance(design, fit.spec, point, rows), np.diag(expected), rtol=1e-7)


@pytest.mark.parametrize("name", ["cbpp", "esoph poisson"])
def test_generalized_models_add_the_movement_of_the_modes(fitted, name):
    fit = fitted(name)
    design, point = fit.design, fit.point
    rows = NewRows(design.X[::7], [encode_term(term, slice(None, None, 7)) for term in design.terms])
    mu = fit.fitted().to_numpy()
    W = design.trials * mu * (1.0 - mu) if name == "cbpp" else mu
    expected = dense_covariance(design, point, rows, W, 1.0)
    L = np.random.default_rng(1).normal(size=(4, len(rows.X)))
    found = combination_variance(design, fit.spec, point, rows, L)(point)
    np.testing.assert_allclose(found, np.diag(L @ expected @ L.T), rtol=1e-6)
    np.testing.assert_allclose(predictor_variance(design, fit.spec, point, rows), np.diag(expected), rtol=1e-6)


def encode_term(term, part):
    from dataclasses import replace

    return replace(term, z=term.z[part], codes=term.codes[part])


def test_a_singular_fit_has_the_variance_of_its_fixed_effects(fitted):
    """dyestuff2: no variance between batches, so predictions for them are those of the mean."""
    fit = fitted("dyestuff2")
    rows = NewRows(fit.design.X, fit.design.terms)
    expected = fixed_variance(fit.point, fit.design.X)
    np.testing.assert_allclose(predictor_variance(fit.design, fit.spec, fit.point, rows), expected, rtol=1e-10)
    np.testing.assert_allclose(expected, fit.point.beta_cov[0, 0], rtol=1e-12)


@pytest.mark.slow
def test_standard_errors_hold_in_simulation():
    """Intervals of a group's mean at true variances cover as they should, two crossed factors."""
    rng = np.random.default_rng(5)
    J, n = 8, 160
    g, h = np.arange(n) % J, rng.integers(6, size=n)
    x = rng.normal(size=n)
    inside = []
    for _ in range(30):
        eta = 0.3 + 0.5 * x + rng.normal(size=J)[g] + 0.5 * rng.normal(size=6)[h]
        frame = pd.DataFrame({"x": x, "g": g.astype(str), "h": h.astype(str), "y": eta + rng.normal(size=n)})
        found = bmx.Model("y ~ x + (1 | g) + (1 | h)", frame).estimate().predict(kind="linear", interval=0.8)
        inside.append(np.mean((found["lower"] < eta) & (eta < found["upper"])))
    assert 0.7 < np.mean(inside) < 0.87  # a little low: the variances are taken as known
