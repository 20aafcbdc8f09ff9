"""Draws and studies as digests to the bit, for processes with other threads, hash seeds, locales and homes.

`python tests/elsewhere.py PART ...` prints the digests of some parts or families as JSON.
"""

from __future__ import annotations

import hashlib
import json
import sys
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from every_family import data_of, formulas_of
from round_trip import feed

import bayesmix as bmx
from bayesmix.language.families.registry import FAMILIES

DRAWS: dict[str, Any] = {"draws": 60, "chains": 2, "seed": 3, "progress": False}


def rows(levels: int, each: int) -> pd.DataFrame:
    rng = np.random.default_rng(1)
    g = np.repeat(np.arange(levels), each)
    x, b = rng.normal(size=len(g)), 0.5 * rng.normal(size=levels)
    mean = 0.4 + 0.3 * x + b[g]
    return pd.DataFrame(
        {"y": mean + rng.normal(size=len(g)), "n": rng.poisson(np.exp(mean)), "x": x, "g": [f"g{j}" for j in g]}
    )


def linear() -> bmx.Model:
    return bmx.Model("y ~ x + (x | g)", rows(12, 6))


def means() -> bmx.Model:
    """Whose density is soon compiled."""
    return bmx.Model("y ~ 1 + (1 | g)", rows(12, 3))


def counts(levels: int = 12) -> bmx.Model:
    return bmx.Model("n ~ x + (1 | g)", rows(levels, 4), family="poisson")


def drawn(model: bmx.Model, method: Any) -> list[Any]:
    post = model.sample(method=method, **DRAWS)
    return [post.values, post.loo(refit=False).elpd, post.simulate(2), dict(post.draws.certificate)]


def bootstrapped() -> list[Any]:
    fits = linear().estimate(), counts().estimate()
    return [[fit.values, fit.criterion, fit.bootstrap(20, progress=False), fit.simulate(3)] for fit in fits]


def studied() -> list[Any]:
    model = linear()
    return [
        bmx.studies.calibrate(model, 3, progress=False).ranks,
        bmx.studies.power(model.estimate(), effect={"x": 0.3}, n={"g": [8]}, replicates=4, progress=False).replicates,
    ]


def of_family(name: str) -> list[Any]:
    """Draws of a family, and of most its estimate and a bootstrap."""
    model = bmx.Model(formulas_of(name), data_of(name), family=name)
    if FAMILIES[name].smooth is not None:
        return [model.sample(method=bmx.Nuts(tune=20), **DRAWS).values]
    fit = model.estimate()
    post = model.sample(method="marginal", **DRAWS)
    return [post.values, fit.values, fit.criterion, fit.bootstrap(2, progress=False), fit.simulate(2)]


PARTS: dict[str, Callable[[], Any]] = {
    "marginal": lambda: drawn(linear(), "marginal"),
    "marginal, counts": lambda: drawn(counts(), "marginal"),
    "alternating": lambda: drawn(counts(1_500), "marginal"),
    "nuts": lambda: drawn(means(), "nuts"),
    "pymc": lambda: drawn(means(), bmx.Nuts(backend="pymc", tune=50)),
    "bootstrap": bootstrapped,
    "studies": studied,
}


def digest(value: Any) -> str:
    found = hashlib.sha256()
    feed(found, value)
    return found.hexdigest()[:16]


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    parts = {name: PARTS[name]() if name in PARTS else of_family(name) for name in sys.argv[1:]}
    print(json.dumps({name: digest(part) for name, part in parts.items()}))
