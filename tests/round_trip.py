"""What every verb of a fit gives, as a digest to the bit: of the fit itself, saved and loaded, pickled, elsewhere.

`python tests/round_trip.py FOLDER` prints the digests of all fits in a folder, saved (`.zarr`) and pickled, as JSON.
"""

from __future__ import annotations

import hashlib
import json
import pickle
import sys
import warnings
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from every_family import predictors

import bayesmix as bmx

Verb = Callable[[Any], Any]
CALLS: dict[str, Verb] = {  # that need arguments, or are cheaper with some; all others are called without any
    "bootstrap": lambda fit: fit.bootstrap(3, progress=False),
    "conditional_effects": lambda fit: fit.conditional_effects("x", points=4),
    "confint": lambda fit: fit.confint(method="wald"),
    "contrasts": lambda fit: fit.contrasts("f"),
    "drop1": lambda fit: fit.drop1(),
    "hypothesis": lambda fit: fit.hypothesis(f"`{fit.design.fixed[-1]}` > 0"),
    "imputed": lambda fit: fit.imputed("x"),
    "kfold": lambda fit: fit.kfold(2),
    "logo": lambda fit: fit.logo(refit=False),
    "loo": lambda fit: fit.loo(refit=False),
    "marginal_means": lambda fit: fit.marginal_means("f"),
    "predict": lambda fit: fit.predict(predictors().head(3).assign(g=["level 1", "new", "level 2"]), groups="new"),
    "refit": lambda fit: fit.refit(fit.design.y, **quiet(fit)),
    "robust_vcov": lambda fit: fit.robust_vcov("g").to_frame(),
    "simulate": lambda fit: fit.simulate(2),
    "slopes": lambda fit: fit.slopes("x"),
    "smooths": lambda fit: fit.smooths(),
    "test_group": lambda fit: fit.test_group("g", **({"replicates": 3, "progress": False} if of_estimate(fit) else {})),
    "ranova": lambda fit: fit.ranova(replicates=3, progress=False),
    "update": lambda fit: fit.update("~ . - x", seed=1, progress=False),
    "extend": lambda fit: fit.extend(20, progress=False),
}
REFITTED: dict[str, Verb] = {  # by the exact densities of what is left out
    "loo, refitted": lambda fit: fit.loo(refit=True, progress=False),
    "logo, refitted": lambda fit: fit.logo(refit="all", progress=False),
}
LEFT_OUT = {
    "save": "writes the store itself",
    "data": "the groups of `test_posteriors_come_back`, with the time when they were made",
    "design": "of `test_posteriors_come_back`, with where its rows came from",
}
SAMPLING = {"update", "refit", "extend", "kfold", "drop1"}  # of a posterior: draw anew
REFITS = {"test_group", "log_evidence", "loo, refitted", "logo, refitted"}  # of a posterior with evidence
DEAR = {"test_group", "drop1", "ranova", "influence", "bootstrap", "diagnose", "refit", "update"}  # fit again


def quiet(fit: Any) -> dict[str, Any]:
    return {} if of_estimate(fit) else {"seed": 1, "progress": False}


def of_estimate(fit: Any) -> bool:
    return isinstance(fit, bmx.Estimate)


def verbs(kind: type) -> list[str]:
    """Public names of a kind of fit."""
    return [name for name in dir(kind) if not name.startswith("_") and name not in LEFT_OUT]


def digests(fit: Any, names: list[str]) -> dict[str, str]:
    """By verb, what it gives or says."""
    return {name: _outcome(fit, name) for name in names} | {"str": str(fit)}


def _outcome(fit: Any, name: str) -> str:
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        try:
            call = CALLS.get(name) or REFITTED.get(name)
            value = getattr(fit, name) if call is None else call(fit)
            value = value() if callable(value) else value
        except bmx.BayesmixError as error:
            return f"{type(error).__name__}: {error}"
    words = sorted({str(one.message) for one in said if issubclass(one.category, bmx.BayesmixWarning)})
    digest = hashlib.sha256()
    feed(digest, value)
    return f"{digest.hexdigest()[:16]} {words}"


def feed(digest: Any, value: Any) -> None:  # noqa: C901 - one branch a type
    """Add a value to a digest: arrays by their bytes, texts by their letters."""
    if isinstance(value, bmx.Estimate | bmx.Posterior):
        feed(digest, [str(value.summary()), value.values])
    elif isinstance(value, np.ndarray | np.generic):
        array = np.asarray(value)
        if array.dtype == object:
            feed(digest, array.tolist())
        else:
            digest.update(f"{array.dtype.str}{array.shape}".encode() + np.ascontiguousarray(array).tobytes())
    elif isinstance(value, pd.DataFrame | pd.Series):
        feed(digest, [type(value).__name__, str(value), value.attrs, value.index])
        columns = [value] if isinstance(value, pd.Series) else [value.iloc[:, j] for j in range(value.shape[1])]
        feed(digest, [list(value.columns) if isinstance(value, pd.DataFrame) else str(value.name)])
        feed(digest, [np.asarray(column) for column in columns])
    elif isinstance(value, pd.Index):
        feed(digest, [[str(name) for name in value.names], [str(one) for one in value]])
    elif hasattr(value, "data_vars"):
        feed(digest, {str(name): [one.dims, np.asarray(one)] for name, one in value.variables.items()})
    elif isinstance(value, Mapping):
        feed(digest, [part for pair in value.items() for part in pair])
    elif isinstance(value, list | tuple | set | frozenset):
        digest.update(f"{type(value).__name__}{len(value)}".encode())
        for one in value:
            feed(digest, one)
    elif is_dataclass(value) and not isinstance(value, type):
        digest.update(type(value).__name__.encode())
        for one in fields(value):
            feed(digest, getattr(value, one.name))
    elif type(value).__repr__ is object.__repr__ or callable(value):
        digest.update(type(value).__name__.encode())
    else:
        digest.update(repr(value).encode())


def main(folder: Path, wanted: Mapping[str, list[str]]) -> None:
    """Print the digests of the fits in a folder."""
    warnings.simplefilter("ignore")
    found = {}
    for place, names in wanted.items():
        name, how = place.split(", ")
        fit = bmx.load(folder / f"{name}.zarr") if how == "loaded" else None
        found[place] = digests(fit or pickle.loads((folder / f"{name}.pickle").read_bytes()), names)
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main(Path(sys.argv[1]), json.loads(sys.argv[2]))
