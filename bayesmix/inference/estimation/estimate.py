"""Point estimates: REML and ML for linear, Laplace and adaptive quadrature for generalized linear mixed models."""

from __future__ import annotations

from dataclasses import replace
from typing import assert_never

import numpy as np

from bayesmix.data.design.design import Design
from bayesmix.data.design.distinct_rows import distinct
from bayesmix.errors import FitError, SpecError
from bayesmix.inference.estimation.conditional_mode import (
    generalized_problem,
)
from bayesmix.inference.estimation.correlated import correlated_coordinates, fit_correlated
from bayesmix.inference.estimation.dispersed_starts import units
from bayesmix.inference.estimation.far_offsets import brought, brought_near, carried_back
from bayesmix.inference.estimation.generalized import fit_generalized, pulled_back
from bayesmix.inference.estimation.identifiability import separated
from bayesmix.inference.estimation.linear import fit_linear
from bayesmix.inference.estimation.methods import Agq, Laplace, Method, Ml, Reml
from bayesmix.inference.estimation.point_estimate import PointEstimate
from bayesmix.inference.estimation.reml import check_variation, linear_problem
from bayesmix.inference.least_squares.scaling import Coordinates, coordinates, on_rows
from bayesmix.inference.parameters.heavy_tails import check_normal
from bayesmix.inference.parameters.one_predictor import one_predictor
from bayesmix.inference.parameters.predictor_priors import means_at
from bayesmix.inference.parameters.smoothed import check_smooth
from bayesmix.language.formula.model_spec import ModelSpec
from bayesmix.parallel.threads import one_blas_thread

NO_ESTIMATE = (
    "REML, ML, Laplace and quadrature integrate normal ones out",
    'Sample with NUTS, model.sample(); for an estimate with normal effects leave `dist = "student"` out.',
)


@one_blas_thread()
def estimate(design: Design, spec: ModelSpec, method: Method) -> PointEstimate:
    """Fit the model by ``method``.

    Raises
    ------
    SpecError
        If quadrature is asked for a model with several grouping factors, the density of a response has kinks, or
        effects have a t distribution.
    FitError
        If the numbers of the data are beyond what can be computed with.
    """
    check_smooth(spec)
    check_normal(design.terms, *NO_ESTIMATE)
    try:
        if spec.has_row_covariance:
            return fit_correlated(design, spec, _linear(method))
        return _estimate(design, spec, method)
    except np.linalg.LinAlgError as error:
        largest = float(np.max(np.abs(design.y), initial=0.0))
        raise FitError(
            f"The criterion cannot be computed where the search led ({error}). `{design.response}` reaches"
            f" {largest:.3g}: check it for extreme values, and the predictors for extreme scales."
        ) from error


def _linear(method: Method) -> Reml | Ml:
    assert isinstance(method, Reml | Ml)  # `resolve_method` has seen to it
    return method


def working_coordinates(design: Design, spec: ModelSpec) -> Coordinates:
    """The coordinates that the estimate of a model is computed in: those of its distinct rows."""
    design = distinct(design, spec)
    if spec.has_row_covariance:
        return correlated_coordinates(one_predictor(design, spec, 0))
    is_relative = spec.is_simple and design.outcome.bounds is None  # covariances are those of the noise, or of a link
    means = {design.of_predictor(r)[0]: means_at(design, spec, r) for r in design.layout.thresholds}
    return coordinates(design, None if is_relative else units(design, spec), means)


def of_all_rows(design: Design, spec: ModelSpec, point: PointEstimate) -> PointEstimate:
    """An estimate with the coordinates of all rows of its design, in place of those of the distinct ones."""
    if distinct(design, spec) is design:
        return point
    return replace(point, coordinates=on_rows(point.coordinates, design))


def _estimate(design: Design, spec: ModelSpec, method: Method) -> PointEstimate:
    design = distinct(design, spec)
    working = working_coordinates(design, spec)
    if isinstance(method, Agq) and not working.takes_quadrature:
        levels = ", of independent levels" if working.is_joint else ""
        raise SpecError(f"Quadrature needs exactly one grouping factor{levels}; use the Laplace approximation instead.")
    match method:
        case Reml() | Ml() if spec.is_linear:
            problem = linear_problem(design, working)
            check_variation(design, problem)
            return fit_linear(problem, method)
        case Reml() | Laplace() | Agq():
            return _generalized(design, spec, working, method)
        case Ml():
            raise SpecError(f"{method} is of linear models; that of all others is Laplace() or Agq(points=...).")
        case _:
            assert_never(method)


def _generalized(design: Design, spec: ModelSpec, working: Coordinates, method: Reml | Laplace | Agq) -> PointEstimate:
    near, level = brought_near(design, spec)
    problem = generalized_problem(near, working, spec, restricted=isinstance(method, Reml))
    point = fit_generalized(problem, method)
    return carried_back(point, problem, level) if level.any() else point


def less_far_out(design: Design, spec: ModelSpec, point: PointEstimate) -> PointEstimate:
    """The estimate; of separated outcomes where a slight pull holds it, for the deviance is flat at its end.

    The criterion stays that of the end, nearly the lowest: rises that were measured from another one, by a search from
    where it is held, were 6e-5 too small, and profiles began anew wherever they came lower.
    """
    if not isinstance(point.method, Laplace | Agq):
        return point
    design = distinct(design, spec)
    if separated(design, spec, point) is None:
        return point
    near, level = brought_near(design, spec)
    problem = generalized_problem(near, point.coordinates, spec)
    held = pulled_back(problem, point.method, brought(point, problem, level))
    held = replace(held, criterion=min(held.criterion, point.criterion))
    return carried_back(held, problem, level) if level.any() else held
