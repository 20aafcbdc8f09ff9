"""Questions of both kinds of fits, beside NumPy."""

from __future__ import annotations

import numpy as np

from bayesmix.results.fits.accessors import centre, described, inferences_of, over_rows, priors_of
from bayesmix.results.fits.fixed_inference import fixed_inference


def test_the_centre_of_an_estimate_is_the_value_and_of_a_posterior_the_mean(fitted, posterior_of) -> None:
    reml, post = fitted("sleepstudy"), posterior_of("sleepstudy", 2, 10, 0.1)
    np.testing.assert_array_equal(centre(reml, reml.values.beta), reml.values.beta)
    np.testing.assert_allclose(centre(post, post.values.beta), post.values.beta.reshape(-1, 2).mean(axis=0), rtol=1e-14)


def test_draws_are_described_by_their_moments_and_quantiles(fitted, posterior_of) -> None:
    post = posterior_of("sleepstudy", 2, 10, 0.1)
    found, flat = described(post, post.values.beta), post.values.beta.reshape(-1, 2)
    np.testing.assert_allclose(found["mean"], flat.mean(axis=0), rtol=1e-14)
    np.testing.assert_allclose(found["sd"], flat.std(axis=0, ddof=1), rtol=1e-12)
    np.testing.assert_allclose(found["lower"], np.quantile(flat, 0.025, axis=0), rtol=1e-12)
    reml = fitted("sleepstudy")
    (only,) = described(reml, reml.values.beta).values()
    np.testing.assert_array_equal(only, reml.values.beta)


def test_functions_of_rows_are_averaged_over_the_draws(posterior_of) -> None:
    post = posterior_of("sleepstudy", 2, 10, 0.1)
    found = over_rows(post, lambda eta, _: eta**2)
    (term,) = post.design.terms
    X, b = post.design.X, post.values.b[0][..., term.codes, :]
    eta = np.einsum("np,cdp->cdn", X, post.values.beta) + np.sum(term.z * b, axis=-1)
    np.testing.assert_allclose(found, (eta**2).mean(axis=(0, 1)), rtol=1e-10)


def test_priors_are_those_of_the_model(fitted, posterior_of) -> None:
    post = posterior_of("sleepstudy")
    assert priors_of(post) is post.priors
    assert list(priors_of(fitted("sleepstudy")).rows()) == list(post.priors.rows())


def test_degrees_of_freedom_are_prepared_once(fitted) -> None:
    fit = fitted("sleepstudy")
    assert fixed_inference(fit) is fixed_inference(fit, "satterthwaite")
    assert fixed_inference(fit) in inferences_of(fit).values()
