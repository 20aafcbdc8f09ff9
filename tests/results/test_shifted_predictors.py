"""A predictor far from zero: what estimates say of the data is what they say of the predictor less its mean.

With a million added to a predictor of spread three, twelve digits of the variances of coefficients cancel in those of
means; ratings know thresholds and their latent mean by differences alone.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import cache
from itertools import product
from typing import Any

import numpy as np
import pandas as pd
import pytest

import bayesmix as bmx

FAR = 1e6
MODELS: dict[str, tuple[Any, str]] = {
    "linear": ("y ~ x + f + (x | g)", "gaussian"),
    "counts": ("c ~ x + f + (x | g)", "poisson"),
    "sigma": (["y ~ x + f + (x | g)", "sigma ~ x"], "gaussian"),
    "cumulative": ("o ~ x + f + (x | g)", "cumulative"),
    "sratio": ("o ~ x + f + (1 | g)", "sratio"),
    "acat": (["o ~ x + (1 | g)", "disc ~ f"], "acat"),
    "cs": ("o ~ cs(x) + f + (1 | g)", "cratio"),
}
QUICK = {("linear", "marginal_means"), ("sratio", "slopes of x"), ("sratio", "marginal_means")}
VERBS: dict[str, Callable[[bmx.Estimate, pd.DataFrame], Any]] = {
    "slopes of x": lambda fit, _: fit.parameters().loc[[name for name in fit.design.fixed if name.endswith("x")]],
    "predict": lambda fit, data: fit.predict(data.iloc[[0, 5, 40]]),
    "predict, new levels": lambda fit, data: fit.predict(data.iloc[[0, 5, 40]], groups="new"),
    "predict, average": lambda fit, data: fit.predict(data.iloc[[0, 5, 40]], groups="average"),
    "marginal_means": lambda fit, _: fit.marginal_means("f"),
    "contrasts": lambda fit, _: fit.contrasts("f"),
    "slopes": lambda fit, _: fit.slopes("x"),
}


@cache
def data(shift: float) -> pd.DataFrame:
    rng = np.random.default_rng(7)
    g, x = np.repeat(np.arange(12), 10), np.tile(np.arange(10.0), 12) + rng.normal(0.0, 0.2, 120)
    b = rng.normal(size=(12, 2))
    y = 5.0 + 0.5 * x + b[g, 0] + 0.3 * b[g, 1] * x + rng.normal(0.0, 0.7, 120)
    found = {"y": y, "x": x + shift, "f": np.tile(["u", "v"], 60), "g": [f"g{j:02d}" for j in g]}
    counts = rng.poisson(np.exp(0.1 + 0.1 * x))
    return pd.DataFrame(found | {"c": counts, "o": pd.cut(y, 4, labels=list("abcd")).astype(str)})


@cache
def fit(name: str, shift: float) -> bmx.Estimate:
    formula, family = MODELS[name]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return bmx.Model(formula, data(shift), family=family).estimate()


def numbers(table: Any) -> np.ndarray:
    found = table.select_dtypes("number").to_numpy(float)
    return np.where(np.isinf(found), 0.0, found)


@pytest.mark.parametrize(
    ("name", "verb"),
    [pytest.param(*case, marks=() if case in QUICK else pytest.mark.slow) for case in product(MODELS, VERBS)],
)
def test_a_shift_changes_nothing_but_intercepts(name: str, verb: str) -> None:
    """Standard errors of probabilities of ratings were up to 9 000, degrees of freedom 10.5 in place of 11.5."""
    near, far = (numbers(VERBS[verb](fit(name, shift), data(shift))) for shift in (0.0, FAR))
    np.testing.assert_allclose(far, near, rtol=3e-3, atol=1e-5 * np.abs(near).max())


@pytest.mark.slow
@pytest.mark.parametrize("name", MODELS)
def test_a_shift_leaves_the_optimum(name: str) -> None:
    """Searches of ratings ended on a ridge, where x had a standard error of 9e-7 in place of 0.12."""
    near, far = fit(name, 0.0), fit(name, FAR)
    assert near.converged
    assert far.converged
    if name != "linear":  # the density of REML is that of contrasts, in the units of X
        assert far.criterion == pytest.approx(near.criterion, abs=1e-6)


@pytest.mark.parametrize("unit", [1e12, 1e-12])
@pytest.mark.parametrize(
    "name", ["linear", *(pytest.param(name, marks=pytest.mark.slow) for name in ("counts", "sratio"))]
)
def test_units_of_a_predictor_change_its_own_numbers_alone(name: str, unit: float) -> None:
    """Days times 1e12 ended in an error of linear algebra."""
    formula, family = MODELS[name]
    plain = fit(name, 0.0).parameters()["estimate"]
    scaled = bmx.Model(formula, data(0.0).assign(x=unit * data(0.0)["x"]), family=family).estimate()
    own = [unit if label in ("x", "sd(g, x)") else 1.0 for label in plain.index]
    assert scaled.converged
    np.testing.assert_allclose(own * scaled.parameters()["estimate"], plain, rtol=1e-5)
