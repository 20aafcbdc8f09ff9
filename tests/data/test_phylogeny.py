"""Phylogenies against ape's vcv."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from bayesmix.data.phylogeny import phylogeny
from bayesmix.errors import DataError

pytest.importorskip("newick")
STORED = json.loads((Path(__file__).parents[1] / "reference" / "related" / "phylogeny.json").read_text())


@pytest.mark.parametrize("kind", ["covariance", "correlation"])
def test_covariances_are_apes(kind):
    relation = phylogeny(STORED["newick"], correlation=kind == "correlation")
    order = [STORED["tips"].index(label) for label in relation.labels]
    np.testing.assert_allclose(relation.covariance(), np.array(STORED[kind])[np.ix_(order, order)], atol=1e-12)


def test_files_and_quoted_names(tmp_path):
    path = tmp_path / "apes.nwk"
    path.write_text("(('chimp pan':6,human:6):2,gorilla:8):1;\n")
    assert phylogeny(path).labels == phylogeny(str(path)).labels == ("chimp pan", "human", "gorilla")
    np.testing.assert_allclose(phylogeny(path).variances, 8.0)


REFUSED = {
    "((a:1,b:1):2,c);": "branch to `c` has no length",
    "((a:1,b:1):2": "not in Newick's format",
    "((a:0,b:0):2,c:3);": "`a` and `b` of the tree are at the same place",
    "((a:1,:1):2,c:3);": "has no name",
    "((a:1,a:1):2,c:3);": "has `a` twice",
    "(a:1,b:1);(c:1,d:1);": "2 trees",
    "no_file.nwk": "neither a tree",
}


@pytest.mark.parametrize("text", REFUSED)
def test_refusals(text):
    with pytest.raises(DataError) as caught:
        phylogeny(text)
    assert REFUSED[text] in str(caught.value)
