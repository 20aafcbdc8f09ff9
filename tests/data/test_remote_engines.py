"""The same model of the same rows, wherever these are: figures to rounding on DuckDB, Polars, Dask and Spark."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from functools import cache, partial, reduce
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
SPARK = {  # nothing that waits: no ports but the machine's own, no pages, few partitions of small data
    "spark.master": "local[2]",
    "spark.ui.enabled": "false",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.driver.host": "127.0.0.1",
    "spark.driver.memory": "2g",
    "spark.sql.shuffle.partitions": "4",
}
SEARCHED = 1e-6  # of estimates: where a search ends, not what the data say

Carry = Callable[[pd.DataFrame], Any]

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings(
        "ignore:::(distributed|dask|pyspark|pandas).*",
        "ignore:Sending large graph",
        "ignore::ResourceWarning",
    ),
]


@cache
def frame() -> pd.DataFrame:
    rng = np.random.default_rng(15)
    g, x, effects = rng.integers(0, LEVELS, ROWS), rng.normal(3.0, 2.0, ROWS), rng.normal(size=(LEVELS, 2))
    mean = 20.0 + 0.5 * x + effects[g, 0] + (0.3 * effects[g, 1] + 0.2 * effects[g, 0]) * x
    t = rng.random(ROWS) < 0.3
    return pd.DataFrame({"g": g.astype(str), "x": x, "t": t, "y": mean + t + rng.normal(size=ROWS)})


@pytest.fixture(scope="module", params=["duckdb", "polars", "dask", "spark"])
def carried(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Carry]:
    """Rows to where an engine has them."""
    match request.param:
        case "duckdb":
            connection = duckdb.connect()
            yield connection.from_df
        case "polars":
            yield lambda rows: pl.from_pandas(rows).lazy()
        case "dask":
            dataframe = pytest.importorskip("dask.dataframe", reason="Dask is not installed")
            distributed = pytest.importorskip("distributed", reason="Dask's cluster is not installed")
            with (
                distributed.LocalCluster(n_workers=2, processes=False, dashboard_address=":0") as cluster,
                distributed.Client(cluster),
            ):
                yield partial(dataframe.from_pandas, npartitions=8)
        case "spark":
            sql = pytest.importorskip("pyspark.sql", reason="PySpark is not installed")
            if shutil.which("java") is None:
                pytest.skip("Spark needs Java")
            folder = tmp_path_factory.mktemp("spark")
            session = reduce(lambda one, option: one.config(*option), SPARK.items(), sql.SparkSession.builder)
            session = session.config("spark.local.dir", str(folder)).getOrCreate()

            def carry(rows: pd.DataFrame) -> Any:
                """Through a file: createDataFrame pickles row by row, minutes for a million."""
                file = folder / f"{len(rows)}.parquet"
                rows.to_parquet(file, index=False)
                return session.read.parquet(str(file))

            yield carry
            session.stop()


@cache
def in_memory() -> bmx.Estimate:
    return bmx.Model(FORMULA, frame()).estimate()


def test_estimates_are_those_in_memory(carried: Carry) -> None:
    model = bmx.Model(FORMULA, carried(frame()), where="source")
    assert model.design.n_used == ROWS
    assert model.design.n <= 6 * LEVELS
    one = in_memory()
    relative = [matrix / one.point.dispersion**2 for matrix in one.point.covariances]
    for reml in (True, False):
        solutions = [_solved(design, relative, reml=reml) for design in (one.design, model.design)]
        np.testing.assert_allclose(solutions[1], solutions[0], rtol=SAME)
    np.testing.assert_allclose(model.estimate().parameters(), one.parameters(), rtol=SEARCHED)


@pytest.mark.parametrize(
    ("formula", "family"), [("z ~ x + f + (1 | g)", "bernoulli"), ("count ~ x + f + (x | g)", "poisson")]
)
def test_equal_rows_of_generalized_models_are_counted_there(carried: Carry, formula: str, family: str) -> None:
    rows = counted()
    model, whole = (
        bmx.Model(formula, data, family=family, where=where)
        for data, where in ((carried(rows), "source"), (rows, "memory"))
    )
    assert model.design.n_used == len(rows)
    assert model.design.n <= len(rows) / 15
    here, there = model.estimate(), whole.estimate()
    np.testing.assert_allclose(here.criterion, there.criterion, rtol=SAME)
    np.testing.assert_allclose(here.aic, there.aic, rtol=SAME)
    np.testing.assert_allclose(here.parameters(), there.parameters(), rtol=SEARCHED, atol=1e-7)


@cache
def counted() -> pd.DataFrame:
    """Rows of few different ones: a dose, an arm and a clinic each, what happened and how often."""
    rng = np.random.default_rng(7)
    g, x, f = rng.integers(0, 30, 40_000), rng.integers(0, 5, 40_000) / 2.0, rng.integers(0, 3, 40_000)
    mean = -0.4 + 0.3 * x + 0.2 * (f == 1) + rng.normal(0.0, 0.5, 30)[g]
    rows = {"z": (rng.random(40_000) < 1.0 / (1.0 + np.exp(-mean))).astype(int), "count": rng.poisson(np.exp(mean))}
    return pd.DataFrame(rows | {"x": x, "f": np.array(["a", "b", "c"])[f], "g": [f"clinic {code}" for code in g]})


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
