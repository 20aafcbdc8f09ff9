"""Draws as records: what they count, and which of them have random effects."""

from __future__ import annotations

import numpy as np

from bayesmix.inference.parameters.names import Parameters
from bayesmix.inference.sampling.draws import Draws, interruption


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


def test_an_interrupted_run_says_what_is_kept() -> None:
    assert interruption(120, 1000, 4) == "Sampling was interrupted: 120 of 1000 draws of each of 4 chains are kept."
