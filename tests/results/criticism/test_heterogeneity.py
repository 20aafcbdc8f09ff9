"""Heterogeneity of meta-analyses: metafor's I2, H2 and Q, for both answers; refusals."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import bayesmix as bmx

FOLDER = Path(__file__).parents[2] / "reference" / "meta"
FIGURES = json.loads((FOLDER / "metafor.json").read_text(encoding="utf-8"))["cases"]
MODELS = {
    "bcg_reml": ("yi | se(sei) ~ 1 + (1 | trial)", "bcg"),
    "bcg_ablat_reml": ("yi | se(sei) ~ ablat + (1 | trial)", "bcg"),
    "konstantopoulos_reml": ("yi | se(sei) ~ 1 + (1 | district/school)", "konstantopoulos"),
    "konstantopoulos_year_reml": ("yi | se(sei) ~ I(year - 1990) + (1 | district/school)", "konstantopoulos"),
}


@cache
def data(name):
    return pd.read_csv(FOLDER / f"{name}.csv")


@cache
def model(name):
    formula, frame = MODELS[name]
    return bmx.Model(formula, data(frame))


@pytest.mark.parametrize("name", MODELS)
def test_shares_are_metafors(name):
    table, own = model(name).estimate().heterogeneity(), FIGURES[name]
    found = table["estimate"]
    np.testing.assert_allclose(found[["I2", "H2"]], [own["I2_total"], own["H2"]], rtol=1e-5)
    np.testing.assert_allclose(found["tau2"], np.sum(own["sigma2"]), rtol=1e-5)
    if isinstance(own["I2"], list):
        np.testing.assert_allclose(found[["I2(district)", "I2(school:district)"]], own["I2"], rtol=1e-5)
        np.testing.assert_allclose(found[["tau(district)", "tau(school:district)"]] ** 2, own["sigma2"], rtol=1e-5)
    test = table.attrs["Q"]
    np.testing.assert_allclose([test.statistic, test.p_value], [own["QE"], own["QEp"]], rtol=1e-6)
    assert test.df == own["k"] - own["p"]


def test_noise_beside_errors_is_a_part():
    nested = FIGURES["konstantopoulos_reml"]
    fit = bmx.Model("yi | se(sei, sigma = TRUE) ~ 1 + (1 | district)", data("konstantopoulos")).estimate()
    found = fit.heterogeneity()["estimate"]
    np.testing.assert_allclose(found[["I2(district)", "I2(sigma)", "H2"]], [*nested["I2"], nested["H2"]], rtol=1e-4)


def test_posterior_describes_the_same_functions_of_its_draws():
    post = model("bcg_reml").sample(draws=200, chains=2, seed=1, progress=False)
    table, v = post.heterogeneity(), FIGURES["bcg_reml"]["typical"]
    tau2 = post.values.sd[0][..., 0] ** 2
    np.testing.assert_allclose(table.loc["I2", "mean"], np.mean(tau2 / (tau2 + v)), rtol=1e-10)
    np.testing.assert_allclose(table.loc["tau2", "mean"], np.mean(tau2), rtol=1e-10)
    assert table.attrs["Q"].statistic == pytest.approx(FIGURES["bcg_reml"]["QE"], rel=1e-9)


def test_common_effect_has_none():
    found = bmx.Model("yi | se(sei) ~ 1", data("bcg")).estimate().heterogeneity()["estimate"]
    np.testing.assert_array_equal(found[["tau", "I2", "H2"]], [0.0, 0.0, 1.0])


def test_printed_with_its_test():
    text = repr(model("bcg_reml").estimate().heterogeneity())
    assert "Cochran's Q = 152.23 on 12 df, p < 2.2e-16" in text
    assert "I2    0.9222" in text


def test_refused_without_known_errors():
    fit = bmx.Model("yi ~ 1 + (1 | alloc)", data("bcg")).estimate()
    with pytest.raises(bmx.SpecError, match=r"heterogeneity\(\) is of responses whose standard errors are known"):
        fit.heterogeneity()
