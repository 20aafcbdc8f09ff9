"""Reference cases of distributional and multi-response models: figures, data, and the model with dense matrices."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from dense_rows import Block, DenseRows, Response, Values

import bayesmix as bmx

Array = np.ndarray

FOLDER = Path(__file__).parent / "reference" / "breadth"
ESTIMATES = tuple(sorted(file.stem for file in (FOLDER / "estimates").glob("*.json")))
POSTERIORS = tuple(sorted(file.stem for file in (FOLDER / "stan").glob("*.json")))
FACTORS = {"Subject", "g", "patient", "Trt", "kind"}
FIRST = {"sex": "male"}  # the level without a column, where that is not the first of the alphabet
LINKS = {"gaussian": "identity", "binomial": "logit", "poisson": "log", "gamma": "log", "negbinomial": "log"}
AUXILIARY = {"gaussian": "sigma", "gamma": "shape", "negbinomial": "shape"}


@cache
def dense_posteriors() -> tuple[str, ...]:
    """Posteriors of models that dense matrices have here."""
    return tuple(name for name in POSTERIORS if posterior_case(name)["family"] in LINKS)


@cache
def estimate_case(name: str) -> dict[str, Any]:
    """An estimate, and the criterion and its gradient at three other points (see the folder's README)."""
    return json.loads((FOLDER / "estimates" / f"{name}.json").read_text(encoding="utf-8"))


@cache
def posterior_case(name: str) -> dict[str, Any]:
    """A posterior by Stan, with its priors and the log-likelihood at three draws."""
    case = json.loads((FOLDER / "stan" / f"{name}.json").read_text(encoding="utf-8"))
    y = case["formula"]["mu"].split(" ~ ")[0]
    case |= {"responses": [{"name": y, "y": y, "family": case["family"]}], "offsets": {}, "method": "ml"}
    return case | {"modes": [term for group in case["effects"] for term in _terms(case, group)]}


def _terms(case: Mapping[str, Any], group: str) -> list[dict[str, Any]]:
    """The terms of a group: one where its effects are correlated, else one an effect."""
    levels = list(case["effects"][group])
    names = list(case["effects"][group][levels[0]])
    is_one = any(name.startswith(f"corr({group}, ") for name in case["parameters"])
    return [{"group": group, "columns": own, "levels": levels} for own in ([names] if is_one else [[n] for n in names])]


@cache
def frame(data: str) -> pd.DataFrame:
    """The data of a case, grouping factors as categories."""
    file = FOLDER / "data" / f"{data}.csv"
    if not file.exists():
        return bmx.load_dataset(data)
    factors = FACTORS | ({"a", "b"} if data == "crossed" else set())
    found = pd.read_csv(file)
    found = found.astype(dict.fromkeys(factors & set(found), "str")).astype(
        dict.fromkeys(factors & set(found), "category")
    )
    for name, first in FIRST.items():
        if name in found:
            levels = sorted(set(found[name]), key=lambda level: (level != first, level))
            found[name] = pd.Categorical(found[name], levels)
    return found


# ---- the model with dense matrices, read off the names of the parameters --------------------------------------------


def column(data: pd.DataFrame, name: str) -> Array:
    """A column of a design by its name: ``Intercept``, ``x``, ``Trt1``, ``x:Trt1``."""
    if ":" in name:
        return np.prod([column(data, part) for part in name.split(":")], axis=0)
    if name == "Intercept":
        return np.ones(len(data))
    if name in data:
        return data[name].to_numpy(float)
    factor = next(own for own in data if name.startswith(own) and name.removeprefix(own) in set(map(str, data[own])))
    return (data[factor].astype(str) == name.removeprefix(factor)).to_numpy(float)


def labels(case: Mapping[str, Any]) -> list[str]:
    """Predictors of a case by the prefix of their coefficients: each response's mean and auxiliary parameter."""
    found = []
    for one in case["responses"]:
        own = f"{one['name']}_" if len(case["responses"]) > 1 else ""
        found.append(own)
        if one["family"] in AUXILIARY:
            found.append(f"{AUXILIARY[one['family']]}_{own}")
    return found


def split(case: Mapping[str, Any], name: str) -> tuple[int, str]:
    """Which predictor a coefficient or effect is of, and its column: ``sigma_Days`` is ``(1, "Days")``."""
    prefixes = labels(case)
    prefix = max((own for own in prefixes if name.startswith(own)), key=len)
    return prefixes.index(prefix), name.removeprefix(prefix)


def coefficients(case: Mapping[str, Any]) -> list[str]:
    """Names of the fixed effects; a parameter that is one number counts as an intercept."""
    constants = {own.removesuffix("_") for own in labels(case)} - {""}
    names = [name for name in case["parameters"] if "(" not in name]
    return [f"{name}_Intercept" if name in constants else name for name in names]


def dense_model(case: Mapping[str, Any]) -> DenseRows:
    """The model of a case."""
    data, prefixes = frame(case["data"]), labels(case)
    responses, r = list[Response](), 0
    for one in case["responses"]:
        has = one["family"] in AUXILIARY
        trials = data[one["trials"]].to_numpy(float) if "trials" in one else 1.0
        y = data[one["y"]].to_numpy(float)
        responses.append(Response(y, one["family"], LINKS[one["family"]], r, r + 1 if has else None, trials))
        r += 1 + has
    parts = [split(case, name) for name in coefficients(case)]
    X = [np.stack([column(data, name) for at, name in parts if at == r], axis=1) for r in range(len(prefixes))]
    offsets = [_offset(case, prefix, data) for prefix in prefixes]
    return DenseRows(responses, X, offsets, [_block(case, term, data) for term in case["modes"]])


def _offset(case: Mapping[str, Any], prefix: str, data: pd.DataFrame) -> Array:
    name = case["offsets"].get(prefix.removesuffix("_") or "mu")
    return np.zeros(len(data)) if name is None else data[name].to_numpy(float)


def _block(case: Mapping[str, Any], term: Mapping[str, Any], data: pd.DataFrame) -> Block:
    codes = pd.Categorical(data[term["group"]].astype(str), categories=term["levels"]).codes.astype(int)
    z = [np.zeros((len(data), len(term["columns"]))) for _ in labels(case)]
    for a, name in enumerate(term["columns"]):
        r, own = split(case, name)
        z[r][:, a] = column(data, own)
    return Block(codes, z, len(term["levels"]))


def dense_values(case: Mapping[str, Any], parameters: Mapping[str, float]) -> Values:
    """Parameters by their names as arrays; coefficients that are not among them are zero."""
    parts: list[list[float]] = [[] for _ in labels(case)]
    for name in coefficients(case):
        constant = parameters.get(name.removesuffix("_Intercept")) if name not in parameters else None
        value = parameters.get(name, 0.0) if constant is None else float(np.log(constant))
        parts[split(case, name)[0]].append(value)
    responses = [one["name"] for one in case["responses"]]
    rescor = parameters.get(f"rescor({', '.join(responses)})")
    corr = None if rescor is None else np.array([[1.0, rescor], [rescor, 1.0]])
    return Values([np.array(part) for part in parts], [covariance(term, parameters) for term in case["modes"]], corr)


def covariance(term: Mapping[str, Any], parameters: Mapping[str, float]) -> Array:
    """The covariance of a term's random effects, from standard deviations and correlations by name."""
    group, names = term["group"], term["columns"]
    sd = np.array([parameters[f"sd({group}, {name})"] for name in names])
    corr = np.eye(len(names))
    for i, j in zip(*np.tril_indices(len(names), -1), strict=True):
        corr[i, j] = corr[j, i] = parameters[f"corr({group}, {names[j]}, {names[i]})"]
    return sd[:, None] * corr * sd


def dense_effects(case: Mapping[str, Any], effects: Mapping[str, Any]) -> list[Array]:
    """Random effects by group, level and name as arrays ``(levels, k)``, a term each."""
    return [
        np.array([[effects[term["group"]][level][name] for name in term["columns"]] for level in term["levels"]])
        for term in case["modes"]
    ]
