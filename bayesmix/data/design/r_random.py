"""R's random samples without replacement, to draw the knots that mgcv draws.

References
----------
Matsumoto and Nishimura (1998); R's ``set.seed`` and ``sample`` with ``sample.kind = "Rejection"``, R 3.6.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from bayesmix.arrays import Array

WORDS = 624  # of the generator's state
SCRAMBLES = 50  # steps of R's seeding before the first word


def r_sample(n: int, size: int, *, seed: int) -> Array:
    """Positions ``(size,)`` among ``n``, those of R's ``set.seed(seed); sample(1:n, size)``."""
    uniform = _uniforms(seed)
    left = np.arange(n)
    chosen = np.empty(size, dtype=np.intp)
    for i in range(size):
        rest = n - i
        j = _index(rest, uniform)
        chosen[i] = left[j]
        left[j] = left[rest - 1]
    return chosen


def _uniforms(seed: int) -> Callable[[], float]:
    """R's uniform numbers by Mersenne Twister."""
    words = list(_seeds(seed))[1:]  # the first is the position, which R sets to the end
    generator = np.random.RandomState()
    generator.set_state(("MT19937", np.array(words, dtype=np.uint32), WORDS, 0, 0.0))

    def uniform() -> float:
        return float(generator.randint(0, 2**32, dtype=np.uint32)) * 2.3283064365386963e-10

    return uniform


def _seeds(seed: int) -> Iterator[int]:
    value = seed
    for _ in range(SCRAMBLES):
        value = (69069 * value + 1) % 2**32
    for _ in range(WORDS + 1):
        value = (69069 * value + 1) % 2**32
        yield value


def _index(n: int, uniform: Callable[[], float]) -> int:
    """A whole number below ``n``: bits, until they are below it."""
    bits = max(n - 1, 1).bit_length() if n > 1 else 0
    while True:
        found = 0
        for _ in range(bits // 16 + 1):
            found = 65536 * found + int(np.floor(uniform() * 65536))
        found &= (1 << bits) - 1
        if found < n:
            return found
