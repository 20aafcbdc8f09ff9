"""What a sampler returns."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from threading import Lock
from typing import Any, override

import numpy as np

from bayesmix.arrays import Array
from bayesmix.inference.parameters.names import Parameters
from bayesmix.parallel.threads import one_blas_thread

FEWEST = 10  # draws of a chain below which an interrupted run leaves nothing


def interruption(kept: int, draws: int, chains: int) -> str:
    """What to say of an interrupted run."""
    return f"Sampling was interrupted: {kept} of {draws} draws of each of {chains} chains are kept."


def fresh_seed() -> int:
    """A seed from the system, where the user gives none."""
    return int(np.random.SeedSequence().generate_state(1)[0] >> 1)


@dataclass(frozen=True, slots=True)
class Schedule:
    """How many draws are made, and from which seed."""

    draws: int  # a chain, after warm-up
    chains: int
    seed: int
    progress: bool = False


class Deferred:
    """Draws that are made when they are first asked for, kept then, and the same whenever that is.

    Random effects of a big model take as long as all else, and often nobody looks at them. Pickles hold the draws.
    """

    def __init__(self, make: Callable[[], Parameters]) -> None:
        self._make: Callable[[], Parameters] | None = make
        self._found: Parameters | None = None
        self._lock = Lock()

    def __call__(self) -> Parameters:
        """The draws."""
        with self._lock, one_blas_thread():
            if self._found is None:
                assert self._make is not None
                self._found = self._make()
                self._make = None  # with all that they were made from
            return self._found

    @override
    def __reduce__(self) -> tuple[Any, ...]:
        return _made, (self(),)


def _made(values: Parameters) -> Deferred:
    return Deferred(lambda: values)


@dataclass(frozen=True, slots=True, eq=False)
class Draws:
    """Draws in the user's units, the sampler's statistics, and what to tell the user."""

    parameters: Parameters
    stats: Mapping[str, Array]  # (chain, draw) each, ArviZ's names
    method: str
    notes: tuple[str, ...] = ()
    certificate: Mapping[str, float] = field(default_factory=dict)  # pareto_k, acceptance, ... of the whole run
    thinned: Parameters | Deferred | None = None  # fewer, with random effects, where all would be too many
    seed: int | None = None  # what was asked for, or chosen; None of fits that were saved before it was kept
    state: Array | None = None  # free values (chain, m) of NUTS at the last draws, from which chains can go on

    @property
    def divergences(self) -> int:
        """Number of divergent transitions."""
        return int(np.sum(self.stats.get("diverging", np.zeros(1))))

    @property
    def with_effects(self) -> Parameters:
        """The draws that come with random effects: all, or the thinned ones of a big model."""
        found = self.parameters if self.thinned is None else self.thinned
        return found() if isinstance(found, Deferred) else found
