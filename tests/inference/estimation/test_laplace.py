"""The Laplace approximation against the textbook's with dense matrices and `scipy.stats` densities."""

from __future__ import annotations

import numpy as np
import pytest
from dense import central, indicator, random_covariance
from generalized import DIFFERENCED, DISPERSION, EXACT, LINKS, at, log_joint_rows, make, start
from scipy.linalg import block_diag
from scipy.optimize import minimize
from scipy.stats import multivariate_normal

from bayesmix.data.design.build import build
from bayesmix.data.design.layout import parts_of
from bayesmix.inference.estimation.conditional_mode import generalized_problem
from bayesmix.inference.estimation.generalized import MarginalLikelihood
from bayesmix.inference.estimation.laplace import laplace
from bayesmix.inference.estimation.methods import Laplace
from bayesmix.inference.estimation.starting_values import without_random_effects
from bayesmix.inference.least_squares.scaling import coordinates
from bayesmix.language.families.registry import FAMILIES
from bayesmix.language.formula.model_spec import make_spec

VALUE = 1e-6  # the dense Laplace value: second derivatives by differences of step 2e-3


def dense_laplace(design, working, family, link, theta, beta):
    """Maximise over all spherical effects at once; slopes of the rows by differences of SciPy's densities."""
    roots = [np.linalg.cholesky(G) for G in working.covariances(theta)]
    Z = np.hstack([indicator(t.codes, t.z, len(t.levels)) for t in design.terms])
    ZL = Z @ block_diag(*(r for r, t in zip(roots, design.terms, strict=True) for _ in t.levels))
    fixed = design.X @ (working.T @ beta) + design.offset

    def rows(u, step=2e-3):
        """Log densities ``(n,)`` and their first two derivatives, of fourth order."""
        f = [log_joint_rows(design, family, link, fixed + ZL @ u + shift * step) for shift in (-2, -1, 0, 1, 2)]
        first = (f[0] - 8.0 * f[1] + 8.0 * f[3] - f[4]) / (12.0 * step)
        second = (-f[0] + 16.0 * f[1] - 30.0 * f[2] + 16.0 * f[3] - f[4]) / (12.0 * step**2)
        return f[2], first, second

    def hessian(u):
        return np.eye(len(u)) - (ZL.T * rows(u)[2]) @ ZL

    def negative(u):
        value = 0.5 * u @ u - rows(u)[0].sum()
        return value if np.isfinite(value) else 1e10

    start = np.zeros(ZL.shape[1])
    u = minimize(negative, start, jac=lambda u: u - ZL.T @ rows(u)[1], hess=hessian, method="trust-exact", tol=1e-8).x
    return 2.0 * negative(u) + np.linalg.slogdet(hessian(u))[1]


@pytest.mark.parametrize(("family", "link"), LINKS)
def test_laplace_is_the_textbook_approximation(family, link):
    design, working, problem = make(family, link, k=2, levels=2, n=16)
    theta, beta = start(working, link, family)
    Lambdas, mode = at(problem, working, np.concatenate([theta, beta]), family)
    value = laplace(problem, Lambdas, mode, DISPERSION).value
    assert value == pytest.approx(dense_laplace(design, working, family, link, theta, beta), abs=VALUE)


@pytest.mark.parametrize(
    ("family", "link", "crossed"),
    [
        pytest.param(*pair, crossed, marks=pytest.mark.slow if crossed else ())
        for pair in LINKS
        for crossed in (False, True)
    ],
)
def test_gradient_of_laplace(family, link, crossed):
    _, working, problem = make(family, link, k=2, crossed=crossed)
    x = np.concatenate(start(working, link, family))
    m = working.size

    def value(at_x):
        return laplace(problem, *at(problem, working, at_x, family), DISPERSION).value

    slopes = laplace(problem, *at(problem, working, x, family), DISPERSION)
    found = np.concatenate([working.gradient(x[:m], slopes.by_factor), working.X.T @ slopes.by_eta])
    np.testing.assert_allclose(found, central(value, x, 1e-4), **DIFFERENCED)
    assert len(found) == m + 2


def test_gradient_of_laplace_on_the_boundary():
    """A covariance matrix of rank one: correlation 1."""
    _, working, problem = make("poisson", "log", k=2)
    theta, beta = start(working, "log", "poisson")
    theta[-1] = 0.0
    x = np.concatenate([theta, beta])

    def value(at_x):
        return laplace(problem, *at(problem, working, at_x, "poisson"), DISPERSION).value

    slopes = laplace(problem, *at(problem, working, x, "poisson"), DISPERSION)
    found = np.concatenate([working.gradient(theta, slopes.by_factor), working.X.T @ slopes.by_eta])
    np.testing.assert_allclose(found, central(value, x, 1e-4), **DIFFERENCED)
    assert np.all(np.abs(found[:2]) > 1e-3)


@pytest.mark.parametrize("crossed", [False, True], ids=["one factor", "crossed"])
@pytest.mark.parametrize("k", [1, 2])
def test_laplace_is_exact_for_gaussian_responses(k, crossed):
    design, working, problem = make("gaussian", "identity", k=k, crossed=crossed)
    theta, beta = start(working, "identity", "gaussian")
    for size in (0.0, 1.0, 30.0):
        x = np.concatenate([size * theta, beta])
        value = laplace(problem, *at(problem, working, x, "gaussian"), DISPERSION).value
        V = np.diag(DISPERSION**2 / design.weights) + random_covariance(design, working.covariances(size * theta))
        mean = design.X @ (working.T @ beta) + design.offset
        assert value == pytest.approx(-2.0 * multivariate_normal(mean, V).logpdf(design.y), rel=EXACT)


SEVERAL = {  # formulas, families: shared effects, effects of their own, nested and crossed factors, several responses
    "sigma": (["y ~ x + (x | g)", "sigma ~ x"], "gaussian"),
    "shared": (["y ~ x + (1 | ID | g)", "sigma ~ x + (x | ID | g)"], "gaussian"),
    "crossed": (["y ~ x + (1 | g) + (1 | h)", "sigma ~ 1 + (1 | h) + offset(x)"], "gaussian"),
    "shape": (["count ~ x + (1 | g)", "shape ~ x + (1 | g)"], "negbinomial"),
    "gamma": (["exp(y) ~ x + (1 | h / g)", "shape ~ 1 + (1 | h)"], "gamma"),
    "responses": (["y ~ x + (1 | p | g)", "count ~ x + (1 | p | g)"], {"y": "gaussian", "count": "poisson"}),
}


@pytest.mark.parametrize("case", SEVERAL)
def test_gradients_of_several_predictors(case):
    """Against differences of the value, the mode found anew at each point."""
    formulas, family = SEVERAL[case]
    rng = np.random.default_rng(2)
    data = {"x": rng.normal(size=48), "y": rng.normal(size=48), "count": rng.poisson(4.0, 48).astype(float)}
    data |= {"g": np.repeat(list("abcdefgh"), 6), "h": np.tile(list("pqr"), 16)}
    spec = make_spec(formulas, family, {"gamma": "log"}.get(case), None)
    design = build(parts_of(spec), data)
    working = coordinates(design)
    likelihood = MarginalLikelihood(generalized_problem(design, working, spec), Laplace())
    beta = without_random_effects(likelihood.problem).beta
    x = np.concatenate([rng.uniform(0.2, 0.5, working.size), beta + rng.normal(0.0, 0.05, len(beta))])
    value, gradient = likelihood(x)
    assert value == pytest.approx(likelihood.value(x), rel=1e-12)
    np.testing.assert_allclose(gradient, central(likelihood.value, x, 1e-3), **DIFFERENCED)


WITH_DISPERSION = [pair for pair in LINKS if FAMILIES[pair[0]].dispersion is not None]


@pytest.mark.parametrize("crossed", [False, True], ids=["one factor", "crossed"])
@pytest.mark.parametrize(("family", "link"), [*WITH_DISPERSION, ("poisson", "log")])
def test_derivative_by_the_log_dispersion(family, link, crossed):
    _, working, problem = make(family, link, k=2, crossed=crossed)
    x = np.concatenate(start(working, link, family))

    def value(log_dispersion):
        dispersion = float(np.exp(log_dispersion[0]))
        return laplace(problem, *at(problem, working, x, family, dispersion=dispersion), dispersion).value

    slopes = laplace(problem, *at(problem, working, x, family), DISPERSION)
    np.testing.assert_allclose(slopes.by_dispersion, central(value, np.log([DISPERSION]), 1e-3)[0], **DIFFERENCED)
