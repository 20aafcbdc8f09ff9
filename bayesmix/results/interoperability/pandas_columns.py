"""Columns of a design as expressions of pandas, each held against the column itself."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING

import numpy as np

from bayesmix.arrays import Array
from bayesmix.errors import SpecError
from bayesmix.language.formula.expression import Number
from bayesmix.language.formula.reader import read

if TYPE_CHECKING:
    import pandas as pd

FUNCTION = re.compile(r"(log|log2|log10|log1p|sqrt|exp)\(([\w.]+)\)")
POWER = re.compile(r"I\(([\w.]+)\^(\d+)\)")
PARTS = 6  # of an interaction


type Candidate = tuple[str, Array]  # an expression and its values


@dataclass(frozen=True, slots=True, eq=False)
class PandasColumns:
    """The data of a design, and what they are called. Nothing is evaluated as Python: values are computed here."""

    frame: pd.DataFrame
    data: str = "data"

    def spelled(self, name: str, values: Array) -> str:
        """An expression of the column ``name`` whose values are these.

        Raises
        ------
        SpecError
            If none is known: bases of splines and polynomials, contrasts other than treatment.
        """
        for text, own in self._candidates(name):
            if np.allclose(own, values, rtol=1e-9, atol=1e-12):
                return text
        raise SpecError(
            f"PyMC's code has no words for the column `{name}`: make it one of the data. `model.to_pymc()` is the"
            " same model, whatever its columns."
        )

    def number(self, text: str, values: Array) -> str:
        """An expression of what stands beside a response, which may be one number for all rows."""
        match read(text):
            case Number(value=value):
                return f"{value:.10g}"
            case _:
                return self.spelled(text, values)

    def response(self, name: str, y: Array, success: str | None) -> str:
        """The response; of two categories one where it is the second."""
        if success is not None and name in self.frame:
            return f"({self._of(name)}.astype(str) == {json.dumps(success)}).astype(int)"
        return self.spelled(name, y)

    def levels(self, group: str) -> str:
        """The levels of each row, of several factors joined by colons."""
        factors = group.split(":")
        unknown = next((name for name in factors if name not in self.frame), None)
        if unknown is not None:
            raise SpecError(f"PyMC's code groups by columns of the data: make `{unknown}` one.")
        return ' + ":" + '.join(f"{self._of(name)}.astype(str)" for name in factors)

    def _candidates(self, name: str) -> Iterator[Candidate]:
        if name == "Intercept":
            yield f"np.ones(len({self.data}))", np.ones(len(self.frame))
            return
        parts = name.split(":")
        if len(parts) <= PARTS:
            for chosen in product(*(list(self._single(part)) for part in parts)):
                yield " * ".join(text for text, _ in chosen), np.prod([own for _, own in chosen], axis=0)

    def _single(self, name: str) -> Iterator[Candidate]:
        """Expressions that a column which is no interaction may have."""
        bare = name.strip("`")
        if self._is_number(bare):
            yield self._of(bare), self._numbers(bare)
        if (match := FUNCTION.fullmatch(bare)) and self._is_number(match[2]):
            yield f"np.{match[1]}({self._of(match[2])})", getattr(np, match[1])(self._numbers(match[2]))
        if (match := POWER.fullmatch(bare)) and self._is_number(match[1]):
            yield f"{self._of(match[1])} ** {match[2]}", self._numbers(match[1]) ** int(match[2])
        for factor in map(str, self.frame.columns):
            level = bare.removeprefix(factor)
            if bare.startswith(factor) and level:
                text = f"({self._of(factor)}.astype(str) == {json.dumps(level)}).astype(float)"
                yield text, (self.frame[factor].astype(str) == level).to_numpy(float)

    def _is_number(self, name: str) -> bool:
        return name in self.frame and np.issubdtype(np.asarray(self.frame[name]).dtype, np.number)

    def _numbers(self, name: str) -> Array:
        return np.asarray(self.frame[name], float)

    def _of(self, name: str) -> str:
        return f"{self.data}[{json.dumps(name)}]"
