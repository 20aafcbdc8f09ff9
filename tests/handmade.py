"""Small designs made by hand, without formula or data frame, and posteriors made of a repeated estimate."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from bayesmix.data.design.design import Design, Term
from bayesmix.data.design.layout import Layout
from bayesmix.data.design.response import Outcome
from bayesmix.data.design.rows import Rows
from bayesmix.inference.least_squares.incidence import Factor

Array = np.ndarray


def level_codes(rng: np.random.Generator, n: int, levels: int) -> Array:
    """Unsorted codes in which every level occurs."""
    return rng.permutation(np.r_[np.arange(levels), rng.integers(0, levels, n - levels)])


def random_factor(rng: np.random.Generator, n: int, levels: int, k: int) -> Factor:
    return Factor(level_codes(rng, n, levels), rng.normal(size=(n, k)), levels)


def nested_factors(rng: np.random.Generator, n: int, sizes: Sequence[tuple[int, int]]) -> list[Factor]:
    """Factors ``(levels, k)``, each nested in the next; the levels of each must be a multiple of the next's."""
    codes = level_codes(rng, n, sizes[0][0])
    factors = []
    for levels, k in sizes:
        codes = codes % levels
        factors.append(Factor(codes, rng.normal(size=(n, k)), levels))
    return factors


def make_term(group: str, codes: Array, z: Array, *, structure: str = "us", effects: Sequence[str] = ()) -> Term:
    levels = tuple(f"{group}{j}" for j in range(int(codes.max()) + 1))
    names = tuple(effects) or ("Intercept", "x", "w")[: z.shape[1]]
    return Term(group, levels, codes.astype(np.intp), names, z, "us" if z.shape[1] == 1 else structure)


def make_design(
    y: Array,
    X: Array,
    terms: Sequence[Term],
    *,
    trials: Array | None = None,
    weights: Array | None = None,
    offset: Array | None = None,
) -> Design:
    n = len(y)
    ordered = tuple(sorted(terms, key=lambda term: -len(term.levels)))
    names = ("Intercept", "x", "w")[: X.shape[1]]
    ones = np.ones(n)
    outcome = Outcome(
        y, ones if trials is None else trials, ones if weights is None else weights, has_trials=trials is not None
    )
    rows = Rows(X, np.zeros(n) if offset is None else offset, ordered, np.arange(n), n, np.zeros((n, 0)))
    return Design(Layout("y", ("",), names, (0,) * len(names)), rows, (outcome,))


def with_x(rng: np.random.Generator, n: int) -> Array:
    """Columns ``1, x``."""
    return np.column_stack([np.ones(n), rng.normal(size=n)])


def _insert(nested: list[Factor], crossed: Factor) -> list[Factor]:
    return [nested[0], crossed, *nested[1:]]


# ---- layouts of grouping factors: what the block elimination has to tell apart -------------------------------------

LAYOUTS: dict[str, Callable[[np.random.Generator, int], list[Factor]]] = {
    "one factor, k=1": lambda rng, n: [random_factor(rng, n, 12, 1)],
    "one factor, k=2": lambda rng, n: [random_factor(rng, n, 12, 2)],
    "one factor, k=3": lambda rng, n: [random_factor(rng, n, 12, 3)],
    "crossed": lambda rng, n: [random_factor(rng, n, 20, 1), random_factor(rng, n, 6, 1)],
    "three crossed": lambda rng, n: [random_factor(rng, n, J, k) for J, k in ((20, 2), (6, 1), (4, 3))],
    "nested": lambda rng, n: nested_factors(rng, n, [(30, 2), (6, 2)]),
    "nested in one level": lambda rng, n: nested_factors(rng, n, [(12, 1), (1, 1)]),
    "nested twice": lambda rng, n: nested_factors(rng, n, [(30, 1), (6, 2), (3, 1)]),
    "nested and crossed": lambda rng, n: [*nested_factors(rng, n, [(30, 1), (6, 2)]), random_factor(rng, n, 4, 2)],
    "crossed between nested": lambda rng, n: _insert(
        nested_factors(rng, n, [(30, 2), (6, 2)]), random_factor(rng, n, 5, 1)
    ),
}
