"""Presets of other packages against what those packages say themselves."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import bayesmix as bmx
from bayesmix.errors import SpecError
from bayesmix.inference.parameters.names import Parameters
from bayesmix.inference.parameters.priors_in_force import log_prior
from bayesmix.language.priors.joint import log_decov
from bayesmix.language.priors.prior import Prior


def printed(priors):
    """The listing by parameter, each on one line."""
    joined = str(priors).replace("\n      ", "  ").splitlines()[1:]
    return {line.split(" ~ ")[0].strip(): line for line in joined}


def test_brms_priors():
    """As brms 2.23 prints them for sleepstudy, and for logistic models."""
    found = bmx.Model("Reaction ~ Days + (Days | Subject)", bmx.load_dataset("sleepstudy"), priors="brms").priors
    assert found.fixed == (Prior("StudentT", (3.0, 288.7, 59.3)), Prior("Flat"))
    assert found.sd == ((Prior("HalfStudentT", (3.0, 59.3)),) * 2,)
    assert found.dispersion == Prior("HalfStudentT", (3.0, 59.3))
    assert found.corr == ((Prior("LKJ", (1.0,)),),)
    formula = "cbind(incidence, size - incidence) ~ period + (1 | herd)"
    found = bmx.Model(formula, bmx.load_dataset("cbpp"), family="binomial", priors="brms").priors
    assert found.fixed == (Prior("StudentT", (3.0, 0.0, 2.5)), *[Prior("Flat")] * 3)
    assert found.sd == ((Prior("HalfStudentT", (3.0, 2.5)),),)
    data = {"y": [0, 0, 1, 3, 8, 20], "g": list("aabbcc"), "off": [1.0] * 6}
    counts = bmx.Model("y ~ 1 + offset(off) + (1 | g)", data, family="negbinomial", priors="brms").priors
    linked = np.log([0.1, 0.1, 1, 3, 8, 20])
    scale = max(2.5, round(1.4826 * np.median(np.abs(linked - np.median(linked))), 1))
    assert counts.fixed == (Prior("StudentT", (3.0, round(np.median(linked) - 1.0, 1), scale)),)
    assert counts.dispersion == Prior("InverseGamma", (0.4, 0.3))


@pytest.mark.parametrize(
    ("y", "options", "location"),
    [
        ([0, 0, 0, 0, 1, 3], {"family": "poisson"}, np.log(0.1)),  # brms adds 0.1 to zeros whose link is infinite
        ([0, 0, 0, 0, 1, 3], {"family": "poisson", "link": "sqrt"}, 0.0),  # and to no others
        ([0, 1, 1, 1, 1, 3], {"family": "poisson"}, 0.0),
        ([5.0, 0.1, 0.1, 0.1, 0.2, 0.3], {"family": "gamma", "link": "inverse"}, 7.5),
    ],
)
def test_brms_centres_the_intercept_at_the_median_on_the_scale_of_the_link(y, options, location):
    data = {"y": y, "g": list("aabbcc")}
    found = bmx.Model("y ~ 1 + (1 | g)", data, priors="brms", **options).priors.fixed[0].arguments
    assert found[1] == pytest.approx(location, abs=0.1)
    assert found[1] == round(found[1], 1)


REFERENCE = Path(__file__).parents[2] / "reference" / "rstanarm"
RSTANARM = json.loads((REFERENCE / "priors.json").read_text(encoding="utf-8"))


def rstanarm_data(case):
    data = bmx.load_dataset(case.split(",")[0].replace("binary", "cbpp"))
    if case == "binary":
        return data.assign(y=(data["incidence"] > 0).astype(int))
    return data.assign(late=(data["Days"] > 6).astype(int)) if "Days" in data else data


@pytest.mark.parametrize("case", [name for name in RSTANARM if name != "versions"])
def test_rstanarms_priors(case):
    """As rstanarm reports them, after its scaling."""
    theirs = RSTANARM[case]
    family = {"neg_binomial_2": "negbinomial", "Gamma": "gamma"}.get(theirs["family"], theirs["family"])
    family = "bernoulli" if case == "binary" else family
    model = bmx.Model(theirs["formula"], rstanarm_data(case), family=family, link=theirs["link"], priors="rstanarm")
    fixed = list(model.priors.fixed)
    if theirs["intercept"] is not None:
        expected = [theirs["intercept"]["location"][0], theirs["intercept"]["scale"]]
        np.testing.assert_allclose(fixed.pop(0).arguments, expected, rtol=1e-12)
    expected = np.transpose([theirs["slopes"]["location"], theirs["slopes"]["scale"]])
    np.testing.assert_allclose([prior.arguments for prior in fixed], expected, rtol=1e-12)
    assert {prior.kind for prior in model.priors.fixed} == {"Normal"}
    if theirs["aux"] is not None:
        assert model.priors.dispersion.kind == "Exponential"
        np.testing.assert_allclose(model.priors.dispersion.arguments, [theirs["aux"]["rate"]], rtol=1e-12)
    decov = theirs["covariance"]
    assert decov["dist"] == "decov"
    expected = Prior("Decov", (decov["concentration"], decov["shape"], decov["scale"]))
    assert {prior for term in model.priors.sd for prior in term} == {expected}
    assert set(model.priors.corr) <= {(), (Prior("LKJ", (float(decov["regularization"]),)),)}


def test_rstanarms_standard_deviations_are_had_together_and_in_units_of_sigma():
    """Of the effects that no prior of their own takes out."""
    data = bmx.load_dataset("sleepstudy")
    model = bmx.Model("Reaction ~ Days + (Days | Subject)", data, priors="rstanarm")
    sd, sigma = np.array([20.0, 5.0]), np.array(25.0)
    values = Parameters(np.zeros(2), (sd,), (np.eye(2),), (np.zeros((18, 2)),), sigma)
    expected = log_decov(sd, sigma, 1.0, 1.0, 1.0)
    assert log_prior(model.priors, model.design, values)["sd_Subject"] == pytest.approx(expected, rel=1e-6)
    single = {"preset": "rstanarm", "sd(Subject, Days)": "HalfNormal(5)"}
    mixed = bmx.Model("Reaction ~ Days + (Days | Subject)", data, priors=single)
    expected = -sd[0] / sigma - np.log(sigma) + Prior("HalfNormal", (5.0,)).log_density(sd[1])
    assert log_prior(mixed.priors, mixed.design, values)["sd_Subject"] == pytest.approx(expected, rel=1e-10)


def test_the_posterior_under_rstanarms_priors_is_rstanarms():
    """Within the Monte Carlo errors of both."""
    reference = json.loads((REFERENCE / "sleepstudy.json").read_text(encoding="utf-8"))
    model = bmx.Model(reference["formula"], bmx.load_dataset("sleepstudy"), priors="rstanarm")
    found = model.sample(draws=2000, seed=1, method="marginal").parameters()
    for theirs in reference["parameters"]:
        ours = found.loc[theirs["variable"]]
        own = ours["sd"] / np.sqrt(ours["ess_bulk"])
        assert abs(ours["mean"] - theirs["mean"]) < 4.0 * np.hypot(own, theirs["mcse_mean"])
        assert abs(ours["median"] - theirs["median"]) < 4.0 * np.hypot(1.25 * own, theirs["mcse_median"])
        assert abs(ours["sd"] - theirs["sd"]) < 4.0 * np.hypot(own, theirs["mcse_sd"])


def test_decov_says_its_bound_in_the_datas_units():
    model = bmx.Model("Reaction ~ Days + (Days | Subject)", bmx.load_dataset("sleepstudy"), priors="rstanarm")
    rng, n = np.random.default_rng(1), 400_000
    relative = rng.exponential(size=n) * np.sqrt(2.0 * rng.uniform(size=n))
    sigma = rng.exponential(1.0 / model.priors.dispersion.arguments[0], n)
    upper = model.priors.intervals()["sd(Subject, Days)"][1]
    assert np.mean(relative * sigma < upper) == pytest.approx(0.95, abs=0.002)
    density = model.priors.of_each_sd()["sd(Subject, Days)"]
    for x in (5.0, 50.0, 150.0):
        share = np.mean(np.abs(relative * sigma - x) < 0.1 * x) / (0.2 * x)
        assert np.exp(density.log_density(np.array([x]))) == pytest.approx(share, rel=0.04)
    text = printed(model.priors)["sd(Subject, Days)"]
    bound = float(text.split("95 % below ")[1].split()[0])
    assert text.endswith(f"95 % below {bound:.3g} sigma, that is {upper:.3g} Reaction per Days")
    assert np.mean(relative < bound) == pytest.approx(0.95, abs=0.002)


def test_decov_is_for_standard_deviations_of_groups():
    with pytest.raises(SpecError, match="Decov is a prior for standard deviations of groups, not for `sigma`"):
        _ = bmx.Model(
            "y ~ 1 + (1 | g)", {"y": [1.0, 2.0, 3.0, 5.0], "g": list("aabb")}, priors={"sigma": "Decov(1, 1, 1)"}
        ).priors


def test_single_priors_stand_before_those_of_a_preset():
    data = bmx.load_dataset("sleepstudy")
    mixed = {"preset": "brms", "Days": "Normal(0, 10)", "sd(Subject, Days)": "HalfNormal(5)"}
    found = bmx.Model("Reaction ~ Days + (Days | Subject)", data, priors=mixed).priors
    assert found.fixed[1] == Prior("Normal", (0.0, 10.0))
    assert found.sd[0] == (Prior("HalfStudentT", (3.0, 59.3)), Prior("HalfNormal", (5.0,)))


def test_posteriors_under_the_presets_differ_as_their_priors():
    """esoph: bambi's half-normal of 2.5 SDs lets the group SDs go further up than the default, both stated at zero."""
    data = bmx.load_dataset("esoph")
    default = bmx.Model("ncases ~ ncontrols + (ncontrols | agegp)", data).priors.sd[0]
    means = {}
    for preset, own in (("default", {"sd(agegp, Intercept)": str(default[0])}), ("brms", {}), ("bambi", {})):
        fit = bmx.Model("ncases ~ ncontrols + (ncontrols | agegp)", data, priors={"preset": preset, **own})
        means[preset] = fit.sample(draws=500, chains=2, seed=1, progress=False).parameters()["mean"]
    assert means["bambi"]["sd(agegp, Intercept)"] > means["default"]["sd(agegp, Intercept)"]
    assert means["brms"]["sigma"] == pytest.approx(means["default"]["sigma"], rel=0.03)


def test_priors_print_in_data_units(model):
    priors = model("sleepstudy").priors
    assert str(priors).startswith("Priors\n")
    text = printed(priors)
    assert text["Days"].endswith("95 % within -95.8 .. 95.8 Reaction per Days")
    assert text["sd(Subject, Intercept(centred))"].endswith("95 % below 169 Reaction at Days = 4.5")
    assert text["sd(Subject, Days)"].endswith("Reaction per Days")
    assert text["corr(Subject)"].endswith("95 % of each correlation within +-0.81 at Days = 4.5")
    assert "a factor of" in str(model("esoph poisson").priors)
    assert "odds times" in str(model("cbpp").priors)
    assert "per" not in str(model("cbpp").priors).replace("period", "")


def test_the_table_sets_them_beside_the_estimate(model, fitted):
    table = model("sleepstudy").prior_table(fitted("sleepstudy"))
    estimate = fitted("sleepstudy").parameters()["estimate"]
    assert list(table.columns) == ["prior", "says", "lower", "upper", "estimate", "ratio"]
    rate = model("sleepstudy").priors.sd[0][1].arguments[0]
    upper = -np.log(0.05) / rate
    np.testing.assert_allclose(table.loc["sd(Subject, Days)", "upper"], upper, rtol=1e-10)
    np.testing.assert_allclose(table.loc["sd(Subject, Days)", "ratio"], upper / estimate["sd(Subject, Days)"])
    days = bmx.load_dataset("sleepstudy")["Days"].mean()
    centred = estimate["Intercept"] + days * estimate["Days"]
    np.testing.assert_allclose(table.loc["Intercept(centred)", "estimate"], centred, rtol=1e-10)
    assert np.isnan(table.loc["corr(Subject)", "ratio"])
    # the spread of the subjects' lines at 4.5 days, by lme4's estimates at zero
    s, r = estimate[["sd(Subject, Intercept)", "sd(Subject, Days)"]], estimate["corr(Subject, Intercept, Days)"]
    there = np.sqrt(s.iloc[0] ** 2 + 2.0 * days * r * s.iloc[0] * s.iloc[1] + (days * s.iloc[1]) ** 2)
    np.testing.assert_allclose(table.loc["sd(Subject, Intercept(centred))", "estimate"], there, rtol=1e-10)


WIDE = [
    ("Reaction ~ Days + (Days | Subject)", "sleepstudy", "gaussian"),
    (["Reaction ~ Days + (Days |i| Subject)", "sigma ~ Days + (1 |i| Subject)"], "sleepstudy", "gaussian"),
    (["count ~ mined + (1 | site)", "zi ~ mined + (1 | site)"], "Salamanders", "zero_inflated_poisson"),
]


@pytest.mark.parametrize(("formula", "name", "family"), WIDE)
def test_listings_of_priors_fit_a_page(formula, name, family):
    """80 columns; what a prior says stands below it where it must, and is the same."""
    priors = bmx.Model(formula, bmx.load_dataset(name), family=family).priors
    assert max(map(len, str(priors).splitlines())) <= 80
    assert [text.split(")  ")[-1].strip() for text in printed(priors).values()] == [
        meaning for _, _, meaning in priors.rows()
    ]
    assert "e-1" not in str(priors)  # a location that is zero but for rounding
