"""R2 and intraclass correlations from one partition of the variance, with free leading axes.

On the scale of the linear predictor (Nakagawa, Johnson, Schielzeth 2017, J. R. Soc. Interface 14; random slopes as in
Johnson 2014): ``f`` the variance of ``X beta`` over rows, ``r_t`` the mean over rows of ``z' Sigma_t z``, ``d`` what
the distribution adds: sigma^2 for gaussian models, pi^2/3, 1 and pi^2/6 for logit, probit and cloglog links of
successes and categories, which are cuts of a latent variable, ``log(1 + V(mu)/mu^2)`` for log links and
``V(mu) g'(mu)^2`` for the rest, continuous shares with them, at the mean ``mu`` over rows and groups.
Where parameters beside the mean vary between rows, ``d`` is its mean over rows, and over groups where these differ.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bayesmix.results.fits.accessors import described
from bayesmix.results.fits.records import FitRecord

if TYPE_CHECKING:
    import pandas as pd


from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Literal

import numpy as np

from bayesmix.arrays import Array
from bayesmix.data.design.design import Design
from bayesmix.data.design.row_statistics import mean, variance
from bayesmix.errors import SpecError, nearest
from bayesmix.inference.parameters.names import Parameters
from bayesmix.language.families.family import Family, is_linear
from bayesmix.language.formula.model_spec import ModelSpec
from bayesmix.results.fits.chosen_parameter import ChosenParameter, choose
from bayesmix.results.fits.linear_predictor import average_mean, linear_predictor, population_variance
from bayesmix.results.fits.row_parameters import at_weights, row_parameters

Definition = Literal["nakagawa", "bayesian"]

POINTS = 31  # of the quadrature over groups


@dataclass(frozen=True, slots=True, eq=False)
class Partition:
    """Variances on the scale of the linear predictor, each ``(...,)``."""

    fixed: Array
    random: Mapping[str, Array]  # by grouping factor
    distribution: Array

    @property
    def all_random(self) -> Array:
        """All grouping factors together."""
        return np.asarray(sum(self.random.values()))

    @property
    def total(self) -> Array:
        """Everything."""
        return self.fixed + self.all_random + self.distribution


def partition(design: Design, spec: ModelSpec, values: Parameters, *, response: int = 0) -> Partition:
    """Split the variance of the linear predictor of a response's mean.

    Raises
    ------
    SpecError
        If the mean is one of several linear predictors, as that of zero-inflated counts is.
    """
    family = spec.responses[response].family
    link, formulas = spec.responses[response].links[0], [one for one in spec.predictors if one.response == response]
    _check_numbers(family)
    if family.expected is not None and (not link.is_latent or link.latent_variance is None or len(formulas) > 1):
        raise SpecError(
            f"The mean of family `{family.name}` is one of several linear predictors: its variance has no such parts."
            ' `r2("bayesian")` compares the variance of fitted means with that of responses.'
        )
    chosen = choose(spec, response=spec.responses[response].label)
    rows = design.data.of_predictor(chosen.predictor)
    eta = linear_predictor(rows.X, 0.0 * rows.offset, rows.terms, values, with_effects=False)
    random: dict[str, Array] = {}
    for t, term in enumerate(rows.terms):
        if term.columns_of(chosen.predictor) and not term.is_population:
            own = Parameters(values.beta, (values.sd[t],), (values.corr[t],), (), None)
            part = mean(population_variance([term], own), design.counts, axis=-1)
            random[term.group] = random.get(term.group, 0.0) + part
    at = eta + rows.offset, population_variance(rows.terms, values)
    return Partition(variance(eta, design.counts), random, _distribution(design, spec, values, chosen, *at))


def _distribution(
    design: Design, spec: ModelSpec, values: Parameters, chosen: ChosenParameter, eta: Array, spread: Array
) -> Array:
    """What the distribution adds; where parameters beside the mean vary, averaged over rows and groups."""
    link, family = chosen.link, spec.responses[chosen.response].family
    if link.latent_variance is not None and family.response != "numeric":
        return np.full(values.lead, link.latent_variance)
    weights, is_normal = design.outcomes[chosen.response].divisors, is_linear(family, link)
    at = np.zeros((*values.lead, 1)) if is_normal else average_mean(link, eta, spread)
    mu = mean(at, design.counts, axis=-1)[..., None]

    def noise(others: Sequence[Array]) -> Array:
        level, *rest = np.broadcast_arrays(mu, *(at_weights(family, others, weights) if is_normal else others))
        own = family.variance(np.ones(()), level, *rest)
        return own if is_normal else link.variance(mu, own)

    return mean(_over_groups(design, spec, values, chosen.response, noise), design.counts, axis=-1)


def _over_groups(
    design: Design, spec: ModelSpec, values: Parameters, response: int, function: Callable[[Sequence[Array]], Array]
) -> Array:
    """Mean over groups of a function of the parameters beside the mean of each row, ``(..., n)`` or ``(..., 1)``."""
    if spec.is_simple:
        return function(row_parameters(spec, np.zeros(1), values)[1:])
    places = [r for r, one in enumerate(spec.parameters) if one.response == response and one.parameter > 0]
    links = [spec.parameters[r].link for r in places]
    rows = [design.data.of_predictor(r) for r in places]
    etas = [linear_predictor(own.X, own.offset, own.terms, values, with_effects=False) for own in rows]
    roots = [np.sqrt(population_variance(own.terms, values)) for own in rows]
    nodes, weights = np.polynomial.hermite_e.hermegauss(POINTS)
    total: Array = np.zeros(())
    still = (np.zeros(1), np.ones(1))  # a predictor that does not differ between groups
    rules = [(nodes, weights / weights.sum()) if np.any(root > 0.0) else still for root in roots]
    for at in product(*(range(len(own)) for own, _ in rules)):
        moved = [
            link.mean(eta + own[i] * root)
            for i, link, eta, root, (own, _) in zip(at, links, etas, roots, rules, strict=True)
        ]
        share = np.prod([weight[i] for i, (_, weight) in zip(at, rules, strict=True)])
        total = total + share * function(moved)
    return total


def r_squared(
    design: Design, spec: ModelSpec, values: Parameters, definition: Definition, *, response: int = 0
) -> dict[str, Array]:
    """``marginal`` and ``conditional`` R2, ``(...,)`` each.

    ``"nakagawa"``: ``f / total`` and ``(f + r) / total``. ``"bayesian"`` (Gelman, Goodrich, Gabry, Vehtari 2019):
    variance of the fitted means over that plus the mean variance of responses, random effects at zero or as fitted.

    Raises
    ------
    SpecError
        If there is no such definition.
    """
    _check_numbers(spec.responses[response].family)
    match definition:
        case "nakagawa":
            parts = partition(design, spec, values, response=response)
            total = parts.total
            return {"marginal": parts.fixed / total, "conditional": (parts.fixed + parts.all_random) / total}
        case "bayesian":
            scopes = {"marginal": False, "conditional": True}
            return {
                name: _bayesian(design, spec, values, response, with_effects=scope) for name, scope in scopes.items()
            }
    known = ("nakagawa", "bayesian")
    raise SpecError(f"There is no R2 `{definition}`.{nearest(str(definition), known)} Definitions: {', '.join(known)}.")


def _check_numbers(family: Family) -> None:
    """Raise `SpecError` for categories without an order, which have no variance."""
    if family.is_nominal:
        raise SpecError(
            f"The categories of family `{family.name}` have no order: they are no numbers, and there is no variance of"
            " theirs to explain. Models are compared by `loo()`."
        )


def _bayesian(design: Design, spec: ModelSpec, values: Parameters, response: int, *, with_effects: bool) -> Array:
    family, outcome = spec.responses[response].family, design.outcomes[response]
    eta = linear_predictor(design.X, design.offset, design.terms, values, with_effects=with_effects)
    mu, *others = row_parameters(spec, eta, values, response=response)
    noise = family.variance(outcome.trials, mu, *at_weights(family, others, outcome.divisors))
    fitted = family.mean(outcome.trials, mu, *others)
    explained = variance(fitted, design.counts)
    return np.asarray(explained / (explained + mean(np.broadcast_to(noise, fitted.shape), design.counts, axis=-1)))


def intraclass(design: Design, spec: ModelSpec, values: Parameters, *, response: int = 0) -> dict[str, Array]:
    """Share of each grouping factor in the variance that the fixed effects leave, ``r_t / (r + d)``; and of all."""
    if spec.has_row_covariance and not design.group_sizes:
        raise SpecError(
            f"icc() is of random effects, and the rows of a block are correlated by `{spec.formula.residual}`: how much"
            " is among fit.parameters(), and in fit.varcorr()."
        )
    parts = partition(design, spec, values, response=response)
    left = parts.all_random + parts.distribution
    shares = {group: own / left for group, own in parts.random.items()}
    return shares if len(shares) == 1 else {**shares, "all": parts.all_random / left}


def scalar_table(fit: FitRecord, quantities: Mapping[str, Array]) -> pd.DataFrame:
    """Scalars with free leading axes, one row each, described as the fit's parameters are."""
    import pandas as pd

    columns = described(fit, np.stack(list(quantities.values()), axis=-1))
    return pd.DataFrame(columns, index=list(quantities))
