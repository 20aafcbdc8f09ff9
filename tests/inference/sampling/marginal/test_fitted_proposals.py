"""Which coefficients a fitted proposal explores beside the covariance parameters, and what that gains."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import bayesmix as bmx
from bayesmix.inference.parameters.centring import at_means
from bayesmix.inference.sampling.diagnostics import pareto_shape
from bayesmix.inference.sampling.marginal.effect_proposals import propose
from bayesmix.inference.sampling.marginal.fitted_proposals import (
    LADDER,
    FittedProposal,
    Weighted,
    _with_their_predictors,
    fit_first,
    weighted,
    with_more_tries,
    with_telling,
)
from bayesmix.inference.sampling.marginal.gaussian_approximation import GaussianApproximation, fit_approximation
from bayesmix.inference.sampling.marginal.t_mixture import start
from bayesmix.inference.sampling.marginal.weight_regression import TELLING


def data() -> dict[str, Any]:
    """Counts without more zeros than a Poisson distribution has, and clearly normal ones."""
    rng = np.random.default_rng(3)
    g = np.arange(96) % 12
    x = rng.normal(size=96)
    mean = np.exp(1.0 + 0.3 * x + 0.4 * rng.normal(size=12)[g])
    return {
        "g": [f"g{j}" for j in g],
        "x": x,
        "count": rng.poisson(mean).astype(float),
        "y": mean + rng.normal(size=96),
    }


def found_for(formulas: Any, family: str) -> tuple[GaussianApproximation, FittedProposal]:
    model = bmx.Model(formulas, data(), family)
    point, rng = model.estimate().point, np.random.default_rng(1)
    design = at_means(model.design, model.priors.changes)
    found = fit_approximation(design, model.spec, model.priors, point, rng)
    return found, fit_first(found, point, rng)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::bayesmix.errors.ConvergenceWarning")
def test_an_inflation_of_zeros_that_is_not_there_is_explored() -> None:
    """Its posterior on the logit has a long tail below: the weights of proposals that have it are less spread."""
    approximation, fitted = found_for(["count ~ x + (1 | g)", "zi ~ 1"], "zero_inflated_poisson")
    np.testing.assert_array_equal(fitted.approximation.target.explored, [False, False, True])
    rng, size = np.random.default_rng(2), approximation.target.covariances
    theta = fitted.mixture.draw(4000, rng)
    explored = weighted(fitted, theta, propose(fitted.approximation, theta, fitted.tries, rng))
    mean, cov = theta[:, :size].mean(axis=0), np.cov(theta[:, :size].T).reshape(size, size)
    plain = FittedProposal(approximation, start(mean, cov), fitted.tries, 0.0)
    theta = plain.mixture.draw(4000, rng)
    integrated = weighted(plain, theta, propose(approximation, theta, plain.tries, rng))
    assert pareto_shape(explored.log_weights) < 0.5
    assert explored.efficiency > 1.2 * integrated.efficiency
    first, second = (one.proposed.log_density.max() for one in (explored, integrated))
    assert np.isfinite([first, second]).all()


@pytest.mark.parametrize(
    ("formulas", "family"),
    [
        pytest.param(["y ~ x + (1 | g)", "sigma ~ x"], "gaussian", marks=pytest.mark.slow),
        ("count ~ x + (1 | g)", "poisson"),
    ],
)
def test_nothing_is_explored_where_weights_are_even(formulas: Any, family: str) -> None:
    approximation, fitted = found_for(formulas, family)
    assert not fitted.approximation.target.explored.any()
    theta = fitted.mixture.draw(2000, np.random.default_rng(2))
    proposed = propose(approximation, theta, fitted.tries, np.random.default_rng(2))
    assert with_telling(weighted(fitted, theta, proposed), np.random.default_rng(2), TELLING) is None


@pytest.mark.slow
def test_more_proposals_a_level_up_to_the_most_there_are() -> None:
    approximation, fitted = found_for(["y ~ x + (1 | g)", "sigma ~ x"], "gaussian")
    rng, tries = np.random.default_rng(2), []
    for _ in range(len(LADDER) + 1):
        tries.append(fitted.tries)
        theta = fitted.mixture.draw(500, rng)
        more = with_more_tries(weighted(fitted, theta, propose(approximation, theta, fitted.tries, rng)), rng)
        assert more is not None
        fitted = more
    assert tries[: tries.index(LADDER[-1]) + 1] == [*LADDER[LADDER.index(tries[0]) :]]
    assert set(tries[tries.index(LADDER[-1]) :]) == {LADDER[-1]}


@pytest.mark.slow
def test_coefficients_of_a_parameter_beside_the_mean_are_explored_together() -> None:
    """Where there is room for them, and no effects beside them; one of a mean by itself."""
    approximation, _ = found_for(["y ~ x + (1 | g)", "sigma ~ x"], "gaussian")
    last, first = np.arange(4) == 3, np.arange(4) == 0
    np.testing.assert_array_equal(_with_their_predictors(approximation, last, 2), [False, False, True, True])
    np.testing.assert_array_equal(_with_their_predictors(approximation, last | first, 3), [True, False, True, True])
    for explored, most in ((last, 1), (first, 4)):
        np.testing.assert_array_equal(_with_their_predictors(approximation, explored, most), explored)
    beside, _ = found_for(["y ~ x", "sigma ~ x + (1 | g)"], "gaussian")
    np.testing.assert_array_equal(_with_their_predictors(beside, last, 4), last)


def test_one_predictor_is_not_refitted() -> None:
    approximation, fitted = found_for("count ~ x + (1 | g)", "poisson")
    rng = np.random.default_rng(2)
    theta = fitted.mixture.draw(500, rng)
    found = weighted(fitted, theta, propose(approximation, theta, fitted.tries, rng))
    assert with_more_tries(found, rng) is None


@pytest.mark.parametrize("log_weights", [np.zeros(50), np.log(np.arange(1.0, 51.0))])
def test_efficiency_and_longest_stay_are_those_of_the_weights(log_weights: np.ndarray) -> None:
    weights = np.exp(log_weights)
    found = Weighted(None, np.zeros((50, 1)), None, log_weights - 700.0)  # type: ignore[arg-type]
    assert found.efficiency == pytest.approx(weights.sum() ** 2 / (50 * np.sum(weights**2)))
    assert found.longest == pytest.approx(weights.max() / weights.mean())
