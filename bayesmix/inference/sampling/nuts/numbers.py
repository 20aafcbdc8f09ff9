"""Parameters without a formula: one number for all rows, free on its natural scale, under its own name.

That of a model with one linear predictor is the dispersion. Rows with several predictors have such a parameter among
their coefficients, through its link (`bayesmix.data.design.layout`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from bayesmix.arrays import Array
from bayesmix.inference.parameters.priors_in_force import Priors
from bayesmix.language.families.link import Link
from bayesmix.language.priors.on_link import OnLink
from bayesmix.language.priors.prior import Prior


@dataclass(frozen=True, slots=True, eq=False)
class OfLink:
    """Where a parameter is among the coefficients, and through which link."""

    column: int
    link: Link


@dataclass(frozen=True, slots=True, eq=False)
class Number:
    """A parameter that is one number for all rows."""

    name: str  # "sigma", "shape"; of several responses "sigma_a"; "lkj_rescor(a, b)", `stick`
    prior: Prior  # on its natural scale
    place: OfLink | None = None  # None: it is the dispersion

    def value(self, gamma: Array, dispersion: Any) -> Any:
        """It by itself, from the coefficients ``(p,)`` or the dispersion."""
        return dispersion if self.place is None else self.place.link.mean(gamma[self.place.column])

    def error(self, covariance: Array, n: int) -> Array:
        """Roughly its standard error on the scale of its link, a logarithm where it is the dispersion.

        By the coefficients' covariance, or the number of rows.
        """
        usual = 1.0 / np.sqrt(2.0 * n)
        if self.place is None:
            return np.asarray(usual)
        variance = covariance[self.place.column, self.place.column]
        is_known = np.isfinite(variance) and variance > 0.0
        return np.asarray(np.sqrt(min(variance, 1.0)) if is_known else usual)


@dataclass(frozen=True, slots=True, eq=False)
class Split:
    """The priors of a model by what is free in it."""

    coefficients: tuple[int, ...]  # places in gamma of the fixed effects that formulas have
    fixed: tuple[Prior, ...]  # their priors
    numbers: tuple[Number, ...]

    @property
    def is_whole(self) -> bool:
        """Whether all of gamma are coefficients of formulas."""
        return all(number.place is None for number in self.numbers)

    def gamma(self, own: Any, values: Sequence[Any], *, join: Any) -> Any:
        """All of ``gamma (..., p)``, from the coefficients of formulas and the numbers by themselves, ``(..., 1)``.

        Parameters
        ----------
        join : NumPy's `concatenate`, or PyTensor's.
        """
        if self.is_whole:
            return own
        placed = [(one.place, value) for one, value in zip(self.numbers, values, strict=True) if one.place is not None]
        columns = [*self.coefficients, *(place.column for place, _ in placed)]
        return join([own, *(place.link.of(value) for place, value in placed)], axis=-1)[..., np.argsort(columns)]


def stick(name: str) -> str:
    """What a share takes of what those before it leave is called, after the share."""
    return f"stick_{name}"


def split_priors(priors: Priors) -> Split:
    """Tell coefficients of formulas from parameters that are one number for all rows."""
    numbers, coefficients = list[Number](), list[int]()
    shares = {j for _, columns, _ in priors.simplexes for j in columns}
    for j, (name, prior) in enumerate(zip(priors.names, priors.fixed, strict=True)):
        if isinstance(prior, OnLink):
            own = f"lkj_{name}" if j in priors.residual else stick(name) if j in shares else name
            numbers.append(Number(own, prior.prior, OfLink(j, prior.link)))
        else:
            coefficients.append(j)
    if priors.dispersion is not None and priors.dispersion_name is not None:
        numbers.append(Number(priors.dispersion_name, priors.dispersion))
    fixed = tuple(prior for prior in priors.fixed if not isinstance(prior, OnLink))
    return Split(tuple(coefficients), fixed, tuple(numbers))
