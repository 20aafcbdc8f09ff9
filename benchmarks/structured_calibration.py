"""Simulation-based calibration of structures that one family has, or one engine: residuals, t effects, curves.

uv run python benchmarks/structured_calibration.py [name ...]   # 40 data sets each, into structured_calibration.csv

What every family has is in `calibration.py`. Ranks of all parameters together are held against uniform ones.
"""

from __future__ import annotations

import csv
import datetime
import sys
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd

import bayesmix as bmx

LINES = Path(__file__).with_suffix(".csv")
LEVELS, ROWS, REPLICATES, RANKS = 12, 48, 40, 39
NORMAL = {"fixed": "Normal(0, 0.7)", "sd": "HalfNormal(0.7)"}
CURVE = {"asym_Intercept": "Normal(2, 0.5)", "rate_Intercept": "Normal(0, 0.5)", "sd": "HalfNormal(0.5)"}
CELLS: dict[str, tuple[list[str], str, dict[str, str]]] = {
    "unstructured residuals": (["y ~ x + unstr(v, g)", "sigma ~ 0 + v"], "marginal", NORMAL),
    "residuals of a series": (["y ~ x + ar(t, g)"], "marginal", NORMAL),
    "residuals and levels": (["y ~ x + ar(t, g) + (1 | h)"], "marginal", NORMAL),
    "smooth": (["y ~ s(x, k = 5)"], "nuts", NORMAL),
    "t effects": (['y ~ x + (1 | gr(g, dist = "student"))'], "nuts", NORMAL),
    "curve": (["y ~ asym * (1 - exp(-exp(rate) * u))", "asym ~ 1 + (1 | g)", "rate ~ 1"], "marginal", CURVE),
}


def data() -> pd.DataFrame:
    """Of four visits each; the response is what default priors of the residuals take their unit from."""
    rng, row = np.random.default_rng(3), np.arange(ROWS)
    t = row % (ROWS // LEVELS)
    return pd.DataFrame(
        {
            "x": np.round(rng.normal(size=ROWS), 3),
            "u": np.round(rng.uniform(0.2, 3.0, ROWS), 3),
            "g": [f"g{j:02d}" for j in row // (ROWS // LEVELS)],
            "h": [f"h{j}" for j in row // (2 * ROWS // LEVELS)],
            "t": t,
            "v": [f"v{j}" for j in t],
            "y": rng.normal(size=ROWS),
        }
    )


def main() -> None:
    lines = list(csv.DictReader(LINES.open(encoding="utf-8"))) if LINES.exists() else []
    kept = {line["structure"]: line for line in lines}
    for name in sys.argv[1:] or CELLS:
        formulas, engine, priors = CELLS[name]
        model, begin, seed = bmx.Model(formulas, data(), priors=priors), time.process_time(), 20261129
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = bmx.studies.calibrate(model, REPLICATES, method=engine, ranks=RANKS, seed=seed, progress=False)
        kept[name] = {
            "structure": name,
            "engine": engine,
            "replicates": len(found.ranks),
            "failed": found.failed,
            "p": f"{found.p:.2g}",
            "worst": found.table["p"].idxmin(),
            "seed": seed,
            "seconds": f"{(time.process_time() - begin) / REPLICATES:.2f}",
            "date": datetime.date.today().isoformat(),
            "version": bmx.__version__,
        }
        print(kept[name], flush=True)
        with LINES.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, list(kept[name]), lineterminator="\n")
            writer.writeheader()
            writer.writerows(kept[one] for one in CELLS if one in kept)


if __name__ == "__main__":
    main()
