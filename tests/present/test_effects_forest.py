"""Forests of meta-analyses: what is drawn is what the tables say."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import bayesmix as bmx

FOLDER = Path(__file__).parents[1] / "reference" / "meta"


@cache
def fits(formula):
    model = bmx.Model(formula, pd.read_csv(FOLDER / "bcg.csv"))
    return model.estimate(), model.sample(draws=100, chains=2, seed=1, progress=False)


def segments(axis):
    """Ends of horizontal lines by collection: the effects first, then each fit's effects and its new study's."""
    return [
        np.array([line[:, 0] for line in one.get_segments()])
        for one in axis.collections
        if hasattr(one, "get_segments")
    ]


def test_effects_shrunken_effects_mean_and_new_study():
    estimate, post = fits("yi | se(sei) ~ 1 + (1 | trial)")
    axis = bmx.plots.effects_forest(estimate, post).axes[0]
    frame, lines = pd.read_csv(FOLDER / "bcg.csv"), segments(axis)
    half = 1.959963984540054 * frame.sei
    np.testing.assert_allclose(lines[0], np.column_stack([frame.yi - half, frame.yi + half]), rtol=1e-12)
    for fit, (own, new) in zip((estimate, post), (lines[1:3], lines[3:5]), strict=True):
        np.testing.assert_allclose(own, fit.predict(kind="mean")[["lower", "upper"]], rtol=1e-12)
        np.testing.assert_allclose(new, fit.predict(kind="mean", groups="new")[["lower", "upper"]].iloc[:1], rtol=1e-12)
    diamond = axis.patches[0].get_path().vertices[:, 0]
    mean = estimate.predict(kind="mean", groups="zero").iloc[0]
    np.testing.assert_allclose([diamond.min(), diamond.max()], mean[["lower", "upper"]].astype(float), rtol=1e-12)
    assert (axis.get_xlabel(), axis.get_ylabel()) == ("yi", "trial")
    assert [text.get_text() for text in axis.get_yticklabels()] == [*map(str, range(1, 14)), "mean"]


def test_means_at_moderators_have_their_names():
    (estimate, _), new = fits("yi | se(sei) ~ ablat + (1 | trial)"), {"ablat": [15.0, 50.0]}
    axis = bmx.plots.effects_forest(estimate, newdata=new, labels=list("abcdefghijklm")).axes[0]
    assert [text.get_text() for text in axis.get_yticklabels()][-3:] == ["m", "ablat = 15", "ablat = 50"]
    assert len(axis.patches) == 2
    assert not bmx.plots.effects_forest(estimate).axes[0].patches  # there is no one mean


def test_a_comparison_draws_it():
    estimate, post = fits("yi | se(sei) ~ 1 + (1 | trial)")
    figure = bmx.compare(estimate, post, causes=False).plot("effects")
    assert any("REML" in text.get_text() for text in figure.legends[0].get_texts())


def test_refused():
    estimate, _ = fits("yi | se(sei) ~ 1 + (1 | trial)")
    with pytest.raises(bmx.SpecError, match="needs at least one fit"):
        bmx.plots.effects_forest()
    with pytest.raises(bmx.SpecError, match="2 texts for 13 effects"):
        bmx.plots.effects_forest(estimate, labels=["a", "b"])
    with pytest.raises(bmx.SpecError, match="standard errors are known"):
        bmx.plots.effects_forest(bmx.Model("yi ~ 1", pd.read_csv(FOLDER / "bcg.csv")).estimate())
