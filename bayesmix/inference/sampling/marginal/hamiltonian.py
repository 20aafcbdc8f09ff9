"""Hamiltonian chains for densities of many dimensions whose gradient is known, through nutpie.

The coordinates are whitened by the curvature at the mode, so that the sampler's own adaptation has little left to do.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from bayesmix.arrays import Array
from bayesmix.inference.estimation.optimise import minimise
from bayesmix.parallel.progress import ChainsBar

Density = Callable[[Array], tuple[float, Array]]  # (m,) -> value and gradient; minus infinity off its range

TUNE = 300  # of whitened coordinates only the step size is far from its value
TARGET_ACCEPT = 0.8
FLAT = 0.05  # curvature along a direction below which it is taken for that of a wide prior


@dataclass(frozen=True, slots=True, eq=False)
class Trajectories:
    """Draws of a Hamiltonian sampler."""

    theta: Array  # (chain, draw, m)
    log_density: Array  # (chain, draw)
    diverging: Array  # (chain, draw) bool
    steps: Array  # (chain, draw) gradients taken
    mode: Array  # (m,)


def climb(density: Density, at: Array, *, draws: int, chains: int, seed: int, progress: bool = False) -> Trajectories:
    """Find the mode from ``at``, whiten, run the chains; ``progress`` shows a bar with the time left."""
    mode, root = whiten(density, at)
    m = len(mode)

    def whitened(z: Array, **_: Any) -> tuple[float, Array]:
        value, gradient = density(mode + root @ z)
        if not np.isfinite(value):
            return -np.inf, np.zeros(m)  # a divergence; of an exception nutpie's sampler dies
        return value, root.T @ gradient

    with ChainsBar("Drawing", chains * (TUNE + draws), is_shown=progress) as bar:
        trace = _sample(whitened, m, draws=draws, chains=chains, seed=seed, bar=bar)
    z, stats = trace["posterior"]["z"].to_numpy(), trace["sample_stats"]
    return Trajectories(
        mode + z @ root.T,
        stats["logp"].to_numpy(),
        stats["diverging"].to_numpy(),
        stats["n_steps"].to_numpy(),
        mode,
    )


def whiten(density: Density, at: Array) -> tuple[Array, Array]:
    """Mode ``(m,)``, searched from ``at``, and a root ``(m, m)`` of the inverse curvature there."""

    def downhill(x: Array) -> tuple[float, Array]:
        value, gradient = density(x)
        return -value, -gradient

    optimum = minimise(downhill, at, accurate=False)
    values, vectors = np.linalg.eigh(optimum.hessian)
    return optimum.x, vectors / np.sqrt(np.maximum(np.abs(values), FLAT))


def _sample(whitened: Density, m: int, *, draws: int, chains: int, seed: int, bar: ChainsBar) -> Any:
    """Nutpie's trace of ``z``."""
    import nutpie
    from nutpie.compiled_pyfunc import from_pyfunc

    def expand(seed1: int, seed2: int, chain: int) -> Callable[..., dict[str, Array]]:
        return lambda z, **_: {"z": z}

    compiled = from_pyfunc(
        m,
        lambda: whitened,
        expand,
        [np.dtype(np.float64)],
        [(m,)],
        ["z"],
        make_initial_point_fn=lambda number: 0.5 * np.random.default_rng(number).standard_normal(m),
    )
    return nutpie.sample(
        compiled,
        draws=draws,
        tune=TUNE,
        chains=chains,
        cores=1,  # Python runs one evaluation at a time
        seed=seed,
        target_accept=TARGET_ACCEPT,
        progress_bar=False,
        progress_callback=bar.update if bar.is_shown else None,
    )
