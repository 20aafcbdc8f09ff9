"""Covariance structures: matrices and parametrisations by their definitions, estimates against R.

``tests/reference/structures`` holds the estimates and the R script that made them: lme4's own deviance function at the
factors that lme4 2.x defines, and glmmTMB for counts and shares.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from dense import central, random_covariance, reml_criterion
from handmade import level_codes, make_term
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.stats import beta

import bayesmix as bmx
from bayesmix.errors import SpecError
from bayesmix.inference.parameters.correlation import Autoregressive, Exchangeable, Free, Independent
from bayesmix.inference.parameters.covariance import from_factor, structure_of, to_factor
from bayesmix.results.prediction.predict import predict
from bayesmix.results.prediction.rows import PredictionRows

REFERENCE = json.loads(
    (Path(__file__).parents[2] / "reference" / "structures" / "estimates.json").read_text(encoding="utf-8")
)["cases"]
CRITERION = 1e-8  # both are polished by Newton steps
CLOSE = 1e-4  # of the standard error of a fixed effect, of the size of a standard deviation; of a correlation
GLMMTMB = 1e-6  # of the criterion: glmmTMB's optimiser stops earlier
EXACT = {"rtol": 1e-10, "atol": 1e-12}

NAMES = ("us", "diag", "homdiag", "cs", "homcs", "ar1", "hetar1")
RULED = {"cs": Exchangeable, "ar1": Autoregressive}


def structure(name, k):
    rng = np.random.default_rng(k)
    effects = [f"e{i}" for i in range(k)]
    return structure_of(
        make_term("g", level_codes(rng, 20, 4), rng.normal(size=(20, k)), structure=name, effects=effects)
    )


def by_definition(name, k, rho):
    lag = np.abs(np.subtract.outer(np.arange(k), np.arange(k)))
    return np.asarray(rho)[..., None, None] ** (np.minimum(lag, 1) if name == "cs" else lag)


# ---- estimates -----------------------------------------------------------------------------------------------------


@cache
def fitted(case):
    given = REFERENCE[case]
    model = bmx.Model(given["formula"], bmx.load_dataset(given["data"]), family=given["family"])
    if given["family"] != "gaussian":
        return model.estimate("laplace")
    return model.estimate("reml" if given["reml"] else "ml")


@pytest.mark.parametrize("case", REFERENCE)
def test_estimates_are_rs(case):
    fit, given = fitted(case), REFERENCE[case]
    assert fit.converged
    assert not fit.singular
    assert fit.criterion == pytest.approx(given["criterion"], rel=CRITERION)
    if "check" in given:
        assert fit.criterion == pytest.approx(given["check"], rel=GLMMTMB)
    se = np.array(list(given["se"].values()))
    np.testing.assert_array_less(np.abs(fit.point.beta - np.array(list(given["beta"].values()))) / se, CLOSE)
    np.testing.assert_allclose(np.sqrt(np.diagonal(fit.point.beta_cov)), se, rtol=CLOSE)
    for term, sd, corr, expected in zip(fit.design.terms, fit.values.sd, fit.values.corr, given["terms"], strict=True):
        np.testing.assert_allclose(sd, expected["sd"], rtol=CLOSE)
        if expected["rho"] is not None:
            kind = "cs" if term.structure.endswith("cs") else "ar1"
            np.testing.assert_allclose(corr, by_definition(kind, len(sd), expected["rho"]), atol=CLOSE)
    if "sigma" in given:
        assert fit.point.dispersion == pytest.approx(given["sigma"], rel=CLOSE)


def test_every_structure_has_a_reference():
    structures = {term.structure for case in REFERENCE for term in fitted(case).design.terms}
    assert structures >= set(NAMES) - {"us", "diag"}


def test_the_criterion_is_the_dense_density_of_error_contrasts():
    """Independent of R: the textbook formula at our estimates, and nowhere lower around them."""
    fit = fitted("cake_cs")

    def at(sd, rho, sigma):
        matrix = by_definition("cs", 3, rho) * np.outer(sd, sd)
        V = sigma**2 * np.eye(len(fit.design.y)) + random_covariance(fit.design, [matrix])
        return reml_criterion(fit.design, V, 1.0)

    sd, rho, sigma = fit.values.sd[0], fit.values.corr[0][0, 1], fit.point.dispersion
    best = at(sd, rho, sigma)
    assert best == pytest.approx(fit.criterion, rel=1e-10)
    for share in (0.99, 1.01):
        assert at(sd * [share, 1.0, 1.0], rho, sigma) > best
        assert at(sd, rho * share, sigma) > best
        assert at(sd, rho, sigma * share) > best


def test_two_effects_are_compound_symmetric_as_they_are(fitted):
    ours, us = bmx.Model("Reaction ~ Days + cs(Days | Subject)", bmx.load_dataset("sleepstudy")), fitted("sleepstudy")
    estimate = ours.estimate()
    assert estimate.criterion == pytest.approx(us.criterion, rel=1e-10)
    assert estimate.names[-2:] == ["corr(Subject)", "sigma"]
    np.testing.assert_allclose(estimate.parameters()["estimate"], us.parameters()["estimate"], rtol=1e-5)
    np.testing.assert_allclose(estimate.ranef()["Subject"], us.ranef()["Subject"], rtol=1e-5, atol=1e-4)


def test_one_variance_for_all_cells_is_a_grouping_by_cells():
    """``diag(0 + f | g, hom = TRUE)`` is ``(1 | f:g)``; ``cs(0 + f | g, hom = TRUE)`` is ``(1 | g) + (1 | f:g)``."""
    cake = bmx.load_dataset("cake")
    fixed = "angle ~ recipe + temp + "
    cells = bmx.Model(fixed + "(1 | recipe:replicate)", cake).estimate()
    diag = bmx.Model(fixed + "diag(0 + recipe | replicate, hom = TRUE)", cake).estimate()
    assert diag.criterion == pytest.approx(cells.criterion, rel=1e-12)
    assert diag.parameters().loc["sd(replicate)", "estimate"] == pytest.approx(cells.values.sd[0][0], rel=1e-6)
    both = bmx.Model(fixed + "(1 | replicate) + (1 | recipe:replicate)", cake).estimate()
    cs = bmx.Model(fixed + "cs(0 + recipe | replicate, hom = TRUE)", cake).estimate()
    assert cs.criterion == pytest.approx(both.criterion, rel=1e-12)
    within, between = (float(sd[0]) for sd in both.values.sd)
    assert cs.parameters().loc["sd(replicate)", "estimate"] == pytest.approx(np.hypot(within, between), rel=1e-6)
    share = between**2 / (between**2 + within**2)
    assert cs.parameters().loc["corr(replicate)", "estimate"] == pytest.approx(share, rel=1e-6)


def test_a_correlation_at_the_end_of_its_range_is_put_there_and_named():
    fit = bmx.Model(
        "angle ~ recipe + temp + ar1(0 + temperature | recipe:replicate)", bmx.load_dataset("cake")
    ).estimate()
    plain = bmx.Model("angle ~ recipe + temp + (1 | recipe:replicate)", bmx.load_dataset("cake")).estimate()
    assert fit.singular
    assert fit.converged
    assert fit.parameters().loc["corr(recipe:replicate)", "estimate"] == pytest.approx(1.0, abs=1e-12)
    assert fit.criterion == pytest.approx(plain.criterion, rel=1e-12)
    assert "boundary (singular) fit: corr(recipe:replicate) = 1" in str(fit.summary())


# ---- what people see -----------------------------------------------------------------------------------------------


def test_summaries_show_one_number_where_one_rules(posterior_of):
    lines = str(fitted("sleepstudy_ar1_and_intercept").summary()).splitlines()
    assert " Subject   (Intercept)         542.2   23.28" in lines
    assert " Subject.1 each of 10 effects 1716.8   41.43    0.83 (ar1)" in lines
    table = str(fitted("cake_cs").summary())
    assert " replicate recipeA 26.12    5.110    0.95 (cs)" in table


def test_tidy_names_the_structure():
    table = fitted("cake_homcs").tidy(effects=["ran_pars"])
    assert list(table["term"]) == ["sd__cs", "cor__cs", "sd__Observation"]


def test_names_stay_apart():
    data = bmx.load_dataset("sleepstudy").assign(half=lambda d: (d["Days"] > 4).map({True: "late", False: "early"}))
    model = bmx.Model(
        "Reaction ~ Days + ar1(0 + factor(Days) | Subject) + cs(0 + half | Subject, hom = TRUE)",
        data,
        priors={"corr(Subject)": "LKJ(1)"},
    )
    names = model.estimate().names
    assert names[2:] == ["sd(Subject)", "sd(Subject.1)", "corr(Subject)", "corr(Subject.1)", "sigma"]


def test_the_model_says_its_structure_and_prior():
    text = str(bmx.Model("angle ~ temp + cs(0 + recipe | replicate, hom = TRUE)", bmx.load_dataset("cake")))
    assert "3 equally correlated effects (recipeA, recipeB, recipeC), one sd for all" in " ".join(text.split())
    assert "corr(replicate)    ~ LKJ(1)                95 % within -0.46 .. 0.96" in text  # uniform on (-1/2, 1)


def test_an_lkj_without_density_on_the_structure_is_refused():
    with pytest.raises(SpecError, match=r"LKJ\(0\.5\) has no density .* `cs\(\)` with 3 effects: take LKJ\(1\)"):
        str(
            bmx.Model(
                "angle ~ temp + cs(0 + recipe | replicate)", bmx.load_dataset("cake"), priors={"corr": "LKJ(0.5)"}
            )
        )


def test_new_groups_are_predicted_with_the_structure():
    """Effects of 4000 new groups have the standard deviation and the correlations of the structure."""
    fit = fitted("cake_homcs")
    n = 4000
    cells = bmx.load_dataset("cake").drop_duplicates("recipe")
    new = pd.concat([cells] * n, ignore_index=True).assign(replicate=np.repeat([f"new{i}" for i in range(n)], 3))
    rows = PredictionRows.of_new_data(fit.design, new, "new", None)
    known = predict(fit.spec, rows, fit.values, kind="mean", groups="zero", seed=1)
    drawn = (predict(fit.spec, rows, fit.values, kind="mean", groups="new", seed=1) - known).reshape(n, 3)
    sd, rho = fit.values.sd[0][0], fit.values.corr[0][0, 1]
    np.testing.assert_allclose(drawn.std(axis=0), sd, rtol=4.0 / np.sqrt(2 * n))
    off = np.corrcoef(drawn.T)[np.tril_indices(3, -1)]
    np.testing.assert_allclose(off, rho, atol=4.0 * (1.0 - rho**2) / np.sqrt(n))


def test_profile_limits_of_a_ruled_correlation_are_those_of_the_same_model():
    data = bmx.load_dataset("sleepstudy")
    ruled = bmx.Model("Reaction ~ Days + cs(Days | Subject)", data).estimate().confint(["corr(Subject)"])
    free = bmx.Model("Reaction ~ Days + (Days | Subject)", data).estimate().confint(["corr(Subject, Intercept, Days)"])
    np.testing.assert_allclose(ruled.to_numpy(), free.to_numpy(), atol=1e-5)


def test_draws_carry_the_structure():
    model = bmx.Model("angle ~ recipe + temp + cs(0 + recipe | replicate, hom = TRUE)", bmx.load_dataset("cake"))
    post = model.sample(draws=500, chains=2, seed=1)
    assert list(post.parameters().index[4:]) == ["sd(replicate)", "corr(replicate)", "sigma"]
    tree = post.data["posterior"]
    assert list(tree["replicate_pair"].values) == ["cs"]
    assert tree["sd_replicate"].shape[-1] == 3
    matrix = post.values.corr[0]
    np.testing.assert_allclose(matrix, by_definition("cs", 3, matrix[..., 0, 1]), **EXACT)
    assert post.varcorr().shape == (7, 5)  # three variances, three covariances, the residual


@pytest.mark.slow
@pytest.mark.parametrize("formula", ["cs(0 + recipe | replicate)", "ar1(0 + recipe | replicate)"])
def test_both_engines_draw_the_same_posterior(formula):
    model = bmx.Model(f"angle ~ recipe + temp + {formula}", bmx.load_dataset("cake"))
    tables = [model.sample(method=method, draws=2000, seed=3).parameters() for method in ("marginal", "nuts")]
    error = np.sqrt(sum(table["sd"] ** 2 / table["ess_bulk"] for table in tables))
    assert np.all(np.abs(tables[0]["mean"] - tables[1]["mean"]) < 4.5 * error)


# ---- matrices ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("k", [2, 3, 5])
@pytest.mark.parametrize("name", RULED)
def test_roots_are_roots_of_the_matrix_by_definition(name, k):
    family = RULED[name](k)
    partial = np.random.default_rng(k).uniform(-1.0, 1.0, (4, 3, 1))
    rho = family.rho(partial[..., 0])
    expected = by_definition(name, k, rho)
    for root in (family.root(partial), family.at_angle(family.angle(rho))[0]):
        np.testing.assert_allclose(root @ np.swapaxes(root, -1, -2), expected, **EXACT)
    np.testing.assert_allclose(family.partial(expected), partial, **EXACT)
    np.testing.assert_allclose(family.matrix(family.numbers(expected)), expected, **EXACT)


@pytest.mark.parametrize("k", [2, 3, 5])
@pytest.mark.parametrize("name", RULED)
def test_the_ends_of_the_range_are_singular_and_the_root_smooth_there(name, k):
    family = RULED[name](k)
    for end in (family.lowest, 1.0):
        angle = family.angle(np.array(end))
        root, slope = family.at_angle(angle)
        np.testing.assert_allclose(root @ root.T, by_definition(name, k, end), atol=1e-12)
        assert np.min(family.edges(angle)) < 1e-12
        np.testing.assert_allclose(
            slope, central(lambda x, f=family: f.at_angle(x[0])[0], angle[None])[..., 0], atol=1e-9
        )


@pytest.mark.parametrize("eta", [1.0, 1.7, 4.0])
@pytest.mark.parametrize("k", [2, 3, 5])
@pytest.mark.parametrize("name", RULED)
def test_the_prior_of_the_number_is_the_lkj_density_on_the_family(name, k, eta):
    family = RULED[name](k)
    a, b = (float(value[0]) for value in family.beta(eta))
    grid = np.linspace(family.lowest, 1.0, 9)[1:-1]

    def density(rho):
        return np.linalg.det(by_definition(name, k, rho)) ** (eta - 1.0)

    expected = density(grid) / quad(density, family.lowest, 1.0)[0]
    found = beta(a, b, loc=family.lowest, scale=1.0 - family.lowest).pdf(grid)
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_a_free_matrix_is_listed_by_columns():
    matrix = np.array([[1.0, 0.1, 0.2, 0.3], [0.1, 1.0, 0.4, 0.5], [0.2, 0.4, 1.0, 0.6], [0.3, 0.5, 0.6, 1.0]])
    np.testing.assert_array_equal(Free(4).numbers(matrix), [0.1, 0.2, 0.3, 0.4, 0.5, 0.6])
    np.testing.assert_array_equal(Free(4).matrix(Free(4).numbers(matrix)), matrix)
    assert Independent(4).numbers(matrix).shape == (0,)


# ---- theta ---------------------------------------------------------------------------------------------------------


def test_theta_of_an_unstructured_term_runs_down_the_columns():
    """lme4's order."""
    (factor,) = to_factor([structure("us", 3)], np.arange(1.0, 7.0))
    np.testing.assert_array_equal(factor, [[1.0, 0.0, 0.0], [2.0, 4.0, 0.0], [3.0, 5.0, 6.0]])


@given(st.lists(st.tuples(st.integers(1, 4), st.sampled_from(NAMES)), min_size=1, max_size=4), st.integers(0, 1000))
def test_theta_and_factors_are_inverse(shapes, seed):
    structures = [structure(name, k) for k, name in shapes]
    theta = np.random.default_rng(seed).uniform(0.1, 1.4, (2, sum(s.size for s in structures)))
    factors = to_factor(structures, theta)
    np.testing.assert_allclose(from_factor(structures, factors), theta, rtol=1e-9)
    again = to_factor(structures, from_factor(structures, factors))
    for one, other in zip(factors, again, strict=True):
        np.testing.assert_allclose(one @ np.swapaxes(one, -1, -2), other @ np.swapaxes(other, -1, -2), rtol=1e-9)


@pytest.mark.parametrize("name", NAMES)
def test_gradients_are_those_of_the_factor(name):
    rng = np.random.default_rng(5)
    own, G = structure(name, 3), rng.normal(size=(3, 3))
    theta = rng.normal(size=own.size)
    slopes = central(lambda x: np.sum(G * own.factor(x)), theta)
    np.testing.assert_allclose(own.gradient(theta, G), slopes, atol=1e-8)


@pytest.mark.parametrize("name", NAMES)
def test_gradients_at_many_points(name):
    rng = np.random.default_rng(5)
    own, G = structure(name, 3), rng.normal(size=(2, 4, 3, 3))
    theta = rng.normal(size=(2, 4, own.size))
    found = own.gradient(theta, G)
    for at in np.ndindex(2, 4):
        np.testing.assert_allclose(found[at], own.gradient(theta[at], G[at]), rtol=1e-13)


@pytest.mark.parametrize("name", NAMES)
def test_many_points_are_put_on_the_boundary_as_each_is(name):
    own = structure(name, 3)
    points = np.tile(np.linspace(0.6, 1.2, own.size), (2, 3, 1))
    points[0, 0, 0] = points[0, 1, -1] = 1e-6
    points[1, 0] = 0.0
    settled, moved = own.settled(points, 1e-4)
    assert moved.shape == (2, 3)
    for at in np.ndindex(2, 3):
        one, has_moved = own.settled(points[at], 1e-4)
        np.testing.assert_allclose(settled[at], one, rtol=1e-13)
        assert moved[at] == has_moved
    assert moved.any()
    assert not moved.all()


@pytest.mark.parametrize("name", NAMES)
def test_what_vanishes_is_put_at_zero(name):
    own = structure(name, 3)
    inside = np.linspace(0.6, 1.2, own.size)
    same, moved = own.settled(inside, 1e-4)
    assert not moved
    np.testing.assert_array_equal(same, inside)
    near = inside.copy()
    near[0] = 1e-6
    settled, moved = own.settled(near, 1e-4)
    assert moved
    covariance = own.factor(settled) @ own.factor(settled).T
    assert np.linalg.matrix_rank(covariance) < 3
