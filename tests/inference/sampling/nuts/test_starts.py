"""Where chains of NUTS start: free values go back to the parameters they were made of, and are spread out."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from conftest import around

from bayesmix.inference.sampling.nuts.reparametrisation import reparametrise
from bayesmix.inference.sampling.nuts.reparametrised_model import free_at, free_shapes, parameters_at, sampler_model
from bayesmix.inference.sampling.nuts.starts import Starts


@pytest.mark.parametrize("name", ["sleepstudy", "esoph"])
def test_free_values_go_back_to_parameters(model: Any, name: str) -> None:
    given = model(name)
    design, priors, point = given.design, given.priors, given.estimate().point
    reparametrisation = reparametrise(design, given.spec, priors, point)
    beta = point.beta + 0.3 * np.sqrt(np.diagonal(point.beta_cov))
    sds = [np.array([0.7, 1.9])]
    free = free_at(design, priors, reparametrisation, beta, sds, np.asarray(2.5))
    shapes = free_shapes(sampler_model(design, given.spec, priors, reparametrisation).model)
    values = {k: np.zeros((1, 1, *shape)) + free.get(k, np.zeros(shape)) for k, shape in shapes.items()}
    back = parameters_at(design, priors, reparametrisation, values)
    np.testing.assert_allclose(back.beta[0, 0], beta, rtol=1e-9)
    np.testing.assert_allclose(back.sd[0][0, 0], sds[0], rtol=1e-9)
    np.testing.assert_allclose(back.dispersion, 2.5, rtol=1e-9)


def test_starts_depend_on_the_seed_alone_and_lie_far_apart(model: Any) -> None:
    given = model("sleepstudy")
    point = given.estimate().point
    starts = Starts(given.design, given.priors, reparametrise(given.design, given.spec, given.priors, point), point)
    found: list[Any] = []

    def keep(free: Any, rest: np.ndarray) -> np.ndarray:
        found.append(np.ravel(free["sd_free_Subject_free"]))
        return rest

    def start(seed: int) -> np.ndarray:
        return starts.of_chain(seed, 3, keep, lambda values: 0.0)

    for seed in range(20):
        np.testing.assert_array_equal(start(seed), start(seed))
    spread = np.array(found)
    assert np.all(spread.std(axis=0) > 2.0)  # in units of posterior standard deviations; near the estimate it is 0.6


@pytest.mark.parametrize("name", ["sleepstudy", "esoph poisson"])
def test_chains_may_start_at_draws_of_the_marginal_sampler(model: Any, fitted: Any, name: str) -> None:
    """At whole draws: coefficients, standard deviations and dispersion of one of them, and any of them in turn."""
    given, fit = model(name), fitted(name)
    known = around(fit, given, chains=2, draws=3, spread=0.2).values
    reparametrisation = reparametrise(given.design, given.spec, given.priors, fit.point)
    starts = Starts(given.design, given.priors, reparametrisation, fit.point, known)
    rng, met = np.random.default_rng(0), set()
    for _ in range(60):
        beta, sds, dispersion = starts._known(rng)
        ((chain, draw),) = np.argwhere(np.all(known.beta == beta, axis=-1))
        met.add((int(chain), int(draw)))
        for sd, own in zip(sds, known.sd, strict=True):
            np.testing.assert_array_equal(sd, own[chain, draw])
        assert dispersion == (None if known.dispersion is None else known.dispersion[chain, draw])
    assert len(met) == 6


def test_the_highest_of_several_points_is_taken(model: Any) -> None:
    """Of those where the density is finite; near the estimate if it is nowhere."""
    given = model("sleepstudy")
    point = given.estimate().point
    starts = Starts(given.design, given.priors, reparametrise(given.design, given.spec, given.priors, point), point)
    seen: list[tuple[float, np.ndarray]] = []

    def height(values: np.ndarray) -> float:
        seen.append((np.nan if len(seen) % 3 == 0 else float(values[0]), values.copy()))
        return seen[-1][0]

    def keep(free: Any, rest: np.ndarray) -> np.ndarray:
        return np.append(np.ravel(free["sd_free_Subject_free"])[0], rest[1:])

    several = 0
    for seed in range(20):
        seen.clear()
        found = starts.of_chain(seed, 3, keep, height)
        finite = [value for value, _ in seen if np.isfinite(value)]
        if finite:
            several += len(finite) > 1
            assert found[0] == max(finite)
        near = starts.of_chain(seed, 3, keep, lambda values: -np.inf)
        assert np.all(np.abs(near) <= 1.0)
    assert several > 5
