"""Tests of one fit's terms, and of nested fits: likelihood ratios, F tests, simulated reference distributions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from bayesmix.errors import SpecError, nearest
from bayesmix.inference.estimation.methods import Reml
from bayesmix.language.arguments import explained
from bayesmix.results.criticism.likelihood_ratios import Replication, p_columns, p_names, ratio
from bayesmix.results.criticism.nested_fits import check_same_data, families, is_nested, is_same_family, on_same_rows
from bayesmix.results.criticism.nested_tests import f_test_of_nested
from bayesmix.results.criticism.term_contours import joint_table
from bayesmix.results.criticism.term_tests import term_table
from bayesmix.results.criticism.variance_tests import REFITS, check_variances, restricted_test
from bayesmix.results.fits.named_fits import by_formula, named_fits
from bayesmix.results.fits.records import EstimateRecord, PosteriorRecord
from bayesmix.results.fits.refit import by_maximum_likelihood, estimate_again
from bayesmix.results.tables.anova_table import anova_table

if TYPE_CHECKING:
    import pandas as pd

    from bayesmix.results.fits.robust_covariance import RobustCovariance

TESTS = {
    "lrt": "lrt",
    "bootstrap": "bootstrap",
    "kr": "kenward-roger",
    "satterthwaite": "satterthwaite",
    "rlrt": "rlrt",
}


@explained
def anova(  # noqa: PLR0913 - options of a test, named
    *fits: EstimateRecord | PosteriorRecord | Mapping[str, EstimateRecord],
    labels: Sequence[str] | None = None,
    type: Literal[1, 2, 3] | None = None,
    df: str | None = None,
    vcov: RobustCovariance | None = None,
    test: str | None = None,
    replicates: int | None = None,
    seed: int = 0,
    executor: Executor | None = None,
    progress: bool = True,
    checkpoint: str | Path | None = None,
) -> pd.DataFrame:
    """Tests of the terms of one fit, or of several estimates of the same data, smallest model first.

    Of one posterior: the credible ellipsoids on whose boundary terms are zero. Of one estimate: F tests of whole terms
    where it is linear, as lmerTest's ``anova``; Wald's chi-square tests of every parameter with a formula otherwise, as
    car's ``Anova``. Of several: likelihood ratios where they are nested; REML fits are refitted by maximum likelihood,
    as in lme4: restricted likelihoods of models with different fixed effects are not comparable.

    Parameters
    ----------
    *fits : estimates, or a dict of them by label; or one posterior.
    labels : names of the models; their formulas by default, with the family where these are the same.
    type : of one estimate, 3 by default. 1: each term after those before it; 2: after all that do not contain it; 3:
        all cells weigh alike, whatever the contrasts of factors.
    df : of F tests: ``"satterthwaite"``, ``"kenward-roger"``, or ``"asymptotic"`` for Wald's chi-square. Of several
        linear estimates it asks for the F test of the fixed effects that each has more than the one before.
    vcov : of one estimate, a covariance in place of the model's, as ``fit.robust_vcov("g")`` gives.
    test : of several estimates: ``"lrt"``; ``"bootstrap"``, likelihood ratios whose reference distribution is that of
        data simulated from the smaller model (pbkrtest's ``PBmodcomp``); ``"kr"`` or ``"satterthwaite"``, as by ``df``;
        ``"rlrt"``, restricted likelihood ratios of linear models that differ in random effects: the exact distribution
        where one variance is tested (RLRsim's ``exactRLRT``), else simulated data.
    replicates, seed, executor, progress : of simulated data sets: how many, 1000 by default, from which seed, where
        they are fitted, and whether a bar is shown; of the exact distribution 10 000 draws.
    checkpoint : file in which the likelihood ratios of simulated data are kept, 100 at a time. What was stopped goes on
        from there, and more replicates take over what is there.

    Returns
    -------
    DataFrame
        Of one posterior a row a term: ``rank``, ``distance`` of Mahalanobis from the posterior mean, and ``content``,
        the posterior probability inside the ellipsoid about it on whose boundary the term is zero.

        Of one estimate a row a term: ``sum_sq, mean_sq, num_df, den_df, F, p_value``, or ``chisq, df, p_value``. Terms
        whose columns were left out are NaN.

        Of several a row a model: ``npar, aic, bic, loglik, deviance, chisq, df, p_value, boundary``, the test being
        against the model before. Blank where that is not nested in it, in its fixed and random effects, link and
        family: AIC and BIC compare them still. A Poisson model is nested in the negative binomial one, whose shape is
        infinite there. Where ``boundary``, the smaller model is on the edge of the larger one (a variance of zero, an
        infinite shape), and the chi-squared test is conservative: with one such parameter and no other, half its
        p-value is right. Simulated tests have ``mc_error``, the Monte Carlo error of the p-value, and ``replicates``,
        the data sets that could be fitted; F tests ``num_df, den_df, F, p_value``.

    Raises
    ------
    SpecError
        If no estimate is given, a test is not of such estimates, or likelihoods are not densities of the same data.
    """
    if len(fits) == 1 and isinstance(fits[0], PosteriorRecord):
        _refuse({"df": df, "vcov": vcov, "test": test}, "estimates; a posterior has its draws")
        return joint_table(fits[0], 3 if type is None else type)
    given: tuple[Any, ...] = fits
    named = named_fits(given, labels, "anova", wanted=(EstimateRecord,), default=by_formula)
    if len(named) == 1:
        _refuse({"test": test}, 'several estimates, bmx.anova(a, b, test="bootstrap"); of one, fit.drop1(test="lrt")')
        return term_table(next(iter(named.values())), 3 if type is None else type, df, vcov)
    if not named:
        raise SpecError("anova needs an estimate, anova(fit), or several: anova(smaller, larger).")
    _refuse({"type": type, "vcov": vcov}, "the terms of one estimate")
    named = dict(zip(named, on_same_rows(list(named.values())), strict=True))
    check_same_data(list(named.values()))
    chosen = _resolve(test, df)
    ordered = dict(sorted(named.items(), key=lambda pair: pair[1].df))
    if chosen in ("satterthwaite", "kenward-roger", "asymptotic"):
        return _f_tests(ordered, chosen)
    how = Replication(REFITS if replicates is None else replicates, seed, executor, progress, checkpoint)
    if chosen == "rlrt":
        return _restricted_ratios(ordered, how, replicates)
    return _likelihood_ratios(ordered, how if chosen == "bootstrap" else None)


def _refuse(given: Mapping[str, object], what: str) -> None:
    for name, value in given.items():
        if value is not None:
            shown = repr(value) if isinstance(value, str | int) else "..."
            raise SpecError(f"{name}={shown} is for {what}.")


def _resolve(test: str | None, df: str | None) -> str:
    """The test of several estimates that is asked for."""
    if test is None:
        return "lrt" if df is None else df
    known = {**TESTS, "kenward-roger": "kenward-roger"}
    if test not in known:
        hint = nearest(test, TESTS) if isinstance(test, str) else ""
        raise SpecError(f"There is no test=`{test}`.{hint} Choices: {', '.join(TESTS)}.")
    if df not in (None, known[test]):
        raise SpecError(f"test={test!r} and df={df!r} are two tests: leave one of them out.")
    return known[test]


def _likelihood_ratios(named: Mapping[str, EstimateRecord], how: Replication | None) -> pd.DataFrame:
    import pandas as pd

    fits = [by_maximum_likelihood(fit) for fit in named.values()]
    blank = (np.nan,) * (len(p_names(how)) + 2) + (False,)
    tests = [blank, *(_tested(small, large, how) or blank for small, large in pairwise(fits))]
    of_fits = [(fit.df, fit.aic, fit.bic, fit.loglik, fit.criterion) for fit in fits]
    rows = [(*own, *test) for own, test in zip(of_fits, tests, strict=True)]
    names = ["npar", "aic", "bic", "loglik", "deviance", "chisq", "df", *p_names(how), "boundary"]
    columns = dict(zip(names, zip(*rows, strict=True), strict=True))
    return anova_table(columns, pd.Index(list(named), name="model"), notes=_notes(columns["boundary"], how))


def _notes(boundary: Sequence[bool], how: Replication | None) -> list[str]:
    """What a reader of p-values should know."""
    if how is not None or not any(boundary):
        return []
    places = ", ".join(str(place) for place, is_on_edge in enumerate(boundary, 1) if is_on_edge)
    return [f"Conservative in row {places}: the model before is on the edge of that one."]


def _tested(small: EstimateRecord, large: EstimateRecord, how: Replication | None) -> tuple[float | bool, ...] | None:
    """Statistic, degrees of freedom, p-value, and whether the smaller model is on the larger one's edge."""
    if not is_nested(small, large):
        return None
    found = ratio(small, large)
    has_more_variances = large.point.coordinates.size > small.point.coordinates.size
    pairs = zip(families(small), families(large), strict=True)
    is_on_edge = has_more_variances or not all(is_same_family(few, many) for few, many in pairs)
    return found.statistic, found.df, *p_columns(found, small, large, how), is_on_edge


def _restricted_ratios(named: Mapping[str, EstimateRecord], how: Replication, replicates: int | None) -> pd.DataFrame:
    import pandas as pd

    for small, large in pairwise(named.values()):
        check_variances(small, large)
    fits = [estimate_again(fit, Reml()) for fit in named.values()]
    tests: list[tuple[float, ...]] = [(np.nan,) * 5]
    notes = dict[str, None]()
    for small, large in pairwise(fits):
        found, words = restricted_test(small, large, how, replicates)
        tests.append(found)
        notes[words] = None
    rows = [(fit.df, fit.loglik, *test) for fit, test in zip(fits, tests, strict=True)]
    names = ("npar", "loglik", "rlrt", "df", "p_value", "mc_error", "replicates")
    columns = dict(zip(names, zip(*rows, strict=True), strict=True))
    return anova_table(columns, pd.Index(list(named), name="model"), notes=list(notes))


def _f_tests(named: Mapping[str, EstimateRecord], df: str) -> pd.DataFrame:
    import pandas as pd

    rows = [(fit.df, np.nan, np.nan, np.nan, np.nan) for fit in named.values()]
    for place, (small, large) in enumerate(pairwise(named.values()), 1):
        test = f_test_of_nested(small, large, df)
        rows[place] = (large.df, test.numerator_df, test.denominator_df, test.statistic, test.p)
    columns = dict(zip(("npar", "num_df", "den_df", "F", "p_value"), zip(*rows, strict=True), strict=True))
    return anova_table(columns, pd.Index(list(named), name="model"))
