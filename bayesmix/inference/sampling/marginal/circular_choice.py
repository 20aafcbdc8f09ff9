"""Chains that choose among independent proposals without detailed balance, so that few draws stay where they are.

The weights of the proposals of a draw and of where the chain stands, the largest first, are arcs of a circle. A point
drawn on the arc of where the chain stands moves on by the largest weight, and the arc it comes to is the next state:
points all over the circle are all over it once it is turned, so that states by weight are by weight again (Suwa, Todo
2010, Phys. Rev. Lett. 105, 120603; with the others independent proposals, Tjelmeland 2004, preprint 4, NTNU Trondheim).
Of one proposal it is the rule of Metropolis; of several, a state of no more than half the weight is left for certain.
"""

from __future__ import annotations

import math

import numpy as np

from bayesmix.arrays import Array


def rotate(log_weights: Array, thin: int, rng: np.random.Generator) -> Array:
    """Choose among the proposals of a draw and where the chain stands all at once.

    Parameters
    ----------
    log_weights : (chain, 1 + draws * thin) log of target over proposal.

    Returns
    -------
    (chain, draws) position of the proposal each draw stands at.
    """
    chains, proposals = log_weights.shape
    draws = (proposals - 1) // thin
    uniform = rng.random((chains, draws))
    log_weights = np.where(np.isnan(log_weights), -np.inf, log_weights)
    begin = np.argmax(np.isfinite(log_weights), axis=1)  # where the target has no mass no chain may start
    picked = [
        _turned(w.tolist(), u.tolist(), int(i), thin) for w, u, i in zip(log_weights, uniform, begin, strict=True)
    ]
    return np.array(picked, np.intp).reshape(chains, draws)


def _turned(log_weights: list[float], uniform: list[float], state: int, thin: int) -> list[int]:
    """Where a chain stands at each draw."""
    states = []
    for draw, u in enumerate(uniform):
        pool = [state, *range(1 + draw * thin, 1 + (draw + 1) * thin)]
        pool.sort(key=log_weights.__getitem__, reverse=True)
        top = log_weights[pool[0]]
        arcs = [math.exp(log_weights[one] - top) for one in pool]  # the largest is one
        own = pool.index(state)
        at = (sum(arcs[:own]) + u * arcs[own] + 1.0) % sum(arcs)
        for one, arc in zip(pool, arcs, strict=True):
            state = one if arc else state  # rounding may leave the point behind the last arc
            if at < arc:
                break
            at -= arc
        states.append(state)
    return states
