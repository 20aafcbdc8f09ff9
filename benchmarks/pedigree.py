"""An animal model: simulated pedigree, REML estimate and posterior of the variance components.

Run with ``/usr/bin/time -v uv run python benchmarks/pedigree.py [animals] [generations]``.
"""

from __future__ import annotations

import sys
from time import perf_counter

import numpy as np
import pandas as pd

import bayesmix as bmx

SIRES, HERDS = 20, 50


def simulated_pedigree(animals: int, generations: int, rng: np.random.Generator) -> pd.DataFrame:
    """Generations of equal size, with few sires and half of the females as dams."""
    size, rows, before = animals // generations, [], np.zeros(0, int)
    for _ in range(generations):
        own = np.arange(len(rows) + 1, len(rows) + size + 1)
        if len(before):
            sires = rng.choice(before[: size // 2], SIRES, replace=False)
            dams = rng.choice(before[size // 2 :], size // 4, replace=False)
            rows += list(zip(own, rng.choice(sires, size), rng.choice(dams, size), strict=True))
        else:
            rows += [(animal, 0, 0) for animal in own]
        before = own
    return pd.DataFrame(rows, columns=["id", "sire", "dam"])


def main(animals: int, generations: int) -> None:
    """Simulate, fit, print."""
    rng = np.random.default_rng(20261129)
    A = bmx.pedigree(simulated_pedigree(animals, generations, rng))
    breeding = np.sqrt(0.4) * A.correlated(rng.normal(size=(A.size, 1)))[:, 0]
    herd, x = rng.integers(0, HERDS, A.size), rng.normal(size=A.size)
    y = 10.0 + 0.5 * x + breeding + 0.3 * rng.normal(size=HERDS)[herd] + rng.normal(size=A.size)
    data = pd.DataFrame({"y": y, "x": x, "animal": A.labels, "herd": [f"h{h}" for h in herd]})
    begin = perf_counter()
    model = bmx.Model("y ~ x + (1 | gr(animal, cov = A)) + (1 | herd)", data, data2={"A": A})
    reml = model.estimate()
    middle = perf_counter()
    post = model.sample(seed=1, progress=False)
    end = perf_counter()
    print(reml)
    print(post)
    accuracy = np.corrcoef(breeding, reml.ranef()["animal"]["Intercept"])[0, 1]
    print(f"{A.size} animals: estimate {middle - begin:.1f} s, posterior {end - middle:.1f} s, accuracy {accuracy:.2f}")


if __name__ == "__main__":
    main(*(int(value) for value in (sys.argv[1:] or ("5000", "8"))))
