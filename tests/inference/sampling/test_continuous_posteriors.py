"""Posteriors of continuous families: the marginal sampler against NUTS, which has nothing in common with it."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

import bayesmix as bmx

ERRORS = 4.5  # Monte Carlo errors: of some thirty comparisons with fixed seeds
J, ROWS = 10, 12


@cache
def data(name: str) -> dict[str, object]:
    rng = np.random.default_rng(21)
    g = np.repeat(np.arange(J), ROWS)
    x = rng.normal(size=J * ROWS)
    eta = 0.4 + 0.5 * x + rng.normal(0.0, 0.6, J)[g]
    share = 1.0 / (1.0 + np.exp(-eta))
    y = {
        "student": eta + 0.5 * rng.standard_t(3.0, J * ROWS),
        "lognormal": rng.lognormal(eta, 0.7),
        "beta": rng.beta(6.0 * share, 6.0 * (1.0 - share)),
    }[name]
    return {"y": y, "x": x, "g": [f"g{j}" for j in g]}


def posterior(name: str, method: str) -> bmx.Posterior:
    model = bmx.Model("y ~ x + (1 | g)", data(name), family=name)
    return model.sample(draws=1500, seed=3, method=method, progress=False)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["student", "lognormal", "beta"])
def test_engines_agree(name):
    ours, theirs = posterior(name, "marginal"), posterior(name, "nuts")
    assert ours.converged, ours.problems
    assert theirs.converged, theirs.problems
    one, other = ours.parameters(), theirs.parameters()
    error = np.hypot(one["sd"] / np.sqrt(one["ess_bulk"]), other["sd"] / np.sqrt(other["ess_bulk"]))
    assert np.all(np.abs(one["mean"] - other["mean"]) < ERRORS * error), (one, other)
    of_sd = np.sqrt(0.5 / one["ess_tail"] + 0.5 / other["ess_tail"]) * 1.5  # tails heavier than the normal's
    assert np.all(np.abs(np.log(one["sd"] / other["sd"])) < ERRORS * of_sd), (one, other)
