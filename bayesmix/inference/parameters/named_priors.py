"""The user's priors by the names of parameters: which names there are, and which priors fit what they name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from bayesmix.data.design.design import Design, Term
from bayesmix.data.design.layout import Layout
from bayesmix.errors import SpecError, nearest
from bayesmix.inference.parameters.centring import AT_MEANS, CENTRED, INTERCEPT, intercepts
from bayesmix.inference.parameters.column_scales import factors
from bayesmix.inference.parameters.covariance import structure_of
from bayesmix.inference.parameters.names import (
    LEAST_DF,
    corr_kinds,
    corr_names,
    df_name,
    heavy_tailed,
    sd_kind,
    sd_names,
)
from bayesmix.language.formula.model_spec import ModelSpec
from bayesmix.language.priors.prior import Prior

SIMPLEX = "simo"  # the shares of all monotonic effects
RESCOR = "rescor"  # the correlation matrix of the residuals
Kind = Literal["coefficient", "positive", "share", "power", "sd", "corr", "simplex", "df"]
THRESHOLDS = "thresholds"  # the name of all of them
RANGES: dict[str, Kind] = {  # of links of numbers
    "real": "coefficient",
    "positive": "positive",
    "unit": "share",
    "one_to_two": "power",
}
OF_FREEDOM = ("Gamma", "InverseGamma", "LogNormal", "Exponential", "HalfNormal", "HalfCauchy")  # given that it is above
INSIDE: dict[Kind, tuple[float, float, str]] = {  # ends of their ranges, and priors of these
    "share": (0.0, 1.0, "Beta"),
    "power": (1.0, 2.0, "Uniform(1, 2)"),
}


@dataclass(frozen=True, slots=True)
class NamedPriors:
    """Priors by name, checked against what the model has under these names."""

    named: Mapping[str, Prior]

    def find(self, names: Sequence[str]) -> Prior | None:
        """The prior of the first of ``names`` that has one."""
        return next((self.named[name] for name in names if name in self.named), None)

    def is_any(self, *names: str) -> bool:
        """Whether one of ``names`` has a prior."""
        return any(name in self.named for name in names)

    def of_sd(self, term: Term, name: str, intercept: str | None) -> Prior | None:
        """The prior given for a standard deviation of a term; ``intercept``: its effect's name, if it is one."""
        own = [name] if intercept is None else [name, sd_name(term, intercept, at_means=True)]
        return self.find([*own, sd_kind(term)] if term.smooth else [*own, f"sd({term.group})", "sd"])


def named_priors(spec: ModelSpec, design: Design) -> NamedPriors:
    """The priors of a specification by name.

    Raises
    ------
    SpecError
        If a name is none of the model's, or a prior does not fit the range of what it is for.
    """
    known = dict(_known(spec, design))
    for name, prior in spec.priors.items():
        if name not in known:
            raise SpecError(_unknown(name, spec, design.layout, list(known)))
        _check_fit(name, prior, known[name])
        if prior.kind == "Decov" and not spec.is_simple:
            raise SpecError(
                f"Decov states `{name}` relative to the one dispersion of all rows, which a model with several linear"
                " predictors has not: use HalfNormal, HalfStudentT, Exponential or Gamma."
            )
    return NamedPriors(spec.priors)


def prior_names(spec: ModelSpec, design: Design) -> set[str]:
    """Names that a prior may be given for."""
    return {name for name, _ in _known(spec, design)}


def sd_name(term: Term, intercept: str, *, at_means: bool) -> str:
    """Name of the standard deviation of an intercept, ``sd(g, Intercept)``, at zero or at the means of its columns."""
    effect = intercept.removesuffix(INTERCEPT) + CENTRED if at_means else intercept
    return f"sd({term.group}, {effect})"


def _known(spec: ModelSpec, design: Design) -> Iterator[tuple[str, Kind]]:
    """Names that a prior may be given for, in the order of the parameters."""
    prefixes = design.layout.prefixes
    yield from _coefficients(design.layout)
    numbers = dict[str, Kind]()
    for term, names, own in zip(design.terms, sd_names(design.terms), corr_names(design.terms), strict=True):
        may_be_centred = len(term.effects) > 1 and structure_of(term).is_invariant
        places = set(intercepts(term, prefixes).values()) if may_be_centred else set()
        for e, name in enumerate(names):
            yield name, "sd"
            if e in places:
                yield sd_name(term, term.effects[e], at_means=True), "sd"
        yield (sd_kind(term) if term.smooth else f"sd({term.group})"), "sd"
        family = structure_of(term).correlation
        if family.size and family.has_lkj:
            yield f"corr({term.group})", "corr"
        elif family.size:
            yield from ((name, "positive") for name in own)
            numbers |= dict.fromkeys(corr_kinds(term), "positive")
    own = [df_name(group) for group in heavy_tailed(design.terms)]
    yield from ((name, "df") for name in (*own, *(["df"] if own else [])))
    yield "sd", "sd"
    yield "corr", "corr"
    yield from numbers.items()
    if spec.dispersion is not None:
        yield spec.dispersion, "positive"


def _coefficients(layout: Layout) -> Iterator[tuple[str, Kind]]:
    """Names of the fixed effects; correlations of residuals have one prior together."""
    shares = {r for places in layout.simplexes.values() for r in places}
    for name, r in zip(layout.fixed, layout.owners, strict=True):
        if r in layout.residual or r in shares:
            continue
        yield name, RANGES[layout.numbers[r].range] if r in layout.numbers else "coefficient"
        if _may_be_centred(layout, name, r):
            yield name + AT_MEANS, "coefficient"
    yield "fixed", "coefficient"
    yield from ((name, "simplex") for own in layout.simplexes for name in (own, SIMPLEX))
    if layout.thresholds:
        yield THRESHOLDS, "coefficient"
    if layout.residual:
        yield RESCOR, "corr"


def _may_be_centred(layout: Layout, name: str, predictor: int) -> bool:
    """Whether a prior may hold where columns are at their means: an intercept's, or of what others are multiples of."""
    prefix = layout.prefixes[predictor]
    if predictor in layout.thresholds or name == prefix + INTERCEPT:
        return True
    own = factors(name.removeprefix(prefix))
    others = (one for one, r in zip(layout.fixed, layout.owners, strict=True) if r == predictor)
    return any(own < factors(other.removeprefix(prefix)) for other in others)


def _unknown(name: str, spec: ModelSpec, layout: Layout, known: Sequence[str]) -> str:
    listed = ", ".join(known)
    if name in (one for one, r in zip(layout.fixed, layout.owners, strict=True) if r in layout.residual):
        return f'Correlations of residuals have one prior together: priors={{"{RESCOR}": "LKJ(2)"}}.'
    simplex = next((one for one in layout.simplexes if name.startswith(f"{one}[")), None)
    if simplex is not None:
        return f'Shares have one prior together: priors={{"{simplex}": "Dirichlet(2)"}}.'
    if any(name == one.prefix.removesuffix("_") for one in spec.predictors if one.parameter):
        what = f"`{name}` has a formula: its prior is that of `{name}_{INTERCEPT}`, its logarithm, and of its slopes."
        return f"{what} Parameters: {listed}."
    return f"No parameter is called `{name}`.{nearest(name, known)} Parameters: {listed}."


def _check_fit(name: str, prior: Prior, kind: Kind) -> None:
    if kind in {"corr", "df"}:
        (_check_correlations if kind == "corr" else _check_freedom)(name, prior)
        return
    if kind == "simplex" or prior.kind == "Dirichlet":
        _check_simplex(name, prior, kind)
        return
    if prior.kind == "LKJ":
        raise SpecError(f"LKJ is a prior for correlations, not for `{name}`.")
    if prior.kind == "Decov" and kind != "sd":
        raise SpecError(f"Decov is a prior for standard deviations of groups, not for `{name}`.")
    if kind in INSIDE:
        _check_inside(name, prior, *INSIDE[kind])
        return
    bounded = prior.is_positive or (prior.kind == "Uniform" and prior.arguments[0] >= 0.0)
    if kind != "coefficient" and not bounded:
        raise SpecError(f"`{name}` is positive, {prior} is not: use HalfNormal, HalfStudentT, Exponential or Gamma.")


def _check_correlations(name: str, prior: Prior) -> None:
    if prior.kind != "LKJ":
        raise SpecError(f'Correlations take an LKJ prior, not {prior}: priors={{"{name}": "LKJ(2)"}}.')


def _check_freedom(name: str, prior: Prior) -> None:
    is_inside = prior.kind == "Uniform" and prior.arguments[0] >= LEAST_DF
    if not is_inside and prior.kind not in OF_FREEDOM:
        above = f"`{name}` is above {LEAST_DF:g}, a number of degrees of freedom without a largest"
        raise SpecError(f"{above}: {prior} is no prior of it. Use Gamma(2, 0.1), brms's, or {', '.join(OF_FREEDOM)}.")


def _check_simplex(name: str, prior: Prior, kind: Kind) -> None:
    if prior.kind != "Dirichlet":
        raise SpecError(f"`{name}` has shares that add up to one, {prior} is not of such: use Dirichlet(2).")
    if kind != "simplex":
        raise SpecError(f"Dirichlet is a prior for the shares of monotonic effects, `{SIMPLEX}`, not for `{name}`.")


def _check_inside(name: str, prior: Prior, low: float, high: float, advice: str) -> None:
    is_beta = prior.kind == "Beta" and (low, high) == (0.0, 1.0)
    if not is_beta and not (prior.kind == "Uniform" and prior.arguments == (low, high)):
        raise SpecError(f"`{name}` is between {low:g} and {high:g}, {prior} is not: use {advice}.")
