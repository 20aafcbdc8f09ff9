"""What a search for the estimate of rows with several linear predictors needs: their units, and where else to start."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from bayesmix.arrays import Array
from bayesmix.data.design.design import Design
from bayesmix.data.design.response import Outcome
from bayesmix.data.design.row_statistics import spread as spread_of
from bayesmix.inference.estimation.boundary import initial_factors
from bayesmix.inference.estimation.conditional_mode import GeneralizedProblem
from bayesmix.inference.estimation.distributional_regression import fit_regression
from bayesmix.inference.estimation.restart import FEW_ROWS
from bayesmix.inference.estimation.starting_values import crude, is_near
from bayesmix.inference.least_squares.scaling import Coordinates
from bayesmix.inference.parameters.covariance import from_factor
from bayesmix.inference.parameters.likelihood import SeveralPredictors
from bayesmix.inference.parameters.one_predictor import without_steps
from bayesmix.language.families.family import Family
from bayesmix.language.families.imputed import predictors_of
from bayesmix.language.families.link import Link
from bayesmix.language.formula.model_spec import Auxiliary, ModelSpec, Predictor

END = 8.0  # linear predictors of shares from which on their ends are near
REACHES = (1.0, 4.0)  # to where they are taken back
NONE, FEW, SOME, MUCH = 0.03, 0.2, 0.5, 1.5  # relative factors of effects, from hardly any to large ones
STEEP = 16.0  # range of a linear predictor that goes from one end of its parameter to the other


def units(design: Design, spec: ModelSpec) -> list[float]:
    """Sizes of the linear predictors: of a mean on the scale of its response, that response's; one of all others."""
    sizes = []
    for one in spec.parameters:
        outcome, family = design.outcomes[one.response].present, spec.responses[one.response].family
        link = without_steps(spec.responses[one.response]).links[0]
        is_counted = one.parameter == 0 and link.is_identity
        spread = float(spread_of(family.on_scale(outcome.y) / outcome.trials, design.counts)) if is_counted else 1.0
        if family.parameters[one.parameter].is_slope:
            spread = float(np.std(outcome.y)) / _spread_of_parent(design, spec, one)
        if family.parameters[one.parameter].is_of_curve:
            name, curve = family.parameters[one.parameter].name, family.curve
            spread = abs(curve.start()[curve.parameters.index(name)])
        if family.parameters[one.parameter].is_monotonic:
            spread = _of_slope(family, outcome, family.parameters[one.parameter].name)
        sizes.append(spread if spread > 0.0 else 1.0)
    return [*sizes, *(1.0 for _ in spec.residual_correlations)]


def _of_slope(family: Family, outcome: Outcome, name: str) -> float:
    """Size of the slope of a monotonic effect: that with which it spans as much as the response."""
    slopes = dict(
        zip((one.name for one in family.parameters), family.steps.crude(outcome.y, outcome.trials), strict=True)
    )
    return abs(slopes[name])


def _spread_of_parent(design: Design, spec: ModelSpec, slope: Predictor | Auxiliary) -> float:
    """Standard deviation of the response that a slope is of."""
    names = predictors_of(spec.responses[slope.response].family)
    name = spec.responses[slope.response].family.parameters[slope.parameter].name
    parent = spec.imputed[slope.response][names.index(name)]
    return float(np.std(design.outcomes[parent].present.y)) or 1.0


def starts_beside(problem: GeneralizedProblem, start: Array, x: Array, singular: Sequence[int]) -> Iterator[Array]:
    """Points to search from, beside ``start`` that led to ``x``, where parameters beside means have formulas.

    Few rows a level tell a spread of the means and one of the other parameters apart in several ways: the criterion may
    have one valley with each of them, and one with both.
    """
    working, m = problem.coordinates, problem.coordinates.size
    owners = _owners(problem)
    beside = _beside_means(problem)
    yield from _crude(problem)
    if not owners or not beside:
        return
    sizes = [(SOME, NONE, start), (FEW, NONE, x)]
    if any(owner in beside for own in owners for owner in own):
        sizes += [(SOME, MUCH, x), (NONE, SOME, start)]
    for of_means, of_others, rest in sizes:
        factors = [np.diag([of_others if owner in beside else of_means for owner in own]) for own in owners]
        yield np.concatenate([from_factor(working.structures, factors), rest[m:]])
    for sign in (1.0, -1.0) if any(working.structures[t].k > 1 for t in singular) else ():
        factors = [SOME * (0.5 * np.eye(len(own)) + _first_column(len(own), sign)) for own in owners]
        yield np.concatenate([from_factor(working.structures, factors), x[m:]])
    yield from _steep(problem, x, beside) if len(problem.X) <= FEW_ROWS * problem.likelihood.R else ()


def _steep(problem: GeneralizedProblem, x: Array, beside: set[int]) -> Iterator[Array]:
    """Parameters beside the means at the ends of their ranges at the ends of each of their columns, up and down.

    A shape of counts that are overdispersed at some values of a predictor, and at others are not, runs off there: its
    coefficients are far from where all rows have about the same.
    """
    rows, m = problem.likelihood, problem.coordinates.size
    eta = _predictors(problem, x)
    bounded = {r for r, link in _linked(rows) if not link.is_identity} if isinstance(rows, SeveralPredictors) else set()
    for r in sorted(beside & bounded):
        columns = problem.X.reshape(*eta.shape, -1)[r]
        for column in columns[:, np.ptp(columns, axis=0) > 0.0].T:
            way = STEEP * ((column - column.min()) / np.ptp(column) - 0.5)
            for turned in (way, -way):
                steep = eta.copy()
                steep[r] = eta[r].mean() + turned
                yield np.concatenate([initial_factors(problem.coordinates, SOME), _with(problem, x, steep)[m:]])


def _crude(problem: GeneralizedProblem) -> Iterator[Array]:
    """One number for each parameter, as data without any structure tell it.

    A regression without random effects takes their spread for another shape of the distribution: lighter tails, more
    zeros, a dispersion. From there a search may end in that valley.
    """
    rows, working = problem.likelihood, problem.coordinates
    responses = [one for part in rows.parts for one in part.responses] if isinstance(rows, SeveralPredictors) else []
    if any(one.family.crude is not None for one in responses):
        for apart in (False, True) if any(one.family.apart is not None for one in responses) else (False,):
            beta = crude(rows.R, responses, working.X, problem.offset, apart=apart)
            yield np.concatenate([initial_factors(working, SOME), beta[problem.free]])
            if apart:
                beta = fit_regression(rows, working.X, problem.offset, beta).beta
                if is_near(responses, (working.X @ beta).reshape(rows.R, -1)):
                    yield np.concatenate([initial_factors(working, NONE), beta[problem.free]])


def back_from_ends(problem: GeneralizedProblem, x: Array) -> Iterator[Array]:
    """Where a search has ended with shares at zero or one, as those of zeros: the same, these kept from there.

    The criterion is flat at the ends; a search that was led there has no way back to a lowest point before them.
    """
    rows = problem.likelihood
    shares = _shares(rows) if isinstance(rows, SeveralPredictors) else set()
    eta = _predictors(problem, x)
    gone = [r for r in sorted(shares) if np.abs(eta[r]).max(initial=0.0) > END]
    for reach in REACHES if gone else ():
        kept = eta.copy()
        kept[gone] = np.clip(eta[gone], -reach, reach)
        yield _with(problem, x, kept)


def _predictors(problem: GeneralizedProblem, x: Array) -> Array:
    """Linear predictors ``(R, n)`` of the fixed effects at a point of the search."""
    m, p = problem.coordinates.size, problem.X.shape[1]
    return np.asarray((problem.X @ x[m : m + p] + problem.offset).reshape(problem.likelihood.R, -1))


def _with(problem: GeneralizedProblem, x: Array, eta: Array) -> Array:
    """The point with the fixed effects whose linear predictors are nearest to ``eta (R, n)``."""
    m, p = problem.coordinates.size, problem.X.shape[1]
    beta = np.linalg.lstsq(problem.X, eta.ravel() - problem.offset, rcond=None)[0]
    return np.concatenate([x[:m], beta, x[m + p :]])


def _shares(rows: SeveralPredictors) -> set[int]:
    """Predictors of parameters beside means that are shares: of zeros, of trials."""
    return {r for r, link in _linked(rows) if link.range == "unit"}


def _linked(rows: SeveralPredictors) -> Iterator[tuple[int, Link]]:
    """Predictors of parameters beside means, with their links."""
    for part in rows.parts:
        for one in part.responses:
            yield from zip(one.predictors[1:], one.links[1:], strict=True)


def _first_column(k: int, sign: float) -> Array:
    """What makes all effects of a term correlated with the first."""
    column = np.zeros((k, k))
    column[1:, 0] = sign
    return column


def _beside_means(problem: GeneralizedProblem) -> set[int]:
    """Predictors of parameters beside the means that differ between rows."""
    rows, X = problem.likelihood, problem.coordinates.X
    if not isinstance(rows, SeveralPredictors):
        return set()
    others = {r for part in rows.parts for r in part.beside_means}
    fixed = np.any(X.reshape(rows.R, rows.n, -1) != 0.0, axis=1).sum(axis=1)  # columns of each predictor
    random = {owner for own in _owners(problem) for owner in own}
    return {r for r in others if fixed[r] > 1 or r in random}


def _owners(problem: GeneralizedProblem) -> list[Sequence[int]]:
    """The predictor of each effect of each term."""
    working, R = problem.coordinates, problem.likelihood.R
    return [_owners_of(working, t, R) for t in range(len(working.places))]


def _owners_of(working: Coordinates, t: int, R: int) -> list[int]:
    place = working.places[t]
    z = working.factors[place.factor].z[:, place.columns]
    sizes = np.sum(z.reshape(R, -1, z.shape[1]) ** 2, axis=1)  # (R, k)
    return [int(r) for r in np.argmax(sizes, axis=0)]
