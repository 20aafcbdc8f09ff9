"""Presets of other packages against what those packages say themselves."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

import bayesmix as bmx
from bayesmix.language.prior import Prior


def bambi_priors(formula, data, family):
    """bambi's own priors, from a model it built: intercept, slopes column by column, group SDs, sigma."""
    import bambi

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        component = bambi.Model(formula, data, family=family)
        component.build()
    parent = component.parameters[component.family.likelihood.parent]
    slopes = [np.atleast_1d(term.prior.args["sigma"]) for term in parent.common_terms.values()]
    groups = {
        name: np.atleast_1d(t.prior.args["sigma"].args["sigma"]) for name, t in parent.group_specific_terms.items()
    }
    sigma = component.parameters["sigma"].prior.args if "sigma" in component.parameters else None
    return parent.intercept_term.prior.args, np.concatenate(slopes), groups, sigma


@pytest.mark.parametrize(
    ("name", "theirs", "family"),
    [
        ("sleepstudy", "Reaction ~ Days + (Days|Subject)", "gaussian"),
        ("cbpp", "p(incidence, size) ~ period + (1|herd)", "binomial"),
        ("esoph poisson", "ncases ~ ncontrols + (ncontrols|agegp)", "poisson"),
    ],
)
def test_bambis_priors(model, name, theirs, family):
    ours = model(name)
    formula, data, options = ours.spec.formula.text, bmx.load_dataset(name.split()[0]), {"family": family}
    found = bmx.Model(formula, data, priors="bambi", **options).priors
    intercept, slopes, groups, sigma = bambi_priors(theirs, data, family)
    np.testing.assert_allclose(found.fixed[0].arguments, [intercept["mu"], intercept["sigma"]], rtol=1e-12)
    np.testing.assert_allclose([prior.arguments for prior in found.fixed[1:]], np.c_[0.0 * slopes, slopes], rtol=1e-12)
    assert {prior.kind for prior in found.fixed} == {"Normal"}
    expected = np.concatenate([groups[key] for key in sorted(groups, key=lambda key: not key.startswith("1|"))])
    np.testing.assert_allclose([prior.arguments[0] for prior in found.sd[0]], expected, rtol=1e-12)
    assert {prior.kind for prior in found.sd[0]} == {"HalfNormal"}
    if sigma is not None:
        assert found.dispersion.kind == "HalfStudentT"
        np.testing.assert_allclose(found.dispersion.arguments, [sigma["nu"], sigma["sigma"]], rtol=1e-12)


def test_brms_priors():
    """As brms 2.23 prints them for sleepstudy, and for logistic models."""
    found = bmx.Model("Reaction ~ Days + (Days | Subject)", bmx.load_dataset("sleepstudy"), priors="brms").priors
    assert found.fixed == (Prior("StudentT", (3.0, 288.7, 59.3)), Prior("Flat"))
    assert found.sd == ((Prior("HalfStudentT", (3.0, 59.3)),) * 2,)
    assert found.dispersion == Prior("HalfStudentT", (3.0, 59.3))
    assert found.corr == (1.0,)
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


def test_single_priors_stand_before_those_of_a_preset():
    data = bmx.load_dataset("sleepstudy")
    mixed = {"preset": "brms", "Days": "Normal(0, 10)", "sd(Subject, Days)": "HalfNormal(5)"}
    found = bmx.Model("Reaction ~ Days + (Days | Subject)", data, priors=mixed).priors
    assert found.fixed[1] == Prior("Normal", (0.0, 10.0))
    assert found.sd[0] == (Prior("HalfStudentT", (3.0, 59.3)), Prior("HalfNormal", (5.0,)))


def test_posteriors_under_the_presets_differ_as_their_priors():
    """esoph: bambi's half-normal of 2.5 SDs lets the group SDs go further up than the default."""
    data = bmx.load_dataset("esoph")
    means = {}
    for preset in ("default", "brms", "bambi"):
        fit = bmx.Model("ncases ~ ncontrols + (ncontrols | agegp)", data, priors=preset)
        means[preset] = fit.sample(draws=500, chains=2, seed=1, progress=False).parameters()["mean"]
    assert means["bambi"]["sd(agegp, Intercept)"] > means["default"]["sd(agegp, Intercept)"]
    assert means["brms"]["sigma"] == pytest.approx(means["default"]["sigma"], rel=0.03)


def test_priors_print_in_data_units(model):
    text = str(model("sleepstudy").priors).splitlines()
    assert text[0] == "Priors"
    assert text[2].endswith("95 % within -95.8 .. 95.8 Reaction per Days")
    assert text[3].endswith("95 % below 169 Reaction")
    assert text[5].endswith("95 % of each correlation within +-0.81")
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
