"""Approximations under their own names: called so, with Pareto k."""

from __future__ import annotations

import numpy as np
import pytest

import bayesmix as bmx
from bayesmix.errors import SpecError
from bayesmix.inference.sampling import variational
from bayesmix.inference.sampling.variational import Advi

OPTIONS = {"draws": 500, "chains": 2, "seed": 4, "progress": False}


def test_pathfinder_names_the_package_it_needs(monkeypatch):
    monkeypatch.setattr(variational, "find_spec", lambda name: None)
    with pytest.raises(SpecError, match="pip install pymc-extras"):
        bmx.Pathfinder()


@pytest.mark.slow
def test_an_approximation_says_so(model):
    post = model("cbpp").sample(**OPTIONS, method=Advi(steps=2000))
    assert post.method == "advi"
    assert "approximation of the posterior by Advi(steps=2000), not from the posterior" in post.draws.notes[0]
    assert np.isfinite(post.draws.certificate["pareto_k"])
    assert "approximation" in str(post.summary())
