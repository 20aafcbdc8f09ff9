"""Relations of levels in files: a covariance matrix with labels, a pedigree, a tree in Newick's format."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from re import fullmatch
from typing import Any

from bayesmix.data.files import read_data
from bayesmix.data.named_files import check_file
from bayesmix.data.pedigree import pedigree
from bayesmix.data.phylogeny import phylogeny
from bayesmix.data.relation import Relation, relation_of
from bayesmix.errors import DataError, SpecError

TREES = frozenset({".nwk", ".newick", ".tree", ".tre"})
PARENTS = ("id", "sire", "dam")

_EXAMPLE = 'A = { file = "A.csv", sha256 = "..." }'


@dataclass(frozen=True, slots=True)
class RelationSource:
    """Where a relation of a model file is."""

    file: Path
    sha256: str
    folder: Path | None = None  # below which it has to be; None for anywhere

    def load(self, name: str) -> Relation:
        """Read it, after a look at the checksum.

        Raises
        ------
        DataError
            If there is no such file, or it is not the one that the model file was written for.
        """
        check_file(self.file, self.sha256, self.folder)
        return read_relation(self.file, name)


def relation_sources(table: Mapping[str, Any], folder: Path, *, outside: bool = False) -> dict[str, RelationSource]:
    """Those of the table ``[data2]`` of a model file in a folder.

    Raises
    ------
    SpecError
        If an entry is not a file and its checksum.
    """
    found = {}
    for name, entry in table.items():
        is_entry = isinstance(entry, Mapping) and entry.keys() == {"file", "sha256"}
        if not is_entry or not all(isinstance(value, str) for value in entry.values()):
            raise SpecError(f"[data2]: `{name}` is a file and its SHA-256 checksum, {_EXAMPLE}.")
        if not fullmatch("[0-9a-fA-F]{64}", entry["sha256"]):
            raise SpecError(f"[data2]: `sha256` of `{name}` has 64 hexadecimal digits, as `sha256sum` prints them.")
        found[name] = RelationSource(folder / entry["file"], entry["sha256"], None if outside else folder)
    return found


def read_relation(path: str | PathLike[str], name: str) -> Relation:
    """Relation ``name`` of a file: a tree by its ending, ``.nwk``; a pedigree by its columns, ``id, sire, dam``.

    Any other table is a covariance matrix, whose columns are called by the levels, and its rows in the first column.

    Raises
    ------
    DataError
        If it is none of these.
    """
    import pandas as pd

    if Path(path).suffix.lower() in TREES:
        return phylogeny(Path(path))
    table = read_data(path)
    if set(PARENTS) <= set(table.columns):
        return pedigree(table)
    if len(table.columns) == len(table) + 1:
        return relation_of(table.set_index(table.columns[0]), name)
    if len(table.columns) == len(table):
        return relation_of(pd.DataFrame(table.to_numpy(), table.columns, table.columns), name)
    raise DataError(
        f"`{Path(path).name}` of `{name}` has {len(table)} rows and {len(table.columns)} columns: a covariance has a"
        " row and a column for each level, a first column with their names; a pedigree has columns id, sire, dam; a"
        " phylogeny is a file of Newick's format that ends in .nwk."
    )
