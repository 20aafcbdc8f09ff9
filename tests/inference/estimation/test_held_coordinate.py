"""Coordinates of profiles: inverse to the parameter, monotone, and the range is what the ends stand for."""

from __future__ import annotations

import math

import numpy as np
import pytest
from handmade import make_term

from bayesmix.inference.estimation.held_coordinate import Held, HeldDispersion, HeldEffect, HeldNumber, HeldSd
from bayesmix.inference.parameters.covariance import structure_of
from bayesmix.language.families.link import LINKS

CODES = np.arange(12) // 2


def angle(structure: str, k: int, lowest: float) -> HeldNumber:
    return HeldNumber(0.2, 0, structure_of(make_term("g", CODES, np.ones((12, k)), structure=structure)), lowest)


# what is held -> its range, by definition: sd and dispersion are positive, correlations of a positive definite matrix
CASES: dict[str, tuple[Held, tuple[float, float]]] = {
    "effect": (HeldEffect(0.3, 0, 5.0, 2.0), (-math.inf, math.inf)),
    "number": (HeldEffect(0.3, 0, 0.5, 1.0, link=LINKS["log"]), (0.0, math.inf)),
    "sd": (HeldSd(0.3, 0, 4.0), (0.0, math.inf)),
    "dispersion": (HeldDispersion(0.3), (0.0, math.inf)),
    "correlation": (angle("us", 2, -1.0), (-1.0, 1.0)),
    "compound symmetry of three": (angle("cs", 3, -0.5), (-0.5, 1.0)),
    "autoregression": (angle("ar1", 3, -1.0), (-1.0, 1.0)),
}
FAR = 1e3  # what counts as infinite: farther than a thousand times the unit
NONE = 1e-8  # what counts as zero


@pytest.mark.parametrize(("held", "expected"), CASES.values(), ids=CASES)
def test_the_ends_stand_for_the_range(held, expected):
    assert held.range == expected
    for end, limit in zip(held.ends, expected, strict=True):
        value = held.value(end)
        assert abs(value) > FAR and value * limit > 0.0 if math.isinf(limit) else abs(value - limit) < NONE


@pytest.mark.parametrize(("held", "_"), CASES.values(), ids=CASES)
def test_the_coordinate_is_the_inverse_of_the_value(held, _):
    low, high = (max(held.ends[0], -3.0), min(held.ends[1], 3.0))
    points = np.linspace(low, high, 9)
    values = [held.value(c) for c in points]
    assert np.all(np.diff(values) > 0.0)
    np.testing.assert_allclose([held.coordinate(value) for value in values], points, atol=1e-7)


def test_values_by_definition():
    assert HeldEffect(0.0, 0, 5.0, 2.0).value(1.5) == 8.0  # standard errors from the estimate
    assert HeldEffect(0.0, 0, 0.5, 1.0, link=LINKS["log"]).value(1.5) == pytest.approx(math.exp(2.0))
    assert HeldSd(0.0, 0, 4.0).value(0.5) == pytest.approx(4.0 * math.sinh(0.5))
    assert HeldDispersion(0.0).value(0.5) == pytest.approx(math.exp(0.5))
    assert HeldDispersion(0.0).coordinate(0.0) == -math.inf


def test_only_effects_that_separate_outcomes_are_endless():
    assert HeldEffect(0.0, 0, 5.0, 2.0, (True, False)).is_endless == (True, False)
    assert all(held.is_endless == (False, False) for held, _ in CASES.values())
