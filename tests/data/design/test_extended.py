"""Designs with other numbers of levels and rows: those of the formula on a table that was copied by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from residuals import FORMULAS, data

import bayesmix as bmx
from bayesmix.data.design.extended import resize_levels, resize_rows
from bayesmix.errors import DesignError, SpecError
from bayesmix.inference.estimation.estimate import estimate
from bayesmix.inference.estimation.methods import Reml


def design(formula, frame):
    return bmx.Model(formula, frame).design


def copied(frame, column, copies, nested=()):
    """Copies of a table one below the other, each with levels of its own."""
    parts = [frame.assign(**{name: frame[name].astype(str) + f" {k}" for name in (column, *nested)}) for k in copies]
    return pd.concat(parts, ignore_index=True)


def schools():
    """Eight schools in two arms, of two classes each with three pupils; every pupil takes both tests."""
    index = pd.MultiIndex.from_product([range(8), range(2), range(3), ["a", "b"]])
    frame = index.to_frame(index=False, name=["school", "class", "pupil", "test"])
    frame["room"] = frame["school"].astype(str) + "/" + frame["class"].astype(str)
    frame["arm"] = np.where(frame["school"] < 4, "old", "new")
    frame["x"] = np.arange(len(frame)) % 7 / 7.0
    return frame.assign(school="s" + frame["school"].astype(str), y=np.sin(np.arange(len(frame))))


def structure(found):
    """What likelihoods depend on: X, offsets, and for each term columns and which rows share a level."""
    same = [term.codes[:, None] == term.codes[None, :] for term in found.terms]
    return [found.X, found.offset, *(term.z for term in found.terms), *same]


def assert_same(found, expected):
    assert [len(term.levels) for term in found.terms] == [len(term.levels) for term in expected.terms]
    for ours, theirs in zip(structure(found), structure(expected), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-12)


CASES = {
    "one factor": ("y ~ arm + x + (x | school)", []),
    "crossed factors stay": ("y ~ arm + (1 | school) + (1 | test)", []),
    "a nested factor is new in each copy": ("y ~ arm + (1 | school/room)", ["room"]),
    "also where it is nested by its labels": ("y ~ arm + (1 | school) + (1 | room)", ["room"]),
}


@pytest.mark.parametrize("name", CASES)
def test_twice_the_levels_are_two_copies(name):
    formula, nested = CASES[name]
    frame = schools()
    found = resize_levels(design(formula, frame), "school", 16)
    assert_same(found, design(formula, copied(frame, "school", [1, 2], nested)))


def test_some_levels_are_those_of_both_arms_alike():
    frame = schools()
    found = resize_levels(design("y ~ arm + (1 | school)", frame), "school", 4)
    (term,) = found.terms
    assert [len(term.levels), found.n] == [4, 4 * 12]
    assert found.X[:, 1].mean() == 0.5
    more = resize_levels(design("y ~ arm + (1 | school)", frame), "school", 12)
    assert [len(set(more.terms[0].levels)), more.n, more.X[:, 1].mean()] == [12, 12 * 12, 0.5]


@pytest.mark.parametrize("order", [[0, 1, 0, 1, 0, 1, 0, 1], [0, 0, 0, 0, 1, 1, 1, 1], [1, 0, 0, 1, 0, 1, 1, 0]])
def test_arms_are_balanced_whatever_their_order(order):
    frame = pd.DataFrame({"g": np.repeat(list("abcdefgh"), 3), "arm": np.repeat(order, 3), "y": np.arange(24.0)})
    for count in (2, 4, 6, 10):
        assert resize_levels(design("y ~ arm + (1 | g)", frame), "g", count).X[:, 1].mean() == 0.5


def test_rows_are_repeated_or_spread_over_the_predictors():
    sleep = bmx.load_dataset("sleepstudy")
    own = design("Reaction ~ Days + (Days | Subject)", sleep)
    doubled = design("Reaction ~ Days + (Days | Subject)", sleep.loc[sleep.index.repeat(2)])
    found = resize_rows(own, "Subject", 20)
    assert found.n == doubled.n
    np.testing.assert_allclose(found.X.T @ found.X, doubled.X.T @ doubled.X)
    half = resize_rows(own, "Subject", 5)
    np.testing.assert_array_equal(half.X[:5, 1], [1, 3, 5, 7, 9])
    assert half.terms[0].levels == own.terms[0].levels


def test_an_effect_of_each_row_is_new_in_a_repeated_row():
    frame = schools().assign(row=lambda table: np.arange(len(table)))
    found = resize_rows(design("y ~ arm + (1 | school) + (1 | row)", frame), "school", 24)
    assert {term.group: len(term.levels) for term in found.terms} == {"row": 8 * 24, "school": 8}


def test_several_linear_predictors():
    frame = schools()
    formulas = ["y ~ arm + (1 |i| school)", "sigma ~ x + (1 |i| school)"]
    assert_same(resize_levels(design(formulas, frame), "school", 16), design(formulas, copied(frame, "school", [1, 2])))


def test_trials_and_weights_go_with_their_rows():
    cbpp = bmx.load_dataset("cbpp")
    model = bmx.Model("cbind(incidence, size - incidence) ~ period + (1 | herd)", cbpp, family="binomial")
    found = resize_levels(model.design, "herd", 30)
    assert found.trials.sum() == 2 * cbpp["size"].sum()
    weighted = bmx.Model("y ~ arm + (1 | school)", schools(), weights="x + 1").design
    assert resize_levels(weighted, "school", 16).weights.sum() == pytest.approx(2.0 * weighted.weights.sum())


REFUSED = {
    "no such factor": (lambda own: resize_levels(own, "shcool", 10), SpecError, "Did you mean `school`"),
    "one level": (lambda own: resize_levels(own, "school", 1), SpecError, "at least two"),
    "no rows": (lambda own: resize_rows(own, "school", 0), SpecError, "at least one"),
    "a fixed factor": (lambda own: resize_levels(own, "test", 4), SpecError, "among the fixed effects"),
    "too few": (lambda own: resize_rows(own, "school", 1), DesignError, "fixed effects are not identified"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name):
    change, error, words = REFUSED[name]
    with pytest.raises(error, match=words):
        change(design("y ~ arm * x * test + (1 | school) + (1 | test)", schools()))


@pytest.mark.parametrize(("group", "nested"), [("patient", ()), ("site", ("patient",))])
def test_copies_of_levels_have_blocks_of_their_own(group, nested):
    formula, frame = FORMULAS["trial_site_ar"], data("trial")
    whole = bmx.Model(formula, frame)
    expected = bmx.Model(formula, copied(frame, group, range(2), nested)).estimate()
    made = resize_levels(whole.design, group, 2 * frame[group].nunique())
    assert estimate(made, whole.spec, Reml()).criterion == pytest.approx(expected.criterion, abs=1e-7)


def test_rows_of_blocks_are_no_choice():
    with pytest.raises(SpecError, match=r'Take more blocks, n=\{"patient": \[20, 40\]\}'):
        resize_rows(bmx.Model(FORMULAS["trial_site_ar"], data("trial")).design, "patient", 3)
