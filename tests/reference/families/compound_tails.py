"""Tails of sums of a Poisson number of gamma variables, by mpmath 1.3 with 130 digits, term by term.

`python compound_tails.py > compound_tails.json`: rows of x, logarithm of the mean number, shape, which tail,
its logarithm without the atom at zero, and all its partial derivatives by the three up to third order, by how often
(central differences with steps of 1e-12). Arguments are taken as the floating-point numbers that they are.
"""

import json
from itertools import product

from mpmath import exp, hyp1f1, log, loggamma, mp, mpf

mp.dps = 130
STEP = mpf(10) ** -12
DIFFERENCES = {
    0: [(0, mpf(1))],
    1: [(-1, mpf(-0.5)), (1, mpf(0.5))],
    2: [(-1, mpf(1)), (0, mpf(-2)), (1, mpf(1))],
    3: [(-2, mpf(-0.5)), (-1, mpf(1)), (1, mpf(-1)), (2, mpf(0.5))],
}
AT = [
    (0.5, 0.0, 1.0, True),
    (3.0, 0.5, 0.4, False),
    (0.02, 1.0, 0.05, True),  # a power of 1.95
    (1.5, 0.2, 0.05, False),
    (60.0, 3.0, 2.5, False),
    (20.0, 3.0, 2.5, True),
    (30.0, 1.0, 19.0, True),  # a power of 1.05
    (120.0, 0.0, 19.0, False),
    (11.0, -3.5, 9.0, False),  # almost never a variable
    (0.004, -8.0, 0.03, False),
    (80.0, 0.7, 0.6, False),  # far out
    (1e-4, 2.0, 1.2, True),
]


def tail(x, log_number, shape, is_lower):
    number, total = exp(log_number), mpf(0)
    for j in range(1, int(number + x + 20 * (1 + number) ** 0.5) + 60):
        a = shape * j
        lower = exp(a * log(x) - x - loggamma(a + 1)) * hyp1f1(1, a + 1, x)
        term = exp(j * log_number - number - loggamma(j + 1))
        total += term * (lower if is_lower else 1 - lower)
    return log(total)


def rows():
    for *given, is_lower in AT:
        at, known = [mpf(one) for one in given], {}

        def value(moves, at=at, known=known, is_lower=is_lower):
            if moves not in known:
                known[moves] = tail(*(one + STEP * move for one, move in zip(at, moves, strict=True)), is_lower)
            return known[moves]

        partial = {}
        for by in product(range(4), repeat=3):
            if 0 < sum(by) <= 3:
                found = mpf(0)
                for chosen in product(*(DIFFERENCES[times] for times in by)):
                    weight = mpf(1)
                    for _, factor in chosen:
                        weight *= factor
                    found += weight * value(tuple(move for move, _ in chosen))
                partial["".join(map(str, by))] = float(found / STEP ** sum(by))
        yield {"at": [*map(float, at), is_lower], "value": float(value((0, 0, 0))), "partial": partial}


print(json.dumps(list(rows()), indent=1))
