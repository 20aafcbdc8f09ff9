"""Draws as records: what they count, and which of them have random effects."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest

from bayesmix.inference.parameters.names import Parameters
from bayesmix.inference.sampling.draws import Deferred, Draws, interruption


def parameters(draws: int, *, with_effects: bool) -> Parameters:
    rng = np.random.default_rng(draws)
    b = (rng.normal(size=(2, draws, 3, 1)),) if with_effects else ()
    sd, corr = (np.ones((2, draws, 1)),), (np.ones((2, draws, 1, 1)),)
    return Parameters(rng.normal(size=(2, draws, 1)), sd, corr, b, np.ones((2, draws)))


def test_divergences_are_counted_over_all_chains() -> None:
    diverging = np.zeros((2, 5), bool)
    diverging[0, 1] = diverging[1, 4] = diverging[1, 0] = True
    assert Draws(parameters(5, with_effects=True), {"diverging": diverging}, "nuts").divergences == 3
    assert Draws(parameters(5, with_effects=True), {}, "marginal").divergences == 0  # which has none


def test_effects_are_those_of_the_thinned_draws_where_there_are_such() -> None:
    whole, some = parameters(10, with_effects=False), parameters(5, with_effects=True)
    assert Draws(some, {}, "marginal").with_effects is some
    assert Draws(whole, {}, "marginal", thinned=some).with_effects is some


def test_deferred_effects_are_made_once_when_asked_for_and_are_in_pickles() -> None:
    some, calls = parameters(5, with_effects=True), []

    def make() -> Parameters:
        calls.append(1)
        if len(calls) == 1:
            raise KeyboardInterrupt
        return some

    draws = Draws(parameters(10, with_effects=False), {}, "marginal", thinned=Deferred(make))
    assert not calls
    with pytest.raises(KeyboardInterrupt):
        _ = draws.with_effects
    assert draws.with_effects is some
    assert draws.with_effects is some
    for other in (pickle.loads(pickle.dumps(draws)), copy.deepcopy(draws)):
        np.testing.assert_array_equal(other.with_effects.b[0], some.b[0])
    assert len(calls) == 2


def test_an_interrupted_run_says_what_is_kept() -> None:
    assert interruption(120, 1000, 4) == "Sampling was interrupted: 120 of 1000 draws of each of 4 chains are kept."
