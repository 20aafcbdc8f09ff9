"""Relation of species by their phylogeny: covariance as long as they share their evolution, ape's ``vcv``."""

from __future__ import annotations

from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from bayesmix.arrays import Array
from bayesmix.data.relation import Relation, check_labels, relation_of
from bayesmix.errors import DataError
from bayesmix.language.arguments import explained


@explained
def phylogeny(tree: str | PathLike[str], *, correlation: bool = False) -> Relation:
    """Relation of species by a tree, for ``(1 | gr(species, cov = A))`` with ``data2={"A": phylogeny(text)}``.

    Parameters
    ----------
    tree : Newick's format, ``"((human:6,chimp:6):2,gorilla:8);"``, or the path of a file with it.
    correlation : whether covariances are divided by standard deviations, so that the standard deviation of the effects
        is that of a species. Otherwise variances are the branch lengths from the root to each tip, as of R's ape.

    Returns
    -------
    Relation
        Of the tips. The covariance of two is the length of the branches that they share; the root's own is left out.

    Raises
    ------
    DataError
        If it is no tree with names of tips and branch lengths, or two tips are at the same place.
    """
    import pandas as pd

    if not isinstance(tree, str | PathLike):
        raise DataError(f"A tree is text in Newick's format or the path of a file with it, not {tree!r:.80}.")
    root = _root(tree)
    tips = [node for node in root.walk() if node.is_leaf]
    names = tuple(_name(node) for node in tips)
    check_labels(names, "The tree")
    A = _shared(root, tips)
    if correlation:
        sd = np.sqrt(np.diagonal(A))
        A = A / np.outer(sd, sd)
    twins = np.argwhere(np.triu(np.isclose(A, np.diagonal(A)) & np.isclose(A, np.diagonal(A)[:, None]), 1))
    if len(twins):
        i, j = twins[0]
        raise DataError(
            f"`{names[i]}` and `{names[j]}` of the tree are at the same place: merge them, or leave one out."
        )
    return relation_of(pd.DataFrame(A, list(names), list(names)), "the phylogeny")


def _root(tree: Any) -> Any:
    try:
        import newick
    except ImportError:
        raise DataError('Trees are read by the package newick: pip install "bayesmix[phylogeny]".') from None
    text = str(tree)
    if isinstance(tree, PathLike) or "(" not in text:
        path = Path(tree)
        if not path.is_file():
            raise DataError(f"`{text}` is neither a tree, as `((a:1,b:1):2,c:3);`, nor a file with one.")
        text = path.read_text(encoding="utf-8")
    try:
        found = newick.loads(text.strip())
    except ValueError as error:
        raise DataError(f"The tree is not in Newick's format: {error}.") from None
    if len(found) != 1 or found[0].is_leaf:
        raise DataError(f"{len(found)} trees with several tips were found: give one, `((a:1,b:1):2,c:3);`.")
    return found[0]


def _name(node: Any) -> str:
    name = node.unquoted_name or ""
    if not name:
        raise DataError("A tip of the tree has no name: they are called as the levels are.")
    return str(name)


def _shared(root: Any, tips: list[Any]) -> Array:
    """Lengths of the branches that two tips share ``(J, J)``."""
    place = {id(tip): j for j, tip in enumerate(tips)}
    A = np.zeros((len(tips), len(tips)))
    for node in root.walk():
        if node is root:
            continue
        length = node.length if node._length is not None else np.nan
        if not (np.isfinite(length) and length >= 0.0):
            raise DataError(f"The branch to `{node.newick[:40]}` has no length, or a negative one: give all of them.")
        below = [place[id(tip)] for tip in node.walk() if tip.is_leaf]
        A[np.ix_(below, below)] += length
    return A
