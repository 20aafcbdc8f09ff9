"""Responses of a row that depend on each other, all values of all rows as one multivariate normal distribution.

Independent of the code under test: ``v = (1 - B)^-1 (X beta + Z b + sigma e)`` for all responses and rows together, the
observed ones taken from it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy import stats

Array = np.ndarray


@dataclass(frozen=True, slots=True, eq=False)
class Dense:
    """Means and covariance of the values of ``k`` responses in ``n`` rows, response by response."""

    mean: Array  # (k n,)
    covariance: Array  # (k n, k n)

    def log_density(self, y: Array) -> float:
        """Of values ``(k, n)``, those that are NaN integrated out."""
        values = y.ravel()
        seen = ~np.isnan(values)
        marginal = stats.multivariate_normal(self.mean[seen], self.covariance[np.ix_(seen, seen)])
        return float(marginal.logpdf(values[seen]))

    def conditional(self, y: Array) -> tuple[Array, Array]:
        """Means and variances ``(k, n)`` given the values that are not NaN."""
        values = y.ravel()
        seen = ~np.isnan(values)
        gain = np.linalg.solve(self.covariance[np.ix_(seen, seen)], self.covariance[seen]).T
        mean = self.mean + gain @ (values[seen] - self.mean[seen])
        variance = np.diag(self.covariance) - np.sum(gain * self.covariance[:, seen], axis=1)
        return np.where(seen, values, mean).reshape(y.shape), np.where(seen, 0.0, variance).reshape(y.shape)


def dense(means: Array, noise: Array, slopes: Mapping[tuple[int, int], Array]) -> Dense:
    """The joint distribution.

    Parameters
    ----------
    means : (k, n) what responses are apart from others.
    noise : (k n, k n) covariance of what they are beside that: effects of groups and residuals.
    slopes : by response and the one that it depends on, ``(n,)``.
    """
    k, n = means.shape
    B = np.zeros((k, n, k, n))
    for (i, j), slope in slopes.items():
        B[i, np.arange(n), j, np.arange(n)] = slope
    root = np.linalg.inv(np.eye(k * n) - B.reshape(k * n, k * n))
    return Dense(root @ means.ravel(), root @ noise @ root.T)
