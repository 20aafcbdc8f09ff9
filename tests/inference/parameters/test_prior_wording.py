"""What priors say: bounds against integrals of their densities and against simulation, words by unit and link."""

from __future__ import annotations

import numpy as np
import pytest
from handmade import make_term
from scipy import integrate, stats

from bayesmix.inference.parameters.covariance import structure_of
from bayesmix.inference.parameters.prior_wording import (
    OneOfDecov,
    Unit,
    decov_upper,
    in_units,
    quantiles,
    says,
    says_decov,
    says_lkj,
    says_of_number,
    short,
)
from bayesmix.language.families.registry import FAMILIES, find_link
from bayesmix.language.priors.prior import parse_prior

PRIORS = [
    "Normal(1, 2)",
    "StudentT(3, -1, 2)",
    "Cauchy(0.5, 1)",
    "Laplace(1, 3)",
    "HalfNormal(2)",
    "HalfStudentT(3, 2)",
    "HalfCauchy(0.3)",
    "Exponential(0.2)",
    "Gamma(2, 0.5)",
    "InverseGamma(3, 2)",
    "LogNormal(1, 0.5)",
    "Uniform(1, 5)",
    "Beta(2, 3)",
]
IDENTITY, LOG, LOGIT, INVERSE = (
    find_link(FAMILIES[family], link)
    for family, link in (("gaussian", None), ("poisson", None), ("binomial", None), ("gamma", "inverse"))
)


@pytest.mark.parametrize("text", PRIORS)
def test_bounds_hold_95_per_cent_of_the_density(text):
    prior = parse_prior(text)
    low, high = quantiles(prior)
    mass, _ = integrate.quad(lambda x: float(np.exp(prior.log_density(np.asarray(x)))), low, high, limit=200)
    assert mass == pytest.approx(0.95, abs=1e-6)
    if prior.is_positive:
        assert low == 0.0
    else:  # as much is left out on either side
        below, _ = integrate.quad(lambda x: float(np.exp(prior.log_density(np.asarray(x)))), -np.inf, low, limit=200)
        assert below == pytest.approx(0.025, abs=1e-6)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Normal(1, 2)", "95 % within -2.92 .. 4.92"),  # 1 +- 1.96 * 2
        ("HalfNormal(2)", "95 % below 3.92"),
        ("Exponential(0.2)", "95 % below 15"),  # log(20) / 0.2
        ("Flat()", "flat: every value alike (improper)"),
    ],
)
def test_words_of_a_prior(text, words):
    assert says(parse_prior(text)) == words


def test_names_have_four_digits():
    assert short(parse_prior("StudentT(3, 288.6501, 0.0123456)")) == "StudentT(3, 288.7, 0.01235)"


# ---- units ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "unit", "words"),
    [
        ("Normal(0, 1)", Unit("Intercept", "ms", IDENTITY), "95 % within -1.96 .. 1.96 ms"),
        ("Normal(0, 1)", Unit("Days", "ms", IDENTITY), "95 % within -1.96 .. 1.96 ms per Days"),
        ("Normal(0, 1)", Unit("Days", "", IDENTITY), "95 % within -1.96 .. 1.96 per Days"),
        ("Normal(0, 1)", Unit("x", "", LOG), "95 % within -1.96 .. 1.96 (a factor of 7.1)"),  # exp(1.96)
        ("Normal(0, 1)", Unit("x", "", LOGIT), "95 % within -1.96 .. 1.96 (odds times 7.1)"),
        ("HalfNormal(1)", Unit("Intercept", "", LOG), "95 % below 1.96 (a factor of 7.1)"),
        ("Normal(0, 1)", Unit("Intercept", "", LOG), "95 % within -1.96 .. 1.96"),  # of an intercept it is no factor
        ("Normal(0, 1)", Unit("x", "", INVERSE), "95 % within -1.96 .. 1.96"),
        ("Normal(0, 1)", Unit("Intercept", "ms", LOG, "sigma"), "95 % within -1.96 .. 1.96 (sigma 0.141 .. 7.1 ms)"),
        ("Flat()", Unit("Days", "ms", IDENTITY), "flat: every value alike (improper)"),
        ("HalfNormal(1000)", Unit("x", "", LOG), "95 % below 1.96e+03 (a factor of 1.01e+304)"),  # exp(700), not inf
    ],
)
def test_coefficients_are_in_units_of_the_response(text, unit, words):
    assert in_units(parse_prior(text), unit) == words


def test_numbers_of_all_rows_are_in_units_of_the_response_if_they_have_any():
    assert says_of_number(parse_prior("HalfNormal(1)"), "ms") == "95 % below 1.96 ms"
    assert says_of_number(parse_prior("HalfNormal(1)"), "") == "95 % below 1.96"
    assert says_of_number(parse_prior("Flat()"), "ms") == "flat: every value alike (improper)"


# ---- correlations ---------------------------------------------------------------------------------------------------


def family(k, structure="us"):
    return structure_of(make_term("g", np.arange(8) // 2, np.ones((8, k)), structure=structure)).correlation


@pytest.mark.parametrize(
    ("eta", "k", "bound"),
    [
        (1.0, 2, 0.95),  # uniform from -1 to 1
        (2.0, 2, 2.0 * stats.beta(2.0, 2.0).ppf(0.975) - 1.0),
        (1.0, 3, 2.0 * stats.beta(1.5, 1.5).ppf(0.975) - 1.0),
    ],
)
def test_words_of_free_correlations(eta, k, bound):
    assert says_lkj(eta, family(k)) == f"95 % of each correlation within +-{bound:.2f}"


@pytest.mark.parametrize(("structure", "k", "lowest"), [("cs", 2, -1.0), ("cs", 3, -0.5), ("ar1", 4, -1.0)])
def test_the_default_of_one_number_is_uniform_on_its_range(structure, k, lowest):
    low, high = (lowest + p * (1.0 - lowest) for p in (0.025, 0.975))
    assert says_lkj(1.0, family(k, structure)) == f"95 % within {low:.2f} .. {high:.2f}"


@pytest.mark.parametrize("eta", [2.0, 4.0])
def test_one_number_under_lkj_has_the_density_of_its_determinant(eta):
    """``|R|^(eta - 1)`` of compound symmetry, with ``|R| = (1 - r)^2 (1 + 2 r)`` for three effects."""
    grid = np.linspace(-0.5, 1.0, 200001)
    mass = np.cumsum(((1.0 - grid) ** 2 * (1.0 + 2.0 * grid)) ** (eta - 1.0))
    low, high = (grid[np.searchsorted(mass, p * mass[-1])] for p in (0.025, 0.975))
    assert says_lkj(eta, family(3, "cs")) == f"95 % within {low:.2f} .. {high:.2f}"


# ---- Decov ----------------------------------------------------------------------------------------------------------

DECOV = parse_prior("Decov(1, 2, 1.5)")  # concentration 1 is that below, shape 2 and scale 1.5 of the gamma
UNITS = [None, parse_prior("Exponential(0.5)")]


def simulated(together, unit, draws=400_000):
    """sd = root of (trace * share) with gamma(shape, scale)^2 * k the trace and Dirichlet shares, times the unit."""
    rng = np.random.default_rng(0)
    concentration, shape, scale = DECOV.arguments
    share = rng.dirichlet([concentration] * together, draws)[:, 0]
    sd = rng.gamma(shape, scale, draws) * np.sqrt(together * share)
    return sd if unit is None else sd * rng.exponential(2.0, draws)


@pytest.mark.parametrize("unit", UNITS, ids=["relative", "in units"])
@pytest.mark.parametrize("together", [1, 2, 3])
def test_bounds_of_a_decov_prior_are_those_of_simulation(together, unit):
    sd = simulated(together, unit)
    prior = OneOfDecov(DECOV, together, unit)
    assert not prior.is_flat
    assert np.mean(sd < prior.upper()) == pytest.approx(0.95, abs=3e-3)
    assert decov_upper(DECOV, together, unit) == prior.upper()
    middle = np.quantile(sd, [0.25, 0.75])
    grid = np.linspace(*middle, 101)
    density = np.exp(prior.log_density(grid))
    assert np.trapezoid(density, grid) == pytest.approx(0.5, abs=5e-3)


def test_words_of_a_decov_prior():
    """Beside the dispersion it is relative to, in units where that has a prior; as a factor without a dispersion."""
    alone, own = (f"{decov_upper(DECOV, 2, unit):.3g}" for unit in UNITS)
    days = Unit("Days", "ms", IDENTITY)
    assert says_decov(DECOV, 2, UNITS[1], "sigma", days) == f"95 % below {alone} sigma, that is {own} ms per Days"
    assert says_decov(DECOV, 2, parse_prior("Flat()"), "sigma", days) == f"95 % below {alone} sigma"
    assert says_decov(DECOV, 2, UNITS[1], "shape", Unit("x", "", LOG)) == f"95 % below {alone} shape"
    factor = np.exp(decov_upper(DECOV, 2, None))
    assert says_decov(DECOV, 2, None, None, Unit("x", "", LOG)) == f"95 % below {alone} (a factor of {factor:.3g})"
    assert says_decov(DECOV, 2, None, None, Unit("x", "", INVERSE)) == f"95 % below {alone}"
