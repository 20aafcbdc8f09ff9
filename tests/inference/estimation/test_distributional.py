"""Estimates of models whose rows have several linear predictors, against TMB, glmmTMB and brute-force quadrature.

Reference values: `tests/reference/breadth`, whose README says how sure they are.
"""

from __future__ import annotations

import json
from functools import cache

import numpy as np
import pytest
from breadth import (
    ESTIMATES,
    FOLDER,
    covariance,
    dense_model,
    dense_values,
    estimate_case,
    frame,
)
from dense_rows import conditional_mode, root
from scipy import stats

import bayesmix as bmx
from bayesmix.data.design.build import build
from bayesmix.data.design.layout import parts_of
from bayesmix.inference.estimation.conditional_mode import generalized_problem
from bayesmix.inference.estimation.generalized import MarginalLikelihood
from bayesmix.inference.estimation.methods import Agq, Laplace, Reml
from bayesmix.inference.least_squares.scaling import coordinates
from bayesmix.inference.parameters.covariance import from_factor
from bayesmix.inference.parameters.natural_scale import number_columns
from bayesmix.language.formula.model_spec import make_spec

CRITERION = 1e-10  # relative, of minus twice the log-likelihood; the estimate itself must reach 1e-8
ESTIMATE = 1e-4  # standard errors: the optimum is found to about half the digits of the criterion
ERROR = 1e-4  # relative, of standard errors: Hessians are differences of gradients
STEP = 1e-3  # of differences of the criterion
GRADIENT = 1e-7  # relative to the largest slope of a point
QUICK = {  # one of each kind
    "spread",
    "times_shape",
    "two_gaussian",
    "two_gaussian_rescor",
    "sleepstudy_sigma_days",
    "gaussian_offsets_reml",
}
READ = list(ESTIMATES)
REML = [name for name in READ if estimate_case(name)["method"] == "reml"]
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
    errors, links = fit.parameters()["std_error"], dict(number_columns(fit.design.layout))
    inside = np.sqrt(np.diagonal(fit.point.beta_cov))
    for name in case["parameters"]:
        if name.startswith(("sd(", "corr(")):
            continue
        expected = case["parameters"][name]
        error = expected.get("joint_se", expected["se"])
        assert errors[name] == pytest.approx(error, rel=ERROR), name
        if (j := fit.design.fixed.index(name)) in links:  # on the scale of its link, too
            slope = links[j].inverse(links[j].of(np.array(expected["estimate"])))[1]
            assert inside[j] * slope == pytest.approx(error, rel=ERROR), name


@pytest.mark.parametrize("name", FITTED)
def test_conditional_modes_are_those_of_tmb(name):
    case, fit = estimate_case(name), fitted(name)
    for term in case["modes"]:
        effects = [(one.group, set(one.effects)) for one in fit.design.terms]
        own = effects.index((term["group"], set(term["columns"])))
        found, (rows, columns) = fit.point.b[own], _places(fit.design.terms[own], term)
        expected, spread = np.array(term["mode"]), np.array(term["condsd"])
        np.testing.assert_allclose(found[np.ix_(rows, columns)], expected, rtol=0.0, atol=ESTIMATE * spread.max())
        if case["method"] == "ml":  # by REML theirs are with the uncertainty of the means
            variances = np.diagonal(fit.point.b_cov[own], axis1=-2, axis2=-1)
            np.testing.assert_allclose(np.sqrt(variances[np.ix_(rows, columns)]), spread, rtol=ERROR)


@pytest.mark.parametrize("name", ["gaussian_offsets_reml", pytest.param("crossed_sigma_reml", marks=pytest.mark.slow)])
def test_conditional_covariances_hold_all_fixed_effects(name):
    """By REML, too: blocks of the inverse of the random effects' own information, dense."""
    case, fit = estimate_case(name), fitted(name)
    model = dense_model(case)
    values = dense_values(case, {key: found["estimate"] for key, found in case["parameters"].items()})
    q = sum(block.levels * block.z[0].shape[1] for block in model.blocks)
    C = np.linalg.inv(conditional_mode(model, values, reml=True).H[:q, :q])
    begin = 0
    for term, block, S in zip(case["modes"], model.blocks, values.covariances, strict=True):
        effects = [(one.group, set(one.effects)) for one in fit.design.terms]
        own = effects.index((term["group"], set(term["columns"])))
        rows, columns = _places(fit.design.terms[own], term)
        k = len(columns)
        for level, row in enumerate(rows):
            at = slice(begin + level * k, begin + (level + 1) * k)
            expected = root(S) @ C[at, at] @ root(S).T
            np.testing.assert_allclose(fit.point.b_cov[own][row][np.ix_(columns, columns)], expected, rtol=ERROR)
        begin += block.levels * k


def _places(term, expected):
    return [term.levels.index(level) for level in expected["levels"]], [
        term.effects.index(name) for name in expected["columns"]
    ]


# ---- the criterion at given parameters -------------------------------------------------------------------------------


class Criterion:
    """Minus twice the approximate log-likelihood by the names of the parameters."""

    def __init__(self, formula, data, family, method, *, rescor=False):
        restricted = isinstance(method, Reml)
        self.spec = make_spec(formula, family, None, None, rescor=rescor)
        self.design = build(parts_of(self.spec), data)
        self.working = coordinates(self.design)
        problem = generalized_problem(self.design, self.working, self.spec, restricted=restricted)
        self.likelihood = MarginalLikelihood(problem, method)

    def at(self, parameters):
        """Parameters in computational coordinates."""
        free = self.likelihood.problem.free
        own = [self._coefficient(self.design.fixed[j], parameters) for j in free]
        beta = np.linalg.solve(self.working.T[np.ix_(free, free)], own)
        roots = [
            np.linalg.cholesky(np.linalg.inv(C) @ covariance(_term(term), parameters) @ np.linalg.inv(C).T)
            for term, C in zip(self.design.terms, self.working.C, strict=True)
        ]
        return np.concatenate([from_factor(self.working.structures, roots), beta])

    def _coefficient(self, name, parameters):
        layout = self.design.layout
        link = dict(number_columns(layout)).get(layout.fixed.index(name))
        return parameters[name] if link is None else float(link.of(np.array(parameters[name])))

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
    method = Reml() if case["method"] == "reml" else Laplace()
    return Criterion(case["formula"], frame(case["data"]), case["family"], method, rescor=case["rescor"])


@pytest.mark.parametrize("name", READ)
@pytest.mark.parametrize("point", range(3))
def test_criteria_at_other_parameters_are_those_of_tmb(name, point):
    ours, expected = criterion(name), estimate_case(name)["points"][point]
    assert ours.likelihood.value(ours.at(expected["parameters"])) == pytest.approx(expected["criterion"], rel=CRITERION)
    gradient = ours.gradient(expected["parameters"])
    largest = max(abs(slope) for slope in expected["gradient"].values())
    for parameter, slope in expected["gradient"].items():
        assert gradient[parameter] == pytest.approx(slope, rel=1e-6, abs=GRADIENT * largest), parameter


@pytest.mark.parametrize("name", REML)
def test_restricted_criteria_have_the_slopes_of_their_differences(name):
    ours = criterion(name)
    for point in estimate_case(name)["points"]:
        x = ours.at(point["parameters"])
        slope = ours.likelihood(x)[1]
        differences = [_central(ours.likelihood.value, x, shift) for shift in STEP * np.eye(len(x))]
        np.testing.assert_allclose(slope, differences, rtol=1e-7, atol=1e-7 * np.abs(slope).max())


def _central(function, x, shift):
    """Derivative along a step, by differences of the fourth order."""
    at = [function(x + times * shift) for times in (-2.0, -1.0, 1.0, 2.0)]
    return (at[0] - 8.0 * at[1] + 8.0 * at[2] - at[3]) / (12.0 * STEP)


def test_units_move_restricted_criteria_by_their_jacobian():
    """A response in other units has another density; coefficients per other units have another volume."""
    case = estimate_case("sleepstudy_sigma_days_reml")
    n, p = 180, 2
    data = frame(case["data"]).assign(
        Reaction=lambda d: 1e3 * d["Reaction"], Days=lambda d: 2000.0 + d["Days"] / 365.25
    )
    found = bmx.Model(case["formula"], data).estimate("reml")
    moved = 2.0 * (n - p) * np.log(1e3) - 2.0 * np.log(365.25)
    assert found.criterion == pytest.approx(case["criterion"] + moved, rel=1e-10)
    assert found.values.beta[1] == pytest.approx(365.25e3 * case["parameters"]["Days"]["estimate"], rel=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("unit", [1e4, 1e5, 1e-9])
def test_units_of_the_response_move_nothing_but_themselves(unit):
    """From 1e4 on the floor of what a row tells of its mean was above that, and no mode was found."""
    data = bmx.load_dataset("sleepstudy")
    formulas = ["Reaction ~ Days + (Days |i| Subject)", "sigma ~ 1 + (1 |i| Subject)"]
    plain = bmx.Model(formulas, data).estimate()
    fit = bmx.Model(formulas, data.assign(Reaction=unit * data["Reaction"])).estimate()
    assert fit.converged
    assert fit.criterion == pytest.approx(plain.criterion + 2.0 * len(data) * np.log(unit), abs=1e-6)
    scale = np.where([name.startswith(("Intercept", "Days")) for name in fit.design.fixed], unit, 1.0)
    np.testing.assert_allclose(
        fit.parameters()["std_error"].iloc[: len(scale)],
        scale * plain.parameters()["std_error"].iloc[: len(scale)],
        rtol=1e-4,
    )


def test_without_fixed_effects_of_the_mean_reml_is_maximum_likelihood():
    data = frame("responses")
    fits = [bmx.Model({"mu": "a ~ 0 + (1 | g)", "sigma": "~ x"}, data).estimate(method) for method in ("reml", "ml")]
    (sd,), (level, slope) = fits[0].values.sd[0], fits[0].values.beta
    codes, sigma = data["g"].cat.codes.to_numpy(), np.exp(level + slope * data["x"].to_numpy())
    V = sd**2 * (codes[:, None] == codes) + np.diag(sigma**2)
    expected = -2.0 * stats.multivariate_normal(np.zeros(len(V)), V).logpdf(data["a"])
    assert [fit.criterion for fit in fits] == pytest.approx([expected, expected], rel=1e-12)
    assert np.all(np.abs(fits[0].point.optimum.gradient) < 1e-6)


def test_precision_weights_are_offsets_of_log_sigma():
    """A row of weight w has the standard deviation sigma / sqrt(w), by REML as by maximum likelihood."""
    case = estimate_case("gaussian_offsets_reml")
    data = frame(case["data"]).assign(w=lambda d: np.exp(-2.0 * d["b"]), offset=lambda d: frame(case["data"])["w"])
    weighted = bmx.Model({"mu": "a ~ x + offset(offset) + (x | g)", "sigma": "~ x"}, data, weights="w")
    for method in ("reml", "ml"):
        expected = model("gaussian_offsets_reml").estimate(method)
        found = weighted.estimate(method)
        assert found.criterion == pytest.approx(expected.criterion, rel=1e-10)
        np.testing.assert_allclose(found.values.beta, expected.values.beta, rtol=1e-5)


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
