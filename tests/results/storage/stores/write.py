"""Fits as the first version of the format wrote them, and what that version said of them.

Run at the commit that brought saved fits, 7bda746, with the packages of 2026-11: `python write.py`.
"""

import json
import shutil
import warnings
from pathlib import Path

import bayesmix as bmx

warnings.simplefilter("ignore")
HERE = Path(__file__).parent


def made():
    lines = bmx.Model("Reaction ~ Days + (Days | Subject)", bmx.load_dataset("sleepstudy"))
    yield "estimate", lines.estimate()
    batches = bmx.Model("Yield ~ 1 + (1 | Batch)", bmx.load_dataset("Dyestuff"))
    yield "posterior", batches.sample(draws=10, chains=2, seed=1, method="marginal", progress=False)
    herds = bmx.load_dataset("cbpp")
    yield (
        "counts",
        bmx.Model("cbind(incidence, size - incidence) ~ period + (1 | herd)", herds, family="binomial").estimate(),
    )


def said(fit):
    """Numbers of a fit by names of columns, and its predicted means."""
    return {
        "fixef": fit.fixef().iloc[:, 0].tolist(),
        "fitted": fit.predict(kind="mean").iloc[:, 0].tolist(),
        "criterion": getattr(fit, "criterion", None),
        "problems": len(fit.problems) if hasattr(fit, "problems") else None,
    }


if __name__ == "__main__":
    found = {}
    for name, fit in made():
        fit.save(HERE / f"{name}.zarr")
        shutil.make_archive(str(HERE / name), "zip", HERE / f"{name}.zarr")
        shutil.rmtree(HERE / f"{name}.zarr")
        found[name] = said(fit)
    (HERE / "said.json").write_text(json.dumps(found), encoding="utf-8")
