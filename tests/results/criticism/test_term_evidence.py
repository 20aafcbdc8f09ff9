"""Models without a term: the Bayes factors of both fits, and of one coefficient those of Savage and Dickey."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import bayesmix as bmx

OPTIONS = {"draws": 500, "chains": 4, "seed": 1, "method": "marginal", "progress": False}


@pytest.fixture(scope="module")
def frame():
    """A weak effect of x and none of the factor f."""
    rng = np.random.default_rng(3)
    g, x = np.repeat(np.arange(12), 5), rng.normal(size=60)
    y = 0.05 * x + rng.normal(size=12)[g] + rng.normal(size=60)
    return pd.DataFrame({"y": y, "x": x, "f": np.array(list("abc"))[np.arange(60) % 3], "g": g})


@pytest.fixture(scope="module")
def post(frame):
    return bmx.Model("y ~ x + f + (1 | g)", frame).sample(**OPTIONS)


@pytest.fixture(scope="module")
def table(post):
    return post.drop1(seed=1, progress=False)


def test_factors_are_those_of_both_models(post, table, frame):
    other = bmx.Model("y ~ x + (1 | g)", frame).sample(**OPTIONS)
    expected = bmx.bayes_factor(post, other)
    assert list(table.index) == ["x", "f"]
    for name, value in expected.items():
        assert table.loc["f", name] == pytest.approx(value, rel=1e-6)
    difference = post.loo(seed=1).elpd_i.to_numpy() - other.loo(seed=1).elpd_i.to_numpy()
    assert table.loc["f", "elpd_diff"] == pytest.approx(difference.sum())
    assert table.loc["f", "elpd_se"] == pytest.approx(np.sqrt(60) * difference.std())
    assert "depend on its prior" in repr(table)


def density_at_zero(post, j):
    """Of a coefficient, given the variances of each draw: normal, by dense algebra."""
    X, y = post.design.X, post.design.y
    Z = (post.design.terms[0].codes[:, None] == np.arange(12)).astype(float)
    mean, sd = np.array([prior.arguments for prior in post.priors.fixed]).T
    contrast = post.priors.contrast
    precision, pull = contrast.T @ np.diag(sd**-2) @ contrast, contrast.T @ (mean / sd**2)
    for tau, sigma in zip(post.values.sd[0].ravel()[::8], post.values.dispersion.ravel()[::8], strict=True):
        inverse = np.linalg.inv(sigma**2 * np.eye(len(y)) + tau**2 * Z @ Z.T)
        cov = np.linalg.inv(precision + X.T @ inverse @ X)
        centre = cov @ (pull + X.T @ inverse @ y)
        yield np.exp(-0.5 * centre[j] ** 2 / cov[j, j]) / np.sqrt(2.0 * np.pi * cov[j, j])


def test_that_of_a_coefficient_is_savage_and_dickeys(post, table):
    """Prior over posterior density at zero, for the priors of all else do not depend on it."""
    j = post.design.fixed.index("x")
    densities = np.fromiter(density_at_zero(post, j), float)
    error = densities.std() / densities.mean() / np.sqrt(len(densities))
    prior = stats.norm(*post.priors.fixed[j].arguments)
    expected = np.log(prior.pdf(0.0) / densities.mean())
    assert table.loc["x", "log_bayes_factor"] == pytest.approx(expected, abs=4.0 * error)
    assert error < 0.05


def test_flat_priors_have_no_factors(frame):
    flat = bmx.Model("y ~ x + (1 | g)", frame, priors="flat").sample(**OPTIONS)
    found = flat.drop1(progress=False)
    assert found["bayes_factor"].isna().all()
    assert np.isfinite(found["elpd_diff"]).all()
    assert "No Bayes factors: Only the marginal sampler with proper priors" in repr(found)
