"""The marginal sampler of generalized models: its weights, its proposals, and its posteriors."""

from __future__ import annotations

import json
import os
import signal
import time
from dataclasses import replace
from itertools import count
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
from approximated import (
    MODELS,
    approximation_of,
    brute_force_of_few_counts,
    few_counts,
    joint_density_over_conditional,
    model_of,
    point_of,
    some_theta,
)
from dense import indicator
from scipy import stats
from stan import GENERALIZED as CASES
from stan import POSTERIORS as STAN
from stan import name_of as stan_name

import bayesmix as bmx
from bayesmix.inference.least_squares.solve import given_later
from bayesmix.inference.sampling.marginal import effect_proposals, importance_correction
from bayesmix.inference.sampling.marginal.effect_proposals import Proposed, propose
from bayesmix.inference.sampling.marginal.gaussian_approximation import coefficients
from bayesmix.inference.sampling.marginal.importance_correction import in_user_units
from bayesmix.inference.sampling.marginal.level_proposals import LevelProposals, _spherical

EXACT = {"rtol": 1e-8, "atol": 1e-8}  # two ways to the same density, floating point apart
MCSE = 4.0  # combined Monte Carlo standard errors


@pytest.mark.parametrize("name", MODELS)
def test_weights_are_joint_density_over_that_of_the_proposal(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """One proposal a level: SciPy's joint density over the dense Gaussian the effects were drawn from."""
    monkeypatch.setattr(
        "bayesmix.inference.sampling.marginal.defence.SHARE", 1e-300
    )  # heavy-tailed noise has a test of its own
    model, approximation = model_of(name), approximation_of(name)
    theta = some_theta(approximation, point_of(name), 4)
    proposed = propose(approximation, theta, (1,), np.random.default_rng(3))
    values = in_user_units(approximation, theta, proposed, np.arange(4))
    gammas = coefficients(approximation.target, proposed.shift)
    for i in range(4):
        expected = joint_density_over_conditional(model, approximation, values, i, theta[i], gammas[i])
        if values.dispersion is not None and approximation.dispersion is not None:
            place = approximation.dispersion
            expected -= float(
                stats.t(effect_proposals.FREEDOM, place.mean, place.sd).logpdf(np.log(values.dispersion[i]))
            )
        np.testing.assert_allclose(proposed.log_density[i], expected, **EXACT)


def test_effects_given_those_eliminated_later_are_the_dense_conditional() -> None:
    approximation = approximation_of("binomial, nested")
    target = approximation.target
    theta = some_theta(approximation, point_of("binomial, nested"), 1)
    factorisation = target.factorise(theta)
    shift = np.full((1, 2), 0.1)
    combination = np.concatenate([-shift, np.ones((1, 1))], axis=1)
    inner, outer = target.problem.coordinates.factors
    above = np.linspace(-1.0, 1.0, outer.levels)
    mean, root, _ = given_later(factorisation, 0, combination, [above[None, :, None]])
    residual = approximation.rows.z - target.problem.coordinates.X @ (target.problem.beta_ols + shift[0])
    residual = residual - outer.z[:, 0] * above[outer.codes]
    Z = indicator(inner.codes, inner.z, inner.levels)
    scale = factorisation.eliminated[0].Lambda[0, 0, 0]
    covariance_ = np.linalg.inv((Z.T * approximation.rows.weights) @ Z + np.eye(inner.levels) / scale**2)
    np.testing.assert_allclose(mean[0, :, 0], covariance_ @ (Z.T @ (approximation.rows.weights * residual)), **EXACT)
    np.testing.assert_allclose(root[0, :, 0, 0] ** 2, np.diag(covariance_), **EXACT)


def test_weights_that_nothing_can_be_fitted_to_are_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """The run stays as it is, and its certificate says how good that is."""

    def fails(*_: object) -> None:
        raise np.linalg.LinAlgError

    monkeypatch.setattr(importance_correction, "with_telling", fails)
    found = SimpleNamespace(proposal=None)
    assert importance_correction._refitted(cast(Any, found), np.random.default_rng(1)) is None


@pytest.mark.parametrize(
    ("k", "tries"),
    [(1, 1), (1, 4), (1, 8), (1, 16), (2, 1), (2, 4), *(pytest.param(2, n, marks=pytest.mark.slow) for n in (8, 16))],
)
def test_each_proposal_is_a_draw_of_the_standard_normal_once_weighted(tries: int, k: int) -> None:
    shift = (np.indices((1000,) * k).reshape(k, -1).T + 0.5) / 1000  # a fine grid in place of random shifts
    found = list(_spherical(tries, shift, 0.05))
    assert len(found) == tries
    for noise, excess in found:
        weight = np.exp(excess)
        for power, expected in ((0, 1.0), (1, 0.0), (2, 1.0)):
            moment = np.mean(weight[:, None] * noise**power, axis=0)
            np.testing.assert_allclose(moment, expected, atol=0.002)


def test_a_candidate_without_density_leaves_the_others_theirs() -> None:
    """Of a link whose mean may leave its range: that proposal has weight zero, the level the mean of all."""
    nothing: Any = None
    proposals = LevelProposals(nothing, nothing, nothing, nothing, (2,), np.random.default_rng(1))
    taken, total = proposals._take([np.array([[np.nan, 0.0]]), np.array([[1.0, np.nan]])])
    np.testing.assert_array_equal(taken, [[1, 0]])
    np.testing.assert_allclose(total, [[1.0 - np.log(2.0), -np.log(2.0)]])


# ---- against integration by brute force --------------------------------------------------------------------------


@pytest.mark.slow
def test_evidence_and_moments_are_those_of_brute_force() -> None:
    """Group effects by a fine grid, the intercept and the log standard deviation by another."""
    evidence, moments = brute_force_of_few_counts()
    model = few_counts()
    post = model.sample(draws=4000, seed=5, method="marginal", progress=False)
    certificate = post.draws.certificate
    assert abs(certificate["log_evidence"] - evidence) < MCSE * certificate["log_evidence_error"]
    table = post.parameters()
    for name, (expected, _) in moments.items():
        row = table.loc[name]
        assert abs(row["mean"] - expected) < MCSE * row["sd"] / np.sqrt(row["ess_bulk"]), name


@pytest.mark.slow
def test_proposals_within_proposals_leave_the_evidence_what_it_is() -> None:
    theta = some_theta(approximation_of("binomial, nested"), point_of("binomial, nested"), 1)
    values = {}
    for tries in ((1,), (4,), (4, 4), (4, 8), (8, 8)):
        rng = np.random.default_rng(11)
        found = propose(approximation_of("binomial, nested"), np.repeat(theta, 3000, axis=0), tries, rng).log_density
        weights = np.exp(found - found.mean())
        values[tries] = (found.mean() + np.log(weights.mean()), weights.std() / weights.mean() / np.sqrt(3000))
    reference, error = values[(8, 8)]
    for tries, (value, own) in values.items():
        assert abs(value - reference) < MCSE * np.hypot(own, error), tries


# ---- interruption -----------------------------------------------------------------------------------------------


def pressed_after(batches: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Press Ctrl-C, a real signal, when the last phase has drawn some batches."""
    whole, one, drawn = importance_correction.propose, effect_proposals._propose, count()

    def last_phase(*given: Any, **options: Any) -> Any:
        if options.get("interruptible"):
            monkeypatch.setattr(effect_proposals, "_propose", pressing)
        return whole(*given, **options)

    def pressing(*given: Any) -> Any:
        if next(drawn) == batches:
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(0.2)
        return one(*given)

    monkeypatch.setattr(effect_proposals, "NUMBERS", 4 * 60 * 50)  # 50 proposals a batch
    monkeypatch.setattr(importance_correction, "propose", last_phase)


def test_ctrl_c_keeps_the_draws_so_far_and_does_not_start_nuts(monkeypatch: pytest.MonkeyPatch) -> None:
    pressed_after(20, monkeypatch)
    post = model_of("poisson, correlated").sample(draws=200, chains=2, seed=1, progress=False)
    chains, draws = post.values.lead
    assert (post.method, chains) == ("marginal", 2)
    assert 10 <= draws < 200
    assert post.draws.notes == (f"Sampling was interrupted: {draws} of 200 draws of each of 2 chains are kept.",)
    assert np.all(np.isfinite(post.values.beta))


def test_ctrl_c_at_once_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    pressed_after(0, monkeypatch)
    with pytest.raises(KeyboardInterrupt):
        model_of("poisson, correlated").sample(draws=200, chains=2, seed=1, progress=False)


# ---- Stan ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "case", [pytest.param(case, marks=() if case == "cbpp" else pytest.mark.slow) for case in CASES]
)
def test_posteriors_are_stans(case: str) -> None:
    """Means and standard deviations of every parameter and effect, and quantiles of the parameters."""
    from bayesmix.results.fits.linear_predictor import flatten

    formula, family, priors = CASES[case]
    given = json.loads((STAN / f"{case}.json").read_text(encoding="utf-8"))
    assert len(given["priors"]) <= len(priors)
    model = bmx.Model(formula, bmx.load_dataset(given["data"]), family=family, priors=priors)
    post = model.sample(draws=2500, chains=4, seed=3, method="marginal")
    assert post.converged
    table = post.parameters()
    flat = dict(zip(post.names, np.moveaxis(flatten(post.design, post.values), -1, 0), strict=True))
    for name, row in table.iterrows():
        expected = given["parameters"][stan_name(str(name))]
        error = np.hypot(row["sd"] / np.sqrt(row["ess_bulk"]), expected["mcse_mean"])
        assert abs(row["mean"] - expected["mean"]) < MCSE * error, name
        kurtosis = float(stats.kurtosis(flat[str(name)].ravel(), fisher=False))
        spread = np.hypot(row["sd"] * np.sqrt((kurtosis - 1.0) / 4.0 / row["ess_tail"]), expected["mcse_sd"])
        assert abs(row["sd"] - expected["sd"]) < MCSE * spread, name
        for probability, quantile in expected["quantiles"].items():
            p = float(probability) / 100.0
            low, own, high = np.quantile(flat[str(name)], [max(p - 0.01, 0.002), p, min(p + 0.01, 0.998)])
            slope = (high - low) / (min(p + 0.01, 0.998) - max(p - 0.01, 0.002))
            mine = slope * np.sqrt(p * (1.0 - p) / row["ess_tail"])
            error = np.hypot(mine, expected["mcse_quantiles"][probability])
            assert abs(own - quantile) < MCSE * error, (name, probability)
    for group, levels in post.ranef().items():
        for level, effects in levels.iterrows():
            for effect, value in effects.items():
                expected = given["parameters"][f"r_{group}[{str(level).replace(' ', '.')},{effect}]"]
                error = np.hypot(expected["sd"] / np.sqrt(4000.0), expected["mcse_mean"])
                assert abs(value - expected["mean"]) < MCSE * error, (group, level, effect)


# ---- the sampler ---------------------------------------------------------------------------------------------------


def test_auto_takes_it_and_certifies_it() -> None:
    post = model_of("poisson, correlated").sample(seed=1, progress=False)
    assert post.method == "marginal"
    assert post.draws.certificate["pareto_k"] < 0.7
    assert post.converged


def test_the_same_seed_gives_the_same_draws() -> None:
    model = few_counts()
    first, second, other = (model.sample(draws=50, seed=seed, progress=False) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first.values.b[0], second.values.b[0])
    assert not np.array_equal(first.values.b[0], other.values.b[0])


def test_flat_priors_with_too_few_levels_are_refused() -> None:
    data = {"y": [0, 1, 4, 2], "g": list("aabb")}
    model = bmx.Model("y ~ 1 + (1 | g)", data, family="poisson", priors="flat")
    with pytest.raises(bmx.SpecError, match="improper"):
        model.sample(seed=1, method="marginal", progress=False)


def test_too_many_effects_to_hold_are_left_to_nuts(monkeypatch: pytest.MonkeyPatch) -> None:
    """But those that alternating moves draw, which keep effects of some draws only."""
    data = {"y": [0, 1, 4, 2, 3, 0, 9, 7], "g": list("aabbccdd")}
    design = bmx.Model("y ~ 1 + (1 | g)", data, family="zero_inflated_poisson").design
    assert importance_correction.too_large(design, 4000) is None
    monkeypatch.setattr(importance_correction, "MOST", 1000)
    assert importance_correction.too_large(few_counts().design, 4000) is None
    assert "4000 draws of 4 random effects" in str(importance_correction.too_large(design, 4000))


def test_effects_that_vanish_are_no_obstacle() -> None:
    """A singular estimate: no difference between groups, so that the effects' curvature is the prior's."""
    data = {"y": [2, 3, 2, 3, 2, 3, 2, 3], "g": list("aabbccdd")}
    model = bmx.Model("y ~ 1 + (1 | g)", data, family="poisson")
    assert model.estimate().singular
    post = model.sample(seed=1, progress=False)
    assert post.method == "marginal"
    assert post.converged


def test_a_run_that_is_certified_is_not_replaced_by_one_that_is_not() -> None:
    """One whose chains stayed a little too long gave way to a later one of Pareto k .6, for its efficiency."""
    approximation = SimpleNamespace(has_blocks=True)

    def drawn(k: float, efficiency: float, longest: float) -> Any:
        proposals = SimpleNamespace(approximation=approximation)
        own: Any = SimpleNamespace(proposal=proposals, efficiency=efficiency, longest=longest)
        return importance_correction._Drawn(own, k, 3, 12_001, False)

    first, later = drawn(0.38, 0.51, 31.0), drawn(0.6, 0.62, 19.0)
    assert importance_correction._better(later, first) is first
    assert importance_correction._better(drawn(0.4, 0.62, 31.0), first) is not first
    assert importance_correction._better(drawn(0.45, 0.4, 20.0), first) is not first  # of which no chain stays too long


def test_a_run_whose_chains_stay_too_long_has_twice_the_proposals(monkeypatch: pytest.MonkeyPatch) -> None:
    """As many again behind those there are, whose weights are computed anew with theirs."""
    rng, (draws, chains) = np.random.default_rng(1), (10, 2)
    mixture = SimpleNamespace(
        draw=lambda n, rng: rng.standard_normal((n, 1)), log_density=lambda theta: -0.5 * theta[:, 0] ** 2
    )
    proposal: Any = SimpleNamespace(mixture=mixture, approximation=SimpleNamespace(has_blocks=True), tries=(4,))

    def proposed(theta: np.ndarray) -> Proposed:
        return Proposed(theta, [theta[:, None]], theta[:, 0], -0.4 * theta[:, 0] ** 2)

    monkeypatch.setattr(importance_correction, "propose", lambda _, theta, *__, **___: proposed(theta))
    theta = mixture.draw(chains * (3 * draws + 1), rng)
    first = importance_correction.weighted(proposal, theta, proposed(theta))
    run = importance_correction._Run(draws, chains, None, rng, False)

    def drawn(k: float, thin: int, stay: float) -> importance_correction._Drawn:
        monkeypatch.setattr(importance_correction, "STAY", stay)
        return importance_correction._Drawn(first, k, thin, 3 * draws + 1, False)

    found = drawn(0.4, 3, 0.1)
    assert importance_correction._takes_more(found, run)
    assert not importance_correction._takes_more(found, replace(run, thin=3))  # as the user wants it
    assert not importance_correction._takes_more(drawn(0.9, 3, 0.1), run)  # whose tail is too heavy
    assert not importance_correction._takes_more(drawn(0.4, 6, 0.1), run)
    assert not importance_correction._takes_more(drawn(0.4, 3, 1e6), run)  # with which nothing is wrong
    both = importance_correction._with_more(found, run)
    assert (both.thin, both.length) == (6, 6 * draws + 1)
    assert len(both.all.theta) == chains * both.length
    np.testing.assert_array_equal(both.all.theta[: len(theta)], theta)
    np.testing.assert_allclose(both.all.log_weights, 0.1 * both.all.theta[:, 0] ** 2)
    np.testing.assert_array_equal(both.all.proposed.b[0][:, 0], both.all.theta)
    stopped = [theta[:5]]
    monkeypatch.setattr(importance_correction, "propose", lambda *_, **__: proposed(stopped[0]))
    again = importance_correction._with_more(found, run)
    assert again.is_interrupted
    assert again.all is first
