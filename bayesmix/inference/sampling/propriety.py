"""Whether the posterior under flat priors is one, and which moments that of a standard deviation has."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bayesmix.arrays import Array
from bayesmix.data.design.design import Design, Term
from bayesmix.errors import SpecError
from bayesmix.inference.estimation.mean_part import separable_predictors
from bayesmix.inference.estimation.separation import edges, rising_direction, separating_direction
from bayesmix.inference.parameters.covariance import structure_of
from bayesmix.inference.parameters.names import sd_names
from bayesmix.inference.parameters.one_predictor import one_predictor, one_term
from bayesmix.inference.parameters.priors_in_force import Priors
from bayesmix.language.families.category_counts import by_category
from bayesmix.language.families.family import Family, Limit
from bayesmix.language.formula.model_spec import Auxiliary, ModelSpec, Predictor
from bayesmix.language.priors.on_link import natural

PROPER, MEAN = 2, 3  # degrees of freedom from which on the posterior under a flat prior is one, and has a mean
PLENTY = 10  # more are not counted exactly
RANK = 1e-9
MANY = 2_000  # rows whose independent columns are counted by their number alone


# ---- standard deviations ----------------------------------------------------------------------------------------


def freedom(design: Design, spec: ModelSpec) -> tuple[Array, ...]:
    """Degrees of freedom that the levels leave to each standard deviation: per term ``(n_sd,)``.

    Where the standard deviation ``s`` of an effect is large, its levels are as good as free, and the likelihood with
    fixed effects integrated out falls as ``s ** -freedom``: the flat-prior posterior is proper from 2 on, has a mean
    from 3 on, and a standard deviation from 4 on. Each level counts one, less the fixed effects of its predictor that
    differences between levels mimic (the intercept, at least), less the levels whose outcome any large effect explains:
    of a mean, counts that are all zero, trials that all failed or all succeeded; of other parameters see
    `_saturated_levels`. From ``PLENTY`` on a lower bound is returned, and of a standard deviation that effects share.
    """
    counts = (_of_term(design, spec, term) for term in design.terms)
    shared = (structure_of(term).is_homogeneous for term in design.terms)
    return tuple(own.sum(keepdims=True) if one else own for own, one in zip(counts, shared, strict=True))


def check_proper(design: Design, spec: ModelSpec, priors: Priors) -> None:
    """Raise `SpecError` if a flat prior on a standard deviation leaves the posterior improper."""
    flat = [[prior.is_flat for prior in own] for own in priors.sd]
    if not any(map(any, flat)):
        return
    names = sd_names(design.terms)
    for term, own, counts, called in zip(design.terms, flat, freedom(design, spec), names, strict=True):
        for name, is_flat, count in zip(called, own, counts, strict=True):
            if is_flat and count < PROPER:
                raise SpecError(
                    f"A flat prior on {name} with {len(term.levels)} levels, of which {max(count, 0)} tell of it beyond"
                    f" the fixed effects, leaves the posterior improper. Give it a proper one:"
                    f' priors={{"{name}": "HalfStudentT(3, scale)"}}.'
                )


def check_stated(design: Design, spec: ModelSpec, priors: Priors) -> None:
    """Raise `SpecError` where parameters of a nonlinear mean have no prior: no default knows their units."""
    owners = {
        r
        for r, one in enumerate(spec.parameters)
        if spec.responses[one.response].family.parameters[one.parameter].is_of_curve
    }
    missing = [
        name
        for name, owner, prior in zip(design.fixed, design.layout.owners, priors.fixed, strict=True)
        if owner in owners and natural(prior).is_flat
    ]
    for term, called, own in zip(design.terms, sd_names(design.terms), priors.sd, strict=True):
        if owners & set(term.owners):
            missing += [name for name, prior in zip(called, own, strict=True) if prior.is_flat]
    if missing:
        listed = ", ".join(f'"{name}": "{_example(name)}"' for name in missing)
        raise SpecError(
            "The likelihood of a nonlinear mean need not fall at infinity, and no default prior knows the units of its"
            f" parameters: state them, as in brms, priors={{{listed}}}."
        )


def _example(name: str) -> str:
    return "HalfNormal(...)" if name.startswith("sd(") else "Normal(..., ...)"


def _of_term(design: Design, spec: ModelSpec, term: Term) -> Array:
    counts = np.zeros(len(term.effects), int)
    for r, one in enumerate(spec.parameters):
        own = term.columns_of(r)
        if not own:
            continue
        view, alone = one_predictor(design, spec, r), one_term(term, design, r).observed()
        family = _family(spec, r)
        if one.parameter == 0 or family.parameters[one.parameter].is_mean:
            silent = np.full(len(own), _silent_levels(view, family, one, alone))
        else:
            silent = np.array([_saturated_levels(design, spec, r, alone, z) for z in alone.z.T])
        counts[own] = _told(_with_thresholds(view.X, family, one.parameter), alone, silent)
    return counts


def _family(spec: ModelSpec, predictor: int) -> Family:
    """The family of the response that a linear predictor is of."""
    return spec.family if spec.is_simple else spec.responses[spec.parameters[predictor].response].family


def _with_thresholds(X: Array, family: Family, parameter: int) -> Array:
    """Columns of a predictor, and the one that thresholds are instead of an intercept where they all move."""
    return np.column_stack([X, np.ones(len(X))]) if family.is_ordered and parameter == 0 else X


def _told(X: Array, term: Term, silent: Array) -> Array:
    """Levels beside the fixed effects ``X`` that they mimic and those that are silent, one number an effect."""
    J, k = len(term.levels), len(term.effects)
    if J - X.shape[1] - silent.max() >= PLENTY:
        return np.asarray(J - X.shape[1] - silent)
    Q = np.linalg.qr(X)[0]
    counts = []
    for e in range(k):
        Z = np.zeros((len(X), J))
        np.add.at(Z, (np.tile(np.arange(len(X)), term.slots), term.codes), term.z[:, e])
        left = np.linalg.svd(Z - Q @ (Q.T @ Z), compute_uv=False)
        counts.append(int(np.sum(left > RANK * np.linalg.norm(Z, 2))))
    return np.array(counts) - silent


def _silent_levels(design: Design, family: Family, one: Predictor | Auxiliary, term: Term) -> int:
    """Number of levels without any count or success, or without any failure; or at one end of what is known altogether.

    That is all censored on one side, all of the lowest or all of the highest category; of the score of a category all
    of it, or none.
    """
    y, link = design.y, one.link
    if term.slots > 1:  # no outcome is one level's alone
        return 0
    if family.levels:
        occurs, last = by_category(family, y, design.trials) > 0.0, len(family.levels) - 1
        ends = (0, last) if family.is_ordered else (one.parameter + 1,)
        inside = [np.delete(occurs, end, axis=1).any(axis=1) for end in ends]
        inside += [] if family.is_ordered else [occurs[:, ends[0]]]
        mixed = [np.bincount(term.codes, some, len(term.levels)) > 0.0 for some in inside]
        return int(np.sum(~(mixed[0] & mixed[1])))
    if design.outcome.bounds is not None:
        way = edges(design.y, design.trials, family, link, bounds=design.outcome.bounds)
        rows = np.bincount(term.codes, minlength=len(term.levels))
        return int(np.sum(np.abs(np.bincount(term.codes, way, len(term.levels))) == rows))
    if not family.values.least_is_edge:
        return 0
    if not family.values.one_is_edge:
        above = np.bincount(term.codes, design.y > family.values.least, len(term.levels))
        return int(np.sum(above == 0.0))
    total = np.bincount(term.codes, design.y, len(term.levels))
    trials = design.trials
    return int(np.sum((total == 0.0) | (total == np.bincount(term.codes, trials, len(term.levels)))))


def _saturated_levels(design: Design, spec: ModelSpec, predictor: int, term: Term, z: Array) -> int:
    """Most levels whose outcomes any large effect ``z (n,)`` on a parameter beside the mean may explain at once.

    A dispersion that grows makes outcomes unlikely without end, one that vanishes does unless means go through every
    row of the level: its random effects are free to, level by level, fixed and crossed effects as often as there are
    such. A level whose rows the effect moves both ways never is one. Nothing is known of families without a scale: a
    Poisson response is the limit of a negative binomial one, whatever it is.
    """
    J, family = len(term.levels), _family(spec, predictor)
    if not family.has_scale or family.parameters[spec.parameters[predictor].parameter].limit is not None:
        return J
    mean = one_predictor(design, spec, _mean_of(spec, predictor))
    rows, spare = np.bincount(term.codes[z != 0.0], minlength=J), mean.X.shape[1]
    for other in mean.terms:
        pairs = np.unique(np.stack([other.codes, term.codes]), axis=1)
        if pairs.shape[1] == len(other.levels):  # each of its levels is within one of the term
            rows = rows - len(other.effects) * np.bincount(pairs[1], minlength=J)
        else:
            spare += len(other.effects) * len(other.levels)
    rises, falls = (np.bincount(term.codes[way], minlength=J) > 0 for way in (z > 0.0, z < 0.0))
    needed = np.sort(np.maximum(rows, 0)[~(rises & falls)])
    return int(np.sum(np.cumsum(needed) <= spare))


def _mean_of(spec: ModelSpec, predictor: int) -> int:
    """The predictor of the mean of the same response."""
    response = spec.parameters[predictor].response
    return next(r for r, one in enumerate(spec.parameters) if (one.response, one.parameter) == (response, 0))


# ---- fixed effects ----------------------------------------------------------------------------------------------


def check_bounded(design: Design, spec: ModelSpec, priors: Priors) -> None:
    """Raise `SpecError` if flat priors leave the likelihood without end along some combination of fixed effects."""
    if priors.dispersion is not None and priors.dispersion.is_flat:
        limit = spec.family.parameters[1].limit
        if limit is not None and limit.end == "infinity":
            raise _endless(str(priors.dispersion_name), _of_limit(spec.family, limit))
    flat = np.array([natural(prior).is_flat for prior in priors.fixed], bool)
    if not flat.any():
        return
    X = np.linalg.solve(priors.contrast.T, design.X.T).T  # of the coefficients that carry the priors
    for joint in separable_predictors(design, spec):
        own = [j for r in joint for j in design.of_predictor(r) if flat[j]]
        if own and _separates(design, spec, joint, X[:, own]):
            separated = f"these separate the outcomes of `{_label(spec, joint)}`"
            raise _endless(", ".join(design.fixed[j] for j in own), separated)
    for r in range(design.R):
        own = [j for j in design.of_predictor(r) if flat[j]]
        reason = _why_endless(design, spec, r, X[design.block(r)][:, own]) if own else None
        if reason is not None:
            raise _endless(", ".join(design.fixed[j] for j in own), reason)


def _label(spec: ModelSpec, joint: Sequence[int]) -> str:
    """The response of some predictors."""
    return spec.responses[spec.parameters[joint[0]].response].label


def _endless(names: str, reason: str) -> SpecError:
    return SpecError(
        f"Flat priors on {names} leave the posterior improper: {reason}, and the likelihood does not fall at"
        ' infinity. Give proper ones, such as priors="default".'
    )


def _of_limit(family: Family, limit: Limit) -> str:
    return f"family {limit.family} is the limit of {family.name}"


def is_separated(design: Design, spec: ModelSpec, X: Array) -> bool:
    """Whether the likelihood rises for ever along some combination of the columns ``X (N, p)`` of means."""
    return any(
        _separates(design, spec, joint, X[:, [j for r in joint for j in design.of_predictor(r)]])
        for joint in separable_predictors(design, spec)
    )


def _why_endless(design: Design, spec: ModelSpec, predictor: int, X: Array) -> str | None:
    """Why the likelihood stays along some combination of columns ``X (n, m)`` of a predictor; None if it falls."""
    one, view = spec.parameters[predictor], one_predictor(design, spec, predictor)
    if one.parameter == 0:
        return None  # means separate outcomes, or nothing
    family, is_number = _family(spec, predictor), predictor in design.layout.numbers
    limit = family.parameters[one.parameter].limit
    if limit is not None and is_number and limit.end == "zero":
        return None  # flat on a scale that ends there
    if limit is not None:
        positive = X[view.y > 0.0]
        stays = np.linalg.matrix_rank(positive) < X.shape[1] or rising_direction(positive) is not None
        return _of_limit(family, limit) if stays else None
    if family.has_scale and not is_number and _goes_through(one_predictor(design, spec, _mean_of(spec, predictor)), X):
        return f"means may go through all rows of `{view.response}` that one of them is of"
    return None


def _separates(design: Design, spec: ModelSpec, joint: Sequence[int], X: Array) -> bool:
    """Whether columns ``X (N, m)`` of the predictors that tell outcomes apart separate them."""
    own = np.vstack([X[design.block(r)] for r in joint])
    size = np.sqrt(np.mean(own**2, axis=0))
    scaled = own / np.where(size > 0.0, size, 1.0)
    one = spec.parameters[joint[0]]
    family, outcome = spec.responses[one.response].family, design.outcomes[one.response]
    direction = separating_direction(scaled, outcome.y, outcome.trials, family, one.link, bounds=outcome.bounds)
    return direction is not None


def _goes_through(mean: Design, X: Array) -> bool:
    """Whether some rows have a combination of columns ``X (n, m)`` to themselves, and a mean that fits them exactly."""
    cells, codes = np.unique(X, axis=0, return_inverse=True)
    left, sizes, _ = np.linalg.svd(cells, full_matrices=False)
    leverage = np.sum(left[:, sizes > RANK * sizes.max(initial=1e-300)] ** 2, axis=1)
    return any(_is_saturated(mean, codes.ravel() == c) for c in np.flatnonzero(leverage > 1.0 - RANK))


def _is_saturated(mean: Design, rows: Array) -> bool:
    """Whether as many columns as there are of these rows are independent there, random effects among them."""
    n, levels = int(rows.sum()), [np.unique(term.codes[rows], return_inverse=True)[1] for term in mean.terms]
    sizes = [len(term.effects) * (int(codes.max()) + 1) for term, codes in zip(mean.terms, levels, strict=True)]
    if mean.X.shape[1] + sum(sizes) < n or n > MANY:
        return mean.X.shape[1] + sum(sizes) >= n
    dummies = [np.eye(int(codes.max()) + 1)[codes] for codes in levels]
    own = [D * column[:, None] for term, D in zip(mean.terms, dummies, strict=True) for column in term.z[rows].T]
    return int(np.linalg.matrix_rank(np.hstack([mean.X[rows], *own]))) == n
