"""Responses with missing values in the likelihood of rows: value, derivatives, moments."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from imputation import model

from bayesmix.inference.parameters.incomplete_responses import IncompleteResponses
from bayesmix.inference.parameters.likelihood import Likelihood, SeveralPredictors, likelihood_of

NAMES = ["groups", pytest.param("chain", marks=pytest.mark.slow)]


@cache
def rows(name: str) -> tuple[Likelihood, np.ndarray]:
    own = model(name)
    eta = own.design.offset + 0.3 * np.random.default_rng(2).standard_normal(len(own.design.offset))
    return likelihood_of(own.design, own.spec), eta


def test_they_are_one_part_of_a_row():
    likelihood, _ = rows("chain")
    assert isinstance(likelihood, SeveralPredictors)
    (part,) = likelihood.parts
    assert isinstance(part, IncompleteResponses)
    assert part.order == (2, 1, 0)  # each after those that it depends on
    assert len(part.places) == 9  # means, standard deviations and slopes, not what is known of rows


@pytest.mark.parametrize("name", NAMES)
def test_derivatives_are_those_of_the_value(name):
    likelihood, eta = rows(name)
    n, R, step = len(eta) // likelihood.R, likelihood.R, 1e-5
    first, second = likelihood.slopes(eta, np.ones(()))
    for r in range(R):
        moved = np.zeros(R * n)
        moved[r * n : (r + 1) * n] = step
        ends = [likelihood.value(eta + side * moved, np.ones(())) for side in (-1.0, 1.0)]
        assert first[r * n : (r + 1) * n] == pytest.approx((ends[1] - ends[0]) / (2.0 * step), rel=1e-6, abs=1e-7)
        slopes = [likelihood.slopes(eta + side * moved, np.ones(()))[0] for side in (-1.0, 1.0)]
        numeric = ((slopes[1] - slopes[0]) / (2.0 * step)).reshape(R, n)
        assert second[r] == pytest.approx(numeric, rel=1e-5, abs=1e-6)


def test_draws_have_densities_of_their_own():
    likelihood, eta = rows("groups")
    many = np.stack([eta, eta + 0.1])[:, None]
    found = likelihood.value(many, np.ones(()))
    assert found.shape == (2, 1, len(eta) // likelihood.R)
    assert found[1, 0] == pytest.approx(likelihood.value(eta + 0.1, np.ones(())))
