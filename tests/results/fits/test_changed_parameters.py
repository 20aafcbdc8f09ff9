"""Parameters at other values: what is reported of them, and nothing else, changes."""

from __future__ import annotations

import numpy as np
import pytest

import bayesmix as bmx
from bayesmix.errors import SpecError
from bayesmix.results.fits.changed_parameters import changed_parameters
from bayesmix.results.fits.linear_predictor import flatten

SLEEP = "Reaction ~ Days + (Days | Subject)"
CASES = {
    "linear": (
        SLEEP,
        {"Days": 5.0, "sd(Subject, Days)": 3.0, "corr(Subject, Intercept, Days)": -0.5, "sigma": 20.0},
    ),
    "one standard deviation of all": ("Reaction ~ Days + cs(Days | Subject, hom = TRUE)", {"sd(Subject)": 3.0}),
    "one correlation": ("Reaction ~ Days + cs(Days | Subject)", {"corr(Subject)": 0.25}),
    "a parameter that is one number": (["Reaction ~ Days + (1 | Subject)", "sigma ~ 1"], {"sigma_Intercept": 3.0}),
}


@pytest.mark.parametrize("name", CASES)
def test_the_values_given_are_those_reported(name):
    formula, changes = CASES[name]
    fit = bmx.Model(formula, bmx.load_dataset("sleepstudy")).estimate()
    found = dict(zip(fit.names, flatten(fit.design, changed_parameters(fit, changes)), strict=True))
    expected = dict(zip(fit.names, flatten(fit.design, fit.values), strict=True)) | changes
    assert found == pytest.approx(expected, rel=1e-12)


@pytest.mark.slow
def test_responses_with_correlated_residuals():
    """Entries of the matrix are given, partial correlations are what is computed with."""
    rng = np.random.default_rng(1)
    frame = {"g": np.repeat(np.arange(10), 4), **{name: rng.normal(size=40) for name in "abc"}}
    fit = bmx.Model([f"{name} ~ 1 + (1 | g)" for name in "abc"], frame, rescor=True).estimate("laplace")
    changes = {"rescor(a, b)": 0.5, "rescor(b, c)": -0.3, "sigma_a": 2.0}
    found = dict(zip(fit.names, flatten(fit.design, changed_parameters(fit, changes)), strict=True))
    expected = dict(zip(fit.names, flatten(fit.design, fit.values), strict=True)) | changes
    assert found == pytest.approx(expected, rel=1e-9, abs=1e-12)


def test_all_draws_of_a_posterior(posterior_of):
    post = posterior_of("sleepstudy")
    found = changed_parameters(post, {"Days": 5.0})
    assert np.all(found.beta[..., 1] == 5.0)
    np.testing.assert_array_equal(found.beta[..., 0], post.values.beta[..., 0])
    assert changed_parameters(post, {}) is post.values


REFUSED = {
    "unknown": ({"Dayz": 1.0}, "no parameter `Dayz`. Did you mean `Days`"),
    "no number": ({"Days": "five"}, "`Days` = 'five': a number"),
    "not finite": ({"Days": np.inf}, "a number is needed"),
    "a negative standard deviation": ({"sd(Subject, Days)": -1.0}, "not below zero"),
    "a negative sigma": ({"sigma": -1.0}, "not below zero"),
    "no correlation": ({"corr(Subject, Intercept, Days)": 1.5}, "between -1 and 1"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name):
    changes, words = REFUSED[name]
    fit = bmx.Model(SLEEP, bmx.load_dataset("sleepstudy")).estimate()
    with pytest.raises(SpecError, match=words):
        changed_parameters(fit, changes)
