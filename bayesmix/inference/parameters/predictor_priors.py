"""Priors of the fixed effects, linear predictor by linear predictor."""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from bayesmix.arrays import Array
from bayesmix.data.design.design import Design
from bayesmix.data.design.row_statistics import mean
from bayesmix.errors import SpecError
from bayesmix.inference.parameters.auxiliary_priors import auxiliary_defaults, check_preset, unstated
from bayesmix.inference.parameters.centring import AT_MEANS, CENTRED, INTERCEPT, fixed_centring
from bayesmix.inference.parameters.column_scales import BETWEEN, place_of
from bayesmix.inference.parameters.covariance import side_by_side
from bayesmix.inference.parameters.default_priors import Defaults, defaults
from bayesmix.inference.parameters.monotonic_priors import multipliers_at_means, of_monotonic
from bayesmix.inference.parameters.named_priors import RESCOR, THRESHOLDS, NamedPriors
from bayesmix.inference.parameters.one_predictor import one_predictor, one_response
from bayesmix.inference.parameters.prior_wording import Unit
from bayesmix.inference.parameters.residual_families import residual_family
from bayesmix.inference.parameters.slope_priors import factors_at_means, mean_columns, slope_defaults
from bayesmix.language.families.link import Link
from bayesmix.language.formula.imputed_predictors import imputed_response
from bayesmix.language.formula.model_spec import ModelSpec
from bayesmix.language.priors.on_link import CoefficientPrior, OnLink
from bayesmix.language.priors.prior import Prior

INTERCEPTS = (INTERCEPT, CENTRED)
AT_FACTOR_MEANS = ("default",)  # presets whose priors of slopes hold where the factors of products are at their means


@dataclass(frozen=True, slots=True, eq=False)
class PredictorPriors:
    """The fixed effects of one linear predictor, and the defaults that are its."""

    prefix: str
    own: tuple[str, ...]  # names of gamma without the prefix: "Intercept(centred)", "Days"
    contrast: Array
    defaults: Defaults
    response: str  # what the predictor or the parameter is counted in
    link: Link
    parameter: str = ""  # "sigma", where it is not of the mean
    is_number: bool = False
    is_threshold: bool = False
    shift: Array | None = None  # (..., p) of all coefficients: what is taken from the first of gamma, or from each. Of
    # a threshold the latent mean's at the means; of others minus what else is at its mean
    places: Mapping[str, str] = field(default_factory=dict)  # where slopes are taken by what other predictors have
    effect: str = ""  # what a slope is of where that is no column: "z" of `mi(z)`

    @property
    def names(self) -> tuple[str, ...]:
        """Names of gamma."""
        return tuple(self.prefix + name for name in self.own)

    @property
    def is_intercept(self) -> tuple[bool, ...]:
        """Which of gamma is the intercept."""
        return tuple(name in INTERCEPTS for name in self.own)

    def fixed(self, named: NamedPriors) -> Iterator[CoefficientPrior]:
        """The priors of gamma."""
        for name, own, prior in zip(self.names, self.own, self.defaults.fixed, strict=True):
            if self.is_number:
                yield OnLink(named.find([name]) or prior, self.link)
            elif self.is_threshold:
                yield named.find([name, name.removesuffix(AT_MEANS) + AT_MEANS, THRESHOLDS]) or prior
            elif own in INTERCEPTS:
                yield named.find([name]) or self.defaults.intercept
            else:
                yield named.find([name, "fixed"]) or prior

    def unit(self, name: str, place: str = "") -> Unit:
        """What a coefficient or a standard deviation of it means."""
        own = INTERCEPT if self.is_threshold else name.removeprefix(self.prefix)
        if name in self.names and own.endswith(AT_MEANS) and own not in INTERCEPTS:
            j, bare = self.own.index(own), [one.removesuffix(AT_MEANS) for one in self.own]
            own, places = bare[j], (place_of(bare, j, self.contrast[j]), self.places.get(bare[j]))
            place = ", ".join(filter(None, places))
        return Unit(self.effect + own, self.response, self.link, self.parameter, place)


def predictor_priors(spec: ModelSpec, design: Design, named: NamedPriors) -> list[PredictorPriors]:
    """The priors of the linear predictors in their order, of each response that of the mean first.

    Raises
    ------
    SpecError
        If the preset has no priors of models with several linear predictors.
    """
    if not spec.is_simple:
        check_preset(spec.preset)
    parts: list[PredictorPriors] = []
    means: dict[int, Defaults] = {}  # by response
    for r, one in enumerate(spec.parameters):
        view = one_predictor(design, spec, r)
        at_zero = _at_zero(view, design.layout.prefixes[r], spec.preset, named)
        centring = fixed_centring(view, at_zero)
        parameter = spec.responses[one.response].family.parameters[one.parameter]
        if one.parameter == 0 or parameter.is_mean or parameter.of_threshold:
            found = defaults(one_response(spec, one.response), view, centring[2])
            means.setdefault(one.response, found)
            parts.append(_of_mean(spec, design, r, centring, found, at_zero))
        elif parameter.is_of_curve or parameter.is_known:
            parts.append(_unstated(design, r, centring, one.link))
        elif parameter.is_monotonic or parameter.simplex:
            parts.append(_of_steps(spec, design, r, named, means[one.response]))
        elif parameter.is_slope:
            parts.append(_of_slope(spec, design, r, centring))
        elif r in design.layout.thresholds:
            parts.append(_of_threshold(spec, design, r, named, means[one.response]))
        else:
            parts.append(_beside(spec, design, r, (view, *centring), means[one.response]))
    return [*parts, *_residual(design, residual_eta(design, named), parts)]


Centring = tuple[tuple[str, ...], Array, Array]  # of `fixed_centring`


def _at_zero(view: Design, prefix: str, preset: str, named: NamedPriors) -> set[str]:
    """Names without prefix of coefficients whose priors are meant at zero: those given, and others' defaults.

    Raises
    ------
    SpecError
        If one has a prior at zero and one at the means.
    """
    found = {name for name in view.fixed if named.is_any(prefix + name)}
    for name in found:
        if named.is_any(prefix + name + AT_MEANS):
            raise SpecError(
                f"`{prefix + name}` and `{prefix + name + AT_MEANS}` are two priors for one coefficient: give one."
            )
    slopes = {name for name in view.fixed if name != INTERCEPT and not named.is_any(prefix + name + AT_MEANS)}
    return found | (slopes if preset not in AT_FACTOR_MEANS or named.is_any("fixed") else set())


def _of_mean(
    spec: ModelSpec, design: Design, r: int, centring: Centring, found: Defaults, at_zero: Container[str]
) -> PredictorPriors:
    one, (own, contrast, _) = spec.parameters[r], centring
    unit = counted_in(spec, design, one.response, one.parameter)
    own, shift, places = _at_imputed_means(design, spec, r, own, at_zero)
    link = one_response(spec, one.response).link if one.parameter == 0 else one.link
    return PredictorPriors(design.layout.prefixes[r], own, contrast, found, unit, link, shift=shift, places=places)


def _of_steps(spec: ModelSpec, design: Design, r: int, named: NamedPriors, of_mean: Defaults) -> PredictorPriors:
    """The priors of a monotonic effect: of its slope, or of one of its shares."""
    one, is_number = spec.parameters[r], r in design.layout.numbers
    found, unit = of_monotonic(spec, design, r, named, of_mean), counted_in(spec, design, one.response, one.parameter)
    link = one.link if is_number else one_response(spec, one.response).link
    (name,) = design.layout.fixed_of(r)
    middles = {} if is_number or _at_zero_alone(name, spec.preset, named) else multipliers_at_means(spec, design, r)
    shift = np.zeros(len(design.fixed))
    for j, middle in middles.items():
        shift[j] = -middle
    places = {name: ", ".join(f"{design.fixed[j].removeprefix(name + BETWEEN)} = {m:.6g}" for j, m in middles.items())}
    own = (name + AT_MEANS,) if middles else (name,)
    return PredictorPriors("", own, np.eye(1), found, unit, link, is_number=is_number, shift=shift, places=places)


def _unstated(design: Design, r: int, centring: Centring, link: Link) -> PredictorPriors:
    prefix, (own, contrast, _) = design.layout.prefixes[r], centring
    return PredictorPriors(prefix, own, contrast, unstated(len(own)), "", link, prefix.removesuffix("_"))


def _of_slope(spec: ModelSpec, design: Design, r: int, centring: Centring) -> PredictorPriors:
    one, (own, contrast, _) = spec.parameters[r], centring
    found, unit = slope_defaults(spec, design, r), counted_in(spec, design, one.response, one.parameter)
    effect = imputed_response(spec.responses[one.response].family.parameters[one.parameter].name)
    return PredictorPriors(design.layout.prefixes[r], own, contrast, found, unit, one.link, effect=effect)


def _of_threshold(spec: ModelSpec, design: Design, r: int, named: NamedPriors, of_mean: Defaults) -> PredictorPriors:
    one, alone = spec.parameters[r], _beside_offset(design, spec, r, _alone(spec, r, of_mean))
    found = replace(of_mean, intercept=alone, fixed=(alone,))
    (name,), shift = design.layout.fixed_of(r), _at_means(design, spec, r, named)
    name = name if shift is None else name + AT_MEANS
    return PredictorPriors("", (name,), np.eye(1), found, "", one.link, is_threshold=True, shift=shift)


def _beside_offset(design: Design, spec: ModelSpec, threshold: int, prior: Prior) -> Prior:
    """The default prior of a threshold where a latent mean is that has an offset: other packages' stay as they are."""
    latent = _latent(spec, threshold)
    middle = float(mean(design.offset[design.block(latent)], design.counts))
    if spec.preset != "default" or not middle:
        return prior
    centre, spread = prior.arguments
    return Prior(prior.kind, (centre + middle, spread))


def _beside(
    spec: ModelSpec, design: Design, r: int, centred: tuple[Design, *Centring], of_mean: Defaults
) -> PredictorPriors:
    """The priors of a parameter beside the mean: a number, or a formula's coefficients on its link."""
    one, (view, own, contrast, levels) = spec.parameters[r], centred
    unit, alone = counted_in(spec, design, one.response, one.parameter), _alone(spec, r, of_mean)
    if r in design.layout.numbers:
        found = replace(of_mean, intercept=alone, fixed=(alone,))
        return PredictorPriors("", own, contrast, found, unit, one.link, is_number=True)
    prefix = design.layout.prefixes[r]
    found = auxiliary_defaults(spec.preset, alone, one.link, view, levels)
    return PredictorPriors(prefix, own, contrast, found, unit, one.link, prefix.removesuffix("_"))


def _alone(spec: ModelSpec, r: int, of_mean: Defaults) -> Prior:
    """The prior of a parameter beside the mean where it is one number."""
    return of_mean.others[spec.parameters[r].parameter - 1]


def residual_eta(design: Design, named: NamedPriors) -> float | None:
    """Eta of the LKJ prior of the correlations of the residuals: one, as in brms; None where there are none."""
    if not design.layout.residual:
        return None
    given = named.find([RESCOR])
    return 1.0 if given is None else given.arguments[0]


def _residual(design: Design, eta: float | None, parts: Sequence[PredictorPriors]) -> Iterator[PredictorPriors]:
    """The priors of the partial correlations of the residuals, independent under LKJ(eta)."""
    if eta is None:
        return
    predictors = design.layout.residual
    for r, a, b in zip(predictors, *residual_family(design.layout).beta(eta), strict=True):
        (j,), prior = design.of_predictor(r), Prior("Beta", (float(a), float(b)))
        found = replace(parts[0].defaults, intercept=prior, fixed=(prior,))
        yield PredictorPriors("", (design.fixed[j],), np.eye(1), found, "", design.layout.numbers[r], is_number=True)


def contrast_of(parts: Sequence[PredictorPriors]) -> Array:
    """What all priors of fixed effects are stated on: ``gamma = contrast @ beta``, ``(p, p)``."""
    whole, at = side_by_side([part.contrast for part in parts]), 0
    for part in parts:
        if part.shift is not None:
            whole[at : at + len(np.atleast_2d(part.shift))] -= part.shift
        at += len(part.own)
    return whole


def _at_means(design: Design, spec: ModelSpec, threshold: int, named: NamedPriors) -> Array | None:
    """`means_at` a threshold; None where they are zero, or priors of thresholds meant at zero.

    Raises
    ------
    SpecError
        If some thresholds have a prior at zero and others one at the means.
    """
    response, means = spec.parameters[threshold].response, means_at(design, spec, threshold)
    places = [r for r, one in enumerate(spec.parameters) if one.response == response]
    thresholds = [name for r in places if r in design.layout.thresholds for name in design.layout.fixed_of(r)]
    at_zero = named.is_any(*thresholds, THRESHOLDS)
    at_means = named.is_any(*(name + AT_MEANS for name in thresholds))
    if np.any(means) and at_zero and at_means:
        raise SpecError(
            f"Thresholds have priors where predictors are zero, such as `{thresholds[0]}`, and at their means, such as"
            f" `{thresholds[0]}{AT_MEANS}`: state all of them in one place."
        )
    return means if np.any(means) and not at_zero else None


def means_at(design: Design, spec: ModelSpec, threshold: int) -> Array:
    """Means ``(p,)`` of the columns of a latent mean and of a threshold's own effects; zero for all others."""
    latent = _latent(spec, threshold)
    means = np.zeros(len(design.fixed))
    for r in (latent, *_own_effects(spec, threshold)):
        own = design.of_predictor(r)
        means[own] = mean(design.X[design.block(r)][:, own], design.counts)
    return means


def _latent(spec: ModelSpec, threshold: int) -> int:
    """The predictor of the latent mean that falls between thresholds."""
    return [one.response for one in spec.parameters].index(spec.parameters[threshold].response)


def _own_effects(spec: ModelSpec, threshold: int) -> list[int]:
    """The predictor of the category-specific effects on a threshold, where there are such."""
    one = spec.parameters[threshold]
    parameters = spec.responses[one.response].family.parameters
    name = parameters[one.parameter].name
    return [
        r
        for r, other in enumerate(spec.parameters)
        if other.response == one.response and parameters[other.parameter].of_threshold == name
    ]


def _at_imputed_means(
    design: Design, spec: ModelSpec, r: int, own: tuple[str, ...], at_zero: Container[str]
) -> tuple[tuple[str, ...], Array | None, dict[str, str]]:
    """Names of coefficients, what is taken from those whose priors are at the means of imputed predictors, and where.

    Of an intercept, but in brms; of slopes whose columns are multiplied with imputed predictors.
    """
    response = spec.parameters[r].response
    if not spec.imputed.get(response):
        return own, None, {}
    shift, bare = np.zeros((len(own), len(design.fixed))), [name.removesuffix(AT_MEANS) for name in own]
    if own[:1] == (CENTRED,) and spec.preset != "brms":
        shift[0] = -mean_columns(spec, design, response)
    found, places = list(own), dict[str, str]()
    for name, column, label, middle in factors_at_means(spec, design, response):
        if name in bare and name not in at_zero:
            j = bare.index(name)
            shift[j, column], found[j] = -middle, name + AT_MEANS
            places[name] = ", ".join(filter(None, (places.get(name), f"{label} = {middle:.6g}")))
    return tuple(found), shift, places


def _at_zero_alone(name: str, preset: str, named: NamedPriors) -> bool:
    """Whether the prior of a slope that is alone in its predictor is meant where other numbers are zero."""
    return preset not in AT_FACTOR_MEANS or (named.is_any(name, "fixed") and not named.is_any(name + AT_MEANS))


def counted_in(spec: ModelSpec, design: Design, response: int, parameter: int) -> str:
    """The response, or the logarithm of it that mu is of, where a parameter of its family is in units of it."""
    if spec.is_simple:
        family, label = spec.family, design.response
    else:
        family, label = spec.responses[response].family, spec.responses[response].label
    label = label if family.scale == "identity" else f"{family.scale}({label})"
    own = family.parameters[parameter]
    is_counted = parameter == 0 or own.unit == "response" or own.is_slope or own.is_monotonic
    return label if is_counted else ""
