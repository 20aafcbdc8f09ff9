"""What is wrong with the draws of a posterior, in sentences: it has converged if there are none."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from bayesmix.arrays import Array
from bayesmix.inference.sampling.agreement import LIMIT
from bayesmix.inference.sampling.diagnostics import (
    ESS_LIMIT,
    K_LIMIT,
    PROPOSAL_K_LIMIT,
    R_HAT_LIMIT,
    Convergence,
    limits_ess,
)
from bayesmix.inference.sampling.draws import Draws


def k_limit(method: str) -> float:
    """Pareto k that is let pass: that of a chain's proposals, or of an approximation whose means are to be right."""
    return PROPOSAL_K_LIMIT if method == "marginal" else K_LIMIT


def problems(draws: Draws, found: Convergence, names: Sequence[str], values: Array) -> Iterator[str]:
    """R-hat, effective sample sizes, divergences, the proposal's certificate and the agreement of two samplers.

    Parameters
    ----------
    values : (chain, draw, m) parameters, ``names`` (m,) theirs.
    """
    certificate = draws.certificate
    if found.worst_r_hat > R_HAT_LIMIT:
        yield f"R-hat is {found.worst_r_hat:.3f}, above {R_HAT_LIMIT:g}."
    if found.smallest_ess < ESS_LIMIT:
        yield f"The smallest effective sample size is {found.smallest_ess:.0f}, below {ESS_LIMIT:g}."
    yield from uncertain_limits(found, names, values)
    if draws.divergences:
        yield f"{draws.divergences} transitions diverged."
    k, limit = certificate.get("pareto_k", -np.inf), k_limit(draws.method)
    if k > limit:
        yield f"Pareto k of the proposal is {k:.2f}, above {limit:g}: it does not reach all of the posterior."
    if certificate.get("disagreement", 0.0) > LIMIT:
        yield "NUTS and the marginal sampler disagree: one of them misses part of the posterior."


def uncertain_limits(found: Convergence, names: Sequence[str], values: Array) -> Iterator[str]:
    """The interval whose limits are least certain, where its parameter is certain enough otherwise."""
    if found.smallest_ess < ESS_LIMIT:
        return
    ess = limits_ess(values)
    if np.all(np.isnan(ess)) or np.nanmin(ess) >= ESS_LIMIT:
        return
    name = names[int(np.nanargmin(ess))]
    yield (
        f"The limits of the 95 % interval of {name} have an effective sample size of {np.nanmin(ess):.0f},"
        f" below {ESS_LIMIT:g}."
    )
