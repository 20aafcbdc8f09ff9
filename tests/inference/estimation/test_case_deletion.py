"""Estimates without some of the rows against fits to the others."""

from __future__ import annotations

import numpy as np
import pytest

import bayesmix as bmx
from bayesmix.data.design.subset import split
from bayesmix.inference.estimation import case_deletion
from bayesmix.inference.estimation.case_deletion import refit_without
from bayesmix.inference.estimation.estimate import estimate
from bayesmix.results.fits.linear_predictor import flatten

CRITERION = 1e-8  # relative, as of refits to other responses
VALUES = {"rtol": 1e-4, "atol": 1e-4}
CASES = {  # formula, data set, family, method
    "slopes": ("Reaction ~ Days + (Days | Subject)", "sleepstudy", "gaussian", "reml"),
    "ml": ("Reaction ~ Days + (1 | Subject)", "sleepstudy", "gaussian", "ml"),
    "crossed": ("diameter ~ 1 + (1 | plate) + (1 | sample)", "Penicillin", "gaussian", "reml"),
    "nested": ("strength ~ 1 + (1 | batch/cask)", "Pastes", "gaussian", "reml"),
    "binomial": ("cbind(incidence, size - incidence) ~ period + (1 | herd)", "cbpp", "binomial", "laplace"),
}


def without(fit, kept):
    return refit_without(fit.design, fit.spec, fit.point.method, kept, fit.point)


def sets_of(fit, count):
    """Levels of the last factor left out, and some rows."""
    codes = fit.design.terms[-1].codes
    kept = codes != np.arange(count)[:, None]
    kept[-1] = np.arange(fit.design.n) % 17 != 0
    return kept


def check_equal(fit, kept, found):
    for i, rows in enumerate(kept):
        own, _ = split(fit.design, rows)
        one = estimate(own, fit.spec, fit.point.method)
        assert found.criterion[i] == pytest.approx(one.criterion, rel=CRITERION)
        np.testing.assert_allclose(flatten(fit.design, found.parameters)[i], flatten(own, one.parameters), **VALUES)
        np.testing.assert_allclose(found.beta_cov[i], one.beta_cov, rtol=5e-3, atol=1e-3 * one.beta_cov.max())
        for term, b, b_one in zip(fit.design.terms, found.b, one.b, strict=True):
            used = np.unique(term.codes[rows])
            np.testing.assert_allclose(b[i][used], b_one, rtol=1e-3, atol=1e-3)
            np.testing.assert_allclose(np.delete(b[i], used, axis=0), 0.0, atol=1e-12)


@pytest.mark.parametrize("case", CASES)
def test_rows_left_out_are_fits_to_the_others(case, monkeypatch):
    formula, data, family, method = CASES[case]
    fit = bmx.Model(formula, bmx.load_dataset(data), family=family).estimate(method)
    kept = sets_of(fit, 4)
    asked = []
    monkeypatch.setattr(case_deletion, "fitted_alone", lambda *options: asked.append(options))
    found = without(fit, kept)
    assert not asked  # all of them in one batch
    check_equal(fit, kept, found)


def test_weights():
    data = bmx.load_dataset("sleepstudy")
    weights = np.random.default_rng(1).uniform(0.5, 2.0, len(data))
    fit = bmx.Model("Reaction ~ Days + (1 | Subject)", data, weights=weights).estimate()
    kept = sets_of(fit, 3)
    check_equal(fit, kept, without(fit, kept))


def test_few_rows_are_fitted_alone_with_all_levels_in_place():
    data = bmx.load_dataset("sleepstudy")
    fit = bmx.Model("Reaction ~ Days + (1 | Subject)", data[data["Subject"].isin(["308", "309", "310"])]).estimate()
    kept = sets_of(fit, 3)
    check_equal(fit, kept, without(fit, kept))


def test_sets_that_tell_nothing_are_missing():
    data = bmx.load_dataset("sleepstudy")
    data["late"] = (data["Subject"] == "308").astype(float) * data["Days"]
    fit = bmx.Model("Reaction ~ Days + late + (1 | Subject)", data).estimate()
    codes = fit.design.terms[0].codes
    kept = np.stack([codes != 0, codes != 1, codes == 2])
    assert without(fit, kept).failed.tolist() == [True, False, True]


def test_pieces_change_nothing(monkeypatch):
    fit = bmx.Model("Reaction ~ Days + (Days | Subject)", bmx.load_dataset("sleepstudy")).estimate()
    kept = sets_of(fit, 5)
    whole = without(fit, kept)
    monkeypatch.setattr(case_deletion, "MEMORY", 1)
    np.testing.assert_allclose(without(fit, kept).criterion, whole.criterion, rtol=1e-11)
