"""Families and links: densities, derivatives, deviances, draws, messages."""

from __future__ import annotations

from dataclasses import replace

import densities
import numpy as np
import pytest
from densities import LINK, MEAN, log_density, response
from hypothesis import given
from hypothesis import strategies as st

from bayesmix.errors import DataError, SpecError
from bayesmix.language.families.derivatives import by_predictor, slopes_by_predictor
from bayesmix.language.families.link import LINKS
from bayesmix.language.families.registry import FAMILIES, check_response, find_family, find_link

PLAIN = {name: FAMILIES[name] for name in densities.PLAIN}
PAIRS = [(family, link) for family in PLAIN.values() for link in family.links]
IDS = [f"{family.name}-{link}" for family, link in PAIRS]
N = 12
SHAPE = 1.3
POSITIVE = {"inverse", "inverse_squared", "sqrt"}  # links with positive predictors

EXACT = {"rtol": 1e-11, "atol": 1e-11}  # SciPy sums the same log-gamma functions in another order
DIFFERENCED = {"rtol": 1e-6, "atol": 1e-6}  # central differences, step 1e-4, of functions of size up to 100
MOMENTS = 5.0  # standard errors that the mean of 100 000 draws with a fixed seed may be off


def etas(family, link):
    """Linear predictors with means inside their range."""
    eta = np.linspace(0.3, 1.4, N)
    return -eta if family.response == "binomial" and link == "log" else eta


def observed(family, link, seed=1):
    rng = np.random.default_rng(seed)
    trials = np.full(N, 5.0) if family.name == "binomial" else np.ones(N)
    y = family.sample(rng, trials, MEAN[link](etas(family, link)), *family.others(np.full(N, SHAPE)))
    return y, trials


def difference(values, eta, order):
    h = 1e-4
    f = [values(eta + shift * h)[order] for shift in (-2.0, -1.0, 1.0, 2.0)]
    return (f[0] - 8.0 * f[1] + 8.0 * f[2] - f[3]) / (12.0 * h)


# ---- links ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", LINKS)
def test_link_and_inverse(name):
    link = LINKS[name]
    eta = np.linspace(0.3, 1.4, N) if name in POSITIVE | {"identity"} else np.linspace(-3.0, 1.4, N)
    mu = link.inverse(eta)[0]
    np.testing.assert_allclose(mu, MEAN[name](eta), **EXACT)
    np.testing.assert_allclose(link.of(mu), eta, **EXACT)
    np.testing.assert_allclose(link.of(mu), LINK[name](mu), **EXACT)


@pytest.mark.parametrize("name", LINKS)
def test_derivatives_of_the_inverse_link(name):
    link = LINKS[name]
    eta = np.linspace(0.3, 1.4, N) if name in POSITIVE else np.linspace(-3.0, 1.4, N)
    jet = link.inverse(eta)
    for order in range(3):
        np.testing.assert_allclose(jet[order + 1], difference(link.inverse, eta, order), **DIFFERENCED)


@pytest.mark.parametrize(
    ("name", "eta"),
    [(name, eta) for name in ("logit", "probit", "cloglog") for eta in (-800.0, -40.0, 40.0, 200.0, 800.0)],
)
def test_extreme_predictors_stay_finite(name, eta):
    with np.errstate(under="ignore"):
        mu, *derivatives = LINKS[name].inverse(np.array([eta]))
    assert 0.0 < mu[0] < 1.0
    np.testing.assert_allclose(derivatives, 0.0, atol=1e-15)  # means are clipped at one epsilon, slopes with them


@given(st.floats(-30.0, 30.0))
def test_the_logistic_curve_is_symmetric(eta):
    up, down = LINKS["logit"].inverse(np.array([eta])), LINKS["logit"].inverse(np.array([-eta]))
    np.testing.assert_allclose(up[0] + down[0], 1.0, rtol=1e-15)
    np.testing.assert_allclose(up[1], down[1], rtol=1e-9)


# ---- densities -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("family", "link"), PAIRS, ids=IDS)
def test_log_density_is_scipys(family, link):
    y, trials = observed(family, link)
    mu = MEAN[link](etas(family, link))
    found = family.log_density(y, trials, mu, *family.others(np.full(N, SHAPE)))
    np.testing.assert_allclose(found, log_density(family.name, y, mu, SHAPE, trials), **EXACT)


CLOSED = [family for family in PLAIN.values() if family.closed_form is not None]


@pytest.mark.parametrize("family", CLOSED, ids=[family.name for family in CLOSED])
def test_derivatives_by_the_mean(family):
    link = "log" if "log" in family.links else "logit"
    y, trials = observed(family, link)
    mu = MEAN[link](etas(family, link))

    def density(at):
        arguments = (y, trials, at, *family.others(np.full(N, SHAPE)))
        return family.log_density(*arguments), *family.closed_form.slopes(*arguments)

    for order in range(3):
        np.testing.assert_allclose(density(mu)[order + 1], difference(density, mu, order), **DIFFERENCED)


@pytest.mark.parametrize(("family", "link"), PAIRS, ids=IDS)
def test_derivatives_by_the_predictor(family, link):
    """The value is SciPy's weighted log density; each derivative is the difference of the one before."""
    y, trials = observed(family, link)
    eta, weights = etas(family, link), np.linspace(0.5, 2.0, N)

    def rows(at):
        return by_predictor(family, LINKS[link], y, at, dispersion=np.array(SHAPE), trials=trials, weights=weights)

    jet = rows(eta)
    if family.name == "gaussian":  # a weight divides the variance
        expected = log_density("gaussian", y, MEAN[link](eta), SHAPE / np.sqrt(weights))
    else:
        expected = weights * log_density(family.name, y, MEAN[link](eta), SHAPE, trials)
    np.testing.assert_allclose(jet[0], expected, **EXACT)
    for order in range(3):
        np.testing.assert_allclose(jet[order + 1], difference(rows, eta, order), **DIFFERENCED)


@pytest.mark.parametrize("family", PLAIN.values(), ids=PLAIN.keys())
def test_leading_axes_are_free(family):
    link = LINKS[family.links[0]]
    y, trials = observed(family, link.name)
    eta = etas(family, link.name) * np.linspace(0.5, 1.0, 6).reshape(2, 3, 1)
    dispersion = np.linspace(0.5, 2.0, 6).reshape(2, 3, 1)
    weights = np.linspace(0.5, 2.0, N)
    together = by_predictor(family, link, y, eta, dispersion=dispersion, trials=trials, weights=weights)
    for index in np.ndindex(2, 3):
        alone = by_predictor(family, link, y, eta[index], dispersion=dispersion[index], trials=trials, weights=weights)
        for many, one in zip(together, alone, strict=True):
            np.testing.assert_allclose(np.broadcast_to(many, eta.shape)[index], one, rtol=1e-14)


@pytest.mark.parametrize(("family", "link"), PAIRS, ids=IDS)
def test_slopes_by_themselves(family, link):
    y, trials = observed(family, link)
    eta = etas(family, link) * np.linspace(0.5, 1.0, 3)[:, None]
    given_ = {"dispersion": np.array(SHAPE), "trials": trials, "weights": np.linspace(0.5, 2.0, N)}
    jet = by_predictor(family, LINKS[link], y, eta, **given_)
    for alone, together in zip(slopes_by_predictor(family, LINKS[link], y, eta, **given_), jet[1:3], strict=True):
        np.testing.assert_allclose(alone, together, **EXACT)


@pytest.mark.parametrize("shape", [30.0, 99.0, 101.0, 1e4])
def test_negative_binomial_density_on_both_sides_of_its_series(shape):
    y, mu = np.array([0.0, 1.0, 7.0, 60.0, 900.0]), np.array([0.3, 2.0, 5.0, 80.0, 800.0])
    found = FAMILIES["negbinomial"].log_density(y, np.ones(5), mu, np.array(shape))
    np.testing.assert_allclose(found, log_density("negbinomial", y, mu, shape), rtol=1e-10)


@pytest.mark.parametrize("shape", [1e6, 3e7, 1e9, 1e14])
def test_negative_binomial_density_goes_to_the_poissons_without_noise(shape):
    """To first order in one over the shape: ``((y - mu)^2 - y) / (2 shape)``."""
    y, mu = np.array([0.0, 1.0, 7.0, 60.0]), np.array([0.3, 2.0, 5.0, 70.0])
    found = FAMILIES["negbinomial"].log_density(y, np.ones(4), mu, np.array(shape))
    expected = log_density("poisson", y, mu, 1.0) + ((y - mu) ** 2 - y) / (2.0 * shape)
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=20.0 * 70.0**3 / shape**2)


@pytest.mark.parametrize("name", ["binomial", "bernoulli", "poisson"])
def test_density_under_the_canonical_link_is_exact_far_out(name):
    """Where the mean rounds to 0 or 1 (or overflows), the density still falls with the predictor."""
    family = FAMILIES[name]
    y, far = np.array([1.0, 1.0, 0.0]), np.array([-60.0, -400.0, 60.0 if family.response == "binomial" else 1.0])
    link = LINKS[family.links[0]]
    jet = by_predictor(family, link, y, far, dispersion=np.ones(()), trials=np.ones(3), weights=np.ones(3))
    np.testing.assert_allclose(jet[0], [-60.0, -400.0, -far[2] if family.response == "binomial" else -np.e], rtol=1e-15)


@pytest.mark.parametrize("family", PLAIN.values(), ids=PLAIN.keys())
def test_variance_and_draws(family):
    link = family.links[0]
    mu = MEAN[link](etas(family, link))
    trials = np.full(N, 5.0) if family.name == "binomial" else np.ones(N)
    distribution = response(family.name, mu, SHAPE, trials)
    found = family.variance(trials, mu, *family.others(np.array(SHAPE)))
    np.testing.assert_allclose(found, distribution.var() / trials**2, **EXACT)
    size = 100_000
    rng = np.random.default_rng(3)
    arguments = (trials, mu, *family.others(np.full(N, SHAPE)))
    draws = family.sample(rng, *(np.broadcast_to(a, (size, N)) for a in arguments))
    assert draws.dtype == float
    for moment in (1, 2):
        powers = draws**moment
        expected = distribution.mean() if moment == 1 else distribution.var() + distribution.mean() ** 2
        assert np.all(np.abs(powers.mean(axis=0) - expected) < MOMENTS * powers.std(axis=0) / np.sqrt(size))


@pytest.mark.parametrize(("family", "link"), PAIRS, ids=IDS)
def test_deviance_is_twice_the_distance_from_the_saturated_model(family, link):
    y, trials = observed(family, link)
    mu = MEAN[link](etas(family, link))
    saturated = y / trials if family.name == "gaussian" else np.maximum(y / trials, 1e-300)  # 0: the limit
    with np.errstate(divide="ignore", invalid="ignore"):
        distance = log_density(family.name, y, saturated, SHAPE, trials) - log_density(
            family.name, y, mu, SHAPE, trials
        )
    unit = {"gaussian": SHAPE**2, "gamma": 1.0 / SHAPE}.get(family.name, 1.0)  # R's are free of the dispersion
    found = family.unit_deviance(y, trials, mu, *family.others(np.array(SHAPE)))
    np.testing.assert_allclose(found, 2.0 * unit * distance, rtol=1e-9, atol=1e-9)
    assert np.all(found >= 0.0)


@pytest.mark.parametrize("family", PLAIN.values(), ids=PLAIN.keys())
def test_deviance_of_a_family_without_a_formula_for_it(family):
    """By search: that of the formula, but for the dispersion, of which R's are free."""
    y, trials = observed(family, family.links[0])
    others = family.others(np.array(SHAPE))
    mu = MEAN[family.links[0]](etas(family, family.links[0]))
    unit = {"gaussian": SHAPE**2, "gamma": 1.0 / SHAPE}.get(family.name, 1.0)
    found = replace(family, deviance=None).unit_deviance(y, trials, mu, *others)
    np.testing.assert_allclose(unit * found, family.unit_deviance(y, trials, mu, *others), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(
    ("name", "y", "trials"),
    [("poisson", 0.0, 1.0), ("binomial", 0.0, 4.0), ("binomial", 4.0, 4.0), ("bernoulli", 1.0, 1.0)],
)
def test_responses_at_the_edge_have_finite_densities(name, y, trials):
    family = FAMILIES[name]
    arguments = (np.array([y]), np.array([trials]), np.array([0.3]), *family.others(np.array(1.0)))
    assert np.isfinite(family.log_density(*arguments)).all()
    assert all(np.isfinite(part).all() for part in family.closed_form.slopes(*arguments))
    assert np.isfinite(family.unit_deviance(*arguments)).all()


# ---- names and messages --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("gaussian", "gaussian"),
        ("Gaussian", "gaussian"),
        ("normal", "gaussian"),
        ("POISSON", "poisson"),
        ("Gamma", "gamma"),
        ("nbinom2", "negbinomial"),
        ("negative_binomial", "negbinomial"),
        ("NegativeBinomial", "negbinomial"),
    ],
)
def test_families_by_name(text, name):
    assert find_family(text) is FAMILIES[name]


def test_default_links_are_rs_or_the_usual_ones():
    defaults = {name: find_link(family, None).name for name, family in PLAIN.items()}
    assert defaults == {
        "gaussian": "identity",
        "poisson": "log",
        "binomial": "logit",
        "bernoulli": "logit",
        "gamma": "log",
        "negbinomial": "log",
    }


def test_an_unknown_family_gets_the_nearest():
    with pytest.raises(SpecError, match=r"`poison` does not exist\. Did you mean `poisson`\? Families: gaussian, "):
        find_family("poison")


def test_an_unknown_link_gets_the_nearest():
    with pytest.raises(
        SpecError, match=r"no link `probti`\. Did you mean `probit`\? Its links: logit, probit, cloglog"
    ):
        find_link(FAMILIES["binomial"], "probti")


def test_a_link_of_another_family_is_refused():
    with pytest.raises(SpecError, match="Family `poisson` has no link `logit`"):
        find_link(FAMILIES["poisson"], "logit")


@pytest.mark.parametrize(
    ("name", "y", "trials", "message"),
    [
        ("poisson", [1.0, 2.5, 3.0], None, "counts 0, 1, 2, ...; row 1 has 2.5"),
        ("poisson", [1.0, -2.0], None, "row 1 has -2"),
        ("negbinomial", [0.5], None, "row 0 has 0.5"),
        ("gamma", [1.0, 0.0], None, "positive numbers; row 1 has 0"),
        ("binomial", [3.0, 5.0], [4.0, 4.0], "row 1 has 5 of 4"),
        ("bernoulli", [0.0, 2.0], None, "0 or 1 (or two categories); row 1 has 2"),
    ],
)
def test_responses_that_do_not_fit(name, y, trials, message):
    with pytest.raises(DataError) as raised:
        check_response(FAMILIES[name], "cases", np.array(y), np.ones(len(y)) if trials is None else np.array(trials))
    assert message in str(raised.value)
    assert f"Response `cases` does not fit family `{name}`" in str(raised.value)


@pytest.mark.parametrize("name", PLAIN)
def test_responses_that_fit(name):
    family = FAMILIES[name]
    y, trials = observed(family, family.links[0])
    check_response(family, "cases", y, trials)
