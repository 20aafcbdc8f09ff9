"""Penalised bases: integrals of squared derivatives by quadrature, interpolation, and what data are too few for."""

import numpy as np
import pytest

from bayesmix.data.design.smooth_bases import cubic, thin_plate
from bayesmix.errors import DataError

X = np.sort(np.random.default_rng(1).uniform(0.0, 2.0, 40))[:, None]


def roughness(basis, low, high, coefficients):
    """Integral of the squared second derivative, by differences on a fine grid."""
    grid = np.linspace(low, high, 200_001)
    curve = basis(grid[:, None]) @ coefficients
    step = grid[1] - grid[0]
    return float(np.sum((np.diff(curve, 2) / step**2) ** 2) * step)


@pytest.mark.parametrize("is_cyclic", [False, True])
def test_the_penalty_of_a_cubic_spline_is_its_roughness(is_cyclic):
    basis = cubic(X, 6, "s(x)", is_cyclic=is_cyclic)
    coefficients = np.random.default_rng(2).standard_normal(len(basis.penalty))
    expected = coefficients @ basis.penalty @ coefficients
    assert roughness(basis, X.min(), X.max(), coefficients) == pytest.approx(expected, rel=1e-4)


def test_the_full_thin_plate_spline_of_one_variable_is_the_natural_spline():
    x = X[:12]
    thin, natural = thin_plate(x, 12, None, "s(x)"), cubic(x, 12, "s(x)")
    y = np.sin(3.0 * x[:, 0])
    inside = np.linspace(x.min(), x.max(), 50)[:, None]
    curves = [basis(inside) @ np.linalg.solve(basis(x), y) for basis in (thin, natural)]
    np.testing.assert_allclose(curves[0], curves[1], atol=1e-7)
    a, b = (np.linalg.solve(basis(x), y) for basis in (thin, natural))
    assert a @ thin.penalty @ a == pytest.approx(b @ natural.penalty @ b, rel=1e-6)


def test_a_cyclic_spline_goes_on_where_it_ends():
    basis = cubic(X, 7, "s(x)", is_cyclic=True)
    low, high = X.min(), X.max()
    np.testing.assert_allclose(basis(np.array([[low]])), basis(np.array([[high]])), atol=1e-12)
    np.testing.assert_allclose(basis(X + (high - low)), basis(X), atol=1e-9)


def test_beyond_the_knots_a_cubic_spline_is_linear():
    values = cubic(X, 6, "s(x)")(np.array([[3.0], [4.0], [5.0]]))
    np.testing.assert_allclose(np.diff(values, 2, axis=0), 0.0, atol=1e-9)


@pytest.mark.slow
def test_many_values_are_thinned_out_as_mgcv_does():
    x = np.linspace(0.0, 1.0, 2_300)[:, None]
    basis = thin_plate(x, 5, None, "s(x)")
    assert basis.knots.shape == (2_000, 1)
    assert basis(x).shape == (2_300, 5)


TOO_FEW = {
    "thin plate": (lambda x: thin_plate(x, None, None, "s(x)"), "k = 10 and 5 different values: k is at most 5"),
    "cubic": (lambda x: cubic(x, 8, "s(x, k = 8)"), "k = 8 and 5 different values: k is at most 5"),
    "cyclic": (lambda x: cubic(x[:9], 10, "s(x)", is_cyclic=True), "at least 4 different values, and there are 3"),
    "small": (lambda x: thin_plate(x, 2, None, "s(x, k = 2)"), "k = 2, and k is at least 3"),
}


@pytest.mark.parametrize("case", TOO_FEW)
def test_too_few_values_are_said_with_their_number_and_the_largest_k(case):
    make, message = TOO_FEW[case]
    with pytest.raises(DataError, match=message):
        make(np.repeat(np.arange(5.0), 3)[:, None])
