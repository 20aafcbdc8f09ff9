"""A11, A12, A13: an estimate that means nothing is not called converged, and the lowest criterion is the one returned.

The mastitis of Holstein cows is lme4's test data; no cow born in 1989 had a case. `laplace.csv` stands for the trial of
schizophrenia, whose data this repository has not: by quadrature it is as that trial is, and was simulated.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import special

import bayesmix as bmx

pytestmark = pytest.mark.slow
REFERENCE = Path(__file__).parents[1] / "reference" / "reported"


@cache
def cows(is_ordered: bool) -> bmx.Model:
    data = pd.read_csv(REFERENCE / "mastitis.csv", dtype=dict.fromkeys(("birth", "calvingYear", "sire", "herd"), str))
    data = data.assign(
        **{name: pd.Categorical(data[name], ordered=is_ordered) for name in ("birth", "calvingYear")},
    )
    return bmx.Model("NCM ~ birth + calvingYear + (1|sire) + (1|herd)", data, family="poisson")


def seven_levels() -> bmx.Model:
    rng = np.random.default_rng(0)
    level = rng.choice(list("abcdefg"), 140)
    y = np.where(level == "a", 0, rng.poisson(2, 140))
    f = pd.Categorical(level, ordered=True)
    return bmx.Model("y ~ f + (1 | g)", {"y": y, "f": f, "g": rng.choice(list("uvwxyz"), 140)}, family="poisson")


@cache
def trial() -> pd.DataFrame:
    return pd.read_csv(REFERENCE / "laplace.csv", dtype={"id": str})


def schizophrenia() -> bmx.Model:
    return bmx.Model("y ~ drug * t + (t | id)", trial(), family="bernoulli")


def one_failure_of_fifty() -> bmx.Model:
    rng = np.random.default_rng(3)
    y = np.ones(50, int)
    y[int(rng.integers(50))] = 0
    g = np.repeat(list("abcdefghij"), 5)
    return bmx.Model("y ~ x + (1 | g)", {"y": y, "x": rng.normal(size=50), "g": g}, family="bernoulli")


def by_person(bar: str) -> bmx.Model:
    rng = np.random.default_rng(0)
    g, t = np.repeat(np.arange(20), 5), np.tile(np.arange(5.0), 20)
    y = t + rng.normal(size=20)[g] + rng.normal(size=100)
    data = {"y": y, "t": t, "sex": np.array(["f", "m"])[g % 2], "id": [f"i{k:02d}" for k in g]}
    return bmx.Model(f"y ~ t + sex + {bar}", data)


def far_from_zero() -> bmx.Model:
    rng = np.random.default_rng(5)
    h = np.arange(120) // 10
    x = 13407.0 + rng.normal(size=120)
    n = rng.poisson(np.exp(1.0 + 0.5 * rng.normal(size=12)[h] + 0.2 * (x - 13407.0)))
    return bmx.Model("n ~ x + (x || h)", {"n": n, "x": x, "h": [f"h{j}" for j in h]}, family="poisson")


BIRTHS = "`birth.L`, `birth.Q`, `birth.C`, `birth^4`"
UNTOLD: dict[str, tuple[Callable[[], bmx.Model], str]] = {
    "P E1, ordered": (lambda: cows(True), f"{re.escape(BIRTHS)}.* runs off to infinity"),
    "P E1, unordered": (lambda: cows(False), "`birth1990`, `birth1996`.* runs off to infinity"),
    "P E1, an ordered factor of seven levels": (seven_levels, r"`f\.L`, `f\.Q`, .* runs off to infinity"),
    "P E2, Laplace": (schizophrenia, r"The Laplace approximation fails: sd\(id, Intercept\) = 41\.5.*Agq\(points=15\)"),
    "P E3, 49 of 50": (one_failure_of_fifty, "The Laplace approximation fails"),
    "P E4, (sex | id)": (lambda: by_person("(sex | id)"), r"do not determine `sd\(id, sexm\)`, `corr\(id, Intercept, "),
    "P E4, (0 + sex | id)": (lambda: by_person("(0 + sex | id)"), r"do not determine `corr\(id, sexf, sexm\)`"),
    "A13 (x || h), 13407 +- 1": (
        far_from_zero,
        r"do not determine `sd\(h, Intercept\)`, `sd\(h, x\)`.*centre the pred",
    ),
}


@pytest.mark.parametrize("case", UNTOLD)
def test_what_the_data_do_not_tell_is_named_by_all_three(case: str) -> None:
    """In problems, by converged, and in the summary (P E6)."""
    make, words = UNTOLD[case]
    with pytest.warns(bmx.ConvergenceWarning):
        fit = make().estimate()
    assert not fit.converged
    assert re.search(words, " ".join(fit.problems))
    text = " ".join(str(fit.summary()).split())
    assert " ".join(fit.problems[0].split()) in text
    assert "The optimiser converged" not in text


def test_both_bars_of_a_person_have_one_criterion() -> None:
    """P E4: two ways of writing one model, of which neither tells a correlation."""
    with pytest.warns(bmx.ConvergenceWarning):
        first, second = (by_person(bar).estimate().criterion for bar in ("(sex | id)", "(0 + sex | id)"))
    assert first == pytest.approx(second, abs=1e-6)


@pytest.mark.rotating
def test_laplace_is_glmmtmbs_and_quadrature_the_likelihood() -> None:
    """P E2: standard deviations of 41 and 16, where the likelihood has its maximum at 2.6 and 2.2."""
    there = json.loads((REFERENCE / "laplace.json").read_text("utf-8"))
    with pytest.warns(bmx.ConvergenceWarning):
        laplace = schizophrenia().estimate()
    assert laplace.criterion == pytest.approx(there["criterion"], abs=1e-5)
    np.testing.assert_allclose(laplace.values.sd[0], there["sd"], rtol=1e-3)
    exact = schizophrenia().estimate(bmx.Agq(points=15))
    assert exact.converged
    assert exact.criterion == pytest.approx(summed(exact), abs=0.03)
    assert summed(laplace) > exact.criterion + 50.0
    assert np.all(exact.values.sd[0] < 3.0)


def summed(fit: bmx.Estimate) -> float:
    """-2 log-likelihood over a grid of 81 x 81 quadrature points of the effects, the same for everybody."""
    x, w = np.polynomial.hermite_e.hermegauss(81)
    sd, R = fit.values.sd[0], fit.values.corr[0]
    root = np.linalg.cholesky(np.outer(sd, sd) * R)
    u = np.stack(np.meshgrid(x, x, indexing="ij"), axis=-1).reshape(-1, 2) @ root.T
    weight = np.outer(w, w).ravel() / w.sum() ** 2
    data, total = trial(), 0.0
    mean = fit.design.X @ fit.values.beta
    sign, t = 2.0 * data["y"].to_numpy() - 1.0, data["t"].to_numpy()
    for rows in data.groupby("id").indices.values():
        eta = mean[rows] + u[:, :1] + u[:, 1:] * t[rows]
        total += np.log(weight @ np.exp(special.log_expit(sign[rows] * eta).sum(axis=1)))
    return float(-2.0 * total)
