"""Intervals of means of crossed designs beside those of lme4, emmeans and glmmTMB on the same data: needs Rscript.

uv run python benchmarks/crossed_means.py                 # 250 data sets, 50 of them by glmmTMB

Counts are kept in benchmarks/crossed_means.csv, which the site has. Means of fitted groups are by all four conditional
means, whose standard errors take the variances as known: with the true ones, they are exact.
"""

from __future__ import annotations

import argparse
import subprocess
import tempfile
import warnings
from pathlib import Path

import interval_coverage as coverage
import numpy as np
import pandas as pd

import bayesmix as bmx

KEPT = Path(__file__).with_suffix(".csv")
DESIGN = coverage.DESIGNS["crossed"]
SCOPES = {"fitted": "eta", "zero": "known"}


def drawn(number: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Rows of a data set, and the one whose mean is looked at: as in `interval_coverage`."""
    rows, new = DESIGN.data(np.random.default_rng([number, 7]))
    return rows, new.iloc[[number % (len(new) // 2)]]


def ours(number: int) -> pd.DataFrame:
    """Limits of both means, in the columns of crossed_means.R."""
    rows, at = drawn(number)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fit = bmx.Model(DESIGN.formula, rows).estimate()
        tables = [fit.predict(at, kind="mean", groups=scope, interval=coverage.LEVEL) for scope in SCOPES]
    limits = np.array([table[["lower", "upper"]].to_numpy()[0] for table in tables])
    return pd.DataFrame(
        {"n": number, "of": list(SCOPES), "by": "bayesmix", "lower": limits[:, 0], "upper": limits[:, 1]}
    )


def peers(n: int, by_glmmtmb: int) -> pd.DataFrame:
    """The same by R."""
    parts = []
    for number in range(n):
        rows, at = drawn(number)
        row = at.iloc[0]
        one = {"rg": row["g"], "rh": row["h"], "rw": row["w"], "rx": row["x"]}
        true = {"g2": DESIGN.sd**2, "h2": DESIGN.crossed**2, "s2": DESIGN.sigma**2}
        parts.append(rows[["g", "h", "w", "x", "y"]].assign(n=number, **one, **true))
    with tempfile.TemporaryDirectory() as folder:
        pd.concat(parts).to_csv(Path(folder) / "data.csv", index=False)
        script = Path(__file__).with_suffix(".R")
        subprocess.run(["Rscript", str(script), folder, str(by_glmmtmb)], check=True)
        return pd.read_csv(Path(folder) / "peers.csv").dropna()


def counts(limits: pd.DataFrame) -> pd.DataFrame:
    """Intervals, and how many hold the truth, of each mean and method."""
    pairs = zip(limits["n"], limits["of"], strict=True)
    true = np.array([drawn(number)[1][SCOPES[of]].iloc[0] for number, of in pairs])
    held = (limits["lower"] <= true) & (true <= limits["upper"])
    grouped = held.groupby([limits["of"], limits["by"]], sort=True)
    return grouped.agg(intervals="size", held="sum").reset_index()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-sets", type=int, default=250)
    parser.add_argument("--glmmtmb", type=int, default=50)
    given = parser.parse_args()
    limits = pd.concat([*map(ours, range(given.data_sets)), peers(given.data_sets, given.glmmtmb)])
    found = counts(limits)
    found.to_csv(KEPT, index=False, lineterminator="\n")
    print(found.to_string(index=False))


if __name__ == "__main__":
    main()
