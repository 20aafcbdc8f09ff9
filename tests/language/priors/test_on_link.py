"""Priors on the scale of a link, against SciPy's densities of transformed variables."""

from __future__ import annotations

import numpy as np
import pytest
from densities import PRIOR
from scipy import integrate, stats

from bayesmix.language.families.link import LINKS
from bayesmix.language.priors.on_link import OnLink, natural
from bayesmix.language.priors.prior import parse_prior

LOG = LINKS["log"]
GAMMA = np.array([-30.0, -3.0, -0.4, 0.0, 1.1, 2.5])


@pytest.mark.parametrize(
    "text", ["Exponential(0.3)", "Gamma(2, 0.1)", "HalfNormal(3)", "HalfStudentT(3, 2)", "InverseGamma(0.4, 0.3)"]
)
def test_the_density_of_a_logarithm_has_the_jacobian(text):
    prior = parse_prior(text)
    found = OnLink(prior, LOG)
    expected = PRIOR[prior.kind](*prior.arguments).logpdf(np.exp(GAMMA)) + GAMMA
    np.testing.assert_allclose(found.log_density(GAMMA), expected, rtol=1e-12)
    mass, _ = integrate.quad(lambda gamma: float(np.exp(found.log_density(np.array(gamma)))), -60.0, 40.0, limit=200)
    assert mass == pytest.approx(1.0, abs=1e-6)


def test_a_uniform_share_is_logistic_on_the_logit_scale():
    found = OnLink(parse_prior("Uniform(0, 1)"), LINKS["logit"])
    np.testing.assert_allclose(found.log_density(GAMMA), stats.logistic.logpdf(GAMMA), rtol=1e-12)


def test_a_flat_prior_of_the_parameter_is_not_flat_on_the_link():
    found = OnLink(parse_prior("HalfFlat"), LOG)
    assert not found.is_flat
    assert natural(found).is_flat
    np.testing.assert_allclose(found.log_density(GAMMA), GAMMA)


@pytest.mark.parametrize("text", ["Gamma(0.5, 1)", "InverseGamma(1, 1)", "Exponential(2)", "HalfFlat"])
def test_densities_out_of_reach_are_no_nan(text):
    found = OnLink(parse_prior(text), LOG).log_density(np.array([-1e5, -800.0, 800.0, 1e5]))
    assert not np.any(np.isnan(found))
    assert np.all(found[0] == -np.inf)


def test_it_prints_as_the_prior_of_the_parameter_and_is_called_otherwise():
    found = OnLink(parse_prior("Exponential(2)"), LOG)
    assert (str(found), found.kind, found.arguments) == ("Exponential(2)", "LogExponential", (2.0,))
    assert not found.is_positive
