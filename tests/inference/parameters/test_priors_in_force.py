"""Priors in force: the defaults on the data's scale, presets, the user's by name."""

from __future__ import annotations

import numpy as np
import pytest
from densities import PRIOR, log_lkj
from scipy.stats import norm
from several_predictors import made

import bayesmix as bmx
from bayesmix.errors import DesignError, SpecError
from bayesmix.inference.parameters.names import Parameters
from bayesmix.inference.parameters.priors_in_force import log_prior, resolve
from bayesmix.language.priors.prior import Prior, parse_prior

EXACT = 1e-12

RNG = np.random.default_rng(11)
N = 30
DATA = {
    "x": RNG.normal(50.0, 4.0, N),
    "w": RNG.normal(-1.0, 0.1, N),
    "f": ["a", "b", "c"] * 10,
    "g": [f"g{j % 6}" for j in range(N)],
    "h": [f"h{j % 5}" for j in range(N)],
    "y": RNG.normal(300.0, 20.0, N),
    "count": RNG.poisson(4.0, N),
    "positive": RNG.gamma(3.0, 2.0, N),
    "successes": RNG.integers(0, 4, N),
    "failures": RNG.integers(1, 5, N),
    "off": RNG.normal(2.0, 1.0, N),
    "wt": RNG.uniform(0.5, 2.0, N),
}
Y, X, W = (np.asarray(DATA[name], float) for name in ("y", "x", "w"))


def lkj(eta):
    return (Prior("LKJ", (eta,)),)


def priors(formula, **options):
    return bmx.Model(formula, DATA, **options).priors


def assert_prior(found, kind, *arguments):
    assert found.kind == kind
    np.testing.assert_allclose(found.arguments, arguments, rtol=EXACT)


# ---- defaults ------------------------------------------------------------------------------------------------------


def test_defaults_of_a_linear_model_are_in_data_units():
    found = priors("y ~ x + (x | g)")
    s_y, s_x = Y.std(ddof=1), X.std(ddof=1)
    assert found.names == ("Intercept(centred)", "x")
    assert_prior(found.fixed[0], "Normal", Y.mean(), 2.5 * s_y)
    assert_prior(found.fixed[1], "Normal", 0.0, 2.5 * s_y / s_x)
    assert_prior(found.sd[0][0], "Exponential", 1.0 / s_y)  # the mean is s_y
    assert_prior(found.sd[0][1], "Exponential", s_x / s_y)
    assert found.corr == (lkj(2.0),)
    assert found.dispersion_name == "sigma"
    assert_prior(found.dispersion, "Exponential", 1.0 / s_y)


def test_a_default_sd_exceeds_three_times_its_mean_with_five_per_cent():
    (sd,) = priors("y ~ x + (1 | g)").sd[0]
    assert np.exp(-sd.arguments[0] * 3.0 * Y.std(ddof=1)) == pytest.approx(0.05, abs=3e-4)  # exp(-3) = 0.0498


def test_the_default_intercept_is_at_centred_predictors():
    found = priors("y ~ x + w + (1 | g)")
    np.testing.assert_allclose(found.contrast[0], [1.0, X.mean(), W.mean()], rtol=EXACT)
    np.testing.assert_array_equal(found.contrast[1:], np.eye(3)[1:])
    assert np.linalg.det(found.contrast) == pytest.approx(1.0)


def test_defaults_of_counts_are_on_the_scale_of_the_link():
    found = priors("count ~ x + (x | g)", family="poisson")
    assert_prior(found.fixed[0], "Normal", np.log(np.mean(DATA["count"])), 2.5)
    assert_prior(found.fixed[1], "Normal", 0.0, 2.5 / X.std(ddof=1))
    assert_prior(found.sd[0][0], "Exponential", 1.0)
    assert_prior(found.sd[0][1], "Exponential", X.std(ddof=1))
    assert found.dispersion is None
    assert found.dispersion_name is None


@pytest.mark.parametrize(
    ("link", "of"),
    [("logit", lambda p: np.log(p / (1.0 - p))), ("probit", norm.ppf), ("cloglog", lambda p: np.log(-np.log1p(-p)))],
)
def test_defaults_of_shares_use_the_pooled_share(link, of):
    found = priors("cbind(successes, failures) ~ x + (1 | g)", family="binomial", link=link)
    share = np.sum(DATA["successes"]) / (np.sum(DATA["successes"]) + np.sum(DATA["failures"]))
    assert_prior(found.fixed[0], "Normal", of(share), 2.5)


def test_an_offset_is_taken_off_the_centre():
    linear = priors("y ~ x + offset(off) + (1 | g)")
    difference = Y - DATA["off"]
    assert_prior(linear.fixed[0], "Normal", difference.mean(), 2.5 * difference.std(ddof=1))
    counts = priors("count ~ x + offset(off) + (1 | g)", family="poisson")
    assert_prior(counts.fixed[0], "Normal", np.log(np.mean(DATA["count"])) - np.mean(DATA["off"]), 2.5)


def test_shapes_have_a_default():
    for family, response in (("gamma", "positive"), ("negbinomial", "count")):
        found = priors(f"{response} ~ x + (1 | g)", family=family)
        assert found.dispersion_name == "shape"
        assert_prior(found.dispersion, "Gamma", 2.0, 0.1)


def test_cell_means_are_centred_on_the_response():
    found = priors("y ~ 0 + f + (1 | g)")
    assert found.names == ("fa", "fb", "fc")
    for prior in found.fixed:
        assert prior.arguments[0] == pytest.approx(Y.mean())
    np.testing.assert_array_equal(found.contrast, np.eye(3))


def test_a_slope_without_intercept_is_centred_on_zero():
    (prior,) = priors("y ~ 0 + x + (1 | g)").fixed
    assert_prior(prior, "Normal", 0.0, 2.5 * Y.std(ddof=1) / X.std(ddof=1))


def test_constant_responses_have_no_scale():
    with pytest.raises(DesignError, match="`y` is constant"):
        _ = bmx.Model("y ~ x + (1 | g)", DATA | {"y": np.ones(N)}).priors


def test_correlations_exist_only_where_effects_are_correlated():
    assert priors("y ~ x + (x || g)").corr == ((), ())
    assert priors("y ~ x + diag(x + w | g)").corr == ((),)
    assert priors("y ~ x + (x + w | g) + (1 | h)").corr == (lkj(2.0), ())


def test_flat_priors_are_flat():
    found = priors("y ~ x + (x | g)", priors="flat")
    assert {prior.kind for prior in found.fixed} == {"Flat"}
    assert {prior.kind for prior in found.sd[0]} == {"HalfFlat"}
    assert found.corr == (lkj(1.0),)
    assert found.dispersion.kind == "HalfFlat"


# ---- by name -------------------------------------------------------------------------------------------------------


def test_a_named_parameter_beats_its_group_beats_all():
    named = {
        "sd": "HalfNormal(1)",
        "sd(g)": "HalfNormal(2)",
        "sd(g, x)": "HalfNormal(3)",
    }
    found = priors("y ~ x + (x + w | g) + (1 | h)", priors=named)
    assert found.sd == (
        (Prior("HalfNormal", (2.0,)), Prior("HalfNormal", (3.0,)), Prior("HalfNormal", (2.0,))),
        (Prior("HalfNormal", (1.0,)),),
    )


def test_correlations_by_group_and_all():
    formula = "y ~ x + (x | g) + (x | h)"
    assert priors(formula, priors={"corr": "LKJ(1)"}).corr == (lkj(1.0), lkj(1.0))
    assert priors(formula, priors={"corr": "LKJ(1)", "corr(h)": "LKJ(4)"}).corr == (lkj(1.0), lkj(4.0))


def test_fixed_means_all_slopes():
    found = priors("y ~ x + w + (1 | g)", priors={"fixed": "Normal(0, 1)", "w": "Cauchy(0, 1)"})
    assert_prior(found.fixed[0], "Normal", Y.mean(), 2.5 * Y.std(ddof=1))  # the intercept keeps its own
    assert found.fixed[1:] == (Prior("Normal", (0.0, 1.0)), Prior("Cauchy", (0.0, 1.0)))


def test_the_intercept_raw_or_centred():
    centred = priors("y ~ x + (1 | g)", priors={"Intercept(centred)": "Normal(1, 2)"})
    assert centred.names == ("Intercept(centred)", "x")
    assert centred.fixed[0] == Prior("Normal", (1.0, 2.0))
    assert centred.contrast[0, 1] == pytest.approx(X.mean())
    raw = priors("y ~ x + (1 | g)", priors={"Intercept": "Normal(1, 2)"})
    assert raw.names == ("Intercept", "x")
    assert raw.fixed[0] == Prior("Normal", (1.0, 2.0))
    np.testing.assert_array_equal(raw.contrast, np.eye(2))


def test_the_rest_keeps_its_default():
    found = priors("y ~ x + (x | g)", priors={"sigma": "HalfNormal(5)"})
    plain = priors("y ~ x + (x | g)")
    assert found.dispersion == Prior("HalfNormal", (5.0,))
    assert (found.fixed, found.sd, found.corr) == (plain.fixed, plain.sd, plain.corr)
    mixed = priors("y ~ x + (x | g)", priors={"preset": "flat", "sigma": "HalfNormal(5)"})
    assert mixed.dispersion == Prior("HalfNormal", (5.0,))
    assert mixed.fixed[0].kind == "Flat"


# ---- messages ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("named", "message"),
    [
        ({"sigm": "HalfNormal(1)"}, "No parameter is called `sigm`. Did you mean `sigma`? Parameters: Intercept, "),
        ({"sd(G, x)": "HalfNormal(1)"}, "Did you mean `sd(g, x)`?"),
        ({"z": "Normal(0, 1)"}, "No parameter is called `z`."),
        ({"corr(h)": "LKJ(1)"}, "No parameter is called `corr(h)`."),  # a single effect has no correlation
        ({"shape": "Gamma(2, 1)"}, "No parameter is called `shape`."),
        ({"sd(g)": "Normal(0, 1)"}, "`sd(g)` is positive, Normal(0, 1) is not: use HalfNormal"),
        ({"sigma": "Cauchy(0, 1)"}, "`sigma` is positive"),
        ({"sigma": "Uniform(-1, 1)"}, "`sigma` is positive"),
        ({"sd": "Flat"}, "`sd` is positive"),
        ({"corr": "Normal(0, 1)"}, 'Correlations take an LKJ prior, not Normal(0, 1): priors={"corr": "LKJ(2)"}'),
        ({"x": "LKJ(2)"}, "LKJ is a prior for correlations, not for `x`"),
        ({"sigma": "LKJ(2)"}, "LKJ is a prior for correlations, not for `sigma`"),
        ({"preset": "falt"}, "Prior preset `falt` does not exist. Did you mean `flat`?"),
    ],
)
def test_priors_that_do_not_fit(named, message):
    with pytest.raises(SpecError) as raised:
        priors("y ~ x + (x | g) + (1 | h)", priors=named)
    assert message in str(raised.value)


def test_every_advertised_name_takes_a_prior():
    """The names an error lists are those that work."""
    with pytest.raises(SpecError) as raised:
        priors("y ~ x + (x | g)", priors={"?": "Normal(0, 1)"})
    for name in ("Intercept", "Intercept(centred)", "x", "fixed", "sd(g, Intercept)", "sd(g, x)", "sd(g)", "corr(g)",
                 "sd", "corr", "sigma"):  # fmt: skip
        assert name in str(raised.value)
        text = "LKJ(3)" if name.startswith("corr") else "HalfNormal(1)"
        priors("y ~ x + (x | g)", priors={name: text})


@pytest.mark.parametrize("value", [3, ["Normal(0, 1)"]])
def test_priors_of_another_type_are_refused(value):
    with pytest.raises(SpecError, match="priors is a preset"):
        priors("y ~ x + (1 | g)", priors=value)


def test_a_lone_effect_is_not_offered_a_correlation():
    with pytest.raises(SpecError, match=r"No parameter is called `corr\(g\)`"):
        priors("y ~ x + (x || g)", priors={"corr(g)": "LKJ(1)"})


def test_corr_is_harmless_where_nothing_is_correlated():
    assert priors("y ~ x + (1 | g)", priors={"corr": "LKJ(1)"}).corr == ((),)


# ---- the density of draws ------------------------------------------------------------------------------------------


def test_log_prior_is_the_sum_of_the_densities():
    """By kind of parameter, of draws with leading axes, in the user's units."""
    named = {"w": "Cauchy(0, 1)", "sd(h)": "InverseGamma(2, 3)", "sigma": "HalfStudentT(3, 20)", "corr(g)": "LKJ(3)"}
    model = bmx.Model("y ~ x + w + (x | g) + (1 | h)", DATA, priors=named)
    rng = np.random.default_rng(3)
    lead = (2, 3)
    corr = np.broadcast_to(np.eye(2), (*lead, 2, 2)).copy()
    corr[..., 0, 1] = corr[..., 1, 0] = rng.uniform(-0.9, 0.9, lead)
    values = Parameters(
        beta=rng.normal(size=(*lead, 3)),
        sd=(rng.uniform(1.0, 20.0, (*lead, 2)), rng.uniform(1.0, 20.0, (*lead, 1))),
        corr=(corr, np.ones((*lead, 1, 1))),
        b=(),
        dispersion=rng.uniform(5.0, 30.0, lead),
    )
    found = log_prior(model.priors, model.design, values)
    assert found.keys() == {"fixef", "sd_g", "corr_g", "sd_h", "sigma"}
    s_y, s_x = Y.std(ddof=1), X.std(ddof=1)
    for i in np.ndindex(lead):
        intercept, slope, other = values.beta[i]
        centred = intercept + slope * X.mean() + other * W.mean()
        expected = norm(Y.mean(), 2.5 * s_y).logpdf(centred) + norm(0.0, 2.5 * s_y / s_x).logpdf(slope)
        assert found["fixef"][i] == pytest.approx(expected + PRIOR["Cauchy"](0.0, 1.0).logpdf(other))
        sd = values.sd[0][i]
        expected = PRIOR["Exponential"](1.0 / s_y).logpdf(sd[0]) + PRIOR["Exponential"](s_x / s_y).logpdf(sd[1])
        assert found["sd_g"][i] == pytest.approx(expected)
        assert found["sd_h"][i] == pytest.approx(PRIOR["InverseGamma"](2.0, 3.0).logpdf(values.sd[1][i][0]))
        assert found["corr_g"][i] == pytest.approx(log_lkj(corr[i], 3.0))
        assert found["sigma"][i] == pytest.approx(PRIOR["HalfStudentT"](3.0, 20.0).logpdf(values.dispersion[i]))


def test_log_prior_sums_terms_of_one_group():
    model = bmx.Model("count ~ x + (x || g)", DATA, family="poisson")
    values = Parameters(np.zeros(2), (np.array([0.5]), np.array([0.1])), (np.eye(1), np.eye(1)), (), None)
    found = log_prior(model.priors, model.design, values)
    s_x = X.std(ddof=1)
    assert found.keys() == {"fixef", "sd_g"}
    expected = PRIOR["Exponential"](1.0).logpdf(0.5) + PRIOR["Exponential"](s_x).logpdf(0.1)
    assert float(found["sd_g"]) == pytest.approx(expected)


# ---- several linear predictors ---------------------------------------------------------------------------------------


def test_the_density_of_several_predictors_is_the_sum_of_its_parts():
    given = {
        "y_Intercept": "Normal(300, 20)",
        "y_x": "Cauchy(0, 1)",
        "sigma_y": "Gamma(2, 0.1)",
        "count_Intercept": "Normal(1, 2)",
        "shape_count_Intercept": "Normal(0, 1)",
        "shape_count_w": "StudentT(3, 0, 2)",
        "sd(g)": "HalfNormal(3)",
        "sd(g, shape_count_Intercept)": "Exponential(2)",
        "corr(g)": "LKJ(3)",
    }
    formulas = ["y ~ x + (1 | p | g)", "count ~ 1 + (1 | p | g)", "shape_count ~ w + (1 | p | g)"]
    spec, design = made(formulas, {"y": "gaussian", "count": "negbinomial"}, given)
    found = resolve(spec, design)
    assert design.fixed == (
        "y_Intercept",
        "y_x",
        "sigma_y",
        "count_Intercept",
        "shape_count_Intercept",
        "shape_count_w",
    )
    beta = np.array([290.0, 0.4, 2.3, 1.2, -0.3, 0.8])  # that of sigma is its logarithm
    sd, corr = np.array([4.0, 0.5, 0.7]), np.array([[1.0, 0.2, -0.3], [0.2, 1.0, 0.1], [-0.3, 0.1, 1.0]])
    own = log_prior(found, design, Parameters(beta, (sd,), (corr,), (), None))
    coefficients = [
        PRIOR["Normal"](300.0, 20.0).logpdf(290.0),
        PRIOR["Cauchy"](0.0, 1.0).logpdf(0.4),
        PRIOR["Gamma"](2.0, 0.1).logpdf(np.exp(2.3)) + 2.3,
        PRIOR["Normal"](1.0, 2.0).logpdf(1.2),
        PRIOR["Normal"](0.0, 1.0).logpdf(-0.3),
        PRIOR["StudentT"](3.0, 0.0, 2.0).logpdf(0.8),
    ]
    spread = [PRIOR["HalfNormal"](3.0).logpdf(4.0), PRIOR["HalfNormal"](3.0).logpdf(0.5)]
    assert own.keys() == {"fixef", "sd_g", "corr_g"}
    assert own["fixef"] == pytest.approx(sum(coefficients), rel=EXACT)
    assert own["sd_g"] == pytest.approx(sum(spread) + PRIOR["Exponential"](2.0).logpdf(0.7), rel=EXACT)
    assert own["corr_g"] == pytest.approx(log_lkj(corr, 3.0), rel=EXACT)


def test_priors_of_several_predictors_print_in_units_and_factors():
    spec, design = made(
        ["y ~ x + (1 | g)", "sigma_y ~ x + (1 | g)", "count ~ x"], {"y": "gaussian", "count": "negbinomial"}
    )
    rows = {name: (str(prior), says) for name, prior, says in resolve(spec, design).rows()}
    assert rows["y_x"][1].endswith(" y per x")
    prior, says = rows["sigma_y_Intercept(centred)"]
    low, high = norm(*parse_prior(prior).arguments).interval(0.95)
    assert says == f"95 % within {low:.3g} .. {high:.3g} (sigma_y {np.exp(low):.3g} .. {np.exp(high):.3g} y)"
    assert "(a factor of " in rows["sigma_y_x"][1]
    assert rows["sd(g, sigma_y_Intercept)"] == ("Exponential(1)", "95 % below 3 (a factor of 20)")
    assert rows["shape_count"] == ("Gamma(2, 0.1)", "95 % below 47.4")


def test_flat_numbers_are_improper():
    families = {"y": "gaussian", "count": "poisson"}
    given = {"sigma_y": "HalfFlat"}
    assert resolve(*made(["y ~ x", "count ~ x"], families, given)).has_flat
    assert not resolve(*made(["y ~ x", "count ~ x"], families)).has_flat
