"""Point estimates timed beside lme4 and statsmodels, in one run; ratios printed.

    uv run --with statsmodels python benchmarks/estimate.py [--quick]

lme4 runs through ``Rscript`` where that is installed (Debian: r-cran-lme4), statsmodels where it can be imported.
Times are the median of several runs of the fit alone, data and design included, start-up excluded.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import bayesmix as bmx

CASES: dict[str, tuple[str, str, str, str]] = {  # name: formula, data set, family, lme4's call
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
    "InstEval": ("y ~ service + (1 | s) + (1 | d) + (1 | dept:service)", "InstEval", "gaussian", "lmer"),
}
STATSMODELS = {  # what MixedLM can fit: formula, re_formula, groups, variance components
    "sleepstudy": ("Reaction ~ Days", "~Days", "Subject", None),
    "Penicillin": ("diameter ~ 1", None, "one", {"plate": "0 + C(plate)", "sample": "0 + C(sample)"}),
    "Pastes": ("strength ~ 1", None, "batch", {"cask": "0 + C(cask)"}),
    "esoph LMM": ("ncases ~ ncontrols", "~ncontrols", "agegp", None),
}


def median_time(run: Callable[[], Any], repeats: int) -> float:
    times = []
    for _ in range(repeats):
        begin = time.perf_counter()
        run()
        times.append(time.perf_counter() - begin)
    return statistics.median(times)


def ours(name: str, repeats: int) -> tuple[float, float]:
    formula, data_name, family, _ = CASES[name]
    data = bmx.load_dataset(data_name)
    fits: list[Any] = []
    seconds = median_time(lambda: fits.append(bmx.Model(formula, data, family=family).estimate()), repeats)
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
for (i in seq_len(job$repeats)) times <- c(times, system.time(fit <- run())[["elapsed"]])
value <- if (job$call == "lmer") REMLcrit(fit) else -2 * as.numeric(logLik(fit))
memory <- sum(gc()[, 6])
cat(toJSON(list(seconds = median(times), criterion = value, megabytes = memory), auto_unbox = TRUE, digits = 12))
"""


def lme4(name: str, repeats: int) -> dict[str, float] | None:
    if shutil.which("Rscript") is None:
        return None
    formula, data_name, family, call = CASES[name]
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder, "run.R")
        script.write_text(R_SCRIPT, encoding="utf-8")
        job = {"formula": formula, "family": family, "call": call, "repeats": repeats}
        job |= r_job(bmx.load_dataset(data_name), Path(folder))
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
    if name not in STATSMODELS or importlib.util.find_spec("statsmodels") is None:
        return None
    import warnings

    import statsmodels.formula.api as smf

    formula, re_formula, groups, components = STATSMODELS[name]
    data = bmx.load_dataset(CASES[name][1]).assign(one=1)

    def run() -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            smf.mixedlm(formula, data, groups=data[groups], re_formula=re_formula, vc_formula=components).fit()

    return median_time(run, 3)


def simulated(n: int, levels: int, seed: int = 1) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    g = rng.integers(0, levels, n)
    x = rng.normal(size=n)
    b = rng.normal(size=(levels, 2)) * [1.0, 0.5]
    y = 1.0 + 2.0 * x + b[g, 0] + b[g, 1] * x + rng.normal(size=n)
    return pd.DataFrame({"y": y, "x": x, "g": g})


def cost_after_cross_products(sizes: list[int]) -> None:
    from bayesmix.inference.coordinates import coordinates
    from bayesmix.inference.reml import criterion, linear_problem

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
        evaluation = median_time(lambda p=problem, t=theta: criterion(p, t, reml=True), 15)
        print(f"{n:>10} {built:>18.3f} {1e3 * evaluation:>32.3f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="leave out InstEval and the large simulations")
    quick = parser.parse_args().quick
    heading = ("ours, s", "lme4, s", "ratio", "ours - lme4", "statsmodels, s", "ratio")
    cells = [f"{text:>{width}}" for text, width in zip(heading, (9, 9, 7, 12, 15, 7), strict=True)]
    print(" ".join([f"{'case':<14}", *cells]))
    for name in CASES:
        if quick and name == "InstEval":
            continue
        repeats = 1 if name == "InstEval" else 5
        seconds, value = ours(name, repeats)
        peer, other = lme4(name, repeats), statsmodels_time(name)
        line = f"{name:<14} {seconds:>9.4f}"
        if peer is None:
            line += f" {'':>9} {'':>7} {'':>12}"
        else:
            line += f" {peer['seconds']:>9.4f} {seconds / peer['seconds']:>7.2f} {value - peer['criterion']:>12.1e}"
        line += f" {'':>15} {'':>7}" if other is None else f" {other:>15.4f} {other / seconds:>7.0f}"
        print(line, flush=True)
        if name == "InstEval":
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024.0
            print(f"peak memory: this whole process {peak:.0f} MB, R's heap {peer['megabytes'] if peer else 0:.0f} MB")
    cost_after_cross_products([10_000, 100_000] if quick else [10_000, 100_000, 1_000_000])


if __name__ == "__main__":
    main()
