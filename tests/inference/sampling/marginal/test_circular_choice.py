"""Choices among several proposals: probabilities of all moves, and draws against a known density."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from bayesmix.inference.sampling.diagnostics import mean_ess
from bayesmix.inference.sampling.marginal.circular_choice import _turned, rotate
from bayesmix.inference.sampling.marginal.independence_metropolis import metropolis


@pytest.mark.parametrize("weights", [[0.3, 1.0, 0.2, 0.5], [0.2, 3.0, 0.0, 0.7], [1.0, 1.0], [0.4, 1.3]])
def test_a_turn_leaves_states_by_weight_by_weight(weights: list[float]) -> None:
    """Probabilities of all moves, by points all along the arc of each state."""
    points, n = (np.arange(1_500) + 0.5) / 1_500, len(weights)
    moves = np.zeros((n, n))
    for i in (i for i in range(n) if weights[i]):
        order = [i, *(j for j in range(n) if j != i)]  # where the chain stands comes first
        with np.errstate(divide="ignore"):
            logs = np.log(np.array(weights)[order]).tolist()
        found = [order[_turned(logs, 1, 0, u, n - 1)[0]] for u in points]
        moves[i] = np.bincount(found, minlength=n) / len(points)
    share = np.array(weights) / sum(weights)
    np.testing.assert_allclose(share @ moves, share, atol=1e-3)
    stays = max(0.0, 2.0 * max(weights) - sum(weights)) / max(weights)
    np.testing.assert_allclose(np.diagonal(moves), np.where(share == share.max(), stays, 0.0), atol=1e-3)


def test_turns_leave_weights_exact_with_fewer_draws_that_stay() -> None:
    rng = np.random.default_rng(5)
    x = rng.standard_t(5.0, (4, 15_001))
    log_weights = stats.norm.logpdf(x, 0.0, 0.8) - stats.t.logpdf(x, 5.0)
    log_weights[0, :2], log_weights[1, 7] = -np.inf, np.nan
    picked = rotate(log_weights, 3, rng)
    draws = x[np.arange(4)[:, None], picked]
    assert picked.shape == (4, 5_000)
    assert np.isfinite(np.take_along_axis(log_weights, picked, axis=1)).all()
    assert draws.std() == pytest.approx(0.8, abs=0.01)
    assert np.mean(np.abs(draws) < 0.8) == pytest.approx(0.6827, abs=0.006)
    stay, stayed = (np.mean(np.diff(one, axis=1) == 0) for one in (picked, metropolis(log_weights, 3, rng)[0]))
    assert stay < 0.5 * stayed


def test_a_state_of_great_weight_is_left_after_as_many_draws_as_it_is_worth() -> None:
    """Of weight 10 beside three proposals of one each: the place on its arc moves on by three a draw."""
    log_weights = np.zeros((4, 9_001))
    log_weights[:, 500::1_000] = np.log(10.0)
    picked = rotate(log_weights, 3, np.random.default_rng(2))
    lengths = [np.unique(one[one % 1_000 == 500], return_counts=True)[1] for one in picked]
    assert set(np.concatenate(lengths)) <= {3, 4}  # points drawn anew held one for 1 to 14


def test_means_of_turns_vary_as_their_effective_sizes_say() -> None:
    """Over 400 runs, of weights of which one in 150 is more than seven times what most are."""
    rng = np.random.default_rng(8)
    x = rng.standard_normal((400, 901))
    log_weights = 0.9 * np.abs(x) + 0.3 * rng.standard_normal(x.shape)
    picked = rotate(log_weights, 3, rng)
    draws = np.take_along_axis(x, picked, axis=1)
    effective = mean_ess(draws.reshape(100, 4, 300).transpose(1, 2, 0))  # of four runs each
    expected = draws.var(axis=1).mean() / (effective.mean() / 4.0)
    assert draws.mean(axis=1).var() == pytest.approx(expected, rel=0.25)
