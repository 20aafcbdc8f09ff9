"""Coordinates for NUTS in which the posterior is close to independent standard normals, from the point estimate.

Given the covariance of the effects and everything else, the effects of a level would be normal if the response were,
with precision ``I_j + Sigma^-1``: ``I_j`` is what the data say of the level, whatever the other levels and terms are,
by the curvature of the log likelihood at the estimate. The sampler moves ``u_j``, the effects less their conditional
mean, in units of that conditional covariance:

    b_j = L z_j,   z_j = C_j^-T (u_j + C_j^-1 L' c_j),   C_j C_j' = L' I_j L + 1,   L L' = Sigma,

where ``c_j`` is the level's score moved to ``b = 0``, less what a change of the fixed effects takes from it; and of the
effects of the level that it is nested in, given which the nested term is looked at (casks within batches). A level
whose rows say nothing has ``I_j = 0, c_j = 0`` and so ``b_j = L u_j``, the non-centred form; one whose rows say much
more than the prior is centred, ``u_j`` being its effects in units of their standard error, whatever their standard
deviation. The density stays exactly that of the model: the estimate gives the coordinates, whose Jacobian is added.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from bayesmix.arrays import Array
from bayesmix.data.design.design import Design, Term
from bayesmix.data.relation import Relation
from bayesmix.inference.estimation.conditional_mode import generalized_problem
from bayesmix.inference.estimation.point_estimate import PointEstimate
from bayesmix.inference.least_squares.cholesky import factorise
from bayesmix.inference.least_squares.cross_products import moments
from bayesmix.inference.least_squares.derivatives import sensitivity
from bayesmix.inference.least_squares.incidence import incidence
from bayesmix.inference.least_squares.symbolic import plan
from bayesmix.inference.parameters.covariance import from_factor, structure_of
from bayesmix.inference.parameters.one_predictor import one_predictor
from bayesmix.inference.parameters.priors_in_force import Priors
from bayesmix.inference.parameters.smoothed import smoothed
from bayesmix.inference.sampling.nuts.mixing_scales import tail_move
from bayesmix.inference.sampling.nuts.moves import Affine, Log, Logit, Move, Scaled
from bayesmix.inference.sampling.nuts.numbers import split_priors
from bayesmix.language.formula.model_spec import ModelSpec
from bayesmix.language.priors.prior import Prior

FARTHEST = 20.0  # times its prior's median that a range starts at most, or at least
SMALLEST = 0.05  # a standard deviation estimated at zero starts at this share of its prior's scale
REAL = {"Normal", "StudentT", "Cauchy", "Laplace", "Flat"}  # priors on all of the real line
MOST_EFFECTS = 3  # terms with more effects are non-centred: the blocks are written out effect by effect


@dataclass(frozen=True, slots=True, eq=False)
class Parent:
    """A term whose levels hold those of another."""

    term: int
    index: Array  # (J,) the level of the parent that each level is in
    slope: Array  # (J, k, k of the parent) what the parent's effects take from c_j


@dataclass(frozen=True, slots=True, eq=False)
class TermReparametrisation:
    """Coordinates of one term."""

    sd: tuple[Move, ...]  # one a kind of prior
    numbers: tuple[Move, ...]  # of (1 + partial correlation) / 2; of ranges, one a kind of prior
    information: Array  # (J, k, k) I_j
    score: Array  # (J, k) c_j at the estimated fixed effects
    slope: Array  # (J, k, p) what a change of the fixed effects takes from c_j
    parents: tuple[Parent, ...] = ()
    relation: Relation | None = None  # of the levels

    @property
    def is_adapted(self) -> bool:
        """Whether levels have coordinates of their own; otherwise the term is non-centred."""
        return self.relation is None and self.score.shape[-1] <= MOST_EFFECTS


@dataclass(frozen=True, slots=True, eq=False)
class Reparametrisation:
    """Coordinates of a model."""

    fixed: tuple[Move, ...]  # of the fixed effects that formulas have, one a kind of prior
    beta: Array  # (p,) fixed effects at the estimate
    terms: tuple[TermReparametrisation, ...]
    numbers: tuple[Move, ...]  # of the parameters that are one number for all rows
    tails: Mapping[str, Move]  # of degrees of freedom, by group


def reparametrise(design: Design, spec: ModelSpec, priors: Priors, point: PointEstimate) -> Reparametrisation:
    """Take the coordinates from the point estimate, moved off the boundary and into the priors' support."""
    terms = _terms(design, spec, priors, point)
    split = split_priors(priors)
    own = list(split.coefficients)
    gamma, covariance = priors.moments(point.beta, point.beta_cov)
    values = [inside((number.prior,), np.array([number.value(gamma, point.dispersion)])) for number in split.numbers]
    coefficients = inside(split.fixed, gamma[own])
    gamma = split.gamma(coefficients, values, join=np.concatenate)
    beta = np.linalg.solve(priors.contrast, gamma) if len(gamma) else gamma
    numbers = tuple(
        _move([number.prior], value[0], number.error(covariance, design.n))
        for number, value in zip(split.numbers, values, strict=True)
    )
    fixed = _moves(split.fixed, coefficients, np.ones(len(own)), covariance[np.ix_(own, own)])
    tails = {group: tail_move(prior) for group, prior in priors.df.items()}
    return Reparametrisation(fixed, beta, terms, numbers, tails)


def _terms(design: Design, spec: ModelSpec, priors: Priors, point: PointEstimate) -> tuple[TermReparametrisation, ...]:
    starts = [_start(term, priors, point, t) for t, term in enumerate(design.terms)]
    order = range(len(design.terms))
    if not spec.has_row_covariance:
        information = _information(design, smoothed(spec), point)
        return tuple(_term(design.terms, t, priors, point, information, starts) for t in order)
    # as if rows were independent: any coordinates are exact, and levels are larger than blocks
    view, mean = one_predictor(design, spec, 0), design.of_predictor(0)
    information = view.weights * np.exp(-2.0 * point.predictor(design)[design.block(1)])
    alone = replace(point, beta=point.beta[mean])
    found = []
    for own in (_term(view.terms, t, priors, alone, information, starts) for t in order):
        slope = np.zeros((*own.slope.shape[:-1], len(point.beta)))
        slope[..., mean] = own.slope
        found.append(replace(own, slope=slope))
    return tuple(found)


def spherical(
    u: Sequence[Any], L: Sequence[Sequence[Any]], information: Any, c: Sequence[Any], *, sqrt: Any, log: Any
) -> tuple[list[Any], Any]:
    """Spherical effects ``z`` of all levels and ``log |dz / du|``, for NumPy's arrays and PyTensor's symbols alike.

    Parameters
    ----------
    u, c : one ``(..., J)`` an effect.
    L : rows of a root of the covariance, each entry ``(..., 1)``; trailing zeros left out.
    information : ``information[i][j]`` is ``(J,)``.
    """
    k = len(u)
    A = [[_quadratic(L, information, i, j) + (1.0 if i == j else 0.0) for j in range(i + 1)] for i in range(k)]
    C: list[list[Any]] = []
    for i in range(k):  # Cholesky, row by row
        row: list[Any] = []
        for j in range(i):
            row.append((A[i][j] - sum(row[m] * C[j][m] for m in range(j))) / C[j][j])
        row.append(sqrt(A[i][i] - sum(value**2 for value in row)))
        C.append(row)
    mean: list[Any] = []
    for i in range(k):
        h = sum(L[a][i] * c[a] for a in range(k) if i < len(L[a]))
        mean.append((h - sum(C[i][m] * mean[m] for m in range(i))) / C[i][i])
    z: list[Any] = [None] * k
    for i in reversed(range(k)):
        z[i] = (u[i] + mean[i] - sum(C[m][i] * z[m] for m in range(i + 1, k))) / C[i][i]
    return z, -sum(log(C[i][i]) for i in range(k))


def inside(priors: Sequence[Prior], values: Array) -> Array:
    """Values, those without prior density replaced by one well inside the prior's support."""
    moved = np.array(values, float)
    for j, prior in enumerate(priors):
        if prior.kind == "Decov" or np.isfinite(prior.log_density(moved[j])):
            continue
        lower, upper = prior.arguments if prior.kind == "Uniform" else (0.0, 2.0 * float(typical((prior,))[0]))
        moved[j] = 0.5 * (lower + upper)
    return moved


def typical(sd_priors: Sequence[Prior], unit: float = 1.0) -> Array:
    """Median-like size under each prior, 1 for improper ones; ``unit`` of those that are relative to the dispersion."""
    grid = np.logspace(-8, 8, 2001)
    sizes = []
    for prior in sd_priors:
        if prior.kind == "Decov":
            sizes.append(unit * prior.arguments[2])
            continue
        mass = np.exp(prior.log_density(grid)) * grid
        sizes.append(1.0 if prior.is_flat else float(grid[np.searchsorted(np.cumsum(mass), 0.5 * mass.sum())]))
    return np.array(sizes)


def _quadratic(L: Sequence[Sequence[Any]], information: Any, i: int, j: int) -> Any:
    """Entry of ``L' I L``; entries of ``L`` that are the number zero are left out."""
    total: Any = 0.0
    for a, left in enumerate(L):
        for b, right in enumerate(L):
            if i < len(left) and j < len(right) and not (_is_zero(left[i]) or _is_zero(right[j])):
                total = total + left[i] * information[a][b] * right[j]
    return total


def _is_zero(value: Any) -> bool:
    return isinstance(value, float) and value == 0.0


@dataclass(frozen=True, slots=True, eq=False)
class _Start:
    """Where the parameters of one term start."""

    sd: Array  # (n_sd,)
    numbers: tuple[Move, ...]
    covariance: Array  # (k, k), positive definite


def _start(term: Term, priors: Priors, point: PointEstimate, t: int) -> _Start:
    """The estimate, off the boundary and in the support of the priors."""
    structure = structure_of(term)
    sd, corr = structure.parts(point.covariances[t])
    floor = SMALLEST * typical(priors.sd[t], float(point.dispersion or 1.0))
    free = inside(priors.sd[t], np.maximum(sd[: len(priors.sd[t])], floor))
    family = structure.correlation
    numbers = family.partial(family.inward(corr, 0.05))
    if family.has_lkj:
        moves: tuple[Move, ...] = (Logit(np.log1p(numbers) - np.log1p(-numbers), np.ones(len(numbers))),)
    else:
        usual = typical(priors.corr[t])
        numbers = inside(priors.corr[t], usual * np.clip(numbers / usual, 1.0 / FARTHEST, FARTHEST))
        moves = _moves(priors.corr[t], numbers, np.ones(len(numbers)))
    root = free[:, None] * family.root(numbers)
    return _Start(free, moves, root @ root.T)


def _information(design: Design, spec: ModelSpec, point: PointEstimate) -> Array:
    """Minus the second derivatives of each row's log likelihood by its predictors, at the estimate; positive."""
    problem = generalized_problem(design, point.coordinates, spec)
    eta, dispersion = point.predictor(design), float(point.dispersion or 1.0)
    second = np.nan_to_num(problem.jet(eta, dispersion)[2])
    return (
        np.maximum(-second, 0.0) if design.R == 1 else problem.likelihood.descent(eta, second, np.asarray(dispersion))
    )


def _term(
    terms: Sequence[Term],
    t: int,
    priors: Priors,
    point: PointEstimate,
    information: Array,
    starts: Sequence[_Start],
) -> TermReparametrisation:
    start = starts[t]
    holders = [(s, index) for s in range(len(terms)) if (index := _holds(terms[s], terms[t])) is not None]
    V, A = _conditional(terms, t, point, information, [one.covariance for one in starts], holders)
    precision = np.linalg.inv(V)
    score, slope = np.einsum("jkl,jl->jk", precision, point.b[t]), precision @ A
    p = len(point.beta)
    parents, at = [], p
    for s, index in holders:
        own = slope[..., at : at + terms[s].z.shape[1]]
        at += terms[s].z.shape[1]
        score = score + np.einsum("jkl,jl->jk", own, point.b[s][index])
        parents.append(Parent(s, index, own))
    known = _positive(precision - np.linalg.inv(start.covariance), terms[t])
    moves = _moves(priors.sd[t], start.sd, _log_scale(start, known))
    relation = terms[t].relation
    return TermReparametrisation(moves, start.numbers, known, score, slope[..., :p], tuple(parents), relation)


def _positive(known: Array, term: Term) -> Array:
    """Information of the levels; none below zero of levels that are not independent, of which each tells of others."""
    return known if term.is_independent else np.maximum(known, 0.0) * np.eye(known.shape[-1])


def _holds(outer: Term, inner: Term) -> Array | None:
    """The level of ``outer`` that each level of ``inner`` is in, if it is in one, and there are fewer of them."""
    if len(outer.levels) >= len(inner.levels) or not (inner.is_independent and outer.slots == 1):
        return None
    index = np.zeros(len(inner.levels), np.int64)
    index[inner.codes] = outer.codes
    return index if np.array_equal(index[inner.codes], outer.codes) else None


def _conditional(
    terms: Sequence[Term],
    t: int,
    point: PointEstimate,
    information: Array,
    covariances: Sequence[Array],
    holders: Sequence[tuple[int, Array]],
) -> tuple[Array, Array]:
    """How the effects of a level are distributed given the fixed effects and those of the levels that it is in.

    Other terms are integrated out; where the level is within others, only those within it.

    Returns
    -------
    V, A
        Covariance of the effects of each level ``(J, k, k)``, and ``A`` of their mean ``b_hat - A change``, where the
        change is that of the fixed effects and of the holders' effects: ``(J, k, p + their number)``.
    """
    working = point.coordinates
    roots = [
        _cholesky(np.linalg.solve(C, np.linalg.solve(C, G).T)) for C, G in zip(working.C, covariances, strict=True)
    ]
    Lambdas = working.by_factor(from_factor(working.structures, roots))
    own = working.places[t].factor
    kept = list(range(len(working.factors)))
    if holders:
        inner = [s for s in range(len(terms)) if s == t or _holds(terms[t], terms[s]) is not None]
        kept = sorted({working.places[s].factor for s in inner} | {own})
    factors = [working.factors[f] for f in kept]
    pattern = incidence(factors)
    columns = np.hstack([working.X, *(terms[s].z for s, _ in holders)])
    wanted = columns.shape[1]
    if not wanted:
        columns = np.zeros((len(working.X), 1))
    products = moments(pattern, factors, columns, information)
    factorisation = factorise(plan(pattern), products, [Lambdas[f] for f in kept])
    c, p = columns.shape[1], len(point.beta)
    place = working.places[t].columns
    V = sensitivity(factorisation, np.zeros((c, c)), pattern).D[kept.index(own)][:, place, place]
    A = -sensitivity(factorisation, np.eye(c), pattern).B[kept.index(own)][:, place, :wanted]
    C = working.C[t]
    A = np.einsum("kl,jlc->jkc", C, A)
    if p:
        A = np.concatenate([A[..., :p] @ np.linalg.inv(working.T), A[..., p:]], axis=-1)
    return C @ V @ C.T, A


def _log_scale(start: _Start, information: Array) -> Array:
    """Standard errors of the logarithms of standard deviations ``(n_sd,)``, by Fisher's information."""
    share = np.einsum("jkk->jk", information) * start.sd**2  # broadcasts where the effects share one
    share = share / (1.0 + share)
    known = 2.0 * np.sum(share**2, axis=0)
    known = known if len(start.sd) == len(known) else known.sum(keepdims=True)
    return np.asarray(1.0 / np.sqrt(1.0 + known))


def _moves(priors: Sequence[Prior], values: Array, scale: Array, covariance: Array | None = None) -> tuple[Move, ...]:
    """Coordinates of independent parameters ``(m,)``, one a kind of prior: those on the real line move together."""
    moves: list[Move] = []
    kinds = np.array([prior.kind for prior in priors])
    for kind in dict.fromkeys(kinds):
        own = kinds == kind
        if kind in REAL and covariance is not None:
            moves.append(Affine(values[own], _cholesky(covariance[np.ix_(own, own)])))
        else:
            moves.append(_move([prior for prior in priors if prior.kind == kind], values[own], scale[own]))
    return tuple(moves)


def _move(priors: Sequence[Prior], values: Array, scale: Array) -> Move:
    """Coordinates of positive parameters, of bounded ones, or of real ones, each by itself, of one kind of prior."""
    if priors[0].kind in REAL:
        return Scaled(values, scale)
    if priors[0].kind == "Beta":
        return Logit(np.log(values) - np.log1p(-values), scale)
    if priors[0].kind == "Uniform":
        lower, upper = np.array([prior.arguments for prior in priors]).T.reshape(2, *values.shape)
        return Logit(np.log(values - lower) - np.log(upper - values), scale)
    return Log(np.log(values), scale)


def _cholesky(covariance: Array) -> Array:
    """Cholesky factor; of a matrix without information in some direction, that of its diagonal."""
    sizes = np.diagonal(covariance).copy()
    sizes[~(np.isfinite(sizes) & (sizes > 0.0))] = 1.0
    try:
        found = np.linalg.cholesky(covariance)
    except np.linalg.LinAlgError:
        return np.diag(np.sqrt(sizes))
    diagonal = np.diagonal(found)
    usable = np.all(np.isfinite(found)) and np.all(diagonal**2 > 1e-10 * sizes)
    return found if usable else np.diag(np.sqrt(sizes))
