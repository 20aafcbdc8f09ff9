"""Proposals of parameters leave a known density as it is."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from bayesmix.inference.sampling.marginal.parameter_proposal import (
    ParameterProposal,
    Parameters,
    adapted,
    autoregressive,
)

CHAINS, STEPS = 2_000, 12


def fitted_proposal(rng: np.random.Generator) -> ParameterProposal:
    x, noise = rng.standard_normal((400, 2)) * [0.5, 2.0] + [1.0, -1.0], rng.standard_normal((400, 3)) * 1.2 + 0.4
    return ParameterProposal.first(x, 3, rng).refitted(Parameters(x, noise), 0.1, rng)


@pytest.mark.parametrize("step", [1.0, 0.4])
@pytest.mark.parametrize("local", [0.0, 0.3, 1.0])
def test_metropolis_steps_leave_the_target_as_it_is(local: float, step: float) -> None:
    """Skewed x and noise off the reference: their distribution is the same after the steps."""
    rng = np.random.default_rng(3)
    found = fitted_proposal(rng)
    proposal = ParameterProposal(found.mixture, found.root, found.mean, found.sd, step, local)
    first, second = stats.gumbel_r(0.8, 0.4), stats.norm(0.2, 1.1)

    def density(at: Parameters) -> np.ndarray:
        return np.asarray(first.logpdf(at.x).sum(axis=1) + second.logpdf(at.noise).sum(axis=1))

    at = Parameters(first.rvs((CHAINS, 2), random_state=rng), second.rvs((CHAINS, 3), random_state=rng))
    for _ in range(STEPS):
        is_local = bool(proposal.kinds(1, rng)[0])
        x = proposal.small_step(at.x, rng) if is_local else proposal.independent(CHAINS, rng)
        other = Parameters(x, proposal.propose_noise(at.noise, rng, is_local=is_local))
        back = proposal.back(at, other, is_local=is_local)
        moved = (np.log(rng.random(CHAINS)) < density(other) - density(at) + back)[:, None]
        at = Parameters(np.where(moved, other.x, at.x), np.where(moved, other.noise, at.noise))
    assert stats.kstest(at.x[:, 0], first.cdf).pvalue > 1e-3
    assert stats.kstest(at.x[:, 1], first.cdf).pvalue > 1e-3
    assert stats.kstest(at.noise[:, 0], second.cdf).pvalue > 1e-3


def test_a_proposal_is_fitted_to_where_the_draws_are() -> None:
    rng = np.random.default_rng(4)
    found = fitted_proposal(rng)
    np.testing.assert_allclose(found.mean, 0.4, atol=0.25)
    np.testing.assert_allclose(found.sd, 1.2, atol=0.15)
    drawn = found.mixture.draw(2_000, rng)
    np.testing.assert_allclose(np.median(drawn, axis=0), [1.0, -1.0], atol=0.3)


def test_autoregressive_steps_leave_the_normal_distribution_as_it_is() -> None:
    rng = np.random.default_rng(5)
    noise = rng.standard_normal(20_000)
    moved = autoregressive(noise, 0.6, rng)
    assert stats.kstest(moved, "norm").pvalue > 1e-3
    np.testing.assert_allclose(np.corrcoef(noise, moved)[0, 1], 0.8, atol=0.02)


@pytest.mark.parametrize(("step", "acceptance", "expected"), [(1.0, 0.9, 1.0), (0.4, 0.9, 0.6), (0.6, 0.1, 0.4)])
def test_steps_are_longer_where_more_is_accepted(step: float, acceptance: float, expected: float) -> None:
    assert adapted(step, acceptance) == pytest.approx(expected)
