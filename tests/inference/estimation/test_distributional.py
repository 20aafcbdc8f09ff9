"""Estimates of models whose rows have several linear predictors, against TMB, glmmTMB and brute-force quadrature.

Reference values: `tests/reference/breadth`, whose README says how sure they are.
"""

from __future__ import annotations

import json
from functools import cache

import numpy as np
import pytest
from breadth import ESTIMATES, FOLDER, coefficients, covariance, estimate_case, frame

import bayesmix as bmx
from bayesmix.data.design.build import build
from bayesmix.data.design.layout import parts_of
from bayesmix.inference.estimation.conditional_mode import generalized_problem
from bayesmix.inference.estimation.generalized import MarginalLikelihood
from bayesmix.inference.estimation.methods import Agq, Laplace
from bayesmix.inference.least_squares.scaling import coordinates
from bayesmix.inference.parameters.covariance import from_factor
from bayesmix.language.formula.model_spec import make_spec

CRITERION = 1e-10  # relative, of minus twice the log-likelihood; the estimate itself must reach 1e-8
ESTIMATE = 1e-4  # standard errors: the optimum is found to about half the digits of the criterion
ERROR = 1e-4  # relative, of standard errors: Hessians are differences of gradients
GRADIENT = 1e-7  # relative to the largest slope of a point
QUICK = {"spread", "times_shape", "two_gaussian", "sleepstudy_sigma_days"}  # one of each kind
READ = [name for name in ESTIMATES if not name.endswith("_reml") and "rescor" not in name]
FITTED = [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in READ]


@cache
def model(name):
    case = estimate_case(name)
    return bmx.Model(case["formula"], frame(case["data"]), family=case["family"], rescor=case["rescor"])


@cache
def fitted(name):
    return model(name).estimate(estimate_case(name)["method"])


@pytest.mark.parametrize("name", FITTED)
def test_estimates_are_those_of_tmb(name):
    case, fit = estimate_case(name), fitted(name)
    assert fit.criterion == pytest.approx(case["criterion"], rel=1e-8)
    assert not fit.problems
    assert fit.df == len(case["parameters"])
    table = fit.parameters()
    assert set(table.index) == set(case["parameters"])
    for parameter, expected in case["parameters"].items():
        assert abs(table.loc[parameter, "estimate"] - expected["estimate"]) < ESTIMATE * expected["se"], parameter


@pytest.mark.parametrize("name", FITTED)
def test_standard_errors_are_those_of_tmb(name):
    case, fit = estimate_case(name), fitted(name)
    errors = dict(zip(fit.design.fixed, np.sqrt(np.diagonal(fit.point.beta_cov)), strict=True))
    for coefficient, parameter in zip(coefficients(case), case["parameters"], strict=False):
        expected = case["parameters"][parameter]
        scale = 1.0 if coefficient in errors else expected["estimate"]  # of one number: inside it is its logarithm
        assert errors[coefficient if coefficient in errors else parameter] * scale == pytest.approx(
            expected["se"], rel=ERROR
        )


@pytest.mark.parametrize("name", FITTED)
def test_conditional_modes_are_those_of_tmb(name):
    case, fit = estimate_case(name), fitted(name)
    for term in case["modes"]:
        effects = [(one.group, set(one.effects)) for one in fit.design.terms]
        own = effects.index((term["group"], set(term["columns"])))
        found, (rows, columns) = fit.point.b[own], _places(fit.design.terms[own], term)
        expected, spread = np.array(term["mode"]), np.array(term["condsd"])
        np.testing.assert_allclose(found[np.ix_(rows, columns)], expected, rtol=0.0, atol=ESTIMATE * spread.max())
        variances = np.diagonal(fit.point.b_cov[own], axis1=-2, axis2=-1)
        np.testing.assert_allclose(np.sqrt(variances[np.ix_(rows, columns)]), spread, rtol=ERROR)


def _places(term, expected):
    return [term.levels.index(level) for level in expected["levels"]], [
        term.effects.index(name) for name in expected["columns"]
    ]


# ---- the criterion at given parameters -------------------------------------------------------------------------------


class Criterion:
    """Minus twice the approximate log-likelihood by the names of the parameters."""

    def __init__(self, formula, data, family, method, *, rescor=False):
        self.spec = make_spec(formula, family, None, None, rescor=rescor)
        self.design = build(parts_of(self.spec), data)
        self.working = coordinates(self.design)
        self.likelihood = MarginalLikelihood(generalized_problem(self.design, self.working, self.spec), method)

    def at(self, parameters):
        """Parameters in computational coordinates."""
        beta = np.linalg.solve(self.working.T, [self._coefficient(name, parameters) for name in self.design.fixed])
        roots = [
            np.linalg.cholesky(np.linalg.inv(C) @ covariance(_term(term), parameters) @ np.linalg.inv(C).T)
            for term, C in zip(self.design.terms, self.working.C, strict=True)
        ]
        return np.concatenate([from_factor(self.working.structures, roots), beta])

    def _coefficient(self, name, parameters):
        layout = self.design.layout
        is_number = layout.owners[layout.fixed.index(name)] in layout.numbers
        return np.log(parameters[name]) if is_number else parameters[name]

    def gradient(self, parameters):
        """Derivatives by the parameters as named."""
        _, slope = self.likelihood(self.at(parameters))

        def moved(name, h):
            return self.at(parameters | {name: parameters[name] + h})

        steps = {name: 1e-6 * max(abs(value), 1e-2) for name, value in parameters.items()}
        return {name: float(slope @ (moved(name, h) - moved(name, -h))) / (2.0 * h) for name, h in steps.items()}


def _term(term):
    return {"group": term.group, "columns": term.effects}


@cache
def criterion(name):
    case = estimate_case(name)
    return Criterion(case["formula"], frame(case["data"]), case["family"], Laplace(), rescor=case["rescor"])


@pytest.mark.parametrize("name", READ)
@pytest.mark.parametrize("point", range(3))
def test_criteria_at_other_parameters_are_those_of_tmb(name, point):
    ours, expected = criterion(name), estimate_case(name)["points"][point]
    assert ours.likelihood.value(ours.at(expected["parameters"])) == pytest.approx(expected["criterion"], rel=CRITERION)
    gradient = ours.gradient(expected["parameters"])
    largest = max(abs(slope) for slope in expected["gradient"].values())
    for parameter, slope in expected["gradient"].items():
        assert gradient[parameter] == pytest.approx(slope, rel=1e-6, abs=GRADIENT * largest), parameter


# ---- quadrature ----------------------------------------------------------------------------------------------------

QUADRATURE = json.loads((FOLDER / "quadrature.json").read_text(encoding="utf-8"))
NODES = 1e-8  # relative, of 25 nodes


@pytest.mark.parametrize("point", QUADRATURE["points"])
def test_quadrature_is_the_exact_likelihood(point):
    """Groups that differ in log sigma alone: the reference is one integral a group, in small pieces."""
    ours = Criterion(QUADRATURE["formula"], frame(QUADRATURE["data"]), QUADRATURE["family"], Agq(points=25))
    assert ours.likelihood.value(ours.at(point["parameters"])) == pytest.approx(point["criterion"], rel=NODES)


@pytest.mark.parametrize("name", ["sleepstudy_locscale", "clumps_shared", "gaussian_poisson"])
def test_quadrature_has_the_slope_of_its_differences(name):
    case = estimate_case(name)
    ours = Criterion(case["formula"], frame(case["data"]), case["family"], Agq(points=5))
    x = ours.at(case["points"][0]["parameters"])
    value, slope = ours.likelihood(x)
    assert value == pytest.approx(ours.likelihood.value(x), rel=1e-12)
    differences = [(ours.likelihood.value(x + h) - ours.likelihood.value(x - h)) / 2e-5 for h in 1e-5 * np.eye(len(x))]
    np.testing.assert_allclose(slope, differences, rtol=1e-5, atol=1e-5 * np.abs(slope).max())


def test_one_node_is_the_laplace_approximation():
    case = estimate_case("sleepstudy_locscale")
    ours = Criterion(case["formula"], frame(case["data"]), case["family"], Agq(points=1))
    expected = case["points"][0]
    assert ours.likelihood.value(ours.at(expected["parameters"])) == pytest.approx(expected["criterion"], rel=CRITERION)
