"""Default priors of parameters with a formula, on their links: moments against SciPy, presets as documented."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from densities import PRIOR
from scipy import integrate
from several_predictors import DATA, priors_of

from bayesmix.errors import SpecError
from bayesmix.inference.parameters.auxiliary_priors import moments
from bayesmix.language.families.link import LINKS
from bayesmix.language.priors.prior import Prior, parse_prior

PRIORS = [
    "Exponential(0.02)",
    "Gamma(2, 0.1)",
    "Gamma(0.3, 0.01)",
    "InverseGamma(0.4, 0.3)",
    "HalfNormal(7)",
    "HalfStudentT(3, 2.5)",
    "HalfStudentT(4, 20)",
    "HalfCauchy(1)",
    "LogNormal(1, 0.5)",
    "Uniform(0.5, 3)",
]


def integral(prior, power, centre=0.0):
    """Moment of the logarithm under SciPy's density, by quadrature."""
    density = PRIOR[prior.kind](*prior.arguments)
    points = np.linspace(-150.0, 60.0, 40)

    def at(u):
        with np.errstate(all="ignore"):
            return np.nan_to_num((u - centre) ** power * np.exp(density.logpdf(np.exp(u)) + u))

    return sum(integrate.quad(at, a, b, limit=200)[0] for a, b in pairwise(points))


@pytest.mark.parametrize("text", PRIORS)
def test_moments_of_logarithms(text):
    prior = parse_prior(text)
    tolerance = 1e-3 if prior.kind == "Uniform" else 1e-6
    mean, sd = moments(prior, LINKS["log"])
    assert mean == pytest.approx(integral(prior, 1), abs=tolerance)
    assert sd == pytest.approx(np.sqrt(integral(prior, 2, mean)), rel=tolerance)


def test_moments_on_other_links():
    assert moments(parse_prior("Uniform(0, 1)"), LINKS["logit"]) == pytest.approx((0.0, np.pi / np.sqrt(3.0)), abs=1e-3)
    assert moments(parse_prior("Normal(2, 3)"), LINKS["identity"]) == pytest.approx((2.0, 3.0), rel=1e-3)


S_Y, S_X, S_W = (DATA[name].std(ddof=1) for name in ("y", "x", "w"))
FORMULAS = ["y ~ w + (w | p | g)", "sigma ~ x + (x | p | g)"]
# preset: intercept, slope, standard deviations of sigma's effects, eta
PRESETS = {
    "default": (
        ("Normal", np.log(S_Y) - np.euler_gamma, np.pi / np.sqrt(6.0)),
        ("Normal", 0.0, 1.0 / S_X),
        ("Exponential", 1.0),
        ("Exponential", S_X),
        2.0,
    ),
    "flat": (("Flat",), ("Flat",), ("HalfFlat",), ("HalfFlat",), 1.0),
    "bambi": (("Normal", 0.0, 1.0), ("Normal", 0.0, 1.0), ("HalfNormal", 1.0), ("HalfNormal", 1.0), 1.0),
    "brms": (("StudentT", 3.0, 0.0, 2.5), ("Flat",), ("HalfStudentT", 3.0, 2.5), ("HalfStudentT", 3.0, 2.5), 1.0),
}


@pytest.mark.parametrize("preset", PRESETS)
def test_presets_of_sigma(preset):
    found = priors_of(FORMULAS, priors=preset)
    intercept, slope, of_intercept, of_slope, eta = PRESETS[preset]
    at = found.names.index("sigma_x")
    for prior, (kind, *arguments) in zip(
        (*found.fixed[at - 1 : at + 1], *found.sd[0][2:]), (intercept, slope, of_intercept, of_slope), strict=True
    ):
        assert prior.kind == kind
        np.testing.assert_allclose(prior.arguments, arguments, rtol=1e-12, atol=1e-12)
    assert found.corr == ((Prior("LKJ", (eta,)),),)


@pytest.mark.parametrize(("family", "mean", "sd"), [("gamma", 2.0, 0.1), ("negbinomial", 2.0, 0.1)])
def test_the_default_intercept_of_a_shape_has_the_moments_of_its_logarithm(family, mean, sd):
    response = {"gamma": "positive", "negbinomial": "count"}[family]
    found = priors_of([f"{response} ~ 1", "shape ~ x"], family)
    exact = integral(parse_prior("Gamma(2, 0.1)"), 1)
    prior = found.fixed[found.names.index("shape_Intercept(centred)")]
    assert prior.arguments[0] == pytest.approx(exact, abs=1e-6)
    assert prior.arguments[1] == pytest.approx(np.sqrt(integral(parse_prior("Gamma(2, 0.1)"), 2, exact)), rel=1e-6)


def test_cell_means_of_a_parameter_are_centred_on_its_default():
    found = priors_of(["y ~ 1", "sigma ~ 0 + f"])
    s_f = (DATA["f"] == "a").std(ddof=1)
    for prior in found.fixed[1:]:
        np.testing.assert_allclose(prior.arguments, (np.log(S_Y) - np.euler_gamma, 1.0 / s_f), rtol=1e-12)


def test_the_offset_is_taken_off_the_intercept():
    found = priors_of(["y ~ 1", "sigma ~ x + offset(off)"])
    expected = np.log(S_Y) - np.euler_gamma - DATA["off"].mean()
    assert found.fixed[1].arguments[0] == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("formulas", [["y ~ x", "sigma ~ x"], ["y ~ x + (1 | g)", "count ~ x"]])
def test_rstanarm_has_no_such_models(formulas):
    family = "gaussian" if "sigma ~ x" in formulas else {"y": "gaussian", "count": "poisson"}
    with pytest.raises(SpecError, match="default, flat, brms, bambi"):
        priors_of(formulas, family, priors="rstanarm")
