"""The hypothesis that a study of power tests in every data set, and its test by one estimate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from bayesmix.errors import SpecError, nearest
from bayesmix.results.fits.degrees_of_freedom import statistic_columns
from bayesmix.results.fits.fixed_inference import FixedInference
from bayesmix.results.prediction.hypothesis import COMPARISON, LinearHypothesis, linear_hypothesis

if TYPE_CHECKING:
    from bayesmix.arrays import Array
    from bayesmix.results.fits.records import FitRecord


@dataclass(frozen=True, slots=True)
class Tested:
    """The test of a hypothesis by one data set; of several combinations of coefficients at once a p-value alone."""

    estimate: float  # of the combination, less what the hypothesis says
    std_error: float
    df: float
    p_value: float


def read_hypothesis(fit: FitRecord, text: str) -> LinearHypothesis:
    """A hypothesis from the name of a fixed effect or a term, which is zero, or from a comparison.

    Raises
    ------
    SpecError
        If it is none of these.
    """
    design, p = fit.design, len(fit.design.fixed)
    if text in design.layout.coefficients:
        return LinearHypothesis(text, np.eye(p)[[design.fixed.index(text)]], np.zeros(1))
    if COMPARISON.search(text):
        return linear_hypothesis(fit, text)
    terms = _terms(fit)
    if text in terms:
        return LinearHypothesis(text, np.eye(p)[terms[text]], np.zeros(len(terms[text])))
    known = list(dict.fromkeys([*design.layout.coefficients, *terms]))
    raise SpecError(
        f"`{text}` is no fixed effect, no term and no comparison.{nearest(text, known)} Fixed effects and terms:"
        f' {", ".join(known)}; a comparison is a text such as "a > b".'
    )


def _terms(fit: FitRecord) -> dict[str, list[int]]:
    """Columns of each term of the first predictor's fixed part."""
    design = fit.design
    if design.encoder is None:
        return {}
    matrix, own = design.encoder.fixed, design.of_predictor(0)
    found = {label: matrix.columns_of(t) for t, label in enumerate(matrix.terms.labels)}
    return {label: [own[j] for j in columns] for label, columns in found.items() if columns}


def wald_test(hypothesis: LinearHypothesis, beta: Array, inference: FixedInference) -> Tested:
    """t or z test of one combination, F or chi-square test of several."""
    L, value = hypothesis.L, hypothesis.L @ beta - hypothesis.null
    if len(L) > 1:
        joint = inference.joint(L, value)
        return Tested(np.nan, np.nan, joint.denominator_df, joint.p)
    error, df = np.sqrt(inference.variance(L)), inference.df(L)
    p = statistic_columns(value, error, df, letter="t", sign=hypothesis.sign)["p_value"]
    return Tested(float(value[0]), float(error[0]), float(df[0]), float(p[0]))
