"""Estimates of one design for many responses: bootstrap, power and coverage refit a model by the thousand.

With the design fixed only the cross-products with the response change, and all responses are fitted in one batch, each
with the promise of a single fit. Those whose end is in doubt after that are fitted alone.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import numpy as np

from bayesmix.arrays import Array
from bayesmix.data.design.design import Design
from bayesmix.errors import BayesmixError, BayesmixWarning
from bayesmix.inference.estimation.boundary import can_follow
from bayesmix.inference.estimation.conditional_mode import generalized_problem
from bayesmix.inference.estimation.conditional_modes import with_responses as modes_of
from bayesmix.inference.estimation.estimate import estimate, of_all_rows
from bayesmix.inference.estimation.generalized import latent_variance
from bayesmix.inference.estimation.generalized_refits import refit_laplace
from bayesmix.inference.estimation.linear_refits import refit_linear
from bayesmix.inference.estimation.methods import Laplace, Method, Ml, Reml
from bayesmix.inference.estimation.moment_start import moment_start
from bayesmix.inference.estimation.point_estimate import PointEstimate
from bayesmix.inference.estimation.point_estimates import PointEstimates, joined, none_of, one_of
from bayesmix.inference.estimation.reml import EXACT, linear_problem, with_responses
from bayesmix.language.formula.model_spec import ModelSpec
from bayesmix.parallel.threads import one_blas_thread


@one_blas_thread()
def refit_all(
    design: Design, spec: ModelSpec, method: Method, responses: Sequence[Array], near: PointEstimate
) -> PointEstimates:
    """Estimates for many responses of one design.

    Parameters
    ----------
    responses : ``(B, n)`` of each response of the model, as `replicated` draws them.
    near : an estimate of the design, by the same method, for responses like these.

    Returns
    -------
    PointEstimates
        NaN where a response cannot be fitted.
    """
    near = of_all_rows(design, spec, near)
    found = _together(design, spec, method, responses, near)
    if found is None:
        return _one_by_one(design, spec, method, responses, np.arange(len(responses[0])), near)
    doubtful = np.flatnonzero(~found.converged)
    if not len(doubtful):
        return found
    return found.with_others(doubtful, _one_by_one(design, spec, method, responses, doubtful, near))


def _together(
    design: Design, spec: ModelSpec, method: Method, responses: Sequence[Array], near: PointEstimate
) -> PointEstimates | None:
    """Estimates of one batch; None for models that have none."""
    working = near.coordinates
    match method:
        case Reml() | Ml() if spec.is_linear and (design.outcome.has_known_noise or not can_follow(working)):
            return _refit_linear(design, method, responses[0], near)
        case Laplace() if has_modes(design, spec):
            problem = generalized_problem(design, working, spec)
            if latent_variance(problem) is None:
                return refit_laplace(modes_of(problem, responses[0]), len(responses[0]), near)
    return None


def has_modes(design: Design, spec: ModelSpec) -> bool:
    """Whether conditional modes of a model can be found in one batch."""
    return bool(spec.is_simple and design.terms and design.outcome.bounds is None)


def _refit_linear(design: Design, method: Reml | Ml, responses: Array, near: PointEstimate) -> PointEstimates:
    working = near.coordinates
    problem = with_responses(linear_problem(design, working), design, responses)
    starts = np.broadcast_to(moment_start(problem), (len(responses), working.size))
    found = refit_linear(problem, method, near, starts)
    exact = problem.moments.XX[:, -1, -1] <= EXACT * np.sum(design.weights * (responses - design.offset) ** 2, axis=1)
    found.converged[exact] = False
    return found


def _one_by_one(
    design: Design, spec: ModelSpec, method: Method, responses: Sequence[Array], some: Array, near: PointEstimate
) -> PointEstimates:
    """Single fits of some of the responses."""
    parts = [fitted_alone(design.with_response(*(y[i] for y in responses)), spec, method) for i in some]
    missing = none_of(one_of(near))
    return joined([missing if part is None else one_of(part) for part in parts])


def fitted_alone(design: Design, spec: ModelSpec, method: Method) -> PointEstimate | None:
    """A single fit; None where there is no estimate."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", BayesmixWarning)
        try:
            return estimate(design, spec, method)
        except (BayesmixError, np.linalg.LinAlgError):
            return None
