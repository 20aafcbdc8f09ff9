"""Effects at positions that were not among those of the fit, given those at the positions that were: kriging.

With ``R`` the correlations of all positions, ``k`` those of the fit and ``n`` the new ones, the effects of a level are

    b_n | b_k ~ Normal(W b_k, sd^2 (R_nn - W R_kn)),    W = R_nk R_kk^-1.

An estimate at new positions is that of a design with effects at these, too, and no rows there: means, variances and
degrees of freedom follow from it. In a posterior they are drawn, given the effects and the parameters of each draw.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from bayesmix.arrays import Array
from bayesmix.data.columns import name_all
from bayesmix.data.design.design import Design, Term
from bayesmix.errors import DataError
from bayesmix.inference.estimation.point_estimate import PointEstimate
from bayesmix.inference.least_squares.scaling import Coordinates, coordinates
from bayesmix.inference.parameters.covariance import cholesky_psd, split, structure_of
from bayesmix.inference.parameters.distance_correlation import ByDistance
from bayesmix.inference.parameters.names import Parameters

SHOWN = 3  # positions that a message lists
MANY = 2e8  # numbers of correlations of all draws


@dataclass(frozen=True, slots=True, eq=False)
class NewPositions:
    """A design with effects at further positions, of which it has no rows."""

    design: Design
    moved: tuple[int, ...]  # terms that have more positions
    families: tuple[ByDistance | None, ...]  # of each term's correlations as they were fitted; None of the others

    def values(self, values: Parameters, seed: int | None = None) -> Parameters:
        """Parameters with effects at all positions: their means given those of the fit, or drawn with a seed."""
        sds, corrs, effects = list(values.sd), list(values.corr), list(values.b)
        for t in self.moved:
            R = self._matrix(t, corrs[t])
            rng = None if seed is None else np.random.default_rng([seed, t, len(R)])
            if effects:
                effects[t] = _extended(values.b[t], values.sd[t][..., 0], R, rng)
            sds[t] = np.broadcast_to(sds[t][..., :1], (*R.shape[:-2], R.shape[-1]))
            corrs[t] = R
        return replace(values, sd=tuple(sds), corr=tuple(corrs), b=tuple(effects))

    def point(self, point: PointEstimate) -> PointEstimate:
        """An estimate of the design from that of the fit's, or from one beside it."""
        old, new = point.coordinates, self.coordinates
        theta = split(old.structures, point.theta)
        for t in self.moved:
            own, family = theta[t], new.structures[t].correlation
            assert isinstance(family, ByDistance)
            known = old.structures[t].correlation
            assert isinstance(known, ByDistance)
            numbers = known.kept(known.ends[0] * known.from_line(own[1:]))
            theta[t] = np.append(own[0] * old.C[t][0, 0] / new.C[t][0, 0], family.coordinates(numbers))
        whole = np.concatenate(theta)
        scale = _scale(point)
        covariances = tuple(scale * matrix for matrix in new.covariances(whole))
        found = replace(point, theta=whole, covariances=covariances, coordinates=new)
        return replace(found, b=self.values(point.parameters).b)

    @property
    def coordinates(self) -> Coordinates:
        """Of the design."""
        return coordinates(self.design)

    def _matrix(self, t: int, corr: Array) -> Array:
        """Correlations ``(..., k + m, k + m)`` of all positions; those of one where there are none."""
        family, known = structure_of(self.design.terms[t]).correlation, self.families[t]
        assert isinstance(family, ByDistance)
        assert known is not None
        if corr[..., 0, 0].size * family.k**2 > MANY:
            raise DataError(
                f"New data are at {family.k - known.k} positions that the fit has not: too many at once for"
                f" {corr[..., 0, 0].size} draws. Predict part of them at a time."
            )
        numbers = known.numbers(corr)
        root = family.root(np.where(np.isnan(numbers), family.middle, numbers))
        return np.asarray(root @ np.swapaxes(root, -1, -2))


def new_positions(design: Design, terms: Sequence[Term]) -> NewPositions | None:
    """What the fit's design is with the positions of new rows; None where it has these already."""
    moved = tuple(t for t, term in enumerate(terms) if len(term.positions) > len(design.terms[t].positions))
    if not moved:
        return None
    own = list(design.terms)
    families: list[ByDistance | None] = [None] * len(own)
    for t in moved:
        family, more = structure_of(own[t]).correlation, len(terms[t].effects) - len(own[t].effects)
        families[t] = family if isinstance(family, ByDistance) else None
        z = np.pad(own[t].z, ((0, 0), (0, more)))
        own[t] = replace(
            own[t],
            effects=terms[t].effects,
            positions=terms[t].positions,
            z=z,
            numeric=terms[t].numeric,
            owners=terms[t].owners,
        )
    return NewPositions(design.with_rows(terms=tuple(own)), moved, tuple(families))


def check_positions(design: Design, terms: Sequence[Term]) -> None:
    """Raise `DataError` where rows are at positions that the fit has not."""
    for own, term in zip(design.terms, terms, strict=True):
        if unseen := term.positions[len(own.positions) :]:
            where = name_all(["(" + ", ".join(f"{x:g}" for x in point) + ")" for point in unseen], SHOWN)
            raise DataError(
                f"Rows are at positions that `{own.group}` has not in the fit: {where}. fit.predict(newdata) knows"
                " effects there, given those of the fit; other questions are asked at its positions."
            )


def _extended(b: Array, sd: Array, R: Array, rng: np.random.Generator | None) -> Array:
    """Effects ``(..., J, k + m)`` from those at the positions of the fit ``(..., J, k)``."""
    k = b.shape[-1]
    W = np.swapaxes(np.linalg.solve(R[..., :k, :k], R[..., :k, k:]), -1, -2)
    mean = b @ np.swapaxes(W, -1, -2)
    if rng is not None:
        root = cholesky_psd(R[..., k:, k:] - W @ R[..., :k, k:])
        noise = rng.standard_normal(mean.shape) @ np.swapaxes(root, -1, -2)
        mean = mean + sd[..., None, None] * noise
    return np.concatenate([b, mean], axis=-1)


def _scale(point: PointEstimate) -> float:
    """What relative covariances are multiplied by."""
    relative = point.coordinates.covariances(point.theta)
    sizes = [(float(np.trace(own)), float(np.trace(one))) for own, one in zip(point.covariances, relative, strict=True)]
    return max((own / one for own, one in sizes if one > 0.0), default=1.0)
