"""Scattered points leave nothing out: over the priors, and far around the estimate."""

from __future__ import annotations

import numpy as np
import pytest
from marginal_models import model_of, point_of, target_of
from scipy import stats

from bayesmix.inference.sampling.marginal.scatter import ABOVE, ATANH, BELOW, FREEDOM, WIDTH, scattered

N = 4000


def points_of(name: str, n: int = N) -> tuple:
    model = model_of(name)
    target = target_of(model)
    at = target.start(point_of(model))
    explored = [prior for prior, own in zip(model.priors.fixed, target.explored, strict=True) if own]
    rng = np.random.default_rng(1)
    return target, at, scattered(target.terms, model.priors, at, rng, has_sigma=True, explored=explored, n=n)


@pytest.mark.parametrize("name", ["correlated", "crossed", "compound symmetry", "explored slope"])
def test_half_of_the_points_lie_around_the_estimate(name: str) -> None:
    """Independent t steps in each coordinate."""
    _, at, theta = points_of(name)
    assert theta.shape == (N, len(at))
    steps = (theta[N // 2 :] - at) / WIDTH
    for own in steps.T:
        assert stats.kstest(own, stats.t(FREEDOM).cdf).pvalue > 1e-4


@pytest.mark.parametrize("name", ["correlated", "three effects", "independent"])
def test_standard_deviations_cover_their_priors(name: str) -> None:
    """Between e^-6 and e^3 times the median, in units of the data; correlations all of their range."""
    target, _, theta = points_of(name)
    priors = model_of(name).priors
    sigma = np.exp(theta[: N // 2, target.covariances])
    medians = {"HalfStudentT": lambda nu, s: s * stats.t(nu).ppf(0.75), "Exponential": lambda rate: np.log(2.0) / rate,
               "HalfNormal": lambda s: s * stats.norm.ppf(0.75)}  # fmt: skip

    def is_covered(logs: np.ndarray, prior: object) -> None:
        middle = np.log(medians[prior.kind](*prior.arguments))
        assert logs.min() == pytest.approx(middle + BELOW, abs=0.1)
        assert logs.max() == pytest.approx(middle + ABOVE, abs=0.1)
        assert logs.mean() == pytest.approx(middle + 0.5 * (BELOW + ABOVE), abs=0.25)

    is_covered(np.log(sigma), priors.dispersion)
    begin = 0
    for term, own in zip(target.terms, priors.sd, strict=True):
        x = theta[: N // 2, begin : begin + term.size]
        begin += term.size
        sd, _ = term.unpack(x)
        for e, prior in enumerate(own):
            is_covered(np.log(sd[:, e] * sigma), prior)
        if term.size > term.n_sd:
            partial = np.tanh(x[:, term.n_sd :])
            assert np.all(np.abs(partial) <= np.tanh(ATANH))
            np.testing.assert_allclose(np.quantile(x[:, term.n_sd], [0.1, 0.9]), [-0.8 * ATANH, 0.8 * ATANH], atol=0.15)


def test_fixed_effects_that_are_explored_follow_their_priors() -> None:
    """Student t's of few degrees of freedom, at the prior's location and of its scale."""
    target, at, theta = points_of("explored slope")
    (prior,) = [
        own for own, is_in in zip(model_of("explored slope").priors.fixed, target.explored, strict=True) if is_in
    ]
    location, scale = prior.arguments[-2:]
    own = (theta[: N // 2, len(at) - 1] - location) / scale
    assert stats.kstest(own, stats.t(FREEDOM).cdf).pvalue > 1e-4
