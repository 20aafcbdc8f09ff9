"""A thousand refits of one design timed beside as many fits of glmm, in one run; ratios printed.

    OPENBLAS_NUM_THREADS=1 uv run --with glmm python benchmarks/refits.py [--replicates 1000]

Responses are drawn from the estimate; both programs fit the same ones. Times are seconds of processor time, which
others on the machine do not disturb. Criteria are compared on all replicates: none of ours may be above the peer's.
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

import bayesmix as bmx
from bayesmix.inference.estimation.refits import refit_all
from bayesmix.results.prediction.simulation import repeated, replicated
from bayesmix.studies import calibrate

CASES = {  # formula, data set, family
    "sleepstudy": ("Reaction ~ Days + (Days | Subject)", "sleepstudy", "gaussian"),
    "Pastes": ("strength ~ 1 + (1 | batch/cask)", "Pastes", "gaussian"),
    "Penicillin": ("diameter ~ 1 + (1 | plate) + (1 | sample)", "Penicillin", "gaussian"),
    "cbpp": ("cbind(incidence, size - incidence) ~ period + (1 | herd)", "cbpp", "binomial"),
    "grouseticks": ("TICKS ~ YEAR + cHEIGHT + (1 | BROOD) + (1 | LOCATION)", "grouseticks", "poisson"),
}
REPLICATIONS = 200  # of simulation-based calibration


def timed[Result](run: Callable[[], Result]) -> tuple[float, Result]:
    begin = time.process_time()
    result = run()
    return time.process_time() - begin, result


def peer(name: str, responses: np.ndarray) -> tuple[float, np.ndarray] | None:
    """Processor time of glmm's fits, one after the other, and their criteria; None where it is not installed."""
    try:
        import glmm
    except ImportError:
        return None
    formula, data_name, family = CASES[name]
    data = bmx.load_dataset(data_name)
    columns: dict[str, Any] = {column: data[column] for column in data.columns}
    formula = formula.replace("cbind(incidence, size - incidence)", "cbind(y, rest)")
    left, right = formula.split("~", 1)
    response = left.strip() if "cbind" in left else "y"

    def fits() -> list[Any]:
        found = []
        for y in responses:
            own = {**columns, "y": y} | ({"rest": data["size"].to_numpy() - y} if "cbind" in left else {})
            found.append(glmm.fit(own, f"{response} ~ {right}", family, satterthwaite=False, anova_test="Wald"))
        return found

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        seconds, found = timed(fits)
    return seconds, np.array([-2.0 * fit.loglik for fit in found])


def compare(name: str, replicates: int) -> str:
    formula, data_name, family = CASES[name]
    fit = bmx.Model(formula, bmx.load_dataset(data_name), family=family).estimate()
    responses = replicated(fit.spec, fit.design, repeated(fit.values, replicates), groups="new", seed=1)
    seconds, found = timed(lambda: refit_all(fit.design, fit.spec, fit.point.method, responses, fit.point))
    line = f"{name:<12} {seconds:>9.3f} {int(found.singular.any(axis=1).sum()):>9}"
    other = peer(name, responses[0])
    if other is None:
        return line
    gap = found.criterion - other[1]
    return f"{line} {other[0]:>9.3f} {seconds / other[0]:>7.2f} {np.nanmax(gap):>14.1e} {np.nanmin(gap):>14.1e}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--replicates", type=int, default=1000)
    parser.add_argument("cases", nargs="*", default=list(CASES))
    options = parser.parse_args()
    print(f"{'case':<12} {'ours, s':>9} {'singular':>9} {'glmm, s':>9} {'ratio':>7} {'ours - glmm':>14} {'to':>14}")
    for name in options.cases:
        print(compare(name, options.replicates), flush=True)
    model = bmx.Model(CASES["sleepstudy"][0], bmx.load_dataset("sleepstudy"))
    seconds, _ = timed(lambda: calibrate(model, REPLICATIONS, seed=1, progress=False))
    print(f"\n{REPLICATIONS} replications of calibration of sleepstudy, posteriors included: {seconds:.1f} s")


if __name__ == "__main__":
    main()
