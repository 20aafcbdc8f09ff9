"""Relation of animals by their pedigree: additive genetic relationships, their inverse sparse and direct.

With ``D`` the Mendelian sampling variances, the inverse of the relationship matrix is ``(I - P)' D^-1 (I - P)``, ``P``
one half for each parent (Henderson 1976, Biometrics 32; Quaas 1976 with inbreeding).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from bayesmix.arrays import Array
from bayesmix.data.columns import label, name_all
from bayesmix.data.relation import Relation, check_labels
from bayesmix.errors import DataError
from bayesmix.language.arguments import explained

UNKNOWN = frozenset({"", "0", "NA", "nan", "None", "<NA>", "NaN", "."})


@explained
def pedigree(data: Any, id: str = "id", sire: str = "sire", dam: str = "dam") -> Relation:
    """Relation of animals by their parents, for ``(1 | gr(animal, cov = A))`` with ``data2={"A": pedigree(table)}``.

    Parameters
    ----------
    data : table with a row an animal, in any order. Parents that have no row are founders.
    id, sire, dam : columns of the animal and its parents; unknown parents are missing, ``0`` or ``NA``.

    Returns
    -------
    Relation
        Of all animals, parents before their offspring. Effects of animals without records follow from those of their
        relatives. Founders are unrelated and not inbred.

    Raises
    ------
    DataError
        If a column is not there, an animal has two rows, or is its own ancestor.
    """
    own, parents = _read(data, (id, sire, dam))
    check_labels(own, "The pedigree")
    known = dict.fromkeys([*own, *(one for one in parents.ravel().tolist() if one not in UNKNOWN)])
    names = list(known)
    position = {name: j for j, name in enumerate(names)}
    of = np.full((len(names), 2), -1)
    of[: len(own)] = [[position.get(one, -1) if one not in UNKNOWN else -1 for one in row] for row in parents.tolist()]
    generation = _generations(of, names)
    order = np.argsort(generation, kind="stable")
    place = np.empty(len(names), np.int64)
    place[order] = np.arange(len(names))
    of = np.where(of[order] < 0, -1, place[of[order]])
    return _relation(tuple(names[j] for j in order), of, _sampling_variances(of, generation[order]))


def _read(data: Any, columns: tuple[str, str, str]) -> tuple[tuple[str, ...], Array]:
    """Labels of the animals, and of their parents ``(n, 2)``."""
    if not (isinstance(data, dict) or hasattr(data, "columns")):
        raise DataError(f"A pedigree is a table of animals and their parents, not {type(data).__name__} {data!r:.80}.")
    found = []
    names = list(data.keys() if isinstance(data, dict) else data.columns)
    for column in columns:
        if column not in names:
            what = f"The pedigree has no column `{column}`; it has {name_all(list(map(str, names)))}."
            raise DataError(f'{what} Name them: bmx.pedigree(table, id="animal", sire="father", dam="mother").')
        found.append([label(value) for value in list(data[column])])
    own, *parents = found
    if not own:
        raise DataError("The pedigree has no rows.")
    gone = [row for row, one in enumerate(own) if one in UNKNOWN]
    if gone:
        raise DataError(f"Row {gone[0]} (counted from 0) of the pedigree has no `{columns[0]}`.")
    return tuple(own), np.array(parents, dtype=object).T.reshape(len(own), 2)


def _generations(of: Array, names: list[str]) -> Array:
    """Generation of each animal: one more than the later of its parents'."""
    generation = np.zeros(len(of), np.int64)
    for _ in range(len(of) + 1):
        above = np.where(of >= 0, generation[of] + 1, 0).max(axis=1)
        if np.array_equal(above, generation):
            return generation
        generation = above
    own = _on_a_circle(of)
    raise DataError(f"`{names[own]}` is its own ancestor in the pedigree: check its parents and theirs.")


def _on_a_circle(of: Array) -> int:
    """An animal that is its own ancestor."""
    left = np.ones(len(of), bool)
    while True:
        has_parents = (np.where(of >= 0, left[of], False)).any(axis=1) & left
        if np.array_equal(has_parents, left):
            break
        left = has_parents
    seen: list[int] = []
    animal = int(np.flatnonzero(left)[0])
    while animal not in seen:
        seen.append(animal)
        animal = next(int(p) for p in of[animal] if p >= 0 and left[p])
    return animal


def _sampling_variances(of: Array, generation: Array) -> Array:
    """Variance of each animal's effect given its parents', with their inbreeding.

    Half the relationship of the parents is the inbreeding; relationships are ``T D T'``, ``T`` the shares of genes that
    come from each ancestor, whose rows are means of the parents' rows.
    """
    from scipy import sparse

    n = len(of)
    inbreeding, variance = np.zeros(n), np.ones(n)
    shares = sparse.csr_array((0, n))
    for g in range(int(generation.max(initial=-1)) + 1):
        at = np.flatnonzero(generation == g)
        rows = np.arange(len(at))
        own = sparse.csr_array((np.ones(len(at)), (rows, at)), shape=(len(at), n))
        if g:
            halves = [_rows_of(shares, of[at, parent]) for parent in (0, 1)]
            both = halves[0].multiply(halves[1]).tocsr()
            inbreeding[at] = 0.5 * (both @ variance)
            known = of[at] >= 0
            variance[at] = 1.0 - 0.25 * np.where(known, 1.0 + inbreeding[of[at]], 0.0).sum(axis=1)
            own = own + 0.5 * (halves[0] + halves[1])
        shares = sparse.vstack([shares, own], format="csr")
    return variance


def _rows_of(shares: Any, rows: Array) -> Any:
    """Rows of a sparse matrix, rows of zeros for -1."""
    from scipy import sparse

    known = np.flatnonzero(rows >= 0)
    pick = sparse.csr_array((np.ones(len(known)), (known, rows[known])), shape=(len(rows), shares.shape[0]))
    return pick @ shares


def _relation(labels: tuple[str, ...], of: Array, variance: Array) -> Relation:
    n, scale = len(of), 1.0 / np.sqrt(variance)
    animal, which = np.nonzero(of >= 0)
    row = np.r_[np.arange(n), animal]
    column = np.r_[np.arange(n), of[animal, which]]
    value = np.r_[scale, -0.5 * scale[animal]]
    keys, position = np.unique(row * n + column, return_inverse=True)  # one entry where both parents are the same
    total = np.bincount(position, value)
    return Relation(labels, *np.divmod(keys, n), total)
