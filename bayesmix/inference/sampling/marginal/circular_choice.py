"""Chains that choose among independent proposals without detailed balance, so that few draws stay where they are.

The weights of the proposals of a draw and of where the chain stands, the largest first, are arcs of a circle. A point
drawn on the arc of where the chain stands moves on by the largest weight, and the arc it comes to is the next state:
points all over the circle are all over it once it is turned, so that states by weight are by weight again (Suwa, Todo
2010, Phys. Rev. Lett. 105, 120603; with the others independent proposals, Tjelmeland 2004, preprint 4, NTNU Trondheim).
Of one proposal it moves as often as Metropolis's rule; of several, a state of no more than half the weight is left for
certain. The place on the arc that a turn comes to is kept for the next one: given the state it is uniform, and a turn
leaves that as it is. A chain then walks along the arc of a state of great weight and leaves it after as many draws as
its weight is worth, where points drawn anew would hold it for a random number of them, at times twice or thrice that.
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
    places = rng.random((chains,))
    log_weights = np.where(np.isnan(log_weights), -np.inf, log_weights)
    begin = np.argmax(np.isfinite(log_weights), axis=1)  # where the target has no mass no chain may start
    picked = [
        _turned(log_weights[chain].tolist(), draws, int(begin[chain]), float(places[chain]), thin)
        for chain in range(chains)
    ]
    return np.array(picked, np.intp).reshape(chains, draws)


def _turned(log_weights: list[float], draws: int, state: int, place: float, thin: int) -> list[int]:
    """Where a chain stands at each draw, from a state and a place on its arc, a share of that, on."""
    states = []
    for draw in range(draws):
        pool = [state, *range(1 + draw * thin, 1 + (draw + 1) * thin)]
        pool.sort(key=log_weights.__getitem__, reverse=True)
        top = log_weights[pool[0]]
        arcs = [math.exp(log_weights[one] - top) for one in pool]  # the largest is one
        own = pool.index(state)
        at = (sum(arcs[:own]) + place * arcs[own] + 1.0) % sum(arcs)
        for one, arc in zip(pool, arcs, strict=True):
            state = one if arc else state  # rounding may leave the point behind the last arc
            if at < arc:
                place = at / arc
                break
            at -= arc
        states.append(state)
    return states
