"""Replicates of a study of power: data drawn from parameters, fitted, and the hypothesis tested."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from bayesmix.arrays import Array
from bayesmix.data.design.design import Design
from bayesmix.errors import BayesmixError, BayesmixWarning, SpecError
from bayesmix.inference.estimation.methods import Method, likelihood_method
from bayesmix.inference.estimation.point_estimates import PointEstimates
from bayesmix.inference.estimation.refits import refit_all
from bayesmix.inference.parameters.names import Parameters
from bayesmix.language.formula.model_spec import ModelSpec
from bayesmix.results.fits.fitted_model import Fitted
from bayesmix.results.fits.fixed_inference import fixed_inferences
from bayesmix.results.fits.records import EstimateRecord
from bayesmix.results.fits.refit import estimate_model
from bayesmix.results.prediction.hypothesis import LinearHypothesis
from bayesmix.results.prediction.simulation import draws_at, replicated
from bayesmix.studies.tested_hypothesis import Tested, wald_test

COLUMNS = ("truth", "estimate", "std_error", "df", "p_value", "singular", "failed")
NOTHING = Tested(np.nan, np.nan, np.nan, np.nan)


@dataclass(frozen=True, slots=True, eq=False)
class Setting:
    """What a worker needs; it pickles."""

    spec: ModelSpec
    method: Method  # of the estimates
    values: Parameters  # that data come from, one leading axis: those of an estimate, or draws
    hypothesis: LinearHypothesis
    df: str | None
    is_ratio: bool  # whether the test is the likelihood ratio


def run_batch(setting: Setting, design: Design, draws: Sequence[int], seeds: Sequence[int]) -> list[list[float]]:
    """Replicates of one design, a row of `COLUMNS` each.

    Parameters
    ----------
    draws : the parameters that each comes from.
    seeds : of its responses.
    """
    hypothesis = setting.hypothesis
    truth = setting.values.beta[list(draws)] @ hypothesis.L.T - hypothesis.null
    responses = simulated(setting, design, draws, seeds)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", BayesmixWarning)
        tests = tested(setting, design, responses)
    is_one = len(hypothesis.L) == 1
    return [
        [float(own[0]) if is_one else np.nan, t.estimate, t.std_error, t.df, t.p_value, singular, np.isnan(t.p_value)]
        for own, (t, singular) in zip(truth, tests, strict=True)
    ]


def simulated(setting: Setting, design: Design, draws: Sequence[int], seeds: Sequence[int]) -> list[Array]:
    """Responses ``(B, n)``, of each that a model has; effects of all levels are new. Each depends on its seed alone."""
    try:
        found = [
            replicated(setting.spec, design, draws_at(setting.values, np.array([draw])), groups="new", seed=seed)
            for draw, seed in zip(draws, seeds, strict=True)
        ]
    except ValueError as error:
        if "too large" not in str(error):  # NumPy's words for counts beyond its integers
            raise
        raise SpecError(
            "With these parameters responses are larger than any count that can be drawn. An effect is on the scale of"
            " the linear predictor: with a logarithm as link, 0.1 multiplies the mean by exp(0.1) for each unit."
        ) from None
    return [np.concatenate(own) for own in zip(*found, strict=True)]


def tested(setting: Setting, design: Design, responses: Sequence[Array]) -> list[tuple[Tested, bool]]:
    """The test of the hypothesis by each data set, and whether its estimate is singular."""
    method = likelihood_method(setting.method, setting.spec) if setting.is_ratio else setting.method
    fits = refitted(design, setting.spec, method, responses)
    if fits is None:
        return [(NOTHING, False)] * len(responses[0])
    by = _ratios if setting.is_ratio else _wald
    return list(zip(by(setting, design, responses, fits), fits[1].singular.any(axis=1).tolist(), strict=True))


Fits = tuple[EstimateRecord, PointEstimates]  # one for responses like these, and those for all


def refitted(design: Design, spec: ModelSpec, method: Method, responses: Sequence[Array]) -> Fits | None:
    """Estimates for many responses of a design; None where none of them can be fitted."""
    for own in zip(*responses, strict=True):
        try:
            near = estimate_model(Fitted(spec, design.with_response(*own), ""), method)
        except (BayesmixError, np.linalg.LinAlgError):
            continue
        return near, refit_all(design, spec, method, responses, near.point)
    return None


def _wald(setting: Setting, design: Design, responses: Sequence[Array], fits: Fits) -> list[Tested]:
    near, found = fits
    inferences = fixed_inferences(near, responses, found, setting.df)
    pairs = zip(found.beta, inferences, strict=True)
    return [NOTHING if one is None else wald_test(setting.hypothesis, beta, one) for beta, one in pairs]


def _ratios(setting: Setting, design: Design, responses: Sequence[Array], fits: Fits) -> list[Tested]:
    """Likelihood ratio tests, with normal standard errors."""
    from scipy.special import chdtrc

    found, hypothesis, L = fits[1], setting.hypothesis, setting.hypothesis.L
    smaller = refitted(without(design, hypothesis), setting.spec, found.method, responses)
    if smaller is None:
        return [NOTHING] * len(found)
    are_fitted = found.converged & ~found.failed & smaller[1].converged & ~smaller[1].failed
    p = chdtrc(len(L), np.maximum(smaller[1].criterion - found.criterion, 0.0))
    value, errors = found.beta @ L.T - hypothesis.null, np.sqrt(np.einsum("rp,bpq,rq->br", L, found.beta_cov, L))
    known = (value[:, 0], errors[:, 0]) if len(L) == 1 else np.full((2, len(p)), np.nan)
    tests = [Tested(float(v), float(e), np.inf, float(own)) for v, e, own in zip(*known, p, strict=True)]
    return [one if is_fitted else NOTHING for one, is_fitted in zip(tests, are_fitted, strict=True)]


def without(design: Design, hypothesis: LinearHypothesis) -> Design:
    """The design without the columns whose coefficients are zero under a hypothesis.

    Raises
    ------
    SpecError
        If it is not of that kind.
    """
    columns = np.flatnonzero(hypothesis.L.any(axis=0))
    is_unit = np.array_equal(hypothesis.L[:, columns], np.eye(len(hypothesis.L)))
    if not is_unit or np.any(hypothesis.null != 0.0) or hypothesis.sign != "=":
        raise SpecError(
            f'The likelihood ratio tests that coefficients are zero, not `{hypothesis.text}`: use statistic="wald".'
        )
    kept = [j for j in range(len(design.fixed)) if j not in columns]
    layout = replace(
        design.without_source().layout,
        fixed=tuple(design.fixed[j] for j in kept),
        owners=tuple(design.layout.owners[j] for j in kept),
    )
    return replace(design.with_rows(X=design.X[:, kept]), layout=layout)
