"""A model of the same rows in memory and where they stay, for tests."""

from __future__ import annotations

from functools import cache

import duckdb
import numpy as np
import pandas as pd

import bayesmix as bmx

FORMULA = "y ~ x + z + t + (x | g)"
PLACES = ("memory", "source")


@cache
def frame(n: int = 400, levels: int = 12) -> pd.DataFrame:
    rng = np.random.default_rng(3)
    g, x, z, t = rng.integers(0, levels, n), rng.normal(3.0, 2.0, n), rng.normal(size=n), rng.choice(list("abc"), n)
    u = rng.normal(size=(levels, 2))
    y = 5.0 + 0.5 * x + (t == "b") + u[g, 0] + 0.3 * u[g, 1] * x + rng.normal(size=n)
    k = np.minimum(g, 3)  # of few rows, but for the last
    return pd.DataFrame(
        {"g": [f"g{j:02d}" for j in g], "x": x, "t": t, "z": z, "w": np.where(k < 3, 4 * z, z), "y": y, "k": k}
    )


def relation(data: pd.DataFrame | None = None) -> duckdb.DuckDBPyRelation:
    return duckdb.connect().from_df(frame() if data is None else data)


@cache
def model(where: str, formula: str = FORMULA) -> bmx.Model:
    return bmx.Model(formula, relation() if where == "source" else frame(), where=where)


@cache
def estimate(where: str, formula: str = FORMULA, method: str = "auto") -> bmx.Estimate:
    return model(where, formula).estimate(method)


@cache
def posterior(where: str) -> bmx.Posterior:
    return model(where).sample(draws=25, chains=2, seed=1, method="marginal", progress=False)


def numbers(table: pd.DataFrame) -> np.ndarray:
    return table.select_dtypes("number").to_numpy(float)
