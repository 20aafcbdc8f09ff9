"""Many fits on the workers of a Dask cluster, some of which are killed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from killed import square

import bayesmix as bmx
from bayesmix.parallel.executors import in_order

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")]

JOBS = 8


@pytest.fixture(scope="module")
def executor() -> Iterator[Any]:
    distributed = pytest.importorskip("distributed", reason="the cluster is Dask's")
    with (
        distributed.LocalCluster(2, threads_per_worker=1, processes=True, dashboard_address=":0") as cluster,
        distributed.Client(cluster) as client,
    ):
        client.run(_importable, str(Path(__file__).parents[1]))
        yield client.get_executor()


def _importable(folder: str) -> None:
    """Workers start without pytest's path."""
    import sys

    sys.path.insert(0, folder)


@pytest.mark.parametrize(("killers", "lost"), [({}, 0), ({3: 1}, 0), ({3: 99}, 1)])
def test_a_killed_worker_loses_only_its_own_job(
    executor: Any, tmp_path: Path, killers: dict[int, int], lost: int
) -> None:
    jobs = [(number, tmp_path, killers) for number in range(JOBS)]
    if lost:
        with pytest.warns(bmx.DroppedWarning, match="1 of 8 replications were lost"):
            found = in_order(square, jobs, executor, label="", progress=False)
    else:
        found = in_order(square, jobs, executor, label="", progress=False)
    assert found == [number**2 for number in range(JOBS) if killers.get(number, 0) < 99]


def test_errors_of_the_task_are_errors(executor: Any) -> None:
    with pytest.raises(ZeroDivisionError):
        in_order(divmod, [(1, 0)], executor, label="", progress=False)


@pytest.fixture(scope="module")
def model() -> bmx.Model:
    rng = np.random.default_rng(1)
    g, x = np.arange(60) % 12, rng.standard_normal(60)
    return bmx.Model("y ~ x + (1 | g)", {"y": x + rng.standard_normal(12)[g] + rng.standard_normal(60), "x": x, "g": g})


def test_bootstrap_is_that_of_one_process(executor: Any, model: bmx.Model) -> None:
    fit = model.estimate()
    one = fit.bootstrap(replicates=40, seed=3, progress=False)
    other = fit.bootstrap(replicates=40, seed=3, executor=executor, progress=False)
    np.testing.assert_array_equal(one.to_numpy(), other.to_numpy())


def test_power_is_that_of_one_process(executor: Any, model: bmx.Model) -> None:
    fit = model.estimate()
    given: dict[str, Any] = {"effect": {"x": 0.5}, "replicates": 20, "seed": 3, "progress": False}
    one, other = (bmx.studies.power(fit, **given, executor=own) for own in (None, executor))
    assert one.table.equals(other.table)


def test_calibration_is_that_of_one_process(executor: Any, model: bmx.Model) -> None:
    given: dict[str, Any] = {"ranks": 19, "seed": 3, "progress": False}
    one, other = (bmx.studies.calibrate(model, 10, **given, executor=own) for own in (None, executor))
    assert one.ranks.equals(other.ranks)


def test_folds_are_those_of_one_process(executor: Any, model: bmx.Model) -> None:
    post = model.sample(draws=200, chains=2, seed=1, progress=False)
    one, other = (post.kfold(3, seed=3, executor=own) for own in (None, executor))
    np.testing.assert_array_equal(one.elpd_i.to_numpy(), other.elpd_i.to_numpy())
