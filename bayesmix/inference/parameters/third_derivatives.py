"""Third derivatives of rows each of which knows few of the predictors.

Of 20 categories and 500 rows those by all of them are four million numbers, all but 14 000 of which are zero.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import permutations

import numpy as np

from bayesmix.arrays import Array
from bayesmix.language.families.derivatives import Derivatives


@dataclass(frozen=True, slots=True, eq=False)
class LocalThird:
    """Third derivatives by the predictors that a row knows."""

    values: Array  # (m, m, m, n)
    places: Array  # (m, n) which predictors these are

    def contract(self, forms: Array) -> Array:
        """Derivatives ``(N,)`` of ``sum tr(S_i dW_i)`` by all predictors, from ``forms (R, R, n)``.

        Of ``(R, R, 1)`` all rows have one.
        """
        n = self.places.shape[-1]
        rows = np.arange(n)
        own = forms[self.places[:, None], self.places, rows if forms.shape[-1] == n else 0]
        total = np.zeros((len(forms), n))
        total[self.places, rows] = np.einsum("stn,rstn->rn", own, self.values)  # no two places of a row are the same
        return total.reshape(-1)


def local_third(found: Derivatives, predictors: Sequence[int]) -> LocalThird:
    """Of derivatives by the parameters of a response, which ``predictors`` are of."""
    assert found.places is not None
    m, n = found.places.shape
    values = np.zeros((m, m, m, n))
    for by, own in found.partial.items():
        for one in set(permutations(by)) if len(by) == values.ndim - 1 else ():
            values[one] = own
    return LocalThird(values, np.asarray(predictors)[found.places])
