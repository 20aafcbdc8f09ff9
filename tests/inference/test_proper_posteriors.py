"""Posteriors of data without a finite estimate: proper under proper priors, beside sums over dense grids."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import stats

import bayesmix as bmx

PROBABILITIES = np.array([0.025, 0.25, 0.5, 0.75, 0.975])
N = 24


def shares(draws: np.ndarray, grid: np.ndarray, log_density: np.ndarray) -> np.ndarray:
    """Probabilities under the density on a grid of the draws' quantiles."""
    density = np.exp(log_density - log_density.max())
    cdf = np.concatenate([[0.0], np.cumsum(0.5 * (density[1:] + density[:-1]) * np.diff(grid))])
    return np.interp(np.quantile(draws, PROBABILITIES), grid, cdf / cdf[-1])


def error(fit: bmx.Posterior) -> np.ndarray:
    ess = float(fit.parameters()[["ess_bulk", "ess_tail"]].min(axis=None))
    return np.sqrt(PROBABILITIES * (1.0 - PROBABILITIES) / ess)


def test_counts_that_are_all_zero() -> None:
    fit = bmx.Model("y ~ 1", {"y": np.zeros(N)}, "poisson").sample(seed=2, progress=False)
    assert fit.converged
    grid = np.linspace(-20.0, 3.0, 4001)
    exact = -N * np.exp(grid) + fit.priors.fixed[0].log_density(grid)
    assert np.all(np.abs(shares(fit.values.beta[..., 0], grid, exact) - PROBABILITIES) < 4.0 * error(fit))


def test_one_row_a_level_of_a_gaussian_response() -> None:
    """Only the sum of both variances is in the likelihood; the priors part them."""
    y = np.random.default_rng(5).normal(size=N)
    priors = {"Intercept": "Normal(0, 1)", "sd(g)": "HalfNormal(1)", "sigma": "HalfNormal(0.5)"}
    fit = bmx.Model("y ~ 1 + (1 | g)", {"y": y, "g": [f"l{i}" for i in range(N)]}, priors=priors).sample(
        seed=2, progress=False
    )
    assert fit.converged
    sd, sigma = np.linspace(1e-4, 4.0, 400), np.linspace(1e-4, 2.5, 400)
    total = sd[:, None] ** 2 + sigma**2
    mean = total / N  # of ybar given both, the intercept's prior added
    logs = -0.5 * N * np.log(total) - 0.5 * np.sum((y - y.mean()) ** 2) / total
    logs += 0.5 * np.log(mean) + stats.norm.logpdf(y.mean(), 0.0, np.sqrt(mean + 1.0))
    logs += stats.norm.logpdf(sd)[:, None] + stats.norm.logpdf(sigma, 0.0, 0.5)
    mass = np.exp(logs - logs.max())
    for draws, grid, axis in ((fit.values.sd[0][..., 0], sd, 1), (fit.values.dispersion, sigma, 0)):
        reached = shares(draws, grid, np.log(np.maximum(mass.sum(axis=axis), 1e-300)))
        assert np.all(np.abs(reached - PROBABILITIES) < 4.0 * error(fit))


def test_more_effects_than_rows() -> None:
    """REML puts sigma at zero; the posterior does not, nor does the search for it start there."""
    data = {"y": [1.0, 2.0, 4.0, 3.5], "x": [0.0, 1.0, 0.0, 1.0], "g": list("aabb")}
    fit = bmx.Model("y ~ x + (x | g)", data).sample(draws=400, chains=2, seed=1, method="marginal", progress=False)
    assert fit.draws.certificate["pareto_k"] < 0.7
    assert float(np.median(fit.values.dispersion)) > 0.3


def binary(y: np.ndarray, levels: int, fit: bmx.Posterior) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Grids of intercept and sd, and the log posterior ``(intercept, sd)``, effects integrated by quadrature."""
    beta, sd = np.linspace(-15.0, 15.0, 301), np.linspace(1e-3, 30.0, 400)
    x, w = np.polynomial.hermite_e.hermegauss(151)
    rows = y.reshape(levels, -1)
    successes, trials = rows.sum(axis=1), rows.shape[1]
    eta = beta[:, None, None] + sd[None, :, None] * x
    logs: Any = 0.0
    for count in np.unique(successes):
        terms = count * eta - trials * np.logaddexp(0.0, eta)
        one = np.log(np.sum(np.exp(terms) * w, axis=-1) / w.sum())
        logs = logs + np.sum(successes == count) * one
    logs = logs + fit.priors.fixed[0].log_density(beta)[:, None] + fit.priors.sd[0][0].log_density(sd)
    return beta, sd, logs


@pytest.mark.slow
@pytest.mark.parametrize("case", ["no success", "one row a level"])
def test_binary_responses(case: str) -> None:
    y, levels = (np.zeros(N), 6) if case == "no success" else (np.arange(N) % 2, N)
    data = {"y": y, "g": [f"l{i // (N // levels)}" for i in range(N)]}
    fit = bmx.Model("y ~ 1 + (1 | g)", data, "bernoulli").sample(seed=2, progress=False)
    assert fit.converged
    beta, sd, logs = binary(y, levels, fit)
    mass = np.exp(logs - logs.max())
    for draws, grid, axis in ((fit.values.beta[..., 0], beta, 1), (fit.values.sd[0][..., 0], sd, 0)):
        reached = shares(draws, grid, np.log(np.maximum(mass.sum(axis=axis), 1e-300)))
        assert np.all(np.abs(reached - PROBABILITIES) < 4.0 * error(fit))


@pytest.mark.parametrize(
    ("y", "family"), [(np.zeros(N), "poisson"), (np.zeros(N), "bernoulli"), (np.ones(N), "bernoulli")]
)
def test_flat_priors_on_effects_that_separate_are_refused(y: np.ndarray, family: str) -> None:
    data = {"y": y, "g": np.arange(N) % 6}
    with pytest.raises(bmx.SpecError, match="Flat priors on Intercept leave the posterior improper"):
        bmx.Model("y ~ 1 + (1 | g)", data, family, priors="flat").sample(progress=False)


def test_the_causes_of_a_difference_to_infinity_are_not_told() -> None:
    x = np.linspace(-1.0, 1.0, N)
    model = bmx.Model("y ~ x", {"x": x, "y": (x > 0.0).astype(float)}, "bernoulli")
    with pytest.warns(bmx.ConvergenceWarning, match="separates the outcomes"):
        estimate = model.estimate()
    found = bmx.compare(model.sample(seed=1, progress=False), estimate, causes=True)
    assert not found.decompositions
    assert "Under flat priors the posterior does not exist: the fixed effects separate" in str(found)


def test_the_estimate_says_that_there_is_a_posterior() -> None:
    model = bmx.Model("y ~ 1 + (1 | g)", {"y": np.zeros(N), "g": np.arange(N) % 6}, "poisson")
    with pytest.raises(bmx.DesignError, match=r"under proper priors there is a posterior, model\.sample\(\)"):
        model.estimate()
