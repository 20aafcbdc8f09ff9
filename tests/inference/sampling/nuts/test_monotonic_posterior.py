"""Posterior of a monotonic effect against the density on a grid of its slope and its first share."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

import bayesmix as bmx

N = 45
X = np.arange(N) % 3
Y = np.random.default_rng(4).poisson(np.exp(np.array([0.0, 0.1, 0.9])[X]))
PRIORS = {"mox": "Normal(0, 1)", "simo_mox1": "Dirichlet(2, 3)"}
ERRORS = 4.5  # Monte Carlo standard errors


def on_a_grid():
    """Means and standard deviations of the slope and of the first share, by Bayes' formula."""
    b, s = np.linspace(-3.0, 3.0, 1201)[:, None], np.linspace(0.0, 1.0, 1202)[None, 1:-1]
    eta = [np.zeros_like(b * s), 2.0 * b * s, 2.0 * b + 0.0 * s]
    log_density = sum(
        stats.poisson.logpmf(Y[code == X].sum(), np.sum(code == X) * np.exp(eta[code])) for code in range(3)
    )
    log_density = log_density + stats.norm.logpdf(b) + stats.beta.logpdf(s, 2, 3)
    weights = np.exp(log_density - log_density.max())
    weights /= weights.sum()
    for value in (b, s):
        mean = np.sum(weights * value)
        yield mean, np.sqrt(np.sum(weights * (value - mean) ** 2))


@pytest.mark.slow
@pytest.mark.parametrize("method", ["nuts", "marginal"])
def test_moments_are_those_of_the_density(method):
    model = bmx.Model("y ~ 0 + mo(x)", {"y": Y, "x": X}, family="poisson", priors=PRIORS)
    found = model.sample(method=method, draws=1000, seed=2)
    assert found.converged
    own = found.parameters()
    for name, (mean, sd) in zip(("mox", "simo_mox1[1]"), on_a_grid(), strict=True):
        error = sd / np.sqrt(float(own.loc[name, "ess_bulk"]))
        assert abs(own.loc[name, "mean"] - mean) < ERRORS * error, name
        assert own.loc[name, "sd"] == pytest.approx(sd, rel=0.08), name
    assert own.loc["simo_mox1[2]", "mean"] == pytest.approx(1.0 - own.loc["simo_mox1[1]", "mean"], rel=1e-9)
