"""Maps from the free numbers of a sampler to parameters on their own scale, with their Jacobians."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from bayesmix.arrays import Array


@dataclass(frozen=True, slots=True, eq=False)
class Affine:
    """Numbers on the real line: ``location + root @ free``."""

    location: Array  # (m,)
    scale: Array  # (m, m) lower triangular

    def forward(self, free: Any, location: Any, scale: Any, bounds: Sequence[Any], *, xp: Any) -> tuple[Any, Any]:
        """Values, and the log derivative by the free numbers, of NumPy's arrays or PyTensor's symbols."""
        return location + free @ scale.T, xp.log(xp.diagonal(scale)).sum()

    def backward(self, values: Array, bounds: Sequence[Array]) -> Array:
        """Free numbers ``(m,)`` of values."""
        return np.linalg.solve(self.scale, values - self.location)


@dataclass(frozen=True, slots=True, eq=False)
class Scaled:
    """Numbers on the real line, one by one: ``location + scale * free``."""

    location: Array  # (m,) or ()
    scale: Array

    def forward(self, free: Any, location: Any, scale: Any, bounds: Sequence[Any], *, xp: Any) -> tuple[Any, Any]:
        """Values, and the log derivative by the free numbers."""
        return location + scale * free, xp.log(scale).sum()

    def backward(self, values: Array, bounds: Sequence[Array]) -> Array:
        """Free numbers of values."""
        return np.asarray((values - self.location) / self.scale)


@dataclass(frozen=True, slots=True, eq=False)
class Log:
    """Numbers above a bound: logarithms of what they are more are ``location + scale * free``."""

    location: Array  # (m,) or ()
    scale: Array
    bound: float = 0.0

    def forward(self, free: Any, location: Any, scale: Any, bounds: Sequence[Any], *, xp: Any) -> tuple[Any, Any]:
        """Values, and the log derivative by the free numbers."""
        line = location + scale * free
        above = xp.exp(line)
        return (self.bound + above if self.bound else above), (line + xp.log(scale)).sum()

    def backward(self, values: Array, bounds: Sequence[Array]) -> Array:
        """Free numbers of values."""
        return np.asarray((np.log(values - self.bound) - self.location) / self.scale)


@dataclass(frozen=True, slots=True, eq=False)
class Logit:
    """Numbers between two bounds: logits are ``location + scale * free``."""

    location: Array  # (m,) or ()
    scale: Array

    def forward(self, free: Any, location: Any, scale: Any, bounds: Sequence[Any], *, xp: Any) -> tuple[Any, Any]:
        """Values, and the log derivative by the free numbers."""
        line = location + scale * free
        lower, upper = bounds
        log_slope = -xp.log1p(xp.exp(line)) - xp.log1p(xp.exp(-line))
        values = lower + (upper - lower) / (1.0 + xp.exp(-line))
        return values, (log_slope + xp.log(scale) + xp.log(upper - lower)).sum()

    def backward(self, values: Array, bounds: Sequence[Array]) -> Array:
        """Free numbers of values."""
        lower, upper = bounds
        return np.asarray((np.log(values - lower) - np.log(upper - values) - self.location) / self.scale)


Move = Affine | Scaled | Log | Logit
