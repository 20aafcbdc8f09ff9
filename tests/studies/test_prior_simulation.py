"""Parameters drawn from priors: their moments by SciPy's distributions, and centred intercepts carried to zero."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

import bayesmix as bmx
from bayesmix.results.prediction.simulation import replicated
from bayesmix.studies.prior_simulation import draw_parameters

N, DRAWS = 24, 1500
X = np.linspace(4.0, 8.0, N)
DATA = {"x": X, "y": np.sin(X), "g": [f"g{i % 4}" for i in range(N)]}
PRIORS = {
    "Intercept": "Normal(2, 3)",
    "x": "Normal(-1, 0.5)",
    "sd(g)": "HalfNormal(2)",
    "corr(g)": "LKJ(1)",
    "sigma": "Exponential(4)",
}


@pytest.fixture(scope="module")
def drawn():
    model, rng = bmx.Model("y ~ x + (x | g)", DATA, priors=PRIORS), np.random.default_rng(3)
    return model, [draw_parameters(model.priors, model.design, rng) for _ in range(DRAWS)]


def looks_like(sample: np.ndarray, distribution) -> bool:
    return bool(stats.kstest(sample, distribution.cdf).pvalue > 1e-3)


def test_each_parameter_has_its_prior(drawn) -> None:
    _, values = drawn
    assert looks_like(np.array([one.beta[0] for one in values]), stats.norm(2.0, 3.0))
    assert looks_like(np.array([one.beta[1] for one in values]), stats.norm(-1.0, 0.5))
    assert looks_like(np.array([one.sd[0][0] for one in values]), stats.halfnorm(0.0, 2.0))
    assert looks_like(np.array([one.corr[0][1, 0] for one in values]), stats.uniform(-1.0, 2.0))
    assert looks_like(np.array([float(one.dispersion) for one in values]), stats.expon(0.0, 0.25))


def test_effects_have_the_covariance_of_their_draw(drawn) -> None:
    """Divided by it they are standard normals."""
    _, values = drawn
    spherical = [
        np.linalg.solve(np.linalg.cholesky(np.outer(one.sd[0], one.sd[0]) * one.corr[0]), one.b[0].T).ravel()
        for one in values[:200]
    ]
    assert looks_like(np.concatenate(spherical), stats.norm(0.0, 1.0))


def test_a_prior_at_the_means_is_carried_to_zero() -> None:
    """The intercept at the mean of x has the prior, that at zero lies its slope away."""
    model = bmx.Model("y ~ x + (1 | g)", DATA, priors={"Intercept(centred)": "Normal(5, 1)", "x": "Normal(0, 2)"})
    rng = np.random.default_rng(5)
    beta = np.array([draw_parameters(model.priors, model.design, rng).beta for _ in range(DRAWS)])
    assert looks_like(beta[:, 0] + X.mean() * beta[:, 1], stats.norm(5.0, 1.0))
    assert beta[:, 0].std() > 5.0  # sqrt(1 + (6 * 2)^2) at zero


def test_a_standard_deviation_at_the_means_is_carried_to_zero() -> None:
    """Levels spread at the mean of x as the prior says."""
    priors = {"sd(g, Intercept(centred))": "HalfNormal(1)", "sd(g, x)": "HalfNormal(3)"}
    model, rng = bmx.Model("y ~ x + (x | g)", DATA, priors=priors), np.random.default_rng(5)
    mean, spread = np.array([1.0, X.mean()]), []
    for _ in range(DRAWS):
        one = draw_parameters(model.priors, model.design, rng)
        spread.append(np.sqrt(mean @ (np.outer(one.sd[0], one.sd[0]) * one.corr[0]) @ mean))
    assert looks_like(np.array(spread), stats.halfnorm(0.0, 1.0))


def test_responses_are_drawn_given_the_parameters(drawn) -> None:
    model, values = drawn
    scaled = []
    for seed, one in enumerate(values[:60]):
        drawn_y = replicated(model.spec, model.design, one, groups="fitted", seed=seed)
        design = model.design.with_response(*drawn_y)
        (term,) = design.terms
        eta = design.X @ one.beta + np.sum(term.z * one.b[0][term.codes], axis=1)
        scaled.append((design.y - eta) / float(one.dispersion))
    assert looks_like(np.concatenate(scaled), stats.norm(0.0, 1.0))
