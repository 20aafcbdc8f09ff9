"""The restricted likelihood of a generalized linear mixed model: fixed effects integrated out, too.

With ``d(theta, beta)`` minus twice the log-likelihood and flat fixed effects, Laplace's method gives

    -2 log integral L dbeta  =  min over beta of d(theta, beta)  +  log|H / 2|  +  constant,

``H`` the second derivative of ``d`` by beta there. For gaussian responses this is REML exactly; from a Laplace estimate
it is what glmmTMB maximises with ``REML = TRUE``. From a quadrature estimate the Laplace approximation is tilted, by a
linear function, so that its maximum is that estimate: one evaluation of quadrature costs that of many of Laplace's.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from bayesmix.arrays import Array
from bayesmix.data.design.design import Design
from bayesmix.data.design.distinct_rows import distinct
from bayesmix.inference.estimation.conditional_mode import generalized_problem
from bayesmix.inference.estimation.generalized import MarginalLikelihood
from bayesmix.inference.estimation.methods import Agq, Laplace
from bayesmix.inference.estimation.point_estimate import PointEstimate
from bayesmix.language.formula.model_spec import ModelSpec

STEP = 0.05  # of the differences by beta, in standard errors
SLOPE = 1e-3  # of those by the other parameters, which are of order one
CLOSE = 1e-3  # standard errors that the last Newton step may have left
MAX_NEWTON = 20  # steps by the fixed effects
MAX_STEPS = 50  # of the search by the other parameters
AT_LIMIT = 1  # how SciPy's search says that it came to its limit of steps
MOST = 12  # fixed effects, and other parameters, up to which differences are affordable


@dataclass(slots=True, eq=False)
class _Restricted:
    """The criterion as a function of ``(theta, log dispersion)``; remembers where the last minimum by beta was."""

    likelihood: MarginalLikelihood
    best: Array  # the estimate, in all coordinates of the likelihood
    tilt: Array  # gradient to take off, so that the estimate is where the likelihood is largest
    root: Array  # (p, p) Cholesky factor of the covariance of beta
    at: Array  # (p,) the last minimum, in standard errors from the estimate

    def point(self, z: Array, t: Array) -> Array:
        """All coordinates of the likelihood."""
        m, p = self.likelihood.problem.coordinates.size, len(t)
        return np.concatenate([z[:m], self.best[m : m + p] + self.root @ t, z[m:]])

    def value(self, z: Array) -> float:
        """Minus twice the restricted log-likelihood, up to a constant.

        Raises
        ------
        numpy.linalg.LinAlgError
            If the minimum by beta is not found.
        """
        for _ in range(MAX_NEWTON):
            centre, gradient = self._by_beta(z, self.at)
            shifts = STEP * np.eye(len(self.at))
            slopes = [self._by_beta(z, self.at + s)[1] - self._by_beta(z, self.at - s)[1] for s in shifts]
            hessian = np.array(slopes) / (2.0 * STEP)
            hessian = 0.5 * (hessian + hessian.T)
            step = -np.linalg.solve(hessian, gradient)
            self.at = self.at + step
            if np.max(np.abs(step), initial=0.0) < CLOSE:
                return centre + 0.5 * float(gradient @ step) + float(np.linalg.slogdet(0.5 * hessian)[1])
        raise np.linalg.LinAlgError("no minimum by the fixed effects")

    def _by_beta(self, z: Array, t: Array) -> tuple[float, Array]:
        """Tilted criterion and its gradient by beta, in standard errors."""
        x = self.point(z, t)
        m, p = self.likelihood.problem.coordinates.size, len(t)
        value, gradient = self.likelihood(x)
        return value - float(self.tilt @ (x - self.best)), self.root.T @ (gradient - self.tilt)[m : m + p]

    def __call__(self, z: Array) -> tuple[float, Array]:
        """Value and gradient."""
        value = self.value(z)
        slopes = [(self.value(z + shift) - self.value(z - shift)) / (2.0 * SLOPE) for shift in SLOPE * np.eye(len(z))]
        return value, np.array(slopes)


def restricted_estimate(design: Design, spec: ModelSpec, point: PointEstimate) -> PointEstimate | None:
    """Maximise the restricted likelihood from a Laplace or quadrature estimate; None where that would be dear or fails.

    The fixed effects are those at which the likelihood is largest, given the other parameters; without any of these
    the restricted estimate is the estimate itself, and None is returned too.
    """
    if not isinstance(point.method, Laplace | Agq):
        return None
    from scipy.optimize import minimize  # a fifth of a second to load

    problem = generalized_problem(distinct(design, spec), point.coordinates, spec)
    likelihood = MarginalLikelihood(problem, Laplace())
    best, m, p = point.optimum.x, point.coordinates.size, len(point.beta)
    rest = np.r_[0:m, m + p : len(best)]
    if not len(rest) or max(p, len(rest)) > MOST:
        return None
    try:
        covariance = np.linalg.inv(0.5 * point.optimum.hessian)
        covariance = 0.5 * (covariance + covariance.T)
        root = np.linalg.cholesky(covariance[m : m + p, m : m + p])
        inverse = 0.5 * covariance[np.ix_(rest, rest)]
        np.linalg.cholesky(inverse)
        objective = _Restricted(likelihood, best, likelihood(best)[1], root, np.zeros(p))
        options = {"gtol": 1e-3, "maxiter": MAX_STEPS, "hess_inv0": inverse}
        found = minimize(objective, best[rest], jac=True, method="BFGS", options=options)
        objective.value(found.x)
    except np.linalg.LinAlgError:
        return None
    if found.status == AT_LIMIT:
        return None
    return _with(point, likelihood, objective.point(found.x, objective.at))


def _with(point: PointEstimate, likelihood: MarginalLikelihood, x: Array) -> PointEstimate:
    """The estimate moved to other parameters."""
    working = point.coordinates
    theta, beta, dispersion = likelihood.split(x)
    return replace(
        point,
        beta=working.T @ beta,
        covariances=tuple(working.covariances(theta)),
        dispersion=dispersion if likelihood.has_dispersion else None,
        b=tuple(working.of_terms(likelihood.mode(x).b)),
        theta=theta,
    )
