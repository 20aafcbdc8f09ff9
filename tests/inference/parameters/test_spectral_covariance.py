"""Variances of the functions of a process: spectral densities by Fourier integrals, their numbers and derivatives."""

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.special import j0

from bayesmix.data.columns import Spectrum
from bayesmix.inference.parameters.covariance import Scaled
from bayesmix.inference.parameters.covariance_derivatives import covariance_derivatives
from bayesmix.inference.parameters.spectral_covariance import KERNELS

FREQUENCIES = tuple((np.arange(1, 9) * np.pi / 2.5).tolist())
KERNEL = {
    "exp_quad": lambda u: np.exp(-0.5 * u**2),
    "matern32": lambda u: (1.0 + np.sqrt(3.0) * u) * np.exp(-np.sqrt(3.0) * u),
    "matern52": lambda u: (1.0 + np.sqrt(5.0) * u + 5.0 * u**2 / 3.0) * np.exp(-np.sqrt(5.0) * u),
}
LENGTHS = [0.01, 0.2, 0.7, 3.0]


def family(kernel, dimensions=1):
    return KERNELS[kernel](8, Spectrum(kernel, FREQUENCIES, dimensions, (0.1, 1.0), 2.0))


@pytest.mark.parametrize("kernel", KERNEL)
@pytest.mark.parametrize("length", [0.2, 0.7])
def test_densities_are_fourier_transforms_of_the_covariance(kernel, length):
    density = np.diagonal(family(kernel).matrix(np.array([length])))
    for w, value in zip(FREQUENCIES[:4], density, strict=False):
        expected = 2.0 * quad(lambda d: KERNEL[kernel](d / length), 0.0, 12.0, weight="cos", wvar=w, epsabs=1e-13)[0]
        assert value == pytest.approx(expected, abs=1e-10)
    plane = np.diagonal(family(kernel, 2).matrix(np.array([length])))
    for w, value in zip(FREQUENCIES[:3], plane, strict=False):
        whole = quad(lambda d: d * KERNEL[kernel](d / length) * j0(w * d), 0.0, 12.0, limit=400, epsabs=1e-13)[0]  # noqa: B023
        assert value == pytest.approx(2.0 * np.pi * whole, abs=1e-9)


@pytest.mark.parametrize("kernel", KERNEL)
@pytest.mark.parametrize("dimensions", [1, 2])
def test_length_scales_are_read_off_covariances(kernel, dimensions):
    structure = Scaled(family(kernel, dimensions), True)
    low, high = structure.correlation.ends
    lengths = np.array([*LENGTHS, 1.01 * low[0], 0.99 * high[0]])[:, None]
    matrices = structure.correlation.matrix(lengths)
    np.testing.assert_allclose(structure.correlation.numbers(matrices), structure.correlation.kept(lengths), rtol=1e-7)
    sd, found = structure.parts(1.7**2 * matrices)
    np.testing.assert_allclose(sd, 1.7, rtol=1e-6)
    np.testing.assert_allclose(found, matrices, rtol=1e-5, atol=1e-290)
    root = structure.correlation.root(lengths)
    np.testing.assert_allclose(root @ root.swapaxes(-1, -2), matrices, rtol=1e-12)


def test_a_process_without_variance_has_no_length_scale():
    structure = Scaled(family("exp_quad"), True)
    sd, matrix = structure.parts(np.zeros((8, 8)))
    assert np.all(sd == 0.0)
    assert np.isnan(np.diagonal(matrix)).all()
    padded = structure.padded(np.zeros((8, 8)), np.full(8, 0.1))
    assert np.trace(padded) == pytest.approx(8 * 0.01)
    assert structure.correlation.numbers(padded)[0] == pytest.approx(np.sqrt(0.1))  # between the ends of what data tell


def test_equal_variances_are_at_the_short_end():
    structure = Scaled(family("matern32"), True)
    low, _ = structure.correlation.ends
    np.testing.assert_allclose(structure.correlation.numbers(np.eye(8)), low)
    theta = structure.inside(structure.theta(np.eye(8)))
    found = structure.correlation.numbers(structure.factor(theta) @ structure.factor(theta).T)
    assert found == pytest.approx(0.1)  # the shortest that the functions follow


@pytest.mark.parametrize("kernel", KERNEL)
def test_slopes_are_differences(kernel):
    one, h = family(kernel), 1e-5
    for length in LENGTHS[1:]:
        y = one.coordinates(np.array([length]))
        root, slopes = one.turned(y)
        above, below = (one.turned(y + step)[0] for step in (h, -h))
        np.testing.assert_allclose(slopes[0], (above - below) / (2.0 * h), atol=1e-8)
        by_log = one.by_logarithms(np.array([length]))[0]
        np.testing.assert_allclose(by_log, slopes[0] @ root.T + root @ slopes[0].T, atol=1e-12)


def test_rows_are_a_root_of_symbols():
    one = family("matern52")
    rows = one.rows(np.array([0.3]), sqrt=np.sqrt, one=1.0)
    np.testing.assert_allclose([row[-1] for row in rows], np.diagonal(one.root(np.array([0.3]))))
    assert all(value == 0.0 for row in rows for value in row[:-1])


def test_covariances_move_with_variance_and_length_scale():
    structure = Scaled(family("exp_quad"), True)
    matrix = 0.8 * structure.correlation.matrix(np.array([0.2]))
    found = covariance_derivatives(structure, matrix)
    h = 1e-5
    by_variance = matrix / 0.8
    by_length = [0.8 * structure.correlation.matrix(np.array([0.2 + side * h])) for side in (1.0, -1.0)]
    slope = (by_length[0] - by_length[1]) / (2.0 * h)
    basis = np.stack([by_variance.ravel(), slope.ravel()], axis=1)
    for one in found.first:  # linear combinations of these two
        coefficients, *_ = np.linalg.lstsq(basis, one.ravel(), rcond=None)
        np.testing.assert_allclose(basis @ coefficients, one.ravel(), atol=1e-7)
    assert np.linalg.matrix_rank(found.first.reshape(2, -1)) == 2
