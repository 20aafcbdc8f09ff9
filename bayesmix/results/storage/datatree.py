"""Draws as an xarray DataTree in ArviZ's conventions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from bayesmix import __version__
from bayesmix.arrays import Array
from bayesmix.inference.parameters.covariance import structure_of
from bayesmix.inference.parameters.names import Parameters, corr_effects
from bayesmix.inference.parameters.priors_in_force import log_prior
from bayesmix.inference.sampling.nuts.pymc_model import level_dim
from bayesmix.language.formula.vocabulary import STRUCTURES
from bayesmix.results.fits.linear_predictor import GroupEffects, groups, of_group
from bayesmix.results.prediction.simulation import posterior_predictive

if TYPE_CHECKING:
    import xarray as xr

    from bayesmix.data.design.design import Design
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
    lead = ("chain", "draw")
    priors = log_prior(posterior.priors, design, values)
    tree = {
        "posterior": posterior_dataset(design, values, posterior.spec.family.dispersion),
        "sample_stats": _draws_dataset({name: (lead, value) for name, value in posterior.draws.stats.items()}, values),
        "log_prior": _draws_dataset({name: (lead, value) for name, value in priors.items()}, values),
        "observed_data": xr.Dataset({"y": ("obs", design.y)}, coords={"obs": design.rows}),
        "constant_data": _constants(design),
    }
    replications = len(design.y) * int(np.prod(values.lead))
    if posterior.draws.thinned is None and replications <= LARGEST_PREDICTIVE:
        tree["posterior_predictive"] = posterior_predictive(posterior, groups="fitted", seed=0)
    if posterior.draws.thinned is None and replications <= LARGEST:
        pointwise = _draws_dataset({"y": ((*lead, "obs"), posterior.log_likelihood())}, values)
        tree["log_likelihood"] = pointwise.assign_coords(obs=design.rows)
    for dataset in tree.values():
        dataset.attrs |= {"created_by": "bayesmix", "bayesmix_version": __version__}
    tree["posterior"].attrs |= {"formula": posterior.spec.text, "method": posterior.method}
    tree["sample_stats"].attrs |= dict(posterior.draws.certificate)
    return xr.DataTree.from_dict(tree)


def posterior_dataset(design: Design, values: Parameters, dispersion: str | None) -> xr.Dataset:
    """``fixef, sd_<group>, corr_<group>, ranef_<group>`` and the dispersion, ``(chain, draw)`` first."""
    lead = ("chain", "draw")
    variables: dict[str, Any] = {"fixef": ((*lead, "fixed"), values.beta)}
    coords: dict[str, Any] = {"fixed": list(design.fixed)}
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
    if values.dispersion is not None and dispersion is not None:
        variables[dispersion] = (lead, values.dispersion)
    return _draws_dataset(variables, values).assign_coords(coords)


def parameters_of(posterior: xr.Dataset, design: Design, dispersion: str | None, corr: tuple[Array, ...]) -> Parameters:
    """The parameters that `posterior_dataset` wrote, given the whole correlation matrices of the terms."""
    sd = _by_term(posterior, design, "sd")
    b = _by_term(posterior, design, "ranef")
    return Parameters(
        posterior["fixef"].values,
        tuple(sd[t] for t in sorted(sd)),
        corr,
        tuple(b[t] for t in sorted(b)),
        posterior[dispersion].values if dispersion is not None and dispersion in posterior else None,
    )


def _by_term(posterior: xr.Dataset, design: Design, prefix: str) -> dict[int, Array]:
    """Columns of the groups' variables by term; nothing where a big model's random effects were left out."""
    found: dict[int, Array] = {}
    for group in groups(design):
        name = f"{prefix}_{group.group}"
        widths = np.cumsum([len(design.terms[t].effects) for t in group.terms])[:-1]
        if name in posterior:
            found |= zip(group.terms, np.split(posterior[name].values, widths, axis=-1), strict=True)
    return found


def _correlations(design: Design, values: Parameters, group: GroupEffects) -> tuple[list[str], list[Array]]:
    """Labels and values of the correlations that are parameters: ``effect, effect``, or the structure's name."""
    labels, correlations = list[str](), []
    for t in group.terms:
        term = design.terms[t]
        labels += [", ".join(effects) or STRUCTURES[term.structure][0] for effects in corr_effects(term)]
        correlations += list(np.moveaxis(structure_of(term).correlation.numbers(values.corr[t]), -1, 0))
    return labels, correlations


def _draws_dataset(variables: dict[str, Any], values: Parameters) -> xr.Dataset:
    import xarray as xr

    chains, draws = values.lead
    return xr.Dataset(variables, coords={"chain": np.arange(chains), "draw": np.arange(draws)})


def _constants(design: Design) -> xr.Dataset:
    import xarray as xr

    variables: dict[str, Any] = {"X": (("obs", "fixed"), design.X), "weights": ("obs", design.weights)}
    variables["offset"] = ("obs", design.offset)
    if design.has_trials:
        variables["trials"] = ("obs", design.trials)
    for group in groups(design):
        variables[f"level_{group.group}"] = ("obs", design.terms[group.terms[0]].codes)
    return xr.Dataset(variables, coords={"obs": design.rows, "fixed": list(design.fixed)})
