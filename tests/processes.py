"""Models with Gaussian processes on the data of `reference/smooths`, and posteriors of brms: `reference/processes`."""

import json
from functools import cache
from pathlib import Path

import smooths

import bayesmix as bmx

FOLDER = Path(__file__).parent / "reference" / "processes"
MODELS = {
    "one": ("y ~ w + gp(x) + (1 | g)", "gaussian", {}),
    "rough": ('y ~ gp(x, k = 15, c = 3/2, cov = "matern32")', "gaussian", {}),
    "by_factor": ('y ~ f + gp(x, by = f, k = 8, cov = "matern52") + (1 | g)', "gaussian", {}),
    "by_number": ("y ~ gp(x, by = w, k = 8)", "gaussian", {}),
    "plane": ("y ~ gp(x, z, k = 4)", "gaussian", {}),
    "counts": ("count ~ gp(x) + (1 | h)", "poisson", {}),
}


@cache
def data():
    frame = smooths.data()
    return frame.assign(h=frame["g"].str[-1])


@cache
def posteriors():
    return json.loads((FOLDER / "process.json").read_text(encoding="utf-8"))["posteriors"]


@cache
def model(name):
    formula, family, options = MODELS[name]
    return bmx.Model(formula, data(), family=family, **options)


@cache
def estimate(name):
    return model(name).estimate()


@cache
def posterior(name):
    return model(name).sample(draws=100, seed=1)
