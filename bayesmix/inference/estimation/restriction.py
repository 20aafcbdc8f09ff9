"""Hypotheses that a smaller space of fixed columns is enough: restriction matrices of nested models."""

from __future__ import annotations

import numpy as np

from bayesmix.arrays import Array
from bayesmix.data.design.matrix import independent


def restriction(large: Array, small: Array) -> Array:
    """Contrasts ``(q, p)`` of the larger model's coefficients that are zero where the smaller one holds.

    Parameters
    ----------
    large : ``(n, p)`` columns, of full rank.
    small : ``(n, p0)`` columns in their space, of any rank.

    Notes
    -----
    Orthonormal rows, in the order of pbkrtest's ``model2restriction_matrix`` (Halekoh and Hojsgaard 2014), on which
    Satterthwaite's degrees of freedom of several rows depend.
    """
    both = np.column_stack([small, large])
    kept = independent(both)
    Q = np.linalg.qr(both[:, list(kept)])[0]
    beside = Q[:, sum(j < small.shape[1] for j in kept) :]
    return np.asarray(np.linalg.qr((beside.T @ large).T)[0].T)
