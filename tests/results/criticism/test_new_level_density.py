"""The density of rows of new levels against multivariate normals and direct integration."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats
from scipy.integrate import quad
from scipy.special import expit

import bayesmix as bmx
from bayesmix.data.design.subset import as_new
from bayesmix.errors import SpecError
from bayesmix.results.criticism.new_level_density import log_density


@pytest.mark.parametrize("name", ["sleepstudy weights", "pastes", "penicillin"])
def test_gaussian_groups_are_multivariate_normal(fitted, posterior_of, name):
    fit, posterior = fitted(name), posterior_of(name, 2, 3)
    design = fit.design
    term = design.terms[-1]
    part = as_new(design, np.flatnonzero(term.codes == 1), term.group)
    mean, V = part.X @ fit.values.beta + part.offset, np.diag(fit.point.dispersion**2 / part.weights)
    for own, b, covariance in zip(part.terms, fit.values.b, fit.point.covariances, strict=True):
        for i, code in enumerate(own.codes):
            if code >= 0:
                mean[i] += own.z[i] @ b[code]
            V[i] += [own.z[i] @ covariance @ own.z[j] * (code < 0 and code == own.codes[j]) for j in range(len(V))]
    expected = stats.multivariate_normal(mean, V).logpdf(part.y)
    found = log_density(fit.spec, part, posterior.values)
    assert found.shape == (2, 3)
    np.testing.assert_allclose(found, expected, rtol=1e-10)
    np.testing.assert_allclose(log_density(fit.spec, part, fit.values), expected, rtol=1e-10)


def test_binomial_groups_are_integrated(fitted, posterior_of):
    fit, posterior = fitted("cbpp"), posterior_of("cbpp", 2, 3, 0.1)
    values, rows = posterior.values, np.flatnonzero(fit.design.terms[0].codes == 4)
    part = as_new(fit.design, rows, "herd")
    found = log_density(fit.spec, part, values)
    for c, d in ((0, 0), (1, 2)):
        eta, sd = part.X @ values.beta[c, d], values.sd[0][c, d, 0]

        def density(b, eta=eta, sd=sd):
            return np.prod(stats.binom(part.trials, expit(eta + b)).pmf(part.y)) * stats.norm(0, sd).pdf(b)

        exact = quad(density, -8, 8, epsabs=0, epsrel=1e-9, limit=200)[0]
        np.testing.assert_allclose(found[c, d], np.log(exact), rtol=1e-7)


def test_draws_of_any_standard_deviation_are_integrated(fitted, posterior_of):
    """Where that of a draw is near zero, nodes as wide as those of the mean draw have all its mass between them."""
    fit, values = fitted("cbpp"), posterior_of("cbpp", 2, 3, 0.3).values
    sd = np.array([[1e-6, 1e-3, 0.02], [0.1, 1.0, 4.0]])
    values = replace(values, sd=(sd[..., None],))
    part = as_new(fit.design, np.flatnonzero(fit.design.terms[0].codes == 4), "herd")
    found, eta = log_density(fit.spec, part, values), values.beta @ part.X.T
    for draw in np.ndindex(2, 3):

        def density(u, eta=eta[draw], sd=sd[draw]):
            return np.prod(stats.binom(part.trials, expit(eta + sd * u)).pmf(part.y)) * stats.norm.pdf(u)

        exact = quad(density, -9, 9, epsabs=0, epsrel=1e-11, limit=400)[0]
        np.testing.assert_allclose(found[draw], np.log(exact), rtol=1e-8)


def test_a_mode_that_is_not_found_is_an_error(fitted, monkeypatch):
    monkeypatch.setattr("bayesmix.results.criticism.new_level_density.NEWTON", 1)
    fit = fitted("cbpp")
    part = as_new(fit.design, np.flatnonzero(fit.design.terms[0].codes == 4), "herd")
    with pytest.raises(bmx.FitError, match="was not found in 1 steps"):
        log_density(fit.spec, part, fit.values)


def test_poisson_groups_of_two_effects_are_integrated(fitted):
    fit = fitted("esoph poisson")
    part = as_new(fit.design, np.flatnonzero(fit.design.terms[0].codes == 3), "agegp").take(np.arange(4))
    normal = stats.multivariate_normal([0.0, 0.0], fit.point.covariances[0])
    eta, z = part.X @ fit.values.beta, part.terms[0].z
    grid = [np.linspace(-9.0 * sd, 9.0 * sd, 801) for sd in fit.values.sd[0]]  # the trapezoid rule, nearly exact here
    b = np.stack(np.meshgrid(*grid, indexing="ij"), axis=-1)
    density = stats.poisson(np.exp(eta + b @ z.T)).logpmf(part.y).sum(axis=-1) + normal.logpdf(b)
    cell = np.prod([axis[1] - axis[0] for axis in grid])
    exact = np.logaddexp.reduce(density, axis=None) + np.log(cell)
    np.testing.assert_allclose(log_density(fit.spec, part, fit.values), exact, rtol=1e-6)


def test_rows_of_known_levels_are_conditional(fitted):
    fit = fitted("cbpp")
    part = fit.design.take(np.array([3, 20]))
    expected = stats.binom(part.trials, fit.fitted().to_numpy()[[3, 20]]).logpmf(part.y).sum()
    np.testing.assert_allclose(log_density(fit.spec, part, fit.values), expected, rtol=1e-10)


def test_what_quadrature_cannot_integrate(fitted):
    fit = fitted("cbpp")
    part = as_new(fit.design, np.arange(10), "herd")  # three herds
    with pytest.raises(SpecError, match="Only one new level"):
        log_density(fit.spec, part, fit.values)


def test_pieces_of_draws_change_nothing(fitted, posterior_of, monkeypatch):
    fit, posterior = fitted("sleepstudy weights"), posterior_of("sleepstudy weights", 2, 5, 0.1)
    part = as_new(fit.design, np.flatnonzero(fit.design.terms[0].codes == 1), "Subject")
    whole = log_density(fit.spec, part, posterior.values)
    assert len(np.unique(whole)) == 10
    monkeypatch.setattr("bayesmix.results.criticism.new_level_density.CHUNK", 3 * len(part.y) ** 2)
    np.testing.assert_allclose(log_density(fit.spec, part, posterior.values), whole, rtol=1e-12)
