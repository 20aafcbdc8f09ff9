"""Estimates of random designs beside the best of dispersed searches for the optimum of their criterion.

    uv run python -W ignore tests/lowest_criteria.py linear 1000
    uv run python -W ignore tests/lowest_criteria.py generalized 1000 --first 200
    uv run python -W ignore tests/lowest_criteria.py quadrature 200
    uv run python -W ignore tests/lowest_criteria.py failing 200
    uv run python -W ignore tests/lowest_criteria.py families 500

Linear and generalized ones are searched by dense matrices of `optima`, from ten starts; all others from five, by the
package's criterion, which other tests hold against quadrature and other packages. Of ``failing`` ones, of more than 50
rows, those count whose fit says that it has not converged.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from optima import GENERALIZED, LINEAR, SEEN, TERMS, Gap, Problem, gap_of, lowest, random_problem, safe

import bayesmix as bmx
from bayesmix.errors import BayesmixError
from bayesmix.inference.estimation.conditional_mode import generalized_problem
from bayesmix.inference.estimation.generalized import MarginalLikelihood
from bayesmix.inference.estimation.methods import Agq

FIRST = 20261129000  # seed of the first design
LARGE = (51, 81)  # rows, the last number excluded
FAMILIES = ["gamma", "negbinomial", "beta", "cumulative", "zero_inflated_poisson"]
NESTED = "(1 | g/h)"
ONE_FACTOR = [term for term in TERMS if " + " not in term]


@dataclass(frozen=True, slots=True)
class ByQuadrature(Problem):
    """A model whose likelihood is integrated by quadrature."""

    points: int = 5

    def fit(self, method: Any = None) -> bmx.Estimate:
        return Problem.fit(self, method or Agq(points=self.points))


def by_quadrature(seed: int) -> Problem:
    """One grouping factor, three to nine points."""
    rng = np.random.default_rng(seed)
    found = random_problem(seed, GENERALIZED)
    response, fixed = found.formula.partition(" ~ ")[0], "x" if rng.random() < 0.7 else "1"
    term = ONE_FACTOR[rng.integers(3 if rng.random() < 0.7 else len(ONE_FACTOR))]
    points = int(rng.choice([3, 5, 9]))
    return ByQuadrature(found.kind, f"{response} ~ {fixed} + {term}", found.data, points)


def with_many_effects(seed: int) -> Problem:
    """Binary rows that two or three factors of many levels can tell nearly without error."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(*LARGE))
    groups = {name: rng.integers(0, n // 3, n) for name in "ghk"}
    x, w = rng.normal(size=n), rng.normal(size=n)
    eta = rng.normal() + x + sum(3.0 * rng.normal(size=n)[codes] for codes in groups.values())
    data: dict[str, Any] = {name: [f"{name}{c}" for c in codes] for name, codes in groups.items()}
    data |= {"x": x, "w": w, "f": np.array(["u", "v"])[rng.integers(0, 2, n)], "y": rng.binomial(1, safe_mean(eta))}
    term = [term for term in TERMS if " + " in term][rng.integers(6)]
    return Problem("bernoulli", f"y ~ {'x' if rng.random() < 0.7 else '1'} + {term}", data)


def safe_mean(eta: np.ndarray) -> np.ndarray:
    return 1.0 / (1.0 + np.exp(-np.clip(eta, -30.0, 30.0)))


def of_other_families(seed: int) -> Problem:
    """Fifteen to eighty rows, in two to nine levels, effects from none to large."""
    rng = np.random.default_rng(seed)
    family = FAMILIES[seed % len(FAMILIES)]
    n, levels = int(rng.integers(15, 81)), rng.integers(2, 10, 2)
    g, h = (rng.integers(0, J, n) for J in levels)
    x = rng.normal(size=n)
    size = float(rng.choice([0.0, 0.3, 1.0]))
    eta = 0.3 * rng.normal() + 0.3 * x * rng.normal()
    for codes, J in zip((g, h), levels, strict=True):
        eta = eta + size * (rng.normal(size=J)[codes] * rng.integers(0, 2) + rng.normal(size=J)[codes] * x * 0.3)
    terms = ["(1 | g)", "(x | g)", "(x || g)", "(1 | g) + (1 | h)", NESTED, "(x | g) + (1 | h)"]
    fixed, term = "x" if rng.random() < 0.7 else "1", terms[rng.integers(len(terms))]
    data = {"x": x, "g": [f"g{c}" for c in g], "h": [f"h{c}" for c in h], "y": _response(rng, family, eta)}
    return Problem(family, f"y ~ {fixed} + {term}", data)


def _response(rng: np.random.Generator, family: str, eta: np.ndarray) -> np.ndarray:
    mean, shape = np.exp(np.clip(eta, -4.0, 4.0)), float(np.exp(rng.normal()))
    match family:
        case "gamma":
            return np.maximum(rng.gamma(shape, mean / shape), 1e-6)
        case "negbinomial":
            return rng.poisson(rng.gamma(shape, mean / shape))
        case "beta":
            share, sure = safe_mean(eta), 2.0 + 4.0 * shape
            return np.clip(rng.beta(share * sure, (1.0 - share) * sure), 1e-4, 1.0 - 1e-4)
        case "cumulative":
            cuts = np.sort(rng.normal(size=int(rng.integers(2, 5))))
            return 1 + np.digitize(eta + rng.logistic(size=len(eta)), cuts)
        case _:
            return np.where(rng.random(len(eta)) < 0.4, 0, rng.poisson(mean))


def gap_by_own_criterion(problem: Problem, seed: int, *, starts: int = 5) -> Gap:
    """The estimate of a problem beside the best of dispersed searches by the package's own criterion."""
    try:
        fit = problem.fit()
    except BayesmixError:
        return Gap(problem, 0.0, None)
    parts = generalized_problem(fit.design, fit.point.coordinates, fit.spec)
    best, x = lowest(fit, starts=starts, seed=seed, objective=safe(MarginalLikelihood(parts, fit.point.method)))
    return Gap(problem, fit.criterion - best, fit, x)


def gap_of_failing(seed: int) -> Gap | None:
    """That of a fit that says that it has not converged; None of others."""
    problem = with_many_effects(seed)
    fit = problem.fit()
    if fit.converged:
        return None
    best, x = lowest(fit, starts=5, seed=seed)
    return Gap(problem, fit.criterion - best, fit, x)


KINDS: dict[str, Callable[[int], Gap | None]] = {
    "linear": lambda seed: gap_of(seed, LINEAR),
    "generalized": lambda seed: gap_of(seed, GENERALIZED),
    "quadrature": lambda seed: gap_by_own_criterion(by_quadrature(seed), seed),
    "failing": gap_of_failing,
    "families": lambda seed: gap_by_own_criterion(of_other_families(seed), seed),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kind", choices=KINDS)
    parser.add_argument("designs", type=int)
    parser.add_argument("--first", type=int, default=0)
    asked = parser.parse_args()
    counts, worst, seed = Counter[str](), 0.0, FIRST + asked.first
    while sum(counts.values()) < asked.designs:
        begin = time.process_time()
        found = KINDS[asked.kind](seed)
        took, seed = time.process_time() - begin, seed + 1
        if found is None:
            continue
        if found.fit is None:
            counts["refused"] += 1
        elif found.gap <= SEEN:
            counts["within 1e-6"] += 1
            worst = max(worst, found.gap)
        else:
            counts["above"] += 1
            said = "; ".join(found.fit.problems) or "nothing is said"
            print(
                f"{seed - 1}: {found.problem.kind}, {found.problem.formula}, {found.fit.design.n} rows, {found.gap:.2g}"
                f" above ({took:.1f} s). {said}",
                flush=True,
            )
        if sum(counts.values()) % 50 == 0:
            print(f"{seed - FIRST} seeds: {dict(counts)}, {time.process_time():.0f} s", file=sys.stderr, flush=True)
    parts = ", ".join(f"{count} {what}" for what, count in counts.items())
    print(f"{asked.kind}: {parts}; of those within, the largest is {worst:.1e} above. {time.process_time():.0f} CPU s")


if __name__ == "__main__":
    main()
