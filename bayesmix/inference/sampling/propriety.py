"""Whether the posterior of a standard deviation under a flat prior is one, and which moments it has."""

from __future__ import annotations

import numpy as np

from bayesmix.arrays import Array
from bayesmix.data.design.design import Design, Term
from bayesmix.errors import SpecError
from bayesmix.inference.estimation.separation import separating_direction
from bayesmix.inference.parameters.covariance import structure_of
from bayesmix.inference.parameters.names import sd_names
from bayesmix.inference.parameters.priors_in_force import Priors
from bayesmix.language.families.family import Family
from bayesmix.language.formula.model_spec import ModelSpec

PROPER, MEAN = 2, 3  # degrees of freedom from which on the posterior under a flat prior is one, and has a mean
PLENTY = 10  # more are not counted exactly
RANK = 1e-9


def freedom(design: Design, family: Family) -> tuple[Array, ...]:
    """Degrees of freedom that the levels leave to each standard deviation: per term ``(n_sd,)``.

    Where the standard deviation ``s`` of an effect is large, its levels are as good as free, and the likelihood with
    fixed effects integrated out falls as ``s ** -freedom``: the flat-prior posterior is proper from 2 on, has a mean
    from 3 on, and a standard deviation from 4 on. Each level counts one, less the fixed effects that differences
    between levels mimic (the intercept, at least), less the levels whose outcome any large effect explains: counts
    that are all zero, trials that all failed or all succeeded. From ``PLENTY`` on a lower bound is returned, and of a
    standard deviation that effects share.
    """
    counts = (_of_term(design, family, term) for term in design.terms)
    shared = (structure_of(term).is_homogeneous for term in design.terms)
    return tuple(own.sum(keepdims=True) if one else own for own, one in zip(counts, shared, strict=True))


def check_proper(design: Design, family: Family, priors: Priors) -> None:
    """Raise `SpecError` if a flat prior on a standard deviation leaves the posterior improper."""
    flat = [[prior.is_flat for prior in own] for own in priors.sd]
    if not any(map(any, flat)):
        return
    names = sd_names(design.terms)
    for term, own, counts, called in zip(design.terms, flat, freedom(design, family), names, strict=True):
        for name, is_flat, count in zip(called, own, counts, strict=True):
            if is_flat and count < PROPER:
                raise SpecError(
                    f"A flat prior on {name} with {len(term.levels)} levels, of which {max(count, 0)} tell of it beyond"
                    f" the fixed effects, leaves the posterior improper. Give it a proper one:"
                    f' priors={{"{name}": "HalfStudentT(3, scale)"}}.'
                )


def check_bounded(design: Design, spec: ModelSpec, priors: Priors) -> None:
    """Raise `SpecError` if fixed effects with flat priors separate the outcomes: the likelihood has no end there."""
    flat = np.array([prior.is_flat for prior in priors.fixed], bool)
    if not flat.any():
        return
    X = np.linalg.solve(priors.contrast.T, design.X.T).T[:, flat]  # of the coefficients that carry the priors
    if not is_separated(design, spec, X):
        return
    names = ", ".join(name for name, is_flat in zip(design.fixed, flat, strict=True) if is_flat)
    raise SpecError(
        f"Flat priors on {names} leave the posterior improper: these separate the outcomes of `{design.response}`, and"
        ' the likelihood does not fall at infinity. Give proper ones, such as priors="default".'
    )


def is_separated(design: Design, spec: ModelSpec, X: Array) -> bool:
    """Whether the likelihood rises for ever along some combination of the columns ``X (n, p)``."""
    size = np.sqrt(np.mean(X**2, axis=0))
    trials = design.trials
    scaled = X / np.where(size > 0.0, size, 1.0)
    return separating_direction(scaled, design.y, trials, spec.family, spec.link) is not None


def _of_term(design: Design, family: Family, term: Term) -> Array:
    silent = _silent_levels(design, family, term)
    J, k = len(term.levels), len(term.effects)
    if J - design.X.shape[1] - silent >= PLENTY:
        return np.full(k, J - design.X.shape[1] - silent)
    Q = np.linalg.qr(design.X)[0]
    counts = []
    for e in range(k):
        Z = np.zeros((len(design.y), J))
        Z[np.arange(len(design.y)), term.codes] = term.z[:, e]
        left = np.linalg.svd(Z - Q @ (Q.T @ Z), compute_uv=False)
        counts.append(int(np.sum(left > RANK * np.linalg.norm(Z, 2))) - silent)
    return np.array(counts)


def _silent_levels(design: Design, family: Family, term: Term) -> int:
    """Number of levels without any count or success, or without any failure."""
    if not family.values.zero_is_edge:
        return 0
    total = np.bincount(term.codes, design.y, len(term.levels))
    if not family.values.one_is_edge:
        return int(np.sum(total == 0.0))
    trials = design.trials
    return int(np.sum((total == 0.0) | (total == np.bincount(term.codes, trials, len(term.levels)))))
