"""Degrees of freedom of standard deviations: against the tail of the marginal likelihood itself."""

from __future__ import annotations

import numpy as np
import pytest

import bayesmix as bmx
from bayesmix.errors import SpecError
from bayesmix.inference.sampling.marginal.marginal_posterior import marginal_posterior
from bayesmix.inference.sampling.propriety import freedom
from bayesmix.language.families.registry import find_family

GAUSSIAN = find_family("gaussian")


def data(levels, each=6, seed=1):
    rng = np.random.default_rng(seed)
    codes = np.repeat(np.arange(levels), each)
    x = rng.normal(size=len(codes))
    between = np.where(codes % 2 == 0, "a", "b")
    y = rng.normal(size=levels)[codes] + x + rng.normal(size=len(codes))
    labels = np.array([f"g{code:02d}" for code in codes])
    return {"g": labels, "x": x, "between": between, "w": rng.normal(size=levels)[codes], "y": y}


CASES = {
    "intercept": ("y ~ x + (1 | g)", 5, [4]),
    "slope": ("y ~ x + (0 + x | g)", 5, [4]),
    "slope without its mean": ("y ~ 1 + (0 + x | g)", 5, [5]),
    "intercept and slope": ("y ~ x + (x | g)", 6, [5, 5]),
    "factor between levels": ("y ~ between + (1 | g)", 6, [4]),
    "two predictors between levels": ("y ~ between + w + (1 | g)", 6, [3]),
    "two levels": ("y ~ 1 + (1 | g)", 2, [1]),
}


@pytest.mark.parametrize("name", CASES)
def test_freedom_is_the_power_with_which_the_likelihood_falls(name):
    formula, levels, expected = CASES[name]
    model = bmx.Model(formula, data(levels))
    assert list(freedom(model.design, GAUSSIAN)[0]) == expected
    flat = bmx.Model(formula, data(levels), priors={"preset": "flat", "sd": "HalfNormal(1)"})
    target = marginal_posterior(flat.design, flat.priors, flat.estimate().point)
    coordinates = target.terms[0]
    for e, power in enumerate(expected):
        sizes = np.array([1e3, 1e4])
        theta = np.zeros((2, target.size))
        for row, size in zip(theta, sizes, strict=True):
            sd = np.full(coordinates.k, 0.5)
            sd[e] = size
            row[: coordinates.size] = coordinates.pack(np.diag(sd**2))
        values = target.log_likelihood(theta, target.reduce(theta))
        slope = (values[1] - values[0]) / np.log(sizes[1] / sizes[0])
        assert slope == pytest.approx(-power, abs=0.02)


def test_counts_that_are_all_zero_tell_nothing_of_large_effects():
    table = data(6)
    counts = np.random.default_rng(2).poisson(3.0, len(table["y"]))
    counts[:6] = 0
    counts[6:12] = 0
    table["n"] = counts
    model = bmx.Model("n ~ 1 + (1 | g)", table, family="poisson")
    assert list(freedom(model.design, model.spec.family)[0]) == [3]
    table["hit"] = (counts > 2).astype(float)
    table["hit"][-6:] = 1.0
    model = bmx.Model("hit ~ 1 + (1 | g)", table, family="bernoulli")
    assert list(freedom(model.design, model.spec.family)[0]) == [2]


def test_many_levels_are_not_counted_exactly():
    model = bmx.Model("y ~ x + (1 | g)", data(40, each=2))
    assert list(freedom(model.design, GAUSSIAN)[0]) == [38]


def test_too_few_levels_for_a_flat_prior_are_refused():
    model = bmx.Model("y ~ between + (1 | g)", data(3), priors="flat")
    with pytest.raises(SpecError, match=r"flat prior on sd\(g, Intercept\) with 3 levels, of which 1 tell"):
        marginal_posterior(model.design, model.priors, model.estimate().point)
    proper = bmx.Model("y ~ between + (1 | g)", data(4), priors="flat")
    assert marginal_posterior(proper.design, proper.priors, proper.estimate().point).size == 2
