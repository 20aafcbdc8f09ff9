"""Priors of the correlations of a term: LKJ, or that of each number that they follow from."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bayesmix.data.design.design import Term
from bayesmix.errors import SpecError
from bayesmix.inference.parameters.correlation import Free
from bayesmix.inference.parameters.covariance import structure_of
from bayesmix.inference.parameters.named_priors import NamedPriors
from bayesmix.inference.parameters.positive_numbers import PositiveNumbers
from bayesmix.inference.parameters.range_priors import default_priors
from bayesmix.language.formula.vocabulary import STRUCTURES
from bayesmix.language.priors.prior import Prior


def correlation_prior_names(term: Term, own: Sequence[str]) -> tuple[str, ...]:
    """What the priors of a term's correlations are called: that of all of them has one name."""
    family = structure_of(term).correlation
    if not family.has_lkj:
        return tuple(own)
    return (f"corr({term.group})",) if family.size else ()


def of_correlations(named: NamedPriors, default: float, term: Term, own: Sequence[str]) -> tuple[Prior, ...]:
    """The priors of the correlations of a term, the default one LKJ with eta ``default``."""
    family = structure_of(term).correlation
    if isinstance(family, PositiveNumbers):
        usual = zip(own, family.kinds, default_priors(family), strict=True)
        return tuple(named.find([name, kind]) or prior for name, kind, prior in usual)
    if not family.size:
        return ()
    prior = named.find([f"corr({term.group})", "corr"])
    if prior is None:  # one number rho, or numbers by lag: uniform on their range
        prior = Prior("LKJ", (default if isinstance(family, Free) else 1.0,))
    eta = prior.arguments[0]
    if min(np.concatenate(family.beta(eta))) <= 0.0:
        raise SpecError(
            f"LKJ({eta:g}) has no density on the correlations of `{STRUCTURES[term.structure][0]}()` with"
            f" {family.k} effects: take LKJ(1), which is uniform, or more."
        )
    return (prior,)
