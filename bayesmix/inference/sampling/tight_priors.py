"""Default priors of coefficients that the data are far beyond: columns of other units than the defaults take them for.

A default prior is as wide as the spreads of response and column make it. A column such as ``I(x ** 2)`` far from
``x = 0`` varies mostly with ``x``, much more than its curvature does, whose prior is then so narrow that it holds the
coefficient at zero whatever the data.
"""

from __future__ import annotations

import numpy as np

from bayesmix.data.design.design import Design
from bayesmix.inference.estimation.identifiability import runaways
from bayesmix.inference.estimation.point_estimate import PointEstimate
from bayesmix.inference.parameters.prior_wording import short
from bayesmix.inference.parameters.priors_in_force import Priors
from bayesmix.language.formula.model_spec import ModelSpec
from bayesmix.language.priors.prior import Prior

FAR = 4.0  # sds of the prior from its mean to an estimate that counts as beyond it
MOVED = 1.0  # standard errors by which a prior may move what the data say


def tight_priors(priors: Priors, design: Design, spec: ModelSpec, point: PointEstimate) -> list[str]:
    """What is wrong, and what to do, of each default prior that is so; those that the user gave are meant.

    Data and prior are taken to be normal: the posterior's mean of a coefficient, estimated as ``g`` with standard error
    ``s``, is ``(g - m) s^2 / (s^2 + t^2)`` from there under a prior with mean ``m`` and standard deviation ``t``. Where
    coefficients run off, the standard error is none, and a prior is what keeps them.
    """
    gamma, covariance = priors.moments(point.beta, point.beta_cov)
    errors = np.sqrt(np.maximum(np.diagonal(covariance), 0.0))
    found = []
    columns = zip(priors.names, priors.fixed, gamma, errors, strict=True)
    for j, (name, prior, estimate, error) in enumerate(columns):
        is_meant = j in priors.intercepts or bool(spec.priors.keys() & {name, "fixed"})  # an intercept has no column
        if is_meant or not isinstance(prior, Prior) or prior.kind != "Normal":
            continue
        middle, width = prior.arguments
        away = abs(estimate - middle)
        if away > FAR * width and away * error > MOVED * (error**2 + width**2):
            found.append(
                f"The default prior of {name}, {short(prior)}, is far from its estimate, {estimate:.3g} with standard"
                f" error {error:.2g}: it decides the posterior. Next: subtract a number near its mean from the column"
                f' that {name} is made of, or state the prior: priors={{..., "{name}": "Flat"}}.'
            )
    return [] if found and runaways(design, spec, point) else found
