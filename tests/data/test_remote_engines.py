"""The same model of the same rows, wherever these are: figures to rounding on DuckDB, Polars, Dask and Spark."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from functools import cache
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pytest

import bayesmix as bmx
from bayesmix.data.design.design import Design
from bayesmix.inference.estimation.reml import criterion, linear_problem, solve_linear
from bayesmix.inference.least_squares.scaling import coordinates
from bayesmix.inference.parameters.covariance import from_factor

FORMULA = "y ~ x + t + (x | g)"
ROWS, LEVELS = 1_000_000, 2_000
SAME = 1e-10  # of solutions at the same covariances: what sums of other orders may explain
SEARCHED = 1e-6  # of estimates: where a search ends, not what the data say


@cache
def frame() -> pd.DataFrame:
    rng = np.random.default_rng(15)
    g, x, effects = rng.integers(0, LEVELS, ROWS), rng.normal(3.0, 2.0, ROWS), rng.normal(size=(LEVELS, 2))
    mean = 20.0 + 0.5 * x + effects[g, 0] + (0.3 * effects[g, 1] + 0.2 * effects[g, 0]) * x
    t = rng.random(ROWS) < 0.3
    return pd.DataFrame({"g": g.astype(str), "x": x, "t": t, "y": mean + t + rng.normal(size=ROWS)})


@pytest.fixture(params=["duckdb", "polars", "dask", "spark"])
def source(request: pytest.FixtureRequest) -> Iterator[Any]:
    match request.param:
        case "duckdb":
            yield duckdb.connect().from_df(frame())
        case "polars":
            yield pl.from_pandas(frame()).lazy()
        case "dask":
            dataframe = pytest.importorskip("dask.dataframe", reason="Dask is not installed")
            distributed = pytest.importorskip("distributed", reason="Dask's cluster is not installed")
            with (
                distributed.LocalCluster(n_workers=2, processes=False, dashboard_address=None) as cluster,
                distributed.Client(cluster),
            ):
                yield dataframe.from_pandas(frame(), npartitions=8)
        case "spark":
            sql = pytest.importorskip("pyspark.sql", reason="PySpark is not installed")
            if shutil.which("java") is None:
                pytest.skip("Spark needs Java")
            session = sql.SparkSession.builder.master("local[2]").config("spark.ui.enabled", "false").getOrCreate()
            yield session.createDataFrame(frame())
            session.stop()


@cache
def in_memory() -> bmx.Estimate:
    return bmx.Model(FORMULA, frame()).estimate()


@pytest.mark.slow
@pytest.mark.filterwarnings(
    "ignore:::(distributed|dask|pyspark|pandas).*",
    "ignore:Sending large graph",
    "ignore::ResourceWarning",
    "ignore:Dask support is moving",
)
def test_estimates_are_those_in_memory(source: Any) -> None:
    model = bmx.Model(FORMULA, source, where="source")
    assert model.design.n_used == ROWS
    assert model.design.n <= 6 * LEVELS
    one = in_memory()
    relative = [matrix / one.point.dispersion**2 for matrix in one.point.covariances]
    for reml in (True, False):
        solutions = [_solved(design, relative, reml=reml) for design in (one.design, model.design)]
        np.testing.assert_allclose(solutions[1], solutions[0], rtol=SAME)
    np.testing.assert_allclose(model.estimate().parameters(), one.parameters(), rtol=SEARCHED)


def _solved(design: Design, relative: list[np.ndarray], *, reml: bool) -> np.ndarray:
    """Criterion, fixed effects, their standard errors and the residual sum of squares at relative covariances."""
    problem = linear_problem(design, coordinates(design))
    working, T = problem.coordinates, problem.coordinates.T
    roots = [
        np.linalg.cholesky(np.linalg.inv(C) @ G @ np.linalg.inv(C).T) for C, G in zip(working.C, relative, strict=True)
    ]
    theta = from_factor(working.structures, roots)
    found = solve_linear(problem, theta)
    information = found.factorisation.XX[: problem.p, : problem.p]
    errors = np.sqrt(np.diagonal(T @ np.linalg.inv(information) @ T.T))
    value, _ = criterion(problem, theta, reml=reml)
    return np.array([value, *(T @ (problem.beta_ols + found.beta)), *errors, found.rss])
