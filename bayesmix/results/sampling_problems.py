"""What is wrong with the draws of a posterior, in sentences: it has converged if there are none."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from bayesmix.inference.agreement import LIMIT
from bayesmix.inference.diagnostics import ESS_LIMIT, K_LIMIT, PROPOSAL_K_LIMIT, R_HAT_LIMIT, limits_ess
from bayesmix.results.effects import flatten

if TYPE_CHECKING:
    from bayesmix.results.fit import Posterior


def k_limit(fit: Posterior) -> float:
    """Pareto k that is let pass: that of a chain's proposals, or of an approximation whose means are to be right."""
    return PROPOSAL_K_LIMIT if fit.method == "marginal" else K_LIMIT


def problems(fit: Posterior) -> Iterator[str]:
    """R-hat, effective sample sizes, divergences, the proposal's certificate and the agreement of two samplers."""
    found, certificate = fit.convergence, fit.draws.certificate
    if found.worst_r_hat > R_HAT_LIMIT:
        yield f"R-hat is {found.worst_r_hat:.3f}, above {R_HAT_LIMIT:g}."
    if found.smallest_ess < ESS_LIMIT:
        yield f"The smallest effective sample size is {found.smallest_ess:.0f}, below {ESS_LIMIT:g}."
    yield from uncertain_limits(fit)
    if fit.divergences:
        yield f"{fit.divergences} transitions diverged."
    k = certificate.get("pareto_k", -np.inf)
    if k > k_limit(fit):
        yield f"Pareto k of the proposal is {k:.2f}, above {k_limit(fit):g}: it does not reach all of the posterior."
    if certificate.get("disagreement", 0.0) > LIMIT:
        yield "NUTS and the marginal sampler disagree: one of them misses part of the posterior."


def uncertain_limits(fit: Posterior) -> Iterator[str]:
    """The interval whose limits are least certain, where its parameter is certain enough otherwise."""
    if fit.convergence.smallest_ess < ESS_LIMIT:
        return
    ess = limits_ess(flatten(fit.design, fit.values))
    if np.all(np.isnan(ess)) or np.nanmin(ess) >= ESS_LIMIT:
        return
    name = fit.names[int(np.nanargmin(ess))]
    yield (
        f"The limits of the 95 % interval of {name} have an effective sample size of {np.nanmin(ess):.0f},"
        f" below {ESS_LIMIT:g}."
    )
