"""What does not fit into memory, or into a float, is refused before it is tried: quickly, with an estimate."""

from __future__ import annotations

import resource
from collections.abc import Callable
from functools import cache
from pathlib import Path
from time import process_time
from typing import Any

import numpy as np
import pytest

import bayesmix as bmx
from bayesmix.data import memory

N = 60


@pytest.fixture(autouse=True)
def machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """A laptop, wherever the tests run."""
    monkeypatch.setattr(memory, "_physical", lambda: 16.0 * 2**30)


def data(**columns: Any) -> dict[str, Any]:
    rng = np.random.default_rng(0)
    plain = {"y": rng.normal(size=N), "x": rng.normal(size=N), "count": rng.poisson(3.0, N), "g": list("abcdef") * 10}
    return {**plain, **columns}


@cache
def many_levels() -> dict[str, Any]:
    level = np.arange(200_000) % 100_000
    return {"y": np.sin(level), "id": [f"s{i}" for i in level], "x": np.cos(level), "g": level % 7}


def model(formula: str = "y ~ x + (1 | g)", family: str = "gaussian", **columns: Any) -> bmx.Model:
    return bmx.Model(formula, data(**columns), family=family)


HUGE = np.where(np.arange(N) == 3, 1e300, 1.0)
REFUSED: dict[str, tuple[Callable[[], Any], type[Exception], str]] = {
    "draws": (
        lambda: model().sample(draws=10**9),
        bmx.SpecError,
        "would take 128 GB of memory (the limit",
    ),
    "chains": (lambda: model().sample(chains=10**7), bmx.SpecError, "A few thousand draws are enough"),
    "points": (lambda: bmx.Agq(10**6), bmx.SpecError, "up to 100 points, not 1000000"),
    "fixed factor": (
        lambda: bmx.Model("y ~ id + (1 | g)", many_levels()),
        bmx.DesignError,
        "effect: `(1 | id)`",
    ),
    "its interaction": (lambda: bmx.Model("y ~ x:id + (1 | g)", many_levels()), bmx.DesignError, "has 100000 levels"),
    "random slopes": (lambda: bmx.Model("y ~ x + (id | g)", many_levels()), bmx.DesignError, "would take 160 GB"),
    "a count": (lambda: model("count ~ x + (1 | g)", "poisson", count=HUGE), bmx.DataError, "of size 1e+300 in row 3"),
    "a large count": (lambda: model("count ~ 1 + (1 | g)", "poisson", count=HUGE**0.1), bmx.DataError, "up to 2^53"),
    "trials": (
        lambda: model("cbind(count, n) ~ 1 + (1 | g)", "binomial", n=HUGE**0.1),
        bmx.DataError,
        "1e+30 in row 3",
    ),
    "a response": (lambda: model(y=HUGE), bmx.DataError, "`y` is of size 1e+300 in row 3 (counted from 0): its square"),
    "a predictor": (lambda: model(x=-HUGE), bmx.DataError, "`x` is of size 1e+300"),
    "a column of several": (lambda: model("y ~ poly(x, 2) + (1 | g)", x=HUGE), bmx.DataError, "more than 2 different"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_too_large_is_refused_before_it_is_tried(case: str) -> None:
    call, error, message = REFUSED[case]
    before, start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, process_time()
    with pytest.raises(error) as caught:
        call()
    assert message in str(caught.value)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 500_000  # kB
    assert process_time() - start < 2.0


def test_a_number_beyond_all_measure_in_a_model_file(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text('formula = "y ~ x + (1 | g)"\n[document.figures]\ncriterion = 9e99999999999999999999\n')
    with pytest.raises(bmx.SpecError, match=r"mine\.toml has a number that is too large for a float"):
        bmx.load_model(str(path))


def test_sizes_are_readable() -> None:
    assert memory.too_much(10.0) is None
    assert str(memory.too_much(1e13)).startswith("80 TB of memory")
