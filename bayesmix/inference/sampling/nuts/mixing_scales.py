"""What t distributed effects of groups are scaled by, in the sampler's coordinates.

Given the scale of its level effects are normal, ``b_j ~ Normal(0, w_j Sigma)`` with ``w_j ~ InverseGamma(df / 2,
df / 2)``, one for all effects of a level: a multivariate t distribution with scale ``Sigma`` (Lange, Little and Taylor
1989, J. Am. Stat. Assoc. 84), as brms has it. Chains move ``log w_j`` in units of about its standard deviation, which
falls with df: free numbers keep their size where the tails become those of a normal distribution.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from bayesmix.arrays import Array
from bayesmix.data.design.design import Term
from bayesmix.inference.sampling.nuts.moves import Log, Logit, Move
from bayesmix.inference.sampling.nuts.pymc_model import distribution, level_dim
from bayesmix.inference.sampling.nuts.shared_data import Packed
from bayesmix.language.priors.above import Above

NORMAL = 3.29  # standard deviations between the ends of 90 % of a normal distribution
CENTRAL = (0.05, 0.5, 0.95)


def tail_move(prior: Above) -> Move:
    """Coordinates of degrees of freedom: the logarithm of what they are above their bound, in units of its prior."""
    low, middle, high = prior.quantile(np.array(CENTRAL))
    if prior.prior.kind == "Uniform":
        return Logit(np.zeros(()), np.ones(()))
    line = np.log(np.array([low, middle, high]) - prior.bound)
    return Log(line[1], np.asarray((line[2] - line[0]) / NORMAL))


def mixing(
    terms: Sequence[Term], priors: Mapping[str, Above], moves: Mapping[str, Move], packed: Packed
) -> dict[str, Any]:
    """Roots of the scales of the levels ``(J,)``, by grouping factor; their densities are potentials."""
    import pymc as pm
    import pytensor.tensor as pt

    found: dict[str, Any] = {}
    for group, prior in priors.items():
        levels = next(len(term.levels) for term in terms if term.group == group)
        name, move, kind = f"df_{group}", moves[group], prior.prior.kind
        arguments = [packed.constant(name, np.asarray(value)) for value in prior.prior.arguments]
        places = packed.constant(name, move.location), packed.constant(name, move.scale)
        free = pm.Flat(f"{name}_free", shape=())
        above, log_jacobian = move.forward(free, *places, arguments if kind == "Uniform" else (0.0, 1.0), xp=pt)
        df = above if kind == "Uniform" else prior.bound + above
        share = packed.constant(name, np.asarray(prior.log_share))
        pm.Potential(name, pm.logp(distribution(kind, arguments), df) - share + log_jacobian)
        moved = pm.Flat(f"mix_{group}", shape=(levels,), dims=level_dim(group))
        log_w, shape = _log_scale(df, moved, pt), 0.5 * df
        density = shape * pt.log(shape) - pt.gammaln(shape) - shape * (log_w + pt.exp(-log_w)) + pt.log(_unit(df, pt))
        pm.Potential(f"scales_{group}", density.sum())
        found[group] = pt.exp(0.5 * log_w)
    return found


def mixing_at(
    priors: Mapping[str, Above], moves: Mapping[str, Move], free: Mapping[str, Array]
) -> tuple[dict[str, Array], dict[str, Array]]:
    """Degrees of freedom ``(...,)`` and roots of the scales of the levels ``(..., J)``, by grouping factor."""
    freedom, roots = dict[str, Array](), dict[str, Array]()
    for group, prior in priors.items():
        move, is_uniform = moves[group], prior.prior.kind == "Uniform"
        bounds = prior.prior.arguments if is_uniform else (0.0, 1.0)
        with np.errstate(over="ignore"):
            above = move.forward(free[f"df_{group}_free"], move.location, move.scale, bounds, xp=np)[0]
        df = np.asarray(above if is_uniform else prior.bound + above)
        freedom[group] = df
        roots[group] = np.exp(0.5 * _log_scale(df[..., None], free[f"mix_{group}"], np))
    return freedom, roots


def _log_scale(df: Any, free: Any, xp: Any) -> Any:
    return _unit(df, xp) * free


def _unit(df: Any, xp: Any) -> Any:
    """Nearly the standard deviation of ``log w``, the root of ``trigamma(df / 2)``."""
    return xp.sqrt(2.0 * (1.0 + 1.0 / df) / df)
