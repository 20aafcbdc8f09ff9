"""The families and links by name."""

from __future__ import annotations

import copyreg
import re
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from functools import cache
from typing import Any

from bayesmix.arrays import Array
from bayesmix.errors import DataError, SpecError, nearest
from bayesmix.language.families.angles import VON_MISES
from bayesmix.language.families.counts import GEOMETRIC, NBINOM1, NEGBINOMIAL, POISSON
from bayesmix.language.families.curves import with_curve
from bayesmix.language.families.family import Family
from bayesmix.language.families.gaussian import GAUSSIAN
from bayesmix.language.families.generalized_poisson import GENPOIS
from bayesmix.language.families.imputed import with_slopes
from bayesmix.language.families.latent import LATENT
from bayesmix.language.families.link import LINKS, Link
from bayesmix.language.families.multinomial import MULTINOMIAL
from bayesmix.language.families.point_mass import ZERO_INFLATED_BETA, ZERO_ONE_INFLATED_BETA
from bayesmix.language.families.positive import EXPONENTIAL, GAMMA, INVERSE_GAUSSIAN, LOGNORMAL, WEIBULL
from bayesmix.language.families.proportions import BETA
from bayesmix.language.families.quantiles import ASYM_LAPLACE, of_quantile
from bayesmix.language.families.ratings import ACAT, CATEGORICAL, CRATIO, CUMULATIVE, SRATIO
from bayesmix.language.families.response_times import EXGAUSSIAN, SHIFTED_LOGNORMAL
from bayesmix.language.families.shares import BERNOULLI, BETABINOMIAL, BINOMIAL
from bayesmix.language.families.skewed import SKEW_NORMAL
from bayesmix.language.families.steps import with_steps
from bayesmix.language.families.student import STUDENT
from bayesmix.language.families.tweedie import TWEEDIE
from bayesmix.language.families.zeros import (
    HURDLE_GAMMA,
    HURDLE_LOGNORMAL,
    HURDLE_NBINOM1,
    HURDLE_NEGBINOMIAL,
    HURDLE_POISSON,
    TRUNCATED_NBINOM1,
    TRUNCATED_NEGBINOMIAL,
    TRUNCATED_POISSON,
    ZERO_INFLATED_BINOMIAL,
    ZERO_INFLATED_NBINOM1,
    ZERO_INFLATED_NEGBINOMIAL,
    ZERO_INFLATED_POISSON,
)
from bayesmix.language.spellings import FAMILIES as OTHERS

FAMILIES: dict[str, Family] = {
    family.name: family
    for family in (
        GAUSSIAN,
        POISSON,
        BINOMIAL,
        BERNOULLI,
        GAMMA,
        NEGBINOMIAL,
        NBINOM1,
        GENPOIS,
        GEOMETRIC,
        BETABINOMIAL,
        ZERO_INFLATED_POISSON,
        ZERO_INFLATED_NEGBINOMIAL,
        ZERO_INFLATED_NBINOM1,
        ZERO_INFLATED_BINOMIAL,
        HURDLE_POISSON,
        HURDLE_NEGBINOMIAL,
        HURDLE_NBINOM1,
        TRUNCATED_POISSON,
        TRUNCATED_NEGBINOMIAL,
        TRUNCATED_NBINOM1,
        CUMULATIVE,
        SRATIO,
        CRATIO,
        ACAT,
        CATEGORICAL,
        MULTINOMIAL,
        STUDENT,
        LOGNORMAL,
        BETA,
        WEIBULL,
        EXPONENTIAL,
        INVERSE_GAUSSIAN,
        TWEEDIE,
        HURDLE_GAMMA,
        HURDLE_LOGNORMAL,
        ZERO_INFLATED_BETA,
        ZERO_ONE_INFLATED_BETA,
        EXGAUSSIAN,
        SHIFTED_LOGNORMAL,
        SKEW_NORMAL,
        ASYM_LAPLACE,
        VON_MISES,
    )
}
_ALIASES = {
    "normal": "gaussian",
    "negativebinomial": "negbinomial",
    "negative_binomial": "negbinomial",
    "negative binomial": "negbinomial",
    "nbinom2": "negbinomial",
    "nb2": "negbinomial",
    "nb1": "nbinom1",
    "generalized_poisson": "genpois",
    "negbinomial1": "nbinom1",
    "beta_binomial": "betabinomial",
    "zip": "zero_inflated_poisson",
    "zinb": "zero_inflated_negbinomial",
    "zero_inflated_negativebinomial": "zero_inflated_negbinomial",
    "zero_inflated_nbinom2": "zero_inflated_negbinomial",
    "hurdle_negativebinomial": "hurdle_negbinomial",
    "hurdle_nbinom2": "hurdle_negbinomial",
    "truncated_nbinom2": "truncated_negbinomial",
    "truncated_negativebinomial": "truncated_negbinomial",
    "ordinal": "cumulative",
    "clm": "cumulative",
    "polr": "cumulative",
    "ocat": "cumulative",
    "clmm": "cumulative",
    "t": "student",
    "studentt": "student",
    "student_t": "student",
    "t_family": "student",
    "scat": "student",
    "log_normal": "lognormal",
    "beta_family": "beta",
    "betar": "beta",
    "inverse.gaussian": "inverse_gaussian",
    "inversegaussian": "inverse_gaussian",
    "wald": "inverse_gaussian",
    "zigamma": "hurdle_gamma",
    "mlogit": "categorical",
    "skewnormal": "skew_normal",
    "tw": "tweedie",
    "vonmises": "von_mises",
    "asymmetriclaplace": "asym_laplace",
    "asymlaplace": "asym_laplace",
}

_LINK_ALIASES = {"1/mu^2": "inverse_squared"}  # as R has it


def find_family(name: str) -> Family:
    """Return the family called ``name``, in any case; `SpecError` with what to write instead otherwise."""
    known = ", ".join(FAMILIES)
    if not isinstance(name, str):
        several = ' Several responses have one each in a dict: family={"y": "gaussian", "n": "poisson"}.'
        hint = several if isinstance(name, list | tuple) else ""
        raise SpecError(f"A family is one of the names {known}, not {type(name).__name__} {name!r}.{hint}")
    written, opened, argument = name.lower().partition("(")
    key = _ALIASES.get(written.strip(), written.strip())
    if key == ASYM_LAPLACE.name and opened:
        return of_quantile(_quantile(name, argument))
    if key not in FAMILIES or opened:
        advice = f" {OTHERS[key]}" if key in OTHERS else nearest(key, FAMILIES)
        if key in FAMILIES:
            advice = f' Write family="{key}"{_link_written(argument)}.'
        raise SpecError(f"Family `{name:.80}` does not exist.{advice} Families: {known}.")
    return FAMILIES[key]


def _link_written(argument: str) -> str:
    """The link of ``Gamma(link = "log")``, as R writes it, as an argument of its own."""
    found = re.search(r"""["']([\w/^]+)["']""", argument)
    return f', link="{found[1]}"' if found else ""


def _quantile(name: str, argument: str) -> float:
    """The number of ``asym_laplace(0.9)``."""
    text = argument.strip().removesuffix(")").partition("=")[2] or argument.strip().removesuffix(")")
    try:
        quantile = float(text)
    except ValueError:
        quantile = float("nan")
    if not 0.0 < quantile < 1.0:
        raise SpecError(f'`{name}`: a quantile is a number between 0 and 1, as in family="asym_laplace(0.9)".')
    return quantile


def is_known(family: Family) -> bool:
    """Whether a family is one by name: as it is, with counted rows or known errors, or with the categories of data."""
    return _is_by_name(family) or _is_counted(family) or _is_noisy(family) or _is_made(family)


@cache
def counted(family: Family) -> Family:
    """The same distribution whose prior weights multiply the log density, whatever they do by themselves."""
    return family if family.weights == "likelihood" else replace(family, weights="likelihood")


def _is_by_name(family: Family) -> bool:
    """Whether `find_family` returns it: one of ours, or one of a fixed quantile."""
    if FAMILIES.get(family.name) is family:
        return True
    return family.name.startswith(f"{ASYM_LAPLACE.name}(") and find_family(family.name) is family


def _is_counted(family: Family) -> bool:
    """Whether `counted` made it of one of ours."""
    own = FAMILIES.get(family.name)
    return own is not None and counted(own) is family


def _is_made(family: Family) -> bool:
    """Whether it is one of ours with categories of some data, a nonlinear mean, imputed predictors or steps."""
    whole = family.curve or family.slopes or family.steps
    return family.recipe is not None or (whole is not None and is_known(whole.base))


def _is_noisy(family: Family) -> bool:
    """Whether it is one of ours with errors of known size beside."""
    return family.name in FAMILIES and FAMILIES[family.name].noisy is family


@dataclass(frozen=True, slots=True)
class Wider:
    """Names of the families that have one as their limit."""

    zeros: tuple[str, ...]  # by the probability of a zero of its own
    dispersion: tuple[str, ...]  # by any other parameter


def wider(family: Family) -> Wider:
    """The families of which one is the limit."""
    found: dict[bool, list[str]] = {True: [], False: []}
    for other in FAMILIES.values():
        for parameter in other.parameters:
            if parameter.limit is not None and parameter.limit.family == family.name:
                found[LINKS[parameter.links[0]].range == "unit"].append(other.name)
    return Wider(tuple(found[True]), tuple(found[False]))


def find_link(family: Family, name: str | None, *, parameter: int = 0) -> Link:
    """Return the link called ``name`` of a family's parameter, its default for None; `SpecError` if it has none such.

    Parameters
    ----------
    family, name
        The name may be in any case.
    parameter
        Position among the family's parameters; 0 is the mean.
    """
    links = family.parameters[parameter].links
    if not isinstance(name, str | None):
        raise SpecError(f"A link is one of the names {', '.join(links)}, not {type(name).__name__} {name!r}.")
    chosen = links[0] if name is None else _LINK_ALIASES.get(name.lower(), name.lower())
    if chosen not in links:
        whose = f"`{family.parameters[parameter].name}` of family" if parameter else "Family"
        raise SpecError(
            f"{whose} `{family.name}` has no link `{name}`.{nearest(chosen, links)} Its links: {', '.join(links)}."
        )
    return LINKS[chosen]


def check_response(family: Family, label: str, y: Array, trials: Array) -> None:
    """Raise `DataError` where the response does not fit the family."""
    problem = family.values.problem(y, trials)
    if problem is not None:
        hint = family.values.hint
        raise DataError(f"Response `{label}` does not fit family `{family.name}`, which needs {problem}.{hint}")


# Records of ours pickle by name: their functions stay where they are. A user's own pickles as its functions do.


def _reduce_family(family: Family) -> tuple[Callable[..., Family], tuple[Any, ...]]:
    if _is_by_name(family):
        return find_family, (family.name,)
    if _is_counted(family):
        return counted, (FAMILIES[family.name],)
    if family.curve is not None:
        return with_curve, (family.curve,)
    if family.slopes is not None:
        return with_slopes, (family.slopes.base, family.slopes.predictors)
    if family.steps is not None:
        return with_steps, (family.steps,)
    if _is_noisy(family):
        return _with_errors, (family.name,)
    if family.recipe is not None:
        return _with_levels, family.recipe
    return Family, tuple(getattr(family, field.name) for field in fields(family))


def _with_errors(name: str) -> Family:
    found = find_family(name).noisy
    assert found is not None  # families are reduced so that have one
    return found


def _with_levels(name: str, levels: tuple[str, ...], link: str, named: frozenset[str]) -> Family:
    make = find_family(name).with_levels
    assert make is not None  # families with a recipe are made so
    return make(levels, link, named)


def _link(name: str, is_latent: bool, latent_variance: float | None) -> Link:
    return replace(LATENT[name].link, latent_variance=latent_variance) if is_latent else LINKS[name]


copyreg.pickle(Family, _reduce_family)
copyreg.pickle(Link, lambda link: (_link, (link.name, link.is_latent, link.latent_variance)))
