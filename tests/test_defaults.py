"""Every model file and every reference case can be used as it is sampled by default: `benchmarks/defaults.py`."""

from __future__ import annotations

import pytest
from benchmark_scripts import script

LONG = {"insteval", "grouseticks_raw"}  # a minute; the same model in other units


def cases():
    """The benchmark's models, by the benchmark's own list."""
    return script("defaults").models()


@pytest.mark.slow
def test_no_divergences_r_hat_below_1_01_and_400_effective_draws_at_defaults():
    failed = {}
    for name, model in cases():
        if name in LONG:
            continue
        post = model.sample(seed=1, progress=False)
        if not post.converged:
            failed[name] = (post.method, post.divergences, post.convergence.worst_r_hat, post.convergence.smallest_ess)
    assert not failed
