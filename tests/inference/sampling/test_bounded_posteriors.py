"""Posteriors of censored and truncated responses: the marginal sampler and NUTS draw from one distribution."""

from __future__ import annotations

import numpy as np
import pytest
from breadth import frame

import bayesmix as bmx


def model():
    return bmx.Model("time | cens(censored) ~ age + sex + (1 | patient)", frame("kidney"), family="lognormal")


@pytest.mark.slow
def test_both_samplers_agree_on_censored_times():
    from arviz import mcse

    found = {}
    for method in ("marginal", "nuts"):
        post = model().sample(draws=1000, chains=4, seed=3, method=method, progress=False)
        assert post.converged
        values = post.values
        logs = [np.log(values.sd[0][..., 0])]
        found[method] = np.stack([*np.moveaxis(values.beta, -1, 0), *logs])
    for one, other in zip(found["marginal"], found["nuts"], strict=True):
        error = np.hypot(mcse(one), mcse(other))
        assert abs(one.mean() - other.mean()) < 4.0 * error
        spread = np.hypot(*(float(mcse(x, method="sd")) for x in (one, other)))
        assert abs(one.std() - other.std()) < 4.0 * spread
