"""Designs of some rows: levels are numbered anew, those left out are unseen."""

from __future__ import annotations

import numpy as np
import pytest

import bayesmix as bmx
from bayesmix.data.design.subset import as_new, split
from bayesmix.errors import DesignError


def test_splitting_renumbers_the_levels(model):
    design = model("pastes").design  # casks within batches
    batch = next(term for term in design.terms if term.group == "batch")
    kept, others = split(design, batch.codes != 2)
    assert len(kept.y) + len(others.y) == len(design.y)
    cask, kept_batch = kept.terms
    assert len(cask.levels) == 27
    assert kept_batch.levels == tuple(np.delete(batch.levels, 2))
    np.testing.assert_array_equal(np.unique(kept_batch.codes), np.arange(9))
    assert all(np.all(term.codes < 0) for term in others.terms)
    assert len(np.unique(others.terms[0].codes)) == 3
    again = as_new(design, np.flatnonzero(batch.codes == 2), "batch")
    np.testing.assert_array_equal(again.terms[0].codes, others.terms[0].codes)  # nested levels are new too
    rows, _ = split(design, np.arange(len(design.y)) != 7)
    labels = [term.levels[code] for term in rows.terms for code in term.codes]
    expected = [term.levels[code] for term in design.terms for code in np.delete(term.codes, 7)]
    assert labels == expected


def test_splits_that_cannot_be_fitted():
    frame = {"y": [1.0, 2.0, 3.0, 5.0, 4.0, 6.0], "x": [1.0, 0.0, 0.0, 0.0, 0.0, 0.0], "g": list("aabbcc")}
    design = bmx.Model("y ~ x + (1 | g)", frame).design
    with pytest.raises(DesignError, match="not identified"):
        split(design, np.arange(6) > 0)
    with pytest.raises(DesignError, match="`g` has 1 level"):
        split(design, np.arange(6) < 2)
