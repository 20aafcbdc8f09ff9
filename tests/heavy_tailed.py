"""Models whose group effects have a t distribution, and posteriors of theirs that are made by hand."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import bayesmix as bmx
from bayesmix.fit import Posterior
from bayesmix.inference.sampling.draws import Draws
from bayesmix.studies.prior_simulation import draw_parameters

FOLDER = Path(__file__).parent / "reference" / "heavy_tails"
INTERCEPTS = 'y ~ x + (1 | gr(g, dist = "student"))'
SLOPES = 'y ~ x + (x | gr(g, dist = "student"))'
PRIORS = {
    **dict.fromkeys(("Intercept", "x"), "Normal(0, 5)"),
    **dict.fromkeys(("sigma", "sd"), "Exponential(1)"),
}


def data() -> pd.DataFrame:
    """Thirty groups of six rows, of which some lie far out: `tests/reference/heavy_tails/brms.R`."""
    return pd.read_csv(FOLDER / "data.csv")


def small() -> pd.DataFrame:
    """Eight of the groups, with counts and successes."""
    rows = data().query("g < 'g09'").reset_index(drop=True)
    return rows.assign(yes=(rows.y > 1.0).astype(int), count=np.round(np.exp(0.3 * rows.y.clip(-4, 4))).astype(int))


def by_hand(model: bmx.Model, *, lead: tuple[int, int] = (2, 20), seed: int = 1, **parts: Any) -> Posterior:
    """A posterior of draws from the priors, some parts of the parameters replaced."""
    rng = np.random.default_rng(seed)
    drawn = [draw_parameters(model.priors, model.design, rng) for _ in range(int(np.prod(lead)))]
    first = drawn[0]

    def together(arrays: Any) -> np.ndarray:
        stacked = np.stack([np.asarray(array) for array in arrays])
        return stacked.reshape(*lead, *stacked.shape[1:])

    values = type(first)(
        together(one.beta for one in drawn),
        tuple(together(one.sd[t] for one in drawn) for t in range(len(first.sd))),
        tuple(together(one.corr[t] for one in drawn) for t in range(len(first.corr))),
        tuple(together(one.b[t] for one in drawn) for t in range(len(first.b))),
        None if first.dispersion is None else together(one.dispersion for one in drawn),
        {group: together(one.df[group] for one in drawn) for group in first.df},
    )
    stats = {"diverging": np.zeros(lead, bool), "energy": rng.normal(size=lead), "lp": rng.normal(size=lead)}
    return Posterior(model._fitted, Draws(replace(values, **parts), stats, "nuts", ()), model.priors)
