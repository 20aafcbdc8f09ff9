"""Priors in force: the defaults on the scale of the data (`presets`), presets, and the user's own by name."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from bayesmix.arrays import Array
from bayesmix.data.design.design import Design, Term
from bayesmix.errors import SpecError, nearest
from bayesmix.inference.parameters.centring import CENTRED, INTERCEPT, at_means, centring, is_centred, to_means, where
from bayesmix.inference.parameters.correlation import Correlation, Free, OneNumber
from bayesmix.inference.parameters.covariance import Structure, structure_of
from bayesmix.inference.parameters.default_priors import defaults, scales
from bayesmix.inference.parameters.names import Parameters, sd_effects, sd_names
from bayesmix.inference.parameters.prior_wording import (
    OneOfDecov,
    decov_upper,
    in_units,
    quantiles,
    says,
    says_decov,
    says_lkj,
    short,
)
from bayesmix.language.families.link import Link
from bayesmix.language.formula.model_spec import ModelSpec
from bayesmix.language.formula.vocabulary import STRUCTURES
from bayesmix.language.priors.distributions import JOINT
from bayesmix.language.priors.joint import log_decov, log_lkj
from bayesmix.language.priors.prior import Prior

INTERCEPTS = (INTERCEPT, CENTRED)
AT_ZERO = ("brms", "rstanarm", "bambi")  # presets that state the priors of groups where predictors are zero


@dataclass(frozen=True, slots=True, eq=False)
class Priors:
    """Every prior of a model on a design.

    The fixed effects have independent priors on ``gamma = contrast @ beta``: the coefficients themselves, except that
    the intercept is taken where all other columns are at their means, unless a prior for ``Intercept`` was given.
    Standard deviations and correlations of a term have theirs on ``change Sigma change'``: with the term's intercept
    where its numeric columns are at their means, unless a prior at zero was given (see `centring`).
    """

    names: tuple[str, ...]  # (p,) names of gamma
    contrast: Array  # (p, p), determinant 1
    fixed: tuple[Prior, ...]  # (p,)
    sd: tuple[tuple[Prior, ...], ...]  # per term, per standard deviation
    corr: tuple[float | None, ...]  # per term: eta of LKJ, None where there is nothing to correlate
    dispersion: Prior | None
    dispersion_name: str | None
    sd_names: tuple[tuple[str, ...], ...]  # per term, per standard deviation
    corr_names: tuple[str, ...]  # per term: "corr(agegp)"
    effects: tuple[tuple[str, ...], ...]  # per term, the effect of each standard deviation; empty of a shared one
    families: tuple[Correlation, ...]  # per term
    changes: tuple[Array, ...]  # per term (k, k), determinant 1
    places: tuple[str, ...]  # per term, where its intercept is taken: "Days = 4.5"; empty at zero
    response: str
    link: Link

    @property
    def is_centred(self) -> bool:
        """Whether some term has its priors where its numeric columns are at their means."""
        return any(map(is_centred, self.changes))

    @property
    def has_flat(self) -> bool:
        """Whether some prior is improper."""
        dispersion = () if self.dispersion is None else (self.dispersion,)
        return any(prior.is_flat for prior in (*self.fixed, *(p for term in self.sd for p in term), *dispersion))

    def rows(self) -> Iterator[tuple[str, Prior, str]]:
        """Name, prior and what it says, of every parameter or matrix of correlations."""
        for name, prior in zip(self.names, self.fixed, strict=True):
            yield name, prior, in_units(prior, name, self.response, self.link)
        for names, effects, priors, eta, corr_name, family, place in zip(
            self.sd_names, self.effects, self.sd, self.corr, self.corr_names, self.families, self.places, strict=True
        ):
            at = f" at {place}" if place else ""
            for name, effect, prior in zip(names, effects, priors, strict=True):
                meaning = self._says_of_sd(prior, priors.count(prior), effect)
                yield name, prior, meaning + (at if effect == CENTRED else "")
            if eta is not None:
                yield corr_name, Prior("LKJ", (eta,)), says_lkj(eta, family) + at
        if self.dispersion is not None:
            unit = f" {self.response}" if self.dispersion_name == "sigma" and not self.dispersion.is_flat else ""
            yield str(self.dispersion_name), self.dispersion, says(self.dispersion) + unit

    def _says_of_sd(self, prior: Prior, together: int, effect: str) -> str:
        if prior.kind != "Decov":
            return in_units(prior, effect, self.response, self.link)
        names: Any = {"effect": effect, "response": self.response, "link": self.link}
        return says_decov(prior, together, self.dispersion, self.dispersion_name, **names)

    def of_each_sd(self) -> dict[str, Prior | OneOfDecov]:
        """The prior of every standard deviation by itself, by name."""
        found: dict[str, Prior | OneOfDecov] = {}
        for names, priors in zip(self.sd_names, self.sd, strict=True):
            for name, prior in zip(names, priors, strict=True):
                found[name] = prior
                if prior.kind == "Decov":
                    improper = self.dispersion is not None and self.dispersion.is_flat
                    one = OneOfDecov(prior, priors.count(prior), self.dispersion)
                    found[name] = Prior("HalfFlat") if improper else one
        return found

    def intervals(self) -> dict[str, tuple[float, float]]:
        """Bounds that hold 95 % of each proper prior of a single parameter, by name."""
        found = dict(zip(self.names, self.fixed, strict=True))
        if self.dispersion is not None:
            found[str(self.dispersion_name)] = self.dispersion
        bounds: dict[str, tuple[float, float]] = {}
        for names, priors in zip(self.sd_names, self.sd, strict=True):
            found |= dict(zip(names, priors, strict=True))
            if self.dispersion is None or not self.dispersion.is_flat:
                bounds |= {
                    name: (0.0, decov_upper(prior, priors.count(prior), self.dispersion))
                    for name, prior in zip(names, priors, strict=True)
                    if prior.kind == "Decov"
                }
        plain = {name: prior for name, prior in found.items() if not prior.is_flat and prior.kind not in JOINT}
        return bounds | {name: quantiles(prior) for name, prior in plain.items()}

    def lines(self) -> list[str]:
        """The priors as text, one a line."""
        rows = list(self.rows())
        texts = [short(prior) for _, prior, _ in rows]
        width, middle = max(len(name) for name, _, _ in rows), max(map(len, texts))
        return [
            f"  {name:<{width}} ~ {text:<{middle}}  {meaning}"
            for (name, _, meaning), text in zip(rows, texts, strict=True)
        ]

    def __str__(self) -> str:
        return "\n".join(["Priors", *self.lines()])


def resolve(spec: ModelSpec, design: Design) -> Priors:
    """Put a prior on every parameter.

    Raises
    ------
    SpecError
        If a named prior matches no parameter, or does not fit the parameter's range.
    """
    book = _Book(dict(spec.priors), _known_names(spec, design))
    changes = tuple(_change(book, spec.preset, term) for term in design.terms)
    terms = at_means(design, changes).terms  # an intercept is called centred where its prior is
    names, contrast, means = _fixed_contrast(design, spec, raw_intercept="Intercept" in spec.priors)
    preset = defaults(spec, design, means)
    fixed = tuple(
        (book.find([name]) or preset.intercept) if name in INTERCEPTS else (book.find([name, "fixed"]) or prior)
        for name, prior in zip(names, preset.fixed, strict=True)
    )
    sd = tuple(
        tuple(book.find(_sd_aliases(term, name)) or preset.sd(_columns(term), e) for e, name in enumerate(names))
        for term, names in zip(design.terms, sd_names(terms), strict=True)
    )
    for term, own in zip(design.terms, sd, strict=True):
        _check_joint(term, own)
    corr = tuple(_eta(book, preset.eta, term) for term in design.terms)
    dispersion = None
    if spec.family.dispersion is not None:
        dispersion = book.find([spec.family.dispersion]) or preset.dispersion
    return Priors(
        names,
        contrast,
        fixed,
        sd,
        corr,
        dispersion,
        spec.family.dispersion,
        sd_names=tuple(map(tuple, sd_names(terms))),
        corr_names=tuple(f"corr({term.group})" for term in terms),
        effects=tuple(tuple("".join(label) for label in sd_effects(term)) for term in terms),
        families=tuple(structure_of(term).correlation for term in terms),
        changes=changes,
        places=tuple(where(term, change) for term, change in zip(design.terms, changes, strict=True)),
        response=design.response,
        link=spec.link,
    )


def log_prior(priors: Priors, design: Design, values: Parameters) -> dict[str, Array]:
    """Log prior density of draws, one ``(...,)`` array a kind of parameter: ``fixef, sd_<group>, corr_<group>``, ...

    The densities are those of the parameters that the priors are stated on, in the user's units. `log_jacobian` of
    `centring` added, they are those of the parameters as reported, at zero.
    """
    values = to_means(values, priors.changes)
    gamma = values.beta @ priors.contrast.T
    unit = np.ones(values.lead) if values.dispersion is None else np.asarray(values.dispersion)
    found: dict[str, Array] = {"fixef": _sum_log(priors.fixed, gamma)}
    for term, sd_priors, eta, sd, corr in zip(
        design.terms, priors.sd, priors.corr, values.sd, values.corr, strict=True
    ):
        name = f"sd_{term.group}"
        found[name] = found.get(name, 0.0) + log_sd(sd_priors, sd, unit)
        if eta is not None:
            name = f"corr_{term.group}"
            found[name] = found.get(name, 0.0) + log_correlation(structure_of(term), corr, eta)
    if priors.dispersion is not None and values.dispersion is not None:
        found[str(priors.dispersion_name)] = priors.dispersion.log_density(values.dispersion)
    return found


def log_sd(priors: Sequence[Prior], sd: Array, unit: Array) -> Array:
    """Log density of standard deviations ``(..., n)`` of a term; ``unit (...,)``: the dispersion parameter, or ones.

    Those under a Decov prior have it together.
    """
    alone = [j for j, prior in enumerate(priors) if prior.kind != "Decov"]
    joint = [j for j, prior in enumerate(priors) if prior.kind == "Decov"]
    total = _sum_log([priors[j] for j in alone], sd[..., alone])
    if not joint:
        return total
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(total + log_decov(sd[..., joint], unit, *priors[joint[0]].arguments))


def log_correlation(structure: Structure, corr: Array, eta: float) -> Array:
    """Log density of correlation matrices ``(..., k, k)`` under LKJ(eta), or of the one number that rules them."""
    family = structure.correlation
    if not isinstance(family, OneNumber):
        return log_lkj(corr, eta)
    return log_partial(family, family.partial(corr), eta) - math.log(0.5 * (1.0 - family.lowest))


def log_partial(family: Correlation, partial: Array, eta: float) -> Array:
    """Log density of partial correlations ``(..., size)`` under LKJ(eta): ``(...,)``."""
    a, b = family.beta(eta)
    constant = [
        math.lgamma(x + y) - math.lgamma(x) - math.lgamma(y) - (x + y - 1.0) * math.log(2.0)
        for x, y in zip(a, b, strict=True)
    ]
    terms = (a - 1.0) * np.log1p(partial) + (b - 1.0) * np.log1p(-partial) + np.array(constant)
    return np.asarray(terms.sum(axis=-1))


def _sum_log(priors: Sequence[Prior], values: Array) -> Array:
    total: Array = np.zeros(values.shape[:-1])
    for j, prior in enumerate(priors):
        total = total + prior.log_density(values[..., j])
    return total


@dataclass(frozen=True, slots=True)
class _Book:
    """The user's priors, checked against the names of the model."""

    named: Mapping[str, Prior]
    known: Sequence[str]

    def __post_init__(self) -> None:
        for name, prior in self.named.items():
            if name not in self.known:
                listed = ", ".join(self.known)
                raise SpecError(f"No parameter is called `{name}`.{nearest(name, self.known)} Parameters: {listed}.")
            _check_range(name, prior)

    def find(self, names: Sequence[str]) -> Prior | None:
        """The prior of the first of ``names`` that has one."""
        return next((self.named[name] for name in names if name in self.named), None)


def _check_range(name: str, prior: Prior) -> None:
    if name.startswith("corr"):
        if prior.kind != "LKJ":
            raise SpecError(f'Correlations take an LKJ prior, not {prior}: priors={{"{name}": "LKJ(2)"}}.')
        return
    if prior.kind == "LKJ":
        raise SpecError(f"LKJ is a prior for correlations, not for `{name}`.")
    if prior.kind == "Decov" and not name.startswith("sd"):
        raise SpecError(f"Decov is a prior for standard deviations of groups, not for `{name}`.")
    needs_positive = name.startswith("sd") or name in {"sigma", "shape"}
    bounded = prior.is_positive or (prior.kind == "Uniform" and prior.arguments[0] >= 0.0)
    if needs_positive and not bounded:
        raise SpecError(f"`{name}` is positive, {prior} is not: use HalfNormal, HalfStudentT, Exponential or Gamma.")


def _check_joint(term: Term, priors: Sequence[Prior]) -> None:
    joint = dict.fromkeys(str(prior) for prior in priors if prior.kind == "Decov")
    if len(joint) > 1:
        raise SpecError(f"The standard deviations of `{term.group}` share one Decov prior, not {' and '.join(joint)}.")


def _change(book: _Book, preset: str, term: Term) -> Array:
    """Coordinates in which a term has its priors: centred, unless one that touches the intercept is meant at zero."""
    change, group, own = centring(term), term.group, f"sd({term.group}, {INTERCEPT})"
    centred = f"sd({group}, {CENTRED})"
    if centred in book.named and own in book.named:
        raise SpecError(f"`{own}` and `{centred}` are two priors for one standard deviation: give one of them.")
    at_zero = {own, f"sd({group})", "sd", f"corr({group})", "corr"} & book.named.keys()
    if centred not in book.named and (preset in AT_ZERO or at_zero):
        return np.eye(len(change))
    return change


def _sd_aliases(term: Term, name: str) -> list[str]:
    """Names by which a prior of a standard deviation may have been given, the most special first."""
    own = [name, f"sd({term.group}, {CENTRED})"] if name == f"sd({term.group}, {INTERCEPT})" else [name]
    return [*own, f"sd({term.group})", "sd"]


def _known_names(spec: ModelSpec, design: Design) -> list[str]:
    names = list(design.fixed)
    if "Intercept" in names:
        names.insert(1, CENTRED)
    names.append("fixed")
    for term, sds in zip(design.terms, sd_names(design.terms), strict=True):
        if len(term.effects) > 1 and term.structure == "us" and INTERCEPT in term.effects:
            sds.insert(term.effects.index(INTERCEPT) + 1, f"sd({term.group}, {CENTRED})")
        names += [*sds, f"sd({term.group})"]
        if structure_of(term).correlation.size:
            names.append(f"corr({term.group})")
    names += ["sd", "corr"]
    if spec.family.dispersion is not None:
        names.append(spec.family.dispersion)
    return list(dict.fromkeys(names))


def _fixed_contrast(
    design: Design, spec: ModelSpec, *, raw_intercept: bool
) -> tuple[tuple[str, ...], Array, list[float]]:
    """Names and contrast of the parameters that carry the fixed effects' priors, and their prior means."""
    p = len(design.fixed)
    centre, _ = scales(design, spec)
    contrast = np.eye(p)
    if INTERCEPT in design.fixed:
        at = design.fixed.index("Intercept")
        names = list(design.fixed)
        if not raw_intercept:
            contrast[at] = design.X.mean(axis=0)
            names[at] = CENTRED
        return tuple(names), contrast, [centre if j == at else 0.0 for j in range(p)]
    # without an intercept, cell means of a full set of dummies are centred on the mean of y, slopes on zero
    unit, *_ = np.linalg.lstsq(design.X, np.ones(len(design.X)), rcond=None) if p else (np.zeros(0),)
    spans = p > 0 and bool(np.allclose(design.X @ unit, 1.0, atol=1e-8))
    return tuple(design.fixed), contrast, list(centre * unit) if spans else [0.0] * p


def _columns(term: Term) -> Term:
    """The columns of each standard deviation of a term: pooled to one where the effects share it."""
    if not structure_of(term).is_homogeneous:
        return term
    return replace(term, effects=("all",), z=term.z.reshape(-1, 1))


def _eta(book: _Book, default: float, term: Term) -> float | None:
    family = structure_of(term).correlation
    if not family.size:
        return None
    prior = book.find([f"corr({term.group})", "corr"])
    if prior is None:
        return default if isinstance(family, Free) else 1.0  # one number rho: uniform on its range
    eta = prior.arguments[0]
    if min(np.concatenate(family.beta(eta))) <= 0.0:
        raise SpecError(
            f"LKJ({eta:g}) has no density on the correlations of `{STRUCTURES[term.structure][0]}()` with"
            f" {family.k} effects: take LKJ(1), which is uniform, or more."
        )
    return eta
