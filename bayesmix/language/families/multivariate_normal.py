"""The density of several gaussian responses of a row whose residuals are correlated."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from bayesmix.language.families.namespaces import Namespace


def kernel(
    xp: Namespace, y: Sequence[Any], mu: Sequence[Any], sigma: Sequence[Any], root: Sequence[Sequence[Any]]
) -> Any:
    """Log density of the responses of a row, on an array namespace.

    Parameters
    ----------
    y, mu, sigma : values, means and standard deviations, one a response.
    root : rows of the Cholesky factor of the correlation matrix, without the zeros above the diagonal.
    """
    total: Any = -0.5 * len(y) * math.log(2.0 * math.pi)
    independent: list[Any] = []  # standardised residuals, each given those before
    for value, mean, spread, row in zip(y, mu, sigma, root, strict=True):
        left = (value - mean) / spread
        for entry, before in zip(row[:-1], independent, strict=True):
            left = left - entry * before
        last = left / row[-1]
        independent.append(last)
        square = last * last  # a product: powers of polynomials cost more
        total = total - 0.5 * square - xp.log(row[-1]) - xp.log(spread)
    return total
