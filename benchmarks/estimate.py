"""Point estimates timed beside lme4, statsmodels, glmm, mixedlm and GPBoost, in one run; ratios printed.

    export OPENBLAS_NUM_THREADS=1
    uv run --with statsmodels --with glmm --with mixedlm --with gpboost python benchmarks/estimate.py [--quick]

lme4 runs through ``Rscript`` where that is installed (Debian: r-cran-lme4), statsmodels where it can be imported.
Times are seconds of processor time, which others on the machine do not disturb, the smallest of several runs of the fit
alone: design included, reading data and start-up excluded. Every program has one thread. `peers.py` says how the others
are called.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import peers

import bayesmix as bmx

CASES: dict[str, tuple[Any, str, str, str]] = {  # name: formula, data set, family, lme4's call
    "sleepstudy": ("Reaction ~ Days + (Days | Subject)", "sleepstudy", "gaussian", "lmer"),
    "Penicillin": ("diameter ~ 1 + (1 | plate) + (1 | sample)", "Penicillin", "gaussian", "lmer"),
    "Pastes": ("strength ~ 1 + (1 | batch/cask)", "Pastes", "gaussian", "lmer"),
    "cake": ("angle ~ recipe * temperature + (1 | recipe:replicate)", "cake", "gaussian", "lmer"),
    "esoph LMM": ("ncases ~ ncontrols + (ncontrols | agegp)", "esoph", "gaussian", "lmer"),
    "esoph Poisson": ("ncases ~ ncontrols + (1 + ncontrols | agegp)", "esoph", "poisson", "glmer"),
    "cbpp": ("cbind(incidence, size - incidence) ~ period + (1 | herd)", "cbpp", "binomial", "glmer"),
    "Arabidopsis": (
        "total.fruits ~ nutrient * amd + rack + status + (1 | popu) + (1 | gen)",
        "Arabidopsis",
        "poisson",
        "glmer",
    ),
    "grouseticks": (
        "TICKS ~ YEAR + cHEIGHT + (1 | BROOD) + (1 | INDEX) + (1 | LOCATION)",
        "grouseticks",
        "poisson",
        "glmer",
    ),
    "VerbAgg": ("r2 ~ Anger + Gender + btype + situ + (1 | id) + (1 | item)", "VerbAgg", "binomial", "glmer"),
    "slopes": ("y ~ x + (x | g)", "slopes", "gaussian", "lmer"),
    "crossed": ("y ~ x + (1 | g) + (1 | h)", "crossed", "gaussian", "lmer"),
    "100 students": ("y ~ service + (1 | s) + (1 | d)", "100 students", "gaussian", "lmer"),
    "InstEval": ("y ~ service + (1 | s) + (1 | d) + (1 | dept:service)", "InstEval", "gaussian", "lmer"),
    "60 000 rows": ("y ~ x + (1 | g) + (1 | h)", "60 000 rows", "gaussian", "lmer"),
}
LARGE = {"InstEval", "60 000 rows"}
SEVERAL: dict[str, tuple[Any, str, str, str]] = {  # models with several linear predictors, which lme4 has not
    "sleepstudy sigma": (["Reaction ~ Days + (Days | Subject)", "sigma ~ Days"], "sleepstudy", "gaussian", ""),
    "sleepstudy shared": (
        ["Reaction ~ Days + (1 | ID | Subject)", "sigma ~ Days + (1 | ID | Subject)"],
        "sleepstudy",
        "gaussian",
        "",
    ),
    "sleepstudy effects": (
        ["Reaction ~ Days + (1 | Subject)", "sigma ~ Days + (1 | Subject)"],
        "sleepstudy",
        "gaussian",
        "",
    ),
    "Penicillin sigma": (
        ["diameter ~ 1 + (1 | plate) + (1 | sample)", "sigma ~ 1 + (1 | sample)"],
        "Penicillin",
        "gaussian",
        "",
    ),
    "Salamanders shape": (
        ["count ~ spp + mined + (1 | site)", "shape ~ mined + (1 | site)"],
        "Salamanders",
        "negbinomial",
        "",
    ),
    "grouseticks shape": (["TICKS ~ YEAR + cHEIGHT + (1 | BROOD)", "shape ~ YEAR"], "grouseticks", "negbinomial", ""),
    "wine": ("rating ~ temp + contact + (1 | judge)", "wine", "cumulative", ""),
    "Salamanders": (["count ~ mined + (1 | site)", "zi ~ mined"], "Salamanders", "zero_inflated_poisson", ""),
}
STATSMODELS = {  # what MixedLM can fit: formula, re_formula, groups, variance components
    "sleepstudy": ("Reaction ~ Days", "~Days", "Subject", None),
    "Penicillin": ("diameter ~ 1", None, "one", {"plate": "0 + C(plate)", "sample": "0 + C(sample)"}),
    "Pastes": ("strength ~ 1", None, "batch", {"cask": "0 + C(cask)"}),
    "esoph LMM": ("ncases ~ ncontrols", "~ncontrols", "agegp", None),
    "slopes": ("y ~ x", "~x", "g", None),
    "crossed": ("y ~ x", None, "one", {"g": "0 + C(g)", "h": "0 + C(h)"}),
    "100 students": ("y ~ service", None, "one", {"s": "0 + C(s)", "d": "0 + C(d)"}),
}
PATIENCE = 30  # seconds of processor time that statsmodels may take


def data_of(name: str) -> pd.DataFrame:
    """A data set of bayesmix, a part of one, or a simulation."""
    match name:
        case "slopes":  # 200 groups of 10 rows
            return simulated(2000, 200)
        case "crossed":  # 30 x 40 levels, two rows each
            rng = np.random.default_rng(2)
            g, h = (index.ravel() for index in np.indices((30, 80)))
            x = rng.normal(size=2400)
            y = x + rng.normal(size=30)[g] + 0.5 * rng.normal(size=40)[h % 40] + rng.normal(size=2400)
            return pd.DataFrame({"y": y, "x": x, "g": g, "h": h % 40}).astype({"g": "category", "h": "category"})
        case "60 000 rows":  # 2 000 x 1 000 levels, most of whose pairs do not occur
            rng = np.random.default_rng(7)
            g, h, x = rng.integers(0, 2000, 60_000), rng.integers(0, 1000, 60_000), rng.normal(size=60_000)
            y = 1.0 + 0.5 * x + rng.normal(size=2000)[g] + 0.7 * rng.normal(size=1000)[h] + rng.normal(size=60_000)
            return pd.DataFrame({"y": y, "x": x, "g": g, "h": h}).astype({"g": "category", "h": "category"})
        case "100 students":
            data = bmx.load_dataset("InstEval")
            some = data[data["s"].isin(data["s"].cat.categories[:100])]
            return some.assign(s=some["s"].cat.remove_unused_categories(), d=some["d"].cat.remove_unused_categories())
        case _:
            return bmx.load_dataset(name)


def least_time(run: Callable[[], Any], repeats: int) -> float:
    times = []
    for _ in range(repeats):
        begin = time.process_time()
        run()
        times.append(time.process_time() - begin)
    return min(times)


def ours(name: str, repeats: int) -> tuple[float, float]:
    formula, data_name, family, _ = CASES[name]
    data = data_of(data_name)
    fits: list[Any] = []
    seconds = least_time(lambda: fits.append(bmx.Model(formula, data, family=family).estimate()), repeats)
    return seconds, fits[-1].criterion


R_SCRIPT = """
suppressPackageStartupMessages({library(lme4); library(jsonlite)})
job <- fromJSON(commandArgs(TRUE)[1], simplifyVector = FALSE)
d <- read.csv(job$csv, check.names = FALSE)
for (f in names(job$levels)) {
  ordered <- isTRUE(job$ordered[[f]])
  d[[f]] <- factor(as.character(d[[f]]), levels = unlist(job$levels[[f]]), ordered = ordered)
}
run <- function() suppressWarnings(suppressMessages(
  if (job$call == "lmer") lmer(as.formula(job$formula), d) else glmer(as.formula(job$formula), d, family = job$family)))
times <- c()
for (i in seq_len(job$repeats)) times <- c(times, sum(system.time(fit <- run())[1:2]))
value <- if (job$call == "lmer") REMLcrit(fit) else -2 * as.numeric(logLik(fit))
cat(toJSON(list(seconds = min(times), criterion = value), auto_unbox = TRUE, digits = 12))
"""


def lme4(name: str, repeats: int) -> dict[str, float] | None:
    if shutil.which("Rscript") is None:
        return None
    formula, data_name, family, call = CASES[name]
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder, "run.R")
        script.write_text(R_SCRIPT, encoding="utf-8")
        job = {"formula": formula, "family": family, "call": call, "repeats": repeats}
        job |= r_job(data_of(data_name), Path(folder))
        Path(folder, "job.json").write_text(json.dumps(job), encoding="utf-8")
        command = ["Rscript", str(script), str(Path(folder, "job.json"))]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        print(f"lme4 failed on {name}: {done.stderr.strip().splitlines()[-1:]}", file=sys.stderr)
        return None
    return json.loads(done.stdout)


def r_job(data: pd.DataFrame, folder: Path) -> dict[str, Any]:
    """Write data for R; return the job's words on them."""
    factors = {c: data[c].cat for c in data.columns if isinstance(data[c].dtype, pd.CategoricalDtype)}
    data.to_csv(folder / "data.csv", index=False)
    return {
        "csv": str(folder / "data.csv"),
        "levels": {column: list(cat.categories) for column, cat in factors.items()},
        "ordered": {column: bool(cat.ordered) for column, cat in factors.items()},
    }


def statsmodels_time(name: str) -> float | None:
    """Time of MixedLM in a process of its own; infinite where patience ends."""
    if name not in STATSMODELS or importlib.util.find_spec("statsmodels") is None:
        return None
    command = [sys.executable, __file__, "--statsmodels", name]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return float(done.stdout) if done.returncode == 0 else np.inf


def time_statsmodels(name: str) -> None:
    import warnings

    import statsmodels.formula.api as smf

    resource.setrlimit(resource.RLIMIT_CPU, (PATIENCE, PATIENCE))
    formula, re_formula, groups, components = STATSMODELS[name]
    data = data_of(CASES[name][1]).assign(one=1)

    def run() -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            smf.mixedlm(formula, data, groups=data[groups], re_formula=re_formula, vc_formula=components).fit()

    first = least_time(run, 1)
    print(first if first > 2.0 else min(first, least_time(run, 2)))


OURS_ON_INSTEVAL = """
import bayesmix
fit = bayesmix.Model("{formula}", bayesmix.load_dataset("InstEval")).estimate()
"""
LME4_ON_INSTEVAL = """
suppressPackageStartupMessages(library(lme4))
data(InstEval)
fit <- lmer({formula}, InstEval)
"""


LAUNCHER = """
import os, subprocess, sys
child = subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
_, status, used = os.wait4(child.pid, 0)
print(used.ru_maxrss / 1024)
sys.exit(os.waitstatus_to_exitcode(status))
"""


def peak_memory(command: list[str]) -> float:
    """Largest resident size, in MB, of a process that loads, reads data and fits.

    A small process starts it: Linux counts the size of whoever starts a program to its peak.
    """
    launch = [sys.executable, "-S", "-c", LAUNCHER, *command]
    return float(subprocess.run(launch, capture_output=True, text=True, check=True).stdout)


def compare_memory() -> None:
    formula = CASES["InstEval"][0]
    print("\nPeak memory of whole processes that load the library, read InstEval and fit it")
    print(f"bayesmix {peak_memory([sys.executable, '-c', OURS_ON_INSTEVAL.format(formula=formula)]):.0f} MB", end="")
    print(
        f", of which {peak_memory([sys.executable, '-c', 'import bayesmix, pandas']):.0f} MB are Python's and pandas'"
    )
    if shutil.which("Rscript"):
        print(f"lme4     {peak_memory(['Rscript', '-e', LME4_ON_INSTEVAL.format(formula=formula)]):.0f} MB", end="")
        print(f", of which {peak_memory(['Rscript', '-e', 'library(lme4)']):.0f} MB are R's and lme4's")


def simulated(n: int, levels: int, seed: int = 1) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    g = rng.integers(0, levels, n)
    x = rng.normal(size=n)
    b = rng.normal(size=(levels, 2)) * [1.0, 0.5]
    y = 1.0 + 2.0 * x + b[g, 0] + b[g, 1] * x + rng.normal(size=n)
    return pd.DataFrame({"y": y, "x": x, "g": g})


def cost_after_cross_products(sizes: list[int]) -> None:
    from bayesmix.inference.estimation.reml import criterion, linear_problem
    from bayesmix.inference.least_squares.scaling import coordinates

    print("\nCost after the cross-products: y ~ x + (x | g), 1 000 levels")
    print(f"{'rows':>10} {'design + sums, s':>18} {'one criterion and gradient, ms':>32}")
    for n in sizes:
        data = simulated(n, 1000)
        begin = time.perf_counter()
        model = bmx.Model("y ~ x + (x | g)", data)
        working = coordinates(model.design)
        problem = linear_problem(model.design, working)
        built = time.perf_counter() - begin
        theta = np.array([1.0, 0.1, 0.5])
        evaluation = least_time(lambda p=problem, t=theta: criterion(p, t, reml=True), 15)
        print(f"{n:>10} {built:>18.3f} {1e3 * evaluation:>32.3f}")


def compare_lme4(names: list[str]) -> dict[str, tuple[float, float]]:
    """Beside lme4 and statsmodels; our seconds and criteria."""
    heading = ("ours, s", "lme4, s", "ratio", "ours - lme4", "statsmodels, s", "ratio")
    cells = [f"{text:>{width}}" for text, width in zip(heading, (9, 9, 7, 12, 15, 7), strict=True)]
    print(" ".join([f"{'case':<14}", *cells]))
    found = {}
    for name in names:
        repeats = 1 if name in LARGE else 3
        seconds, value = found[name] = ours(name, repeats)
        peer, other = lme4(name, repeats), statsmodels_time(name)
        line = f"{name:<14} {seconds:>9.4f}"
        if peer is None:
            line += f" {'':>9} {'':>7} {'':>12}"
        else:
            line += f" {peer['seconds']:>9.4f} {seconds / peer['seconds']:>7.2f} {value - peer['criterion']:>12.1e}"
        if other == np.inf:
            line += f" {f'> {PATIENCE}':>15} {f'> {PATIENCE / seconds:.0f}':>7}"
        elif other is not None:
            line += f" {other:>15.4f} {other / seconds:>7.0f}"
        print(line, flush=True)
    return found


def compare_peers(found: dict[str, tuple[float, float]]) -> None:
    """Other Python packages, which lme4's line has no room for."""
    print("\nPython packages; ratios are ours over theirs")
    heads = ("ours, s", "glmm, s", "ratio", "ours - glmm", "mixedlm, s", "ratio", "gpboost, s", "ratio")
    widths = (9, 9, 7, 12, 11, 7, 11, 7)
    print(" ".join([f"{'case':<14}", *(f"{head:>{width}}" for head, width in zip(heads, widths, strict=True))]))
    ratios: dict[str, list[float]] = {name: [] for name in peers.NAMES}
    for case, (seconds, value) in found.items():
        cells = [f"{seconds:>9.4f}"]
        for name in peers.NAMES:
            peer = peers.apart(__file__, name, case, 1 if case in LARGE else 5)
            cells += _cells(name, peer, seconds, value)
            ratios[name] += [] if peer is None else [seconds / peer["seconds"]]
        print(" ".join([f"{case:<14}", *cells]), flush=True)
    medians = [f"{name} {np.median(own):.2f} of {len(own)}" for name, own in ratios.items() if own]
    print(f"Median ratios: {', '.join(medians) or 'no peer is installed'}")


def _cells(name: str, peer: dict[str, float] | None, seconds: float, value: float) -> list[str]:
    width = 9 if name == "glmm" else 11
    own = ["", ""] if peer is None else [f"{peer['seconds']:.4f}", f"{seconds / peer['seconds']:.2f}"]
    gap = [] if name != "glmm" else [f"{'' if peer is None else format(value - peer['criterion'], '.1e'):>12}"]
    return [f"{own[0]:>{width}}", f"{own[1]:>7}", *gap]


def print_peer(name: str, case: str, repeats: int) -> None:
    """Time of one peer on one case, in this process."""
    formula, data_name, family, _ = CASES[case]
    print(json.dumps(peers.timed(name, peers.task_of(formula, data_of(data_name), family), repeats)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="leave out InstEval and the large simulations")
    parser.add_argument("--statsmodels", metavar="CASE", help="print the time of this case only")
    parser.add_argument("--peer", nargs=3, metavar=("NAME", "CASE", "REPEATS"), help="print the time of this peer only")
    parser.add_argument("--peers", action="store_true", help="other Python packages only")
    options = parser.parse_args()
    if options.statsmodels:
        time_statsmodels(options.statsmodels)
        return
    if options.peer:
        print_peer(options.peer[0], options.peer[1], int(options.peer[2]))
        return
    quick = options.quick
    names = [name for name in CASES if not (quick and name in LARGE)]
    if options.peers:
        compare_peers({name: ours(name, 2 if name in LARGE else 7) for name in names})
        return
    found = compare_lme4(names)
    compare_peers(found)
    if not quick:
        compare_memory()
    cost_after_cross_products([10_000, 100_000] if quick else [10_000, 100_000, 1_000_000])


if __name__ == "__main__":
    main()
