"""Design to PyMC: the hierarchical model with LKJ-correlated random effects, named dims and coords."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from bayesmix.data.design import Design, Term
from bayesmix.inference.correlation import Correlation, OneNumber
from bayesmix.inference.covariance import structure_of
from bayesmix.inference.priors import Priors
from bayesmix.language.prior import Prior
from bayesmix.language.spec import ModelSpec

Array = np.ndarray


def term_label(terms: Sequence[Term], t: int) -> str:
    """Name of a term: its group, with a number from the second term of a group on (lme4's ``Subject.1``)."""
    before = sum(term.group == terms[t].group for term in terms[:t])
    return terms[t].group + (f".{before}" if before else "")


RESERVED = {"chain", "draw", "fixed", "obs", "X", "offset", "weights", "fixef", "fixef_centred", "sigma", "shape", "y"}


def level_dim(label: str) -> str:
    """Name of the dimension of a grouping factor's levels: its own, unless something else is called so."""
    return f"{label}_level" if label in RESERVED else label


def to_pymc(design: Design, spec: ModelSpec, priors: Priors) -> Any:
    """Build the ``pm.Model``.

    Free variables: the fixed effects at centred predictors, standard deviations, partial correlations whose Beta
    distributions make the correlation matrix LKJ, standard normal ``z_*`` from which the random effects follow, and the
    dispersion. Deterministics carry the names of `Posterior.data`: ``fixef, sd_<group>, corr_<group>, ranef_<group>``.
    """
    import pymc as pm

    _check_codes(design)
    labels = [term_label(design.terms, t) for t in range(len(design.terms))]
    with pm.Model(coords=_coords(design, labels)) as model:
        eta = _fixed_part(design, priors)
        for t, term in enumerate(design.terms):
            eta = eta + _random_part(term, labels[t], priors.sd[t], priors.corr[t])
        dispersion = None
        if priors.dispersion is not None and priors.dispersion_name is not None:
            dispersion = _variable(priors.dispersion_name, [priors.dispersion])[0]
        _likelihood(design, spec, eta, dispersion)
    return model


def _check_codes(design: Design) -> None:
    """Compiled code does not check indices: one out of range reads foreign memory."""
    for term in design.terms:
        if term.codes.min(initial=0) < 0 or term.codes.max(initial=0) >= len(term.levels):
            raise IndexError(f"level codes of `{term.group}` are outside 0..{len(term.levels) - 1}")


def _coords(design: Design, labels: Sequence[str]) -> dict[str, Sequence[Any]]:
    coords: dict[str, Sequence[Any]] = {"fixed": list(design.fixed), "obs": list(range(len(design.y)))}
    for label, term in zip(labels, design.terms, strict=True):
        coords[level_dim(label)] = list(term.levels)
        coords[f"{label}_effect"] = list(term.effects)
    return coords


def _fixed_part(design: Design, priors: Priors) -> Any:
    import pymc as pm
    import pytensor.tensor as pt

    offset = pm.Data("offset", design.offset, dims="obs")
    if not design.fixed:
        pm.Deterministic("fixef", pt.zeros(0), dims="fixed")
        return offset
    gamma = pt.stack(_variable("fixef_centred", priors.fixed, priors.names))
    beta = pm.Deterministic("fixef", pt.dot(np.linalg.inv(priors.contrast), gamma), dims="fixed")
    return offset + pt.dot(pm.Data("X", design.X, dims=("obs", "fixed")), beta)


def _random_part(term: Term, label: str, sd_priors: Sequence[Prior], eta: float | None) -> Any:
    import pymc as pm
    import pytensor.tensor as pt

    k = len(term.effects)
    free = pt.stack(_variable(f"sd_free_{label}", sd_priors))
    sd = pm.Deterministic(
        f"sd_{label}", pt.broadcast_to(free, (k,)) if len(sd_priors) < k else free, dims=f"{label}_effect"
    )
    spherical = pm.Normal(f"z_{label}", 0.0, 1.0, dims=(level_dim(label), f"{label}_effect"))
    if eta is None:
        b = spherical * sd
    else:
        family = structure_of(term).correlation
        half = pm.Beta(f"lkj_{label}", *family.beta(eta), shape=family.size)
        partial = 2.0 * half - 1.0
        rows = family.rows(partial, sqrt=pt.sqrt, one=pt.ones(()))
        zero = pt.zeros(())
        root = pt.stack([pt.stack([*row, *[zero] * (k - len(row))]) for row in rows])
        pm.Deterministic(f"corr_{label}", _reported(family, partial, pt.dot(root, root.T)))
        b = pt.dot(spherical, (sd[:, None] * root).T)
    b = pm.Deterministic(f"ranef_{label}", b, dims=(level_dim(label), f"{label}_effect"))
    codes = pm.Data(f"codes_{label}", term.codes.astype(np.int64), dims="obs")
    z = pm.Data(f"columns_{label}", term.z, dims=("obs", f"{label}_effect"))
    if k == 1:
        return z[:, 0] * b[codes, 0]
    return (z * b[codes]).sum(axis=1)


def _reported(family: Correlation, partial: Any, matrix: Any) -> Any:
    """The correlations that are parameters: pairs below the diagonal, column by column, or the one number."""
    if isinstance(family, OneNumber):
        return family.rho(partial)
    column, row = np.triu_indices(family.k, 1)
    return matrix[row, column]


def _variable(name: str, priors: Sequence[Prior], labels: Sequence[str] = ()) -> list[Any]:
    """Independent scalar parameters: one vector a kind of distribution, handed back one by one in order."""
    kinds = dict.fromkeys(prior.kind for prior in priors)
    scalars: list[Any] = [None] * len(priors)
    for kind in kinds:
        members = [j for j, prior in enumerate(priors) if prior.kind == kind]
        suffix = "" if len(kinds) == 1 else f"_{kind.lower()}"
        arguments = np.array([priors[j].arguments for j in members]).T
        if len(priors) == 1 and not labels:
            return [_distribution(name, kind, [float(argument[0]) for argument in arguments])]
        vector = _distribution(name + suffix, kind, list(arguments), shape=len(members))
        for position, j in enumerate(members):
            scalars[j] = vector[position]
    return scalars


ARGUMENTS: dict[str, tuple[str, ...]] = {  # PyMC's names of the arguments of our priors
    "Normal": ("mu", "sigma"),
    "StudentT": ("nu", "mu", "sigma"),
    "Cauchy": ("alpha", "beta"),
    "Laplace": ("mu", "b"),
    "HalfNormal": ("sigma",),
    "HalfStudentT": ("nu", "sigma"),
    "HalfCauchy": ("beta",),
    "Exponential": ("lam",),
    "Gamma": ("alpha", "beta"),
    "InverseGamma": ("alpha", "beta"),
    "LogNormal": ("mu", "sigma"),
    "Uniform": ("lower", "upper"),
    "Flat": (),
    "HalfFlat": (),
}


def _distribution(name: str, kind: str, arguments: Sequence[Any], **options: Any) -> Any:
    import pymc as pm

    return getattr(pm, kind)(name, **dict(zip(ARGUMENTS[kind], arguments, strict=True)), **options)


def _likelihood(design: Design, spec: ModelSpec, eta: Any, dispersion: Any) -> None:
    import pymc as pm

    mu = _inverse_link(spec.link.name, eta)
    y = design.y
    name = "y"
    unit = bool(np.all(design.weights == 1.0))
    weights = None if unit else pm.Data("weights", design.weights, dims="obs")
    sigma = dispersion
    if spec.family.name == "gaussian" and weights is not None:  # a weight divides the variance
        sigma, weights = dispersion / weights**0.5, None
    distribution, arguments = _response(spec.family.name, design, mu, sigma)
    observed = y if spec.family.name in {"gaussian", "gamma"} else y.astype(np.int64)
    if weights is None:
        distribution(name, **arguments, observed=observed, dims="obs")
    else:  # a weighted log density is no distribution of its own
        pm.Potential(name, weights * pm.logp(distribution.dist(**arguments), observed), dims="obs")


def _response(family: str, design: Design, mu: Any, dispersion: Any) -> tuple[Any, dict[str, Any]]:
    """PyMC's distribution of the response and its arguments."""
    import pymc as pm

    match family:
        case "gaussian":
            return pm.Normal, {"mu": mu, "sigma": dispersion}
        case "poisson":
            return pm.Poisson, {"mu": mu}
        case "binomial" | "bernoulli":
            trials = np.ones(len(design.y)) if design.trials is None else design.trials
            return pm.Binomial, {"n": trials.astype(np.int64), "p": mu}
        case "gamma":
            return pm.Gamma, {"alpha": dispersion, "beta": dispersion / mu}
        case "negbinomial":
            return pm.NegativeBinomial, {"mu": mu, "alpha": dispersion}
        case _:
            raise AssertionError(family)


def _inverse_link(link: str, eta: Any) -> Any:
    import pytensor.tensor as pt

    match link:
        case "identity":
            return eta
        case "log":
            return pt.exp(eta)
        case "inverse":
            return 1.0 / eta
        case "sqrt":
            return eta**2
        case "logit":
            return pt.sigmoid(eta)
        case "probit":
            return 0.5 * pt.erfc(-eta / np.sqrt(2.0))
        case "cloglog":
            return 1.0 - pt.exp(-pt.exp(eta))
        case _:
            raise AssertionError(link)
