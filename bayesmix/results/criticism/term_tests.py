"""Tests of whole terms of one fit: F tests of linear models as lmerTest's ``anova``, Wald's of all others as car's."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, get_args

import numpy as np

from bayesmix.arrays import Array
from bayesmix.errors import SpecError
from bayesmix.inference.estimation.fixed_tests import FTest
from bayesmix.inference.estimation.term_contrasts import Type, term_contrasts
from bayesmix.language.formula.model_spec import Predictor
from bayesmix.results.fits.degrees_of_freedom import NAMES, is_linear
from bayesmix.results.fits.fixed_inference import FixedInference, fixed_inference
from bayesmix.results.fits.records import EstimateRecord, FitRecord
from bayesmix.results.tables.anova_table import anova_table

if TYPE_CHECKING:
    import pandas as pd

    from bayesmix.results.fits.robust_covariance import RobustCovariance

ROMAN = {1: "I", 2: "II", 3: "III"}
NOTHING = FTest(np.nan, 0, np.nan, np.nan)  # where a term has no columns of its own


def term_table(fit: EstimateRecord, kind: Type, df: str | None, vcov: RobustCovariance | None = None) -> pd.DataFrame:
    """Tests of the terms of every parameter with a formula, each as a whole: one row a term.

    Parameters
    ----------
    kind : 1, 2 or 3.
    df, vcov : as in `fixed_inference`.

    Raises
    ------
    SpecError
        If there is no such type, or no such degrees of freedom.
    """
    if kind not in get_args(Type):
        raise SpecError(f"Tests of terms are of type 1, 2 or 3, not {kind!r}.")
    inference = fixed_inference(fit, df, vcov)
    tests = {label: joint(fit, inference, L) for label, L in contrasts_of_terms(fit, kind)}
    return test_table(fit, inference, tests, f"Type {ROMAN[kind]} tests of terms")


def joint(fit: EstimateRecord, inference: FixedInference, L: Array) -> FTest:
    """The test that all rows of ``L beta`` are zero, ``L (q, p)``; NaN without rows."""
    return inference.joint(L, L @ fit.values.beta) if len(L) else NOTHING


def test_table(
    fit: EstimateRecord, inference: FixedInference, tests: Mapping[str, FTest], heading: str
) -> pd.DataFrame:
    """Columns ``sum_sq, mean_sq, num_df, den_df, F, p_value``, of large samples ``chisq, df, p_value``."""
    import pandas as pd

    F, num, den, p, scale = (
        np.array([getattr(test, name) for test in tests.values()], float)
        for name in ("statistic", "numerator_df", "denominator_df", "p", "scale")
    )
    index = pd.Index(list(tests), name="term")
    if inference.letter == "z":
        columns = {"chisq": F * num, "df": num, "p_value": p}
        return anova_table(columns, index, heading=f"{heading}, by {_how(inference)}")
    mean_sq = F / scale * float(fit.point.dispersion or 1.0) ** 2
    squares = {} if fit.point.dispersion is None else {"sum_sq": mean_sq * num, "mean_sq": mean_sq}
    columns = {**squares, "num_df": num, "den_df": den, "F": F, "p_value": p}
    return anova_table(columns, index, heading=f"{heading}, by {_how(inference)}")


def _how(inference: FixedInference) -> str:
    """The method of tests, in the words of a heading."""
    if inference.vcov is not None:
        return inference.vcov.words
    return "Wald's chi-square" if inference.letter == "z" else f"{NAMES[inference.method]} method"


def contrasts_of_terms(fit: FitRecord, kind: Type) -> Iterator[tuple[str, Array]]:
    """Contrasts ``(q, p)`` of every term; of predictors that share a formula together.

    Of monotonic effects it is their slope. Smooths, of which fixed effects are a part only, have tests of their own,
    `Estimate.smooth_terms`.
    """
    smooths = {smooth.text for one in fit.spec.predictors for smooth in one.formula.smooths}
    if fit.design.layout.slopes and kind != 3:
        raise SpecError(f"Terms of models with imputed predictors are tested after all others, type=3, not {kind}.")
    for predictors in _by_formula(fit):
        prefix = _prefix(fit, predictors)
        one = fit.spec.parameters[predictors[0]]
        is_specific = bool(fit.spec.responses[one.response].family.parameters[one.parameter].of_threshold)
        found = [_of_predictor(fit, r, kind) for r in predictors]
        if predictors[0] in fit.design.layout.slopes:
            yield from _of_slope(fit, predictors[0], found[0])
            continue
        for label in (label for label in found[0] if label not in smooths):
            yield prefix + (f"cs({label})" if is_specific else label), np.concatenate([own[label] for own in found])
    for j in (j for r in fit.design.layout.monotonic for j in fit.design.of_predictor(r)):
        yield fit.design.fixed[j], np.eye(len(fit.design.fixed))[[j]]


def _of_slope(fit: FitRecord, r: int, found: Mapping[str, Array]) -> Iterator[tuple[str, Array]]:
    """An imputed predictor, which is the intercept of its slope, and what it interacts with."""
    prefix, p = fit.design.layout.prefixes[r], len(fit.design.fixed)
    if prefix in fit.design.fixed:
        yield prefix, np.eye(p)[[fit.design.fixed.index(prefix)]]
    yield from ((f"{prefix}:{label}", L) for label, L in found.items())


def _by_formula(fit: FitRecord) -> list[list[int]]:
    """Predictors with a formula, those of one formula and response together: the means of several categories."""
    groups: dict[tuple[int, str], list[int]] = {}
    for r, one in enumerate(fit.spec.parameters):
        if isinstance(one, Predictor):
            groups.setdefault((one.response, one.formula.text or f"{one.prefix}{one.formula}"), []).append(r)
    return list(groups.values())


def _prefix(fit: FitRecord, predictors: Sequence[int]) -> str:
    """What names of terms begin with: of means of categories, and of single thresholds, the response's alone."""
    one = fit.spec.parameters[predictors[0]]
    response = fit.spec.responses[one.response]
    if len(predictors) == 1 and not response.family.parameters[one.parameter].of_threshold:
        return fit.design.layout.prefixes[predictors[0]]
    return f"{response.name}_" if response.name else ""


def _of_predictor(fit: FitRecord, predictor: int, kind: Type) -> dict[str, Array]:
    design, linear = fit.design, is_linear(fit) if isinstance(fit, EstimateRecord) else fit.spec.is_linear
    own = design.of_predictor(predictor)
    found = term_contrasts(design, predictor, kind, _root(fit, own, linear), within_numbers=linear)
    whole = {}
    for label, L in found.items():
        whole[label] = np.zeros((len(L), design.X.shape[1]))
        whole[label][:, own] = L
    return whole


def _root(fit: FitRecord, own: Sequence[int], linear: bool) -> Array:
    """Root of the metric of contrasts: cross-products of the columns, or the information on their coefficients."""
    if linear:
        X, counts = fit.design.X, fit.design.counts
        return np.asarray(np.linalg.qr(X if counts is None else np.sqrt(counts)[:, None] * X, mode="r"))
    cov = fit.point.beta_cov if isinstance(fit, EstimateRecord) else np.cov(draws_of_beta(fit), rowvar=False)
    return np.asarray(np.linalg.inv(np.linalg.cholesky(np.atleast_2d(cov)[np.ix_(own, own)])))


def draws_of_beta(fit: FitRecord) -> Array:
    """Fixed effects of all draws, ``(S, p)``."""
    return fit.values.beta.reshape(-1, fit.values.beta.shape[-1])
