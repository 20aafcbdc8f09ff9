"""Values and names of all parameters of a model; leading axes ``()`` for an estimate, ``(chain, draw)`` for draws."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations

import numpy as np

from bayesmix.arrays import Array
from bayesmix.data.design.term import Term
from bayesmix.inference.parameters.correlation import Free
from bayesmix.inference.parameters.covariance import structure_of
from bayesmix.inference.parameters.positive_numbers import PositiveNumbers
from bayesmix.inference.parameters.toeplitz_correlation import Toeplitz

POSITIVE = (
    "sd(",
    "sds(",
    "sdgp(",
    "range(",
    "smoothness(",
    "lscale(",
    "df(",
)  # how names of positive parameters of covariances begin

LEAST_DF = 1.0  # below degrees of freedom of t distributed effects, which have a mean


@dataclass(frozen=True, slots=True, eq=False)
class Parameters:
    """Parameters in the user's units, terms in the order of ``Design.terms``."""

    beta: Array  # (..., p)
    sd: tuple[Array, ...]  # per term (..., k)
    corr: tuple[Array, ...]  # per term (..., k, k)
    b: tuple[Array, ...]  # per term (..., J, k)
    dispersion: Array | None  # (...,) sigma or shape
    df: Mapping[str, Array] = field(default_factory=dict)  # (...,) by group whose effects have a t distribution

    @property
    def lead(self) -> tuple[int, ...]:
        """The leading axes."""
        return self.beta.shape[:-1]

    def each(self, function: Callable[[Array], Array]) -> Parameters:
        """A function of every array, of its leading axes."""
        return replace(
            self,
            beta=function(self.beta),
            sd=tuple(map(function, self.sd)),
            corr=tuple(map(function, self.corr)),
            b=tuple(map(function, self.b)),
            dispersion=None if self.dispersion is None else function(np.asarray(self.dispersion)),
            df={group: function(own) for group, own in self.df.items()},
        )


def covariance(sd: Array, corr: Array) -> Array:
    """Covariance matrices ``(..., k, k)``; a correlation that is not defined (zero SD) counts as zero."""
    return np.where(np.isnan(corr), 0.0, corr) * sd[..., :, None] * sd[..., None, :]


def sd_effects(term: Term) -> list[tuple[str, ...]]:
    """The effect of each standard deviation of a term; one without where all effects share it."""
    return [()] if structure_of(term).is_homogeneous else [(effect,) for effect in term.effects]


def corr_effects(term: Term) -> list[tuple[str, ...]]:
    """The effects of each correlation, below the diagonal, column by column; one without where one number rules all.

    The lag of each where correlations go by that.
    """
    match structure_of(term).correlation:
        case Free():
            return list(combinations(term.effects, 2))
        case Toeplitz(size=size):
            return [(f"lag {m}",) for m in range(1, size + 1)]
        case other:
            return [()] * other.size


def corr_kinds(term: Term) -> list[str]:
    """What each number that correlations follow from is called: ``corr``, or ``range``, ``smoothness``, ``lscale``."""
    family = structure_of(term).correlation
    return list(family.kinds) if isinstance(family, PositiveNumbers) else ["corr"] * family.size


def sd_kind(term: Term) -> str:
    """What standard deviations of a term are called: ``sd``, ``sds`` of a smooth, ``sdgp`` of a Gaussian process."""
    return "sdgp" if term.spectrum is not None else "sds" if term.smooth else "sd"


def sd_names(terms: Sequence[Term]) -> list[list[str]]:
    """Names of the standard deviations of each term: ``sd(group, effect)``, ``sd(group)`` of a shared one.

    Of effects with a t distribution they are its scales, as in brms; the standard deviations are larger by a factor of
    ``sqrt(df / (df - 2))``.
    That of a smooth is ``sds(sx_1)``, of a Gaussian process ``sdgp(gpx)``, as brms has them.
    """
    found = _names([["sd"] * structure_of(term).n_sd for term in terms], terms, [sd_effects(term) for term in terms])
    return [[f"{sd_kind(term)}({term.smooth})"] if term.smooth else own for term, own in zip(terms, found, strict=True)]


def corr_names(terms: Sequence[Term]) -> list[list[str]]:
    """Names of the correlations of each term: ``corr(group, effect, effect)``, ``corr(group)`` of a single one.

    Of those that follow from distances ``range(group)`` and ``smoothness(group)``, ``lscale(gpx)`` of a process.
    """
    return _names([corr_kinds(term) for term in terms], terms, [corr_effects(term) for term in terms])


def heavy_tailed(terms: Sequence[Term]) -> list[str]:
    """Grouping factors whose levels have effects with a t distribution: all effects of a level are scaled by one."""
    return list(dict.fromkeys(term.group for term in terms if not term.is_normal))


def df_name(group: str) -> str:
    """Name of the degrees of freedom of the effects of a grouping factor: ``df(group)``."""
    return f"df({group})"


def _names(
    kinds: Sequence[Sequence[str]], terms: Sequence[Term], effects: Sequence[list[tuple[str, ...]]]
) -> list[list[str]]:
    names: list[list[str]] = []
    for t, (term, own) in enumerate(zip(terms, effects, strict=True)):
        before = sum(_is_taken(terms[s].group == term.group, kinds[s], effects[s], kinds[t]) for s in range(t))
        group = f"{term.group}.{before}" if before and () in own else term.group  # the plain name is taken
        pairs = zip(kinds[t], own, strict=True)
        names.append([f"{kind}({', '.join((group, *labels))})" for kind, labels in pairs])
    return names


def _is_taken(same: bool, kinds: Sequence[str], effects: Sequence[tuple[str, ...]], wanted: Sequence[str]) -> bool:
    """Whether a term of the same group has a plain name of one of the kinds that are wanted."""
    return same and any(not labels and kind in wanted for kind, labels in zip(kinds, effects, strict=True))
