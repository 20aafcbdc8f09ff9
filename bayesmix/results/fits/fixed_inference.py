"""What the tests and intervals of an estimate's fixed effects rest on: their covariance, degrees of freedom, F tests.

Every table of an estimate asks this one record, so that one question has one answer.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from bayesmix.arrays import Array
from bayesmix.errors import BayesmixError, PredictionWarning, SpecError, warn_user
from bayesmix.inference.estimation.cluster_robust import ClusterRobust
from bayesmix.inference.estimation.correlated_inference import correlated_satterthwaite
from bayesmix.inference.estimation.correlated_kenward_roger import correlated_kenward_roger
from bayesmix.inference.estimation.fixed_tests import Asymptotic, FTest
from bayesmix.inference.estimation.kenward_roger import KenwardRoger, kenward_roger
from bayesmix.inference.estimation.methods import Reml
from bayesmix.inference.estimation.point_estimate import PointEstimate
from bayesmix.inference.estimation.point_estimates import PointEstimates
from bayesmix.inference.estimation.prediction_variance import VarianceFunction
from bayesmix.inference.estimation.satterthwaite import Satterthwaite, satterthwaite, satterthwaite_of_all
from bayesmix.inference.parameters.natural_scale import reported_jacobian, standard_errors
from bayesmix.results.fits.accessors import inferences_of
from bayesmix.results.fits.adjustment import adjustment
from bayesmix.results.fits.degrees_of_freedom import resolve_df, statistic_columns
from bayesmix.results.fits.records import EstimateRecord
from bayesmix.results.fits.refit import estimate_again, one_of_many
from bayesmix.results.fits.robust_covariance import RobustCovariance

if TYPE_CHECKING:
    import pandas as pd

    from bayesmix.results.fits.records import FitRecord

Provider = Satterthwaite | KenwardRoger | ClusterRobust | Asymptotic

WORDS = {
    "satterthwaite": "t distribution with Satterthwaite's degrees of freedom",
    "kenward-roger": "t distribution with Kenward and Roger's covariance and degrees of freedom",
    "asymptotic": "normal distribution (z)",
}
T_OR_Z = {"t": WORDS["satterthwaite"], "z": WORDS["asymptotic"]}  # of robust ones
BY_REML = ", variances estimated again by REML"
SIMULTANEOUS = ("mvt", "simultaneous")  # adjustments that a posterior has
SIMULTANEOUS_WORDS = "simultaneous intervals of the draws of a family (Montiel Olea and Plagborg-Moller 2019)"
OF_POSTERIORS = "quantiles of the posterior's draws"


@dataclass(frozen=True, slots=True, eq=False)
class FixedInference:
    """Inference about the fixed effects of an estimate, by one method."""

    method: str  # "satterthwaite", "kenward-roger", "asymptotic"
    provider: Provider
    point: PointEstimate
    vcov: RobustCovariance | None = None  # in place of the model's

    @property
    def cov(self) -> Array:
        """Covariance of the fixed effects, ``(p, p)``."""
        return self.provider.cov

    @property
    def letter(self) -> str:
        """The name of the statistic: ``"t"`` or ``"z"``."""
        return "z" if self.method == "asymptotic" else "t"

    @property
    def words(self) -> str:
        """What intervals and tests rest on."""
        if self.vcov is not None:
            return f"{T_OR_Z[self.letter]}, {self.vcov.words}"
        return WORDS[self.method] + self.aside

    @property
    def aside(self) -> str:
        """What is to be said of the method for this fit."""
        return BY_REML if self.method == "kenward-roger" and not isinstance(self.point.method, Reml) else ""

    def df(self, L: Array) -> Array:
        """Degrees of freedom of ``L beta``: ``(r,)`` for ``L (r, p)``, infinite of z tests."""
        return self.provider.df(L)

    def variance(self, L: Array) -> Array:
        """Variances of ``L beta``: ``(r,)``."""
        return np.maximum(np.einsum("rp,pq,rq->r", L, self.cov, L), 0.0)

    def joint(self, L: Array, value: Array) -> FTest:
        """F test of all rows of ``L`` at once, ``value (r,)`` the estimates of ``L beta`` less their hypothesis."""
        return self.provider.joint(L, value)

    def of_variance(self, variance: VarianceFunction, here: Array) -> Array:
        """Degrees of freedom ``(r,)`` of variances that depend on the covariance parameters in any way.

        Parameters
        ----------
        variance : variances at an estimate; at the fit's own they are ``here (r,)``.

        Raises
        ------
        SpecError
            If the method is about fixed effects alone.
        """
        match self.provider:
            case Satterthwaite():
                return self.provider.of_variance(variance, here)
            case Asymptotic() if self.vcov is None:
                return np.full(len(here), np.inf)
            case _:
                asked = f"df={self.method!r}" if self.vcov is None else "vcov="
                raise SpecError(
                    f"{asked} is about fixed effects alone, not effects of groups, curves of smooths nor new"
                    ' observations. Ask for a mean with groups="average" or "zero" that no curve is part of, or leave'
                    " it."
                )


def fixed_inference(fit: EstimateRecord, df: str | None = None, vcov: RobustCovariance | None = None) -> FixedInference:
    """Inference about the fixed effects, prepared once for all questions that follow.

    Parameters
    ----------
    df : ``"satterthwaite"``, the default of linear models, ``"kenward-roger"``, or ``"asymptotic"``, the default of all
        others.
    vcov : a robust covariance in place of the model's, with its own degrees of freedom of the kind of Satterthwaite's.

    Raises
    ------
    SpecError
        If there are no such degrees of freedom, or the fit has none.
    """
    method, known = resolve_df(fit, df), inferences_of(fit)
    if vcov is not None and not isinstance(vcov, RobustCovariance):
        raise SpecError(
            f"vcov= is what fit.robust_vcov(cluster) gives, not {type(vcov).__name__}: degrees of freedom come with it."
        )
    if (method, vcov) not in known:
        provider = _provider(fit, method) if vcov is None else _robust(fit, method, vcov)
        known[method, vcov] = FixedInference(method, provider, fit.point, vcov)
    found: FixedInference = known[method, vcov]
    return found


def _robust(fit: EstimateRecord, method: str, vcov: RobustCovariance) -> Provider:
    if vcov.point is not fit.point:
        raise SpecError(f"vcov= is of another fit: {vcov.words}. Ask this one: fit.robust_vcov({vcov.cluster!r}).")
    if method == "kenward-roger":
        raise SpecError('df="kenward-roger" is about the model\'s own covariance: leave df= or vcov= out.')
    return vcov.inference if method == "satterthwaite" else Asymptotic(vcov.inference.cov, fit.point.beta_cov)


def fixed_inferences(
    fit: EstimateRecord, responses: Sequence[Array], found: PointEstimates, df: str | None = None
) -> list[FixedInference | None]:
    """The same of estimates for many responses ``(B, n)``, of each that the model has; None of failed ones.

    Parameters
    ----------
    fit : of the design, in whose coordinates the others are.
    """
    method, fitted = resolve_df(fit, df), (found.converged & ~found.failed).tolist()
    if method == "satterthwaite" and not fit.spec.has_row_covariance:
        every: Iterable[Provider | None] = satterthwaite_of_all(fit.design, responses[0], fit.point, found)
    elif method == "asymptotic":
        every = map(Asymptotic, found.beta_cov)
    else:
        every = (_alone(fit, responses, found, i, method) if is_fitted else None for i, is_fitted in enumerate(fitted))
    known = [one if is_fitted else None for one, is_fitted in zip(every, fitted, strict=True)]
    return [None if one is None else FixedInference(method, one, fit.point) for one in known]


def _alone(
    fit: EstimateRecord, responses: Sequence[Array], found: PointEstimates, i: int, method: str
) -> Provider | None:
    """What the inference of one of many estimates is made by."""
    design = fit.design.with_response(*(y[i] for y in responses))
    try:
        return _provider(one_of_many(fit, found, i, design), method)
    except (BayesmixError, np.linalg.LinAlgError):
        return None


def _provider(fit: EstimateRecord, method: str) -> Provider:
    match method:
        case "satterthwaite":
            if fit.spec.has_row_covariance:
                return correlated_satterthwaite(fit.design, fit.spec, fit.point)
            return satterthwaite(fit.design, fit.point)
        case "kenward-roger":
            point = estimate_again(fit, Reml()).point
            if fit.spec.has_row_covariance:
                return _checked(correlated_kenward_roger(fit.design, fit.spec, point))
            return _checked(kenward_roger(fit.design, point))
        case _:
            return Asymptotic(fit.point.covariance_of_fixed)


def _checked(found: KenwardRoger) -> KenwardRoger:
    if not np.all(np.isfinite(found.cov)):
        warn_user(
            "Kenward and Roger's covariance is not defined at a correlation of 1 or a standard deviation of 0 of this"
            ' structure: NaN. Ask for df="satterthwaite", or leave the effect out.',
            PredictionWarning,
        )
    return found


def inference_of(
    fit: FitRecord, df: str | None, adjust: str = "none", vcov: RobustCovariance | None = None
) -> FixedInference | None:
    """That of an estimate; None of a posterior, which refuses degrees of freedom and adjustments of tests."""
    adjustment(adjust)
    if isinstance(fit, EstimateRecord):
        return fixed_inference(fit, df, vcov)
    resolve_df(fit, df)
    if vcov is not None:
        raise SpecError("vcov= is a covariance of an estimate's fixed effects; a posterior has its draws. Leave it.")
    if adjust != "none" and adjust not in SIMULTANEOUS:
        raise SpecError(
            f"adjust={adjust!r} is for the tests of an estimate. Of a posterior ask for intervals that hold together,"
            ' adjust="simultaneous", or leave it.'
        )
    return None


def noted(table: pd.DataFrame, inference: FixedInference | None, adjust: str | None = None) -> pd.DataFrame:
    """The table, which says in ``attrs["intervals"]`` what its intervals and tests rest on.

    And in ``attrs["adjustment"]`` of tests for which number of them they are adjusted.
    """
    table.attrs["intervals"] = OF_POSTERIORS if inference is None else inference.words
    if inference is not None and adjust is not None:
        table.attrs["adjustment"] = adjustment(adjust).words
    elif adjust in SIMULTANEOUS:
        table.attrs["adjustment"] = SIMULTANEOUS_WORDS
    return table


def fixed_table(fit: EstimateRecord, inference: FixedInference) -> pd.DataFrame:
    """Fixed effects with their tests: ``estimate, std_error, df, statistic, p_value``, without ``df`` of z tests."""
    table = fit.fixef()
    rows = np.flatnonzero(np.isin(fit.design.fixed, table.index))
    table["std_error"] = standard_errors(reported_jacobian(fit.design.layout, fit.values.beta), inference.cov)[rows]
    freedom = inference.df(np.eye(len(fit.design.fixed))[rows])
    found = statistic_columns(table["estimate"].to_numpy(), table["std_error"].to_numpy(), freedom, letter="statistic")
    columns = found if inference.letter == "z" else {"df": freedom, **found}
    return table.assign(**columns)
