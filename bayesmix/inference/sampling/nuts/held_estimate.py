"""The estimate that NUTS takes its coordinates from, coefficients that run off held by their priors."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from bayesmix.inference.estimation.point_estimate import PointEstimate
from bayesmix.inference.parameters.priors_in_force import Priors
from bayesmix.inference.sampling.marginal.scatter import LOCATED
from bayesmix.inference.sampling.normal_posterior import normal_posterior

FAR = 10.0  # scales of its prior beyond which an estimate, or its standard error, is that of nothing


def held_by_priors(priors: Priors, point: PointEstimate) -> PointEstimate:
    """The estimate; where a coefficient ran off, coefficients and errors of a normal posterior under its priors.

    The likelihood that is left far out is flat, and a step of one standard error there leaves every prior: chains that
    began so stayed where they were.
    """
    gamma, covariance = priors.moments(point.beta, point.beta_cov)
    located = np.array([prior.kind in LOCATED for prior in priors.fixed], bool)
    mean, scale = np.zeros(len(gamma)), np.ones(len(gamma))
    for j in np.flatnonzero(located):
        mean[j], scale[j] = priors.fixed[j].arguments[-2:]
    z, own = (gamma - mean) / scale, covariance / np.outer(scale, scale)
    is_told = (np.abs(z) <= FAR) & (np.diagonal(own) <= FAR**2)  # and known: modes may be lost beside the optimum
    if np.all(is_told | ~located):
        return point
    standard = np.zeros(len(z)), located.astype(float)
    held, whole = normal_posterior(z, np.nan_to_num(own, posinf=0.0), np.eye(len(z)), standard)
    inverse = np.linalg.inv(priors.contrast)
    return replace(
        point, beta=inverse @ (mean + scale * held), beta_cov=inverse @ (whole * np.outer(scale, scale)) @ inverse.T
    )
