"""Marginal posteriors of scalar parameters: moments, quantiles, modes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from bayesmix.arrays import Array

if TYPE_CHECKING:
    import pandas as pd

Range = tuple[float, float]

TOP = 0.3  # share of the maximum from which on the density counts as its top ...
DEGREE = 4  # ... whose logarithm is a polynomial of this degree
NEWTON = 8  # steps of its fit, which starts close by


def describe(
    draws: Array, names: list[str], interval: float, *, is_even: bool = False, ranges: Mapping[str, Range] | None = None
) -> pd.DataFrame:
    """One row a parameter: ``mean, sd, median, mode, lower, upper``; mode only of those whose range has an end.

    Parameters
    ----------
    draws : (chain, draw, m)
    interval : probability of the equal-tailed interval ``lower, upper``.
    is_even : whether densities of standard deviations are those of their squares' roots of either sign, as under flat
        priors: they then are level at zero.
    ranges : of the parameters that have an end, as `parameter_ranges` has them.
    """
    import pandas as pd

    flat = draws.reshape(-1, draws.shape[-1])
    tail = 50.0 * (1.0 - interval)
    lower, median, upper = np.percentile(flat, [tail, 50.0, 100.0 - tail], axis=0)
    columns = {
        "mean": flat.mean(axis=0),
        "sd": flat.std(axis=0, ddof=1),
        "median": median,
        "mode": np.array([_mode_of((ranges or {}).get(name), flat[:, j], is_even) for j, name in enumerate(names)]),
        "lower": lower,
        "upper": upper,
    }
    return pd.DataFrame(columns, index=pd.Index(names, name="parameter"))


def _mode_of(own: Range | None, draws: Array, is_even: bool) -> float:
    if own is None or np.all(np.isinf(own)):
        return float("nan")
    return mode(draws, *own, is_even=is_even and own == (0.0, np.inf))


def mode(draws: Array, lower: float, upper: float, points: int = 512, *, is_even: bool = False) -> float:
    """Mode of a density on ``[lower, upper]``.

    A kernel estimate, reflected at the bounds so that a mode there is found, with the bandwidth of Silverman's rule on
    the smaller of SD and scaled interquartile range, has the mode of its noise, and the mode of a skewed density moves
    with the bandwidth. It only says where the top is. The log density there is a polynomial of greatest likelihood
    given the draws in its cells (Lindsey's method: Efron, Tibshirani 1996, Ann. Stat. 24), with a standard error of the
    mode of 3 % of the SD with 4000 draws, not of 10 %. If the density is known to be even around the lower bound, so is
    the polynomial where the top reaches it: a mode there is found exactly, not within a fifth of the SD.
    """
    centres, density = kernel_estimate(draws, lower, upper, points)
    if len(centres) == 1:
        return float(centres[0])
    low = np.flatnonzero(density < TOP * density.max())
    top = int(np.argmax(density))
    begin, end = low[low < top].max(initial=-1) + 1, low[low > top].min(initial=len(density))
    near = centres[begin:end]
    even = is_even and begin == 0
    x = (near - lower) ** 2 if even else near
    degree = min(DEGREE // 2 if even else DEGREE, len(near) - 1)  # a sharp top takes few cells of a long grid
    half = 0.5 * (centres[1] - centres[0])
    edges = np.append(near - half, near[-1] + half)
    at = begin + int(np.argmax(_log_polynomial(x, np.histogram(draws, edges)[0], density[begin:end], degree)))
    if at in {0, len(centres) - 1}:  # half a cell from a bound, which is meant
        return float(np.clip(2.0 * centres[at] - centres[abs(at - 1)], lower, upper))
    return float(centres[at])


def _log_polynomial(x: Array, counts: Array, density: Array, degree: int) -> Array:
    """Log density ``(n,)`` of cells at ``x (n,)`` up to a constant: the polynomial that is most likely of ``counts``.

    Poisson regression by Newton steps, from the polynomial through the logarithm of an approximate ``density``.
    """
    scaled = 2.0 * (x - x.min()) / max(float(np.ptp(x)), 1e-300) - 1.0
    basis = np.polynomial.legendre.legvander(scaled, degree)
    start = np.log(density / density.sum() * max(float(counts.sum()), 1.0))
    coefficients = np.linalg.lstsq(basis, start, rcond=None)[0]
    for _ in range(NEWTON):  # a fit that has not ended is as close as the kernel estimate was
        expected = np.exp(np.minimum(basis @ coefficients, start + 3.0))
        information = basis.T @ (expected[:, None] * basis)
        coefficients = coefficients + np.linalg.lstsq(information, basis.T @ (counts - expected), rcond=None)[0]
    return np.asarray(basis @ coefficients)


def kernel_estimate(
    draws: Array, lower: float, upper: float, points: int = 512, *, most: float = 99.0
) -> tuple[Array, Array]:
    """Grid ``(points,)`` and density on it up to a factor, reflected at bounds; one point if all draws are the same.

    The grid ends at the ``most``-th percentile where there is no upper bound.
    """
    quartiles = np.percentile(draws, [25.0, 75.0])
    spread = min(float(draws.std()), float(quartiles[1] - quartiles[0]) / 1.349)
    if not spread > 0.0:
        return np.array([np.median(draws)]), np.ones(1)
    width = 0.9 * spread * len(draws) ** -0.2
    low, high = np.percentile(draws, [0.0, most] if np.isinf(upper) else [0.0, 100.0])
    low, high = max(low - width, lower), min(high + width, upper)
    edges = np.linspace(low, high, points + 1)
    images = [draws]
    images += [2.0 * lower - draws] if np.isfinite(lower) else []
    images += [2.0 * upper - draws] if np.isfinite(upper) else []
    step = edges[1] - edges[0]
    reach = int(np.ceil(4.0 * width / step))
    padded = np.linspace(low - reach * step, high + reach * step, points + 2 * reach + 1)
    counts = sum(np.histogram(image, padded)[0] for image in images)
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) * step / width) ** 2)
    density = np.convolve(counts, kernel, mode="same")[reach : reach + points]
    return 0.5 * (edges[:-1] + edges[1:]), density


def describe_draws(values: Array, interval: float) -> dict[str, Array]:
    """``mean, sd, lower, upper`` of draws ``(chain, draw, n)``, with equal tails."""
    tail = 50.0 * (1.0 - interval)
    lower, upper = np.percentile(values, [tail, 100.0 - tail], axis=(0, 1))
    return {"mean": values.mean(axis=(0, 1)), "sd": values.std(axis=(0, 1), ddof=1), "lower": lower, "upper": upper}
