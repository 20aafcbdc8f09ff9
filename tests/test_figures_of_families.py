"""Figures of every family against what its own draws say: means, variances, probabilities of zero, quantile residuals.

Draws are held against distribution functions, these against SciPy, in `tests/language/families`; here it is what a fit
makes of its parameters, of rows in several groups, that has to be a moment of what it simulates.
"""

from __future__ import annotations

import numpy as np
import pytest
from every_family import data_of, formulas_of
from scipy import stats

import bayesmix as bmx
from bayesmix.language.families.registry import FAMILIES

DRAWS = 4000
FAR = 5.0  # Monte Carlo errors, of 60 rows
QUICK = "exponential"
NUMBERS = [
    name for name, own in FAMILIES.items() if own.smooth is None and not own.levels and own.response != "categories"
]
CATEGORIES = [name for name, own in FAMILIES.items() if own.response == "categories" and not own.has_category_counts]
pytestmark = pytest.mark.filterwarnings("ignore::bayesmix.BayesmixWarning")


def marked(names):
    return [
        name if name == QUICK else pytest.param(name, marks=[pytest.mark.slow, pytest.mark.rotating]) for name in names
    ]


def near(found, expected, error):
    """Within Monte Carlo errors, row by row, and not on one side of zero."""
    z = (np.asarray(found, float) - expected) / np.maximum(error, 1e-12)
    assert np.abs(z).max() < FAR
    assert abs(z.mean()) < FAR / np.sqrt(len(z))


@pytest.mark.parametrize("name", marked(NUMBERS))
def test_figures_are_those_of_simulated_responses(name):
    family = FAMILIES[name]
    fit = bmx.Model(formulas_of(name), data_of(name), family=name).estimate()
    trials = np.asarray(fit.design.trials, float)[:, None]
    y = fit.simulate(DRAWS, seed=1, groups="fitted").to_numpy(float) / trials
    own = np.asarray(fit.design.y, float) / trials[:, 0]
    check_quantiles(fit, y, own)
    if family.support == "angle":
        direction = np.angle(np.exp(1j * y).mean(axis=1))
        near(np.sin(direction - fit.fitted()), 0.0, np.sin(y - direction[:, None]).std(axis=1) / np.sqrt(DRAWS))
        return
    mean, spread = fit.fitted().to_numpy(), y.std(axis=1)
    near(mean, y.mean(axis=1), spread / np.sqrt(DRAWS))
    check_variance(fit, y, own - mean)
    if family.values.has_zeros:
        share = np.mean(y == 0.0, axis=1)
        zero = fit.predict(kind="zero", groups="fitted").iloc[:, 0].to_numpy()
        near(zero, share, np.sqrt(zero * (1.0 - zero) / DRAWS))


def check_variance(fit, y, residual):
    """Pearson's residuals of families with R's scale are without that scale, as R's are."""
    family, scale = fit.spec.family, 1.0
    if family.has_scale:
        scale = float(fit.values.dispersion) ** (2.0 if family.is_normal else -1.0)
    variance = (residual / fit.residuals("pearson").to_numpy()) ** 2 * scale
    centred = (y - y.mean(axis=1, keepdims=True)) ** 2
    error = centred.std(axis=1) / np.sqrt(DRAWS)
    keeps = np.abs(residual) > 1e-9
    ratio = (centred.mean(axis=1) - variance)[keeps] / error[keeps]
    assert abs(np.median(ratio)) < 1.0


def check_quantiles(fit, y, own):
    """A residual is between the normal quantiles of the shares of draws below the response and not above it."""
    below, at = (np.mean(draws, axis=1) for draws in (y < own[:, None] - 1e-9, y <= own[:, None] + 1e-9))
    share = stats.norm.cdf(fit.residuals("quantile").to_numpy())
    slack = FAR * np.sqrt(0.25 / DRAWS)
    assert np.all(share > below - slack)
    assert np.all(share < at + slack)


@pytest.mark.parametrize("name", marked(CATEGORIES))
def test_probabilities_of_categories_are_those_of_simulated_responses(name):
    fit = bmx.Model(formulas_of(name), data_of(name), family=name).estimate()
    y, found = fit.simulate(DRAWS, seed=1, groups="fitted").to_numpy(), fit.fitted()
    for level in found.columns:
        p = found[level].to_numpy()
        near(p, np.mean(y == level, axis=1), np.sqrt(p * (1.0 - p) / DRAWS))
