"""What t distributed effects of groups are scaled by, in the sampler's coordinates.

Given the scale of its level effects are normal, ``b_j ~ Normal(0, w_j Sigma)`` with ``w_j ~ InverseGamma(df / 2,
df / 2)``, one for all effects of a level: a multivariate t distribution with scale ``Sigma`` (Lange, Little and Taylor
1989, J. Am. Stat. Assoc. 84), as brms has it. Chains move ``log w_j`` in units of about its standard deviation, which
falls with df: free numbers keep their size where the tails become those of a normal distribution.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from bayesmix.arrays import Array
from bayesmix.inference.parameters.heavy_tails import scale_law, scale_unit
from bayesmix.inference.sampling.nuts.moved_parameters import moved, value_of
from bayesmix.inference.sampling.nuts.moves import Log, Logit, Move
from bayesmix.inference.sampling.nuts.pymc_model import level_dim
from bayesmix.inference.sampling.nuts.shared_data import Packed
from bayesmix.language.priors.above import Above

NORMAL = 3.29  # standard deviations between the ends of 90 % of a normal distribution
CENTRAL = (0.05, 0.5, 0.95)


def tail_move(prior: Above) -> Move:
    """Coordinates of degrees of freedom: the logarithm of what they are above their bound, in units of its prior."""
    if prior.prior.kind == "Uniform":
        return Logit(np.zeros(()), np.ones(()))
    low, middle, high = np.log(prior.quantile(np.array(CENTRAL)) - prior.bound)
    return Log(middle, np.asarray((high - low) / NORMAL), prior.bound)


def mixing(
    levels: Mapping[str, int], priors: Mapping[str, Above], moves: Mapping[str, Move], packed: Packed
) -> dict[str, Any]:
    """Roots of the scales of the levels ``(J,)``, by grouping factor; their densities are potentials."""
    import pymc as pm
    import pytensor.tensor as pt

    found: dict[str, Any] = {}
    for group, prior in priors.items():
        name, own = f"df_{group}", prior.prior
        arguments = [packed.constant(name, np.asarray(value)) for value in own.arguments]
        df = moved(name, own.kind, arguments, moves[group], packed)
        share = packed.constant(name, np.asarray(prior.log_share))
        free = pm.Flat(f"mix_{group}", shape=(levels[group],), dims=level_dim(group))
        log_w, density = scale_law(df, pt, pt.gammaln)(free)
        pm.Potential(f"scales_{group}", density.sum() - share)
        found[group] = pt.exp(0.5 * log_w)
    return found


def mixing_at(
    priors: Mapping[str, Above], moves: Mapping[str, Move], free: Mapping[str, Array]
) -> tuple[dict[str, Array], dict[str, Array]]:
    """Degrees of freedom ``(...,)`` and roots of the scales of the levels ``(..., J)``, by grouping factor."""
    df = {
        group: np.asarray(value_of([own.prior], moves[group], free[f"df_{group}_free"]))
        for group, own in priors.items()
    }
    units = {group: scale_unit(own[..., None], np) for group, own in df.items()}
    return df, {group: np.exp(0.5 * unit * free[f"mix_{group}"]) for group, unit in units.items()}
