"""Posteriors of models that impute missing values, against brms's with the same priors."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import bayesmix as bmx

FOLDER = Path(__file__).parents[2] / "reference" / "imputation"
FORMULAS = ["y | mi() ~ x + mi(z) + (1 | g)", "z | mi() ~ w + (1 | g)"]
PRIORS = {
    **dict.fromkeys(("y_Intercept", "y_x", "y_mi(z)", "z_Intercept", "z_w"), "Normal(0, 5)"),
    **dict.fromkeys(("sigma_y", "sigma_z", "sd"), "Exponential(1)"),
}
NAMES = {
    "b_y_Intercept": "y_Intercept",
    "b_y_x": "y_x",
    "b_z_Intercept": "z_Intercept",
    "b_z_w": "z_w",
    "bsp_y_miz": "y_mi(z)",
    "sd_g__y_Intercept": "sd(g, y_Intercept)",
    "sd_g__z_Intercept": "sd(g, z_Intercept)",
    "sigma_y": "sigma_y",
    "sigma_z": "sigma_z",
}
ERRORS = 4.0  # Monte Carlo standard errors of both


@cache
def posterior(method: str) -> bmx.Posterior:
    data = pd.read_csv(FOLDER / "data.csv")
    return bmx.Model(FORMULAS, data, priors=PRIORS).sample(seed=3, method=method, draws=1000)


def differences(found: pd.DataFrame, reference: pd.DataFrame, ess: np.ndarray) -> np.ndarray:
    """Differences of means and of standard deviations in Monte Carlo standard errors, those of ``found`` by its ESS."""
    own = found["sd"].to_numpy() / np.sqrt(ess)
    mean = (found["mean"].to_numpy() - reference["mean"]) / np.hypot(own, reference["mcse_mean"])
    sd = (found["sd"].to_numpy() - reference["sd"]) / np.hypot(own / np.sqrt(2.0), reference["mcse_sd"])
    return np.concatenate([mean, sd])


@pytest.mark.slow
@pytest.mark.parametrize("method", ["marginal", "nuts"])
def test_parameters_are_those_of_brms(method):
    reference = pd.read_csv(FOLDER / "brms.csv", index_col="variable").loc[list(NAMES)]
    post = posterior(method)
    assert post.converged
    found = post.parameters().loc[list(NAMES.values())]
    assert np.abs(differences(found, reference, found["ess_bulk"].to_numpy())).max() < ERRORS


@pytest.mark.slow
@pytest.mark.parametrize("response", ["y", "z"])
def test_imputed_values_are_those_of_brms(response):
    reference = pd.read_csv(FOLDER / "brms.csv", index_col="variable")
    own = [name for name in reference.index if name.startswith(f"Ymi_{response}[")]
    found = posterior("marginal").imputed(response)
    assert [int(re.findall(r"\[(\d+)\]", name)[0]) - 1 for name in own] == list(found.index)
    assert np.abs(differences(found, reference.loc[own], np.full(len(own), 2000.0))).max() < ERRORS
