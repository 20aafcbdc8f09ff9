"""Models with smooths whose estimates gamm4 and mgcv give: `reference/smooths`."""

import json
from functools import cache
from pathlib import Path

import pandas as pd

import bayesmix as bmx

FOLDER = Path(__file__).parent / "reference" / "smooths"
FAMILIES = {"gaussian": "gaussian", "poisson": "poisson", "binomial": "bernoulli"}


@cache
def reference():
    return json.loads((FOLDER / "estimates.json").read_text())


@cache
def data():
    frame = pd.read_csv(FOLDER / "curves.csv")
    return frame.assign(o=pd.Categorical(frame["f"], ordered=True))


def new_data():
    return pd.DataFrame(reference()["new"])


def formula(case):
    return f"{case['formula']} + {case['random'].removeprefix('~')}" if case.get("random") else case["formula"]


@cache
def model(name):
    case = reference()["cases"][name]
    return bmx.Model(formula(case), data(), family=FAMILIES[case.get("family", "gaussian")])


@cache
def estimate(name):
    return model(name).estimate("ML") if name == "ml" else model(name).estimate()
