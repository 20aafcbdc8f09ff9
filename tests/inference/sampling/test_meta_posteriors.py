"""Posteriors of meta-analyses: against dense quadrature over tau, and NUTS against the marginal sampler."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import bayesmix as bmx

FOLDER = Path(__file__).parents[2] / "reference" / "meta"
PRIORS = {"Intercept": "Normal(0, 2)", "sd": "HalfNormal(1)", "sigma": "HalfNormal(1)"}
FORMULAS = {"levels": "yi | se(sei) ~ 1 + (1 | trial)", "noise": "yi | se(sei, sigma = TRUE) ~ 1"}


@cache
def model(name):
    priors = {key: value for key, value in PRIORS.items() if key != ("sigma" if name == "levels" else "sd")}
    return bmx.Model(FORMULAS[name], pd.read_csv(FOLDER / "bcg.csv"), priors=priors)


@cache
def quadrature():
    """Moments of the mean and tau, and the log evidence: the mean integrated in closed form, tau on a grid."""
    frame = pd.read_csv(FOLDER / "bcg.csv")
    tau = np.linspace(1e-5, 6.0, 12_001)
    w = 1.0 / (frame.sei.to_numpy() ** 2 + tau[:, None] ** 2)
    y = frame.yi.to_numpy()
    precision = w.sum(axis=1) + 0.25
    mean = (w @ y) / precision
    log = 0.5 * np.log(w / (2.0 * np.pi)).sum(axis=1) - 0.5 * (w @ y**2) + 0.5 * mean**2 * precision
    log += 0.5 * np.log(0.25 / precision) + stats.halfnorm.logpdf(tau)
    top = log.max()
    density = np.exp(log - top)
    total = np.trapezoid(density, tau)
    density /= total

    def average(values):
        return float(np.trapezoid(values * density, tau))

    centre = average(mean)
    moments = {
        "mean": (centre, np.sqrt(average(1.0 / precision + mean**2) - centre**2)),
        "tau": (average(tau), np.sqrt(average(tau**2) - average(tau) ** 2)),
    }
    return moments, top + np.log(total)


def draws(post):
    tau = post.values.sd[0][..., 0] if post.values.sd else np.exp(post.values.beta[..., 1])
    return {"mean": post.values.beta[..., 0], "tau": tau}


@pytest.mark.parametrize("name", FORMULAS)
def test_marginal_draws_have_the_moments_of_the_quadrature(name):
    from arviz import mcse

    post = model(name).sample(draws=1000, chains=4, seed=4, progress=False)
    assert post.converged
    for parameter, found in draws(post).items():
        mean, sd = quadrature()[0][parameter]
        assert abs(found.mean() - mean) < 4.0 * float(mcse(found))
        assert abs(found.std() - sd) < 4.0 * float(mcse(found, method="sd"))
    evidence, error = post.log_evidence
    assert evidence == pytest.approx(quadrature()[1], abs=max(4.0 * error, 1e-3))


def test_known_variances_leave_a_normal_posterior():
    frame = pd.read_csv(FOLDER / "bcg.csv")
    post = bmx.Model("yi | se(sei) ~ 1", frame, priors={"Intercept": "Normal(0, 2)"}).sample(seed=1, progress=False)
    w = frame.sei**-2.0
    precision = w.sum() + 0.25
    assert float(post.values.beta.mean()) == pytest.approx(np.sum(w * frame.yi) / precision, abs=4e-3)
    assert float(post.values.beta.std()) == pytest.approx(precision**-0.5, rel=0.05)


@pytest.mark.slow
@pytest.mark.parametrize("name", FORMULAS)
def test_nuts_draws_have_the_moments_of_the_quadrature(name):
    from arviz import mcse

    post = model(name).sample(draws=1000, chains=4, seed=3, method="nuts", progress=False)
    assert post.converged
    for parameter, found in draws(post).items():
        mean, sd = quadrature()[0][parameter]
        assert abs(found.mean() - mean) < 4.0 * float(mcse(found))
        assert abs(found.std() - sd) < 4.0 * float(mcse(found, method="sd"))
