"""Log densities of rows and their derivatives by the linear predictor.

Closed forms where the family has them, Taylor arithmetic on its one density elsewhere. Prior weights divide the
variance of a normal response and multiply the log density of any other.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import combinations_with_replacement
from typing import Any

import numpy as np

from bayesmix.arrays import Array
from bayesmix.language.families.family import Family
from bayesmix.language.families.link import Jet, Link
from bayesmix.language.families.namespaces import NUMERIC
from bayesmix.language.families.neighbours import LocalKernel
from bayesmix.language.families.taylor import variables


def by_predictor(  # noqa: PLR0913 - a family and what a row has
    family: Family, link: Link, y: Array, eta: Array, *, dispersion: Array, trials: Array, weights: Array
) -> Jet:
    """Log density of each row and its first three derivatives with respect to the linear predictor ``eta``."""
    with np.errstate(all="ignore"):  # a search may step where a mean overflows: the value there is inf or NaN
        dispersion, weights = weighted(family, dispersion, weights)
        others = family.others(dispersion)
        if family.closed_form is None:
            value, first, second, third = _taylor(family, link, y, eta, trials, others)
        else:
            mu, h1, h2, h3 = link.inverse(eta)
            value = _log_density(family, link, y, eta, trials, others)
            l1, l2, l3 = family.closed_form.slopes(y, trials, mu, *others)
            first = l1 * h1
            second = l2 * h1**2 + l1 * h2
            third = l3 * h1**3 + 3.0 * l2 * h1 * h2 + l1 * h3
        return weights * value, weights * first, weights * second, weights * third


def slopes_by_predictor(  # noqa: PLR0913 - a family and what a row has
    family: Family, link: Link, y: Array, eta: Array, *, dispersion: Array, trials: Array, weights: Array
) -> tuple[Array, Array]:
    """The first two derivatives of what `by_predictor` returns, by themselves.

    Under canonical links: residual, and minus the variance of the response.
    """
    if _canonical(family, link) is None:
        return by_predictor(family, link, y, eta, dispersion=dispersion, trials=trials, weights=weights)[1:3]
    with np.errstate(all="ignore"):
        mu = link.mean(eta)
        variance = family.variance(trials, mu, *family.others(dispersion))
        return weights * (y - trials * mu), -weights * trials**2 * variance


def density_by_predictor(  # noqa: PLR0913 - a family and what a row has
    family: Family, link: Link, y: Array, eta: Array, *, dispersion: Array, trials: Array, weights: Array
) -> Array:
    """The first of what `by_predictor` returns, by itself."""
    with np.errstate(all="ignore"):
        dispersion, weights = weighted(family, dispersion, weights)
        value = _log_density(family, link, y, eta, trials, family.others(dispersion))
        return value if np.all(weights == 1.0) else weights * value


@dataclass(frozen=True, slots=True, eq=False)
class Derivatives:
    """A log density of several linear predictors and its derivatives, by the predictors they are of."""

    value: Array  # (..., n)
    partial: dict[tuple[int, ...], Array]  # by sorted tuples of predictors: (0,), (0, 1), (0, 1, 1)
    places: Array | None = None  # (m, n) what these are of in each row, where that differs; all others are zero


def by_predictors(  # noqa: PLR0913 - a family and what a row has
    family: Family,
    links: Sequence[Link],
    y: Array,
    eta: Sequence[Array],
    *,
    trials: Array,
    weights: Array,
    order: int,
) -> Derivatives:
    """Log density of each row and its derivatives up to an order by the predictors ``eta (..., n)`` of all parameters.

    By Taylor arithmetic on the family's one density; those by predictors without coefficients are left out.
    """
    if isinstance(family.kernel, LocalKernel):
        return _by_own(family, family.kernel, links, y, eta, trials, weights, order)
    free = [r for r, parameter in enumerate(family.parameters) if not parameter.is_known]
    return derivatives(lambda at: _density(family, links, y, at, trials, weights), eta, order, free=free)


def _by_own(  # noqa: PLR0913, PLR0917 - as above
    family: Family,
    kernel: LocalKernel,
    links: Sequence[Link],
    y: Array,
    eta: Sequence[Array],
    trials: Array,
    weights: Array,
    order: int,
) -> Derivatives:
    """The same by the predictors that each row knows."""
    places, stacked = kernel.places(y), np.stack(np.broadcast_arrays(*eta))
    of_rows = places.reshape(len(places), *(1,) * (stacked.ndim - 2), -1)
    own = np.take_along_axis(stacked, of_rows, axis=0)

    def density(at: Sequence[Any]) -> Any:
        parameters = [links[r].formula(NUMERIC, one) for r, one in zip(kernel.alike, at, strict=True)]
        return kernel.own(NUMERIC, y, trials, *parameters) * weights + weights * family.base(y, trials)

    return replace(derivatives(density, list(own), order), places=places)


def derivatives(
    density: Callable[[Sequence[Any]], Any], eta: Sequence[Array], order: int, *, free: Sequence[int] | None = None
) -> Derivatives:
    """A log density and its derivatives up to an order by the predictors ``eta (..., n)``, by Taylor arithmetic.

    Parameters
    ----------
    free : the predictors that derivatives are by; all of them by default.
    """
    free = range(len(eta)) if free is None else free
    with np.errstate(all="ignore"):
        moved = dict(zip(free, variables([eta[r] for r in free], order), strict=True))
        found = density([moved.get(r, one) for r, one in enumerate(eta)])
        shape = np.broadcast_shapes(found.value.shape, *(one.shape for one in eta))
        partial = {}
        for size in range(1, order + 1):
            for by in combinations_with_replacement(free, size):
                partial[by] = _to_shape(found.derivative(tuple(by.count(r) for r in free)), shape)
        return Derivatives(_to_shape(found.value, shape), partial)


def _to_shape(values: Array, shape: tuple[int, ...]) -> Array:
    return values if values.shape == shape else np.broadcast_to(values, shape)


def density_by_predictors(
    family: Family, links: Sequence[Link], y: Array, eta: Sequence[Array], *, trials: Array, weights: Array
) -> Array:
    """Log density of each row by the predictors ``eta (..., n)`` of all parameters."""
    with np.errstate(all="ignore"):
        return np.asarray(_density(family, links, y, eta, trials, weights))


def _density(family: Family, links: Sequence[Link], y: Array, eta: Sequence[Any], trials: Array, weights: Array) -> Any:
    others = [link.formula(NUMERIC, own) for link, own in zip(links[1:], eta[1:], strict=True)]
    others, multiply = weighted_all(family, others, weights)
    density = family.kernel_of(links[0])(NUMERIC, y, trials, eta[0], *others) + family.base(y, trials)
    return density if np.all(multiply == 1.0) else density * multiply


def weighted_all(family: Family, others: Sequence[Any], weights: Array) -> tuple[list[Any], Any]:
    """The parameters beside the mean of each row, and by what its log density is multiplied."""
    if not others:
        return [], weights
    first, multiply = weighted(family, others[0], weights)
    return [first, *others[1:]], multiply


def weighted(family: Family, dispersion: Any, weights: Any) -> tuple[Any, Any]:
    """Dispersion of each row, and by what its log density is multiplied."""
    if family.weights == "precision":
        return dispersion / weights**0.5, np.ones(())
    return dispersion, weights


def _taylor(family: Family, link: Link, y: Array, eta: Array, trials: Array, others: tuple[Array, ...]) -> Jet:
    (variable,) = variables([eta])
    found = family.kernel(NUMERIC, y, trials, link.formula(NUMERIC, variable), *others)
    shape = np.broadcast_shapes(eta.shape, *(np.shape(other) for other in others))
    first, second, third = (np.broadcast_to(found.derivative((k,)), shape) for k in (1, 2, 3))
    return np.broadcast_to(found.value, shape) + family.base(y, trials), first, second, third


def _log_density(family: Family, link: Link, y: Array, eta: Array, trials: Array, others: tuple[Array, ...]) -> Array:
    """By the shorter formula of the canonical link where there is one: exact, too, where means round to 0 or 1."""
    canonical = _canonical(family, link)
    return family.log_density(y, trials, link.mean(eta), *others) if canonical is None else canonical(y, eta, trials)


def _canonical(family: Family, link: Link) -> Callable[[Array, Array, Array], Array] | None:
    closed = family.closed_form
    return closed.canonical if closed is not None and family.is_canonical(link) else None
