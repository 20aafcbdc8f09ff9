"""Posteriors of counts of several categories: brms's with the same priors."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from test_imputation_posterior import differences

import bayesmix as bmx

FOLDER = Path(__file__).parents[2] / "reference" / "multinomial"
PRIORS = {
    **dict.fromkeys(("mub_Intercept", "mub_x", "muc_Intercept", "muc_x"), "Normal(0, 2)"),
    "sd": "Exponential(1)",
}
NAMES = {
    "b_mub_Intercept": "mub_Intercept",
    "b_mub_x": "mub_x",
    "b_muc_Intercept": "muc_Intercept",
    "b_muc_x": "muc_x",
    "sd_g__mub_Intercept": "sd(g, mub_Intercept)",
    "sd_g__muc_Intercept": "sd(g, muc_Intercept)",
}


@pytest.mark.slow
@pytest.mark.parametrize("method", ["marginal", "nuts"])
def test_parameters_are_those_of_brms(method):
    data = pd.read_csv(FOLDER / "data.csv")
    model = bmx.Model("cbind(a, b, c) | trials(n) ~ x + (1 | g)", data, family="multinomial", priors=PRIORS)
    post = model.sample(seed=3, method=method, draws=1500, progress=False)
    assert post.converged
    found = post.parameters().loc[list(NAMES.values())]
    expected = pd.read_csv(FOLDER / "brms.csv", index_col="variable").loc[list(NAMES)]
    assert np.abs(differences(found, expected, found["ess_bulk"].to_numpy())).max() < 4.0
