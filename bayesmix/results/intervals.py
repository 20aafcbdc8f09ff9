"""Confidence intervals of point estimates: profile likelihood, Wald, Satterthwaite."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from bayesmix.errors import SpecError, nearest
from bayesmix.inference.estimate import Ml, Reml
from bayesmix.inference.profile import profile_intervals
from bayesmix.results.freedom import quantile
from bayesmix.results.level import check_level

if TYPE_CHECKING:
    import pandas as pd

    from bayesmix.results.fit import Estimate, Posterior

METHODS = ("profile", "wald", "satterthwaite")


def confidence_intervals(fit: Estimate, parameters: Sequence[str] | None, level: float, method: str) -> pd.DataFrame:
    """Return ``lower, upper`` by name; see `Estimate.confint`."""
    import pandas as pd

    if method not in METHODS:
        raise SpecError(f"There are no `{method}` intervals.{nearest(method, METHODS)} Methods: {', '.join(METHODS)}.")
    check_level(level, "level")
    possible = fit.names if method == "profile" else list(fit.design.fixed)
    names = possible if parameters is None else list(parameters)
    for name in names:
        if name not in possible:
            scope = "" if name not in fit.names else f' Only fixed effects have {method} intervals; use "profile".'
            raise SpecError(f"There is no parameter `{name}` here.{nearest(name, possible)}{scope}")
    limits = _profile(fit, names, level) if method == "profile" else _symmetric(fit, names, level, method)
    return pd.DataFrame(limits, columns=["lower", "upper"], index=pd.Index(names, name="parameter"))


def side_by_side(estimate: Estimate, posterior: Posterior | None, level: float, methods: Sequence[str]) -> pd.DataFrame:
    """Intervals of all parameters by each method: columns ``"wald lower"``, ``"wald upper"``, ...; blank where none."""
    import pandas as pd

    check_level(level, "level")
    found = {}
    for method in methods:
        if method == "credible" and posterior is not None:
            found[method] = posterior.parameters(level)[["lower", "upper"]]
        elif method != "credible":
            found[method] = estimate.confint(level=level, method=method).reindex(estimate.names)
    tables = [table.add_prefix(f"{method} ") for method, table in found.items()]
    return pd.concat(tables, axis=1).rename_axis(index="parameter")


def applicable(estimate: Estimate) -> tuple[str, ...]:
    """The methods that an estimate has intervals by."""
    linear = isinstance(estimate.point.method, Reml | Ml)
    return ("wald", "satterthwaite", "profile") if linear else ("wald", "profile")


def _profile(fit: Estimate, names: list[str], level: float) -> list[tuple[float, float]]:
    spec = fit.spec
    return profile_intervals(fit.design, spec.family, spec.link, fit.point, names, level)


def _symmetric(fit: Estimate, names: list[str], level: float, method: str) -> list[tuple[float, float]]:
    table = fit.fixef().loc[names] if method == "wald" else fit.satterthwaite().loc[names]
    df = np.full(len(names), np.inf) if method == "wald" else table["df"].to_numpy()
    half = quantile(df, level) * table["std_error"].to_numpy()
    centre = table["estimate"].to_numpy()
    return list(zip(centre - half, centre + half, strict=True))
