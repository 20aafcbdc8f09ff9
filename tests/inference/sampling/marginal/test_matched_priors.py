"""Normal densities for priors: expectations in closed form, moments by SciPy's quadrature."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import integrate, stats

from bayesmix.inference.sampling.marginal.matched_priors import match_prior, prior_moments
from bayesmix.language.families.link import LINKS
from bayesmix.language.priors.on_link import OnLink
from bayesmix.language.priors.prior import Prior


def prior(kind: str, *arguments: float) -> Prior:
    return Prior(kind, tuple(arguments))


def test_priors_are_matched_by_expectations() -> None:
    draws = 0.4 + 0.5 * np.random.default_rng(6).normal(size=400)
    mean, precision = match_prior(prior("Normal", 1.0, 2.0), draws, 0.5)
    assert (mean, precision) == (1.0, 0.25)
    nu, mu, s = 3.0, 0.2, 0.8
    away = draws - mu
    slope = -(nu + 1.0) * away / (nu * s**2 + away**2)
    curvature = (nu + 1.0) * (nu * s**2 - away**2) / (nu * s**2 + away**2) ** 2
    mean, precision = match_prior(prior("StudentT", nu, mu, s), draws, 0.5)
    assert precision == pytest.approx(curvature.mean(), rel=1e-5)
    assert mean == pytest.approx(draws.mean() + slope.mean() / curvature.mean(), rel=1e-5)
    far = 50.0 + draws  # where the log density of a Student t is convex
    _, precision = match_prior(prior("StudentT", nu, mu, s), far, 0.5)
    assert precision == pytest.approx(1e-4 / 0.25)


@pytest.mark.parametrize(("centre", "sd"), [(-0.7, 1.0), (-2.5, 0.3), (-1.0, 0.2), (-17.8, 9600.0)])
def test_priors_that_end_are_matched_by_the_moments_of_the_product(centre: float, sd: float) -> None:
    """Of the logarithm of a uniform variable, below its end, times one normal beyond it, around it or of nothing."""
    end = np.log(0.12)
    own = OnLink(prior("Uniform", 0.0, 0.12), LINKS["log"])

    def density(x: float) -> float:
        return float(np.exp(x - end - 0.5 * ((x - centre) / sd) ** 2 + 0.5 * ((end - centre) / sd) ** 2))

    places = {"points": (end - 2.0, end - 0.2, end - 0.02), "limit": 400}
    total, first, second = (
        integrate.quad(lambda x, k=k: x**k * density(x), end - 25.0, end, **places)[0] for k in range(3)
    )
    mean, variance = first / total, second / total - (first / total) ** 2
    m, precision = match_prior(own, np.array([centre]), sd)
    whole = precision + sd**-2.0
    assert (precision * m + centre / sd**2) / whole == pytest.approx(mean, abs=0.02 * np.sqrt(variance))
    assert 1.0 / whole == pytest.approx(variance, rel=0.03)
    # from draws of that product the same density comes again
    draws = stats.norm((precision * m + centre / sd**2) / whole, whole**-0.5).ppf((np.arange(400) + 0.5) / 400)
    again = match_prior(own, draws, whole**-0.5, (m, precision))
    np.testing.assert_allclose(again, (m, precision), rtol=0.02)


def test_moments_of_priors() -> None:
    assert prior_moments(prior("Normal", 1.0, 2.0)) == (1.0, 0.25)
    found = prior_moments(OnLink(prior("Exponential", 1.5), LINKS["log"]))
    assert found is not None
    law = stats.gumbel_l(loc=-np.log(1.5))  # of the logarithm of an exponential variable
    np.testing.assert_allclose(found, (law.mean(), 1.0 / law.var()), rtol=0.03)
    assert prior_moments(prior("LKJ", 2.0)) is None
    assert prior_moments(prior("Flat")) is None
