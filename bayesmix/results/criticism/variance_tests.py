"""Tests of random effects: without each of them in turn, as lmerTest's ``ranova``, and of a variance against zero.

A variance of zero is on the edge of what is possible, where the chi-square of a likelihood ratio does not hold.
Restricted likelihood ratios of linear models have a null distribution of their own, by spectral simulation where one
variance is tested; by data simulated from the smaller model where several are, and of all other models.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from bayesmix.data.design.design import Term
from bayesmix.errors import SpecError, nearest
from bayesmix.inference.estimation.methods import Reml
from bayesmix.inference.estimation.restricted_ratio import MOST_LEVELS, restricted_ratios
from bayesmix.language.formula.model_spec import Predictor
from bayesmix.language.formula.parse import Bar
from bayesmix.language.formula.reader import read
from bayesmix.language.formula.terms import Terms, expand
from bayesmix.results.criticism.likelihood_ratios import (
    Ratio,
    Replication,
    fitted_without,
    monte_carlo,
    ratio,
    simulated_ratios,
)
from bayesmix.results.criticism.nested_fits import has_same_fixed_effects, is_nested
from bayesmix.results.fits.degrees_of_freedom import is_linear
from bayesmix.results.fits.records import EstimateRecord, FitRecord
from bayesmix.results.fits.refit import estimate_again
from bayesmix.results.tables.anova_table import AnovaTable, anova_table

TESTS = ("lrt", "rlrt", "bootstrap")
NOTHING = 1e-6  # a difference of deviances that is rounding
USUAL = 0.05  # p-values below which a group is called needed
DRAWS, REFITS = 10_000, 1_000  # replicates where none are asked for

EXACT = "Exact null distribution, by spectral simulation (Crainiceanu and Ruppert 2004)."
APPROXIMATE = "Null distribution as without the other variances (Greven et al. 2008)."
SIMULATED = "Null distribution by data simulated without the effects that are tested."


@dataclass(frozen=True, slots=True)
class _Deletion:
    """Random effects that are left out."""

    label: str
    change: dict[str, str]  # of the formulas


@dataclass(frozen=True, slots=True)
class _Tested:
    """A likelihood ratio with a simulated p-value."""

    ratio: Ratio
    p: float
    error: float
    draws: float
    words: str  # where the distribution comes from


# ---- every random effect in turn --------------------------------------------------------------------------------


def random_deletions(fit: EstimateRecord, test: str, how: Replication | None, replicates: int | None) -> AnovaTable:
    """One row a random effect that others do not contain: ``npar, loglik, aic, lrt, df, p_value``.

    Raises
    ------
    SpecError
        If there are no random effects, or no such test.
    """
    if test not in TESTS:
        hint = nearest(test, TESTS) if isinstance(test, str) else ""
        raise SpecError(f"There is no test=`{test}`.{hint} Choices: {', '.join(TESTS)}.")
    if not fit.design.terms:
        raise SpecError(f"`{fit.spec.text}` has no random effects to leave out.")
    large = _for_test(fit, test)
    rows = [(large.df, large.loglik, large.aic)]
    left_out, tested = list(deletions(fit)), list[tuple[float, ...]]()
    notes = dict[str, None]()
    for one in left_out:
        small = fitted_without(large, one.label, one.change)
        rows.append((small.df, small.loglik, small.aic))
        found, words = _row(small, large, test, how, replicates)
        tested.append(found)
        notes |= dict.fromkeys(words)
    names = ["lrt", "df", "p_value", *(["mc_error", "replicates"] if test != "lrt" else [])]
    blank = (np.nan,) * len(names)
    every = [(*row, *own) for row, own in zip(rows, [blank, *tested], strict=True)]
    columns = dict(zip(["npar", "loglik", "aic", *names], zip(*every, strict=True), strict=True))
    index = pd.Index(["<none>", *(one.label for one in left_out)], name="term")
    return anova_table(columns, index, heading="Random effects: single term deletions", notes=list(notes))


def _row(
    small: EstimateRecord, large: EstimateRecord, test: str, how: Replication | None, replicates: int | None
) -> tuple[tuple[float, ...], list[str]]:
    if test == "lrt":
        found = ratio(small, large)
        return (found.statistic, found.df, found.p), ['Conservative: a variance is tested at zero; test="rlrt" is not.']
    tested = _simulated(small, large, test, how, replicates)
    return (tested.ratio.statistic, tested.ratio.df, tested.p, tested.error, tested.draws), [tested.words]


def _for_test(fit: EstimateRecord, test: str) -> EstimateRecord:
    """The estimate whose criterion is compared: of restricted ratios that by REML."""
    if test != "rlrt":
        return fit
    _check_linear(fit)
    return estimate_again(fit, Reml())


def _check_linear(*fits: EstimateRecord) -> None:
    if not all(map(is_linear, fits)):
        raise SpecError('test="rlrt" is for linear mixed models of one response; here test="bootstrap" holds.')


def deletions(fit: EstimateRecord) -> Iterator[_Deletion]:
    """Of each bar the effects that no other of it contains, or all where one is left."""
    bars = list(_bars(fit))
    is_one = len({key for key, _ in bars}) == 1
    for key, bar in bars:
        terms = expand(read(bar.effects))
        whole = str(bar) if is_one else f"{key} ~ {bar}"
        if not terms.terms:
            yield _Deletion(whole, {key: f"~ . - {bar}"})
        for t, own in enumerate(terms.terms):
            if any(set(own) < set(other) for other in terms.terms):
                continue
            less = _less(bar, terms, t)
            label = whole if less is None else f"{terms.labels[t]} in {whole}"
            yield _Deletion(label, {key: f"~ . - {bar}" + ("" if less is None else f" + {less}")})


def _bars(fit: FitRecord) -> Iterator[tuple[str, Bar]]:
    """The bars of all formulas, each formula once, with what its changes are called by."""
    known = set[str]()
    for one in fit.spec.parameters:
        if isinstance(one, Predictor) and (one.formula.text or str(one.formula)) not in known:
            known.add(one.formula.text or str(one.formula))
            response = fit.spec.responses[one.response]
            key = response.label if one.formula.response else one.prefix.removesuffix("_")
            yield from ((key, bar) for bar in one.formula.bars)


def _less(bar: Bar, terms: Terms, t: int) -> Bar | None:
    """A bar without one of its terms; None without any effect."""
    labels = [label for i, label in enumerate(terms.labels) if i != t]
    if not labels and not terms.intercept:
        return None
    structure = bar.structure if labels else "us"
    return replace(bar, effects=" + ".join(["1" if terms.intercept else "0", *labels]), structure=structure)


# ---- one group --------------------------------------------------------------------------------------------------


def group_test(fit: EstimateRecord, group: str, how: Replication | None, replicates: int | None) -> AnovaTable:
    """Test of all random effects of a grouping factor, with a sentence that says whether it is needed.

    Raises
    ------
    SpecError
        If it is no grouping factor of the model.
    """
    check_group(fit, group)
    test = "rlrt" if is_linear(fit) else "bootstrap"
    large = _for_test(fit, test)
    small = fitted_without(large, group, without_group(fit, group))
    tested = _simulated(small, large, test, how, replicates)
    columns = {
        test.replace("bootstrap", "lrt"): [tested.ratio.statistic],
        "df": [tested.ratio.df],
        "p_value": [tested.p],
        "mc_error": [tested.error],
        "replicates": [tested.draws],
    }
    index, notes = pd.Index([group], name="group"), [tested.words, verdict(group, tested.p)]
    return anova_table(columns, index, heading=f"Model without `{group}`", notes=notes)


def check_group(fit: FitRecord, group: str) -> None:
    """Raise `SpecError` where a name is no grouping factor of a model."""
    known = list(fit.design.group_sizes)
    if group not in known:
        there = ", ".join(f"`{name}`" for name in known) or "none"
        hint = nearest(str(group), known)
        raise SpecError(f"`{group}` is not a grouping factor of the model.{hint} There are {there}.")


def without_group(fit: FitRecord, group: str) -> dict[str, str]:
    """Changes of the formulas that leave a grouping factor out."""
    changes: dict[str, str] = {}
    for key, bar in _bars(fit):
        if bar.grouping.name(bar.group) == group:
            changes[key] = f"{changes.get(key, '~ .')} - {bar}"
    return changes


def verdict(group: str, p: float) -> str:
    """Whether a group is needed, in words."""
    if p < USUAL:
        return f"`{group}` is needed: without it data like these are rare (p = {p:.2g})."
    return f"`{group}` is not shown to be needed: data like these come without it, too (p = {p:.2g})."


# ---- the test of two fits ---------------------------------------------------------------------------------------


def check_variances(small: EstimateRecord, large: EstimateRecord) -> None:
    """Raise `SpecError` where a restricted likelihood ratio is not one of random effects."""
    _check_linear(small, large)
    if not (is_nested(small, large) and has_same_fixed_effects(small, large)):
        raise SpecError(
            'test="rlrt" tests random effects: the fixed effects, weights and offsets must be the same, and the random'
            f" effects of `{small.spec.text}` special ones of `{large.spec.text}`."
        )


def restricted_test(
    small: EstimateRecord, large: EstimateRecord, how: Replication | None, replicates: int | None
) -> tuple[tuple[float, ...], str]:
    """Statistic, degrees of freedom, p-value, Monte Carlo error and draws of REML fits; where they come from."""
    found = _simulated(small, large, "rlrt", how, replicates)
    return (found.ratio.statistic, found.ratio.df, found.p, found.error, found.draws), found.words


def _simulated(
    small: EstimateRecord, large: EstimateRecord, test: str, how: Replication | None, replicates: int | None
) -> _Tested:
    found = ratio(small, large)
    if found.statistic < NOTHING:
        found = Ratio(0.0, found.df)
    how = how or Replication()
    term = _single_variance(small, large) if test == "rlrt" else None
    if term is None:
        draws = simulated_ratios(small, large, replace(how, replicates=replicates or REFITS))
        words = SIMULATED
    else:
        draws = restricted_ratios(large.design, term, replicates or DRAWS, how.seed)
        words = APPROXIMATE if small.design.terms else EXACT
    return _Tested(found, *monte_carlo(np.where(draws < NOTHING, 0.0, draws), found.statistic), words)


def _single_variance(small: EstimateRecord, large: EstimateRecord) -> Term | None:
    """The term of one effect that the larger model has more, and nothing else; None where they differ otherwise."""
    known = [(term.group, term.effects, term.structure) for term in small.design.terms]
    more = [term for term in large.design.terms if (term.group, term.effects, term.structure) not in known]
    is_single = len(more) == 1 and len(more[0].effects) == 1 and len(large.design.terms) == len(known) + 1
    is_known = all(term.is_independent for term in large.design.terms)
    return more[0] if is_single and is_known and len(more[0].levels) <= MOST_LEVELS else None
