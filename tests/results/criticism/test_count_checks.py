"""Zeros and dispersion of counts against draws: what is there is found, what is not there is not."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from scipy import stats

import bayesmix as bmx
from bayesmix.results.criticism.count_checks import TAIL, applies, check_censored, check_counts

J, ROWS = 20, 12


@cache
def data(kind: str, seed: int = 0):
    rng = np.random.default_rng([4, seed])
    g, x = np.repeat(np.arange(J), ROWS), rng.normal(size=J * ROWS)
    eta = 0.8 + 0.4 * x + rng.normal(0.0, 0.5, J)[g]
    mu, share = np.exp(eta), 1.0 / (1.0 + np.exp(-eta))
    drawn = {
        "poisson": lambda: rng.poisson(mu),
        "negbinomial": lambda: rng.negative_binomial(1.5, 1.5 / (1.5 + mu)),
        "zeros": lambda: np.where(rng.random(J * ROWS) < 0.3, 0, rng.poisson(mu)),
        "no zeros": lambda: 1 + rng.poisson(0.7 * mu),
        "shares": lambda: rng.binomial(12, rng.beta(1.5 * share, 1.5 - 1.5 * share)),
    }[kind]()
    return {"y": drawn, "n": np.full(J * ROWS, 12), "x": x, "g": [f"g{j}" for j in g]}


@cache
def fit(kind: str, family: str):
    left = "y/n" if kind == "shares" else "y"
    return bmx.Model(f"{left} ~ x + (1 | g)", data(kind), family=family).estimate()


FOUND = {  # of data that are fitted with a family: whether zeros, dispersion are good; families that are named
    ("poisson", "poisson"): (True, True, ()),
    ("negbinomial", "poisson"): (False, False, ("negbinomial", "nbinom1", "zero_inflated_poisson")),
    ("zeros", "poisson"): (False, False, ("zero_inflated_poisson", "negbinomial")),
    ("negbinomial", "negbinomial"): (True, True, ()),
    ("zeros", "zero_inflated_poisson"): (True, True, ()),
    ("no zeros", "poisson"): (False, True, ()),
    ("shares", "binomial"): (False, False, ("betabinomial",)),
}


@pytest.mark.parametrize(("kind", "family"), FOUND)
def test_what_is_found(kind, family):
    estimate = fit(kind, family)
    (response,) = estimate.spec.responses
    zeros, dispersion = check_counts(estimate, response)
    assert (zeros.good, dispersion.good) == FOUND[kind, family][:2]
    text = str(estimate.diagnose())
    assert all(f'family="{name}"' in text for name in FOUND[kind, family][2])


def test_zeros_are_those_of_the_distribution():
    estimate = fit("poisson", "poisson")
    (response,) = estimate.spec.responses
    zeros, dispersion = check_counts(estimate, response)
    p = stats.poisson.pmf(0, estimate.fitted())
    assert zeros.observed == np.mean(data("poisson")["y"] == 0)
    assert zeros.expected == pytest.approx(p.mean(), abs=4.0 * np.sqrt(np.sum(p * (1.0 - p)) / 250.0) / len(p))
    assert dispersion.expected == pytest.approx(1.0, rel=1e-10)


def test_right_models_are_seldom_blamed():
    """Effects fitted to the data make the checks careful: fewer than their level of tail."""
    blamed = 0
    for seed in range(12):
        model = bmx.Model("y ~ x + (1 | g)", data("poisson", seed), family="poisson").estimate()
        blamed += sum(not check.good for check in check_counts(model, model.spec.responses[0]))
    assert blamed <= stats.binom.ppf(0.999, 24, TAIL)


@pytest.mark.parametrize(
    ("kind", "family", "counted"),
    [("poisson", "poisson", True), ("poisson", "gaussian", False), ("shares", "binomial", True)],
)
def test_what_is_counted(kind, family, counted):
    estimate = fit(kind, family)
    assert applies(estimate, estimate.spec.responses[0]) == counted
    assert ("Zeros" in str(estimate.diagnose())) == counted


# ---- censored values -----------------------------------------------------------------------------------------------


def censored(y, limit):
    c = np.where(y >= limit, "right", "none")
    return {"y": np.minimum(y, limit), "c": c, "g": np.arange(len(y)) % 10}


def test_shares_of_censored_values_are_told():
    """Lifetimes of heavier tails than exponential ones: more of them outlast the observation."""
    rng = np.random.default_rng(1)
    shares = {}
    for name, y in (("right", rng.exponential(2.0, 200)), ("wrong", np.exp(rng.normal(0.0, 2.5, 200)))):
        fit = bmx.Model("y | cens(c) ~ 1 + (1 | g)", censored(y, 3.0), family="exponential").estimate()
        found = check_censored(fit, fit.spec.responses[0])
        mean = np.exp(fit.linear_predictor())
        expected = stats.expon(scale=mean).sf(3.0).mean()
        assert found.observed == np.mean(y >= 3.0)
        assert found.expected == pytest.approx(expected, abs=5.0 * np.sqrt(expected * (1.0 - expected) / 200 / 250))
        assert "lognormal" in found.families
        assert "exponential" not in found.families
        shares[name] = next(one for one in fit.diagnose().findings if one.topic == "Censoring")
    assert shares["right"].good
    assert not shares["wrong"].good
    assert 'family="weibull"' in shares["wrong"].next


def test_without_limits_of_the_rows_that_are_seen_nothing_is_said_of_the_share():
    rng = np.random.default_rng(2)
    data = censored(rng.exponential(2.0, 60), 3.0) | {"c": np.where(rng.random(60) < 0.3, "right", "none")}
    fit = bmx.Model("y | cens(c) ~ 1 + (1 | g)", data, family="exponential").estimate()
    assert check_censored(fit, fit.spec.responses[0]) is None
    (found,) = (one for one in fit.diagnose().findings if one.topic == "Censoring")
    assert found.good
    assert "no known limits" in found.text
