"""The response's part of the PyMC model: as distributions for readers, as kernels for the sampler."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from bayesmix.arrays import Array
from bayesmix.data.design.design import Design
from bayesmix.data.design.response import Outcome
from bayesmix.errors import FitError
from bayesmix.inference.parameters.natural_scale import entries_of
from bayesmix.inference.parameters.residual_families import correlation_of
from bayesmix.inference.sampling.nuts.numbers import stick
from bayesmix.inference.sampling.nuts.pymc_blocks import SymbolicBlocks, add_blocks, add_blocks_kernel, blocks_of
from bayesmix.inference.sampling.nuts.pymc_incomplete import SymbolicImputation, SymbolicResponse, imputation_of
from bayesmix.inference.sampling.nuts.shared_data import Packed
from bayesmix.language.families import multivariate_normal
from bayesmix.language.families.bounds import observed
from bayesmix.language.families.category_counts import counts_of
from bayesmix.language.families.derivatives import weighted_all
from bayesmix.language.families.family import Family
from bayesmix.language.families.namespaces import symbolic
from bayesmix.language.formula.model_spec import Auxiliary, ModelSpec, Predictor

MOST_TERMS = 50_000  # of the sums that chances of bounds are


def responses_of(
    design: Design, spec: ModelSpec, eta: Mapping[int, Any], numbers: Mapping[str | None, Any]
) -> list[SymbolicResponse]:
    """The responses of a model, from its linear predictors and, by name, the parameters that are one number."""
    if spec.is_simple:
        own = spec.family.others(numbers[spec.dispersion] if spec.dispersion else 1.0)
        return [SymbolicResponse("y", spec.family, spec.link, design.outcome, eta[0], own)]
    found = []
    for i, (response, outcome) in enumerate(zip(spec.responses, design.outcomes, strict=True)):
        mean, *others = [r for r, one in enumerate(spec.parameters) if one.response == i]
        values = tuple(_value(spec.parameters[r], eta.get(r), numbers) for r in others)
        link = response.links[0]
        found.append(SymbolicResponse(response.name or "y", response.family, link, outcome, eta[mean], values))
    return found


@dataclass(frozen=True, slots=True, eq=False)
class SymbolicCorrelations:
    """The correlations of the residuals of the responses, as symbols."""

    names: tuple[str, ...]  # "rescor(a, b)"
    root: list[list[Any]]  # rows of the Cholesky factor of their matrix, without the zeros


Joint = SymbolicCorrelations | SymbolicBlocks | SymbolicImputation


def correlations_of(design: Design, spec: ModelSpec, numbers: Mapping[str | None, Any]) -> Joint | None:
    """What responses or rows have together given their parameters; None where they are independent.

    Correlations of residuals, from the numbers that stand for them, or values that are missing.
    """
    import pytensor.tensor as pt

    if spec.imputed:
        return imputation_of(spec)
    blocks = blocks_of(design, numbers)
    if blocks is not None:
        return blocks
    names = tuple(one.name for one in spec.residual_correlations)
    if not names:
        return None
    partial = [2.0 * numbers[f"lkj_{name}"] - 1.0 for name in names]
    return SymbolicCorrelations(names, correlation_of(len(names)).rows(partial, sqrt=pt.sqrt, one=pt.ones(())))


def _value(one: Predictor | Auxiliary, eta: Any, numbers: Mapping[str | None, Any]) -> Any:
    """A parameter by itself."""
    if isinstance(one, Auxiliary) and not (one.is_threshold or one.is_monotonic):
        return numbers[stick(one.name) if one.simplex else one.name]
    return one.link.formula(symbolic(), eta)


def add_responses(responses: Sequence[SymbolicResponse], correlations: Joint | None) -> None:
    """Add the responses given their parameters, as PyMC's distributions where it has them."""
    if isinstance(correlations, SymbolicBlocks):
        (response,) = responses
        add_blocks(correlations, response.outcome.y, *_normal_rows(response, response.outcome.weights))
        return
    if isinstance(correlations, SymbolicCorrelations):
        add_correlated(responses, correlations)
        return
    if correlations is not None:
        responses = _with_imputation(responses, correlations, np.asarray)
    for response in responses:
        add_likelihood(response)


def _with_imputation(
    responses: Sequence[SymbolicResponse], missing: SymbolicImputation, column: Callable[[Array], Any]
) -> list[SymbolicResponse]:
    """Add the log density of responses with missing values, and return the others."""
    import pymc as pm

    pm.Potential(missing.name(responses), missing.rows(responses, column).sum())
    return missing.others(responses)


def add_kernels(responses: Sequence[SymbolicResponse], correlations: Joint | None, packed: Packed) -> None:
    """Add the same log densities, with what depends on the data alone computed once."""
    if isinstance(correlations, SymbolicBlocks):
        (response,) = responses
        rows = _normal_rows(response, packed.column(response.outcome.weights))
        add_blocks_kernel(correlations, packed.column(response.outcome.y), *rows, packed)
        return
    if isinstance(correlations, SymbolicCorrelations):
        add_correlated_kernel(responses, correlations, packed)
        return
    if correlations is not None:
        responses = _with_imputation(responses, correlations, packed.column)
    for response in responses:
        add_kernel(response, packed)


def add_likelihood(response: SymbolicResponse) -> None:
    """Add a response given its parameters: PyMC's own distribution where it has the family's."""
    import pymc as pm

    name, family, outcome = response.name, response.family, response.outcome
    mu, others, weights = response.link.formula(symbolic(), response.eta), response.others, None
    if family.has_category_counts:
        _add_category_counts(response, [mu, *others])
        return
    if not is_unweighted(outcome):
        others, weights = weighted_all(
            family, others, pm.Data("weights" if name == "y" else f"weights_{name}", outcome.weights, dims="obs")
        )
        weights = None if family.weights == "precision" else weights
    y = outcome.y.astype(np.int64) if family.values.is_discrete else outcome.y
    distribution, arguments = _distribution(_of_observed(family, outcome), outcome.trials, mu, *others)
    if weights is None:
        distribution(name, **arguments, observed=y, dims="obs")
    else:  # a weighted log density is no distribution of its own
        pm.Potential(name, weights * pm.logp(distribution.dist(**arguments), y), dims="obs")


def _add_category_counts(response: SymbolicResponse, scores: Sequence[Any]) -> None:
    """Add counts of several categories, that of each along a dimension of its own, from their scores over the first."""
    import pymc as pm
    import pytensor.tensor as pt

    name, outcome, levels = response.name, response.outcome, response.family.levels
    of = "" if name == "y" else f"_{name}"
    pm.modelcontext(None).add_coord(f"category{of}", levels)
    shares = pt.special.softmax(pt.stack([pt.zeros_like(scores[0]), *scores], axis=-1), axis=-1)
    counts = counts_of(outcome.y, outcome.trials, len(levels)).astype(np.int64)
    trials = outcome.trials.astype(np.int64)
    if is_unweighted(outcome):
        pm.Multinomial(name, n=trials, p=shares, observed=counts, dims=("obs", f"category{of}"))
    else:  # a weighted log density is no distribution of its own
        weights = pm.Data(f"weights{of}", outcome.weights, dims="obs")
        pm.Potential(name, weights * pm.logp(pm.Multinomial.dist(n=trials, p=shares), counts), dims="obs")


def add_correlated(responses: Sequence[SymbolicResponse], correlations: SymbolicCorrelations) -> None:
    """Add gaussian responses with correlated residuals: each given those before, which makes them jointly normal."""
    import pymc as pm

    outcome = responses[0].outcome
    weights = None if is_unweighted(outcome) else pm.Data("weights", outcome.weights, dims="obs")
    for name, entry in zip(correlations.names, entries_of(correlations.root), strict=True):
        pm.Deterministic(name, entry)
    independent: list[Any] = []  # standardised residuals, each given those before
    for response, row in zip(responses, correlations.root, strict=True):
        mean, spread = _normal(response, weights)
        mean = mean + spread * sum(entry * before for entry, before in zip(row[:-1], independent, strict=True))
        own = pm.Normal(response.name, mean, spread * row[-1], observed=response.outcome.y, dims="obs")
        independent.append((own - mean) / (spread * row[-1]))


def add_correlated_kernel(
    responses: Sequence[SymbolicResponse], correlations: SymbolicCorrelations, packed: Packed
) -> None:
    """Add the same log density."""
    import pymc as pm

    outcome = responses[0].outcome
    weights = None if is_unweighted(outcome) else packed.column(outcome.weights)
    means, spreads = zip(*(_normal(one, weights) for one in responses), strict=True)
    y = [packed.column(one.outcome.y) for one in responses]
    rows = multivariate_normal.kernel(symbolic(), y, means, spreads, correlations.root)
    pm.Potential("_".join(one.name for one in responses), rows.sum())


def _normal_rows(response: SymbolicResponse, weights: Any) -> tuple[Any, Any]:
    """Mean and standard deviation of each row ``(n,)``."""
    import pytensor.tensor as pt

    mean, spread = _normal(response, weights)
    return mean, spread * pt.ones_like(mean)


def _normal(response: SymbolicResponse, weights: Any) -> tuple[Any, Any]:
    """Mean and standard deviation of a gaussian response, at its weights."""
    others = response.others if weights is None else weighted_all(response.family, response.others, weights)[0]
    return response.link.formula(symbolic(), response.eta), others[0]


def _of_observed(family: Family, outcome: Outcome) -> Family:
    """The family of responses within their bounds, with what depends on the data alone as numbers."""
    _check_terms(family, outcome)
    seen = observed(family, outcome.bounds, outcome.trials)
    constant = seen.base(outcome.y, outcome.trials)
    return replace(seen, pymc=family.pymc if outcome.bounds is None else None, base=lambda y, trials: constant)


def _check_terms(family: Family, outcome: Outcome) -> None:
    """Refuse bounds whose chances are sums of more terms than a compiled density can take."""
    if not family.adds_up or outcome.bounds is None:
        return
    ends = np.concatenate(outcome.bounds.arrays)
    count = float(np.max(ends, initial=0.0, where=np.isfinite(ends)))
    if count > MOST_TERMS:
        raise FitError(
            f"NUTS cannot sample censored or truncated counts of family {family.name} as large as {count:.6g}:"
            f" it adds up a term a count, at most {MOST_TERMS}. Sample with"
            ' model.sample(method="marginal"), or take family="negbinomial", whose tails have a formula.'
        )


def _distribution(family: Family, trials: Array, mu: Any, *others: Any) -> tuple[Any, dict[str, Any]]:
    """PyMC's distribution of the response and its arguments; one made of the family's own functions elsewhere."""
    import pymc as pm

    if family.pymc is not None:
        name, arguments = family.pymc(trials, mu, *others)
        return getattr(pm, name), arguments

    def log_density(value: Any, *parameters: Any) -> Any:
        return family.kernel(symbolic(), value, trials, *parameters) + family.base(value, trials)

    def random(*parameters: Any, rng: Any, size: Any) -> Array:
        whole = [np.broadcast_to(one, size) for one in (trials, *parameters)]
        return np.asarray(family.sample(rng, *whole))

    class Distribution:
        """`pm.CustomDist` with the family's functions filled in."""

        options = {"logp": log_density, "random": random, "signature": ",".join(["()"] * (1 + len(others))) + "->()"}

        def __new__(cls, name: str, parameters: list[Any], **options: Any) -> Any:
            return pm.CustomDist(name, *parameters, **cls.options, **options)

        @classmethod
        def dist(cls, parameters: list[Any]) -> Any:
            return pm.CustomDist.dist(*parameters, **cls.options)

    return Distribution, {"parameters": [mu, *others]}


def add_kernel(response: SymbolicResponse, packed: Packed) -> None:
    """Add the same log density, with what depends on the data alone computed once instead of at every step."""
    import pymc as pm

    family, outcome, others = response.family, response.outcome, response.others
    _check_terms(family, outcome)
    xp, y, weights = symbolic(), packed.column(outcome.y), None
    if not is_unweighted(outcome):
        others, weights = weighted_all(family, others, packed.column(outcome.weights))
    trials = packed.column(outcome.trials) if family.values.has_trials else None
    family = observed(family, outcome.bounds, outcome.trials, column=packed.column)
    rows = family.kernel_of(response.link)(xp, y, trials, response.eta, *others)
    base = packed.constant("log_base", _log_base(family, outcome))
    pm.Potential(response.name, (rows if weights is None else weights * rows).sum() + base)


def is_unweighted(outcome: Outcome) -> bool:
    """Whether all weights are one."""
    return bool(np.all(outcome.weights == 1.0))


def _log_base(family: Family, outcome: Outcome) -> Array:
    """The part of the log likelihood that depends on the data alone."""
    rows = np.broadcast_to(family.base(outcome.y, outcome.trials), outcome.y.shape)
    return np.asarray(np.sum(rows if family.weights == "precision" else outcome.weights * rows))
