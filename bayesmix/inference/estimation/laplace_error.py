"""Laplace's optimum held against quadrature: one that is worse than no random effects at all is none of the likelihood.

Of sets of outcomes that are nearly all alike the approximation can rise where the likelihood falls: 49 successes of 50
had an optimum at a standard deviation of 5.7 and a logit of 8.4, where the likelihood's is at zero and 3.9.
"""

from __future__ import annotations

import numpy as np

from bayesmix.data.design.design import Design
from bayesmix.inference.estimation.conditional_mode import generalized_problem
from bayesmix.inference.estimation.generalized import MarginalLikelihood
from bayesmix.inference.estimation.methods import Agq, Laplace
from bayesmix.inference.estimation.point_estimate import PointEstimate
from bayesmix.inference.estimation.starting_values import without_random_effects
from bayesmix.language.formula.model_spec import ModelSpec

POINTS = 100  # of quadrature: 25 are 0.1 off where the approximation is that bad
WORSE = 0.1  # of minus twice the log-likelihood: less is an error as all of Laplace's numbers have
MANY_ROWS = 20_000  # distinct ones: so many outcomes are not nearly all alike in every level, and take a second
LARGE_SD = 1.0  # of effects on the scale of a link: smaller ones Laplace's method gets right


def laplace_errors(design: Design, spec: ModelSpec, point: PointEstimate) -> list[str]:
    """Say of a single random effect of binomial outcomes that its optimum is Laplace's alone: one sentence, or none."""
    working = point.coordinates
    is_one = working.takes_quadrature and len(design.terms) == 1
    if not (is_one and isinstance(point.method, Laplace) and spec.is_simple and spec.family.response == "binomial"):
        return []
    (sd,) = point.parameters.sd
    is_small = len(design.y) <= MANY_ROWS and len(design.terms[0].effects) == 1 and spec.dispersion is None
    if not (is_small and float(np.max(sd)) > LARGE_SD):
        return []
    problem = generalized_problem(design, working, spec)
    likelihood = MarginalLikelihood(problem, Agq(POINTS))
    try:
        at = likelihood.value(np.concatenate([point.theta, np.linalg.solve(working.T, point.beta)]))
        without = likelihood.value(np.concatenate([0.0 * point.theta, without_random_effects(problem).beta]))
    except np.linalg.LinAlgError:
        return []
    if not at > without + WORSE:
        return []
    return [
        f"The Laplace approximation fails: by quadrature -2 log-likelihood is {at:.2f} at this estimate, and"
        f" {without:.2f} without random effects. Of outcomes that are nearly all alike its optimum is far from the"
        " likelihood's, and its numbers mean little. Use quadrature, model.estimate(bmx.Agq(points=15)), or sample"
        " (model.sample())."
    ]
