"""A1: one question has one answer, whichever table it is asked of.

Six clinics of twenty, three an arm: the REML fit is balanced, and its inference about the arms is that of the six
means, the two-sample t test.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import bayesmix as bmx

CLOSE = 1e-6


def data() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    g = np.repeat(list("abcdef"), 20)
    t = np.where(np.isin(g, list("abc")), "ctl", "trt")
    b = dict(zip("abcdef", rng.normal(0, 1, 6), strict=True))
    y = np.array([b[k] for k in g]) + 1.6 * (t == "trt") + rng.normal(size=120)
    return pd.DataFrame({"y": y, "t": t, "clinic": g, "d": (t == "trt").astype(float)})


@cache
def arms(column: str) -> bmx.Estimate:
    return bmx.Model(f"y ~ {column} + (1|clinic)", data()).estimate()


def row_of_summary(fit: bmx.Estimate) -> dict[str, float]:
    line = next(line for line in str(fit.summary()).splitlines() if line.startswith("ttrt") and "*" in line)
    return {"df": float(line.split()[3]), "p_value": float(line.split()[5])}


def renamed(row: pd.Series) -> dict[str, float]:
    names = {"p": "p_value", "p.value": "p_value", "conf.low": "lower", "conf.high": "upper"}
    return {names.get(str(name), str(name)): value for name, value in row.items()}


OF_THE_DIFFERENCE: dict[str, Callable[[], dict[str, float]]] = {
    "A1 summary": lambda: row_of_summary(arms("t")),
    "A1 tidy": lambda: renamed(arms("t").tidy().set_index("term").loc["ttrt"]),
    "A1 satterthwaite": lambda: renamed(arms("t").satterthwaite().loc["ttrt"]),
    "A1 contrasts": lambda: renamed(arms("t").contrasts("t").iloc[0]),
    "A1 hypothesis": lambda: renamed(arms("t").hypothesis("ttrt = 0").iloc[0]),
    "A1 slopes": lambda: renamed(arms("d").slopes("d").iloc[0]),
}
ARM = pd.DataFrame({"t": ["ctl"]})
OF_A_MEAN: dict[str, Callable[[], dict[str, float]]] = {
    "A1 marginal_means": lambda: renamed(arms("t").marginal_means("t").iloc[0]),
    "A1 predict": lambda: renamed(arms("t").predict(ARM, groups="average").iloc[0]),
    "A1 conditional_effects": lambda: renamed(arms("t").conditional_effects("t").iloc[0]),
}


def right(is_mean: bool) -> dict[str, float]:
    """By the means of clinics."""
    means = data().groupby("clinic")["y"].mean().to_numpy()
    control, treated = means[:3], means[3:]
    pooled = (control.var(ddof=1) + treated.var(ddof=1)) / 2.0
    value, error = (control.mean(), (pooled / 3.0) ** 0.5)
    if not is_mean:
        value, error = treated.mean() - control.mean(), (2.0 * pooled / 3.0) ** 0.5
    width = stats.t(4).ppf(0.975) * error
    p = float(stats.ttest_ind(treated, control).pvalue) if not is_mean else 2.0 * stats.t(4).sf(abs(value / error))
    return {"df": 4.0, "p_value": p, "lower": value - width, "upper": value + width}


@pytest.mark.parametrize("case", [*OF_THE_DIFFERENCE, *OF_A_MEAN])
def test_tables_have_the_inference_of_six_means(case: str) -> None:
    is_mean = case in OF_A_MEAN
    found, expected = (OF_A_MEAN[case] if is_mean else OF_THE_DIFFERENCE[case])(), right(is_mean)
    digits = {"abs": 5e-4} if case == "A1 summary" else {"rel": CLOSE}  # three printed
    shared = {name: value for name, value in found.items() if name in expected}
    assert {"df"} < shared.keys()
    assert shared == pytest.approx({name: expected[name] for name in shared}, **digits)
    assert is_mean or shared["p_value"] == pytest.approx(0.02703, abs=5e-6 if case != "A1 summary" else 5e-4)
