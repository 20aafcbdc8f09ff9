"""Kenward and Roger's inference against their formulas with dense n x n matrices."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import bayesmix as bmx
from bayesmix.inference.estimation.kenward_roger import kenward_roger
from bayesmix.inference.parameters.covariance import structure_of
from bayesmix.inference.parameters.covariance_derivatives import covariance_derivatives

rng = np.random.default_rng(8)
N = 72
FRAME = pd.DataFrame({
    "x": rng.normal(size=N),
    "f": rng.permutation(np.repeat(list("abc"), N // 3)),
    "g": rng.integers(0, 8, N).astype(str),
    "h": rng.integers(0, 5, N).astype(str),
    "w": rng.uniform(0.5, 2.0, N),
})  # fmt: skip
LEVELS = {name: dict(zip(sorted(set(FRAME[name])), rng.normal(size=(8, 3)), strict=False)) for name in "gh"}
OWN = np.array([LEVELS["g"][g] for g in FRAME["g"]])
FRAME["y"] = (
    1.0 + OWN[:, 0] + 0.8 * OWN[:, 1] * FRAME["x"] + [LEVELS["h"][h][0] for h in FRAME["h"]] + rng.normal(size=N)
) + 0.7 * OWN[:, 2] * (FRAME["f"] == "b")
CELLS = FRAME["g"] + FRAME["f"]
FRAME["y"] += CELLS.map(dict(zip(sorted(set(CELLS)), rng.normal(size=24), strict=False)))
FORMULAS = {
    "one": "y ~ f + x + (1 | g)",
    "slopes": "y ~ f + x + (x | g)",
    "independent": "y ~ f * x + (x || g)",
    "crossed": "y ~ f + x + (x | g) + (1 | h)",
    "nested": "y ~ f + x + (1 | g / h)",
    "cs": "y ~ f + cs(0 + f | g)",
    "homcs": "y ~ f + x + homcs(0 + f | g)",
    "hetar1": "y ~ f + hetar1(0 + f | g)",
    "without": "y ~ f + x",
}


def dense(fit):
    """Adjusted and unadjusted covariance, derivatives P and uncertainty W: Kenward and Roger 1997, eqs. 1-5."""
    design, X, weights = fit.design, fit.design.X, fit.design.weights
    sigma2 = float(fit.values.dispersion) ** 2
    V, G, curved = sigma2 * np.diag(1.0 / weights), [np.diag(1.0 / weights)], {}
    for term, matrix in zip(design.terms, fit.point.covariances, strict=True):
        Z = np.zeros((N, len(term.levels), len(term.effects)))
        Z[np.arange(N), term.codes] = term.z
        found = covariance_derivatives(structure_of(term), matrix)
        V = V + np.einsum("nja,ab,mjb->nm", Z, matrix, Z)
        for a, row in enumerate(found.second):
            for b, one in enumerate(row):
                curved[len(G) + a, len(G) + b] = np.einsum("nja,ab,mjb->nm", Z, one, Z)
        G += [np.einsum("nja,ab,mjb->nm", Z, one, Z) for one in found.first]
    inverse = np.linalg.inv(V)
    Phi = np.linalg.inv(X.T @ inverse @ X)
    projected = inverse - inverse @ X @ Phi @ X.T @ inverse
    W = 2.0 * np.linalg.inv([[np.sum((projected @ A) * (projected @ B).T) for A in G] for B in G])
    VX = inverse @ X
    P = [-VX.T @ A @ VX for A in G]
    inner = np.zeros_like(Phi)
    for a, A in enumerate(G):
        for b, B in enumerate(G):
            R = VX.T @ curved[a, b] @ VX if (a, b) in curved else 0.0
            inner += W[a, b] * (VX.T @ A @ inverse @ B @ VX - P[a] @ Phi @ P[b] - 0.25 * R)
    return Phi + 2.0 * Phi @ inner @ Phi, Phi, P, W


def f_of(L, value, found):
    """Scale, statistic and degrees of freedom of section 3.1, term by term."""
    adjusted, Phi, P, W = found
    q = len(L)
    Theta = L.T @ np.linalg.solve(L @ Phi @ L.T, L)
    U = [Theta @ Phi @ one @ Phi for one in P]
    pairs = [(a, b) for a in range(len(P)) for b in range(len(P))]
    A1 = sum(W[a, b] * np.trace(U[a]) * np.trace(U[b]) for a, b in pairs)
    A2 = sum(W[a, b] * np.trace(U[a] @ U[b]) for a, b in pairs)
    B = (A1 + 6 * A2) / (2 * q)
    g = ((q + 1) * A1 - (q + 4) * A2) / ((q + 2) * A2)
    c1, c2, c3 = (top / (3 * q + 2 * (1 - g)) for top in (g, q - g, q + 2 - g))
    mean, variance = 1 / (1 - A2 / q), (2 / q) * (1 + c1 * B) / ((1 - c2 * B) ** 2 * (1 - c3 * B))
    rho = variance / (2 * mean**2)
    df = 4 + (q + 2) / (q * rho - 1)
    return df / (mean * (df - 2)) * (value @ np.linalg.solve(L @ adjusted @ L.T, value)) / q, df


def compared(formula, weights, frame=FRAME):
    fit = bmx.Model(formula, frame, weights=weights).estimate()
    found, expected = kenward_roger(fit.design, fit.point), dense(fit)
    size = np.sqrt(np.outer(*[np.diagonal(expected[0])] * 2))
    np.testing.assert_allclose(found.cov / size, expected[0] / size, atol=1e-8)
    p = len(size)
    singles = [f_of(L[None], np.ones(1), expected)[1] for L in np.eye(p)]
    np.testing.assert_allclose(found.df(np.eye(p)), singles, rtol=1e-6)
    for L in (np.eye(p)[1:], np.eye(p)[1:3] + 0.1):
        one = found.joint(L, L @ fit.values.beta)
        np.testing.assert_allclose(
            [one.statistic, one.denominator_df], f_of(L, L @ fit.values.beta, expected), rtol=1e-6
        )


@pytest.mark.parametrize("weights", [None, "w"])
@pytest.mark.parametrize("name", FORMULAS)
def test_all_that_is_adjusted_is_by_the_dense_formulas(name, weights) -> None:
    compared(FORMULAS[name], weights)


def test_without_random_effects_tests_are_exact() -> None:
    fit = bmx.Model("y ~ f + x", FRAME).estimate()
    found = kenward_roger(fit.design, fit.point)
    np.testing.assert_allclose(found.cov, fit.point.beta_cov, rtol=1e-10)
    one = found.joint(np.eye(4)[1:], fit.values.beta[1:])
    assert one.denominator_df == pytest.approx(N - 4, rel=1e-8)
    wald = fit.values.beta[1:] @ np.linalg.solve(fit.point.beta_cov[1:, 1:], fit.values.beta[1:]) / 3.0
    assert one.statistic == pytest.approx(wald, rel=1e-8)


def test_without_fixed_effects_there_is_nothing_to_adjust() -> None:
    fit = bmx.Model("y ~ 0 + (1 | g)", FRAME).estimate()
    assert kenward_roger(fit.design, fit.point).cov.shape == (0, 0)
    assert list(fit.tidy(df="kenward-roger")["effect"]) == ["ran_pars", "ran_pars"]


def test_fits_on_the_boundary_have_all_their_numbers() -> None:
    """As pbkrtest: directions at a variance of zero are among those that are uncertain."""
    frame = FRAME.assign(y=np.random.default_rng(0).normal(size=N))
    for seed in range(20):
        frame["y"] = np.random.default_rng(seed).normal(size=N)
        if bmx.Model("y ~ f + x + (x | g)", frame).estimate().singular:
            break
    compared("y ~ f + x + (x | g)", None, frame)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(6))
def test_random_designs(seed) -> None:
    own = np.random.default_rng(seed)
    frame = FRAME.assign(
        g=own.integers(0, 4 + seed, N).astype(str),
        h=own.integers(0, 3 + seed, N).astype(str),
        x=own.normal(size=N) ** 2,
    )
    levels, cells = frame["g"], frame["g"] + frame["f"]
    frame["y"] = own.normal(size=N) + own.normal(size=12)[levels.astype(int)]
    frame["y"] += cells.map(dict(zip(sorted(set(cells)), own.normal(size=36), strict=False)))
    for name, formula in FORMULAS.items():
        if name not in ("cs", "hetar1"):  # which are not defined on the boundary, where many of these are
            compared(formula, "w" if seed % 2 else None, frame)
