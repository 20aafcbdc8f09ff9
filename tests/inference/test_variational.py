"""Approximations under their own names: called so, with Pareto k, and near the posterior where that is normal."""

from __future__ import annotations

import numpy as np
import pytest

import bayesmix as bmx
from bayesmix.errors import SpecError
from bayesmix.inference import variational
from bayesmix.inference.variational import Advi

OPTIONS = {"draws": 500, "chains": 2, "seed": 4, "progress": False}


def test_pathfinder_names_the_package_it_needs(monkeypatch):
    monkeypatch.setattr(variational, "find_spec", lambda name: None)
    with pytest.raises(SpecError, match="pip install pymc-extras"):
        bmx.Pathfinder()


@pytest.mark.slow
def test_an_approximation_says_so(model):
    post = model("cbpp").sample(**OPTIONS, method="advi")
    assert post.method == "advi"
    assert "approximation of the posterior by Advi(steps=20000), not from the posterior" in post.draws.notes[0]
    assert np.isfinite(post.draws.certificate["pareto_k"])
    assert "approximation" in str(post.summary())


@pytest.mark.slow
def test_variational_inference_is_near_where_the_posterior_is_normal(model):
    """Many rows of crossed effects: little skewness, and independence in the sampler's coordinates."""
    found = model("penicillin").sample(**OPTIONS, method=Advi()).parameters()
    exact = model("penicillin").sample(**OPTIONS, method="marginal").parameters()
    near = np.abs(found["mean"] - exact["mean"]) / exact["sd"]
    assert near["sigma"] < 0.3
    assert near["sd(plate, Intercept)"] < 0.5
