"""Replications of a study in pieces, each with a seed of its own, so that it does not matter where a piece runs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def pieces(replicates: int, size: int, seed: int) -> list[tuple[int, int]]:
    """Numbers of replications, up to ``size`` each, and their seeds, which are independent."""
    counts = [min(size, replicates - begin) for begin in range(0, replicates, size)]
    children = np.random.SeedSequence(seed).spawn(len(counts))
    return [(count, int(child.generate_state(1)[0] >> 1)) for count, child in zip(counts, children, strict=True)]


def spans(sizes: Sequence[int]) -> list[str]:
    """Pieces by the replications in them, ``"0-100"``: those of another number are the same as far as they are full."""
    ends = np.cumsum(sizes)
    return [f"{end - size}-{end}" for end, size in zip(ends, sizes, strict=True)]
