"""Posteriors timed beside PyMC + nutpie, numpyro, Stan, brms and rstanarm, in one run; ratios printed.

    uv run python benchmarks/posterior.py [--cases sleepstudy,Pastes] [--engines ours,numpyro] [--timeout 170]

Each fit runs in a process of its own, from ``benchmarks/engines/``: four chains of 1 000 draws after as many of
warm-up. Two rates are taken, both of the smallest bulk or tail effective sample size over *all* parameters, random
effects included (by the estimators of ``inference.sampling.diagnostics``, which are ArviZ's): a second of sampling,
with warm-up, without compiling; and a second from the start of the process to the finished summary, by the clock and
in CPU seconds, which other work disturbs less. The hand-written models have bayesmix's default priors on centred and
scaled predictors, non-centred effects; brms and rstanarm their own defaults. What is not installed is named and left
out: ``uv`` brings numpyro and, on Python 3.12, pystan; ``Rscript`` the last two.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from estimate import CASES as SIMPLE
from estimate import SEVERAL, lme4, r_job

import bayesmix as bmx
from bayesmix.inference.sampling.diagnostics import convergence

HERE = Path(__file__).parent
SMALL = ("esoph LMM", "sleepstudy", "Penicillin", "Pastes")
GENERALIZED = ("esoph Poisson", "cbpp", "grouseticks", "VerbAgg")
FORMULAS = {**SIMPLE, **SEVERAL}
CASES = (*SMALL, *GENERALIZED, *SEVERAL, "InstEval")
HAND_WRITTEN = ("ours", "pymc")  # what has models of several linear predictors
R_SPELLINGS = {  # where brms writes the response another way
    "cbpp": "incidence | trials(size) ~ period + (1 | herd)",
}
SETTINGS = {"draws": 1000, "chains": 4}


@dataclass(frozen=True)
class Engine:
    """A program that samples."""

    script: str
    packages: tuple[str, ...] = ()  # of an environment of its own; none: the project's
    python: str | None = None
    method: str = "auto"
    is_r: bool = False


ENGINES = {
    "ours": Engine("ours.py"),
    "ours nuts": Engine("ours.py", method="nuts"),
    "pymc": Engine("pymc_nutpie.py"),
    "numpyro": Engine("with_numpyro.py", ("numpyro", "numpy")),
    "stan": Engine("with_stan.py", ("pystan", "setuptools<81", "numpy", "pandas"), python="3.12"),
    "brms": Engine("in_r.R", is_r=True),
    "rstanarm": Engine("in_r.R", is_r=True),
}


@dataclass(frozen=True)
class Measured:
    """What one engine did on one case."""

    ess: float
    sampling: float  # seconds
    total: float  # seconds from process start to finished summary
    used: float  # CPU seconds of these, of compilers and threads, too: what other processes disturb little; nan in R
    note: str = ""


@cache
def interpreter(engine: Engine) -> str | None:
    """Python that has what an engine needs; None where there is none. Built once, so that no fit pays for it."""
    if not engine.packages:
        return sys.executable
    uv = shutil.which("uv")
    if uv is None:
        return None
    place = Path.home() / ".cache" / "bayesmix-benchmarks" / engine.script.removesuffix(".py")
    python = place / "bin" / "python"
    if not python.exists():
        installed = sorted(Path.home().glob(f".pyenv/versions/{engine.python}.*/bin/python"))
        base = str(installed[-1]) if installed else engine.python or sys.executable
        made = subprocess.run([uv, "venv", "--python", base, str(place)], capture_output=True, check=False)
        if made.returncode:
            return None
    install = [uv, "pip", "install", "--compile-bytecode", "--python", str(python), *engine.packages]
    return str(python) if subprocess.run(install, capture_output=True, check=False).returncode == 0 else None


@cache
def r_has(package: str) -> bool:
    """Whether R has a package."""
    if shutil.which("Rscript") is None:
        return False
    code = f"quit(status = !requireNamespace('{package}', quietly = TRUE))"
    return subprocess.run(["Rscript", "-e", code], capture_output=True, check=False).returncode == 0


def command(name: str, engine: Engine) -> list[str] | None:
    """The program of an engine; None where something is missing."""
    script = str(HERE / "engines" / engine.script)
    if engine.is_r:
        return ["Rscript", script] if r_has(name) else None
    python = interpreter(engine)
    return None if python is None else [python, script]


def prepare(case: str, name: str, engine: Engine, folder: Path) -> Path:
    """Write the job of an engine, its data included."""
    formula, dataset, family, _ = FORMULAS[case]
    job = {
        "formula": formula,
        "dataset": dataset,
        "family": family,
        "engine": name,
        "method": engine.method,
        **SETTINGS,
    }
    if engine.is_r:
        job |= r_job(bmx.load_dataset(dataset), folder)
        job |= {"brms": R_SPELLINGS.get(case, formula), "bernoulli": case == "VerbAgg"}
    elif engine.script != "ours.py":
        np.savez(folder / "arrays.npz", **arrays_of(case))
    path = folder / "job.json"
    path.write_text(json.dumps(job), encoding="utf-8")
    return path


def arrays_of(case: str) -> dict[str, np.ndarray]:
    """Numbers for hand-written models, predictors centred and scaled, with the scales of the default priors."""
    formula, dataset, family, _ = FORMULAS[case]
    return arrays_of_model(bmx.Model(formula, bmx.load_dataset(dataset), family=family), family)


def arrays_of_model(model: bmx.Model, family: str) -> dict[str, np.ndarray]:
    """The same of any model."""
    design = model.design
    if design.R > 1:
        return several(model)
    X = design.X.copy()
    slopes = np.ptp(X, axis=0) > 0.0
    X[:, slopes] = (X[:, slopes] - X[:, slopes].mean(axis=0)) / X[:, slopes].std(axis=0, ddof=1)
    scale = float(design.y.std(ddof=1)) if family == "gaussian" else 1.0
    trials = design.trials
    centre = float(design.y.sum() / trials.sum())  # of successes per trial, or of a row
    centre = (
        centre
        if family == "gaussian"
        else np.log(centre / (1.0 - centre) if family in {"binomial", "bernoulli"} else centre)
    )
    data = {"X": X, "scale": np.array(scale), "trials": trials}
    data["y"] = design.y
    data["beta_mean"], data["beta_sd"] = np.where(slopes, 0.0, centre), np.full(X.shape[1], 2.5 * scale)
    for t, term in enumerate(design.terms):
        spread = np.ptp(term.z, axis=0)
        data[f"z{t}"] = term.z / np.where(spread > 0.0, term.z.std(axis=0, ddof=1), 1.0)
        data[f"g{t}"] = term.codes
    return data


def several(model: bmx.Model) -> dict[str, np.ndarray]:
    """The same of several predictors, stacked: those of a parameter beside the mean have unit scales.

    Thresholds of ratings are numbers of their own, not predictors.
    """
    design = model.design
    predictors = [r for r in range(design.R) if r not in design.layout.thresholds]
    rows = np.concatenate([np.arange(design.R * design.n)[design.block(r)] for r in predictors])
    X, scales, slopes = design.X.copy(), [], []
    for j, owner in enumerate(design.layout.owners):
        own = X[design.block(owner), j]
        scales.append(float(design.y.std(ddof=1)) if owner == 0 and model.spec.link.is_identity else 1.0)
        slopes.append(bool(np.ptp(own) > 0.0))
        if slopes[-1]:
            X[design.block(owner), j] = (own - own.mean()) / own.std(ddof=1)
    priors = [prior.arguments for prior in model.priors.fixed]  # all normal, intercepts at the means
    mean = np.where(slopes, 0.0, [numbers[0] for numbers in priors])
    sd = np.where(slopes, [2.5 * scale for scale in scales], [numbers[1] for numbers in priors])
    is_cut = np.isin(design.layout.owners, list(design.layout.thresholds))
    data = {"X": X[rows][:, ~is_cut], "y": design.y, "R": np.array(len(predictors))}
    data |= {"beta_mean": mean[~is_cut], "beta_sd": sd[~is_cut], "cut_mean": mean[is_cut], "cut_sd": sd[is_cut]}
    for t, term in enumerate(design.terms):
        parts = [term.z[design.block(owner), e] for e, owner in enumerate(term.owners)]
        spread = [part.std(ddof=1) if np.ptp(part) > 0.0 else 1.0 for part in parts]
        data[f"z{t}"], data[f"g{t}"] = term.z[rows] / np.array(spread), term.codes[rows]
        data[f"scale{t}"] = np.array([scales[0] if owner == 0 else 1.0 for owner in term.owners])
    return data


def measure(case: str, name: str, timeout: float) -> Measured | str:
    """Run an engine on a case; a sentence where it did not get to the end."""
    engine = ENGINES[name]
    program = command(name, engine)
    if program is None:
        return "not installed"
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        path = prepare(case, name, engine, folder)
        environment = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
        begin = time.time()
        said = folder / "said.txt"
        with said.open("w") as log:
            child = subprocess.Popen(
                [*program, str(path)], stdout=log, stderr=log, env=environment, start_new_session=True
            )
        try:
            failed = child.wait(timeout)
        except subprocess.TimeoutExpired:
            os.killpg(child.pid, signal.SIGKILL)  # with its compilers
            child.wait()
            return f"stopped after {timeout:.0f} s"
        if failed or not (folder / "result.json").exists():
            return f"failed: {' '.join(said.read_text(errors='replace').strip().splitlines()[-1:])[:100]}"
        result = json.loads((folder / "result.json").read_text(encoding="utf-8"))
        draws = np.fromfile(folder / "draws.bin").reshape(result["shape"])
    found = convergence(draws)
    ess = min(found.smallest_ess, result.get("fewer") or np.inf)
    note = f"R-hat {found.worst_r_hat:.2f}" if found.worst_r_hat > 1.01 else ""
    if name.startswith("ours"):
        note = f"{result['method']} {note}".strip()
    return Measured(ess, result["sampling"], result["finished"] - begin, result.get("used", float("nan")), note)


def compare(case: str, names: list[str], timeout: float) -> None:
    """Print a line an engine, and ours over the best of the others."""
    print(f"\n{case}: {FORMULAS[case][0]}")
    print(
        f"  {'engine':<10} {'smallest ESS':>12} {'sampling, s':>12} {'ESS/s':>9} {'from start, s':>14} {'ESS/s':>9}"
        f" {'CPU, s':>8} {'ESS/s':>7}"
    )
    found: dict[str, Measured] = {}
    for name in names:
        result = measure(case, name, timeout)
        if isinstance(result, str):
            print(f"  {name:<10} {result}", flush=True)
            continue
        found[name] = result
        rates = result.ess / result.sampling, result.ess / result.total
        print(
            f"  {name:<10} {result.ess:>12.0f} {result.sampling:>12.3f} {rates[0]:>9.0f} {result.total:>14.2f}"
            f" {rates[1]:>9.1f} {result.used:>8.2f} {result.ess / result.used:>7.1f}  {result.note}",
            flush=True,
        )
    peers = [value for name, value in found.items() if not name.startswith("ours")]
    if "ours" in found and peers:
        ours = found["ours"]
        sampling = ours.ess / ours.sampling / max(peer.ess / peer.sampling for peer in peers)
        total = ours.ess / ours.total / max(peer.ess / peer.total for peer in peers)
        used = ours.ess / ours.used / np.nanmax([0.0, *(peer.ess / peer.used for peer in peers)])
        print(
            f"  ours over the best: {sampling:.0f} x a second of sampling, {total:.0f} x from the start,"
            f" {used:.0f} x in CPU seconds from the start"
        )


# ---- large data -------------------------------------------------------------------------------------------------

LARGE = """
import resource, sys, time
sys.path.insert(0, {here!r})
import bayesmix as bmx
from estimate import simulated
data = {data}
formula = {formula!r}
begin = time.process_time(); reml = bmx.Model(formula, data).estimate(); first = time.process_time() - begin
begin = time.process_time()
post = bmx.Model(formula, data).sample(seed=1, progress=False)
table = post.parameters()
second = time.process_time() - begin
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(post.draws.notes, post.draws.certificate)
print(first, second, peak, table["ess_bulk"].min())
"""


def large(label: str, formula: str, data: str) -> tuple[float, float]:
    """Print our REML fit and our posterior of a large data set, in one process; return the times."""
    code = LARGE.format(here=str(HERE), data=data, formula=formula)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    *said, numbers = done.stdout.strip().splitlines()
    reml, sampling, peak, ess = map(float, numbers.split())
    print(f"\n{label}: {formula}")
    print(f"  our REML {reml:.1f} processor s; posterior, 4 x 1 000 draws, {sampling:.1f} s: {sampling / reml:.1f} x;")
    print(
        f"  smallest ESS of fixed effects and variances {ess:.0f}; peak memory {peak:.0f} MB. {' '.join(said)}",
        flush=True,
    )
    return reml, sampling


def inst_eval() -> None:
    """Posterior beside lme4's REML fit."""
    formula, dataset, _, _ = FORMULAS["InstEval"]
    _, sampling = large("InstEval", formula, f"bmx.load_dataset({dataset!r})")
    peer = lme4("InstEval", 1)
    if peer is not None:
        print(f"  lme4's REML fit {peer['seconds']:.1f} processor s: posterior / lme4 {sampling / peer['seconds']:.1f}")


# ---- start-up ---------------------------------------------------------------------------------------------------

WHOLE = """
import bayesmix as bmx
model = bmx.Model("ncases ~ ncontrols + (ncontrols | agegp)", bmx.load_dataset("esoph"))
post = model.sample(seed=1)
print(post.summary())
"""
WHOLE_R = "library(lme4); print(summary(lmer(ncases ~ ncontrols + (ncontrols | agegp), esoph)))"


def process_time(program: list[str], repeats: int = 5) -> float:
    """Median wall time of a process."""
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    times = []
    for _ in range(repeats):
        begin = time.perf_counter()
        subprocess.run(program, capture_output=True, check=True, env=environment)
        times.append(time.perf_counter() - begin)
    return statistics.median(times)


def start_up() -> None:
    """Whole processes: import, and data to printed summary."""
    print("\nStart-up")
    bare, imported = process_time([sys.executable, "-c", ""]), process_time([sys.executable, "-c", "import bayesmix"])
    print(f"  import bayesmix: {imported:.3f} s, of which Python {bare:.3f} s")
    ours = process_time([sys.executable, "-c", WHOLE])
    print(f"  process, esoph: posterior and summary {ours:.2f} s")
    if r_has("lme4"):
        peer = process_time(["Rscript", "-e", WHOLE_R])
        print(f"  Rscript, lme4's REML fit and summary {peer:.2f} s: ratio {ours / peer:.2f}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    extra = ("start-up", "large")
    parser.add_argument("--cases", default=",".join((*extra, *CASES)), help="of " + ", ".join((*extra, *CASES)))
    parser.add_argument("--engines", default=",".join(ENGINES), help="of " + ", ".join(ENGINES))
    parser.add_argument("--timeout", type=float, default=900.0, help="seconds for one fit")
    given = parser.parse_args()
    cases, names = given.cases.split(","), given.engines.split(",")
    for wrong in [*(set(cases) - {*extra, *CASES}), *(set(names) - set(ENGINES))]:
        parser.error(f"`{wrong}` is neither a case nor an engine")
    if "start-up" in cases:
        start_up()
    for case in cases:
        if case == "InstEval":
            inst_eval()
        if case in CASES:
            few = [name for name in names if name != "ours nuts" or case in GENERALIZED]
            few = [name for name in few if case not in SEVERAL or name in HAND_WRITTEN]
            compare(case, few, given.timeout)
    if "large" in cases:
        large("1e6 rows, 1e5 groups", "y ~ x + (x | g)", "simulated(1_000_000, 100_000)")


if __name__ == "__main__":
    main()
