"""Adaptive quadrature against integrals worked out by brute force with `scipy.stats` densities."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from dense import central, gauss_weights
from generalized import COUNTS, DIFFERENCED, DISPERSION, EXACT, LINKS, at, log_joint_rows, make, start
from handmade import make_design
from scipy import stats
from scipy.special import expit, logsumexp

import bayesmix as bmx
from bayesmix.inference.estimation.laplace import laplace
from bayesmix.inference.estimation.quadrature import quadrature, quadrature_gradient

THREE = 1e-5  # nine nodes, three effects
INTEGRAL = 1e-8  # adaptive brute force against 25 nodes on integrands close to Gaussian


@pytest.mark.parametrize("points", [1, 2, 9])
@pytest.mark.parametrize("k", [1, 2])
def test_quadrature_is_exact_for_gaussian_responses(k, points):
    _, working, problem = make("gaussian", "identity", k=k)
    Lambdas, mode = at(problem, working, np.concatenate(start(working, "identity", "gaussian")), "gaussian")
    value = laplace(problem, Lambdas, mode, DISPERSION).value
    assert quadrature(problem, Lambdas, mode, DISPERSION, points) == pytest.approx(value, rel=EXACT)


@pytest.mark.parametrize("k", [1, 2])
@pytest.mark.parametrize(("family", "link"), LINKS)
def test_one_node_is_laplace(family, link, k):
    _, working, problem = make(family, link, k=k)
    Lambdas, mode = at(problem, working, np.concatenate(start(working, link, family)), family)
    value = laplace(problem, Lambdas, mode, DISPERSION).value
    assert quadrature(problem, Lambdas, mode, DISPERSION, 1) == pytest.approx(value, rel=EXACT)


# effects of a level -> levels, rows, size of the effects, points and width of the trapezoidal grid, nodes, tolerance
GRIDS = {
    1: (4, 24, 0.7, 401, 9.0, 25, INTEGRAL),
    2: (3, 24, 0.6, 161, 9.0, 25, INTEGRAL),
    3: (2, 10, 0.3, 45, 7.0, 9, THREE),
}


@pytest.mark.parametrize("k", GRIDS)
@pytest.mark.parametrize(("family", "link"), COUNTS)
def test_quadrature_is_the_integral_over_each_levels_effects(family, link, k):
    """By a trapezoidal grid, of vectors of effects too, which lme4 cannot do."""
    levels, n, size, points, width, nodes, tolerance = GRIDS[k]
    design, working, problem = make(family, link, k=k, levels=levels, n=n)
    theta, beta = start(working, link, family, size=size)
    Lambdas, mode = at(problem, working, np.concatenate([theta, beta]), family)
    root = np.linalg.cholesky(working.covariances(theta)[0])
    fixed = design.X @ (working.T @ beta) + design.offset
    term = design.terms[0]
    effects, log_weights = gauss_weights(points, k, width)
    total = 0.0
    for level in range(levels):
        rows = term.codes == level
        eta = fixed[rows] + effects @ root.T @ term.z[rows].T
        trials = None if design.trials is None else design.trials[rows]
        part = make_design(design.y[rows], design.X[rows], [], trials=trials, weights=design.weights[rows])
        total += logsumexp(log_joint_rows(part, family, link, eta).sum(axis=1) + log_weights)
    assert quadrature(problem, Lambdas, mode, DISPERSION, nodes) == pytest.approx(-2.0 * total, abs=tolerance)
    # and the test can tell quadrature from Laplace
    assert abs(laplace(problem, Lambdas, mode, DISPERSION).value + 2.0 * total) > 20.0 * tolerance


@pytest.mark.parametrize("k", [1, 2, 3])
@pytest.mark.parametrize(("family", "link"), COUNTS)
def test_gradient_of_quadrature(family, link, k):
    _, working, problem = make(family, link, k=k)
    x = np.concatenate(start(working, link, family, size=0.6))
    m = working.size

    def value(x):
        Lambdas, mode = at(problem, working, x, family)
        return quadrature(problem, Lambdas, mode, DISPERSION, 4)

    Lambdas, mode = at(problem, working, x, family)
    slopes = quadrature_gradient(problem, Lambdas, mode, DISPERSION, 4)
    assert slopes.value == pytest.approx(value(x), rel=1e-12)
    gradient = np.concatenate([working.gradient(x[:m], slopes.by_factor), working.X.T @ slopes.by_eta])
    np.testing.assert_allclose(gradient, central(value, x, 1e-3), **DIFFERENCED)


@pytest.mark.parametrize("k", [1, 2])
@pytest.mark.parametrize(("family", "link"), COUNTS)
def test_derivative_by_the_log_dispersion(family, link, k):
    _, working, problem = make(family, link, k=k)
    x = np.concatenate(start(working, link, family, size=0.6))

    def value(log_dispersion):
        dispersion = float(np.exp(log_dispersion[0]))
        return quadrature(problem, *at(problem, working, x, family, dispersion=dispersion), dispersion, 4)

    slopes = quadrature_gradient(problem, *at(problem, working, x, family), DISPERSION, 4)
    np.testing.assert_allclose(slopes.by_dispersion, central(value, np.log([DISPERSION]), 1e-3)[0], **DIFFERENCED)


@pytest.mark.parametrize("cells", [1, 24 * 3, 10**6])
def test_nodes_a_few_at_a_time_are_the_same_nodes(cells, monkeypatch):
    _, working, problem = make("poisson", "log", k=2)
    Lambdas, mode = at(problem, working, np.concatenate(start(working, "log", "poisson", size=0.6)), "poisson")
    expected = quadrature(problem, Lambdas, mode, DISPERSION, 4)
    monkeypatch.setattr("bayesmix.inference.estimation.quadrature.CELLS", cells)
    assert quadrature(problem, Lambdas, mode, DISPERSION, 4) == pytest.approx(expected, rel=1e-12)
    slopes = quadrature_gradient(problem, Lambdas, mode, DISPERSION, 4)
    assert slopes.value == pytest.approx(expected, rel=1e-12)


@pytest.mark.slow  # a search of its own
@pytest.mark.filterwarnings("error::RuntimeWarning")
def test_trials_far_out_are_refused_in_silence():
    """Yields of gasoline, told almost without error: nodes of the first trials overflowed, and NumPy warned of it."""
    data = pd.read_csv(Path(__file__).parents[2] / "reference/unseen/petrol.csv")
    fit = bmx.Model("yield ~ endpoint + (1 | crude)", data, family="beta").estimate(bmx.Agq(9))

    intercept, slope, sd, phi = fit.parameters()["estimate"]
    grid = np.linspace(-6.0, 6.0, 4001)[:, None]

    def level(rows):
        mu = expit(intercept + slope * rows["endpoint"].to_numpy() + sd * grid)
        density = stats.beta.logpdf(rows["yield"].to_numpy(), mu * phi, (1.0 - mu) * phi).sum(axis=1)
        return logsumexp(density - 0.5 * grid[:, 0] ** 2)

    levels = [level(rows) for _, rows in data.groupby("crude")]
    constant = np.log(grid[1, 0] - grid[0, 0]) - 0.5 * np.log(2.0 * np.pi)
    assert fit.loglik == pytest.approx(np.sum(levels) + len(levels) * constant, rel=INTEGRAL)
