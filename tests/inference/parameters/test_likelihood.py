"""Likelihoods of rows with several predictors against SciPy's densities and their differences."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from dense import central
from densities import log_density
from scipy import stats

from bayesmix.data.design.build import build
from bayesmix.data.design.layout import parts_of
from bayesmix.inference.parameters.likelihood import Likelihood, SeveralPredictors, likelihood_of
from bayesmix.language.formula.model_spec import make_spec

N = 7
RNG = np.random.default_rng(4)
MU = np.exp(RNG.normal(1.0, 0.3, N))
DATA = pd.DataFrame(
    {
        "x": RNG.normal(size=N),
        "w": RNG.uniform(0.5, 2.0, N),
        "real": RNG.normal(size=N),
        "count": RNG.poisson(3.0, N).astype(float),
        "positive": RNG.gamma(2.0, 1.0, N),
        "other": np.linspace(-1.0, 2.0, N) ** 2,
        "third": np.linspace(0.5, -1.0, N),
        "s": RNG.integers(0, 4, N).astype(float),
        "f": RNG.integers(1, 4, N).astype(float),
    }
)
# formulas, families, whether weights are given, log densities of rows from eta (R, n)
CASES = {
    "gaussian": (
        ["real ~ x", "sigma ~ x"],
        "gaussian",
        lambda eta: log_density("gaussian", DATA.real, eta[0], np.exp(eta[1])),
    ),
    "gaussian, weights": (
        ["real ~ x", "sigma ~ x"],
        "gaussian",
        lambda eta: log_density("gaussian", DATA.real, eta[0], np.exp(eta[1]) / np.sqrt(DATA.w)),
    ),
    "negbinomial": (
        ["count ~ x", "shape ~ x"],
        "negbinomial",
        lambda eta: log_density("negbinomial", DATA["count"], np.exp(eta[0]), np.exp(eta[1])),
    ),
    "negbinomial, weights": (
        ["count ~ x", "shape ~ x"],
        "negbinomial",
        lambda eta: DATA.w * log_density("negbinomial", DATA["count"], np.exp(eta[0]), np.exp(eta[1])),
    ),
    "gamma": (
        ["positive ~ x", "shape ~ 1"],
        "gamma",
        lambda eta: log_density("gamma", DATA.positive, np.exp(eta[0]), np.exp(eta[1])),
    ),
    "several responses": (
        ["real ~ x", "count ~ 1", "cbind(s, f) ~ x", "shape_count ~ x"],
        {"real": "gaussian", "count": "negbinomial", "cbind(s, f)": "binomial"},
        lambda eta: (
            log_density("gaussian", DATA.real, eta[0], np.exp(eta[1]))
            + log_density("negbinomial", DATA["count"], np.exp(eta[2]), np.exp(eta[3]))
            + log_density("binomial", DATA.s, 1.0 / (1.0 + np.exp(-eta[4])), 1.0, DATA.s + DATA.f)
        ),
    ),
}
CORRELATED = {"two residuals": ["real ~ x", "other ~ 1"]}
CORRELATED["three residuals, weights"] = ["real ~ x", "other ~ 1", "third ~ 1", "sigma_third ~ x"]


def jointly(columns, eta):
    """Log density of gaussian responses; the last predictors are of the partial correlations, column by column."""
    k, weights = len(columns), DATA.w.to_numpy() if len(columns) > 2 else np.ones(N)
    found = []
    for i in range(N):
        mu, sigma = eta[0 : 2 * k : 2, i], np.exp(eta[1 : 2 * k : 2, i]) / np.sqrt(weights[i])
        corr = correlations(np.tanh(0.5 * eta[2 * k :, i]))
        y = [DATA[column][i] for column in columns]
        found.append(stats.multivariate_normal(mu, np.outer(sigma, sigma) * corr).logpdf(y))
    return np.array(found)


def correlations(partial):
    """The matrix of partial correlations: of two effects, and of the third with each, the second's given the first."""
    if len(partial) == 1:
        return np.array([[1.0, partial[0]], [partial[0], 1.0]])
    first, second, given = partial
    last = first * second + given * np.sqrt((1.0 - first**2) * (1.0 - second**2))
    return np.array([[1.0, first, second], [first, 1.0, last], [second, last, 1.0]])


CASES |= {
    "two residuals": (CORRELATED["two residuals"], "gaussian", lambda eta: jointly(["real", "other"], eta)),
    "three residuals, weights": (
        CORRELATED["three residuals, weights"],
        "gaussian",
        lambda eta: jointly(["real", "other", "third"], eta),
    ),
}
ONE = np.ones(())


def of_case(case: str) -> tuple[Likelihood, np.ndarray]:
    """The likelihood and a point ``(N,)``."""
    formulas, families, _ = CASES[case]
    spec = make_spec(formulas, families, {"gamma": "log"}.get(case), None, rescor=case in CORRELATED)
    design = build(parts_of(spec), DATA, weights="w" if "weights" in case else None)
    likelihood = likelihood_of(design, spec)
    return likelihood, RNG.normal(0.2, 0.4, likelihood.R * N)


def rows(case: str, eta: np.ndarray) -> np.ndarray:
    return np.asarray(CASES[case][2](eta.reshape(-1, N)))


@pytest.mark.parametrize("case", CASES)
def test_densities_are_scipys(case: str) -> None:
    likelihood, eta = of_case(case)
    np.testing.assert_allclose(likelihood.value(eta, ONE), rows(case, eta), rtol=1e-12)
    np.testing.assert_allclose(likelihood.jet(eta, ONE)[0], rows(case, eta), rtol=1e-12)
    both = likelihood.value(np.stack([eta, eta + 0.1]), ONE)
    np.testing.assert_allclose(both[1], rows(case, eta + 0.1), rtol=1e-12)


@pytest.mark.parametrize("case", CASES)
def test_predictors_may_have_fewer_leading_entries_than_others(case: str) -> None:
    """What is of those alone is computed once."""
    likelihood, eta = of_case(case)
    assert isinstance(likelihood, SeveralPredictors)
    for r in range(likelihood.R):
        moved = eta + 0.1
        moved[r * N : (r + 1) * N] = eta[r * N : (r + 1) * N]
        own = [np.stack(pair) for pair in zip(np.split(eta, likelihood.R), np.split(moved, likelihood.R), strict=True)]
        own[r] = eta[r * N : (r + 1) * N]
        np.testing.assert_allclose(likelihood.value_of(own), [rows(case, eta), rows(case, moved)], rtol=1e-12)


@pytest.mark.parametrize("case", CASES)
def test_derivatives_are_those_of_the_density(case: str) -> None:
    """Each order is the difference of the one before; the first of SciPy's density."""
    likelihood, eta = of_case(case)
    R = likelihood.R
    _, first, second, third = likelihood.jet(eta, ONE)
    np.testing.assert_allclose(first, central(lambda x: rows(case, x).sum(), eta, 1e-3), rtol=1e-7, atol=1e-8)
    for r in range(R):
        step = np.zeros((R, N))
        step[r] = 1e-4
        step = step.ravel()
        up, down = likelihood.jet(eta + step, ONE), likelihood.jet(eta - step, ONE)
        np.testing.assert_allclose(second[r].ravel(), (up[1] - down[1]) / 2e-4, rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(third[r], (up[2] - down[2]) / 2e-4, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(second, np.swapaxes(second, 0, 1), rtol=1e-12)


@pytest.mark.parametrize("case", CASES)
def test_slopes_are_those_of_the_jet_one_by_one(case: str) -> None:
    likelihood, eta = of_case(case)
    points = np.stack([eta, eta - 0.3])
    first, second = likelihood.slopes(points, ONE)
    for at, own, block in zip(points, first, second, strict=True):
        jet = likelihood.jet(at, ONE)
        np.testing.assert_allclose(own, jet[1], rtol=1e-12)
        np.testing.assert_allclose(block, jet[2], rtol=1e-12)


@pytest.mark.parametrize("case", CASES)
def test_weights_of_a_descent_are_positive(case: str) -> None:
    likelihood, eta = of_case(case)
    blocks = likelihood.descent(eta, likelihood.slopes(eta, ONE)[1], ONE)
    assert np.linalg.eigvalsh(np.moveaxis(blocks, -1, 0)).min() > 0.0
