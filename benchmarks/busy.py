"""Estimates and posteriors on a busy machine: BLAS threads as they come, against one.

    uv run python benchmarks/busy.py [--quick]

Each model is fitted in a process of its own beside as many spinning processes as there are cores, once with no variable
of the environment set, once with OPENBLAS_NUM_THREADS=1; the two take turns until both have run three times or for ten
seconds of the clock, and the fastest of each counts, since what else the machine does only adds. Ratios of processor
time and of wall time are printed; both should be near one.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys

THREADS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")
REPEATS = 3
LONG = 10.0  # seconds of the clock, after which a case is not repeated
CASES = {  # name: code that makes `model`, what is timed
    "sleepstudy REML": ('bmx.load_model("sleepstudy")', "model.estimate()"),
    "InstEval REML": ('bmx.load_model("insteval")', "model.estimate()"),
    "VerbAgg Laplace": ('bmx.load_model("verbagg")', "model.estimate()"),
    "crossed Bernoulli Laplace": ('bmx.Model("y ~ x + (1 | g) + (1 | h)", crossed(), "bernoulli")', "model.estimate()"),
    "sleepstudy posterior": ('bmx.load_model("sleepstudy")', "model.sample(seed=1, progress=False)"),
    "esoph Poisson posterior": ('bmx.load_model("esoph_poisson")', "model.sample(seed=1, progress=False)"),
    "VerbAgg posterior": ('bmx.load_model("verbagg")', "model.sample(seed=1, progress=False)"),
    "crossed Bernoulli posterior": (
        'bmx.Model("y ~ x + (1 | g) + (1 | h)", crossed(), "bernoulli")',
        "model.sample(seed=1, progress=False)",
    ),
    "InstEval posterior": ('bmx.load_model("insteval")', "model.sample(seed=1, progress=False)"),
}
QUICK = ("sleepstudy REML", "crossed Bernoulli Laplace", "sleepstudy posterior", "esoph Poisson posterior")
PROGRAM = """
import json, time
import numpy as np, pandas as pd
import bayesmix as bmx

def crossed():
    rng = np.random.default_rng(1)
    g, h = rng.integers(0, 400, 20_000), rng.integers(0, 200, 20_000)
    x = rng.normal(size=20_000)
    eta = 0.3 * x + rng.normal(size=400)[g] + rng.normal(size=200)[h]
    return pd.DataFrame({"y": (rng.random(20_000) < 1 / (1 + np.exp(-eta))).astype(int), "x": x, "g": g, "h": h})

model = MODEL
wall, cpu = time.perf_counter(), time.process_time()
FIT
print(json.dumps([time.perf_counter() - wall, time.process_time() - cpu]))
"""


def seconds(case: str, *, one_thread: bool) -> tuple[float, float]:
    """Wall and processor seconds of the fit in a new process."""
    model, fit = CASES[case]
    environment = {name: value for name, value in os.environ.items() if name not in THREADS}
    if one_thread:
        environment["OPENBLAS_NUM_THREADS"] = "1"
    program = PROGRAM.replace("MODEL", model).replace("FIT", fit)
    run = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    wall, cpu = json.loads(run.stdout.splitlines()[-1])
    return wall, cpu


def fastest(case: str) -> tuple[tuple[float, float], tuple[float, float]]:
    """Smallest (wall, processor) seconds with one thread and as it comes."""
    runs: list[tuple[tuple[float, float], tuple[float, float]]] = []
    while len(runs) < REPEATS and sum(one[0] for one, _ in runs) < LONG:
        runs.append((seconds(case, one_thread=True), seconds(case, one_thread=False)))
    one, free = ([min(values) for values in zip(*(run[k] for run in runs), strict=True)] for k in (0, 1))
    return (one[0], one[1]), (free[0], free[1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="the small models only")
    names = QUICK if parser.parse_args().quick else CASES
    busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(os.cpu_count() or 1)]
    try:
        print(f"{'':26}  {'one thread':>17}  {'as it comes':>17}  {'ratio':>11}")
        print(f"{'':26}  {'wall s':>8} {'CPU s':>8}  {'wall s':>8} {'CPU s':>8}  {'wall':>5} {'CPU':>5}")
        for name in names:
            one, free = fastest(name)
            columns = [f"{wall:8.2f} {cpu:8.2f}" for wall, cpu in (one, free)]
            ratios = [f"{b / a:5.2f}" for a, b in zip(one, free, strict=True)]
            print("  ".join([f"{name:26}", *columns, " ".join(ratios)]), flush=True)
    finally:
        for process in busy:
            process.kill()


if __name__ == "__main__":
    main()
