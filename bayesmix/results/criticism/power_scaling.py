"""Power-scaling sensitivity of a posterior to its priors and likelihood, as ArviZ's ``psense_summary``.

Prior or likelihood are raised to powers near one by importance weights; how far the distribution of a parameter moves
is the cumulative Jensen-Shannon distance (Kallioinen, Paananen, Buerkner, Vehtari 2024, Stat. Comput. 34).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from bayesmix.arrays import Array
from bayesmix.errors import SpecError
from bayesmix.inference.parameters.priors_in_force import log_prior
from bayesmix.inference.sampling.diagnostics import TAIL, quantile_ess
from bayesmix.inference.sampling.pareto_smoothing import SHORTEST, smoothed, tail_length
from bayesmix.results.fits.linear_predictor import flatten, linear_predictor, log_likelihood_of_all

if TYPE_CHECKING:
    import pandas as pd

    from bayesmix.results.fits.records import PosteriorRecord

POWERS = (0.99, 1.01)
LARGE = 0.05  # distance by the logarithm of the power from which on a parameter is sensitive


def sensitivity(fit: PosteriorRecord, names: Sequence[str]) -> pd.DataFrame:
    """``prior, likelihood, diagnosis`` of parameters by name.

    Raises
    ------
    SpecError
        If random effects were kept of some draws only: the likelihood of the others is not known.
    """
    import pandas as pd

    if fit.draws.thinned is not None:
        raise SpecError("Random effects were kept of some draws only: the likelihood of the others is not known.")
    draws = flatten(fit.design, fit.values)
    columns = draws.reshape(-1, draws.shape[-1])[:, [fit.names.index(name) for name in names]]
    prior = sum(log_prior(fit.priors, fit.design, fit.values).values(), np.zeros(fit.values.lead))
    components = {"prior": prior, "likelihood": _log_likelihood(fit)}
    found = {name: _slope(columns, component) for name, component in components.items()}
    diagnosis = [_diagnosis(*pair) for pair in zip(found["prior"], found["likelihood"], strict=True)]
    return pd.DataFrame({**found, "diagnosis": diagnosis}, index=list(names)).round(3)


def _log_likelihood(fit: PosteriorRecord) -> Array:
    """Log density of all rows at every draw: ``(chain, draw)``."""
    design, values = fit.design, fit.with_effects
    eta = linear_predictor(design.X, design.offset, design.terms, values)
    return log_likelihood_of_all(design, fit.spec, values, eta)


def _diagnosis(prior: float, likelihood: float) -> str:
    if prior >= LARGE and likelihood >= LARGE:
        return "potential prior-data conflict"
    return "potential strong prior / weak likelihood" if prior > LARGE > likelihood else "✓"


def _slope(columns: Array, component: Array) -> Array:
    """Distance by the binary logarithm of the power ``(m,)`` of ``columns (n, m)``, the mean of both sides."""
    down, up = (_distance(columns, np.exp(_scaled(component, power))) for power in POWERS)
    return np.asarray(0.5 * (up / np.log2(POWERS[1]) - down / np.log2(POWERS[0])))


def _scaled(component: Array, power: float) -> Array:
    """Logarithms ``(n,)`` of smoothed weights of draws ``(chain, draw)`` where a component has another power."""
    n = component.size
    with np.errstate(invalid="ignore"):
        efficiency = float(np.min([quantile_ess(component[..., None], level)[0] for level in TAIL])) / n
    tail = tail_length(n, efficiency) if efficiency > 0.0 else n // 5
    return smoothed((power - 1.0) * component.ravel(), max(min(tail, n // 2), SHORTEST))[0]


def _distance(columns: Array, weights: Array) -> Array:
    """Cumulative Jensen-Shannon distances ``(m,)`` of weighted from other draws, the larger of either direction."""
    order = np.argsort(columns, axis=0)
    ordered, weighed = np.take_along_axis(columns, order, axis=0), weights[order]
    widths = np.diff(ordered, axis=0)
    return np.maximum(_one_way(widths, weighed), _one_way(widths[::-1], weighed[::-1]))


def _one_way(widths: Array, weights: Array) -> Array:
    """The distance ``(m,)`` from widths ``(n - 1, m)`` between sorted draws and weights ``(n, m)`` of these."""
    n = len(weights)
    p = np.linspace(1.0 / n, 1.0 - 1.0 / n, n - 1)[:, None]
    q = np.cumsum(weights / weights.sum(axis=0), axis=0)[:-1]
    middle = _log2(0.5 * (p + q))
    area_p, area_q = np.sum(p * widths, axis=0), np.sum(q * widths, axis=0)
    half = 0.5 / np.log(2.0) * (area_q - area_p)
    forward = np.sum(widths * p * (_log2(p) - middle), axis=0) + half
    backward = np.sum(widths * q * (_log2(q) - middle), axis=0) - half
    return np.asarray(np.sqrt((np.maximum(forward, 0.0) + np.maximum(backward, 0.0)) / (area_p + area_q)))


def _log2(share: Array) -> Array:
    """Binary logarithms, zero where there is none."""
    return np.log2(share, out=np.zeros_like(share), where=share > 0.0)
