"""Refits of one design for many responses against single fits of each."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from optima import LINEAR, random_problem

import bayesmix as bmx
from bayesmix.errors import BayesmixError
from bayesmix.inference.estimation import refits
from bayesmix.inference.estimation.estimate import estimate
from bayesmix.inference.estimation.refits import refit_all
from bayesmix.results.fits.linear_predictor import flatten
from bayesmix.results.prediction.simulation import repeated, replicated

CRITERION = 1e-8  # relative: searches end at predicted gains of 1e-13
VALUES = {"rtol": 1e-4, "atol": 1e-4}  # both searches end within the root of that, in standard errors
CASES: dict[str, tuple[str, str, str, bool]] = {  # name: formula, data set, method, some replicates are singular
    "correlated": ("Reaction ~ Days + (Days | Subject)", "sleepstudy", "reml", False),
    "ml": ("Reaction ~ Days + (Days | Subject)", "sleepstudy", "ml", False),
    "independent": ("Reaction ~ Days + (Days || Subject)", "sleepstudy", "reml", False),
    "crossed": ("diameter ~ 1 + (1 | plate) + (1 | sample)", "Penicillin", "reml", False),
    "nested": ("strength ~ 1 + (1 | batch/cask)", "Pastes", "reml", True),
    "few groups": ("ncases ~ ncontrols + (ncontrols | agegp)", "esoph", "reml", True),
    "no groups": ("Reaction ~ Days", "sleepstudy", "reml", False),
}

GENERALIZED = {  # name: formula, data set, family
    "cbpp": ("cbind(incidence, size - incidence) ~ period + (1 | herd)", "cbpp", "binomial"),
    "slopes": ("TICKS ~ cHEIGHT + (cHEIGHT | LOCATION)", "grouseticks", "poisson"),
    "crossed": ("TICKS ~ YEAR + (1 | LOCATION) + (1 | BROOD)", "grouseticks", "poisson"),
    "overdispersed": ("TICKS ~ YEAR + (1 | LOCATION)", "grouseticks", "negbinomial"),
    "few groups": ("ncases ~ ncontrols + (1 + ncontrols | agegp)", "esoph", "poisson"),
    "one correlation": ("TICKS ~ cHEIGHT + cs(cHEIGHT + YEAR | LOCATION)", "grouseticks", "poisson"),
}


def drawn(fit, replicates, seed=1):
    return replicated(fit.spec, fit.design, repeated(fit.values, replicates), groups="new", seed=seed)


def alone(fit, responses, i):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return estimate(fit.design.with_response(*(y[i] for y in responses)), fit.spec, fit.point.method)


def check_equal(fit, responses, found, *, values=True, errors=1e-4):
    """Each refit is the single fit: its criterion, its values, and what is singular."""
    for i in range(len(found)):
        try:
            one = alone(fit, responses, i)
        except BayesmixError:
            assert found.failed[i]
            continue
        assert found.criterion[i] == pytest.approx(one.criterion, rel=CRITERION, abs=CRITERION)
        if values:
            assert np.flatnonzero(found.singular[i]).tolist() == list(one.singular)
            ours, single = flatten(fit.design, found.parameters)[i], flatten(fit.design, one.parameters)
            np.testing.assert_allclose(ours, single, **VALUES)
            np.testing.assert_allclose(found.beta_cov[i], one.beta_cov, rtol=errors, atol=errors * one.beta_cov.max())
            for b, b_single in zip(found.b, one.b, strict=True):
                np.testing.assert_allclose(b[i], b_single, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize(("formula", "data", "method", "has_singular"), CASES.values(), ids=CASES)
def test_refits_are_single_fits(formula, data, method, has_singular):
    fit = bmx.Model(formula, bmx.load_dataset(data)).estimate(method)
    responses = drawn(fit, 6, seed=2)
    found = refit_all(fit.design, fit.spec, fit.point.method, responses, fit.point)
    check_equal(fit, responses, found)
    assert found.converged.all()
    assert found.singular.any() == has_singular


@pytest.mark.parametrize(
    "case", ["cbpp", *(pytest.param(name, marks=pytest.mark.slow) for name in GENERALIZED if name != "cbpp")]
)
def test_generalized_refits_are_single_fits(case):
    formula, data, family = GENERALIZED[case]
    fit = bmx.Model(formula, bmx.load_dataset(data), family=family).estimate()
    responses = drawn(fit, 5)
    found = refit_all(fit.design, fit.spec, fit.point.method, responses, fit.point)
    check_equal(fit, responses, found, errors=5e-3)  # of which the single fit's are by central differences
    assert found.converged.all()


def test_weights_and_offsets():
    rng = np.random.default_rng(3)
    data = bmx.load_dataset("sleepstudy")
    weights, offset = rng.uniform(0.5, 2.0, len(data)), rng.normal(0.0, 20.0, len(data))
    fit = bmx.Model("Reaction ~ Days + (1 | Subject)", data, weights=weights, offset=offset).estimate()
    responses = drawn(fit, 4)
    check_equal(fit, responses, refit_all(fit.design, fit.spec, fit.point.method, responses, fit.point))


def test_an_estimate_on_the_boundary_tells_nothing_of_others():
    """Neither their curvature nor where they are: at zero the criterion is stationary, whatever the responses."""
    data = bmx.load_dataset("sleepstudy")
    fit = bmx.Model("Reaction ~ Days + (1 | Subject)", data).estimate()
    alike = np.tile(np.random.default_rng(6).normal(size=10), 18)  # means of all subjects are the same
    point = estimate(fit.design.with_response(alike), fit.spec, fit.point.method)
    assert point.singular
    responses = drawn(fit, 4)
    found = refit_all(fit.design, fit.spec, fit.point.method, responses, point)
    check_equal(fit, responses, found)
    assert not found.singular.any()


def test_responses_without_noise_have_no_estimate():
    """And leave the others as they are."""
    fit = bmx.Model("Reaction ~ Days + (Days | Subject)", bmx.load_dataset("sleepstudy")).estimate()
    responses = drawn(fit, 3)
    responses[0][1] = fit.design.X @ [1.0, 2.0]
    found = refit_all(fit.design, fit.spec, fit.point.method, responses, fit.point)
    assert found.failed.tolist() == [False, True, False]
    check_equal(fit, responses, found)


def test_effects_that_can_follow_every_row_are_fitted_alone(monkeypatch):
    asked = []
    single = refits.fitted_alone
    monkeypatch.setattr(refits, "fitted_alone", lambda *options: asked.append(1) or single(*options))
    rng = np.random.default_rng(0)
    groups = {"g": np.repeat(list("abc"), [4, 3, 3]), "h": np.tile(list("uvwxy"), 2)}
    data = {"y": rng.normal(size=10), "x": rng.normal(size=10), **groups}
    fit = bmx.Model("y ~ x + (1 | g) + (1 | h)", data).estimate()
    found = refit_all(fit.design, fit.spec, fit.point.method, drawn(fit, 2), fit.point)
    assert len(asked) == len(found) == 2


@pytest.mark.slow
@pytest.mark.parametrize("seed", sorted(set(range(43)) - {11, 12, 29}))  # those have more effects than rows
def test_refits_of_random_designs(seed):
    """Crossed, nested, uncorrelated; of few rows, many of whose replicates are singular."""
    problem = random_problem(seed, LINEAR)
    fit = problem.fit()
    responses = drawn(fit, 5, seed)
    found = refit_all(fit.design, fit.spec, fit.point.method, responses, fit.point)
    check_equal(fit, responses, found, values=False)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(8))
def test_refits_of_random_counts(seed):
    """Of hardly any rows; binary outcomes of so few are fitted alone, for their effects may have no end."""
    fit = random_problem(seed, ["poisson"]).fit()
    responses = drawn(fit, 2, seed)
    found = refit_all(fit.design, fit.spec, fit.point.method, responses, fit.point)
    check_equal(fit, responses, found, values=False)
