"""Fits that end on the boundary timed beside fits of the same design that end inside; ratios printed.

    OPENBLAS_NUM_THREADS=1 uv run python -W ignore benchmarks/boundary.py [--pairs 7] [--turns 3]

Responses are drawn without a standard deviation, or with a correlation of one, until an estimate is there, and with
both inside until one is not. Timed are the estimate and its profile intervals, in seconds of processor time: the
fastest of some turns, in which both fits of a pair are timed one after the other, for others on the machine disturb
caches nevertheless.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from statistics import median

import numpy as np

import bayesmix as bmx
from bayesmix.arrays import Array

FIRST = 20261130
LEVELS, ROWS = (8, 12, 20), 6  # of a level
KINDS = ("gaussian", "poisson", "binomial", "negbinomial", "gamma", "gaussian, sigma ~ x")
SD, SLOPE = 0.8, 0.5  # of effects inside, on the link
MOST = 100  # drawn responses, of which one has to end where it should
ZERO, ONE = 1e-4, 0.999  # standard deviation and correlation that count as such


def responses(kind: str, eta: np.ndarray, x: np.ndarray, rng: np.random.Generator) -> dict[str, np.ndarray]:
    match kind.partition(",")[0]:
        case "poisson":
            return {"y": rng.poisson(np.exp(0.5 + eta))}
        case "binomial":
            y = rng.binomial(8, 1.0 / (1.0 + np.exp(-eta)))
            return {"y": y, "rest": 8 - y}
        case "negbinomial":
            return {"y": rng.poisson(np.exp(1.0 + eta) * rng.gamma(2.0, 0.5, len(eta)))}
        case "gamma":
            return {"y": np.exp(eta) * rng.gamma(4.0, 0.25, len(eta))}
        case _:
            return {"y": eta + rng.normal(size=len(eta)) * (np.exp(0.3 * x) if "sigma" in kind else 1.0)}


def models(kind: str, number: int, *, boundary: bool) -> Iterator[bmx.Model]:
    """The same design with other responses, each drawn anew."""
    rng = np.random.default_rng([FIRST, KINDS.index(kind), number])
    J = LEVELS[number % len(LEVELS)]
    g, x, has_slopes = np.repeat(np.arange(J), ROWS), rng.normal(size=ROWS * J), number % 2 == 1
    left = "cbind(y, rest)" if kind == "binomial" else "y"
    formula = f"{left} ~ x + ({'x' if has_slopes else '1'} | g)"
    family = "gaussian" if "," in kind else kind
    rng = np.random.default_rng([FIRST, KINDS.index(kind), number, int(boundary)])
    for _ in range(MOST):
        b = rng.normal(size=(J, 2))
        height = SD * b[:, 0] if has_slopes or not boundary else np.zeros(J)
        slope = SLOPE * (b[:, 0] if boundary else b[:, 1]) if has_slopes else np.zeros(J)
        data = {"g": [f"g{code:02d}" for code in g], "x": x}
        data |= responses(kind, 0.3 * x + height[g] + slope[g] * x, x, rng)
        yield bmx.Model([formula, "sigma ~ x"] if "sigma" in kind else formula, data, family=family)


def is_on_boundary(fit: bmx.Estimate) -> bool:
    found = fit.parameters()["estimate"]
    at_zero = any(value < ZERO for name, value in found.items() if str(name).startswith("sd("))
    return at_zero or any(abs(value) > ONE for name, value in found.items() if str(name).startswith("corr("))


def model_of(kind: str, number: int, *, boundary: bool) -> bmx.Model:
    """That of the first responses that end where they should."""
    for model in models(kind, number, boundary=boundary):
        fit = model.estimate()
        if fit.converged and is_on_boundary(fit) == boundary:
            return model
    raise SystemExit(f"None of {MOST} responses of {kind} {number} ended where it should.")


def timed(model: bmx.Model) -> tuple[float, float]:
    """Seconds of the estimate and of its intervals."""
    begin = time.process_time()
    fit = model.estimate()
    fitted = time.process_time() - begin
    fit.confint(method="profile")
    return fitted, time.process_time() - begin - fitted


def fastest(kind: str, number: int, turns: int) -> Array:
    """Seconds ``(2, 2)`` of the estimate and of its intervals, inside and on the boundary, of the fastest turn each."""
    pair = [model_of(kind, number, boundary=boundary) for boundary in (False, True)]
    return np.min([[timed(model) for model in pair] for _ in range(turns)], axis=0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=7, help="of each kind")
    parser.add_argument("--turns", type=int, default=3, help="of which the fastest counts")
    asked = parser.parse_args()
    pairs = asked.pairs
    fastest("gaussian", 0, 1)  # imports
    print("kind                   pairs   inside, s   boundary, s   ratio: median   worst   estimates alone   worst")
    of_all, alone_of_all = [], []
    for kind in KINDS:
        inside, boundary = np.swapaxes([fastest(kind, number, asked.turns) for number in range(pairs)], 0, 1)
        whole, alone = boundary.sum(axis=1) / inside.sum(axis=1), boundary[:, 0] / inside[:, 0]
        of_all += list(whole)
        alone_of_all += list(alone)
        print(
            f"{kind:<22} {pairs:>5} {median(inside.sum(axis=1)):>11.3f} {median(boundary.sum(axis=1)):>13.3f}"
            f" {median(whole):>15.2f} {whole.max():>7.2f} {median(alone):>17.2f} {alone.max():>7.2f}",
            flush=True,
        )
    print(f"{len(of_all)} pairs: median ratio {median(of_all):.2f}, worst {max(of_all):.2f};", end=" ")
    print(f"estimates alone {median(alone_of_all):.2f}, worst {max(alone_of_all):.2f}")


if __name__ == "__main__":
    main()
