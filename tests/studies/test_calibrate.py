"""Simulation-based calibration: it passes what is right, and finds what is not."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import bayesmix as bmx
from bayesmix.errors import FitError, SpecError
from bayesmix.inference.parameters.names import Parameters
from bayesmix.language.priors.distributions import JOINT, KINDS
from bayesmix.language.priors.prior import parse_prior
from bayesmix.language.priors.random import DRAW, draw_prior
from bayesmix.parallel import executors
from bayesmix.studies.calibrate import LIKELIHOOD, Calibration, calibrate
from bayesmix.studies.prior_simulation import draw_parameters

UNLIKELY = 1e-4  # p-value below which draws are not of a distribution
LEVEL = 0.05  # of false alarms


def data(levels: int = 8, rows: int = 5) -> dict[str, object]:
    rng = np.random.default_rng(1)
    n = levels * rows
    g = np.arange(n) % levels
    return {
        "g": [f"g{i}" for i in g],
        "h": [f"h{i}" for i in (np.arange(n) // levels) % 4],
        "x": rng.normal(size=n),
        "y": rng.normal(size=n),
    }


FORMULAS = {
    "random intercept": "y ~ x + (1 | g)",
    "correlated slopes": "y ~ x + (x | g)",
    "crossed": "y ~ x + (1 | g) + (1 | h)",
}


def model(name: str = "random intercept", **options: object) -> bmx.Model:
    return bmx.Model(FORMULAS[name], data(), **options)


DISTRIBUTIONS = {
    "Normal(1, 2)": stats.norm(1, 2),
    "StudentT(4, 1, 2)": stats.t(4, 1, 2),
    "Cauchy(1, 2)": stats.cauchy(1, 2),
    "Laplace(1, 2)": stats.laplace(1, 2),
    "HalfNormal(2)": stats.halfnorm(0, 2),
    "HalfStudentT(3, 2)": stats.t(3, 0, 2),  # of draws of both signs
    "HalfCauchy(2)": stats.halfcauchy(0, 2),
    "Exponential(2)": stats.expon(0, 0.5),
    "Gamma(2, 3)": stats.gamma(2, scale=1 / 3),
    "InverseGamma(2, 3)": stats.invgamma(2, scale=3),
    "LogNormal(1, 0.5)": stats.lognorm(0.5, scale=np.e),
    "Uniform(1, 3)": stats.uniform(1, 2),
    "Beta(2, 3)": stats.beta(2, 3),
}


@pytest.mark.parametrize("text", DISTRIBUTIONS)
def test_draws_are_of_the_prior(text: str) -> None:
    prior, rng = parse_prior(text), np.random.default_rng(3)
    draws = np.array([draw_prior(prior, rng) for _ in range(4000)])
    if text.startswith("HalfStudentT"):
        draws, cdf = np.append(draws, -draws), stats.t(3, 0, 2).cdf
    else:
        cdf = DISTRIBUTIONS[text].cdf
    assert stats.kstest(draws, cdf).pvalue > UNLIKELY


def test_every_proper_prior_can_be_drawn_from() -> None:
    assert set(DRAW) == set(KINDS) - {"Flat", "HalfFlat"} - JOINT


def test_standard_deviations_drawn_together_follow_rstanarm_s_prior() -> None:
    hierarchical = bmx.Model("y ~ x + (x | g)", data(), priors={"sd": "Decov(1, 2, 0.5)", "sigma": "Exponential(1)"})
    rng = np.random.default_rng(2)
    draws = [draw_parameters(hierarchical.priors, hierarchical.design, rng) for _ in range(2000)]
    relative = np.array([values.sd[0] / values.dispersion for values in draws])
    total = np.sum(relative**2, axis=1)
    assert stats.kstest(np.sqrt(total / 2.0), stats.gamma(2, scale=0.5).cdf).pvalue > UNLIKELY
    assert stats.kstest(relative[:, 0] ** 2 / total, stats.uniform.cdf).pvalue > UNLIKELY


def test_parameters_follow_the_priors_of_the_model() -> None:
    """Correlations of LKJ(eta) have marginal Beta(eta - 1 + k / 2) distributions; effects the covariance drawn."""
    hierarchical = bmx.Model("y ~ x + (x | g)", data(levels=20), priors={"corr": "LKJ(2)", "x": "Normal(3, 1)"})
    rng = np.random.default_rng(2)
    draws = [draw_parameters(hierarchical.priors, hierarchical.design, rng) for _ in range(1500)]
    rho = np.array([values.corr[0][1, 0] for values in draws])
    assert stats.kstest(0.5 * (1.0 + rho), stats.beta(2, 2).cdf).pvalue > UNLIKELY
    slope = np.array([values.beta[1] for values in draws])
    assert stats.kstest(slope, stats.norm(3, 1).cdf).pvalue > UNLIKELY
    z = []
    for values in draws:
        covariance = values.corr[0] * np.outer(values.sd[0], values.sd[0])
        z.append(np.linalg.solve(np.linalg.cholesky(covariance), values.b[0][0]))
    np.testing.assert_allclose(np.cov(np.array(z).T), np.eye(2), atol=0.15)


def ranks_of(u: np.ndarray, draws: int = 99) -> Calibration:
    frame = pd.DataFrame(np.minimum((u * (draws + 1)).astype(int), draws))
    frame.columns = pd.Index([f"p{j}" for j in frame], name="parameter")
    return Calibration(frame, draws, LEVEL)


@pytest.mark.slow
def test_false_alarms_are_as_rare_as_stated() -> None:
    rng = np.random.default_rng(5)
    alarms = [not ranks_of(rng.random((500, 5))).is_uniform for _ in range(400)]
    assert 0.2 * LEVEL < np.mean(alarms) < 1.8 * LEVEL


def test_each_kind_of_error_is_found_and_named() -> None:
    u = np.random.default_rng(5).random((500, 1))
    normal = stats.norm.ppf(u)
    assert ranks_of(u).is_uniform
    assert "Nothing speaks against" in str(ranks_of(u))
    assert "lie\n0.15 standard deviations off with probability 80%" in str(ranks_of(u))
    assert ranks_of(u[:10]).detectable_shift > 5.0 * ranks_of(u).detectable_shift
    assert "lie too low" in str(ranks_of(stats.norm.cdf(normal + 0.3)))
    assert "lie too high" in str(ranks_of(stats.norm.cdf(normal - 0.3)))
    assert "are too narrow" in str(ranks_of(stats.norm.cdf(1.3 * normal)))
    assert "are too wide" in str(ranks_of(stats.norm.cdf(0.75 * normal)))
    curves = ranks_of(stats.norm.cdf(normal + 0.3)).curves()
    assert (curves["difference"] < curves["lower"]).any()


def test_certified_and_uncertified_replications_are_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    """Good ranks where the certificate holds, too narrow posteriors where it does not."""
    rng = np.random.default_rng(5)

    def replicate(setting, seed):
        held = rng.random() < 0.7
        z = rng.normal(size=6) * (1.0 if held else 1.6)
        return np.floor(stats.norm.cdf(z) * 100).astype(int), held

    monkeypatch.setattr(import_module("bayesmix.studies.calibrate"), "replicate", replicate)
    found = calibrate(model(), 600, progress=False)
    assert found.is_uniform, str(found)
    assert found.uncertified is not None
    assert not found.uncertified.is_uniform
    assert len(found.ranks) + len(found.uncertified.ranks) == 600
    certified, _, others = str(found).partition("\n\n")
    assert certified.startswith(
        f"Simulation-based calibration: {len(found.ranks)} replications with a certificate that"
    )
    assert "Nothing speaks against the sampler" in certified
    assert "too narrow" not in certified
    assert others.startswith(f"The sampler's own certificate did not hold in {600 - len(found.ranks)} of 600")
    assert "The posteriors of x are too narrow." in others


@pytest.mark.parametrize(("repeated", "trusted"), [(1, True), (4, True), (200, False)])
def test_draws_that_depend_on_each_other_are_more_and_thinned(
    monkeypatch: pytest.MonkeyPatch, repeated: int, trusted: bool
) -> None:
    """Chains that stay where they are for a while; one that hardly moves is not trusted."""
    from bayesmix.inference.sampling.draws import Draws

    asked = []

    def slow(design, spec, method, schedule, *, priors, after):
        asked.append(schedule.draws)
        rng = np.random.default_rng(schedule.seed)
        drawn = [draw_parameters(priors, design, rng) for _ in range(101)]
        place = (50 * np.arange(schedule.chains)[:, None] + np.arange(schedule.draws) // repeated) % len(drawn)

        def stacked(parts):
            return np.array(parts)[place]

        sds, corrs, effects = ((stacked([getattr(v, name)[0] for v in drawn]),) for name in ("sd", "corr", "b"))
        fixed = [stacked([getattr(v, name) for v in drawn]) for name in ("beta", "dispersion")]
        return Draws(Parameters(fixed[0], sds, corrs, effects, fixed[1]), {}, "slow")

    monkeypatch.setattr(import_module("bayesmix.results.fits.refit"), "sample", slow)
    found = calibrate(model(), 1, ranks=19, progress=False)
    assert (found.uncertified is None) == trusted
    assert asked[0] == 19
    assert (len(asked) > 1) == (repeated > 1)
    assert asked == sorted(set(asked))
    assert (asked[-1] == 20 * 19) == (not trusted)


def test_reasons_of_data_that_could_not_be_fitted_are_counted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Also of what a checkpoint has; messages that differ in a number only are one reason."""
    told = ["The density has no bound at row 3.", "Singular matrix", "The density has no bound at row 12."]
    errors = [FitError(told[0]), None, np.linalg.LinAlgError(told[1]), FitError(told[2]), None]
    module, left = import_module("bayesmix.studies.calibrate"), iter(errors)

    def sample(*_):
        if (error := next(left)) is not None:
            raise error
        return None, np.zeros((2, 20, 6)), 100.0

    monkeypatch.setattr(module, "_nearly_independent", sample)
    monkeypatch.setattr(module, "_is_trusted", lambda found: True)
    found = calibrate(model(), 5, ranks=19, progress=False, checkpoint=tmp_path / "a.jsonl")
    assert (found.failed, len(found.ranks)) == (3, 2)
    assert found.reasons == {"FitError: The density has no bound at row 3": 2, "LinAlgError: Singular matrix": 1}
    lines = str(found).splitlines()
    at = lines.index("3 of 5 simulated data sets could not be fitted.")
    assert lines[at + 1 :] == [
        "     2  FitError: The density has no bound at row 3",
        "     1  LinAlgError: Singular matrix",
    ]
    again = calibrate(model(), 5, ranks=19, progress=False, checkpoint=tmp_path / "a.jsonl")
    assert (again.reasons, str(again)) == (found.reasons, str(found))
    left = iter(2 * [SpecError("The family is refused.")])
    with pytest.raises(SpecError, match=r"None of .* fitted\.\n     2  SpecError: The family is refused"):
        calibrate(model(), 2, ranks=19, progress=False)


def test_draws_that_are_not_trusted_are_not_made_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """Twenty times as many of a proposal that does not fit took most of the time of a study."""
    module, asked = import_module("bayesmix.studies.calibrate"), []

    def sample_model(fitted, priors, sampler, schedule):
        asked.append(schedule.draws)
        return SimpleNamespace(with_effects=None)

    monkeypatch.setattr(module, "sample_model", sample_model)
    drawn = np.arange(12.0).reshape(2, 1, 6)
    monkeypatch.setattr(module, "_scalars", lambda fitted, values: drawn if values is None else drawn[0, 0])
    monkeypatch.setattr(module, "_smallest_ess", lambda values: 2.0)
    for trusted in (False, True):
        asked.clear()
        monkeypatch.setattr(module, "_is_trusted", lambda found, trusted=trusted: trusted)
        found = calibrate(model(), 1, ranks=19, progress=False)
        assert found.uncertified is not None
        assert asked == ([19] if not trusted else [19, 271, 380])


def test_nothing_certified_is_no_proof(monkeypatch: pytest.MonkeyPatch) -> None:
    ranks = np.random.default_rng(5).integers(0, 100, (40, 6))
    rows = iter(ranks)
    monkeypatch.setattr(import_module("bayesmix.studies.calibrate"), "replicate", lambda *_: (next(rows), False))
    found = calibrate(model(), 40, progress=False)
    assert not found.is_uniform
    assert "0 replications with a certificate that holds" in str(found)
    assert "did not hold in 40 of 40 replications" in str(found)


def test_a_study_ends_in_time_and_goes_on(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """With as many seconds again, from the checkpoint; in the end it is the study that has no limit."""
    now = 0.0

    def replicate(setting, seed):
        nonlocal now
        now += 1.0
        return (seed.generate_state(6) % 100).astype(int), True

    monkeypatch.setattr(executors.time, "time", lambda: now)
    monkeypatch.setattr(import_module("bayesmix.studies.calibrate"), "replicate", replicate)
    own = model()
    found = calibrate(own, 7, progress=False, seconds=2.5, checkpoint=tmp_path / "a.jsonl")
    assert (len(found.ranks), found.late, found.lost) == (3, 4, 0)
    assert str(found).endswith("4 of 7 replications were not begun: the time was over.")
    found = calibrate(own, 7, progress=False, seconds=9.0, checkpoint=tmp_path / "a.jsonl")
    assert (len(found.ranks), found.late, now) == (7, 0, 7.0)
    pd.testing.assert_frame_equal(found.ranks, calibrate(own, 7, progress=False).ranks)
    with pytest.raises(SpecError, match="seconds=0: a time above zero"):
        calibrate(own, 7, seconds=0.0)


@pytest.mark.slow
def test_any_executor_gives_the_same_ranks() -> None:
    here = calibrate(model(), 6, progress=False)
    with ThreadPoolExecutor(2) as threads:
        there = calibrate(model(), 6, executor=threads, progress=False)
    pd.testing.assert_frame_equal(here.ranks, there.ranks)
    assert list(here.ranks) == ["Intercept", "x", "sd(g, Intercept)", "sigma", "Intercept[g g0]", LIKELIHOOD]
    assert here.ranks.to_numpy().min() >= 0
    assert here.ranks.to_numpy().max() <= here.draws
    assert not here.ranks.equals(calibrate(model(), 6, seed=2, progress=False).ranks)


def test_what_cannot_be_calibrated_is_named() -> None:
    with pytest.raises(SpecError, match="Flat priors cannot be drawn from"):
        calibrate(model(priors="flat"), 2)
    with pytest.raises(SpecError, match="must have the parameters and rows"):
        calibrate(model(), 2, fitted=model("crossed"))


@pytest.mark.slow
@pytest.mark.parametrize("name", FORMULAS)
def test_the_marginal_sampler_is_calibrated(name: str) -> None:
    found = calibrate(model(name), 500, progress=False)
    assert found.failed == 0
    assert found.is_uniform, str(found)


def shared() -> bmx.Model:
    """Effects of a level on the mean and on log sigma, correlated: 60 rows in 10 levels."""
    rng, n = np.random.default_rng(3), 60
    x = np.round(rng.normal(size=n), 3)
    own = {"x": x, "g": [f"g{j % 10}" for j in range(n)], "y": rng.normal(size=n)}
    priors = {
        "Intercept": "Normal(0, 1)",
        "x": "Normal(0, 1)",
        "sigma_Intercept": "Normal(0, 0.5)",
        "sd": "HalfNormal(0.7)",
        "corr": "LKJ(2)",
    }
    return bmx.Model(["y ~ x + (1 | ID | g)", "sigma ~ 1 + (1 | ID | g)"], own, priors=priors)


@pytest.mark.slow
def test_effects_shared_by_mean_and_sigma_are_calibrated() -> None:
    """Every data set is fitted: of the 24th the Gaussian approximation had no bound, and its mixture no scale."""
    found = calibrate(shared(), 24, seed=11, method="marginal", progress=False)
    assert found.failed == 0
    assert found.uncertified is None
    assert found.is_uniform, str(found)


@pytest.mark.slow
def test_a_wrong_prior_is_found() -> None:
    found = calibrate(model(), 200, fitted=model(priors={"sd": "Exponential(4)"}), progress=False)
    assert not found.table.loc["sd(g, Intercept)", "uniform"], str(found)


@pytest.mark.slow
def test_a_wrong_likelihood_is_found() -> None:
    """Half of the rows are taken for twice as precise as they are."""
    weights = np.where(np.arange(40) % 2, 4.0, 1.0)
    found = calibrate(model(), 200, fitted=model(weights=weights), progress=False)
    assert not found.table.loc["sigma", "uniform"], str(found)
    assert not found.is_uniform


@pytest.mark.slow
def test_draws_of_the_prior_are_found_by_the_likelihood(monkeypatch: pytest.MonkeyPatch) -> None:
    """A sampler that ignores the data has uniform ranks of every parameter."""
    from bayesmix.inference.sampling.draws import Draws

    def ignorant(design, spec, method, schedule, *, priors, after):
        draws, chains = schedule.draws, schedule.chains
        rng = np.random.default_rng(schedule.seed)
        drawn = [draw_parameters(priors, design, rng) for _ in range(draws * chains)]

        def stacked(parts):
            return np.array(parts).reshape(chains, draws, *np.shape(parts[0]))

        values = Parameters(
            stacked([v.beta for v in drawn]),
            (stacked([v.sd[0] for v in drawn]),),
            (stacked([v.corr[0] for v in drawn]),),
            (stacked([v.b[0] for v in drawn]),),
            stacked([v.dispersion for v in drawn]),
        )
        return Draws(values, {}, "prior")

    monkeypatch.setattr(import_module("bayesmix.results.fits.refit"), "sample", ignorant)
    table = calibrate(model(), 200, progress=False).table
    assert not table.loc[LIKELIHOOD, "uniform"]
    assert table.drop(index=LIKELIHOOD)["uniform"].all()
