"""Models that grow: CPU seconds, smallest effective sample sizes and memory; peers beside them.

    uv run python benchmarks/growth.py [--cases "Poisson,binary"] [--engines ours,pymc,numpyro] [--timeout 900]

Each fit runs in a process of its own, whose CPU time over all threads is taken: other work on the machine lengthens the
clock much, CPU time by a third. Of posteriors the smallest bulk or tail effective sample size of fixed effects and
variance components is divided by it. Peers are the hand-written models of ``engines/``, with as many draws as given
below after as many of warm-up; their compiling is not counted. Ours counts everything from the data on.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from posterior import ENGINES, arrays_of_model, command

import bayesmix as bmx
from bayesmix.inference.parameters.names import Parameters
from bayesmix.inference.sampling.diagnostics import convergence

HERE = Path(__file__).parent
Data = dict[str, np.ndarray]


def grouped(n: int, levels: int, family: str) -> Data:
    """A response with a correlated intercept and slope of each group."""
    rng = np.random.default_rng(1)
    g, x = rng.integers(0, levels, n), rng.standard_normal(n)
    wide = family == "bernoulli"
    covariance = [[1.0, 0.2], [0.2, 0.25]] if wide else [[0.25, 0.05], [0.05, 0.09]]
    b = rng.standard_normal((levels, 2)) @ np.linalg.cholesky(covariance).T
    eta = (0.2 if wide else 0.5) + (0.5 if wide else 0.3) * x + b[g, 0] + b[g, 1] * x
    y = rng.random(n) < 1.0 / (1.0 + np.exp(-eta)) if wide else rng.poisson(np.exp(eta))
    return {"y": y.astype(int), "x": x, "g": g}


def crossed(n: int, first: int, second: int, family: str) -> Data:
    """A response of two crossed factors."""
    rng = np.random.default_rng(1)
    a, b, x = rng.integers(0, first, n), rng.integers(0, second, n), rng.standard_normal(n)
    eta = 0.2 + 0.5 * x + rng.standard_normal(first)[a] + 0.7 * rng.standard_normal(second)[b]
    if family == "gaussian":
        return {"y": eta + rng.standard_normal(n), "x": x, "a": a, "b": b}
    return {"y": (rng.random(n) < 1.0 / (1.0 + np.exp(-eta))).astype(int), "x": x, "a": a, "b": b}


@dataclass(frozen=True)
class Case:
    """A model and its data."""

    formula: str
    family: str
    data: Callable[[], Data]
    most: float  # CPU seconds of our posterior
    peer_draws: int = 1000  # a chain, after as many of warm-up
    peer_chains: int = 4


LINEAR = """
import json, resource, sys, time
sys.path.insert(0, {here!r})
import bayesmix as bmx
from growth import CROSSED, crossed, parameters_of
from bayesmix.inference.sampling.diagnostics import convergence
data = crossed(20 * {levels}, {levels}, {levels}, "gaussian")
begin = time.process_time()
bmx.Model(CROSSED, data).estimate()
estimate = time.process_time() - begin
begin = time.process_time()
post = bmx.Model(CROSSED, data).sample(seed=1, progress=False)
print(json.dumps({{"estimate": estimate, "posterior": time.process_time() - begin, "method": post.method,
    "ess": convergence(parameters_of(post.values)).smallest_ess, "certificate": dict(post.draws.certificate),
    "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}}))
"""
RUNS = {"numpyro": 2}  # of a peer in its process
VERBAGG = "r2 ~ Anger + Gender + btype + situ + (1 | id) + (1 | item)"
CROSSED, GROUPED = "y ~ x + (1 | a) + (1 | b)", "y ~ x + (x | g)"
CASES = {
    "VerbAgg": Case(VERBAGG, "bernoulli", lambda: bmx.load_dataset("VerbAgg"), 4.0),
    "Poisson": Case(GROUPED, "poisson", lambda: grouped(10_000, 1_000, "poisson"), 10.0),
    "crossed Bernoulli": Case(CROSSED, "bernoulli", lambda: crossed(20_000, 400, 200, "bernoulli"), 30.0, 500),
    "binary": Case(GROUPED, "bernoulli", lambda: grouped(100_000, 10_000, "bernoulli"), 120.0, 200, 2),
}
OURS = """
import json, resource, sys, time
import numpy as np
sys.path.insert(0, {here!r})
import bayesmix as bmx
from growth import CASES, parameters_of
from bayesmix.inference.sampling.diagnostics import convergence
case = CASES[{name!r}]
data = case.data()
begin = time.process_time()
post = bmx.Model(case.formula, data, family=case.family).sample(seed={seed}, progress=False)
cpu = time.process_time() - begin
found = convergence(parameters_of(post.values))
print(json.dumps({{"ess": found.smallest_ess, "cpu": cpu, "r_hat": found.worst_r_hat, "method": post.method,
    "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, "converged": bool(post.converged),
    "certificate": dict(post.draws.certificate), "notes": post.draws.notes, "problems": list(post.problems)}}))
"""


def parameters_of(values: Parameters) -> np.ndarray:
    """Fixed effects, standard deviations and correlations ``(chain, draw, m)``."""
    corr = [part[..., *np.tril_indices(part.shape[-1], -1)] for part in values.corr]
    return np.concatenate([values.beta, *values.sd, *corr], axis=-1)


def ours(name: str, seed: int = 1) -> dict[str, object]:
    """Our posterior, in a process of its own."""
    code = OURS.format(here=str(HERE), name=name, seed=seed)
    done = subprocess.run([sys.executable, "-c", code], env=compiled(), capture_output=True, text=True, check=True)
    return dict(json.loads(done.stdout.strip().splitlines()[-1]))


def compiled() -> dict[str, str]:
    """The environment, with byte code of packages kept between processes, as Python does unless it is told not to."""
    found = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    subprocess.run([sys.executable, "-c", "import bayesmix, scipy.stats, pandas"], env=found, check=True)
    return found


def peer(name: str, engine: str, timeout: int) -> dict[str, float] | str:
    """A hand-written model in a process of its own; a sentence where there is none or it failed.

    One that needs more than so many CPU seconds is stopped: then these seconds, without those before it began to
    sample, and as its effective sample size all draws that were wanted, of which none may be there. A run that is made
    twice, the first time to compile it, counts half.
    """
    case, program = CASES[name], command(engine, ENGINES[engine])
    if program is None:
        return "not installed"
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        model = bmx.Model(case.formula, case.data(), family=case.family)
        np.savez(folder / "arrays.npz", **arrays_of_model(model, case.family))
        job = {"family": case.family, "draws": case.peer_draws, "chains": case.peer_chains}
        (folder / "job.json").write_text(json.dumps(job), encoding="utf-8")
        with (folder / "said.txt").open("w") as log:
            failed = subprocess.run(
                [*program, str(folder / "job.json")],
                stdout=log,
                stderr=log,
                check=False,
                preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CPU, (timeout, timeout)),
            ).returncode
        if failed in {-signal.SIGXCPU, -signal.SIGKILL} and (folder / "begun.txt").exists():
            cpu = timeout - float((folder / "begun.txt").read_text(encoding="utf-8"))
            return {"ess": case.peer_draws * case.peer_chains, "cpu": cpu / RUNS.get(engine, 1), "r_hat": np.nan}
        if failed:
            return f"failed: {(folder / 'said.txt').read_text().strip().splitlines()[-1][:100]}"
        result = json.loads((folder / "result.json").read_text(encoding="utf-8"))
        draws = np.fromfile(folder / "draws.bin").reshape(result["shape"])
    bounds = np.cumsum([0, *result["widths"]])
    kept = [
        draws[..., lo:hi]
        for part, lo, hi in zip(result["names"], bounds[:-1], bounds[1:], strict=True)
        if not part.startswith("b") or part == "beta"
    ]
    found = convergence(np.concatenate(kept, axis=-1))
    return {"ess": found.smallest_ess, "cpu": result["cpu"], "r_hat": found.worst_r_hat}


def linear(levels: int) -> None:
    """Print our two fits of a linear model of two crossed factors, twenty rows a level."""
    code = LINEAR.format(here=str(HERE), levels=levels)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    found = json.loads(done.stdout.strip().splitlines()[-1])
    print(f"\nlinear, {levels:,} x {levels:,} levels, {20 * levels:,} rows: {CROSSED}")
    print(f"  estimate {found['estimate']:.1f} CPU s (60 wanted), posterior {found['posterior']:.1f} (600), ", end="")
    print(f"smallest ESS {found['ess']:.0f}, {found['peak']:.0f} MB (4 000). {found['certificate']}", flush=True)


def compare(name: str, engines: list[str], timeout: int) -> None:
    """Print a line an engine."""
    case = CASES[name]
    print(f"\n{name}: {case.formula}", flush=True)
    rates: dict[str, float] = {}
    is_bound = False
    for engine in engines:
        found = ours(name) if engine == "ours" else peer(name, engine, timeout)
        if isinstance(found, str):
            print(f"  {engine:<8} {found}", flush=True)
            continue
        rates[engine] = float(found["ess"]) / float(found["cpu"])
        is_bound |= np.isnan(float(found["r_hat"]))
        stopped = f"stopped after {timeout} CPU s: such a rate at most" if np.isnan(float(found["r_hat"])) else ""
        print(
            f"  {engine:<8} {found['cpu']:8.1f} CPU s, smallest ESS {found['ess']:6.0f}, {rates[engine]:7.2f} a CPU s,"
            f" {stopped or f'R-hat {found["r_hat"]:.3f}'}",
            flush=True,
        )
        if engine == "ours":
            print(f"           at most {case.most:g} CPU s wanted; {found['peak']:.0f} MB. {found['certificate']}")
            print(
                f"           converged: {found['converged']} {found['problems']} {' '.join(found['notes'])}", flush=True
            )
    peers = [rate for engine, rate in rates.items() if engine != "ours"]
    if "ours" in rates and peers:
        least = "at least " if is_bound else ""
        print(f"  ours over the best: {least}{rates['ours'] / max(peers):.1f} x a CPU second", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", default=",".join((*CASES, "linear")), help="of " + ", ".join((*CASES, "linear")))
    parser.add_argument("--levels", type=int, default=5_000, help="of each factor of the linear model")
    parser.add_argument("--engines", default="ours,pymc,numpyro", help="of ours, pymc, numpyro")
    parser.add_argument("--timeout", type=int, default=900, help="CPU seconds for one fit of a peer")
    given = parser.parse_args()
    for name in given.cases.split(","):
        if name == "linear":
            linear(given.levels)
        else:
            compare(name, given.engines.split(","), given.timeout)


if __name__ == "__main__":
    main()
