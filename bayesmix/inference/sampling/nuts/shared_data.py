"""Numbers of a graph packed into four arrays: what compiled code takes costs compile time by the piece."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from bayesmix.arrays import Array

NAMES = ("constants", "rows", "codes", "indices")


@dataclass(slots=True, eq=False)
class Packed:
    """Symbols of numbers as they are asked for, and the arrays that the symbols are parts of.

    ``constants (m,)`` holds priors and coordinates, ``rows (c, n)`` columns of the data, ``codes (terms, n)`` levels,
    ``indices (m,)`` the levels that others are nested in.
    """

    symbols: dict[str, Any] = field(default_factory=dict)
    _constants: list[Array] = field(default_factory=list)
    _rows: list[Array] = field(default_factory=list)
    _codes: list[Array] = field(default_factory=list)
    _indices: list[Array] = field(default_factory=list)
    _size: int = 0
    _index_size: int = 0

    def __post_init__(self) -> None:
        import pytensor

        empty = (np.zeros(0), np.zeros((0, 0)), np.zeros((0, 0), np.int64), np.zeros(0, np.int64))
        self.symbols = {name: pytensor.shared(value, name) for name, value in zip(NAMES, empty, strict=True)}

    def constant(self, name: str, value: Array) -> Any:
        """A number or an array of numbers."""
        value = np.asarray(value, float)
        start = self._size
        self._constants.append(value.ravel())
        self._size += value.size
        vector = self.symbols["constants"]
        return vector[start] if not value.ndim else vector[start : self._size].reshape(value.shape)

    def column(self, values: Array) -> Any:
        """One number a row of the data ``(n,)``."""
        self._rows.append(np.asarray(values, float))
        return self.symbols["rows"][len(self._rows) - 1]

    def columns(self, values: Array) -> Any:
        """Several, ``(n, c)``."""
        start = len(self._rows)
        self._rows += list(np.asarray(values, float).T)
        return self.symbols["rows"][start : len(self._rows)].T

    def levels(self, codes: Array) -> Any:
        """The level of each row of the data ``(n,)``."""
        self._codes.append(codes.astype(np.int64))
        return self.symbols["codes"][len(self._codes) - 1]

    def index(self, values: Array) -> Any:
        """Whole numbers that are not one a row of the data."""
        start = self._index_size
        self._indices.append(values.astype(np.int64))
        self._index_size += len(values)
        return self.symbols["indices"][start : self._index_size]

    def arrays(self) -> dict[str, Array]:
        """The arrays."""
        constants = np.concatenate([np.zeros(0), *self._constants])
        n = len(self._rows[0])
        codes = np.array(self._codes) if self._codes else np.zeros((0, n), np.int64)
        indices = np.concatenate([np.zeros(0, np.int64), *self._indices])
        return {"constants": constants, "rows": np.array(self._rows), "codes": codes, "indices": indices}

    def fill(self) -> None:
        """Give the symbols their arrays, so that PyMC can evaluate the graph."""
        for name, array in self.arrays().items():
            self.symbols[name].set_value(array)
