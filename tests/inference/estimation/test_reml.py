"""The REML and ML criteria against dense normal densities; invariances of the estimates."""

from __future__ import annotations

import numpy as np
import pytest
from dense import central, ml_criterion, random_covariance, reml_criterion
from handmade import level_codes, make_design, make_term, with_x
from scipy.stats import multivariate_normal

import bayesmix as bmx
from bayesmix.inference.estimation import reml
from bayesmix.inference.estimation.reml import (
    criteria_and_gradients,
    criterion,
    deviance_at_sigma,
    linear_problem,
    profiled_deviance,
    solve_linear,
)
from bayesmix.inference.least_squares import scaling
from bayesmix.inference.least_squares.scaling import coordinates

N = 60
DENSE = 1e-9  # relative: 60 x 60 Cholesky factors of well-conditioned matrices
DIFFERENCED = {"rtol": 1e-6, "atol": 1e-6}  # fourth-order differences with step 1e-4
# the optimiser stops at a decrement of 1e-16 of the criterion: half its digits for the parameters
CRITERION = 1e-8
OPTIMUM = 1e-5


def one_term(rng, *, structure="us", k=2):
    z = np.column_stack([np.ones(N), rng.normal(2.0, 3.0, N), rng.normal(size=N)])[:, :k]
    return [make_term("g", level_codes(rng, N, 8), z, structure=structure)]


def several_terms(rng):
    inner = level_codes(rng, N, 12)
    return [
        make_term("inner", inner, np.ones((N, 1))),
        make_term("outer", inner % 4, with_x(rng, N)),
        make_term("crossed", level_codes(rng, N, 5), np.ones((N, 1))),
    ]


def same_group(rng):
    codes = level_codes(rng, N, 8)
    return [make_term("g", codes, np.ones((N, 1))), make_term("g", codes, rng.normal(size=(N, 1)), effects=("x",))]


TERMS = {
    "(1 | g)": lambda rng: one_term(rng, k=1),
    "(x | g)": one_term,
    "(x + w | g)": lambda rng: one_term(rng, k=3),
    "diag(x + w | g)": lambda rng: one_term(rng, structure="diag", k=3),
    "(1 | g) + (0 + x | g)": same_group,
    "nested and crossed": several_terms,
}


def make(name, *, weighted, seed=0):
    rng = np.random.default_rng(seed)
    terms = TERMS[name](rng)
    X = np.column_stack([with_x(rng, N), rng.normal(100.0, 1.0, N)])
    options = {"weights": rng.uniform(0.3, 3.0, N), "offset": rng.normal(size=N)} if weighted else {}
    return rng, make_design(1000.0 + rng.normal(0.0, 5.0, N), X, terms, **options)


def dense_V(design, working, theta):
    return np.diag(1.0 / design.weights) + random_covariance(design, working.covariances(theta))


SIGMA = 3.0  # not 1, where its powers are the same


def same_slopes(got, function, x):
    np.testing.assert_allclose(
        np.concatenate([np.atleast_1d(part) for part in got]), central(function, x), **DIFFERENCED
    )


@pytest.mark.parametrize("weighted", [False, True], ids=["plain", "weights and offset"])
@pytest.mark.parametrize("terms", TERMS)
@pytest.mark.parametrize("reml", [True, False], ids=["REML", "ML"])
def test_criterion_is_the_normal_density(terms, weighted, reml):
    rng, design = make(terms, weighted=weighted)
    working = coordinates(design)
    problem = linear_problem(design, working)
    dense = reml_criterion if reml else ml_criterion
    for size in (0.0, 0.1, 1.0, 10.0):
        theta = size * rng.normal(size=working.size)
        value, _ = criterion(problem, theta, reml=reml)
        assert value == pytest.approx(dense(design, dense_V(design, working, theta)), rel=DENSE)


@pytest.mark.parametrize("terms", TERMS)
@pytest.mark.parametrize("reml", [True, False], ids=["REML", "ML"])
def test_gradient(terms, reml):
    rng, design = make(terms, weighted=True)
    working = coordinates(design)
    problem = linear_problem(design, working)
    dense = reml_criterion if reml else ml_criterion
    for theta in (rng.normal(size=working.size), np.zeros(working.size)):
        _, gradient = criterion(problem, theta, reml=reml)
        expected = central(lambda x: dense(design, dense_V(design, working, x)), theta)
        np.testing.assert_allclose(gradient, expected, **DIFFERENCED)


@pytest.mark.parametrize("reml", [True, False])
@pytest.mark.parametrize("terms", TERMS)
def test_deviance_with_sigma_not_profiled_out(terms, reml):
    rng, design = make(terms, weighted=True)
    working = coordinates(design)
    problem, theta = linear_problem(design, working), rng.normal(size=working.size)

    def dense(x):
        V = dense_V(design, working, x[:-1])
        if reml:
            return reml_criterion(design, V, float(np.exp(2.0 * x[-1])))
        inverse, y = np.linalg.inv(V), design.y - design.offset
        beta = np.linalg.solve(design.X.T @ inverse @ design.X, design.X.T @ inverse @ y)
        return -2.0 * multivariate_normal(design.X @ beta, np.exp(2.0 * x[-1]) * V).logpdf(y)

    x = np.append(theta, np.log(SIGMA))
    value, slopes = deviance_at_sigma(problem, theta, np.asarray(SIGMA), reml=reml)
    assert value == pytest.approx(dense(x), rel=DENSE)
    same_slopes([slopes], dense, x)
    values, _ = deviance_at_sigma(problem, np.stack([theta, 2.0 * theta]), np.array([1.0, SIGMA]), reml=reml)
    assert values[0] == pytest.approx(dense(np.append(theta, 0.0)), rel=DENSE)
    assert values[1] == pytest.approx(dense(np.append(2.0 * theta, np.log(SIGMA))), rel=DENSE)


@pytest.mark.parametrize("terms", TERMS)
def test_fixed_effects_are_generalised_least_squares(terms):
    rng, design = make(terms, weighted=True)
    working = coordinates(design)
    problem = linear_problem(design, working)
    theta = rng.normal(size=working.size)
    V = dense_V(design, working, theta)
    beta = working.T @ (problem.beta_ols + solve_linear(problem, theta).beta)
    inverse = np.linalg.inv(V)
    y = design.y - design.offset
    expected = np.linalg.solve(design.X.T @ inverse @ design.X, design.X.T @ inverse @ y)
    np.testing.assert_allclose(beta, expected, rtol=1e-8)


@pytest.mark.parametrize("terms", TERMS)
def test_batches_of_theta_equal_single_points(terms):
    rng, design = make(terms, weighted=True)
    working = coordinates(design)
    problem = linear_problem(design, working)
    theta = rng.normal(size=(2, 3, working.size))
    together = solve_linear(problem, theta)
    for index in np.ndindex(2, 3):
        alone = solve_linear(problem, theta[index])
        np.testing.assert_allclose(together.beta[index], alone.beta, rtol=1e-10, atol=1e-12)
        np.testing.assert_allclose(together.rss[index], alone.rss, rtol=1e-12)
        np.testing.assert_allclose(together.log_det_X[index], alone.log_det_X, rtol=1e-12)


# ---- the same model in other words ---------------------------------------------------------------------------------


def fit(formula, data, method="reml", **options):
    return bmx.Model(formula, data, **options).estimate(method)


def same_fit(one, other):
    """Equal criterion, fixed effects, sds by name; returns nothing."""
    assert one.criterion == pytest.approx(other.criterion, rel=1e-12, abs=CRITERION)
    a, b = one.parameters(), other.parameters()
    assert set(a.index) == set(b.index)
    np.testing.assert_allclose(a["estimate"], b.loc[a.index, "estimate"], rtol=OPTIMUM, atol=OPTIMUM)
    np.testing.assert_allclose(a["std_error"], b.loc[a.index, "std_error"], rtol=OPTIMUM)


@pytest.mark.parametrize("method", ["reml", "ml"])
def test_two_bars_are_independent_terms(method):
    data = bmx.load_dataset("sleepstudy")
    double = fit("Reaction ~ Days + (Days || Subject)", data, method)
    single = fit("Reaction ~ Days + (1 | Subject) + (0 + Days | Subject)", data, method)
    same_fit(double, single)
    np.testing.assert_allclose(double.ranef()["Subject"], single.ranef()["Subject"], rtol=OPTIMUM, atol=1e-4)
    correlated = fit("Reaction ~ Days + (Days | Subject)", data, method)
    assert correlated.criterion < double.criterion - 1e-3  # and another model than with the correlation


@pytest.mark.parametrize("method", ["reml", "ml"])
def test_a_diagonal_term_is_two_bars(method):
    data = bmx.load_dataset("sleepstudy")
    diagonal = fit("Reaction ~ Days + diag(Days | Subject)", data, method)
    double = fit("Reaction ~ Days + (Days || Subject)", data, method)
    same_fit(diagonal, double)
    (matrix,) = diagonal.point.covariances
    assert matrix[0, 1] == 0.0
    assert diagonal.df == double.df


def test_a_slash_is_nesting():
    data = bmx.load_dataset("Pastes")
    slash = fit("strength ~ 1 + (1 | batch/cask)", data)
    spelled = fit("strength ~ 1 + (1 | batch) + (1 | cask:batch)", data)
    assert slash.criterion == pytest.approx(spelled.criterion, rel=1e-12)
    np.testing.assert_allclose(
        np.sort([sd[0] for sd in slash.values.sd]), np.sort([sd[0] for sd in spelled.values.sd]), rtol=OPTIMUM
    )
    explicit = fit("strength ~ 1 + (1 | batch) + (1 | sample)", data)  # `sample` labels casks within batches
    assert slash.criterion == pytest.approx(explicit.criterion, rel=1e-12)


# ---- equivariance --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["reml", "ml"])
@pytest.mark.parametrize(("factor", "shift"), [(-3.0, 7.0), (1e-6, 0.0), (1e5, 1e9)])
def test_units_of_the_response(method, factor, shift):
    data = bmx.load_dataset("sleepstudy")
    plain = fit("Reaction ~ Days + (Days | Subject)", data, method)
    moved = fit("Reaction ~ Days + (Days | Subject)", data.assign(Reaction=factor * data["Reaction"] + shift), method)
    a, b = plain.parameters()["estimate"], moved.parameters()["estimate"]
    expected = abs(factor) * a.to_numpy()
    expected[:2] = factor * a.iloc[:2] + [shift, 0.0]
    expected[4] = a.iloc[4]  # the correlation
    np.testing.assert_allclose(b, expected, rtol=OPTIMUM)
    freedom = 180 - (2 if method == "reml" else 0)
    jacobian = 2.0 * freedom * np.log(abs(factor))
    assert moved.criterion == pytest.approx(plain.criterion + jacobian, abs=1e-6 * max(1.0, abs(jacobian)))


@pytest.mark.parametrize("method", ["reml", "ml"])
@pytest.mark.parametrize(("factor", "shift"), [(1e6, 2e9), (1.0, 2000.0), (-1e-4, 0.0)], ids=["huge", "years", "tiny"])
def test_units_of_a_predictor(method, factor, shift):
    """A slope and its intercept: ``a + b x = (a - b shift / factor) + (b / factor) x'``."""
    data = bmx.load_dataset("sleepstudy")
    plain = fit("Reaction ~ Days + (Days | Subject)", data, method)
    moved = fit("Reaction ~ Days + (Days | Subject)", data.assign(Days=factor * data["Days"] + shift), method)
    A = np.array([[1.0, -shift / factor], [0.0, 1.0 / factor]])
    np.testing.assert_allclose(moved.values.beta, A @ plain.values.beta, rtol=OPTIMUM)
    np.testing.assert_allclose(moved.point.covariances[0], A @ plain.point.covariances[0] @ A.T, rtol=1e-4)
    np.testing.assert_allclose(moved.point.beta_cov, A @ plain.point.beta_cov @ A.T, rtol=1e-4)
    np.testing.assert_allclose(moved.values.dispersion, plain.values.dispersion, rtol=OPTIMUM)
    np.testing.assert_allclose(moved.fitted(), plain.fitted(), rtol=OPTIMUM)
    jacobian = 2.0 * np.log(abs(factor)) if method == "reml" else 0.0  # |X'V^-1X| counts the slope's units
    assert moved.criterion == pytest.approx(plain.criterion + jacobian, abs=1e-6)


def test_weights_in_other_units_change_sigma_only():
    data = bmx.load_dataset("sleepstudy_ow")
    plain = fit("Reaction ~ Days + (Days | Subject)", data, weights="wt")
    moved = fit("Reaction ~ Days + (Days | Subject)", data.assign(wt=100.0 * data["wt"]), weights="wt")
    a, b = plain.parameters()["estimate"], moved.parameters()["estimate"]
    np.testing.assert_allclose(b["sigma"], 10.0 * a["sigma"], rtol=OPTIMUM)
    np.testing.assert_allclose(b.drop("sigma"), a.drop("sigma"), rtol=OPTIMUM)
    assert moved.criterion == pytest.approx(plain.criterion, abs=1e-6)


@pytest.mark.parametrize("reml", [True, False])
@pytest.mark.parametrize("name", TERMS)
def test_criteria_at_many_points_are_those_at_each(name, reml):
    rng, design = make(name, weighted=True)
    problem = linear_problem(design, coordinates(design))
    points = rng.normal(size=(2, 3, problem.coordinates.size))
    points[0, 0] = 0.0  # on the boundary
    values, gradients = criteria_and_gradients(problem, points, reml=reml)
    for at in np.ndindex(2, 3):
        value, gradient = criterion(problem, points[at], reml=reml)
        np.testing.assert_allclose(values[at], value, rtol=DENSE)
        np.testing.assert_allclose(gradients[at], gradient, rtol=DENSE, atol=DENSE)


def test_a_residual_variance_that_underflows_is_no_value():
    design = bmx.Model("Reaction ~ Days + (1 | Subject)", bmx.load_dataset("sleepstudy")).design
    problem = linear_problem(design, coordinates(design))
    with pytest.raises(np.linalg.LinAlgError, match="no residual variance"):
        profiled_deviance(problem, [np.eye(1)], sigma=1e-200)


@pytest.mark.parametrize("weights", [None, "size"])
def test_products_of_many_rows_give_the_same_fit(weights: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    data = bmx.load_dataset("sleepstudy")
    data = data.assign(size=1.0 + data["Days"], x=data["Days"] + 1e3)
    formula = "Reaction ~ x + I(x^2) + (1 | Subject)"
    by_qr = bmx.Model(formula, data, weights=weights).estimate()
    monkeypatch.setattr(reml, "TALL", 0.0)
    monkeypatch.setattr(scaling, "TALL", 0.0)
    by_products = bmx.Model(formula, data, weights=weights).estimate()
    assert by_products.criterion == pytest.approx(by_qr.criterion, rel=1e-11)
    np.testing.assert_allclose(by_products.fitted(), by_qr.fitted(), rtol=1e-9)
