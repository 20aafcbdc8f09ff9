"""Estimates of ratings and categories: ordinal's clm, glmmTMB of the stages, nnet's multinom, quadrature."""

from __future__ import annotations

import json
from functools import cache

import numpy as np
import pandas as pd
import pytest
from breadth import FOLDER
from scipy import integrate, stats

import bayesmix as bmx

CASES = json.loads((FOLDER / "ratings" / "estimates.json").read_text(encoding="utf-8"))


@cache
def wine():
    data = pd.read_csv(FOLDER / "data" / "wine.csv", dtype={"judge": "str"})
    return data.assign(temp=pd.Categorical(data["temp"], ["cold", "warm"]))


@cache
def fit(name):
    case = CASES[name]
    data = wine()
    if case["family"] == "categorical" or "cs(" in case["formula"]:
        data = data.assign(rating=data["rating"].clip(2, 4))
    return bmx.Model(case["formula"], data, family=case["family"], link=case["link"]).estimate()


@pytest.mark.parametrize("name", CASES)
def test_criterion(name):
    assert fit(name).criterion == pytest.approx(CASES[name]["criterion"], rel=1e-9)
    assert fit(name).converged


@pytest.mark.parametrize("name", CASES)
def test_coefficients(name):
    table = fit(name).parameters()
    for own, expected in CASES[name]["coefficients"].items():
        row = table.loc[own]
        assert abs(row["estimate"] - expected) < 1e-4 * row["std_error"], own


def test_counts_of_categories_are_cases():
    """What stands in place of multinomial rows: a row for each category with its count."""
    counts = np.random.default_rng(1).multinomial(9, [0.2, 0.3, 0.5], 8)
    rows = {"what": np.tile(list("abc"), 8), "n": counts.ravel(), "x": np.repeat(np.linspace(-1.0, 1.0, 8), 3)}
    data = pd.DataFrame(rows)[counts.ravel() > 0]
    cases = data.loc[data.index.repeat(data["n"])]
    whole, each = (
        bmx.Model(f"what{beside} ~ x", own, family="categorical").estimate()
        for beside, own in ((" | weights(n)", data), ("", cases))
    )
    assert whole.criterion == pytest.approx(each.criterion, rel=1e-10)
    np.testing.assert_allclose(whole.parameters(), each.parameters(), rtol=1e-6)


@pytest.mark.parametrize(
    ("formula", "expected"),
    [
        ("rating ~ temp + contact + (1 | judge)", -81.565412777),
        ("rating ~ temp + contact + (1 + temp | judge)", -81.546395255),
    ],
)
def test_likelihood_at_the_optimum_of_clmm(formula, expected):
    """ordinal's clmm polished by exact gradients: its default stops at -81.5654093."""
    found = bmx.Model(formula, wine(), family="cumulative").estimate()
    assert -0.5 * found.criterion == pytest.approx(expected, abs=1e-8)


@pytest.mark.parametrize("family", ["cumulative", "sratio", "acat"])
def test_quadrature_is_the_integral(family):
    """Of the effect of each judge, by adaptive quadrature at the estimate."""
    data = wine().assign(rating=wine()["rating"].clip(2, 4))
    found = bmx.Model("rating ~ temp + (1 | judge)", data, family=family).estimate(bmx.Agq(points=15))
    spec, design, values = found.spec, found.design, found.values
    (sd,) = values.sd
    own, total = spec.responses[0].family, 0.0
    fixed = (design.X @ values.beta).reshape(design.R, -1)
    codes = design.terms[0].codes[: design.n]
    for judge in range(len(design.terms[0].levels)):
        rows = codes == judge

        def density(b, rows=rows):
            eta = [fixed[0][rows] + b, *(one[rows] for one in fixed[1:])]
            log = own.log_density(design.y[rows], np.ones(rows.sum()), *eta)
            return np.exp(np.sum(log)) * stats.norm.pdf(b, 0.0, sd[0])

        total += np.log(integrate.quad(density, -8.0 * sd[0], 8.0 * sd[0], epsabs=0.0, epsrel=1e-11, limit=200)[0])
    assert found.criterion == pytest.approx(-2.0 * total, rel=1e-8)
