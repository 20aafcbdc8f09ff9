"""Draws as an xarray DataTree in ArviZ's conventions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from bayesmix import __version__
from bayesmix.arrays import Array
from bayesmix.inference.parameters.covariance import structure_of
from bayesmix.inference.parameters.names import Parameters, corr_effects, corr_kinds, heavy_tailed, sd_kind
from bayesmix.inference.parameters.natural_scale import reported, simplex_columns
from bayesmix.inference.parameters.priors_in_force import log_prior
from bayesmix.inference.sampling.nuts.pymc_model import level_dim
from bayesmix.language.formula.vocabulary import STRUCTURES
from bayesmix.results.fits.linear_predictor import GroupEffects, codes_of, groups, last_shares, number_names, of_group
from bayesmix.results.prediction.simulation import posterior_predictive, responses_by_name

if TYPE_CHECKING:
    import xarray as xr

    from bayesmix.data.design.design import Design, Term
    from bayesmix.results.fits.records import PosteriorRecord


LARGEST = 100_000_000  # numbers of a log likelihood that is stored with the draws
LARGEST_PREDICTIVE = 20_000_000  # numbers of replicated responses that are stored with the draws


def to_datatree(posterior: PosteriorRecord) -> xr.DataTree:
    """ArviZ's groups, from ``posterior`` and ``sample_stats`` to ``posterior_predictive`` and ``observed_data``.

    Of a big model, random effects, ``log_likelihood`` and ``posterior_predictive`` are left out: `Posterior.ranef`,
    `Posterior.log_likelihood` and `Posterior.posterior_predictive` have them for the draws that were kept.
    """
    import xarray as xr

    design, values = posterior.design, posterior.values
    priors = log_prior(posterior.priors, design, values)
    tree = drawn(posterior)
    tree["log_prior"] = _draws_dataset({name: (("chain", "draw"), value) for name, value in priors.items()}, values)
    if design.counts is None:
        tree |= _of_rows(posterior, values)
    for dataset in tree.values():
        dataset.attrs |= {"created_by": "bayesmix", "bayesmix_version": __version__}
    tree["posterior"].attrs |= {"formula": posterior.spec.text, "method": posterior.method}
    tree["sample_stats"].attrs |= dict(posterior.draws.certificate)
    return xr.DataTree.from_dict(tree)


def drawn(posterior: PosteriorRecord) -> dict[str, xr.Dataset]:
    """The groups of draws and of the sampler's statistics."""
    values, lead = posterior.values, ("chain", "draw")
    return {
        "posterior": posterior_dataset(posterior.design, values, posterior.spec.dispersion),
        "sample_stats": _draws_dataset({name: (lead, value) for name, value in posterior.draws.stats.items()}, values),
    }


def _of_rows(posterior: PosteriorRecord, values: Parameters) -> dict[str, xr.Dataset]:
    """What a tree has of the rows of the data."""
    tree = {"observed_data": _observed(posterior), "constant_data": _constants(posterior)}
    replications = posterior.design.n * int(np.prod(values.lead))
    if posterior.draws.thinned is None and replications <= LARGEST_PREDICTIVE:
        tree["posterior_predictive"] = posterior_predictive(posterior, groups="fitted", seed=0)
    if posterior.draws.thinned is None and replications <= LARGEST:
        pointwise = _draws_dataset({"y": (("chain", "draw", "obs"), posterior.log_likelihood())}, values)
        tree["log_likelihood"] = pointwise.assign_coords(obs=posterior.design.rows)
    return tree


def posterior_dataset(design: Design, values: Parameters, dispersion: str | None) -> xr.Dataset:
    """``fixef, sd_<group>, corr_<group>, ranef_<group>`` and the dispersion, ``(chain, draw)`` first.

    Where effects have a t distribution, ``sd_<group>`` are its scales, and ``df_<group>`` its degrees of freedom.

    Parameters that are one number for all rows of several predictors are variables of their own, as the dispersion is.
    """
    lead = ("chain", "draw")
    variables: dict[str, Any] = {"fixef": ((*lead, "fixed"), values.beta[..., coefficients_of(design)])}
    coords: dict[str, Any] = {"fixed": design.layout.coefficients}
    for group in groups(design):
        name = group.group
        coords[level_dim(name)], coords[f"{name}_effect"] = list(group.levels), list(group.effects)
        variables[f"sd_{name}"] = ((*lead, f"{name}_effect"), of_group(values.sd, group.terms))
        labels, correlations = _correlations(design, values, group)
        if labels:
            coords[f"{name}_pair"] = labels
            variables[f"corr_{name}"] = ((*lead, f"{name}_pair"), np.stack(correlations, axis=-1))
        if values.b:
            variables[f"ranef_{name}"] = ((*lead, level_dim(name), f"{name}_effect"), of_group(values.b, group.terms))
    for t, term in enumerate(design.terms):
        if term.is_population:
            variables |= _of_smooth(term, values, t, lead)
            coords[f"{term.smooth}_basis"] = list(term.effects)
    variables |= {f"df_{group}": (lead, df) for group, df in values.df.items()}
    if values.dispersion is not None and dispersion is not None:
        variables[dispersion] = (lead, values.dispersion)
    natural = reported(design.layout, values.beta)
    variables |= {name: (lead, natural[..., design.fixed.index(name)]) for name in number_names(design)}
    for name, own in zip(last_shares(design), simplex_columns(design.layout), strict=True):
        variables[name] = (lead, 1.0 - natural[..., own].sum(axis=-1))
    return _draws_dataset(variables, values).assign_coords(coords)


def _of_smooth(term: Term, values: Parameters, t: int, lead: tuple[str, ...]) -> dict[str, Any]:
    """The standard deviation of a smooth, what else it has, and the coefficients of its basis functions."""
    found: dict[str, Any] = {f"{sd_kind(term)}_{term.smooth}": (lead, values.sd[t][..., 0])}
    numbers = structure_of(term).correlation.numbers(values.corr[t])
    found |= {f"{kind}_{term.smooth}": (lead, numbers[..., m]) for m, kind in enumerate(corr_kinds(term))}
    if values.b:
        found[f"s_{term.smooth}"] = ((*lead, f"{term.smooth}_basis"), values.b[t][..., 0, :])
    return found


def coefficients_of(design: Design) -> list[int]:
    """Places of the fixed effects that formulas have."""
    return [j for j, owner in enumerate(design.layout.owners) if owner not in design.layout.numbers]


def numbers_of(design: Design) -> list[int]:
    """Places among the fixed effects of parameters that are one number for all rows."""
    return [j for j, owner in enumerate(design.layout.owners) if owner in design.layout.numbers]


def parameters_of(
    posterior: xr.Dataset, design: Design, dispersion: str | None, corr: tuple[Array, ...], numbers: Array | None
) -> Parameters:
    """The parameters that `posterior_dataset` wrote.

    Parameters
    ----------
    corr : the whole correlation matrices of the terms.
    numbers : of parameters that are one number for all rows, as they are computed with: through their links.
    """
    sd = _by_term(posterior, design, "sd")
    b = _by_term(posterior, design, "ranef")
    fixed = posterior["fixef"].values
    if numbers is not None:
        beta = np.empty((*fixed.shape[:-1], len(design.fixed)))
        beta[..., coefficients_of(design)] = fixed
        beta[..., numbers_of(design)] = numbers
        fixed = beta
    return Parameters(
        fixed,
        tuple(sd[t] for t in sorted(sd)),
        corr,
        tuple(b[t] for t in sorted(b)),
        posterior[dispersion].values if dispersion is not None and dispersion in posterior else None,
        {group: posterior[f"df_{group}"].values for group in heavy_tailed(design.terms)},
    )


def _by_term(posterior: xr.Dataset, design: Design, prefix: str) -> dict[int, Array]:
    """Columns of the groups' variables by term; nothing where a big model's random effects were left out."""
    found: dict[int, Array] = {}
    for group in groups(design):
        name = f"{prefix}_{group.group}"
        widths = np.cumsum([len(design.terms[t].effects) for t in group.terms])[:-1]
        if name in posterior:
            found |= zip(group.terms, np.split(posterior[name].values, widths, axis=-1), strict=True)
    for t, term in enumerate(design.terms):
        name = f"{sd_kind(term) if prefix == 'sd' else 's'}_{term.smooth}"
        if term.is_population and name in posterior:
            values = posterior[name].values
            k = len(term.effects)
            found[t] = np.repeat(values[..., None], k, axis=-1) if prefix == "sd" else values[..., None, :]
    return found


def _correlations(design: Design, values: Parameters, group: GroupEffects) -> tuple[list[str], list[Array]]:
    """Labels and values of the correlations that are parameters: ``effect, effect``, or the structure's name.

    ``range`` and ``smoothness`` where these follow from distances.
    """
    labels, correlations = list[str](), []
    for t in group.terms:
        term = design.terms[t]
        plain = [STRUCTURES[term.structure][0] if kind == "corr" else kind for kind in corr_kinds(term)]
        labels += [", ".join(own) or word for own, word in zip(corr_effects(term), plain, strict=True)]
        correlations += list(np.moveaxis(structure_of(term).correlation.numbers(values.corr[t]), -1, 0))
    return labels, correlations


def _draws_dataset(variables: dict[str, Any], values: Parameters) -> xr.Dataset:
    import xarray as xr

    chains, draws = values.lead
    return xr.Dataset(variables, coords={"chain": np.arange(chains), "draw": np.arange(draws)})


def _observed(posterior: PosteriorRecord) -> xr.Dataset:
    """The responses: ``y``, or several by their names."""
    import xarray as xr

    design = posterior.design
    variables = responses_by_name(posterior, [outcome.y for outcome in design.outcomes], ("obs",))
    return xr.Dataset(variables, coords={"obs": design.rows})


def _constants(posterior: PosteriorRecord) -> xr.Dataset:
    """X, offset, weights, trials and levels; of several predictors, X and offset of each."""
    import xarray as xr

    design = posterior.design
    shape, dims = ((design.n,), ("obs",)) if design.R == 1 else ((design.R, design.n), ("predictor", "obs"))
    X = design.X[:, coefficients_of(design)]
    variables: dict[str, Any] = {"X": ((*dims, "fixed"), X.reshape(*shape, -1))}
    variables["offset"] = (dims, design.offset.reshape(shape))
    for response, outcome in zip(posterior.spec.responses, design.outcomes, strict=True):
        of = f"_{response.name}" if response.name else ""
        variables[f"weights{of}"] = ("obs", outcome.weights)
        if outcome.has_trials or response.family.has_category_counts:
            variables[f"trials{of}"] = ("obs", outcome.trials)
    for group in groups(design):
        if design.terms[group.terms[0]].slots == 1:
            variables[f"level_{group.group}"] = ("obs", codes_of(design, group))
    coords: dict[str, Any] = {"obs": design.rows, "fixed": design.layout.coefficients}
    if design.R > 1:
        coords["predictor"] = [prefix.removesuffix("_") or "mu" for prefix in design.layout.prefixes]
    return xr.Dataset(variables, coords=coords)
