"""The parameter that a profile holds, and the coordinate in which its limits are searched.

Coordinates are smooth where the parameter's range ends, and nearly proportional to the root of the profile's rise.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import override

import numpy as np

from bayesmix.inference.estimation.held import coordinate_of, number_of
from bayesmix.inference.parameters.covariance import Structure
from bayesmix.language.families.link import LINKS, Link

FAR_LOG = 30.0  # logarithmic coordinates farther than this from the estimate count as infinite
FAR_SD = 9.0  # the same of standard deviations: eight thousand times as large
FAR = 1e5  # standard errors of a fixed effect that count as infinite
RANGES = {  # of what a link is of
    "real": (-math.inf, math.inf),
    "positive": (0.0, math.inf),
    "unit": (0.0, 1.0),
    "one_to_two": (1.0, 2.0),
    "correlation": (-1.0, 1.0),
}


@dataclass(frozen=True, slots=True)
class Held(ABC):
    """A parameter and the coordinate in which its profile is searched."""

    centre: float  # coordinate of the estimate

    @property
    @abstractmethod
    def ends(self) -> tuple[float, float]:
        """Coordinates beyond which nothing is searched."""

    @property
    @abstractmethod
    def range(self) -> tuple[float, float]:
        """Values of the parameter that the ends stand for."""

    @property
    def is_endless(self) -> tuple[bool, bool]:
        """Whether the profile deviance is known not to rise downwards, and upwards."""
        return False, False

    @property
    def is_replaced(self) -> bool:
        """Whether effects may take its place, so that the deviance need not rise down to zero."""
        return False

    @property
    def longest(self) -> float:
        """Longest first step."""
        return 1.0

    @abstractmethod
    def value(self, c: float) -> float:
        """The parameter at a coordinate."""

    @abstractmethod
    def coordinate(self, value: float) -> float:
        """The coordinate of a parameter, the inverse of `value`."""


@dataclass(frozen=True, slots=True)
class HeldEffect(Held):
    """A fixed effect, in units from its estimate: standard errors, or one on the link of a number for all rows."""

    index: int
    estimate: float
    unit: float
    separates: tuple[bool, bool] = (False, False)  # outcomes, downwards and upwards
    link: Link = LINKS["identity"]  # of what is reported

    @property
    @override
    def is_endless(self) -> tuple[bool, bool]:
        return self.separates

    @property
    @override
    def ends(self) -> tuple[float, float]:
        far = FAR if self.link.is_identity else FAR_LOG
        return -far, far

    @property
    @override
    def range(self) -> tuple[float, float]:
        return RANGES[self.link.range]

    @property
    @override
    def longest(self) -> float:
        return 10.0 if self.link.is_identity else 1.0

    def coefficient(self, c: float) -> float:
        """The fixed effect in the linear predictor."""
        return self.estimate + self.unit * c

    @override
    def value(self, c: float) -> float:
        return float(self.link.mean(np.array(self.coefficient(c))))

    @override
    def coordinate(self, value: float) -> float:
        with np.errstate(divide="ignore"):  # zero is at minus infinity on a logarithm
            return (float(self.link.of(np.array(value))) - self.estimate) / self.unit


@dataclass(frozen=True, slots=True)
class HeldSd(Held):
    """A standard deviation ``unit * sinh(c)``: linear at zero, logarithmic far out."""

    term: int
    unit: float

    @property
    @override
    def ends(self) -> tuple[float, float]:
        return 0.0, self.centre + FAR_SD

    @property
    @override
    def range(self) -> tuple[float, float]:
        return 0.0, math.inf

    @override
    def value(self, c: float) -> float:
        return self.unit * math.sinh(c)

    @override
    def coordinate(self, value: float) -> float:
        return math.asinh(value / self.unit)


@dataclass(frozen=True, slots=True)
class HeldNumber(Held):
    """A correlation, by an angle: linear in the small standard deviation that is left at the ends of its range.

    A range or smoothness, by its logarithm.
    """

    term: int
    structure: Structure
    lowest: float  # where it is searched
    highest: float = 1.0
    number: int = 0  # which of those that the term's correlations follow from

    @property
    @override
    def ends(self) -> tuple[float, float]:
        return self.coordinate(self.lowest), self.coordinate(self.highest)

    @property
    @override
    def range(self) -> tuple[float, float]:
        return (self.lowest, self.highest) if self.structure.correlation.has_lkj else (0.0, math.inf)

    @override
    def value(self, c: float) -> float:
        return number_of(self.structure, self.number, c)

    @override
    def coordinate(self, value: float) -> float:
        return coordinate_of(self.structure, self.number, value)


@dataclass(frozen=True, slots=True)
class HeldDispersion(Held):
    """The dispersion, by its logarithm.

    A residual standard deviation is searched down to an eight-thousandth of its estimate: where effects take its place,
    one of each row, the deviance has nearly come to what it tends to.
    """

    is_sd: bool = False

    @property
    @override
    def is_replaced(self) -> bool:
        return self.is_sd

    @property
    @override
    def ends(self) -> tuple[float, float]:
        return self.centre - (FAR_SD if self.is_sd else FAR_LOG), self.centre + FAR_LOG

    @property
    @override
    def range(self) -> tuple[float, float]:
        return 0.0, math.inf

    @override
    def value(self, c: float) -> float:
        return math.exp(c)

    @override
    def coordinate(self, value: float) -> float:
        return math.log(value) if value > 0.0 else -math.inf
