"""Runs of alternating moves: what they keep, say and survive."""

from __future__ import annotations

import os
import signal
from dataclasses import replace
from functools import cache
from itertools import count
from typing import Any

import numpy as np
import pytest
from approximated import model_of, point_of

from bayesmix.inference.sampling.draws import Draws, Schedule
from bayesmix.inference.sampling.marginal import alternating_sampler
from bayesmix.inference.sampling.marginal.alternating_sampler import sample_alternating
from bayesmix.inference.sampling.marginal.cost_model import Costs
from bayesmix.inference.sampling.marginal.sampler import Marginal
from bayesmix.inference.sampling.sample import failure

COSTS = Costs(100.0, 1.0, 50.0, 2, 60)
NAME = "gamma, heavy priors"


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alternating_sampler, "WARMUP", (6, 6))
    monkeypatch.setattr(alternating_sampler, "FIRST", 100)


def drawn(draws: int = 20, chains: int = 2, thin: int | None = None) -> Draws:
    model, schedule = model_of(NAME), Schedule(draws, chains, 3)
    return sample_alternating(
        model.design, model.spec, model.priors, point_of(NAME), Marginal(thin), schedule, costs=COSTS
    )


@cache
def twenty_draws() -> Draws:
    return drawn()


def test_draws_have_chains_first_and_the_certificate_what_was_accepted() -> None:
    found = drawn(thin=2)
    assert found.parameters.lead == (2, 20)
    assert found.parameters.b[0].shape == (2, 20, 6, 1)
    assert found.parameters.dispersion is not None
    assert {name: part.shape for name, part in found.stats.items()} == dict.fromkeys(
        ("lp", "accepted", "level_acceptance"), (2, 20)
    )
    assert {"acceptance", "level_acceptance", "end_acceptance", "remainder_sd"} == set(found.certificate)
    assert "alternating Metropolis moves" in found.notes[0]


@pytest.mark.slow
def test_the_same_seed_gives_the_same_draws_together_or_each_chain_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    np.testing.assert_array_equal(drawn().parameters.beta, twenty_draws().parameters.beta)
    monkeypatch.setattr(alternating_sampler, "TOGETHER", 1)
    np.testing.assert_array_equal(drawn().parameters.beta, drawn().parameters.beta)


def test_effects_are_kept_of_some_draws_where_they_are_many(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = twenty_draws()
    monkeypatch.setattr(alternating_sampler, "EFFECT_NUMBERS", 2 * 10 * 6)
    found = drawn()
    assert found.thinned is not None
    np.testing.assert_array_equal(found.parameters.beta, whole.parameters.beta)
    np.testing.assert_array_equal(found.thinned.beta, whole.parameters.beta[:, 1::2])
    np.testing.assert_array_equal(found.thinned.b[0], whole.parameters.b[0][:, 1::2])


def test_an_interrupted_run_keeps_its_draws_so_far(monkeypatch: pytest.MonkeyPatch) -> None:
    whole, pieces = alternating_sampler._walked, count()

    def pressed(*given: Any, **options: Any) -> Any:
        if next(pieces) == 2 + 12:  # after two rounds of warm-up
            os.kill(os.getpid(), signal.SIGINT)
        return whole(*given, **options)

    monkeypatch.setattr(alternating_sampler, "_walked", pressed)
    found = drawn()
    assert found.parameters.lead == (2, 12)
    assert found.notes[1] == "Sampling was interrupted: 12 of 20 draws of each of 2 chains are kept."


@pytest.mark.parametrize("name", ["acceptance", "level_acceptance", "end_acceptance"])
def test_the_certificate_fails_where_too_little_is_accepted(name: str) -> None:
    found = twenty_draws()
    certificate = {**dict.fromkeys(("acceptance", "level_acceptance", "end_acceptance"), 0.9), name: 0.1}
    assert "only 10% of its proposals" in str(failure(Draws(found.parameters, {}, "marginal", (), certificate)))


def test_short_chains_that_do_not_mix_are_not_certified() -> None:
    """Draws of independent proposals may be few; those of moves are held to R-hat and sizes at any length."""
    found = twenty_draws()
    drifting = replace(found.parameters, beta=found.parameters.beta + np.arange(20.0)[:, None])
    independent = {"pareto_k": 0.1, "acceptance": 0.9}
    alternating = {"acceptance": 0.9, "level_acceptance": 0.9}
    assert "R-hat" in str(failure(replace(found, parameters=drifting, certificate=alternating)))
    assert failure(replace(found, parameters=drifting, certificate=independent)) is None
