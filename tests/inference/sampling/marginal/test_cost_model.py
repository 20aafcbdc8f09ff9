"""What the two ways of the marginal sampler are expected to cost."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import bayesmix as bmx
from bayesmix.inference.sampling import sample as sampling
from bayesmix.inference.sampling.draws import Draws, Schedule
from bayesmix.inference.sampling.marginal import cost_model
from bayesmix.inference.sampling.marginal.cost_model import affords_alternating, against_alternating, costs

LONG = Schedule(1000, 4, 1)


@pytest.mark.parametrize(
    ("rows", "numbers", "schedule", "alternates"),
    [
        (403, 4_000, LONG, False),  # grouseticks
        (7_584, 30_000, LONG, True),  # VerbAgg
        (10_000, 18_000, LONG, True),
        (10_000, 18_000, Schedule(100, 2, 1), False),  # so few draws that independent ones take no time
        (300, 5_000_000, LONG, False),  # factorisations are what takes time, in both ways
    ],
)
def test_alternating_moves_draw_where_they_take_much_less(
    rows: int, numbers: int, schedule: Schedule, alternates: bool
) -> None:
    assert costs(rows, numbers, 2, schedule, None).alternates == alternates


@pytest.mark.parametrize(
    ("rows", "numbers", "schedule", "prefers_nuts"),
    [
        (403, 4_000, LONG, False),  # grouseticks
        (10_000, 18_000, LONG, False),
        (20_000, 80_000, LONG, False),  # crossed, 400 x 200
        (100_000, 180_000, LONG, False),
        (5_000, 2_000_000, LONG, True),  # crossed, 1 000 x 800: 242 CPU seconds where NUTS took 60
        (5_000, 2_000_000, Schedule(25, 2, 1), False),  # of few draws compiling is most
    ],
)
def test_nuts_draws_where_factorisations_take_longer(
    rows: int, numbers: int, schedule: Schedule, prefers_nuts: bool
) -> None:
    found = costs(rows, numbers, 2, schedule, None)
    assert found.prefers_nuts == prefers_nuts
    assert not replace(found, instead="there are none").prefers_nuts


def test_nuts_that_is_expected_to_take_less_is_asked_first(monkeypatch: pytest.MonkeyPatch) -> None:
    data = {"y": np.arange(24) % 3, "g": np.arange(24) % 6}
    model = bmx.Model("y ~ 1 + (1 | g)", data, family="poisson")
    asked: list[object] = []

    def nuts(self: sampling._Engines, options: object, known: object = None) -> Draws:
        asked.append(known)
        return self.marginal(sampling.Marginal())

    monkeypatch.setattr(sampling._Engines, "nuts", nuts)
    model.sample(draws=20, seed=1, progress=False)
    assert not asked
    monkeypatch.setattr(cost_model, "NUMBER", 1.0)
    (note, *_) = model.sample(draws=20, seed=1, progress=False).draws.notes
    assert asked == [None]
    assert note.startswith("The marginal sampler was left for NUTS: independent proposals were expected to take")
    assert note.endswith("NUTS about 10 CPU seconds.")


def test_costs_grow_with_rows_passes_and_draws() -> None:
    one = costs(10_000, 0, 2, LONG, None)
    assert costs(20_000, 0, 2, LONG, None).alternating == pytest.approx(2.0 * one.alternating)
    assert costs(10_000, 0, 4, LONG, None).alternating == pytest.approx(2.0 * one.alternating)
    assert costs(20_000, 0, 2, LONG, None).independent == pytest.approx(2.0 * one.independent)
    assert costs(10_000, 0, 2, LONG, 4).independent == pytest.approx(2.0 * one.independent)


def test_the_words_state_moves_rows_and_both_costs() -> None:
    words = costs(1_000_000, 180_000, 2, LONG, None).words(LONG, alternating=True)
    assert "4 chains of 1000 draws after 180 steps of warm-up, 2 passes over 1,000,000 rows each" in words
    assert "CPU minutes" in words
    assert words.count("expected to take") == 2
    assert "NUTS about" in words


def test_the_words_state_why_independent_proposals_draw() -> None:
    """Factorisations are what takes time: alternating moves would not take half of it."""
    found = costs(300, 5_000_000, 2, LONG, None)
    assert found.is_long
    assert not found.alternates
    words = found.words(LONG, alternating=False)
    assert words.startswith("Drawn by independent proposals of parameters and effects, expected to take 7 CPU minutes;")
    assert "alternating Metropolis moves were expected to take 4 CPU minutes, NUTS about 12 CPU seconds." in words
    assert not costs(403, 4_000, 2, LONG, None).is_long


@pytest.mark.slow
def test_what_was_expected_is_said_by_the_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of independent proposals as of alternating moves, and in the summary."""
    data = {"y": np.arange(24) % 3, "g": np.arange(24) % 6}
    model = bmx.Model("y ~ 1 + (1 | g)", data, family="poisson")
    assert not model.sample(draws=100, seed=1, progress=False).draws.notes
    monkeypatch.setattr(cost_model, "LONG", 0.0)
    monkeypatch.setattr(cost_model, "AHEAD", 1e9)
    post = model.sample(draws=100, seed=1, progress=False)
    (note,) = post.draws.notes
    assert note.startswith("Drawn by independent proposals of parameters and effects, expected to take")
    assert "independent proposals" in " ".join(str(post.summary()).split())


def test_more_steps_a_draw_cost_more() -> None:
    """As much as a run that was asked for with so many, and the words say how many there are."""
    expected = cost_model.longer(costs(10_000, 500, 2, LONG, None), 3, LONG)
    assert expected.alternating == pytest.approx(costs(10_000, 500, 2, LONG, 3).alternating)
    assert expected.independent == costs(10_000, 500, 2, LONG, None).independent
    assert "4 chains of 1000 draws, 3 steps each, after 180 steps" in expected.words(LONG, alternating=True)
    assert "draws after" in costs(10_000, 500, 2, LONG, None).words(LONG, alternating=True)


@pytest.mark.slow
def test_moves_that_were_too_few_are_made_again_not_left_for_nuts(monkeypatch: pytest.MonkeyPatch) -> None:
    """As long as they are expected to take less."""
    rng = np.random.default_rng(1)
    data = {"y": rng.poisson(2.0, 120), "g": np.arange(120) % 12}
    model = bmx.Model("y ~ 1 + (1 | g)", data, family="poisson")
    monkeypatch.setattr(cost_model, "LONG", 0.0)
    monkeypatch.setattr(cost_model, "AHEAD", 0.0)
    whole = sampling.enough
    one = model.sample(draws=300, seed=1, progress=False)
    assert one.method == "marginal"
    _, smallest = sampling._mixing(one.values)
    monkeypatch.setattr(sampling, "enough", lambda draws: 1.1 * smallest if draws == 1200 else whole(draws))
    again = model.sample(draws=300, seed=1, progress=False)
    assert again.method == "marginal"
    assert "4 chains of 300 draws, 2 steps each, after 180 steps of warm-up" in again.draws.notes[0]
    assert sampling._mixing(again.values)[1] > smallest
    monkeypatch.setattr(cost_model, "COMPILING", 1e-9)  # less than other moves, but not so that NUTS is asked first
    monkeypatch.setattr(cost_model, "TRAJECTORY", 0.0)
    monkeypatch.setattr(cost_model, "FARTHER", 1e15)
    left: list[str] = []
    monkeypatch.setattr(sampling._Engines, "nuts", lambda self, options, known: left.append("NUTS") or known)
    assert "left for NUTS: its smallest effective sample size" in model.sample(draws=300, seed=1).draws.notes[0]
    assert left == ["NUTS"]


def test_levels_must_be_independent_and_rows_of_one_predictor() -> None:
    rng = np.random.default_rng(1)
    data = {"y": rng.poisson(2.0, 12), "g": np.arange(12) % 4, "h": np.arange(12) % 3}
    formulas = {"y ~ 1 + (1 | g)": True, "y ~ 1 + (1 | mm(g, h))": False}
    for formula, expected in formulas.items():
        assert affords_alternating(bmx.Model(formula, data, family="poisson").design) == expected
    assert not affords_alternating(bmx.Model("y ~ 1 + (1 | g)", data, family="zero_inflated_poisson").design)


@pytest.mark.parametrize(
    ("formula", "family", "why"),
    [
        ("y ~ 1 + (1 | g)", "zero_inflated_poisson", "of 2 linear predictors"),
        ("y ~ 1 + (1 | mm(g, h))", "poisson", "of levels that are not independent, as `mmgh` has"),
    ],
)
def test_why_there_are_no_alternating_moves_is_said(formula: str, family: str, why: str) -> None:
    data = {"y": np.arange(12) % 5, "g": np.arange(12) % 4, "h": np.arange(12) % 3}
    design = bmx.Model(formula, data, family=family).design
    found = replace(costs(100_000, 0, 1, LONG, None), instead=against_alternating(design))
    assert not found.alternates
    assert f"; there are no alternating Metropolis moves {why}, NUTS about" in found.words(LONG, alternating=False)
