"""Tests of a model without each of its terms in turn, those that others contain excepted: ``drop1``."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from bayesmix.arrays import Array
from bayesmix.data.design.matrix import without_term
from bayesmix.data.design.recoded import recipe_of, recoded
from bayesmix.errors import SpecError, nearest
from bayesmix.inference.estimation.fixed_tests import FTest
from bayesmix.inference.estimation.restriction import restriction
from bayesmix.inference.estimation.term_contrasts import containing, marginal
from bayesmix.language.formula.model_spec import Predictor
from bayesmix.results.criticism.likelihood_ratios import Replication, fitted_without, p_columns, p_names, ratio
from bayesmix.results.criticism.term_tests import joint, test_table
from bayesmix.results.fits.degrees_of_freedom import is_linear
from bayesmix.results.fits.fixed_inference import fixed_inference
from bayesmix.results.fits.records import EstimateRecord, FitRecord
from bayesmix.results.fits.refit import by_maximum_likelihood
from bayesmix.results.fits.smooth_terms_table import CurveTest, curve_tests
from bayesmix.results.tables.anova_table import anova_table

if TYPE_CHECKING:
    import pandas as pd

    from bayesmix.results.fits.robust_covariance import RobustCovariance

TESTS = ("F", "lrt", "bootstrap")
WHOLE = "<none>"  # R's name of the model with all of its terms


@dataclass(frozen=True, slots=True)
class Deletion:
    """A term that no other contains."""

    label: str  # with what coefficients of its parameter begin with
    predictor: int
    term: int | None  # position among the terms of the predictor; None of a smooth
    change: dict[str, str]  # of the formula without it


def single_deletions(
    fit: EstimateRecord,
    df: str | None,
    vcov: RobustCovariance | None,
    test: str | None,
    replication: Replication,
) -> pd.DataFrame:
    """F tests of linear models as lmerTest's ``drop1``, likelihood ratios of all others as R's; one row a term.

    Smooths have the F tests of `smooth_terms`, as of ``anova.gam``, one row a curve: no covariance of fixed effects is
    theirs, so that they are left out beside a robust one.

    Raises
    ------
    SpecError
        If there is no such test for the fit.
    """
    chosen = test or ("F" if is_linear(fit) else "lrt")
    if chosen not in TESTS:
        raise SpecError(f"There is no test=`{chosen}`.{nearest(chosen, TESTS)} Choices: {', '.join(TESTS)}.")
    if chosen != "F":
        for name, given in (("df", df), ("vcov", vcov)):
            if given is not None:
                raise SpecError(f'{name}= is for test="F"; likelihood ratios have none: leave it.')
        return _by_likelihood(fit, replication if chosen == "bootstrap" else None)
    if not is_linear(fit):
        raise SpecError('test="F" is for linear mixed models of one response; here test="lrt" holds.')
    inference = fixed_inference(fit, df, vcov)
    tests = {one.label: joint(fit, inference, _contrasts(fit, one)) for one in deletions(fit) if one.term is not None}
    curves = {label: _of_curve(one) for label, one in curve_tests(fit).items()} if vcov is None else {}
    table = test_table(fit, inference, tests | curves, "Single term deletions")
    if curves:
        table.attrs["notes"] = (f"Wood's test that a curve is zero: {', '.join(curves)}.",)
    return table


def _of_curve(one: CurveTest) -> FTest:
    return FTest(one.statistic, one.ref_df, one.residual_df, one.p_value)


def deletions(fit: FitRecord) -> Iterator[Deletion]:
    """Of every parameter with a formula, those of one formula once."""
    known = set[str]()
    for r, one in enumerate(fit.spec.parameters):
        if r in fit.design.layout.slopes:
            yield from _of_slope(fit, r)
        if not isinstance(one, Predictor) or one.formula.is_implied:
            continue
        if (one.formula.text or str(one.formula)) in known:
            continue
        known.add(one.formula.text or str(one.formula))
        matrix = recipe_of(fit.design, r)
        response = fit.spec.responses[one.response]
        key = response.label if one.formula.response else one.prefix.removesuffix("_")
        prefix = (f"{response.name}_" if response.name else "") if one.formula.response else one.prefix
        smooths = [smooth.text for smooth in one.formula.smooths]
        apart = [*smooths, *one.formula.specific, *map(str, one.formula.monotonic)]
        for t, above in enumerate(containing(matrix, within_numbers=False)):
            label = matrix.terms.labels[t]
            if not above and label not in smooths and label not in _moving(fit, one.response):
                yield Deletion(prefix + label, r, t, {key: f"~ . - {label}"})
        yield from (Deletion(prefix + text, r, None, {key: f"~ . - {text}"}) for text in apart)


def _of_slope(fit: FitRecord, r: int) -> Iterator[Deletion]:
    """The terms of an imputed predictor: itself, or what it interacts with."""
    response, name = fit.spec.responses[fit.spec.parameters[r].response], fit.design.layout.slopes[r]
    matrix = recipe_of(fit.design, r)
    if not matrix.terms.terms:
        yield Deletion(f"{response.name}_{name}", r, None, {response.label: f"~ . - {name}"})
    for t, above in enumerate(containing(matrix, within_numbers=False)):
        label = f"{name}:{matrix.terms.labels[t]}"
        if not above:
            yield Deletion(f"{response.name}_{label}", r, t, {response.label: f"~ . - {label}"})


def _moving(fit: FitRecord, response: int) -> set[str]:
    """The terms that imputed predictors of a response interact with, and which interactions contain."""
    own = (r for r in fit.design.layout.slopes if fit.spec.parameters[r].response == response)
    return {label for r in own for label in recipe_of(fit.design, r).terms.labels}


def _contrasts(fit: EstimateRecord, one: Deletion) -> Array:
    """Contrasts ``(q, p)`` that are zero without a term: its own coefficients, unless other columns take its place."""
    assert one.term is not None
    matrix = recipe_of(fit.design, one.predictor)
    if matrix.terms.intercept and not fit.design.dropped:
        return marginal(matrix, one.term)
    ((_, small),) = recoded(fit.design, one.predictor, partial(without_term, term=one.term))
    return restriction(fit.design.X, small)


def _by_likelihood(fit: EstimateRecord, replication: Replication | None) -> pd.DataFrame:
    import pandas as pd

    large = by_maximum_likelihood(fit)
    names = ["npar", "aic", "lrt", *p_names(replication)]
    rows = [(np.nan, large.aic, *[np.nan] * (len(names) - 2))]
    labels = [WHOLE]
    for one in deletions(fit):
        small = fitted_without(large, one.label, one.change)
        found = ratio(small, large)
        labels.append(one.label)
        rows.append((found.df, small.aic, found.statistic, *p_columns(found, small, large, replication)))
    columns = dict(zip(names, zip(*rows, strict=True), strict=True))
    return anova_table(columns, pd.Index(labels, name="term"), heading="Single term deletions, by likelihood ratios")
