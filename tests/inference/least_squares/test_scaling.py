"""The change to computational coordinates and back; matrices of covariances."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from dense import indicator
from handmade import level_codes, make_design, make_term
from hypothesis import given
from hypothesis import strategies as st

from bayesmix.data.design.design import Design
from bayesmix.inference.least_squares import scaling
from bayesmix.inference.least_squares.scaling import coordinates, orthonormal
from bayesmix.inference.parameters.covariance import cholesky_psd, sd_and_corr, side_by_side

N = 50
# a predictor like 2e9 + 1e6 x loses three digits of its variation, once in the data and once in the QR
UNITS = {
    "ordinary": (0.0, 1.0, 1e-10),
    "years": (2000.0, 1.0, 1e-9),
    "huge": (2e9, 1e6, 1e-8),
    "tiny": (0.0, 1e-9, 1e-10),
}


def make(shift: float, factor: float, structure: str = "us") -> Design:
    rng = np.random.default_rng(0)
    x = shift + factor * rng.normal(size=N)
    X = np.column_stack([np.ones(N), x])
    terms = [
        make_term("g", level_codes(rng, N, 6), X, structure=structure),
        make_term("h", level_codes(rng, N, 9), np.ones((N, 1))),
        make_term("g", level_codes(rng, N, 6), rng.normal(size=(N, 1)), effects=("w",)),
    ]
    terms[2] = replace(terms[2], codes=terms[0].codes)
    return make_design(rng.normal(size=N), X, terms)


@pytest.mark.parametrize(("tilt", "is_by_products"), [(1.0, True), (1e-3, True), (1e-6, False), (0.0, False)])
def test_columns_of_many_rows_are_orthonormal_to_rounding_without_qr(
    tilt: float, is_by_products: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(3)
    X = rng.normal(size=(5000, 4)) * [1.0, 1e6, 1e-6, 1.0]
    X[:, 3] = X[:, 0] + tilt * X[:, 3]
    if not is_by_products:
        assert scaling._by_products(X) is None
        return
    by_qr = orthonormal(X)
    monkeypatch.setattr(scaling, "TALL", 0.0)
    Q, T = orthonormal(X)
    np.testing.assert_allclose(Q.T @ Q / len(X), np.eye(4), atol=1e-13)
    np.testing.assert_allclose(np.tril(T, -1), 0.0, atol=0.0)
    np.testing.assert_allclose(np.abs(T), np.abs(by_qr[1]), rtol=1e-12 / tilt)


@pytest.mark.parametrize("units", UNITS)
def test_fixed_columns_are_orthonormal(units):
    shift, factor, tolerance = UNITS[units]
    design = make(shift, factor)
    working = coordinates(design)
    np.testing.assert_allclose(working.X.T @ working.X / N, np.eye(2), atol=1e-12)
    np.testing.assert_allclose(design.X @ working.T, working.X, atol=tolerance)
    np.testing.assert_array_equal(working.T, np.triu(working.T))


@pytest.mark.parametrize("units", UNITS)
def test_correlated_effects_have_orthonormal_columns(units):
    shift, factor, tolerance = UNITS[units]
    design = make(shift, factor)
    working = coordinates(design)
    for t, (term, place) in enumerate(zip(design.terms, working.places, strict=True)):
        columns = working.factors[place.factor].z[:, place.columns]
        np.testing.assert_allclose(term.z @ working.C[t], columns, atol=tolerance)
        np.testing.assert_allclose(columns.T @ columns / N, np.eye(columns.shape[1]), atol=tolerance)


@pytest.mark.parametrize("structure", ["diag", "cs", "hetar1"])
def test_effects_with_a_structure_are_scaled_one_by_one(structure):
    working = coordinates(make(3.0, 2.0, structure=structure))
    C = working.C[next(t for t, C in enumerate(working.C) if len(C) == 2)]
    np.testing.assert_array_equal(C, np.diag(np.diagonal(C)))
    for factor in working.factors:
        np.testing.assert_allclose(np.mean(factor.z**2, axis=0), 1.0, rtol=1e-12)


@pytest.mark.parametrize("structure", ["homdiag", "homcs", "ar1"])
def test_effects_that_share_a_standard_deviation_are_scaled_together(structure):
    working = coordinates(make(3.0, 2.0, structure=structure))
    C = working.C[next(t for t, C in enumerate(working.C) if len(C) == 2)]
    np.testing.assert_allclose(C, C[0, 0] * np.eye(2))


def test_collinear_effects_keep_their_columns():
    design = make(0.0, 1.0)
    term = design.terms[0]
    doubled = replace(term, z=np.column_stack([np.ones(N), np.full(N, 2.0)]), effects=("Intercept", "x"))
    working = coordinates(design.with_rows(terms=(doubled,)))
    np.testing.assert_allclose(working.C[0], np.diag([1.0, 0.5]))


def test_factors_are_ordered_by_levels_and_terms_find_their_place():
    design = make(1.0, 1.0)
    working = coordinates(design)
    assert [factor.levels for factor in working.factors] == [9, 6]
    assert [factor.k for factor in working.factors] == [1, 3]
    assert [place.factor for place in working.places] == [0 if term.group == "h" else 1 for term in design.terms]
    assert working.size == 3 + 1 + 1


def test_covariances_and_effects_come_back_in_the_users_units():
    """``Z b`` and the covariance of ``Z b`` are the same in both coordinates."""
    design = make(3.0, 2.0)
    working = coordinates(design)
    rng = np.random.default_rng(1)
    theta = rng.normal(size=working.size)
    inside = sum(
        indicator(f.codes, f.z, f.levels) @ np.kron(np.eye(f.levels), L @ L.T) @ indicator(f.codes, f.z, f.levels).T
        for f, L in zip(working.factors, working.by_factor(theta), strict=True)
    )
    outside = sum(
        indicator(t.codes, t.z, len(t.levels))
        @ np.kron(np.eye(len(t.levels)), G)
        @ indicator(t.codes, t.z, len(t.levels)).T
        for t, G in zip(design.terms, working.covariances(theta), strict=True)
    )
    np.testing.assert_allclose(outside, inside, atol=1e-10)
    effects = [rng.normal(size=(4, f.levels, f.k)) for f in working.factors]
    own = sum(np.einsum("nk,...nk->...n", f.z, b[:, f.codes]) for f, b in zip(working.factors, effects, strict=True))
    users = sum(
        np.einsum("nk,...nk->...n", t.z, b[:, t.codes])
        for t, b in zip(design.terms, working.of_terms(effects), strict=True)
    )
    np.testing.assert_allclose(users, own, atol=1e-10)


def test_side_by_side_is_block_diagonal():
    one, two = np.full((3, 1, 1), 2.0), np.tril(np.ones((2, 2)))
    whole = side_by_side([one, two])
    expected = np.array([[2.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 1.0, 1.0]])
    np.testing.assert_array_equal(whole, np.broadcast_to(expected, (3, 3, 3)))


def test_sds_and_correlations():
    covariance = np.array([[4.0, -3.0, 0.0], [-3.0, 9.0, 0.0], [0.0, 0.0, 0.0]])
    sd, corr = sd_and_corr(covariance)
    np.testing.assert_allclose(sd, [2.0, 3.0, 0.0])
    assert corr[0, 1] == pytest.approx(-0.5)
    assert np.isnan(corr[0, 2])  # of an effect that does not vary
    np.testing.assert_array_equal(np.diagonal(corr), 1.0)


@given(st.integers(1, 4), st.integers(0, 4), st.integers(0, 1000))
def test_cholesky_of_singular_matrices(k, rank, seed):
    root = np.random.default_rng(seed).normal(size=(k, min(k, rank)))
    covariance = root @ root.T
    factor = cholesky_psd(covariance)
    np.testing.assert_allclose(factor @ factor.T, covariance, atol=1e-6)  # a pivot of rounding size has its root
    np.testing.assert_array_equal(factor, np.tril(factor))
    assert np.all(np.diagonal(factor) >= 0.0)
