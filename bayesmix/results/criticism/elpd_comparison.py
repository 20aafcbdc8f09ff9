"""Models ranked by expected log predictive density, with weights: ArviZ's table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from bayesmix.arrays import Array
from bayesmix.errors import SpecError, nearest
from bayesmix.results.criticism.elpd import Elpd

if TYPE_CHECKING:
    import pandas as pd

REPLICATES, SEED = 1000, 124  # of the Bayesian bootstrap, ArviZ's
FEW_ROWS, ALIKE = 100, 4.0  # rows, and a difference, that tell little


def compare_elpd(found: Mapping[str, Elpd], method: str) -> pd.DataFrame:
    """One row a model, the best first, with the columns of ``arviz.compare``."""
    import pandas as pd
    from scipy.special import ndtr

    weigh = {"stacking": _stacking, "bb-pseudo-bma": _bootstrapped, "pseudo-bma": _by_elpd}
    if method.lower() not in weigh:
        raise SpecError(f"There is no method `{method}`.{nearest(method.lower(), weigh)} Methods: {', '.join(weigh)}.")
    names = sorted(found, key=lambda name: -found[name].elpd)
    ranked = [found[name] for name in names]
    pointwise = np.column_stack([one.elpd_i.to_numpy() for one in ranked])
    weights, se = weigh[method.lower()](pointwise)
    lost = pointwise - pointwise[:, :1]
    difference = lost.sum(axis=0)
    error = np.sqrt(len(lost) * lost.var(axis=0))
    columns = {
        "rank": range(len(names)),
        "elpd_diff": difference,
        "dse": error,
        "p_worse": np.where(difference == 0.0, np.nan, ndtr(-difference / (error + 1e-12))),
        "diag_diff": ["" if d == 0.0 else _on_difference(d, len(lost)) for d in difference],
        "diag_elpd": [_on_k(one) for one in ranked],
        "p": [one.p for one in ranked],
        "elpd": [one.elpd for one in ranked],
        "se": [one.se for one in ranked] if se is None else se,
        "weight": weights,
    }
    return pd.DataFrame(columns, index=names)


def _on_difference(difference: float, rows: int) -> str:
    if rows < FEW_ROWS:
        return f"N < {FEW_ROWS}"
    return f"|elpd_diff| < {ALIKE:g}" if abs(difference) < ALIKE else ""


def _on_k(one: Elpd) -> str:
    above = int(np.sum(one.pareto_k.to_numpy() > one.good_k))
    return f"{above} k\u0302 > {one.good_k:.2f}" if above else ""


def _stacking(pointwise: Array) -> tuple[Array, None]:
    """Weights ``(models,)`` by which the mixture of the models predicts best (Yao, Vehtari, Simpson, Gelman 2018)."""
    from scipy.optimize import Bounds, LinearConstraint, minimize

    density = np.exp(pointwise)
    count = density.shape[1]
    found = minimize(
        lambda weights: -np.sum(np.log(density @ weights)),
        np.full(count, 1.0 / count),
        jac=lambda weights: -np.sum(density / (density @ weights)[:, None], axis=0),
        bounds=Bounds(np.zeros(count), np.ones(count)),
        constraints=LinearConstraint(np.ones(count), 1.0, 1.0),
    )
    return found.x, None


def _bootstrapped(pointwise: Array) -> tuple[Array, Array]:
    """Mean weights by densities of which rows are weighted at random; and standard errors of these."""
    rows = len(pointwise)
    shares = np.random.RandomState(SEED).dirichlet(np.ones(rows), REPLICATES)  # ArviZ's, to the bit
    totals = rows * shares @ pointwise
    weights = np.exp(totals - totals.max(axis=1, keepdims=True))
    return (weights / weights.sum(axis=1, keepdims=True)).mean(axis=0), totals.std(axis=0)


def _by_elpd(pointwise: Array) -> tuple[Array, None]:
    totals = pointwise.sum(axis=0)
    weights = np.exp(totals - totals.max())
    return weights / weights.sum(), None
