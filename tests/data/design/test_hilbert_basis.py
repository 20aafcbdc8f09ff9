"""Hilbert-space bases: columns and frequencies are brms's, products approximate the covariance, what has no value."""

import json
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.spatial.distance import cdist

from bayesmix.data.design.hilbert_basis import learn_hilbert_basis
from bayesmix.errors import DataError, PredictionWarning
from bayesmix.inference.parameters.spectral_covariance import KERNELS
from bayesmix.language.formula.parse import parse

REFERENCE = Path(__file__).parents[2] / "reference"
BASES = json.loads((REFERENCE / "processes" / "process.json").read_text(encoding="utf-8"))["bases"]
CURVES = pd.read_csv(REFERENCE / "smooths" / "curves.csv")
X = np.sort(np.random.default_rng(1).uniform(-1.0, 3.0, 30))


def learn(text, x):
    (process,) = parse(f"y ~ {text}").smooths
    return learn_hilbert_basis(process, x)


@pytest.mark.parametrize("text", BASES)
def test_columns_and_frequencies_are_those_of_brms(text):
    (process,) = parse(f"y ~ {text}").smooths
    x = CURVES[list(process.variables)].to_numpy()
    basis, spectrum = learn(text, x)
    np.testing.assert_allclose(basis(x[:6]), BASES[text]["columns"], atol=1e-10)
    lengths = np.linalg.norm(np.reshape(BASES[text]["frequencies"], (len(basis.orders), -1)), axis=1)
    np.testing.assert_allclose(spectrum.frequencies, lengths, rtol=1e-10)


COVARIANCES = {
    "exp_quad": lambda d, length: np.exp(-0.5 * (d / length) ** 2),
    "matern32": lambda d, length: (1.0 + np.sqrt(3.0) * d / length) * np.exp(-np.sqrt(3.0) * d / length),
    "matern52": lambda d, length: (
        (1.0 + np.sqrt(5.0) * d / length + 5.0 * d**2 / (3.0 * length**2)) * np.exp(-np.sqrt(5.0) * d / length)
    ),
}
CLOSE = {"exp_quad": 1e-9, "matern32": 2e-3, "matern52": 1e-4}  # rough functions need many more


@pytest.mark.parametrize("kernel", COVARIANCES)
def test_products_of_functions_approximate_the_covariance(kernel):
    basis, spectrum = learn(f'gp(x, k = 120, c = 2, cov = "{kernel}")', X[:, None])
    root = basis(X[:, None]) @ KERNELS[kernel](120, spectrum).root(np.array([0.15]))
    distance = cdist(X[:, None], X[:, None]) / spectrum.unit
    np.testing.assert_allclose(root @ root.T, COVARIANCES[kernel](distance, 0.15), atol=CLOSE[kernel])


def test_those_of_two_variables_do_as_well():
    points = np.random.default_rng(2).uniform(0.0, 5.0, (25, 2))
    basis, spectrum = learn("gp(x, z, k = 22, c = 1.5)", points)
    root = basis(points) @ KERNELS["exp_quad"](22**2, spectrum).root(np.array([0.25]))
    distance = cdist(points, points) / spectrum.unit
    np.testing.assert_allclose(root @ root.T, COVARIANCES["exp_quad"](distance, 0.25), atol=1e-5)


def test_length_scales_in_units_of_the_data_make_the_same_process():
    texts = ("gp(x, k = 20, c = 5/4)", "gp(x, k = 20, c = 5/4, scale = FALSE)")
    (scaled, own), (plain, other) = (learn(text, X[:, None]) for text in texts)
    roots = [
        basis(X[:, None]) @ KERNELS["exp_quad"](20, spectrum).root(np.array([length]))
        for basis, spectrum, length in ((scaled, own, 0.2), (plain, other, 0.2 * np.ptp(X)))
    ]
    np.testing.assert_allclose(roots[0] @ roots[0].T, roots[1] @ roots[1].T, atol=1e-12)
    assert other.lengths == pytest.approx(tuple(np.ptp(X) * np.array(own.lengths)))
    assert (own.unit, other.unit) == (pytest.approx(np.ptp(X)), 0.0)


def test_outside_of_the_data_a_process_returns_to_its_mean_and_ends_with_its_box():
    basis, _ = learn("gp(x, k = 8, c = 5/4)", X[:, None])
    end = basis.centre[0] + basis.half * basis.unit
    with pytest.warns(PredictionWarning, match=r"2 row\(s\) are outside of the data.* 1 of them are beyond the box"):
        columns = basis(np.array([[0.5], [end], [end + 0.1]]))
    np.testing.assert_allclose(columns[1], 0.0, atol=1e-12)
    assert np.isnan(columns[2]).all()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        basis(np.array([[X.min() - 0.005 * np.ptp(X)]]))


REFUSED = {
    "gp(x)": (np.ones((4, 1)), "needs several different values"),
    "gp(x, k = 1)": (X[:, None], "one function tells no length scale"),
    "gp(x, c = 0.4)": (X[:, None], "does not hold all data"),
    "gp(a, b, d, e)": (np.random.default_rng(1).normal(size=(9, 4)), "is of 4 variables: say how many"),
    "gp(a, b, k = c(3, 4))": (np.random.default_rng(1).normal(size=(9, 2)), "write one, of each variable"),
}


@pytest.mark.parametrize("text", REFUSED)
def test_what_has_no_basis_is_refused(text):
    x, message = REFUSED[text]
    with pytest.raises(DataError, match=message):
        learn(text, x)


def test_the_largest_distance_of_many_points_is_between_corners():
    points = np.random.default_rng(4).normal(size=(400, 2))
    _, spectrum = learn("gp(x, z, k = 3)", points)
    assert spectrum.unit == pytest.approx(cdist(points, points).max(), rel=1e-14)
    line = np.column_stack([np.arange(300.0), 2.0 * np.arange(300.0)])
    assert learn("gp(x, z, k = 3)", line)[1].unit == pytest.approx(299.0 * np.sqrt(5.0))
