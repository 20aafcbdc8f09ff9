"""Fixtures of all tests: reference figures, models and fits made once a session, posteriors without sampling."""

# ruff: noqa: E402
from __future__ import annotations

import os

# Small matrices: threads only wait for each other, a hundred times as long on a busy machine. The variables are for
# libraries loaded from here on; NumPy has been loaded by then, through zarr's plugin for pytest.
for library in ("OPENBLAS", "MKL", "OMP"):
    os.environ.setdefault(f"{library}_NUM_THREADS", "1")
# Modules are compiled once, not in each of the many processes that tests start: that took two seconds a process, and
# five more for the tests themselves, whose assertions pytest rewrites.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

import gc
import json
import signal
import sys
from collections.abc import Callable, Generator
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np
import pytest
from daily import day
from hypothesis import settings
from threadpoolctl import threadpool_limits

sys.dont_write_bytecode = False

import bayesmix as bmx
from bayesmix.fit import Estimate, Posterior
from bayesmix.inference.estimation.methods import Method
from bayesmix.inference.parameters.names import Parameters
from bayesmix.inference.sampling.draws import Draws

threadpool_limits(1, user_api="blas")
settings.register_profile("bayesmix", derandomize=True, deadline=None, max_examples=25, database=None)
settings.load_profile("bayesmix")

REFERENCE = Path(__file__).parent / "reference"
DEAR = frozenset((Path(__file__).parent / "slow_cases.txt").read_text(encoding="utf-8").splitlines())
ROTATING = tuple((Path(__file__).parent / "rotating_cases.txt").read_text(encoding="utf-8").splitlines())
DAYS = 3  # in which each rotating test runs once

# Modules of the developers' group of pyproject.toml: without it tests that need one are skipped.
DEVELOPERS = (
    *("dask", "distributed", "duckdb", "formulaic", "nbclient", "nbformat"),
    *("newick", "openpyxl", "polars", "pyreadstat", "statsmodels"),
)

# name -> formula, data set, further arguments of the model
MODELS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "sleepstudy": ("Reaction ~ Days + (Days | Subject)", "sleepstudy", {}),
    "sleepstudy ||": ("Reaction ~ Days + (Days || Subject)", "sleepstudy", {}),
    "sleepstudy weights": ("Reaction ~ Days + (Days | Subject)", "sleepstudy_ow", {"weights": "wt"}),
    "sleepstudy offset": ("Reaction ~ Days + offset(off) + (Days | Subject)", "sleepstudy_ow", {}),
    "esoph": ("ncases ~ ncontrols + (ncontrols | agegp)", "esoph", {}),
    "esoph poisson": ("ncases ~ ncontrols + (1 + ncontrols | agegp)", "esoph", {"family": "poisson"}),
    "cbpp": ("cbind(incidence, size - incidence) ~ period + (1 | herd)", "cbpp", {"family": "binomial"}),
    "penicillin": ("diameter ~ 1 + (1 | plate) + (1 | sample)", "Penicillin", {}),
    "pastes": ("strength ~ 1 + (1 | batch/cask)", "Pastes", {}),
    "dyestuff": ("Yield ~ 1 + (1 | Batch)", "Dyestuff", {}),
    "dyestuff2": ("Yield ~ 1 + (1 | Batch)", "Dyestuff2", {}),
    "gammasim": ("y ~ x + (1 | g)", "gammasim", {"family": "gamma"}),
    "nbsim": ("y ~ x + z + (x | g)", "nbsim", {"family": "negbinomial"}),
}


def pytest_configure(config: pytest.Config) -> None:
    """Ctrl-C means what it does at a terminal; a shell that starts tests in the background leaves it ignored.

    The day is one for all processes, midnight or not; so is whether all tests were asked for, or single ones.
    """
    if not hasattr(config, "workerinput"):
        os.environ["BAYESMIX_DAY"] = day().isoformat()
        if config.args_source is not pytest.Config.ArgsSource.TESTPATHS:
            os.environ["BAYESMIX_WHOLE"] = "1"
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int | None:
    """Two files or fewer are done before a second process has started."""
    files = [argument for argument in config.args if argument.split("::")[0].endswith(".py")]
    return 0 if len(files) == len(config.args) <= 2 else None


@pytest.hookimpl(tryfirst=True)  # before pytest chooses by marks
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Slow, too, are the cases of `slow_cases.txt`: single ones of tests whose cheaper ones always run.

    Of slow tests that rotate a third runs a day, by their names; all, where a file is named or ``BAYESMIX_WHOLE=1``.
    """
    for item in items:
        if item.nodeid in DEAR:
            item.add_marker(pytest.mark.slow)
    if "BAYESMIX_WHOLE" not in os.environ:
        other = [item for item in items if _rotates(item) and (crc32(item.nodeid.encode()) - day().toordinal()) % DAYS]
        config.hook.pytest_deselected(items=other)
        left_out = set(other)
        items[:] = [item for item in items if item not in left_out]


def _rotates(item: pytest.Item) -> bool:
    slow = item.get_closest_marker("slow") is not None
    return slow and (item.get_closest_marker("rotating") is not None or item.nodeid.startswith(ROTATING))


def _missing(error: BaseException | None) -> str | None:
    """The package of the developers' group that an import did not find, be it behind a message of ours."""
    while error is not None and not isinstance(error, ModuleNotFoundError):
        error = error.__cause__ or error.__context__
    name = (getattr(error, "name", None) or "").partition(".")[0]
    return name if name in DEVELOPERS else None


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Files of tests are skipped where what they import is of the developers' group, and that is not installed."""
    report = yield
    error = report.call.excinfo and report.call.excinfo.value if report.failed else None
    if name := _missing(error):
        report.outcome, report.longrepr = "skipped", (str(collector.path), 0, f"Skipped: {name} is not installed")
    return report


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call() -> Generator[None]:
    """So are single tests."""
    try:
        return (yield)
    except Exception as error:
        if name := _missing(error):
            pytest.skip(f"{name} is not installed")
        raise


def pytest_collection_finish() -> None:
    """Thousands of tests and modules live to the end: the garbage collector need not look at them again and again."""
    gc.collect()
    gc.freeze()


@cache
def _reference(case: str) -> dict[str, Any]:
    return json.loads((REFERENCE / "lme4" / f"{case}.json").read_text(encoding="utf-8"))


@cache
def _data(name: str) -> Any:
    return bmx.load_dataset(name)


@cache
def _model(name: str) -> bmx.Model:
    formula, data, options = MODELS[name]
    return bmx.Model(formula, _data(data), **options)


@cache
def _fitted(name: str, method: str | Method) -> Estimate:
    return _model(name).estimate(method)


@pytest.fixture(scope="session")
def reference() -> Callable[[str], dict[str, Any]]:
    """Figures of lme4 and glmmTMB by case name."""
    return _reference


@pytest.fixture(scope="session")
def model() -> Callable[[str], bmx.Model]:
    """Models by name, built once; do not change them."""
    return _model


@pytest.fixture(scope="session")
def fitted() -> Callable[..., Estimate]:
    """Point estimates by name and method, fitted once."""
    return lambda name, method="auto": _fitted(name, method)


@pytest.fixture(scope="session")
def posterior_of() -> Callable[..., Posterior]:
    """A posterior of ``chains x draws`` around an estimate: the estimate itself, or jittered by ``spread``."""

    @cache
    def make(name: str, chains: int = 2, draws: int = 10, spread: float = 0.0) -> Posterior:
        return around(_fitted(name, "auto"), _model(name), chains=chains, draws=draws, spread=spread)

    return make


def around(estimate: Estimate, model: bmx.Model, *, chains: int, draws: int, spread: float) -> Posterior:
    """Repeat an estimate ``(chains, draws)`` times, each number multiplied by ``1 + spread * noise``."""
    rng = np.random.default_rng(1)
    lead = (chains, draws)

    def repeat(array: Any) -> np.ndarray:
        array = np.asarray(array, float)
        return np.broadcast_to(array, (*lead, *array.shape)).copy()

    def jitter(array: Any) -> np.ndarray:
        repeated = repeat(array)
        return repeated * (1.0 + spread * rng.standard_normal(repeated.shape))

    values = estimate.values
    corr = []
    for matrix in values.corr:
        moved = repeat(matrix)
        row, column = np.tril_indices(matrix.shape[-1], -1)
        shrink = 1.0 - spread * rng.uniform(size=(*lead, len(row)))
        moved[..., row, column] = moved[..., column, row] = matrix[row, column] * shrink
        corr.append(moved)
    parameters = Parameters(
        beta=jitter(values.beta),
        sd=tuple(jitter(sd) for sd in values.sd),
        corr=tuple(corr),
        b=tuple(jitter(b) for b in values.b),
        dispersion=None if values.dispersion is None else jitter(values.dispersion),
    )
    stats = {
        "diverging": np.zeros(lead, bool),
        "energy": rng.normal(size=lead),
        "lp": rng.normal(size=lead),
        "n_steps": np.full(lead, 7),
    }
    return Posterior(estimate.fitted_model, Draws(parameters, stats, "by hand", ()), model.priors)


def thinned(posterior: Posterior) -> Posterior:
    """The same without random effects, but for every other draw: what a sampler returns of a big model."""

    def some(array: np.ndarray) -> np.ndarray:
        return array[:, ::2]

    values = posterior.values
    return Posterior(
        posterior.fitted_model,
        replace(posterior.draws, parameters=replace(values, b=()), thinned=values.each(some)),
        posterior.priors,
    )
