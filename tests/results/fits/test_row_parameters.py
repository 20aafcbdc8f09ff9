"""Parameters of each row's distribution, for one predictor and for several."""

from __future__ import annotations

import numpy as np
import pytest

from bayesmix.data.design.build import build
from bayesmix.data.design.layout import parts_of
from bayesmix.inference.parameters.names import Parameters
from bayesmix.inference.parameters.natural_scale import reported_jacobian
from bayesmix.language.families.registry import FAMILIES
from bayesmix.language.formula.model_spec import make_spec
from bayesmix.results.fits.linear_predictor import flatten, log_likelihood, parameter_names
from bayesmix.results.fits.row_parameters import at_weights, row_parameters

X = np.array([0.0, 1.0, 2.0, 4.0])
DATA = {"x": X, "y": X + 1.0, "count": np.array([0.0, 2.0, 1.0, 3.0])}
ETA = np.array([[[1.0, 2.0, 3.0, 4.0]], [[0.5, 1.5, 2.5, 3.5]]])  # (2 chains, 1 draw, 4 rows)

# formula, family, links, then of each response the parameters as functions of its predictors' blocks
CASES = {
    "sigma": (["y ~ x", "sigma ~ x"], "gaussian", [[lambda e: e[0], lambda e: np.exp(e[1])]]),
    "shape": (["count ~ x", "shape ~ x"], "negbinomial", [[lambda e: np.exp(e[0]), lambda e: np.exp(e[1])]]),
    "two responses": (
        ["y ~ x", "count ~ x"],
        {"y": "gaussian", "count": "poisson"},
        [[lambda e: e[0], lambda e: np.exp(e[1])], [lambda e: np.exp(e[2])]],
    ),
}


def spec_of(name):
    formula, family, _ = CASES[name]
    return make_spec(formula, family, None, None)


@pytest.mark.parametrize("name", CASES)
def test_each_predictor_has_its_block(name):
    expected = CASES[name][-1]
    spec = spec_of(name)
    blocks = [ETA / (r + 1.0) for r in range(len(spec.parameters))]
    nothing = Parameters(np.zeros((2, 1, 0)), (), (), (), None)
    for response, functions in enumerate(expected):
        found = row_parameters(spec, np.concatenate(blocks, axis=-1), nothing, response=response)
        assert len(found) == len(functions)
        for own, function in zip(found, functions, strict=True):
            np.testing.assert_array_equal(own, function(blocks))


@pytest.mark.parametrize("family", ["gaussian", "poisson", "negbinomial"])
def test_the_dispersion_of_simple_models_is_one_number_a_draw(family):
    spec = make_spec("y ~ x", family, None, None)
    dispersion = None if spec.family.dispersion is None else np.array([[2.0], [3.0]])
    mean, *others = row_parameters(spec, ETA, Parameters(np.zeros((2, 1, 0)), (), (), (), dispersion))
    np.testing.assert_array_equal(mean, spec.link.mean(ETA))
    assert [other.tolist() for other in others] == ([] if dispersion is None else [[[[2.0]], [[3.0]]]])


def test_weights_divide_the_variance_of_normal_responses_only():
    weights, others = np.array([4.0, 1.0]), [np.array([2.0, 2.0])]
    np.testing.assert_array_equal(at_weights(FAMILIES["gaussian"], others, weights)[0], [1.0, 2.0])
    np.testing.assert_array_equal(at_weights(FAMILIES["gamma"], others, weights)[0], [2.0, 2.0])
    assert at_weights(FAMILIES["poisson"], [], weights) == ()


# ---- parameters that are one number for all rows -------------------------------------------------------------------


def test_numbers_are_reported_on_their_own_scale():
    """``sigma_y`` of two responses: the coefficient is its logarithm, of which the slope is itself."""
    spec = spec_of("two responses")
    design = build(parts_of(spec), DATA)
    beta = np.array([1.0, 2.0, np.log(3.0), 0.5, 0.1])
    values = Parameters(beta, (), (), (), None)
    assert parameter_names(design, None) == ["y_Intercept", "y_x", "sigma_y", "count_Intercept", "count_x"]
    np.testing.assert_allclose(flatten(design, values), [1.0, 2.0, 3.0, 0.5, 0.1], rtol=1e-15)
    np.testing.assert_allclose(reported_jacobian(design.layout, beta), np.diag([1.0, 1.0, 3.0, 1.0, 1.0]), rtol=1e-15)
    assert design.layout.coefficients == ["y_Intercept", "y_x", "count_Intercept", "count_x"]


def test_the_log_likelihood_of_a_row_is_that_of_all_its_responses():
    from scipy import stats

    spec = spec_of("two responses")
    design = build(parts_of(spec), DATA)
    eta = np.concatenate([X, np.full(4, np.log(0.7)), 0.2 * X])
    expected = stats.norm(X, 0.7).logpdf(DATA["y"]) + stats.poisson(np.exp(0.2 * X)).logpmf(DATA["count"])
    values = Parameters(np.zeros(5), (), (), (), None)
    np.testing.assert_allclose(log_likelihood(design, spec, values, eta), expected, rtol=1e-12)
