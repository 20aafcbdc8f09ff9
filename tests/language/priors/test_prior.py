"""Priors as data: densities against SciPy, text, units, messages, the LKJ constant."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
import pytest
from densities import PRIOR
from densities import log_lkj as log_lkj_term_by_term
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from scipy.integrate import quad

from bayesmix.errors import SpecError
from bayesmix.language.priors.distributions import KINDS
from bayesmix.language.priors.joint import log_decov, log_lkj, log_lkj_constant
from bayesmix.language.priors.prior import Prior, parse_prior, to_prior

EXACT = {"rtol": 1e-12, "atol": 1e-12}
UNIT_MASS = 1e-7  # adaptive quadrature over the real line, heavy tails included
CONSTANT = 1e-3  # 60^3 Gauss-Legendre nodes on a domain with a curved boundary; smooth for eta = 4: 1e-7

EXAMPLES = {
    "Normal": (1.0, 2.0),
    "StudentT": (3.0, 1.0, 2.0),
    "Cauchy": (0.5, 2.0),
    "Laplace": (-1.0, 2.0),
    "HalfNormal": (2.0,),
    "HalfStudentT": (3.0, 2.0),
    "HalfCauchy": (2.0,),
    "Exponential": (2.0,),
    "Gamma": (2.0, 3.0),
    "InverseGamma": (2.0, 3.0),
    "LogNormal": (0.2, 0.7),
    "Beta": (2.0, 3.5),
    "Uniform": (-1.0, 5.0),
}
POSITIVE = {"HalfNormal", "HalfStudentT", "HalfCauchy", "Exponential", "Gamma", "InverseGamma", "LogNormal", "HalfFlat"}
POINTS = np.array([0.01, 0.3, 1.2, 4.0, 40.0])


def test_every_kind_has_an_example():
    assert KINDS.keys() == EXAMPLES.keys() | {"Flat", "HalfFlat", "LKJ", "Decov", "Dirichlet"}
    assert {name for name, kind in KINDS.items() if kind.positive} == POSITIVE | {"Decov"}


@pytest.mark.parametrize("kind", EXAMPLES)
def test_log_density_is_scipys(kind):
    prior, expected = Prior(kind, EXAMPLES[kind]), PRIOR[kind](*EXAMPLES[kind])
    np.testing.assert_allclose(prior.log_density(POINTS), expected.logpdf(POINTS), **EXACT)
    np.testing.assert_allclose(prior.log_density(POINTS.reshape(5, 1)).shape, (5, 1))
    if kind not in POSITIVE:
        np.testing.assert_allclose(prior.log_density(-POINTS), expected.logpdf(-POINTS), **EXACT)


@pytest.mark.parametrize("kind", sorted(POSITIVE))
def test_nothing_below_zero(kind):
    prior = Prior(kind, EXAMPLES.get(kind, ()))
    assert prior.is_positive
    assert np.all(prior.log_density(np.array([-3.0, -1e-9])) == -np.inf)


@pytest.mark.parametrize("kind", EXAMPLES)
def test_proper_densities_integrate_to_one(kind):
    prior = Prior(kind, EXAMPLES[kind])
    pieces = [0.0, np.inf] if kind in POSITIVE else [-np.inf, -1.0, 0.5, 5.0, np.inf]
    mass = sum(
        quad(lambda x: np.exp(prior.log_density(np.asarray(x))), low, high, limit=200)[0]
        for low, high in pairwise(pieces)
    )
    assert mass == pytest.approx(1.0, abs=UNIT_MASS)
    assert not prior.is_flat


@pytest.mark.parametrize("kind", ["Flat", "HalfFlat"])
def test_flat_priors_are_constant(kind):
    assert Prior(kind).is_flat
    np.testing.assert_array_equal(Prior(kind).log_density(POINTS), 0.0)


@pytest.mark.parametrize("factor", [3.0, 1e-6, 0.5])
@pytest.mark.parametrize("kind", sorted(EXAMPLES.keys() - {"Beta"}))  # a share has no units
def test_rescaled_is_the_distribution_in_other_units(kind, factor):
    prior = Prior(kind, EXAMPLES[kind])
    moved = prior.rescaled(factor)
    np.testing.assert_allclose(
        moved.log_density(factor * POINTS) + np.log(factor), prior.log_density(POINTS), rtol=1e-9, atol=1e-9
    )


@pytest.mark.parametrize("kind", ["Normal", "StudentT", "Cauchy", "Laplace"])
def test_rescaled_with_a_change_of_sign(kind):
    prior = Prior(kind, EXAMPLES[kind])
    moved = prior.rescaled(-2.0)
    np.testing.assert_allclose(moved.log_density(-2.0 * POINTS) + np.log(2.0), prior.log_density(POINTS), **EXACT)


def test_rescaled_flat_and_lkj_stay():
    assert Prior("Flat").rescaled(3.0) == Prior("Flat")
    assert Prior("LKJ", (2.0,)).rescaled(3.0) == Prior("LKJ", (2.0,))


# ---- text ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "prior"),
    [
        ("Normal(0, 2.5)", Prior("Normal", (0.0, 2.5))),
        ("normal( mu = 0 , sigma=2.5 )", Prior("Normal", (0.0, 2.5))),
        ("Normal(sigma=2.5, mu=0)", Prior("Normal", (0.0, 2.5))),
        ("Normal(mean=1, sd=2)", Prior("Normal", (1.0, 2.0))),
        ("student_t(3, 0, 2.5)", Prior("StudentT", (3.0, 0.0, 2.5))),
        ("StudentT(df=3, loc=0, scale=2.5)", Prior("StudentT", (3.0, 0.0, 2.5))),
        ("half_normal(2)", Prior("HalfNormal", (2.0,))),
        ("HALFCAUCHY(beta=2)", Prior("HalfCauchy", (2.0,))),
        ("Exponential(2)", Prior("Exponential", (2.0,))),
        ("Exponential(lam=2)", Prior("Exponential", (2.0,))),
        ("Exponential(mean=2)", Prior("Exponential", (0.5,))),
        ("Exponential(scale=4)", Prior("Exponential", (0.25,))),
        ("Gamma(shape=2, rate=0.1)", Prior("Gamma", (2.0, 0.1))),
        ("inv_gamma(2, 3)", Prior("InverseGamma", (2.0, 3.0))),
        ("Uniform(min=-1, max=1e3)", Prior("Uniform", (-1.0, 1000.0))),
        ("LKJ(2)", Prior("LKJ", (2.0,))),
        ("lkj_corr(eta=2)", Prior("LKJ", (2.0,))),
        ("decov(1, 1, 1)", Prior("Decov", (1.0, 1.0, 1.0))),
        ("Decov(scale=2, shape=3, concentration=1)", Prior("Decov", (1.0, 3.0, 2.0))),
        ("Flat", Prior("Flat")),
        ("HalfFlat()", Prior("HalfFlat")),
    ],
)
def test_text_to_prior(text, prior):
    assert parse_prior(text) == prior


numbers = st.floats(1e-6, 1e6)


@given(kind=st.sampled_from(sorted(EXAMPLES)), data=st.data())
def test_text_reads_back(kind, data):
    """To the fifteen digits that are printed."""
    arguments = tuple(data.draw(numbers) for _ in KINDS[kind].arguments)
    if kind == "Uniform":
        arguments = (min(arguments), max(arguments) + 1.0)
    once = parse_prior(str(Prior(kind, arguments)))
    assert once.kind == kind
    np.testing.assert_allclose(once.arguments, arguments, rtol=1e-14)
    assert parse_prior(str(once)) == once


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("HalfNorml(2)", "Prior `HalfNorml` does not exist. Did you mean `HalfNormal`? Priors: Normal, StudentT"),
        ("Foo(1)", "Prior `Foo` does not exist. Priors:"),
        ("HalfNormal(-1)", "`sigma` must be positive, not -1"),
        ("HalfNormal(0)", "`sigma` must be positive, not 0"),
        ("Normal(1)", "Normal takes mu, sigma; write Normal(mu, sigma)"),
        ("Normal(1, 2, 3)", "Normal takes mu, sigma"),
        ("Normal(mu=1, width=2)", "write Normal(mu, sigma)"),
        ("Normal(a, 1)", "`a` is not a number"),
        ("Normal(nan, 1)", "`mu` must be one finite number"),
        ("Normal(0, inf)", "`sigma` must be one finite number"),
        ("Flat(1)", "Flat takes no numbers"),
        ("Decov(1, 0, 1)", "`shape` must be positive, not 0"),
        ("x y", "cannot be read"),
        ("", "cannot be read"),
        ("Normal(0, 1", "cannot be read"),
        ("__import__('os').system('true')", "is not a number"),
        ("os.system(1)", "cannot be read"),
    ],
)
def test_text_that_is_no_prior(text, message):
    with pytest.raises(SpecError) as raised:
        parse_prior(text)
    assert message in str(raised.value)


@pytest.mark.parametrize("text", ["Uniform(5, 1)", "Uniform(2, 2)"])
def test_bounds_in_the_wrong_order_are_refused(text):
    with pytest.raises(SpecError):
        parse_prior(text)


def test_a_number_given_twice_is_refused():
    with pytest.raises(SpecError):
        parse_prior("Normal(1, 2, sigma=3)")


@dataclass
class LooksLikeBambi:
    """``bambi.Prior`` has a name and arguments."""

    name: str
    args: dict = field(default_factory=dict)


def test_bambis_priors_are_read():
    assert to_prior(LooksLikeBambi("Normal", {"mu": 0, "sigma": np.array(2.5)})) == Prior("Normal", (0.0, 2.5))
    assert to_prior(LooksLikeBambi("HalfStudentT", {"nu": 4, "sigma": 2.5})) == Prior("HalfStudentT", (4.0, 2.5))
    with pytest.raises(SpecError, match="`mu` must be one finite number"):
        to_prior(LooksLikeBambi("Normal", {"mu": np.zeros(2), "sigma": 1.0}))


def test_a_real_bambi_prior_is_read():
    import bambi

    assert to_prior(bambi.Prior("Normal", mu=0, sigma=2.5)) == Prior("Normal", (0.0, 2.5))


def test_priors_are_priors():
    prior = Prior("Normal", (0.0, 1.0))
    assert to_prior(prior) is prior
    assert to_prior("Normal(0, 1)") == prior
    with pytest.raises(SpecError, match="not 3"):
        to_prior(3)


# ---- LKJ -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("eta", [0.7, 1.0, 2.0, 5.0])
def test_lkj_of_two_integrates_to_one(eta):
    def density(r):
        return np.exp(log_lkj(np.array([[1.0, r], [r, 1.0]]), eta))

    assert quad(density, -1.0, 1.0)[0] == pytest.approx(1.0, abs=1e-6)


@pytest.mark.parametrize(("eta", "tolerance"), [(2.0, CONSTANT), (4.0, 1e-6)])
def test_lkj_of_three_integrates_to_one(eta, tolerance):
    nodes, weights = np.polynomial.legendre.leggauss(60)
    a, b, c = np.meshgrid(nodes, nodes, nodes, indexing="ij")
    volume = weights[:, None, None] * weights[:, None] * weights
    determinant = 1.0 + 2.0 * a * b * c - a**2 - b**2 - c**2
    inside = determinant > 0.0
    R = np.stack([np.ones_like(a), a, b, a, np.ones_like(a), c, b, c, np.ones_like(a)], axis=-1)
    R = R[inside].reshape(-1, 3, 3)
    assert np.sum(np.exp(log_lkj(R, eta)) * volume[inside]) == pytest.approx(1.0, abs=tolerance)


@pytest.mark.parametrize("eta", [0.5, 1.0, 3.0])
@pytest.mark.parametrize("k", [2, 3, 4, 6])
def test_lkj_is_the_papers_formula(k, eta):
    rng = np.random.default_rng(k)
    R = np.corrcoef(rng.normal(size=(k, 3 * k)))
    assert log_lkj(R, eta) == pytest.approx(log_lkj_term_by_term(R, eta), rel=1e-12)
    assert log_lkj_constant(1, eta) == 0.0


# ---- Decov ---------------------------------------------------------------------------------------------------------

DECOV = [(1.0, 1.0, 1.0), (2.0, 3.0, 0.5), (0.7, 1.3, 4.0)]


def shares(sd, unit):
    """What rstanarm draws: tau, and the shares of the variance but the last."""
    variance = (sd / unit) ** 2
    return np.concatenate([[np.sqrt(variance.mean())], variance[:-1] / variance.sum()])


@pytest.mark.parametrize("arguments", DECOV)
@pytest.mark.parametrize("k", [1, 2, 3, 5])
def test_decov_is_the_transform_of_a_gamma_and_a_dirichlet_variable(k, arguments):
    concentration, shape, scale = arguments
    sd, unit, h = np.random.default_rng(k).uniform(0.5, 3.0, k), 1.7, 1e-6
    jacobian = [(shares(sd + step, unit) - shares(sd - step, unit)) / (2.0 * h) for step in h * np.eye(k)]
    tau, *pi = shares(sd, unit)
    expected = stats.gamma(shape, scale=scale).logpdf(tau) + np.linalg.slogdet(jacobian)[1]
    expected += stats.dirichlet([concentration] * k).logpdf([*pi, 1.0 - sum(pi)]) if k > 1 else 0.0
    assert log_decov(sd, np.asarray(unit), *arguments) == pytest.approx(expected, rel=1e-7, abs=1e-7)


@pytest.mark.parametrize("arguments", DECOV)
def test_decov_is_the_density_of_what_rstanarm_draws(arguments):
    """The mean of q / p over draws from p is one, whatever density q is."""
    concentration, shape, scale = arguments
    rng, n, unit = np.random.default_rng(3), 200_000, 2.0
    tau, pi = rng.gamma(shape, scale, n), rng.dirichlet([concentration] * 3, n)
    sd = unit * tau[:, None] * np.sqrt(3.0 * pi)
    middle = np.median(np.log(sd), axis=0)
    for shift in (-0.5, 0.0, 0.7):
        q = stats.norm(middle + shift, 0.4).logpdf(np.log(sd)).sum(axis=1) - np.log(sd).sum(axis=1)
        ratio = np.exp(q - log_decov(sd, np.asarray(unit), *arguments))
        assert abs(ratio.mean() - 1.0) < 4.0 * ratio.std() / n**0.5 < 0.2


def test_decov_of_draws():
    sd = np.random.default_rng(5).uniform(0.1, 2.0, (4, 3, 2))
    unit = np.random.default_rng(6).uniform(0.5, 2.0, (4, 3))
    found = log_decov(sd, unit, 1.0, 1.0, 1.0)
    assert found.shape == (4, 3)
    assert found[2, 1] == pytest.approx(log_decov(sd[2, 1], unit[2, 1], 1.0, 1.0, 1.0), rel=1e-12)
