"""The model as specified: formulas, families, links and priors, without any data."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations
from typing import Any

from bayesmix.errors import FormulaError, SpecError
from bayesmix.language.families.family import Family, is_linear
from bayesmix.language.families.imputed import predictors_of
from bayesmix.language.families.link import Link
from bayesmix.language.formula.additions import NOTHING, Additions
from bayesmix.language.formula.category_scores import with_named_scores
from bayesmix.language.formula.formulas import MEAN, bare, read_formulas
from bayesmix.language.formula.imputation import Imputable, with_imputation
from bayesmix.language.formula.imputed_predictors import imputed_response
from bayesmix.language.formula.known_errors import with_known_errors
from bayesmix.language.formula.left_sides import OfParameter, check_responses, divide, name_of
from bayesmix.language.formula.monotonic_means import check_monotonic
from bayesmix.language.formula.nonlinear import check_nonlinear, with_nonlinear_mean
from bayesmix.language.formula.parse import Formula, parse
from bayesmix.language.formula.reader import read
from bayesmix.language.formula.response_families import (
    Families,
    Links,
    check_keys,
    family_of,
    link_keys,
    links_of,
    read_families,
)
from bayesmix.language.formula.shared_effects import check_shared
from bayesmix.language.formula.specific_effects import Made, with_specific_effects
from bayesmix.language.formula.suited_additions import check_alone, suited_family, with_rate
from bayesmix.language.formula.suited_residual import check_rescor, check_residual
from bayesmix.language.formula.terms import expand
from bayesmix.language.priors.presets import read_priors
from bayesmix.language.priors.prior import Prior

type Parts = dict[tuple[int, int], Formula]  # by positions of a response and of a parameter of its family


@dataclass(frozen=True, slots=True)
class Response:
    """A response and its distribution."""

    label: str  # as written: "y", "cbind(s, f)"
    name: str  # what its parameters are called by: "" where it is the only one, else "a", a name made of the label
    family: Family
    links: tuple[Link, ...]  # one a parameter of the family, in their order
    additions: Additions = NOTHING  # what stands beside it: censoring, truncation, trials, weights

    @property
    def is_linear(self) -> bool:
        """Whether it is normal around the linear predictor itself, and seen as it is in all rows."""
        is_seen = not (self.additions.is_bounded or self.additions.is_imputed)
        return is_linear(self.family, self.links[0]) and is_seen

    @property
    def has_known_noise(self) -> bool:
        """Whether the standard deviations of its rows are known."""
        return bool(self.additions.se) and not self.additions.has_sigma


@dataclass(frozen=True, slots=True)
class Predictor:
    """A linear predictor: of one parameter of one response."""

    response: int  # position in `ModelSpec.responses`
    parameter: int  # position in `Family.parameters`; 0 is the mean
    formula: Formula
    prefix: str  # of its coefficients' names: "" (mean of the only response), "sigma_", "a_", "sigma_a_"
    link: Link


@dataclass(frozen=True, slots=True)
class Auxiliary:
    """A parameter without a formula: one number for all rows."""

    response: int
    parameter: int
    name: str  # "sigma", "shape"; of several responses "sigma_a"
    link: Link
    is_threshold: bool = False  # whether it counts as a fixed effect
    is_monotonic: bool = False  # the same of a monotonic effect
    simplex: str = ""  # what it is a share of


@dataclass(frozen=True, slots=True)
class ResidualCorrelation:
    """The correlation of the residuals of two responses: one number for all rows."""

    responses: tuple[int, int]  # their positions
    name: str  # "rescor(a, b)"


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """A model to be fitted; formula, family and link are those of the first response's mean."""

    formula: Formula
    family: Family
    link: Link
    preset: str = "default"  # the priors that hold where none is named
    priors: Mapping[str, Prior] = field(default_factory=dict)  # by parameter name, or by group: "sd(agegp)"
    responses: tuple[Response, ...] = ()
    predictors: tuple[Predictor, ...] = ()  # response by response: the mean, then in the order of the parameters
    auxiliaries: tuple[Auxiliary, ...] = ()  # in the same order
    rescor: bool = False  # whether the residuals of the responses are correlated

    @property
    def is_simple(self) -> bool:
        """Whether a row has one linear predictor: that of the mean of the only response.

        Parameters beside a mean that are more than one positive number are predictors, with or without a formula.
        """
        return len(self.predictors) == 1 and self.family.is_plain and self.formula.residual is None

    @property
    def is_linear(self) -> bool:
        """Whether it is a linear mixed model: normal responses, seen as they are, around the only predictor itself."""
        return self.is_simple and self.has_linear_means

    @property
    def has_row_covariance(self) -> bool:
        """Whether its residuals are correlated within blocks of rows: a linear model with a covariance of the rows."""
        return self.formula.residual is not None

    @property
    def has_linear_means(self) -> bool:
        """Whether all responses are normal around their linear predictors themselves, and seen as they are."""
        return all(response.is_linear for response in self.responses)

    @property
    def has_one_linear_mean(self) -> bool:
        """Whether it has one formula, of the mean of a normal response."""
        return sum(not one.formula.is_implied for one in self.predictors) == 1 and self.has_linear_means

    @property
    def dispersion(self) -> str | None:
        """Name of the parameter beside the only linear predictor: one number; None where there is none such."""
        return self.family.dispersion if self.is_simple and not self.responses[0].has_known_noise else None

    @property
    def parameters(self) -> tuple[Predictor | Auxiliary, ...]:
        """What the first linear predictors of a row are of: the mean alone of a simple model, else every parameter.

        There, a parameter without a formula is a predictor that is the same in all rows.
        """
        if self.is_simple:
            return self.predictors
        return tuple(sorted((*self.predictors, *self.auxiliaries), key=lambda one: (one.response, one.parameter)))

    @property
    def residual_correlations(self) -> tuple[ResidualCorrelation, ...]:
        """The pairs of responses whose residuals are correlated; their predictors come after all of `parameters`."""
        pairs = combinations(enumerate(self.responses), 2) if self.rescor else ()
        return tuple(ResidualCorrelation((i, j), f"rescor({a.name}, {b.name})") for (i, a), (j, b) in pairs)

    @property
    def imputed(self) -> dict[int, tuple[int, ...]]:
        """The responses that the mean of each is of, ``mi(z)``, by position: of those with any or missing values."""
        labels = [one.label for one in self.responses]
        found = {i: predictors_of(one.family) for i, one in enumerate(self.responses)}
        own = {i: tuple(labels.index(imputed_response(name)) for name in names) for i, names in found.items()}
        return {i: parents for i, parents in own.items() if parents or i in self.incomplete}

    @property
    def incomplete(self) -> frozenset[int]:
        """The responses that may miss values, ``z | mi()``, by position."""
        return frozenset(i for i, one in enumerate(self.responses) if one.additions.is_imputed)

    @property
    def R(self) -> int:
        """Number of linear predictors of a row."""
        return len(self.parameters) + len(self.residual_correlations)

    @property
    def text(self) -> str:
        """The formulas as typed, joined by ``;``, which `make_spec` reads back."""
        return "; ".join(self.formula_texts)

    @property
    def formula_texts(self) -> tuple[str, ...]:
        """The formulas as typed, once each: one may be of several predictors, as that of categories is."""
        written = (predictor.formula for predictor in self.predictors if not predictor.formula.is_implied)
        return tuple(dict.fromkeys(formula.text or str(formula) for formula in written))


def make_spec(  # noqa: PLR0913 - what a model is made of
    formula: Any,
    family: Any,
    link: str | Mapping[str, str] | None,
    priors: Any,
    *,
    rescor: bool = False,
    start: Mapping[str, float] | None = None,
    is_column: Callable[[str], bool] = lambda name: True,
) -> ModelSpec:
    """Read the user's words.

    Parameters
    ----------
    formula
        What `read_formulas` reads. The first formula is of a response. A later one is of a parameter where its left
        side is the name of one (``sigma``, ``shape``; of several responses ``sigma_a``), whether or not the data have
        a column of that name; otherwise it is of another response.
    family
        A name or a `Family` for all responses, or a dictionary of them by response.
    link
        Name of the link of every mean, or a dictionary by response or parameter.
    priors
        A preset, or priors by name.
    rescor
        Whether the residuals of the responses, all of them gaussian, are correlated.
    start
        Values that a search begins with, of the parameters of a nonlinear mean.
    is_column
        Whether a name is a column of the data: what a later formula defines is a nonlinear parameter if it is none.

    Raises
    ------
    FormulaError, SpecError
        If the words make no sense.
    """
    families = read_families(family)
    preset, named = read_priors(priors)
    formulas = read_formulas(formula, lambda name: is_column(name) or (isinstance(families, dict) and name in families))
    families = with_named_scores(families, formulas)
    means, others = divide(formulas, families)
    responses = _responses(means, families, link)
    parts: Parts = {(i, 0): mean for i, mean in enumerate(means)}
    check_nonlinear(means, start)
    if means[0].curve:
        responses = (_with_curve(parts, responses, start or {}, named),)
    responses = tuple(
        _remade(parts, i, one, with_specific_effects(one.family, one.links, means[i]))
        for i, one in enumerate(responses)
    )
    for other in others:
        _add(parts, other, responses)
    responses = tuple(_with_additions(parts, i, one, is_alone=len(means) == 1) for i, one in enumerate(responses))
    check_monotonic(parts, [(one.label, one.family) for one in responses])
    responses = _with_imputation(parts, responses, rescor=rescor)
    check_shared(parts.values())
    check_residual(parts, [(one.family, one.links, one.additions) for one in responses])
    predictors, auxiliaries = parameters_of(responses, parts)
    check_rescor(rescor, [(one.label, one.family, one.links, one.is_linear, one.additions) for one in responses])
    first, family = predictors[0], responses[0].family
    return ModelSpec(first.formula, family, first.link, preset, named, responses, predictors, auxiliaries, rescor)


def parameters_of(responses: Iterable[Response], parts: Parts) -> tuple[tuple[Predictor, ...], tuple[Auxiliary, ...]]:
    """The parameters of responses that have a formula in ``parts``, and the others."""
    predictors: list[Predictor] = []
    auxiliaries: list[Auxiliary] = []
    for i, response in enumerate(responses):
        whole = zip(_parameter_names(response), response.links, response.family.parameters, strict=True)
        for j, (name, link, own) in enumerate(whole):
            if (i, j) in parts:
                prefix = f"{name}_" if name and not own.is_slope else name
                predictors.append(Predictor(i, j, parts[i, j], prefix, link))
            else:
                auxiliaries.append(Auxiliary(i, j, name, link, own.is_threshold, own.is_monotonic, own.simplex))
    _check_distinct([predictor.prefix.removesuffix("_") for predictor in predictors] + [a.name for a in auxiliaries])
    return tuple(predictors), tuple(auxiliaries)


def _parameter_names(response: Response) -> list[str]:
    """What the parameters of a response are called: ``""``, ``sigma``; of several responses ``a``, ``sigma_a``."""
    first, *others = response.family.parameters
    own = [response.name] if first.name == MEAN else []
    named = others if own else (first, *others)
    calls = ((one.name, response.name)[:: -1 if one.is_slope else 1] for one in named)
    return [*own, *("_".join(filter(None, both)) for both in calls)]


def _check_distinct(names: list[str]) -> None:
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise SpecError(f"Two parts of the model would be called `{twice}`: rename the column of one of the responses.")


# ---- formulas of parameters --------------------------------------------------------------------------------------


def _add(parts: Parts, other: OfParameter, responses: Sequence[Response]) -> None:
    """Put the formula of a parameter in its place."""
    i = _whose(other, responses)
    response, formula = responses[i], other.formula
    names = [parameter.name for parameter in response.family.parameters]
    if other.parameter not in names:
        raise _not_a_parameter(other, [response])
    j = names.index(other.parameter)
    check_alone(formula)
    if j == 0 and _is_bare(parts[i, j]):
        written = formula.text or str(formula)
        parts[i, j] = parse(f"{parts[i, j].left} {written[written.index('~') :]}")
        return
    if (i, j) in parts:
        raise SpecError(
            f"`{other.parameter}` of `{response.label}` has two formulas, `{parts[i, j].text}` and `{formula.text}`:"
            " leave one of them out."
        )
    if response.label in expand(read(formula.fixed)).variables:
        raise FormulaError(
            f"`{response.label}` is a predictor of its own {other.parameter}, in `{formula.text}`:"
            " remove it on the right-hand side."
        )
    parts[i, j] = replace(formula, response="")


def _is_bare(formula: Formula) -> bool:
    """Whether a formula is ``y ~ 1``, beside which brms takes the mean from a formula of ``mu``."""
    return formula.fixed == "1" and not (formula.bars or formula.offsets or formula.apart)


def _with_additions(parts: Parts, i: int, response: Response, *, is_alone: bool) -> Response:
    """The response with its formulas in ``parts`` as ``rate()`` and ``se()`` make them."""
    own = {j: formula for (k, j), formula in parts.items() if k == i}
    rated = with_rate(response.family, response.links, own)
    return _remade(parts, i, response, with_known_errors(*rated, is_alone=is_alone))


def _with_imputation(parts: Parts, responses: Sequence[Response], *, rescor: bool) -> tuple[Response, ...]:
    """The responses with the slopes of imputed predictors."""
    given = [Imputable(one.label, one.family, one.links, one.additions) for one in responses]
    found = zip(responses, with_imputation(parts, given, rescor=rescor), strict=True)
    return tuple(replace(one, family=own.family, links=own.links) for one, own in found)


def _with_curve(
    parts: Parts, responses: Sequence[Response], start: Mapping[str, float], priors: Mapping[str, Prior]
) -> Response:
    """The response with the nonlinear mean that its formula is of."""
    (response,) = responses
    made = with_nonlinear_mean(response.family, response.links, parts[0, 0], start, priors)
    return _remade(parts, 0, response, made)


def _remade(parts: Parts, i: int, response: Response, made: Made) -> Response:
    """A response with another family and its links, the formulas of its parameters put into ``parts``."""
    family, links, formulas = made
    parts |= {(i, j): formula for j, formula in formulas.items()}
    return replace(response, family=family, links=links)


def _whose(other: OfParameter, responses: Sequence[Response]) -> int:
    """Position of the response that a formula of a parameter belongs to."""
    if len(responses) == 1 and other.response in ("", name_of(responses[0].label)):
        return 0
    names = [name_of(response.label) for response in responses]
    if other.response in names:
        return names.index(other.response)
    owners = [r for r in responses if other.parameter in (parameter.name for parameter in r.family.parameters)]
    if not owners:
        raise _not_a_parameter(other, responses)
    spelled = " or ".join(f"`{other.parameter}_{name_of(owner.label)} ~ ...`" for owner in owners)
    raise SpecError(f"`{other.formula.text}` does not say of which response: write {spelled}.")


def known_parameters(responses: Iterable[Response]) -> str:
    """What parameters the families of responses have, in words."""
    families = {response.family.name: response.family for response in responses}
    return "; ".join(
        f"family `{name}` has {', '.join(parameter.name for parameter in family.parameters)}"
        for name, family in families.items()
    )


def _not_a_parameter(other: OfParameter, responses: Iterable[Response]) -> SpecError:
    return SpecError(
        f"There is no parameter `{other.parameter}` for `{other.formula.text}`: {known_parameters(responses)}. If"
        f" `{other.formula.response}` is a column and a response, write its formula first."
    )


# ---- responses, families, links ---------------------------------------------------------------------------------


def _responses(means: Sequence[Formula], families: Families, link: Links) -> tuple[Response, ...]:
    labels = [mean.response for mean in means]
    names = [name_of(label) for label in labels]
    check_responses(labels, names)
    keys = [(bare(label), name) for label, name in zip(labels, names, strict=True)]
    taken = {key for both in keys for key in both}
    if isinstance(families, dict):
        check_keys("family", families, taken)
    chosen = [
        suited_family(m.response, m.additions, family_of(families, key)) for m, key in zip(means, keys, strict=True)
    ]
    calls = [list(link_keys(key, family, taken)) for key, family in zip(keys, chosen, strict=True)]
    if isinstance(link, Mapping):
        link = {bare(str(key)): name for key, name in link.items()}
        check_keys("link", link, {key for call in calls for several in call for key in several})
    links = [links_of(family, link, call) for family, call in zip(chosen, calls, strict=True)]
    shown = names if len(names) > 1 else [""]
    return tuple(map(Response, labels, shown, chosen, links, (mean.additions for mean in means)))
