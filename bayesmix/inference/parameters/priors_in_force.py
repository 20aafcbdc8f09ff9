"""Priors in force: the defaults on the scale of the data (`presets`), presets, and the user's own by name."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from bayesmix.arrays import Array
from bayesmix.data.design.design import Design, Term
from bayesmix.errors import SpecError
from bayesmix.inference.parameters.centring import (
    at_means,
    centring,
    intercepts,
    places,
    to_means,
    where,
)
from bayesmix.inference.parameters.column_scales import column_scale
from bayesmix.inference.parameters.correlation import Correlation, Free, Independent
from bayesmix.inference.parameters.correlation_priors import correlation_prior_names, of_correlations
from bayesmix.inference.parameters.covariance import Structure, structure_of
from bayesmix.inference.parameters.freedom_priors import of_freedom
from bayesmix.inference.parameters.monotonic_priors import Simplex, simplexes
from bayesmix.inference.parameters.named_priors import RESCOR, NamedPriors, named_priors, sd_name
from bayesmix.inference.parameters.names import Parameters, corr_names, df_name, heavy_tailed, sd_kind, sd_names
from bayesmix.inference.parameters.natural_scale import residual_columns
from bayesmix.inference.parameters.one_predictor import one_term
from bayesmix.inference.parameters.predictor_priors import (
    PredictorPriors,
    contrast_of,
    counted_in,
    predictor_priors,
    residual_eta,
)
from bayesmix.inference.parameters.prior_wording import (
    OneOfDecov,
    Unit,
    central,
    decov_upper,
    in_units,
    quantiles,
    says_above,
    says_decov,
    says_dirichlet,
    says_lkj,
    says_of_family,
    says_of_number,
    share_of,
    short,
)
from bayesmix.inference.parameters.residual_families import residual_family
from bayesmix.inference.parameters.spectral_covariance import Spectral
from bayesmix.language.formula.model_spec import ModelSpec
from bayesmix.language.priors.above import Above
from bayesmix.language.priors.distributions import JOINT
from bayesmix.language.priors.joint import log_decov, log_lkj
from bayesmix.language.priors.on_link import CoefficientPrior, natural
from bayesmix.language.priors.prior import Prior

AT_ZERO = ("brms", "rstanarm", "bambi")  # presets that state the priors of groups where predictors are zero

NO_CORRELATION = Independent(1)
PAGE = 80  # columns of a printed line
BELOW = " " * 6  # before what a prior says on a line of its own


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
    fixed: tuple[CoefficientPrior, ...]  # (p,); of a number for all rows, on the scale of its link
    sd: tuple[tuple[Prior, ...], ...]  # per term, per standard deviation
    corr: tuple[tuple[Prior, ...], ...]  # per term: LKJ, or that of each number by distance; empty without correlations
    dispersion: Prior | None
    dispersion_name: str | None
    dispersion_unit: str  # what it is counted in; empty of a number
    sd_names: tuple[tuple[str, ...], ...]  # per term, per standard deviation
    corr_names: tuple[tuple[str, ...], ...]  # per term: what these are of, "corr(agegp)"
    families: tuple[Correlation, ...]  # per term
    changes: tuple[Array, ...]  # per term (k, k), determinant 1
    units: tuple[Unit, ...]  # (p,) what gamma means
    sd_units: tuple[tuple[Unit, ...], ...]  # per term, per standard deviation
    ordered: tuple[list[int], ...]  # places in gamma of parameters that have no prior density in another order
    intercepts: tuple[int, ...]  # places of intercepts in gamma, one for each linear predictor that has one
    residual: tuple[int, ...] = ()  # places of (1 + partial correlation) / 2 of the residuals, on the scale of its link
    rescor: float | None = None  # eta of their LKJ, None where residuals are independent
    residual_family: Correlation = NO_CORRELATION  # of their matrices
    simplexes: tuple[Simplex, ...] = ()  # shares of monotonic effects
    df: Mapping[str, Above] = field(default_factory=dict)  # degrees of freedom by group, of t distributed effects

    def in_order(self) -> Iterator[tuple[list[int], list[Prior]]]:
        """Places in gamma and priors of the parameters that have no prior density in another order."""
        for columns in self.ordered:
            yield columns, [natural(self.fixed[j]) for j in columns]

    def moments(self, beta: Array, beta_cov: Array) -> tuple[Array, Array]:
        """Mean ``(p,)`` and covariance ``(p, p)`` of gamma, from those of the fixed effects."""
        return self.contrast @ beta, self.contrast @ beta_cov @ self.contrast.T

    @property
    def joint(self) -> set[int]:
        """Places in gamma of parameters whose prior is one of several together."""
        return {*self.residual, *(j for _, columns, _ in self.simplexes for j in columns)}

    @property
    def has_flat(self) -> bool:
        """Whether some prior is improper."""
        dispersion = () if self.dispersion is None else (self.dispersion,)
        every = (*map(natural, self.fixed), *(prior for term in self.sd for prior in term), *dispersion)
        return any(prior.is_flat for prior in every)

    def rows(self) -> Iterator[tuple[str, Prior, str]]:
        """Name, prior and what it says, of every parameter or matrix of correlations."""
        yield from self._of_coefficients()
        for t, (names, units, priors) in enumerate(zip(self.sd_names, self.sd_units, self.sd, strict=True)):
            for name, unit, prior in zip(names, units, priors, strict=True):
                meaning = self._says_of_sd(prior, priors.count(prior), unit)
                yield name, prior, meaning + (f" at {unit.place}" if unit.place else "")
            place = where([unit.place for unit in units])
            for name, prior in zip(self.corr_names[t], self.corr[t], strict=True):
                meaning = says_of_family(prior, self.families[t])
                yield name, prior, meaning + (f" at {place}" if place else "")
        yield from ((df_name(group), prior.prior, says_above(prior)) for group, prior in self.df.items())
        if self.dispersion is not None:
            yield str(self.dispersion_name), self.dispersion, says_of_number(self.dispersion, self.dispersion_unit)

    def _of_coefficients(self) -> Iterator[tuple[str, Prior, str]]:
        for j, (name, prior, unit) in enumerate(zip(self.names, self.fixed, self.units, strict=True)):
            if isinstance(prior, Prior):
                yield name, prior, in_units(prior, unit) + (f" at {unit.place}" if unit.place else "")
            elif j not in self.joint:
                yield name, prior.prior, says_of_number(prior.prior, unit.response)
        yield from ((name, prior, says_dirichlet(prior)) for name, _, prior in self.simplexes)
        if self.rescor is not None:
            yield RESCOR, Prior("LKJ", (self.rescor,)), says_lkj(self.rescor, self.residual_family)

    def _says_of_sd(self, prior: Prior, together: int, unit: Unit) -> str:
        if prior.kind != "Decov":
            return in_units(prior, unit)
        return says_decov(prior, together, self.dispersion, self.dispersion_name, unit)

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
        named = enumerate(zip(self.names, map(natural, self.fixed), strict=True))
        found = dict(one for j, one in named if j not in self.joint)
        for _, columns, prior in self.simplexes:
            found |= {self.names[j]: share_of(prior, i) for i, j in enumerate(columns)}
        for names, priors in zip(self.corr_names, self.corr, strict=True):
            found |= dict(zip(names, priors, strict=True))
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
        bounds |= {df_name(group): central(prior) for group, prior in self.df.items()}
        return bounds | {name: quantiles(prior) for name, prior in plain.items()}

    def lines(self) -> list[str]:
        """The priors as text, one a line; what a prior says below it where the line would be wider than a page."""
        rows = list(self.rows())
        texts = [short(prior) for _, prior, _ in rows]
        width, middle = max(len(name) for name, _, _ in rows), max(map(len, texts))
        lines: list[str] = []
        for (name, _, meaning), text in zip(rows, texts, strict=True):
            start = f"  {name:<{width}} ~ {text:<{middle}}"
            is_wide = len(start) + 2 + len(meaning) > PAGE
            below = textwrap.wrap(meaning, PAGE, initial_indent=BELOW, subsequent_indent=BELOW, break_on_hyphens=False)
            lines += [start.rstrip(), *below] if is_wide else [f"{start}  {meaning}"]
        return lines

    def __str__(self) -> str:
        return "\n".join(["Priors", *self.lines()])


def resolve(spec: ModelSpec, design: Design) -> Priors:
    """Put a prior on every parameter.

    Raises
    ------
    SpecError
        If a named prior matches no parameter, or does not fit the parameter's range.
    """
    named = named_priors(spec, design)
    changes = tuple(_change(named, spec.preset, term, design) for term in design.terms)
    terms = at_means(design, changes).terms  # an intercept is called centred where its prior is
    parts = predictor_priors(spec, design, named)
    sd = tuple(
        _of_term(design, term, names, parts, named) for term, names in zip(design.terms, sd_names(terms), strict=True)
    )
    preset, dispersion = parts[0].defaults, spec.dispersion
    return Priors(
        names=tuple(name for part in parts for name in part.names),
        contrast=contrast_of(parts),
        fixed=tuple(prior for part in parts for prior in part.fixed(named)),
        sd=sd,
        corr=tuple(
            of_correlations(named, preset.eta, term, own)
            for term, own in zip(design.terms, corr_names(design.terms), strict=True)
        ),
        dispersion=None if dispersion is None else named.find([dispersion]) or preset.others[0],
        dispersion_name=dispersion,
        dispersion_unit=counted_in(spec, design, 0, 1) if dispersion is not None else "",
        sd_names=tuple(map(tuple, sd_names(terms))),
        corr_names=tuple(
            correlation_prior_names(term, own) for term, own in zip(terms, corr_names(terms), strict=True)
        ),
        families=tuple(structure_of(term).correlation for term in terms),
        changes=changes,
        units=tuple(part.unit(name) for part in parts for name in part.names),
        sd_units=tuple(
            _sd_units(design, term, centred, (change, parts))
            for term, centred, change in zip(design.terms, terms, changes, strict=True)
        ),
        ordered=_ordered(spec, design),
        intercepts=tuple(np.flatnonzero([is_one for part in parts for is_one in part.is_intercept]).tolist()),
        residual=tuple(residual_columns(design.layout)),
        simplexes=tuple(simplexes(design, named)),
        df={group: of_freedom(named, group) for group in heavy_tailed(design.terms)},
        rescor=residual_eta(design, named),
        residual_family=residual_family(design.layout) if design.layout.residual else NO_CORRELATION,
    )


def _ordered(spec: ModelSpec, design: Design) -> tuple[list[int], ...]:
    """Places of thresholds that a latent variable falls between, response by response."""
    found = []
    for i, response in enumerate(spec.responses):
        own = [r for r in design.layout.thresholds if spec.parameters[r].response == i]
        if response.family.is_cut and len(own) > 1:
            found.append([j for r in own for j in design.of_predictor(r)])
    return tuple(found)


def log_prior(priors: Priors, design: Design, values: Parameters) -> dict[str, Array]:
    """Log prior density of draws, one ``(...,)`` array a kind of parameter: ``fixef, sd_<group>, corr_<group>``, ...

    The densities are those of the parameters that the priors are stated on, in the user's units. `log_jacobian` of
    `centring` added, they are those of the parameters as reported, at zero.
    """
    values = to_means(values, priors.changes)
    gamma = values.beta @ priors.contrast.T
    unit = np.ones(values.lead) if values.dispersion is None else np.asarray(values.dispersion)
    found: dict[str, Array] = {"fixef": _sum_log(priors.fixed, gamma)}
    for term, sd_priors, corr_priors, sd, corr in zip(
        design.terms, priors.sd, priors.corr, values.sd, values.corr, strict=True
    ):
        name = f"{sd_kind(term)}_{term.smooth or term.group}"
        found[name] = found.get(name, 0.0) + log_sd(sd_priors, sd, unit)
        if corr_priors:
            name = f"lscale_{term.group}" if term.spectrum is not None else f"corr_{term.group}"
            found[name] = found.get(name, 0.0) + log_correlation(structure_of(term), corr, corr_priors)
    found |= {f"df_{group}": prior.log_density(values.df[group]) for group, prior in priors.df.items()}
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


def log_correlation(structure: Structure, corr: Array, priors: Sequence[Prior]) -> Array:
    """Log density of correlation matrices ``(..., k, k)`` under LKJ, or of the numbers that rule them."""
    family = structure.correlation
    if isinstance(family, Free):
        return log_lkj(corr, priors[0].arguments[0])
    free = family.partial(corr)
    return log_free(family, free, priors) - family.log_volume(free)


def log_free(family: Correlation, free: Array, priors: Sequence[Prior]) -> Array:
    """Log density of the free numbers ``(..., size)`` of correlations under their priors: ``(...,)``."""
    if not family.has_lkj:
        return _sum_log(priors, free)
    a, b = family.beta(priors[0].arguments[0])
    constant = [
        math.lgamma(x + y) - math.lgamma(x) - math.lgamma(y) - (x + y - 1.0) * math.log(2.0)
        for x, y in zip(a, b, strict=True)
    ]
    terms = (a - 1.0) * np.log1p(free) + (b - 1.0) * np.log1p(-free) + np.array(constant)
    return np.asarray(terms.sum(axis=-1))


def _sum_log(priors: Sequence[CoefficientPrior], values: Array) -> Array:
    total: Array = np.zeros(values.shape[:-1])
    for j, prior in enumerate(priors):
        total = total + prior.log_density(values[..., j])
    return total


# ---- random effects ---------------------------------------------------------------------------------------------


def _change(named: NamedPriors, preset: str, term: Term, design: Design) -> Array:
    """Coordinates in which a term has its priors: centred, unless one that touches the intercept is meant at zero."""
    prefixes, change = design.layout.prefixes, centring(term, design.layout.prefixes, design.counts)
    for at in intercepts(term, prefixes).values():
        own, centred = (sd_name(term, term.effects[at], at_means=place) for place in (False, True))
        if named.is_any(centred) and named.is_any(own):
            raise SpecError(f"`{own}` and `{centred}` are two priors for one standard deviation: give one of them.")
        at_zero = named.is_any(own, f"sd({term.group})", "sd", f"corr({term.group})", "corr")
        if not named.is_any(centred) and (preset in AT_ZERO or at_zero):
            change[at] = np.eye(len(change))[at]
    return change


def _of_term(
    design: Design, term: Term, names: Sequence[str], parts: Sequence[PredictorPriors], named: NamedPriors
) -> tuple[Prior, ...]:
    """The priors of a term's standard deviations."""
    found = []
    places = intercepts(term, design.layout.prefixes).values()
    for e, (name, r) in enumerate(zip(names, _owners(term), strict=False)):
        one = one_term(term, design, r)
        given = named.of_sd(term, name, term.effects[e] if e in places else None)
        found.append(given or parts[r].defaults.sd(_columns(one), term.columns_of(r).index(e)))
    joint = dict.fromkeys(str(prior) for prior in found if prior.kind == "Decov")
    if len(joint) > 1:
        raise SpecError(f"The standard deviations of `{term.group}` share one Decov prior, not {' and '.join(joint)}.")
    return tuple(found)


def _owners(term: Term) -> tuple[int, ...]:
    """The linear predictor of each effect of a term."""
    return term.owners or (0,) * len(term.effects)


def _sd_units(
    design: Design, term: Term, centred: Term, by: tuple[Array, Sequence[PredictorPriors]]
) -> tuple[Unit, ...]:
    """What the standard deviations of a term mean, ``by`` its change to the means and the predictors' priors."""
    change, parts = by
    if term.smooth:
        r = _owners(term)[0]
        return (replace(parts[r].unit(""), curve=column_scale(_columns(one_term(term, design, r)).z[:, 0])),)
    if structure_of(term).is_homogeneous:
        return (parts[_owners(term)[0]].unit(""),)
    at = places(term, change, [part.prefix for part in parts])
    return tuple(
        parts[r].unit(effect, place) for effect, r, place in zip(centred.effects, _owners(term), at, strict=True)
    )


def _columns(term: Term) -> Term:
    """The columns of each standard deviation of a term: pooled to one where the effects share it.

    A smooth is the sum of its functions: one column that varies as much as it, in the rows that have it.
    """
    if term.smooth:
        own = term.z[np.any(term.z != 0.0, axis=1)]
        if isinstance(family := structure_of(term).correlation, Spectral):
            unit = np.sqrt(np.mean(np.sum((own * family.roots(np.array([family.usual]))) ** 2, axis=1)))
            return replace(term, effects=("all",), z=np.full((len(own), 1), float(f"{unit:.3g}")))  # one but for `by`
        return replace(term, effects=("all",), z=(own * np.sqrt(own.shape[1])).reshape(-1, 1))
    if not structure_of(term).is_homogeneous:
        return term
    return replace(term, effects=("all",), z=term.z.reshape(-1, 1))
