"""Other Python packages for mixed models on the cases of `estimate.py`: glmm, mixedlm and GPBoost, where installed.

    uv run --with glmm --with mixedlm --with gpboost python benchmarks/estimate.py

glmm and mixedlm read lme4's formulas. They have no ``cbind()``: shares are given with the trials as weights; nor text
for a response, nor dots in names. GPBoost has no formulas and no correlated effects, and maximises the likelihood: it
is given the columns of X, and runs where all effects are intercepts.
"""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

import bayesmix as bmx

PATIENCE = 60.0  # seconds of processor time after which a peer is not run again
NAMES = ("glmm", "mixedlm", "gpboost")


@dataclass(frozen=True)
class Task:
    """A case as peers read it."""

    formula: str
    data: pd.DataFrame
    family: str
    weights: Any = None


def task_of(formula: str, data: pd.DataFrame, family: str) -> Task:
    """A case without what peers have not."""
    response, right = (part.strip() for part in formula.split("~", 1))
    if response.startswith("cbind("):
        success, failure = (part.strip() for part in response[6:-1].split(",", 1))
        trials = data.eval(success) + data.eval(failure)
        shares = data.assign(share=data.eval(success) / trials)
        return Task(f"share ~ {right}", shares, family, trials.to_numpy(float))
    y = data[response]
    if isinstance(y.dtype, pd.CategoricalDtype):
        y = (y.cat.codes > 0).astype(float)
    plain = response.replace(".", "_")
    return Task(f"{plain} ~ {right}", data.drop(columns=response).assign(**{plain: y}), family)


def run_glmm(task: Task) -> Callable[[], float]:
    """A fit by glmm; its criterion."""
    import glmm

    def run() -> float:
        return -2.0 * glmm.fit(task.data, task.formula, task.family, weights=task.weights).loglik

    return run


def run_mixedlm(task: Task) -> Callable[[], float]:
    """A fit by mixedlm; its criterion."""
    import mixedlm
    from mixedlm import families

    def run() -> float:
        if task.family == "gaussian":
            return float(mixedlm.REMLcrit(mixedlm.lmer(task.formula, task.data)))
        family = {"poisson": families.Poisson, "binomial": families.Binomial}[task.family]()
        return -2.0 * float(mixedlm.glmer(task.formula, task.data, family, weights=task.weights).logLik().value)

    return run


def run_gpboost(task: Task) -> Callable[[], float] | None:
    """A fit by GPBoost, nothing to compare with; None where a bar has more than an intercept."""
    import gpboost

    family = {"gaussian": "gaussian", "poisson": "poisson", "binomial": "bernoulli_logit"}[task.family]
    model = bmx.Model(task.formula, task.data, family=task.family, weights=task.weights)
    design = model.design
    if any(len(term.effects) > 1 for term in design.terms) or (
        family == "bernoulli_logit" and task.weights is not None
    ):
        return None
    groups = np.column_stack([term.codes for term in design.terms])

    def run() -> float:
        fit = gpboost.GPModel(group_data=groups, likelihood=family, num_parallel_threads=1)
        fit.fit(y=design.y.copy(), X=design.X.copy())
        return float("nan")

    return run


RUNNERS: dict[str, Callable[[Task], Callable[[], float] | None]] = {
    "glmm": run_glmm,
    "mixedlm": run_mixedlm,
    "gpboost": run_gpboost,
}


def timed(name: str, task: Task, repeats: int) -> dict[str, float] | None:
    """``seconds`` and ``criterion``; None where the peer does not run."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            run = RUNNERS[name](task)
            return None if run is None else _least(run, repeats)
        except Exception as error:
            print(f"{name}: {type(error).__name__}: {str(error)[:200]}", file=sys.stderr)
            return None


def _least(run: Callable[[], float], repeats: int) -> dict[str, float]:
    times: list[float] = []
    for _ in range(repeats):
        begin = time.process_time()
        criterion = run()
        times.append(time.process_time() - begin)
        if times[-1] > PATIENCE / repeats:
            break
    return {"seconds": min(times), "criterion": criterion}


def apart(script: str, name: str, case: str, repeats: int) -> dict[str, float] | None:
    """The same in a process of its own: what a peer loads is no part of ours."""
    if importlib.util.find_spec(name) is None:
        return None
    command = [sys.executable, script, "--peer", name, case, str(repeats)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    found = json.loads(done.stdout.splitlines()[-1]) if done.returncode == 0 and done.stdout.strip() else None
    if found is None:
        print(f"{name} does not run {case}: {done.stderr.strip().splitlines()[-1:]}", file=sys.stderr)
    return found
