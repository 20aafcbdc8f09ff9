"""Priors at zero far from the data: the standard deviation there by hand, and a start inside the prior."""

from __future__ import annotations

import numpy as np
import pytest

import bayesmix as bmx
from bayesmix.inference.sampling.prior_conflict import conflicts, inside


def years() -> dict[str, object]:
    """Lines of ten levels that cross among years around 2003."""
    rng = np.random.default_rng(8)
    g, x = np.repeat(np.arange(10), 8), 2000.0 + np.tile(np.arange(8.0), 10)
    y = 3.0 + rng.normal(size=10)[g] + rng.normal(0.0, 0.5, 10)[g] * (x - x.mean()) + rng.normal(0.0, 0.3, 80)
    return {"y": y, "x": x, "g": [f"g{j}" for j in g]}


@pytest.fixture(scope="module")
def model():
    return bmx.Model("y ~ x + (x | g)", years(), priors={"sd(g, Intercept)": "HalfNormal(2)"})


@pytest.fixture(scope="module")
def point(model):
    return model.estimate().point


def test_a_prior_at_zero_that_the_estimate_is_beyond_is_found(model, point) -> None:
    (found,) = conflicts(model.priors, model.design, point.covariances)
    V, mean = point.covariances[0], model.design.X[:, 1].mean()
    assert found.name == "sd(g, Intercept)"
    assert found.estimate == pytest.approx(np.sqrt(V[0, 0]), rel=1e-12)
    assert found.centred == pytest.approx(np.sqrt(np.array([1.0, mean]) @ V @ np.array([1.0, mean])), rel=1e-6)
    assert found.upper == pytest.approx(2.0 * 1.959964, rel=1e-5)  # of a half normal
    assert found.estimate > 100.0 * found.upper
    assert found.place == f"x = {mean:g}"
    assert 'priors={..., "sd(g, Intercept(centred))": "HalfNormal(2)"}' in str(found)


def test_a_prior_at_the_means_is_no_conflict(point) -> None:
    default = bmx.Model("y ~ x + (x | g)", years())
    assert conflicts(default.priors, default.design, point.covariances) == []


def test_a_sampler_starts_inside_the_prior(model, point) -> None:
    found = conflicts(model.priors, model.design, point.covariances)
    start = inside(point, found)
    assert np.sqrt(start.covariances[0][0, 0]) < found[0].upper
    assert np.all(np.linalg.eigvalsh(start.covariances[0]) >= -1e-9)
    mean = np.array([1.0, model.design.X[:, 1].mean()])
    np.testing.assert_allclose(
        start.b[0] @ mean, point.b[0] @ mean, rtol=1e-6
    )  # among the data lines stay where they are
