"""Importance proposals of the random effects, several a level."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from bayesmix.arrays import Array
from bayesmix.inference.least_squares.cholesky import Factorisation
from bayesmix.inference.least_squares.incidence import Factor, Segments, effects_on_rows
from bayesmix.inference.least_squares.small_blocks import inverse_of_lower
from bayesmix.inference.least_squares.solve import given_later
from bayesmix.inference.parameters.likelihood import SeveralPredictors
from bayesmix.inference.sampling.marginal.defence import log_bent, log_share
from bayesmix.inference.sampling.marginal.gaussian_approximation import GaussianApproximation

GENERATORS = {1: 0, 2: 1, 3: 1, 4: 1, 6: 1, 8: 3, 16: 7}  # Korobov lattices by their number of points


FEW_LEVELS = 50  # of a factor, up to which a quarter of the proposals comes from the prior from the start


# how heavy the tails of proposals are, over the root of the number of levels: each adds to the noise
CUBE, FEW_CUBE = 0.15, 0.25  # the second where levels are few
AT_HAND = 80_000  # numbers that a processor keeps in its own memory


@dataclass(frozen=True, slots=True, eq=False)
class _Moved:
    """How the effects of a factor move one linear predictor."""

    columns: Array  # (c,) which of its effects
    codes: Array  # (n,)
    z: Array  # (n, c)


@dataclass(frozen=True, eq=False)  # no slots: what is computed is kept
class _Prior:
    """That of the effects of a factor given their covariance, in whitened effects: spherical ones are standard normal.

    Computed where it is asked for.
    """

    factorisation: Factorisation
    number: int  # of the factor
    rhs: Array  # (B, J, k) of its effects under the approximation: what `given_later` solves for

    @cached_property
    def root(self) -> Array:
        """Spherical effects are ``root^-1 noise + moved``: ``(B, J, k, k)``."""
        return np.swapaxes(self.factorisation.eliminated[self.number].L, -1, -2)

    @cached_property
    def inverse(self) -> Array:
        """Of the root."""
        return np.swapaxes(inverse_of_lower(self.factorisation.eliminated[self.number].L), -1, -2)

    @cached_property
    def moved(self) -> Array:
        """Spherical effects at the mean: ``(B, J, k)``.

        Not from the mean itself: of correlations near one ``Lambda`` has no inverse, and rounding of the mean was taken
        for spherical effects of a thousand.
        """
        Lambda = self.factorisation.eliminated[self.number].Lambda
        half = matrix_times(np.swapaxes(Lambda, -1, -2)[..., None, :, :], self.rhs)
        return matrix_times(self.inverse, matrix_times(np.swapaxes(self.inverse, -1, -2), half))

    @cached_property
    def log_det(self) -> Array:
        """Of the root: ``(B, J)``."""
        return np.log(np.diagonal(self.root, axis1=-2, axis2=-1)).sum(axis=-1)

    def effects(self, noise: Array) -> Array:
        """Spherical effects."""
        return matrix_times(self.inverse, noise) + self.moved

    def noise(self, effects: Array) -> Array:
        """Whitened effects."""
        return matrix_times(self.root, effects - self.moved)


@dataclass(frozen=True, slots=True, eq=False)
class LevelProposals:
    """Several proposals for the effects of every level, factor within factor."""

    approximation: GaussianApproximation
    factorisation: Factorisation
    combination: Array  # (B, c)
    log_dispersion: Array  # (B,)
    tries: tuple[int, ...]  # proposals a level, of the first factor, of the one it is nested in, ...; one elsewhere
    rng: np.random.Generator

    def pick(self, number: int, later: list[Array], rest: Array) -> tuple[list[Array], Array]:
        """Pick effects of the factors up to ``number``.

        Parameters
        ----------
        later : effects ``(B, J, k)`` of the factors after it.
        rest : (B, n) what fixed effects and those factors contribute to the predictor.

        Returns
        -------
        effects per factor ``(B, J, k)``, log weights of the factor's levels ``(B, J)``
        """
        if number < 0:
            with np.errstate(all="ignore"):
                return [], self.approximation.remainder(rest, self.log_dispersion)
        factor = self.approximation.target.problem.coordinates.factors[number]
        mean, root, rhs = given_later(self.factorisation, number, self.combination, later)
        tries = self.tries[number] if number < len(self.tries) else 1
        if number == 0 and self.approximation.has_blocks:
            return self._pick_at_once((mean, root, rhs), tries, rest)
        trials, ratios = [], []
        prior = _Prior(self.factorisation, number, rhs)
        for noise, excess in self._noise(mean, tries, tail_weight(factor.levels), prior, is_ratio_of_prior=False):
            b = matrix_times(root, noise)
            b += mean
            eta = effects_on_rows(factor.z, factor.codes, b)
            eta += rest
            inner, weights = self.pick(number - 1, [b, *later], eta)
            trials.append([*inner, b])
            ratios.append(self._within(number, weights) + excess)
        taken, total = self._take(ratios)
        return [self._of(lower, number, taken, parts) for lower, parts in enumerate(zip(*trials, strict=True))], total

    def _pick_at_once(self, given: tuple[Array, Array, Array], tries: int, rest: Array) -> tuple[list[Array], Array]:
        """Pick effects ``(B, J, k)`` of the first factor by one density of all proposals.

        Predictors that its effects do not move are the same in all of them: what is of those alone is computed once.
        What the rows of a level have by the approximation is, prior included, a normal density of its effects: it is
        computed once, at their mean.
        """
        mean, root, rhs = given  # of `given_later`
        factor = self.approximation.target.problem.coordinates.factors[0]
        prior = _Prior(self.factorisation, 0, rhs)
        own = self._noise(mean, tries, tail_weight(factor.levels), prior, is_ratio_of_prior=True)
        pairs = zip(*own, strict=True)
        noise, ratio = (np.stack(parts) for parts in pairs)
        b = matrix_times(root, noise)
        b += mean
        ratios, moved = np.empty(ratio.shape), _moved(factor, self.approximation.problem.likelihood.R)
        few, at = self._different(moved, rest)
        for some in self._slices(len(mean), tries * at.shape[-1] // len(few)):
            ratios[:, some] = self._densities(_predictors(few, b[:, some], at[some]))
        taken, total = self._take(list(ratios + ratio))
        by_rows = self._within(0, self.approximation.quadratics_of(_predictors(moved, mean, rest)))
        return [self._of(0, 0, taken, b)], total - by_rows + 0.5 * sum_of_squares(prior.moved)

    def _different(self, moved: list[_Moved], rest: Array) -> tuple[list[_Moved], Array]:
        """How predictors are moved at rows that are not alike, and what they are without that, offsets included."""
        offset, alike = self.approximation.problem.offset, self.approximation.alike
        if alike is not None:
            moved = [_Moved(one.columns, one.codes[alike.first], one.z[alike.first]) for one in moved]
            rest, offset = (_of_rows(values, alike.first, len(moved)) for values in (rest, offset))
        return moved, rest + offset if offset.any() else rest

    def _densities(self, own: Sequence[Array]) -> Array:
        """Log densities of the rows of levels ``(..., J)``, by predictors at rows that are not alike."""
        alike, likelihood = self.approximation.alike, self.approximation.problem.likelihood
        assert isinstance(likelihood, SeveralPredictors)
        return self._within(0, likelihood.value_of(own)) if alike is None else alike.sums_of(own)

    @staticmethod
    def _slices(n: int, numbers: int) -> Iterator[slice]:
        """Parts of a batch of ``n``, of so many numbers each, that a processor keeps at hand."""
        size = max(1, AT_HAND // numbers)
        return (slice(begin, begin + size) for begin in range(0, n, size))

    def _noise(
        self, mean: Array, tries: int, cube: float, prior: _Prior, *, is_ratio_of_prior: bool
    ) -> Iterator[tuple[Array, Array]]:
        """Whitened effects of each proposal, and log of standard normal, or of their prior, over their density.

        Where levels are few, or all parameters are explored jointly, some of the proposals are drawn from the prior
        of the effects given their covariance, and the density of all of them is that of the mixture: what a level says
        may be so little that its effects are as large as their standard deviation lets them be.
        """
        of_prior = self._of_prior(mean.shape[1], tries)
        if of_prior and self.approximation.has_blocks:
            cube = 0.0  # the prior's tails are enough; with one predictor both stay, which its draws of a seed rest on
        own = _spherical(tries - of_prior, self.rng.random(mean.shape), cube)
        if not of_prior:
            if not is_ratio_of_prior:
                yield from own
                return
            for noise, excess in own:
                yield noise, excess + 0.5 * (sum_of_squares(noise) - sum_of_squares(prior.effects(noise)))
            return
        share = of_prior / tries
        for noise, excess in own:
            square, of_effects = sum_of_squares(noise), sum_of_squares(prior.effects(noise))
            log_prior = -0.5 * of_effects - prior.log_det
            yield (
                noise,
                log_share(of_effects if is_ratio_of_prior else square, -0.5 * square - excess, log_prior, share),
            )
        for u, _ in _spherical(of_prior, self.rng.random(mean.shape), 0.0):
            noise, of_effects = prior.noise(u), sum_of_squares(u)
            wanted = of_effects if is_ratio_of_prior else sum_of_squares(noise)
            yield noise, log_share(wanted, log_bent(noise, cube), -0.5 * of_effects - prior.log_det, share)

    def _of_prior(self, levels: int, tries: int) -> int:
        """How many of the proposals are drawn from the prior of the effects."""
        if self.approximation.is_joint:
            return tries // 2
        return tries // 4 if levels <= FEW_LEVELS and tries >= 8 else 0

    def _take(self, ratios: list[Array]) -> tuple[Array, Array]:
        """Which proposal each level takes, with probability in proportion to its weight, and the log mean weight."""
        if len(ratios) == 1:
            return np.zeros(ratios[0].shape, np.intp), ratios[0]
        with np.errstate(all="ignore"):
            top = np.fmax.reduce(ratios)  # a proposal outside the link's range has no density, the others have theirs
            sums = np.stack([np.exp(ratio - top) for ratio in ratios])
            np.copyto(sums, 0.0, where=np.isnan(sums))
            for m in range(1, len(sums)):  # cumulated: NumPy's own takes three times as long
                sums[m] += sums[m - 1]
            threshold = self.rng.random(top.shape) * sums[-1]
            return np.sum(sums[:-1] <= threshold, axis=0), np.log(sums[-1] / len(ratios)) + top

    def _of(self, lower: int, upper: int, taken: Array, parts: Sequence[Array] | Array) -> Array:
        """Effects ``(B, J, k)`` of a lower factor that belong to the proposals taken by the levels of an upper one."""
        if len(parts) == 1:
            return parts[0]
        own = taken if lower == upper else taken[:, self._above(lower, upper)]
        return np.take_along_axis(np.asarray(parts), own[None, :, :, None], axis=0)[0]

    def _within(self, number: int, weights: Array) -> Array:
        """Sum log weights of rows, or of the levels of the factor before, within levels: ``(B, J)``."""
        if number == 0:
            return self.approximation.target.problem.coordinates.pattern.observations[0].sum(weights)
        return Segments.of(self._above(number - 1, number)).sum(weights)

    def _above(self, lower: int, upper: int) -> Array:
        """Level of the upper factor in which each level of the lower one is nested."""
        factors = self.approximation.target.problem.coordinates.factors
        above = np.zeros(factors[lower].levels, np.intp)
        above[factors[lower].codes] = factors[upper].codes
        return above


def _moved(factor: Factor, R: int) -> list[_Moved]:
    """How a factor moves each of the predictors."""
    pairs = zip(np.split(factor.z, R), np.split(factor.codes, R), strict=True)
    columns = [(np.flatnonzero(z.any(axis=0)), codes, z) for z, codes in pairs]
    return [_Moved(own, codes, z[:, own]) for own, codes, z in columns]


def _of_rows(values: Array, rows: Array, R: int) -> Array:
    """Values ``(..., N)`` of the predictors of some rows."""
    return values.reshape(*values.shape[:-1], R, -1)[..., rows].reshape(*values.shape[:-1], -1)


def _predictors(moved: Sequence[_Moved], b: Array, rest: Array) -> list[Array]:
    """Linear predictors each by itself, at effects ``b (T, B, J, k)`` and the rest ``(B, N)``.

    ``(T, B, n)`` each, or ``(B, n)`` where the effects do not move it.
    """
    found = np.split(rest, len(moved), axis=-1)
    for r, part in enumerate(moved):
        if len(part.columns):
            eta = effects_on_rows(part.z, part.codes, b[..., part.columns])
            eta += found[r]
            found[r] = eta
    return found


def tail_weight(levels: int) -> float:
    """How heavy the tails of the proposals of a factor with so many levels are."""
    return float((FEW_CUBE if levels <= FEW_LEVELS else CUBE) / np.sqrt(levels))


def matrix_times(matrix: Array, vector: Array) -> Array:
    """Products ``(..., k)`` of ``(..., k, k)`` with ``(..., k)``."""
    if vector.shape[-1] == 1:
        return matrix[..., 0] * vector
    if vector.shape[-1] == 2:  # by columns: a third of the time of sums of products
        return np.asarray(matrix[..., 0] * vector[..., :1] + matrix[..., 1] * vector[..., 1:])
    return np.asarray(np.einsum("...kl,...l->...k", matrix, vector))


def sum_of_squares(vector: Array) -> Array:
    """Sums of squares over the last axis."""
    return sum_of(vector * vector)


def sum_of(vector: Array) -> Array:
    """Sums over the last axis; of two numbers in a third of the time of NumPy's."""
    return np.asarray(vector[..., 0] + vector[..., 1] if vector.shape[-1] == 2 else vector.sum(axis=-1))


def _spherical(tries: int, shift: Array, cube: float) -> Iterator[tuple[Array, Array]]:
    """Whitened effects of each proposal ``(B, J, k)``, and log of standard normal over its density ``(B, J)``.

    The proposals of a level are the points of one lattice, shifted at random, and their mirror images: each by itself
    is a random draw, and together they integrate a smooth function far better than independent draws do.
    ``z + cube z^3`` of a standard normal z has tails heavier than those of the Gaussian approximation.
    """
    from scipy.special import ndtri

    if tries == 1:
        yield ndtri(shift), np.zeros(shift.shape[:-1])
        return
    points = tries // 2
    generator = GENERATORS[points] ** np.arange(shift.shape[-1])
    for m in range(points):
        u = shift + m * generator / points % 1.0
        u -= u >= 1.0
        z = ndtri(np.clip(u, 1e-12, 1.0 - 1e-12, out=u), out=u)
        square = z * z
        bend = cube * square
        excess = sum_of(np.log(1.0 + 3.0 * bend) - 0.5 * square * bend * (2.0 + bend))
        z *= 1.0 + bend
        yield z, excess
        yield -z, excess
