"""Draws of the PyMC model from its priors, thresholds of categories in their order."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from bayesmix.arrays import Array
from bayesmix.data.design.design import Design
from bayesmix.errors import PriorWarning, warn_user
from bayesmix.inference.parameters.priors_in_force import Priors
from bayesmix.inference.sampling.nuts.compile_directory import cached
from bayesmix.inference.sampling.nuts.numbers import split_priors
from bayesmix.inference.sampling.nuts.pymc_model import by_kind
from bayesmix.language.formula.model_spec import ModelSpec
from bayesmix.language.priors.random import draw_in_order

if TYPE_CHECKING:
    import xarray as xr

FAR = 1e3  # times as far from the middle of the data as any of them is what nobody holds for possible ...
SOME = 0.01  # ... of more than a few draws


def draw_from_priors(model: Any, priors: Priors, draws: int, seed: int | None) -> Any:
    """A DataTree with ``prior`` and ``prior_predictive``, one chain.

    Parameters
    ----------
    model : the ``pm.Model``. Its thresholds are independent; those of a latent variable have no other order, and are
        drawn in it, whereupon all that depends on them is drawn given them.
    """
    with model, warnings.catch_warnings(), _silent():
        warnings.filterwarnings("ignore", "Numba will use object mode")
        return cached(lambda: _drawn(model, priors, draws, seed))


def warn_of_absurd(found: Any, design: Design, spec: ModelSpec) -> None:
    """Say where the priors predict responses that are far from possible: counts of 1e16 for a handful."""
    for response, outcome in zip(spec.responses, design.outcomes, strict=True):
        if response.family.levels or response.family.has_category_counts:
            continue
        y, drawn = outcome.present.y, np.asarray(found["prior_predictive"][response.name or "y"], float)
        middle = float(np.median(y))
        is_far = ~(np.abs(drawn - middle) <= FAR * np.abs(y - middle).max())
        if np.ptp(y) > 0.0 and is_far.mean() > SOME:
            worst = drawn.ravel()[np.argmax(np.where(np.isnan(drawn), -np.inf, np.abs(drawn - middle)))]
            warn_user(
                f"The priors predict what cannot be: {100.0 * is_far.mean():.2g} % of the drawn values of"
                f" `{response.label}` are over {FAR:g} times as far from the middle of the data as any of them, up to"
                f" {worst:.2g} (data: {y.min():.4g} .. {y.max():.4g}). Much data outweigh such priors, Bayes factors do"
                ' not: state narrower ones, as priors={"fixed": "Normal(0, 0.5)", "sd": "HalfNormal(0.5)"}. The printed'
                " model has the range of each.",
                PriorWarning,
            )


@contextmanager
def _silent() -> Iterator[None]:
    """PyMC prints the names of the variables that it draws, which say nothing to a user of formulas."""
    log = logging.getLogger("pymc.sampling.forward")
    before, log.disabled = log.disabled, True
    try:
        yield
    finally:
        log.disabled = before


def _drawn(model: Any, priors: Priors, draws: int, seed: int | None) -> Any:
    import pymc as pm

    if not priors.ordered:
        return pm.sample_prior_predictive(draws=draws, random_seed=seed)
    streams: Any = np.random.SeedSequence(seed).generate_state(3)
    names = [variable.name for variable in model.free_RVs]
    free = pm.sample_prior_predictive(draws=draws, random_seed=int(streams[0]), var_names=names)["prior"]
    prior = _in_order(free.to_dataset(), priors, np.random.default_rng(streams[1]))
    observed = [variable.name for variable in model.observed_RVs]
    shown = [*(variable.name for variable in model.deterministics), *observed]
    found = pm.sample_posterior_predictive(prior, var_names=shown, random_seed=int(streams[2]), progressbar=False)
    return _as_tree(prior, found["posterior_predictive"].to_dataset(), observed)


def _as_tree(prior: xr.Dataset, drawn: xr.Dataset, observed: list[str]) -> xr.DataTree:
    import xarray as xr

    groups = {"prior": prior.merge(drawn.drop_vars(observed)), "prior_predictive": drawn[observed]}
    return xr.DataTree.from_dict(groups)


def _in_order(prior: xr.Dataset, priors: Priors, rng: np.random.Generator) -> xr.Dataset:
    """The draws with new ones of the thresholds, each response's in order."""
    split, found = split_priors(priors), prior.copy(deep=True)
    where = {
        split.coefficients[member]: (name, position)
        for name, _, members in by_kind("fixef_centred", split.fixed)
        for position, member in enumerate(members)
    }
    for places, own in priors.in_order():
        drawn: Array = draw_in_order(own, prior.sizes["draw"], rng)
        for place, column in zip(places, drawn.T, strict=True):
            name, position = where[place]
            found[name].to_numpy()[0, :, position] = column
    return found
