"""Normal variables of a row that depend on each other in one direction, some of which were not observed.

``v_j = mu_j + sum_k b_jk v_k + sigma_j e_j`` for ``k`` before ``j``. Variables are taken one after the other, as a
Kalman filter takes observations: means and covariances of those that are missing, given the observed ones so far.
Every quantity may be a number, an array of rows, a polynomial or a symbol.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from bayesmix.language.families.namespaces import Namespace


@dataclass(frozen=True, slots=True, eq=False)
class Equation:
    """A variable given those that it depends on."""

    mu: Any
    sigma: Any
    slopes: Mapping[int, Any]  # by variable, of those before
    value: Any  # anything finite where it was not observed
    seen: Any = None  # one where it was observed, zero elsewhere; None if it was everywhere


@dataclass(frozen=True, slots=True, eq=False)
class State:
    """Moments of the variables so far given all observations of these."""

    means: Mapping[int, Any] = field(default_factory=dict)  # the values themselves where these were observed
    covariances: Mapping[tuple[int, int], Any] = field(default_factory=dict)  # by pairs, the smaller first; of those
    # that are missing in some rows

    @property
    def uncertain(self) -> list[int]:
        """The variables that are missing in some rows."""
        return [i for i, j in self.covariances if i == j]

    def covariance(self, i: int, j: int) -> Any:
        """That of two variables; zero where one of them was observed."""
        return self.covariances.get((min(i, j), max(i, j)), 0.0)


@dataclass(frozen=True, slots=True, eq=False)
class Predicted:
    """A variable given the observations of those before."""

    mean: Any
    variance: Any
    covariances: Mapping[int, Any]  # with the missing ones


def predicted(state: State, equation: Equation) -> Predicted:
    """The distribution of a variable before it was observed."""
    mean, variance = equation.mu, equation.sigma * equation.sigma
    for k, slope in equation.slopes.items():
        mean = mean + slope * state.means[k]
    own = [k for k in equation.slopes if (k, k) in state.covariances]
    covariances = {i: _with(state, i, own, equation.slopes) for i in state.uncertain if own}
    for k in own:
        variance = variance + equation.slopes[k] * covariances[k]
    return Predicted(mean, variance, covariances)


def _with(state: State, i: int, own: Sequence[int], slopes: Mapping[int, Any]) -> Any:
    """Covariance of a missing variable with a combination of missing ones."""
    total = slopes[own[0]] * state.covariance(i, own[0])
    for k in own[1:]:
        total = total + slopes[k] * state.covariance(i, k)
    return total


def updated(state: State, j: int, equation: Equation, found: Predicted) -> State:
    """The moments after a variable was observed, in the rows where it was."""
    error, seen = equation.value - found.mean, equation.seen
    means, covariances = dict(state.means), dict(state.covariances)
    for i, own in found.covariances.items():
        gain = own / found.variance if seen is None else seen * own / found.variance
        means[i] = means[i] + gain * error
        for k, other in found.covariances.items():
            if (i, k) in covariances:
                covariances[i, k] = covariances[i, k] - gain * other
    if seen is None:
        return State({**means, j: equation.value}, covariances)
    means[j] = found.mean + seen * error
    for i, own in found.covariances.items():
        covariances[min(i, j), max(i, j)] = (1.0 - seen) * own
    covariances[j, j] = (1.0 - seen) * found.variance
    return State(means, covariances)


def log_density(xp: Namespace, equation: Equation, found: Predicted) -> Any:
    """Log density of a variable where it was observed, zero elsewhere."""
    error = equation.value - found.mean
    rows = -0.5 * (error * error / found.variance + xp.log(found.variance) + math.log(2.0 * math.pi))
    return rows if equation.seen is None else equation.seen * rows


def kernel(xp: Namespace, order: Sequence[int], equations: Mapping[int, Equation]) -> tuple[Any, State]:
    """Log density of what was observed of each row, and the moments of what was not.

    Parameters
    ----------
    order : variables, each after those that it depends on.
    """
    total, state = 0.0, State()
    for j in order:
        found = predicted(state, equations[j])
        total = total + log_density(xp, equations[j], found)
        state = updated(state, j, equations[j], found)
    return total, state
