"""Replications of a study in pieces, each with a seed of its own, so that it does not matter where a piece runs."""

from __future__ import annotations

import numpy as np


def pieces(replicates: int, size: int, seed: int) -> list[tuple[int, int]]:
    """Numbers of replications, up to ``size`` each, and their seeds, which are independent."""
    counts = [min(size, replicates - begin) for begin in range(0, replicates, size)]
    children = np.random.SeedSequence(seed).spawn(len(counts))
    return [(count, int(child.generate_state(1)[0] >> 1)) for count, child in zip(counts, children, strict=True)]
