"""Where chains of NUTS start: free values go back to the parameters they were made of, and are spread out."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

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
