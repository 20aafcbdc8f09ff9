"""Data with missing predictors, and the parameters of their models as a dense joint normal distribution."""

from __future__ import annotations

from functools import cache

import numpy as np
import pandas as pd
from dense_imputation import Dense, dense

import bayesmix as bmx

ROWS, LEVELS = 48, 6


@cache
def frame(seed: int = 3) -> pd.DataFrame:
    """``y`` by ``x``, ``z`` and ``v``, ``z`` by ``w`` and ``v``, ``v`` by ``x``; a third of them missing."""
    rng = np.random.default_rng(seed)
    g, (x, w) = np.arange(ROWS) % LEVELS, rng.normal(size=(2, ROWS))
    effects, noise = rng.normal(0.0, 0.7, (2, LEVELS)), rng.normal(size=(3, ROWS))
    v = 0.5 * x + noise[2]
    z = 1.0 + 0.7 * w + 0.4 * v + effects[1, g] + 0.8 * noise[1]
    y = 2.0 + 0.5 * x + 0.8 * z - 0.3 * v + 0.2 * z * x + effects[0, g] + 0.6 * noise[0]
    found = pd.DataFrame({"x": x, "w": w, "y": y, "z": z, "v": v, "g": [f"g{j}" for j in g]})
    found["count"] = rng.poisson(2.0, ROWS)
    for name, share in (("z", 0.35), ("v", 0.3), ("y", 0.1)):
        found.loc[rng.random(ROWS) < share, name] = np.nan
    return found


# formulas -> responses, the columns of each mean, and those of each slope
MODELS = {
    "fixed": (["y | mi() ~ x + mi(z)", "z | mi() ~ w"], {"y": ["x"], "z": ["w"]}, {("y", "z"): []}),
    "groups": (
        ["y | mi() ~ x + mi(z) + (1 | g)", "z | mi() ~ w + (1 | g)"],
        {"y": ["x"], "z": ["w"]},
        {("y", "z"): []},
    ),
    "interaction": (
        ["y | mi() ~ x + mi(z) + mi(z):x + (1 | g)", "z | mi() ~ w"],
        {"y": ["x"], "z": ["w"]},
        {("y", "z"): ["x"]},
    ),
    "chain": (
        ["y | mi() ~ x + mi(z) + mi(v)", "z | mi() ~ w + mi(v) + (1 | g)", "v | mi() ~ x"],
        {"y": ["x"], "z": ["w"], "v": ["x"]},
        {("y", "z"): [], ("y", "v"): [], ("z", "v"): []},
    ),
    "two children": (
        ["y | mi() ~ x + mi(v) + (1 | g)", "z | mi() ~ w + mi(v)", "v | mi() ~ x"],
        {"y": ["x"], "z": ["w"], "v": ["x"]},
        {("y", "v"): [], ("z", "v"): []},
    ),
}


@cache
def model(name: str) -> bmx.Model:
    return bmx.Model(MODELS[name][0], frame())


@cache
def estimate(name: str) -> bmx.Estimate:
    return model(name).estimate()


def values(name: str) -> np.ndarray:
    """The responses ``(k, n)``."""
    return frame()[list(MODELS[name][1])].to_numpy().T


def joint(name: str, parameters: dict[str, float]) -> Dense:
    """All values of all rows at parameters as they are reported."""
    data, (_, means, slopes) = frame(), MODELS[name]
    labels = list(means)
    same = (data["g"].to_numpy(object)[:, None] == data["g"].to_numpy(object)).astype(float)
    noise = np.zeros((len(labels), ROWS, len(labels), ROWS))
    for i, label in enumerate(labels):
        sd = parameters.get(f"sd(g, {label}_Intercept)", 0.0)
        noise[i, :, i, :] = parameters[f"sigma_{label}"] ** 2 * np.eye(ROWS) + sd**2 * same
    at = np.array([_linear(parameters, f"{label}_", "Intercept", columns) for label, columns in means.items()])
    by = {
        (labels.index(child), labels.index(parent)): _linear(parameters, f"{child}_mi({parent})", "", columns, ":")
        for (child, parent), columns in slopes.items()
    }
    return dense(at, noise.reshape(len(labels) * ROWS, -1), by)


def _linear(parameters: dict[str, float], prefix: str, first: str, columns: list[str], colon: str = "") -> np.ndarray:
    total = np.full(ROWS, parameters[prefix + first])
    for column in columns:
        total = total + parameters[f"{prefix}{colon}{column}"] * frame()[column].to_numpy()
    return total
