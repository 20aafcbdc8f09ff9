"""Point estimates: singular fits, methods, and every number of a linear fit against dense formulas."""

from __future__ import annotations

import numpy as np
import pytest
from dense import central, gls, indicator, ml_criterion, random_covariance, reml_criterion
from handmade import level_codes, make_design, make_term, with_x

import bayesmix as bmx
from bayesmix.errors import SpecError
from bayesmix.inference.estimation.conditional_mode import generalized_problem
from bayesmix.inference.estimation.estimate import estimate
from bayesmix.inference.estimation.generalized import MarginalLikelihood
from bayesmix.inference.estimation.methods import Agq, Laplace, Ml, Reml, resolve_method
from bayesmix.inference.estimation.point_estimate import PointEstimate
from bayesmix.inference.least_squares.scaling import coordinates
from bayesmix.language.families.registry import FAMILIES, find_link
from bayesmix.language.formula.model_spec import make_spec

REFERENCE = 1e-6  # absolute on criteria, as tests/reference: lme4's own polish leaves less
DENSE = 1e-8  # dense matrices of 180 rows
DIFFERENCED = {"rtol": 1e-6, "atol": 1e-6}
INVARIANT = 1e-6  # the optimum is found to about half the digits of the criterion

GAUSSIAN, POISSON = (make_spec("y ~ x + (1 | g)", name, None, None) for name in ("gaussian", "poisson"))


# ---- methods -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "family", "link", "method"),
    [
        ("auto", "gaussian", None, Reml()),
        ("auto", "gaussian", "log", Laplace()),
        ("auto", "poisson", None, Laplace()),
        ("reml", "gaussian", None, Reml()),
        ("REML", "gaussian", None, Reml()),
        ("ml", "gaussian", None, Ml()),
        ("ml", "binomial", None, Laplace()),  # maximum likelihood, approximated
        ("laplace", "poisson", None, Laplace()),
        ("agq", "poisson", None, Agq()),
        (Agq(points=5), "binomial", None, Agq(points=5)),
    ],
)
def test_methods_by_name(text, family, link, method):
    assert resolve_method(text, make_spec("y ~ x + (1 | g)", family, link, None)) == method


SIGMA = make_spec(["y ~ x + (1 | g)", "sigma ~ x"], "gaussian", None, None)
RESPONSES = make_spec(["y ~ x + (1 | g)", "z ~ x"], {"y": "gaussian", "z": "poisson"}, None, None)


@pytest.mark.parametrize(("text", "method"), [("auto", Laplace()), ("reml", Reml()), ("ml", Laplace()), ("agq", Agq())])
def test_methods_of_linear_means_beside_which_sigma_has_a_formula(text, method):
    assert resolve_method(text, SIGMA) == method


@pytest.mark.parametrize(
    ("spec", "method", "match"),
    [
        (RESPONSES, "reml", "several responses, family `poisson` and link `log`, .*: use Laplace"),
        (SIGMA, Ml(), r"formulas of several parameters, .*: use Reml\(\), Laplace\(\) or Agq"),
    ],
)
def test_what_does_not_fit_several_predictors_is_refused(spec, method, match):
    with pytest.raises(SpecError, match=match):
        resolve_method(method, spec)


@pytest.mark.parametrize("method", ["reml", Reml(), Ml()])
def test_linear_methods_refuse_generalized_models(method):
    with pytest.raises(SpecError, match=r"does not fit .* family `poisson` and link `log`: use Laplace\(\) or Agq"):
        resolve_method(method, POISSON)


@pytest.mark.parametrize("method", ["laplace", "agq", Laplace(), Agq(points=3)])
def test_generalized_methods_refuse_linear_models(method):
    with pytest.raises(SpecError, match=r"use Reml\(\) or Ml\(\)"):
        resolve_method(method, GAUSSIAN)


def test_reml_refuses_a_gaussian_response_with_another_link():
    with pytest.raises(SpecError, match="link `log`"):
        resolve_method("reml", make_spec("y ~ x + (1 | g)", "gaussian", "log", None))


def test_unknown_methods_get_the_nearest():
    with pytest.raises(SpecError, match="Did you mean `laplace`"):
        resolve_method("laplas", POISSON)


def test_quadrature_needs_a_point():
    with pytest.raises(SpecError, match="at least one point, not 0"):
        Agq(points=0)


def test_quadrature_of_two_grouping_factors_is_refused():
    data = bmx.load_dataset("esoph")
    model = bmx.Model("ncases ~ 1 + (1 | agegp) + (1 | alcgp)", data, family="poisson")
    with pytest.raises(SpecError, match="exactly one grouping factor"):
        model.estimate("agq")


def test_quadrature_of_two_terms_of_one_factor_is_one_integral():
    data = bmx.load_dataset("esoph")
    double, single = (
        bmx.Model(f"ncases ~ ncontrols + {bars}", data, family="poisson").estimate(Agq(points=3))
        for bars in ("(ncontrols || agegp)", "(1 | agegp) + (0 + ncontrols | agegp)")
    )
    assert double.criterion == pytest.approx(single.criterion, abs=1e-8)
    np.testing.assert_allclose(double.parameters()["estimate"], single.parameters()["estimate"], rtol=INVARIANT)


# ---- singular fits -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("method", "case"), [("reml", "dyestuff2_reml"), ("ml", "dyestuff2_ml")])
def test_a_variance_of_zero_is_exactly_zero(fitted, reference, method, case):
    fit = fitted("dyestuff2", method)
    assert fit.singular
    assert fit.converged
    assert fit.values.sd[0][0] == 0.0
    assert np.all(fit.values.b[0] == 0.0)
    assert fit.criterion == pytest.approx(reference(case)["criterion"]["value"], abs=REFERENCE)
    y = fit.design.y  # without random effects: the mean and its standard error
    assert fit.values.beta[0] == pytest.approx(y.mean(), rel=1e-12)
    freedom = len(y) - (method == "reml")
    sigma = np.sqrt(np.sum((y - y.mean()) ** 2) / freedom)
    assert fit.values.dispersion == pytest.approx(sigma, rel=1e-10)
    assert fit.fixef().loc["Intercept", "std_error"] == pytest.approx(sigma / np.sqrt(len(y)), rel=1e-10)


def test_a_correlation_of_one_has_exact_rank():
    data = bmx.load_dataset("cake")
    fit = bmx.Model("angle ~ recipe + temp + (recipe | replicate)", data).estimate()
    assert fit.singular
    smallest = np.linalg.eigvalsh(fit.point.covariances[0])[0]
    assert abs(smallest) < 1e-10 * np.trace(fit.point.covariances[0])


def test_a_generalized_variance_of_zero_is_exactly_zero():
    data = {"y": np.tile([0.0, 1.0, 2.0, 1.0], 10), "g": np.repeat([f"g{j}" for j in range(10)], 4)}
    fit = bmx.Model("y ~ 1 + (1 | g)", data, family="poisson").estimate()  # every group alike: less than Poisson noise
    assert fit.singular
    assert fit.values.sd[0][0] == 0.0
    assert fit.values.beta[0] == pytest.approx(0.0, abs=1e-8)  # log of the mean 1
    assert fit.fixef().loc["Intercept", "std_error"] == pytest.approx(1.0 / np.sqrt(40.0), rel=1e-4)


def test_regular_fits_are_not_singular(fitted):
    for name in ("sleepstudy", "penicillin", "dyestuff", "cbpp"):
        assert not fitted(name).singular
        assert fitted(name).converged


# ---- every number of a linear fit ----------------------------------------------------------------------------------

LINEAR = ["sleepstudy", "sleepstudy ||", "sleepstudy weights", "sleepstudy offset", "penicillin", "pastes", "esoph"]


def whole_V(fit: bmx.Estimate) -> np.ndarray:
    residual = np.diag(float(fit.values.dispersion) ** 2 / fit.design.weights)
    return residual + random_covariance(fit.design, fit.point.covariances)


@pytest.mark.parametrize("method", ["reml", "ml"])
@pytest.mark.parametrize("name", LINEAR)
def test_linear_estimates_solve_the_dense_equations(fitted, name, method):
    fit = fitted(name, method)
    design, V = fit.design, whole_V(fit)
    inverse = np.linalg.inv(V)
    information = design.X.T @ inverse @ design.X
    y = design.y - design.offset
    beta = gls(design.X, y, V)
    np.testing.assert_allclose(fit.values.beta, beta, rtol=DENSE)
    np.testing.assert_allclose(fit.point.beta_cov, np.linalg.inv(information), rtol=DENSE)
    for term, matrix, b, b_cov in zip(design.terms, fit.point.covariances, fit.point.b, fit.point.b_cov, strict=True):
        J, k = b.shape
        Z = indicator(term.codes, term.z, J)
        G = np.kron(np.eye(J), matrix)
        np.testing.assert_allclose(b.ravel(), G @ Z.T @ inverse @ (y - design.X @ beta), rtol=1e-6, atol=DENSE)
        conditional = G - G @ Z.T @ inverse @ Z @ G
        for j in range(J):
            at = slice(j * k, (j + 1) * k)
            np.testing.assert_allclose(b_cov[j], conditional[at, at], rtol=1e-6, atol=DENSE)
    dense = reml_criterion if method == "reml" else ml_criterion
    assert fit.criterion == pytest.approx(dense(design, V, sigma2=1.0), rel=1e-10)


@pytest.mark.parametrize("name", LINEAR)
def test_each_criterion_is_best_at_its_own_estimate(fitted, name):
    """ML's -2 log-likelihood is below that of the REML estimates, and the other way around."""
    reml, ml = fitted(name, "reml"), fitted(name, "ml")
    assert ml.criterion < ml_criterion(ml.design, whole_V(reml), sigma2=1.0) + 1e-8
    assert reml.criterion < reml_criterion(ml.design, whole_V(ml), sigma2=1.0) + 1e-8


def test_deviances_of_nested_models_are_ordered():
    data = bmx.load_dataset("sleepstudy")
    chain = [
        "Reaction ~ 1 + (1 | Subject)",
        "Reaction ~ Days + (1 | Subject)",
        "Reaction ~ Days + (Days || Subject)",
        "Reaction ~ Days + (Days | Subject)",
        "Reaction ~ Days + I(Days^2) + (Days | Subject)",
    ]
    fits = [bmx.Model(formula, data).estimate("ml") for formula in chain]
    deviances = [fit.criterion for fit in fits]
    assert np.all(np.diff(deviances) < 0.0)
    assert [fit.df for fit in fits] == [3, 4, 5, 6, 7]
    for fit in fits:
        assert fit.loglik == -0.5 * fit.criterion
        assert fit.aic == pytest.approx(fit.criterion + 2.0 * fit.df)
        assert fit.bic == pytest.approx(fit.criterion + np.log(180.0) * fit.df)
        assert fit.df_resid == 180 - fit.df


@pytest.mark.parametrize("method", ["reml", "ml"])
def test_a_balanced_one_way_layout_has_a_closed_form(fitted, method):
    """Dyestuff: 6 batches of 5. REML's are the analysis of variance estimates, ML's divide by 6 instead of 5."""
    fit = fitted("dyestuff", method)
    data = bmx.load_dataset("Dyestuff")
    groups = data.groupby("Batch", observed=True)["Yield"]
    within = groups.var(ddof=1).mean()
    between = 5.0 * groups.mean().var(ddof=1 if method == "reml" else 0)
    assert fit.values.dispersion == pytest.approx(np.sqrt(within), rel=INVARIANT)
    assert fit.values.sd[0][0] == pytest.approx(np.sqrt((between - within) / 5.0), rel=INVARIANT)
    assert fit.values.beta[0] == pytest.approx(data["Yield"].mean(), rel=1e-12)
    assert fit.fixef().loc["Intercept", "std_error"] == pytest.approx(np.sqrt(between / 30.0), rel=INVARIANT)


# ---- generalized ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", [Laplace(), Agq(points=5)])
@pytest.mark.parametrize("family", ["poisson", "binomial", "gamma", "negbinomial"])
def test_gradient_of_the_marginal_likelihood(family, method):
    """With the dispersion."""
    rng = np.random.default_rng(2)
    n = 40
    X = with_x(rng, n)
    chosen = FAMILIES[family]
    trials = np.full(n, 6.0)
    link = find_link(chosen, None)
    y = chosen.sample(rng, trials, link.inverse(0.4 * X[:, 1])[0], *chosen.others(np.full(n, 2.0)))
    design = make_design(
        y, X, [make_term("g", level_codes(rng, n, 6), X)], trials=trials if family == "binomial" else None
    )
    problem = generalized_problem(design, coordinates(design), make_spec("y ~ 1", chosen, None, None))
    likelihood = MarginalLikelihood(problem, method)
    x = np.array([0.5, 0.1, 0.4, 0.1, 0.3, *([0.6] if chosen.dispersion else [])])
    value, gradient = likelihood(x)
    assert value == pytest.approx(likelihood.value(x), rel=1e-12)
    np.testing.assert_allclose(gradient, central(likelihood.value, x, 3e-4), **DIFFERENCED)


@pytest.mark.parametrize("name", ["esoph poisson", "cbpp", "gammasim"])
def test_standard_errors_are_those_of_the_curvature(fitted, name):
    """Inverse of half the Hessian of -2 log-likelihood, differenced in the user's units."""
    fit = fitted(name)
    point, design = fit.point, fit.design
    problem = generalized_problem(design, point.coordinates, fit.spec)
    likelihood = MarginalLikelihood(problem, Laplace())
    T = point.coordinates.T
    m, p = point.coordinates.size, len(point.beta)
    scale = np.ones(len(point.optimum.x))
    scale[m : m + p] = 1.0 / np.sqrt(np.diagonal(np.linalg.inv(T.T @ T)))

    def gradient(x):
        moved = x.copy()
        moved[m : m + p] = np.linalg.solve(T, x[m : m + p])
        found = likelihood(moved)[1]
        found[m : m + p] = np.linalg.solve(T.T, found[m : m + p])
        return found

    x = point.optimum.x.copy()
    x[m : m + p] = point.beta
    H = 0.5 * central(gradient, x, 1e-5)
    covariance = np.linalg.inv(0.5 * (H + H.T))[m : m + p, m : m + p]
    np.testing.assert_allclose(np.sqrt(np.diagonal(covariance)), fit.fixef()["std_error"], rtol=1e-4)
    np.testing.assert_allclose(gradient(x), 0.0, atol=1e-3)


def test_more_nodes_converge():
    data = bmx.load_dataset("cbpp")
    model = bmx.Model("cbind(incidence, size - incidence) ~ 1 + (1 | herd)", data, family="binomial")
    criteria = [model.estimate(Agq(points=points)).criterion for points in (1, 9, 25)]
    assert criteria[0] == pytest.approx(model.estimate("laplace").criterion, abs=1e-7)
    assert abs(criteria[1] - criteria[2]) < 1e-4 < abs(criteria[0] - criteria[2])


def spread_counts(seed, draw):
    """Ten groups whose log means have a standard deviation of 6."""
    rng = np.random.default_rng(seed)
    groups, x = np.arange(60) % 10, rng.normal(size=60)
    mean = np.exp(1.0 + 0.5 * x + 6.0 * rng.normal(size=10)[groups])
    return {"y": draw(rng, mean), "x": x, "g": [f"g{j}" for j in groups]}


def test_trial_steps_emit_no_warnings():
    """The suite turns warnings into errors; users would see them."""
    data = spread_counts(2, lambda rng, mean: rng.gamma(2.0, mean / 2.0))
    assert bmx.Model("y ~ x + (1 | g)", data, family="gamma").estimate().converged


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_very_different_groups_are_fitted():
    data = spread_counts(0, lambda rng, mean: rng.poisson(mean * rng.gamma(2.0, 0.5, 60)))
    fit = bmx.Model("y ~ x + (1 | g)", data, family="negbinomial").estimate()
    assert fit.values.sd[0][0] == pytest.approx(6.0, rel=0.5)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_a_gaussian_response_with_log_link_may_be_negative():
    """Only the mean is positive."""
    rng = np.random.default_rng(3)
    groups, x = np.arange(60) % 6, rng.normal(size=60)
    y = np.exp(0.5 + 0.3 * x + 0.3 * rng.normal(size=6)[groups]) + rng.normal(size=60)
    assert y.min() < 0.0
    fit = bmx.Model("y ~ x + (1 | g)", {"y": y, "x": x, "g": [f"g{j}" for j in groups]}, link="log").estimate()
    np.testing.assert_allclose(fit.values.beta, [0.5, 0.3], atol=0.4)


# ---- invariance ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("formula", "name", "options"),
    [
        ("Reaction ~ Days + (Days | Subject)", "sleepstudy", {}),
        ("diameter ~ 1 + (1 | plate) + (1 | sample)", "Penicillin", {}),
        ("strength ~ 1 + (1 | batch/cask)", "Pastes", {}),
        ("cbind(incidence, size - incidence) ~ period + (1 | herd)", "cbpp", {"family": "binomial"}),
    ],
)
def test_order_of_rows_and_of_levels_changes_nothing(formula, name, options):
    data = bmx.load_dataset(name)
    before = bmx.Model(formula, data, **options).estimate()
    rng = np.random.default_rng(4)
    moved = data.iloc[rng.permutation(len(data))].reset_index(drop=True)
    for term in before.design.terms:
        for column in term.group.split(":"):
            levels = list(data[column].cat.categories)
            moved[column] = moved[column].cat.reorder_categories([levels[j] for j in rng.permutation(len(levels))])
    after = bmx.Model(formula, moved, **options).estimate()
    assert after.criterion == pytest.approx(before.criterion, abs=1e-8)
    np.testing.assert_allclose(after.parameters()["estimate"], before.parameters()["estimate"], rtol=INVARIANT)
    np.testing.assert_allclose(after.parameters()["std_error"], before.parameters()["std_error"], rtol=INVARIANT)
    for group, table in before.ranef().items():
        assert list(after.ranef()[group].index) != list(table.index)
        np.testing.assert_allclose(after.ranef()[group].loc[table.index], table, rtol=1e-5, atol=INVARIANT)


def test_estimating_twice_gives_the_same_bits(model):
    first = model("sleepstudy").estimate()
    second = model("sleepstudy").estimate()
    assert first.criterion == second.criterion
    np.testing.assert_array_equal(first.values.beta, second.values.beta)


def test_a_design_is_enough():
    """No formula, no data frame: `estimate` is a function of arrays."""
    rng = np.random.default_rng(9)
    codes = level_codes(rng, 50, 7)
    y = rng.normal(size=7)[codes] + rng.normal(size=50)
    design = make_design(y, with_x(rng, 50), [make_term("g", codes, np.ones((50, 1)))])
    found = estimate(design, make_spec("y ~ 1", "gaussian", None, None), Ml())
    assert isinstance(found, PointEstimate)
    V = found.dispersion**2 * np.eye(50) + random_covariance(design, found.covariances)
    assert found.criterion == pytest.approx(ml_criterion(design, V, sigma2=1.0), rel=1e-10)
    assert np.all(np.abs(found.optimum.gradient) < 1e-5)
