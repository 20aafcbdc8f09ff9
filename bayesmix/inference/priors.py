"""Priors in force: the defaults of DESIGN section 6 on the scale of the data, presets, and the user's own by name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from bayesmix.data.design import Design, Term
from bayesmix.errors import DesignError, SpecError, nearest
from bayesmix.inference.parameters import Parameters
from bayesmix.language.prior import Prior, log_lkj
from bayesmix.language.spec import ModelSpec

Array = np.ndarray

CENTRED = "Intercept(centred)"  # the intercept at the means of the other columns


@dataclass(frozen=True, slots=True, eq=False)
class Priors:
    """Every prior of a model on a design.

    The fixed effects have independent priors on ``gamma = contrast @ beta``: the coefficients themselves, except that
    the intercept is taken where all other columns are at their means, unless a prior for ``Intercept`` was given.
    """

    names: tuple[str, ...]  # (p,) names of gamma
    contrast: Array  # (p, p), determinant 1
    fixed: tuple[Prior, ...]  # (p,)
    sd: tuple[tuple[Prior, ...], ...]  # per term, per effect
    corr: tuple[float | None, ...]  # per term: eta of LKJ, None where there is nothing to correlate
    dispersion: Prior | None
    dispersion_name: str | None

    @property
    def has_flat(self) -> bool:
        """Whether some prior is improper."""
        dispersion = () if self.dispersion is None else (self.dispersion,)
        return any(prior.is_flat for prior in (*self.fixed, *(p for term in self.sd for p in term), *dispersion))


def scales(design: Design, spec: ModelSpec) -> tuple[float, float]:
    """Centre ``g(mean y)`` and scale ``s_y`` of the linear predictor: ``sd(y)`` for identity links, 1 otherwise."""
    share = design.y if design.trials is None else design.y / design.trials
    mean = float(np.average(share, weights=design.weights if design.trials is None else design.trials))
    if spec.link.name == "identity":
        spread = float(np.std(design.y - design.offset, ddof=1))
        if not spread > 0.0:
            raise DesignError(f"Response `{design.response}` is constant: there is no variation to explain.")
        return float(np.mean(design.y - design.offset)), spread
    if design.trials is not None:
        mean = float(np.clip(mean, 0.5 / design.trials.sum(), 1.0 - 0.5 / design.trials.sum()))
    elif spec.link.name in {"log", "inverse", "sqrt"}:
        mean = max(mean, 0.5 / len(design.y))
    return float(spec.link.of(np.asarray(mean))) - float(np.mean(design.offset)), 1.0


def column_scale(column: Array) -> float:
    """Standard deviation of a column; the size of its value where it is constant."""
    spread = float(np.std(column, ddof=1)) if len(column) > 1 else 0.0
    level = float(np.max(np.abs(column), initial=0.0))
    return spread if spread > 1e-12 * max(level, 1e-300) else (level or 1.0)


def term_names(term: Term) -> Iterator[str]:
    """Names of the standard deviations of a term."""
    return (f"sd({term.group}, {effect})" for effect in term.effects)


def resolve(spec: ModelSpec, design: Design) -> Priors:
    """Put a prior on every parameter.

    Raises
    ------
    SpecError
        If a named prior matches no parameter, or does not fit the parameter's range.
    """
    book = _Book(dict(spec.priors), _known_names(spec, design))
    names, contrast, means = _fixed_contrast(design, spec, raw_intercept="Intercept" in spec.priors)
    _, spread = scales(design, spec)
    fixed = tuple(
        book.find([name, *([] if name in {"Intercept", CENTRED} else ["fixed"])])
        or _default_fixed(spec.preset, name, mean, spread, design.X[:, j])
        for j, (name, mean) in enumerate(zip(names, means, strict=True))
    )
    sd = tuple(
        tuple(
            book.find([name, f"sd({term.group})", "sd"]) or _default_sd(spec.preset, spread, term.z[:, e])
            for e, name in enumerate(term_names(term))
        )
        for term in design.terms
    )
    corr = tuple(_eta(book, spec.preset, term) for term in design.terms)
    dispersion = None
    if spec.family.dispersion is not None:
        dispersion = book.find([spec.family.dispersion]) or _default_dispersion(spec, spread)
    return Priors(names, contrast, fixed, sd, corr, dispersion, spec.family.dispersion)


def log_prior(priors: Priors, design: Design, values: Parameters) -> dict[str, Array]:
    """Log prior density of draws, one ``(...,)`` array a kind of parameter: ``fixef, sd_<group>, corr_<group>``, ...

    The densities are those of the parameters themselves, in the user's units.
    """
    gamma = values.beta @ priors.contrast.T
    found: dict[str, Array] = {"fixef": _sum_log(priors.fixed, gamma)}
    for term, sd_priors, eta, sd, corr in zip(
        design.terms, priors.sd, priors.corr, values.sd, values.corr, strict=True
    ):
        name = f"sd_{term.group}"
        found[name] = found.get(name, 0.0) + _sum_log(sd_priors, sd)
        if eta is not None:
            name = f"corr_{term.group}"
            found[name] = found.get(name, 0.0) + log_lkj(corr, eta)
    if priors.dispersion is not None and values.dispersion is not None:
        found[str(priors.dispersion_name)] = priors.dispersion.log_density(values.dispersion)
    return found


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
    needs_positive = name.startswith("sd") or name in {"sigma", "shape"}
    bounded = prior.is_positive or (prior.kind == "Uniform" and prior.arguments[0] >= 0.0)
    if needs_positive and not bounded:
        raise SpecError(f"`{name}` is positive, {prior} is not: use HalfNormal, HalfStudentT, Exponential or Gamma.")


def _known_names(spec: ModelSpec, design: Design) -> list[str]:
    names = list(design.fixed)
    if "Intercept" in names:
        names.insert(1, CENTRED)
    names.append("fixed")
    for term in design.terms:
        names += [*term_names(term), f"sd({term.group})"]
        if len(term.effects) > 1 and term.structure != "diag":
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
    if "Intercept" in design.fixed:
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


def _default_fixed(preset: str, name: str, mean: float, spread: float, column: Array) -> Prior:
    if preset == "flat":
        return Prior("Flat")
    scale = 1.0 if name in {"Intercept", CENTRED} else column_scale(column)
    return Prior("Normal", (mean, 2.5 * spread / scale))


def _default_sd(preset: str, spread: float, column: Array) -> Prior:
    return Prior("HalfFlat") if preset == "flat" else Prior("Exponential", (column_scale(column) / spread,))


def _default_dispersion(spec: ModelSpec, spread: float) -> Prior:
    if spec.preset == "flat":
        return Prior("HalfFlat")
    return Prior("Exponential", (1.0 / spread,)) if spec.family.dispersion == "sigma" else Prior("Gamma", (2.0, 0.1))


def _eta(book: _Book, preset: str, term: Term) -> float | None:
    if len(term.effects) == 1 or term.structure == "diag":
        return None
    prior = book.find([f"corr({term.group})", "corr"])
    if prior is not None:
        return prior.arguments[0]
    return 1.0 if preset == "flat" else 2.0
