"""Fits as long data frames with the columns of R's broom.mixed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from bayesmix.errors import SpecError, nearest
from bayesmix.inference.parameters.names import (
    corr_effects,
    corr_kinds,
    corr_names,
    df_name,
    heavy_tailed,
    sd_effects,
    sd_kind,
    sd_names,
)
from bayesmix.language.formula.vocabulary import STRUCTURES
from bayesmix.results.fits.degrees_of_freedom import quantile
from bayesmix.results.fits.fixed_inference import FixedInference, fixed_table
from bayesmix.results.fits.linear_predictor import groups, last_shares, number_names, of_group
from bayesmix.results.tables.coefficient_tables import component, owners_of, spelled

if TYPE_CHECKING:
    import pandas as pd

    from bayesmix.data.design.design import Term
    from bayesmix.language.formula.model_spec import ModelSpec
    from bayesmix.results.fits.records import EstimateRecord, FitRecord, PosteriorRecord

EFFECTS = ("fixed", "ran_pars", "ran_vals")
FIRST = (
    *("effect", "component", "response", "group", "level", "term"),
    *("estimate", "std.error", "statistic", "df", "p.value"),
)


def tidy_estimate(
    fit: EstimateRecord, effects: Sequence[str], interval: float, inference: FixedInference
) -> pd.DataFrame:
    """One row a parameter; intervals of fixed effects by t (linear models) or normal quantiles."""
    found: dict[str, Any] = {}
    tests = fixed_table(fit, inference)
    for name, row in tests.iterrows():
        q = float(quantile(row.get("df", np.inf), interval))
        found[str(name)] = {
            "estimate": row["estimate"],
            "std.error": row["std_error"],
            "statistic": row["statistic"],
            "df": row.get("df", np.nan),
            "p.value": row["p_value"],
            "conf.low": row["estimate"] - q * row["std_error"],
            "conf.high": row["estimate"] + q * row["std_error"],
        }
    for name, row in fit.parameters().drop(tests.index).iterrows():
        found[str(name)] = {"estimate": row["estimate"]}
        if name in (*number_names(fit.design), *last_shares(fit.design)):
            found[str(name)]["std.error"] = row["std_error"]
    spread = fit.ranef_sd() if "ran_vals" in effects else {}
    return _table(fit, effects, found, {group: frame.to_numpy() for group, frame in spread.items()}, interval)


def tidy_posterior(fit: PosteriorRecord, effects: Sequence[str], interval: float) -> pd.DataFrame:
    """One row a parameter: posterior means, standard deviations, equal-tailed intervals, R-hat and ESS."""
    table = fit.parameters(interval)
    renamed = {"mean": "estimate", "sd": "std.error", "lower": "conf.low", "upper": "conf.high", "r_hat": "rhat"}
    table = table.rename(columns={**renamed, "ess_bulk": "ess"})
    found = table[["estimate", "std.error", "conf.low", "conf.high", "rhat", "ess"]].to_dict("index")
    spread = {
        group.group: of_group(fit.with_effects.b, group.terms).std(axis=(0, 1), ddof=1)
        for group in groups(fit.design)
        if "ran_vals" in effects
    }
    return _table(fit, effects, {str(name): row for name, row in found.items()}, spread, interval)


def _table(
    fit: FitRecord, effects: Sequence[str], found: dict[str, Any], spread: dict[str, Any], interval: float
) -> pd.DataFrame:
    import pandas as pd

    for effect in effects:
        if effect not in EFFECTS:
            hint = nearest(effect, EFFECTS)
            raise SpecError(f"tidy has no effects `{effect}`.{hint} Choices: {', '.join(EFFECTS)}.")
    rows = [row | found[name] for name, row in _parameters(fit) if row["effect"] in effects]
    if "ran_vals" in effects:
        rows += _values(fit, spread, interval)
    table = pd.DataFrame(rows)
    first = [name for name in FIRST if name in table]
    return table[[*first, *(name for name in table.columns if name not in first)]]


def _parameters(fit: FitRecord) -> Iterator[tuple[str, dict[str, Any]]]:
    """Name in bayesmix and identification in broom.mixed of every parameter."""
    design, owners = fit.design, dict(zip(fit.design.fixed, fit.design.layout.owners, strict=True))
    for name in design.layout.coefficients:
        label = spelled(design, owners[name], name, whole=False)
        yield name, {"effect": "fixed", **_of(fit.spec, {owners[name]}), "group": None, "term": label}
    for term, name, kind, effects in _of_terms(design.terms):
        where, label = _of_effects(fit, term, effects)
        group = None if term.is_population else term.group
        label = "df" if kind == "df" else f"{kind}__{term.smooth or label}"
        yield name, {"effect": "ran_pars", **where, "group": group, "term": label}
    owners |= {name: own[0] for name, own in zip(last_shares(design), design.layout.simplexes.values(), strict=True)}
    for name in (*number_names(design), *last_shares(design)):
        yield name, {"effect": "ran_pars", **_of(fit.spec, {owners[name]}), "group": None, "term": name}
    if fit.values.dispersion is not None:
        name = str(fit.spec.family.dispersion)
        group, label = ("Residual", "sd__Observation") if name == "sigma" else (None, name)
        yield name, {"effect": "ran_pars", "group": group, "term": label}


def _of_terms(terms: Sequence[Term]) -> Iterator[tuple[Term, str, str, tuple[str, ...]]]:
    """Term, name, kind and effects of every number that describes how effects vary."""
    for term, names in zip(terms, sd_names(terms), strict=True):
        yield from ((term, name, sd_kind(term), own) for name, own in zip(names, sd_effects(term), strict=True))
    for term, names in zip(terms, corr_names(terms), strict=True):
        for name, kind, own in zip(names, corr_kinds(term), corr_effects(term), strict=True):
            yield term, name, "cor" if kind == "corr" else kind, own
    for group in heavy_tailed(terms):
        yield next(term for term in terms if term.group == group), df_name(group), "df", ()


def _of(spec: ModelSpec, predictors: set[int]) -> dict[str, str | None]:
    """Columns that say which parameter of which response: only where there are several, blank for what is of two."""
    if spec.is_simple:
        return {}
    parts = [component(spec, r) for r in sorted(predictors) if r < len(spec.parameters)]  # else of a pair of responses
    columns = {"component": {part[0] for part in parts}, "response": {part[1] for part in parts}}
    shown = columns if len(spec.responses) > 1 else {"component": columns["component"]}
    return {name: found.pop() if len(found) == 1 else None for name, found in shown.items()}


def _of_effects(fit: FitRecord, term: Term, effects: Sequence[str]) -> tuple[dict[str, str | None], str]:
    """Which parameter some effects of a term are of, and their words, with prefixes where they are of several."""
    owner = dict(zip(term.effects, owners_of(term), strict=True))
    own = effects if all(effect in owner for effect in effects) else ()  # not a lag
    predictors = {owner[effect] for effect in own or term.effects}
    if effects and not own:
        return _of(fit.spec, predictors), ".".join(effects)
    words = [spelled(fit.design, owner[effect], effect, whole=len(predictors) > 1) for effect in effects]
    label = ".".join(words) or term.smooth or STRUCTURES[term.structure][0]  # one number rules all effects
    return _of(fit.spec, predictors), label


def _values(fit: FitRecord, spread: dict[str, Any], interval: float) -> list[dict[str, Any]]:
    """Random effects of every level, with normal intervals."""
    from scipy.special import ndtri

    q = float(ndtri(0.5 + 0.5 * interval))
    rows: list[dict[str, Any]] = []
    for (group, table), known in zip(fit.ranef().items(), groups(fit.design), strict=True):
        values = table.to_numpy()
        terms = [fit.design.terms[t] for t in known.terms]
        words = [_of_effects(fit, term, [effect]) for term in terms for effect in term.effects]
        for i, level in enumerate(table.index):
            for j, (where, label) in enumerate(words):
                value, error = values[i, j], spread[group][i, j]
                what: dict[str, Any] = {"effect": "ran_vals", **where, "group": group, "level": level, "term": label}
                what |= {"estimate": value, "std.error": error}
                rows.append(what | {"conf.low": value - q * error, "conf.high": value + q * error})
    return rows
