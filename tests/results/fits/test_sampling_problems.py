"""What is said of draws: each limit from either side, and nothing else."""

from __future__ import annotations

import numpy as np
import pytest

from bayesmix.inference.parameters.names import Parameters
from bayesmix.inference.sampling.diagnostics import Convergence
from bayesmix.inference.sampling.draws import Draws
from bayesmix.results.fits.sampling_problems import k_limit, problems, uncertain_limits

NONE = Parameters(np.zeros((4, 100, 2)), (), (), (), None)
VALUES = np.random.default_rng(1).normal(size=(4, 500, 2))  # 2000 independent draws: limits are certain enough
NAMES = ("x", "sigma")


def said(method="nuts", *, diverged=0, r_hat=1.0, bulk=2000.0, tail=2000.0, certificate=None, values=VALUES):
    diverging = np.zeros((4, 100), bool)
    diverging.flat[:diverged] = True
    draws = Draws(NONE, {"diverging": diverging}, method, certificate=certificate or {})
    found = Convergence(np.array([1.0, r_hat]), np.array([2000.0, bulk]), np.array([2000.0, tail]))
    return list(problems(draws, found, NAMES, values))


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({}, []),
        ({"r_hat": 1.01}, []),
        ({"r_hat": 1.0101}, ["R-hat is 1.010, above 1.01"]),
        ({"r_hat": np.nan, "bulk": np.nan, "tail": np.nan}, []),  # constant by construction
        ({"bulk": 400.0}, []),
        ({"bulk": 399.4}, ["effective sample size is 399, below 400"]),
        ({"tail": 12.0}, ["effective sample size is 12, below 400"]),
        ({"diverged": 3}, ["3 transitions diverged"]),
        ({"method": "marginal", "certificate": {"pareto_k": 0.5}}, []),
        ({"method": "marginal", "certificate": {"pareto_k": 0.51}}, ["Pareto k of the proposal is 0.51, above 0.5"]),
        ({"method": "variational", "certificate": {"pareto_k": 0.69}}, []),
        ({"method": "variational", "certificate": {"pareto_k": 0.71}}, ["above 0.7"]),
        ({"certificate": {"disagreement": 6.0}}, []),
        ({"certificate": {"disagreement": 6.1}}, ["NUTS and the marginal sampler disagree"]),
        ({"r_hat": 1.2, "bulk": 9.0, "diverged": 1}, ["R-hat is 1.200", "size is 9", "1 transitions"]),
    ],
)
def test_sentences_name_what_is_beyond_its_limit(given, words):
    found = said(**given)
    assert len(found) == len(words)
    for sentence, own in zip(found, words, strict=True):
        assert own in sentence


def test_limits_of_proposals_are_tighter():
    assert k_limit("marginal") < k_limit("nuts") == k_limit("variational")


def in_long_visits(name):
    """A parameter that is far out for one tenth of a chain at a time: its median is certain, its limits are not."""
    values = VALUES.copy()
    values[:, :, NAMES.index(name)] += 6.0 * (np.arange(500) // 50 == 4)
    return values


@pytest.mark.parametrize("name", NAMES)
def test_the_least_certain_interval_is_named(name):
    (sentence,) = said(values=in_long_visits(name))
    assert f"95 % interval of {name} " in sentence
    assert "below 400" in sentence


def test_limits_are_not_named_beside_sample_sizes_that_are_too_small():
    found = Convergence(np.ones(2), np.array([300.0, 2000.0]), np.full(2, 2000.0))
    assert list(uncertain_limits(found, NAMES, in_long_visits("x"))) == []
    constant = np.ones((4, 500, 2))
    assert list(uncertain_limits(Convergence(np.ones(2), np.full(2, 900.0), np.full(2, 900.0)), NAMES, constant)) == []
