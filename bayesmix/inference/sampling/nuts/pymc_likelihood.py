"""The response's part of the PyMC model: as distributions for readers, as kernels for the sampler."""

from __future__ import annotations

from typing import Any

import numpy as np

from bayesmix.arrays import Array
from bayesmix.data.design.design import Design
from bayesmix.inference.sampling.nuts.shared_data import Packed
from bayesmix.language.families.derivatives import weighted
from bayesmix.language.families.family import Family
from bayesmix.language.families.namespaces import symbolic
from bayesmix.language.formula.model_spec import ModelSpec


def add_likelihood(design: Design, spec: ModelSpec, eta: Any, dispersion: Any) -> None:
    """Add the response ``y`` given the linear predictor ``(n,)``: PyMC's own distribution where it has the family's."""
    import pymc as pm

    family, trials = spec.family, _trials(design)
    mu = spec.link.formula(symbolic(), eta)
    weights = None if is_unweighted(design) else pm.Data("weights", design.weights, dims="obs")
    if weights is not None:
        dispersion, weights = weighted(family, dispersion, weights)
        weights = None if family.weights == "precision" else weights
    y = design.y.astype(np.int64) if family.values.is_discrete else design.y
    distribution, arguments = _distribution(family, trials, mu, *family.others(dispersion))
    if weights is None:
        distribution("y", **arguments, observed=y, dims="obs")
    else:  # a weighted log density is no distribution of its own
        pm.Potential("y", weights * pm.logp(distribution.dist(**arguments), y), dims="obs")


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


def add_kernel(design: Design, spec: ModelSpec, eta: Any, dispersion: Any, packed: Packed) -> None:
    """Add the same log density, with what depends on the data alone computed once instead of at every step."""
    import pymc as pm

    family, xp, y = spec.family, symbolic(), packed.column(design.y)
    weights = None
    if not is_unweighted(design):
        dispersion, weights = weighted(family, dispersion, packed.column(design.weights))
    trials = packed.column(_trials(design)) if family.values.has_trials else None
    others = family.others(dispersion)
    on_predictor = family.closed_form.predictor if family.closed_form and family.is_canonical(spec.link) else None
    if on_predictor is not None:
        rows = on_predictor(xp, y, trials, eta)
    else:
        rows = family.kernel(xp, y, trials, spec.link.formula(xp, eta), *others)
    base = packed.constant("log_base", _log_base(family, design))
    pm.Potential("y", (rows if weights is None else weights * rows).sum() + base)


def is_unweighted(design: Design) -> bool:
    """Whether all weights are one."""
    return bool(np.all(design.weights == 1.0))


def _trials(design: Design) -> Array:
    return design.trials


def _log_base(family: Family, design: Design) -> Array:
    """The part of the log likelihood that depends on the data alone."""
    rows = np.broadcast_to(family.base(design.y, _trials(design)), design.y.shape)
    return np.asarray(np.sum(rows if family.weights == "precision" else design.weights * rows))
