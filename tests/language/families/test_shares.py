"""Distributions of successes against sums of logarithms."""

from __future__ import annotations

import json

import exact_densities
import laws
import numpy as np
import pytest
from count_densities import betabinomial

import bayesmix as bmx
from bayesmix.language.families import shares
from bayesmix.language.families.registry import FAMILIES

Y = np.array([0.0, 7.0, 1.0, 2.0, 5.0, 12.0, 1.0, 40.0, 300.0, 0.0])
TRIALS = np.array([5.0, 7.0, 1.0, 4.0, 20.0, 12.0, 6.0, 90.0, 900.0, 1.0])
MU = np.array([0.2, 0.9, 0.5, 0.4, 0.05, 0.99, 1e-9, 0.5, 0.3, 0.3])
PHI = np.array([0.3, 1.0, 20.0, 0.1, 7.0, 1e3, 2.0, 12.0, 1e7, 0.5])

LAWS = [
    laws.Law(FAMILIES["betabinomial"], Y, (MU, PHI), betabinomial, trials=TRIALS, y_of_cdf=np.arange(1.0)),
    laws.Law(
        FAMILIES["betabinomial"], np.minimum(Y, 12.0), (MU, PHI), betabinomial, trials=12.0, y_of_cdf=np.arange(13.0)
    ),
]


@pytest.mark.parametrize("check", laws.CHECKS)
@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.id)
def test_law(law, check):
    check(law)


def test_many_trials_are_exact():
    """Differences of log-gammas of a billion were noise of 3e-6, in which searches did not end."""
    exact_densities.check("betabinomial", has_trials=True)


def test_distribution_functions_of_many_trials_are_exact():
    """A term a count was added up: quantile residuals of a billion trials did not end."""
    rows = json.loads((exact_densities.FILE.parent / "betabinomial_cdf.json").read_text(encoding="utf-8"))
    y = np.array([row["y"] for row in rows], float)
    trials, mu, phi = np.array([row["parameters"] for row in rows]).T
    found = FAMILIES["betabinomial"].cdf(y, trials, mu, phi)
    np.testing.assert_allclose(found, [row["cdf"] for row in rows], rtol=1e-11, atol=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize("phi", [0.01, 3.0, 1e3, 1e12])
def test_both_ways_to_a_distribution_function_agree(phi, monkeypatch):
    y = np.array([501.0, 502.0, 640.0, 889.0, 898.0, 899.0])[:, None]
    mu = np.array([1e-4, 0.02, 0.5, 0.8, 0.9999])
    by_orders = FAMILIES["betabinomial"].cdf(y, 900.0, mu, phi)
    monkeypatch.setattr(shares, "SUMMED", 900.0)
    np.testing.assert_allclose(by_orders, FAMILIES["betabinomial"].cdf(y, 900.0, mu, phi), rtol=0, atol=1e-11)


@pytest.mark.slow
def test_many_trials_have_an_estimate():
    """That of shares from the beta distribution, of which a billion trials tell all but rounding."""
    rng = np.random.default_rng(0)
    g, trials = rng.integers(0, 6, 60), 10**9
    share = rng.beta(*(8.0 * np.array([0.55, 0.45])[:, None] * np.exp(0.3 * rng.normal(size=6))[g]))
    s, labels = rng.binomial(trials, share), [f"g{j}" for j in g]
    counts = {"s": s, "f": trials - s, "g": labels}
    fit = bmx.Model("cbind(s, f) ~ 1 + (1 | g)", counts, family="betabinomial").estimate()
    shares = bmx.Model("p ~ 1 + (1 | g)", {"p": s / trials, "g": labels}, family="beta").estimate()
    assert fit.converged
    np.testing.assert_allclose(fit.parameters()["estimate"], shares.parameters()["estimate"], rtol=1e-4)
