"""bambi's models as ours and back; bambi's own density as the judge."""

from __future__ import annotations

import warnings
from importlib import import_module

import numpy as np
import pytest
from distributional import model_of
from every_family import data_of, formulas_of
from graphs import AS_WRITTEN

import bayesmix as bmx
from bayesmix.errors import FormulaError, SpecError
from bayesmix.language.families.registry import FAMILIES as REGISTRY
from bayesmix.language.priors.prior import Prior
from bayesmix.results.interoperability.bambi import FAMILIES


class Bambi:
    """bambi, loaded by the first test that uses it, for that takes two seconds."""

    def __getattr__(self, name):
        if name.startswith("_"):  # pytest asks every object of a module whether it is a fixture
            raise AttributeError(name)
        return getattr(import_module("bambi"), name)


bambi = Bambi()


@pytest.fixture(autouse=True)
def quiet():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def sleepstudy(formula="Reaction ~ Days + (Days|Subject)", **options):
    return bambi.Model(formula, bmx.load_dataset("sleepstudy"), **options)


def test_a_model_comes_over_with_its_priors():
    group = bambi.Prior("Normal", mu=0, sigma=bambi.Prior("HalfNormal", sigma=50))
    theirs = sleepstudy(priors={"Days": bambi.Prior("Normal", mu=0, sigma=10), "1|Subject": group})
    ours = bmx.Model.from_bambi(theirs)
    assert ours.spec.formula.text == "Reaction ~ Days + (Days|Subject)"
    assert ours.design.terms[0].effects == ("Intercept", "Days")
    assert ours.priors.corr == ((Prior("LKJ", (1.0,)),),)
    assert ours.priors.fixed[1] == Prior("Normal", (0.0, 10.0))
    y = bmx.load_dataset("sleepstudy")["Reaction"].to_numpy()
    np.testing.assert_allclose(ours.priors.fixed[0].arguments, [y.mean(), 2.5 * y.std()])  # bambi's, not inflated here
    assert ours.priors.sd[0][0] == Prior("HalfNormal", (50.0,))
    days = bmx.load_dataset("sleepstudy")["Days"].to_numpy()
    np.testing.assert_allclose(ours.priors.sd[0][1].arguments, 2.5 * y.std() / days.std())
    assert ours.estimate().criterion == pytest.approx(1743.6283, abs=1e-3)


# ---- the preset of its priors (here, since bambi takes a second to load) --------------------------------------------


def bambi_priors(formula, data, family):
    """bambi's own priors, from a model it built: intercept, slopes column by column, group SDs, sigma."""
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


# ---- models ---------------------------------------------------------------------------------------------------------


def test_shares_and_factors_come_over():
    data = bmx.load_dataset("cbpp")
    ours = bmx.Model.from_bambi(bambi.Model("p(incidence, size) ~ period + (1|herd)", data, family="binomial"))
    np.testing.assert_array_equal(ours.design.trials, data["size"])
    np.testing.assert_array_equal(ours.design.y, data["incidence"])
    assert ours.priors.fixed[1:] == (Prior("Normal", (0.0, 1.0)),) * 3


def test_priors_without_centring_are_at_zero():
    ours = bmx.Model.from_bambi(sleepstudy(center_predictors=False))
    assert ours.priors.names[0] == "Intercept"


@pytest.mark.parametrize(
    ("formula", "data", "options"),
    [
        ("Reaction ~ Days + (Days || Subject)", "sleepstudy", {}),
        ("cbind(incidence, size - incidence) ~ period + (1 | herd)", "cbpp", {"family": "binomial"}),
        ("diameter ~ 1 + (1 | plate) + (1 | sample)", "Penicillin", {"priors": {"sd(plate)": "HalfStudentT(3, 2)"}}),
        ("ncases ~ ncontrols + (1 | agegp)", "esoph", {"family": "poisson"}),
        ("y ~ x + (1 | g)", "gammasim", {"family": "gamma", "priors": {"shape": "Gamma(2, 1)"}}),
    ],
)
def test_there_and_back(formula, data, options):
    ours = bmx.Model(formula, bmx.load_dataset(data), **options)
    back = bmx.Model.from_bambi(ours.to_bambi())
    assert back.design.fixed == ours.design.fixed
    np.testing.assert_allclose(back.design.X, ours.design.X)
    np.testing.assert_allclose(back.design.y, ours.design.y)
    assert [term.group for term in back.design.terms] == [term.group for term in ours.design.terms]
    for found, expected in zip(back.priors.fixed, ours.priors.fixed, strict=True):
        assert found.kind == expected.kind
        np.testing.assert_allclose(found.arguments, expected.arguments, rtol=1e-12)
    for found, expected in zip(back.priors.sd, ours.priors.sd, strict=True):
        for one, other in zip(found, expected, strict=True):
            assert one.kind == other.kind
            np.testing.assert_allclose(one.arguments, other.arguments, rtol=1e-12)
    if ours.priors.dispersion is not None:
        assert back.priors.dispersion.kind == ours.priors.dispersion.kind
        np.testing.assert_allclose(back.priors.dispersion.arguments, ours.priors.dispersion.arguments, rtol=1e-12)


@pytest.mark.parametrize(
    "name", [name if name == "beta" else pytest.param(name, marks=pytest.mark.slow) for name in FAMILIES]
)
def test_numbers_beside_the_mean_come_over_with_their_priors(name):
    """Under bambi's names: what has the default of the other package is another model without a word."""
    priors = {dispersion: "Gamma(3, 0.2)"} if (dispersion := REGISTRY[name].dispersion) else {}
    ours = bmx.Model(formulas_of(name), data_of(name), family=name, priors=priors)
    back = bmx.Model.from_bambi(ours.to_bambi())
    assert back.spec.family is ours.spec.family
    assert back.priors.dispersion == ours.priors.dispersion
    assert back.priors.sd == ours.priors.sd
    np.testing.assert_array_equal(back.design.trials, ours.design.trials)


OTHERS = [name for name in REGISTRY if name not in FAMILIES]


@pytest.mark.parametrize(
    "name", [name if name in {"nbinom1", "student"} else pytest.param(name, marks=pytest.mark.slow) for name in OTHERS]
)
def test_other_families_are_refused_by_name(name):
    with pytest.raises(SpecError, match=f"to_bambi does not write family `{name}`"):
        bmx.Model(formulas_of(name), data_of(name), family=name).to_bambi()


@pytest.mark.slow
def test_both_packages_have_the_same_density():
    """At random points, independent effects: bambi's compiled log density is that of our PyMC model."""
    model = bmx.Model("Reaction ~ Days + (Days || Subject)", bmx.load_dataset("sleepstudy"))
    ours, theirs = model.to_pymc(), model.to_bambi().backend.model
    rng = np.random.default_rng(1)
    for _ in range(3):
        gamma, sd, sigma = np.array([290.0, 10.0]) + rng.normal(size=2), rng.exponential(20.0, 2), 25.0
        z = rng.normal(size=(18, 2))
        mine = {"fixef_centred": gamma, "sigma": sigma}
        for e, label in enumerate(("Subject", "Subject.1")):
            mine |= {f"z_{label}": z[:, [e]], f"sd_free_{label}": sd[e]}
        other = {"Intercept": gamma[0], "Days": gamma[1], "sigma": sigma}
        for e, name in enumerate(("1|Subject", "Days|Subject")):
            other |= {f"{name}_sigma": sd[e], f"{name}_offset": z[:, e]}
        np.testing.assert_allclose(density(ours, mine), density(theirs, other), rtol=1e-9)


def density(model, values):
    """Joint log density without Jacobians at values of the free variables."""
    point = {}
    for rv in model.free_RVs:
        name = model.rvs_to_values[rv].name
        value = np.asarray(values[rv.name], float)
        point[name] = np.log(value) if name.endswith("_log__") else value
    return float(model.compile_logp(jacobian=False, mode=AS_WRITTEN)(point))


# ---- what neither has ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("formula", "options", "message"),
    [
        ("Reaction ~ Days + (Days | Subject)", {}, r"no correlated effects, \(Intercept \+ Days \| Subject\)"),
        ("Reaction ~ log(Days + 1) + (1 | Subject)", {}, r"would evaluate `log\(Days \+ 1\)`"),
        ("Reaction ~ Days + (1 | Subject)", {"weights": "Days + 1"}, "have no weights"),
        ("Reaction ~ Days + (1 | Subject)", {"offset": "Days"}, "Write the offset into the formula"),
        ("Days | trials(9) ~ 1 + (1 | Subject)", {"family": "binomial"}, "`trials\\(9\\)`: make it a column"),
        ("log(Reaction) ~ Days + (1 | Subject)", {}, r"cannot have the response `log\(Reaction\)`"),
    ],
)
def test_what_bambi_has_not(formula, options, message):
    model = bmx.Model(formula, bmx.load_dataset("sleepstudy"), **options)
    with pytest.raises(SpecError, match=message):
        model.to_bambi()


def test_what_we_have_not():
    with pytest.raises(SpecError, match="does not take bambi's family `t`"):
        bmx.Model.from_bambi(sleepstudy(family="t"))
    with pytest.raises(SpecError, match="formulas for other parameters"):
        bmx.Model.from_bambi(sleepstudy(bambi.Formula("Reaction ~ Days + (1|Subject)", "sigma ~ Days")))
    with pytest.raises(FormulaError):
        bmx.Model.from_bambi(sleepstudy("Reaction ~ hsgp(Days, m=5, c=2) + (1|Subject)"))


def test_bambis_priors_are_accepted():
    prior = bambi.Prior("HalfStudentT", nu=4, sigma=20)
    priors = {"sd": prior, "Days": bambi.Prior("Normal", mu=5, sigma=3)}
    model = bmx.Model("Reaction ~ Days + (Days | Subject)", bmx.load_dataset("sleepstudy"), priors=priors)
    assert model.priors.sd == ((Prior("HalfStudentT", (4.0, 20.0)),) * 2,)
    assert model.priors.fixed[1] == Prior("Normal", (5.0, 3.0))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("sleepstudy_locscale", "takes the formula of the mean alone, and the model has another, `sigma ~ Days"),
        ("two_gaussian", "bambi's models have one response, not a, b"),
    ],
)
def test_bambi_s_models_have_one_formula(name, message):
    with pytest.raises(SpecError, match=message):
        model_of(name).to_bambi()
