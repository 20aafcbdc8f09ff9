"""Fits as long data frames with the columns of R's broom.mixed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from bayesmix.errors import SpecError, nearest
from bayesmix.inference.parameters.names import corr_effects, corr_names, sd_effects, sd_names
from bayesmix.language.formula.vocabulary import STRUCTURES
from bayesmix.results.fits.degrees_of_freedom import quantile
from bayesmix.results.fits.linear_predictor import groups, of_group
from bayesmix.results.tables.summary import fixed_table
from bayesmix.results.tables.summary_sections import in_r

if TYPE_CHECKING:
    import pandas as pd

    from bayesmix.results.fits.records import EstimateRecord, FitRecord, PosteriorRecord

EFFECTS = ("fixed", "ran_pars", "ran_vals")
FIRST = ("effect", "group", "level", "term", "estimate", "std.error", "statistic", "df", "p.value")


def tidy_estimate(fit: EstimateRecord, effects: Sequence[str], interval: float) -> pd.DataFrame:
    """One row a parameter; intervals of fixed effects by t (linear models) or normal quantiles."""
    numbers: dict[str, Any] = {}
    tests = fixed_table(fit)
    for name, row in tests.iterrows():
        q = float(quantile(row.get("df", np.inf), interval))
        numbers[str(name)] = {
            "estimate": row["estimate"],
            "std.error": row["std_error"],
            "statistic": row["statistic"],
            "df": row.get("df", np.nan),
            "p.value": row["p_value"],
            "conf.low": row["estimate"] - q * row["std_error"],
            "conf.high": row["estimate"] + q * row["std_error"],
        }
    for name, value in fit.parameters()["estimate"].iloc[len(tests) :].items():
        numbers[str(name)] = {"estimate": value}
    spread = fit.ranef_sd() if "ran_vals" in effects else {}
    return _table(fit, effects, numbers, {group: frame.to_numpy() for group, frame in spread.items()}, interval)


def tidy_posterior(fit: PosteriorRecord, effects: Sequence[str], interval: float) -> pd.DataFrame:
    """One row a parameter: posterior means, standard deviations, equal-tailed intervals, R-hat and ESS."""
    table = fit.parameters(interval)
    renamed = {"mean": "estimate", "sd": "std.error", "lower": "conf.low", "upper": "conf.high", "r_hat": "rhat"}
    table = table.rename(columns={**renamed, "ess_bulk": "ess"})
    numbers = table[["estimate", "std.error", "conf.low", "conf.high", "rhat", "ess"]].to_dict("index")
    spread = {
        group.group: of_group(fit.with_effects.b, group.terms).std(axis=(0, 1), ddof=1)
        for group in groups(fit.design)
        if "ran_vals" in effects
    }
    return _table(fit, effects, {str(name): row for name, row in numbers.items()}, spread, interval)


def _table(
    fit: FitRecord, effects: Sequence[str], numbers: dict[str, Any], spread: dict[str, Any], interval: float
) -> pd.DataFrame:
    import pandas as pd

    for effect in effects:
        if effect not in EFFECTS:
            hint = nearest(effect, EFFECTS)
            raise SpecError(f"tidy has no effects `{effect}`.{hint} Choices: {', '.join(EFFECTS)}.")
    rows = [row | numbers[name] for name, row in _parameters(fit) if row["effect"] in effects]
    if "ran_vals" in effects:
        rows += _values(fit, spread, interval)
    table = pd.DataFrame(rows)
    first = [name for name in FIRST if name in table]
    return table[[*first, *(name for name in table.columns if name not in first)]]


def _parameters(fit: FitRecord) -> Iterator[tuple[str, dict[str, Any]]]:
    """Name in bayesmix and identification in broom.mixed of every parameter."""
    design = fit.design
    for name in design.fixed:
        yield name, {"effect": "fixed", "group": None, "term": in_r(name)}
    kinds = (("sd", sd_names(design.terms), sd_effects), ("cor", corr_names(design.terms), corr_effects))
    for kind, names, labels in kinds:
        for term, own in zip(design.terms, names, strict=True):
            for name, effects in zip(own, labels(term), strict=True):
                label = ".".join(map(in_r, effects)) or STRUCTURES[term.structure][0]  # one number rules all effects
                yield name, {"effect": "ran_pars", "group": term.group, "term": f"{kind}__{label}"}
    if fit.values.dispersion is not None:
        name = str(fit.spec.family.dispersion)
        group, label = ("Residual", "sd__Observation") if name == "sigma" else (None, name)
        yield name, {"effect": "ran_pars", "group": group, "term": label}


def _values(fit: FitRecord, spread: dict[str, Any], interval: float) -> list[dict[str, Any]]:
    """Random effects of every level, with normal intervals."""
    from scipy.special import ndtri

    q = float(ndtri(0.5 + 0.5 * interval))
    rows: list[dict[str, Any]] = []
    for group, table in fit.ranef().items():
        values = table.to_numpy()
        for i, level in enumerate(table.index):
            for j, effect in enumerate(table.columns):
                value, error = values[i, j], spread[group][i, j]
                what = {"effect": "ran_vals", "group": group, "level": level, "term": in_r(str(effect))}
                what |= {"estimate": value, "std.error": error}
                rows.append(what | {"conf.low": value - q * error, "conf.high": value + q * error})
    return rows
