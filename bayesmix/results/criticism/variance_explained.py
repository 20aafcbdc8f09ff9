"""R2 and intraclass correlations from one partition of the variance, with free leading axes.

On the scale of the linear predictor (Nakagawa, Johnson, Schielzeth 2017, J. R. Soc. Interface 14; random slopes as in
Johnson 2014): ``f`` the variance of ``X beta`` over rows, ``r_t`` the mean over rows of ``z' Sigma_t z``, ``d`` what
the distribution adds: sigma^2 for gaussian models, pi^2/3, 1 and pi^2/6 for logit, probit and cloglog links,
``log(1 + V(mu)/mu^2)`` for log links and ``V(mu) g'(mu)^2`` for the rest, at the mean ``mu`` over rows and groups.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bayesmix.results.fits.accessors import described
from bayesmix.results.fits.records import FitRecord

if TYPE_CHECKING:
    import pandas as pd


from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from bayesmix.arrays import Array
from bayesmix.data.design.design import Design
from bayesmix.errors import SpecError, nearest
from bayesmix.inference.parameters.names import Parameters
from bayesmix.language.formula.model_spec import ModelSpec
from bayesmix.results.fits.linear_predictor import average_mean, linear_predictor, population_variance
from bayesmix.results.fits.row_parameters import at_weights, row_parameters

Definition = Literal["nakagawa", "bayesian"]


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


def partition(design: Design, spec: ModelSpec, values: Parameters) -> Partition:
    """Split the variance."""
    eta = values.beta @ design.X.T
    random: dict[str, Array] = {}
    for t, term in enumerate(design.terms):
        own = Parameters(values.beta, (values.sd[t],), (values.corr[t],), (), None)
        random[term.group] = random.get(term.group, 0.0) + population_variance([term], own).mean(axis=-1)
    spread = population_variance(design.terms, values)
    return Partition(eta.var(axis=-1, ddof=1), random, _distribution(design, spec, values, eta, spread))


def _distribution(design: Design, spec: ModelSpec, values: Parameters, eta: Array, spread: Array) -> Array:
    link, family = spec.link, spec.family
    dispersion = np.ones(values.lead) if values.dispersion is None else np.asarray(values.dispersion)
    if spec.is_linear:
        return np.asarray(dispersion**2 * np.mean(1.0 / design.weights))
    if link.latent_variance is not None:
        return np.full(values.lead, link.latent_variance)
    mu = average_mean(link, eta + design.offset, spread).mean(axis=-1)
    return link.variance(mu, family.variance(np.ones(()), mu, *family.others(dispersion)))


def r_squared(design: Design, spec: ModelSpec, values: Parameters, definition: Definition) -> dict[str, Array]:
    """``marginal`` and ``conditional`` R2, ``(...,)`` each.

    ``"nakagawa"``: ``f / total`` and ``(f + r) / total``. ``"bayesian"`` (Gelman, Goodrich, Gabry, Vehtari 2019):
    variance of the fitted means over that plus the mean variance of responses, random effects at zero or as fitted.

    Raises
    ------
    SpecError
        If there is no such definition.
    """
    match definition:
        case "nakagawa":
            parts = partition(design, spec, values)
            total = parts.total
            return {"marginal": parts.fixed / total, "conditional": (parts.fixed + parts.all_random) / total}
        case "bayesian":
            scopes = {"marginal": False, "conditional": True}
            return {name: _bayesian(design, spec, values, with_effects=scope) for name, scope in scopes.items()}
    known = ("nakagawa", "bayesian")
    raise SpecError(f"There is no R2 `{definition}`.{nearest(str(definition), known)} Definitions: {', '.join(known)}.")


def _bayesian(design: Design, spec: ModelSpec, values: Parameters, *, with_effects: bool) -> Array:
    eta = linear_predictor(design.X, design.offset, design.terms, values, with_effects=with_effects)
    mean, *others = row_parameters(spec, eta, values)
    noise = spec.family.variance(design.trials, mean, *at_weights(spec.family, others, design.weights))
    explained = mean.var(axis=-1, ddof=1)
    return np.asarray(explained / (explained + np.broadcast_to(noise, mean.shape).mean(axis=-1)))


def intraclass(design: Design, spec: ModelSpec, values: Parameters) -> dict[str, Array]:
    """Share of each grouping factor in the variance that the fixed effects leave, ``r_t / (r + d)``; and of all."""
    parts = partition(design, spec, values)
    left = parts.all_random + parts.distribution
    shares = {group: own / left for group, own in parts.random.items()}
    return shares if len(shares) == 1 else {**shares, "all": parts.all_random / left}


def scalar_table(fit: FitRecord, quantities: Mapping[str, Array]) -> pd.DataFrame:
    """Scalars with free leading axes, one row each, described as the fit's parameters are."""
    import pandas as pd

    columns = described(fit, np.stack(list(quantities.values()), axis=-1))
    return pd.DataFrame(columns, index=list(quantities))
