"""Decompositions: steps that add up, and causes that are known from how data were made."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
import pytest
from scipy import stats
from scipy.special import expit

import bayesmix as bmx
from bayesmix.fit import Posterior
from bayesmix.inference.parameters.names import Parameters
from bayesmix.inference.parameters.priors_in_force import resolve
from bayesmix.inference.sampling.draws import Draws
from bayesmix.results.comparison import flat_prior_posterior
from bayesmix.results.comparison.decomposition import FIXED, LAPLACE, MONTE_CARLO, OTHERS, PRIOR, SKEWNESS, decompose
from bayesmix.results.comparison.explanation import explain
from bayesmix.results.fits.marginal_summary import describe

EXACT = 1e-10  # sums of steps, floating point apart
SD = "sd(g, Intercept)"


def grouped(levels, each, sd, seed, sigma=1.0):
    """Rows of a random-intercept model whose level means have exactly the standard deviation ``sd``."""
    rng = np.random.default_rng(seed)
    means = rng.normal(size=levels)
    means = sd * (means - means.mean()) / means.std(ddof=1)
    codes = np.repeat(np.arange(levels), each)
    y = 3.0 + means[codes] + sigma * rng.normal(size=len(codes))
    return {"g": [f"g{code:03d}" for code in codes], "y": y}


@cache
def model_of(name):
    few, many = grouped(6, 12, 2.0, 1), grouped(60, 8, 2.0, 2)
    return {
        "few groups": lambda: bmx.Model("y ~ 1 + (1 | g)", few),
        "strong prior": lambda: bmx.Model("y ~ 1 + (1 | g)", many, priors={"sd(g)": "HalfNormal(0.2)"}),
        "few draws": lambda: bmx.Model("y ~ 1 + (1 | g)", many),
    }[name]()


@cache
def walked(name, method="reml", **options):
    draws = {"few draws": 6}.get(name, 1000)
    model = model_of(name)
    posterior = model.sample(draws=draws, chains=2 if draws < 10 else 4, seed=7, method="marginal")
    ends = (method.upper(), "posterior")
    return decompose(
        model.estimate(method), posterior, ends, **({"centre": "mean", "groups": False, "costly": False} | options)
    )


# ---- steps ------------------------------------------------------------------------------------------------------


@cache
def posterior_of_few_groups():
    return model_of("few groups").sample(draws=250, seed=3)


@pytest.mark.parametrize("method", ["ml", "reml"])
@pytest.mark.parametrize("centre", ["mean", "median"])
def test_steps_add_up(method, centre):
    estimate, posterior = model_of("few groups").estimate(method), posterior_of_few_groups()
    way = decompose(estimate, posterior, ("start", "end"), centre=centre, groups=True, costly=False)
    own = posterior.parameters()[centre] - estimate.parameters()["estimate"]
    total = way.steps.sum(axis=1)
    assert np.allclose(total[own.index], own, rtol=0.0, atol=EXACT)
    assert np.allclose(total, way.difference, rtol=0.0, atol=EXACT)
    assert np.allclose(way.shares.sum(axis=1), 1.0, rtol=0.0, atol=1e-8)
    assert list(way.steps.columns) == [*([FIXED] if method == "ml" else []), OTHERS, SKEWNESS, PRIOR, MONTE_CARLO]
    coefficients = estimate.coef()["g"]
    assert way.stages.loc["coef(g, g002, Intercept)", "start"] == coefficients.loc["g002", "Intercept"]


def test_the_joint_mode_under_flat_priors_is_reml():
    """The identity that the choice of flat rests on."""
    from bayesmix.inference.sampling.marginal.independence_metropolis import find_mode
    from bayesmix.inference.sampling.marginal.marginal_posterior import marginal_posterior

    flat = bmx.Model("ncases ~ ncontrols + (ncontrols | agegp)", bmx.load_dataset("esoph"), priors="flat")
    estimate = flat.estimate()
    target = marginal_posterior(flat.design, flat.priors, estimate.point)

    def by_parameters(theta):
        own, log_sigma, _ = target.parts(theta)
        jacobian = log_sigma + sum(
            term.log_jacobian(x) + term.k * log_sigma for term, x in zip(target.terms, own, strict=True)
        )
        return target(theta) - jacobian  # density of sds, correlation and sigma, not of their coordinates

    mode, _, _ = find_mode(by_parameters, target.start(estimate.point))
    sd, root = target.terms[0].unpack(target.parts(mode)[0][0])
    sigma = np.exp(target.parts(mode)[1])
    found = [*(sd * sigma), (root @ root.T)[1, 0], sigma]
    assert found == pytest.approx(estimate.parameters()["estimate"].iloc[2:], rel=1e-3)


# ---- causes -----------------------------------------------------------------------------------------------------

KNOWN = {"few groups": SKEWNESS, "strong prior": PRIOR, "few draws": MONTE_CARLO}


@pytest.mark.parametrize("name", KNOWN)
def test_the_dominant_cause_is_the_right_one(name):
    way = walked(name)
    steps = way.steps.loc[SD].abs()
    assert steps.idxmax() == KNOWN[name]
    sentence = explain(way, model_of(name).design)[SD]
    expected = {
        "few groups": "skewness (6 levels of g)",
        "strong prior": "the priors",
        "few draws": "Monte Carlo error",
    }
    share = sentence.index("%")
    assert sentence[share:].split(",")[0].split(";")[0].endswith((f"is {expected[name]}", f"is {expected[name]}."))
    assert ("draw more" in sentence) == (name == "few draws")


def test_skewness_is_what_integration_says():
    """The flat posterior of a balanced one-way layout, integrated on a grid of both standard deviations."""
    model = model_of("few groups")
    way = walked("few groups")
    y = model.design.y.reshape(6, 12)
    between, within = 12 * np.var(y.mean(axis=1)) * 6, np.sum((y - y.mean(axis=1, keepdims=True)) ** 2)
    tau, sigma = np.meshgrid(np.linspace(0.0, 60.0, 12001)[1:], np.linspace(0.6, 1.6, 101), indexing="ij")
    total = sigma**2 + 12.0 * tau**2
    log = -66.0 * np.log(sigma) - within / (2 * sigma**2) - 2.5 * np.log(total) - between / (2 * total)
    density = np.exp(log - log.max()).sum(axis=1)
    grid = tau[:, 0]
    mean = np.sum(grid * density) / density.sum()
    median = grid[np.searchsorted(np.cumsum(density) / density.sum(), 0.5)]
    found = way.stages.loc[SD]
    assert found["flat mode"] == pytest.approx(grid[np.argmax(density)], rel=0.03)
    assert found["flat median"] == pytest.approx(median, rel=0.03)
    assert found["flat mean"] == pytest.approx(mean, rel=0.05)
    assert found["flat mean"] > 1.3 * found["REML"]


WEAK = {"sd(g)": "HalfStudentT(3, 10)"}


@cache
def binary(levels=200, each=2, sd=2.0):
    """Many small clusters of binary rows: little skewness, no prior to speak of, a large Laplace error."""
    rng = np.random.default_rng(7)
    codes = np.repeat(np.arange(levels), each)
    eta = sd * rng.normal(size=levels)[codes]
    y = (rng.uniform(size=len(codes)) < expit(eta)).astype(float)
    data = {"g": [f"g{code:03d}" for code in codes], "y": y}
    return bmx.Model("y ~ 1 + (1 | g)", data, family="bernoulli", priors=WEAK)


@dataclass(frozen=True)
class Plane:
    """Log-likelihood of a random-intercept model of 0/1 rows on a grid: levels differ by their successes alone."""

    beta: np.ndarray
    sd: np.ndarray
    log: np.ndarray  # (beta, sd)

    @classmethod
    def of(cls, y, each):
        beta, sd, z = np.linspace(-1.2, 1.2, 61), np.linspace(0.5, 5.5, 501), np.linspace(-8.0, 8.0, 101)
        weight = np.exp(-0.5 * z**2) / np.exp(-0.5 * z**2).sum()
        p = expit(beta[:, None, None] + sd[None, :, None] * z)
        counts = np.bincount(y.reshape(-1, each).sum(axis=1).astype(int), minlength=each + 1)
        log = sum(n * np.log((p**s * (1.0 - p) ** (each - s)) @ weight) for s, n in enumerate(counts.tolist()))
        return cls(beta, sd, log - log.max())

    def draws(self, log_prior, n, seed):
        """Draws of ``(beta, sd)``, uniform within the grid's cells."""
        rng = np.random.default_rng(seed)
        density = np.exp(self.log + log_prior).ravel()
        at = rng.choice(density.size, n, p=density / density.sum())
        jitter = rng.uniform(-0.5, 0.5, (2, n))
        row, column = np.unravel_index(at, self.log.shape)
        return (
            self.beta[row] + jitter[0] * np.diff(self.beta)[0],
            self.sd[column] + jitter[1] * np.diff(self.sd)[0],
        )


@pytest.mark.slow
def test_binary_data_in_small_clusters_are_a_matter_of_laplace():
    """Every stage of the standard deviation against integration over a plane of both parameters."""
    model = binary()
    plane = Plane.of(model.design.y, 2)
    log_prior = stats.t(3, 0.0, 10.0).logpdf(plane.sd) + stats.norm(0.0, 2.5).logpdf(plane.beta)[:, None]
    lead = (4, 1000)
    beta, sd = (draws.reshape(*lead, 1) for draws in plane.draws(log_prior, 4000, 1))
    laplace = model.estimate()
    b = np.broadcast_to(laplace.values.b[0], (*lead, *laplace.values.b[0].shape))
    parameters = Parameters(beta, (sd,), (np.ones((*lead, 1, 1)),), (b,), None)
    posterior = Posterior(laplace.fitted_model, Draws(parameters, {}, "by hand"), model.priors)
    way = decompose(laplace, posterior, ("Laplace", "posterior"), centre="mean", groups=False, costly=True)
    flat = np.exp(plane.log).sum(axis=0) / np.exp(plane.log).sum()
    found = way.stages.loc[SD]
    assert list(found.index[:3]) == ["Laplace", "AGQ", "restricted"]
    assert found["AGQ"] == pytest.approx(plane.sd[np.argmax(plane.log.max(axis=0))], abs=0.01)
    assert found["restricted"] == pytest.approx(plane.sd[np.argmax(flat)], abs=0.02)
    near = {"abs": 4.0 * way.sd[SD] / 4000**0.5}
    assert found["flat mean"] == pytest.approx(flat @ plane.sd, **near)
    assert found["flat median"] == pytest.approx(np.interp(0.5, flat.cumsum(), plane.sd), **near)
    assert way.steps.loc[SD].abs().idxmax() == LAPLACE
    assert way.shares.loc[SD, LAPLACE] > 0.75
    assert "is the error of the Laplace approximation" in explain(way, model.design)[SD]
    assert np.allclose(way.steps.sum(axis=1), way.difference, rtol=0.0, atol=EXACT)


@pytest.mark.slow
def test_binary_data_with_nuts():
    model = binary()
    posterior = model.sample(draws=500, chains=2, seed=1, method=bmx.Nuts(tune=500), progress=False)
    plane = Plane.of(model.design.y, 2)
    comparison = bmx.compare(posterior, model.estimate(), causes=True)
    assert comparison.steps.loc[SD].abs().idxmax() == LAPLACE
    flat = np.exp(plane.log).sum(axis=0) / np.exp(plane.log).sum()
    way = comparison.decompositions[0]
    assert abs(way.stages.loc[SD, "flat mean"] - flat @ plane.sd) < 5.0 * way.mcse[SD]


# ---- flat priors ------------------------------------------------------------------------------------------------


def test_reweighting_is_refitting():
    """Both ways to the flat posterior of a model with many groups."""
    posterior = model_of("few draws").sample(draws=2500, seed=5)
    spec = flat_prior_posterior._flat(posterior)
    flat = resolve(spec, posterior.design)
    refitted = flat_prior_posterior._refitted(posterior, spec, flat, groups=False, costly=False)
    reweighted = flat_prior_posterior._reweighted(posterior, flat, False)
    assert refitted is not None
    assert reweighted is not None
    assert reweighted.source.startswith("draws re-weighted, Pareto k")
    first, second = (describe(*found.blocks[0][::-1], 0.95) for found in (refitted, reweighted))
    assert np.all(np.abs(first["mean"] - second["mean"]) < 0.05 * first["sd"])
    assert np.all(np.abs(first["sd"] / second["sd"] - 1.0) < 0.05)


def test_reweighting_that_fails_is_not_used():
    posterior = model_of("strong prior").sample(seed=5)
    flat = resolve(flat_prior_posterior._flat(posterior), posterior.design)
    assert flat_prior_posterior._reweighted(posterior, flat, False) is None


@pytest.mark.parametrize(("levels", "centre", "what"), [(2, "mean", "does not exist"), (3, "mean", "has no mean")])
def test_too_few_groups_are_said_and_not_computed(levels, centre, what):
    model = bmx.Model("y ~ 1 + (1 | g)", grouped(levels, 10, 2.0, 1))
    reason = decompose(
        model.estimate(), model.sample(seed=1), ("REML", "posterior"), centre=centre, groups=False, costly=False
    )
    assert isinstance(reason, str)
    assert what in reason
    assert f"the {levels} levels of g leave {levels - 1} degrees" in reason
    assert ("median" in reason) == (levels == 3)


def test_three_groups_have_a_median():
    model = bmx.Model("y ~ 1 + (1 | g)", grouped(3, 10, 2.0, 1))
    way = decompose(
        model.estimate(), model.sample(seed=1), ("REML", "posterior"), centre="median", groups=False, costly=False
    )
    assert "flat mean" not in way.stages
    assert way.steps.loc[SD, PRIOR] < 0.0 < way.steps.loc[SD, SKEWNESS]


# ---- two posteriors ---------------------------------------------------------------------------------------------


def test_two_posteriors_differ_by_priors_and_monte_carlo_error():
    free, held = model_of("few draws").sample(seed=1), model_of("strong prior").sample(seed=1)
    way = decompose(free, held, ("posterior 1", "posterior 2"), centre="mean", groups=False, costly=False)
    assert way.steps.loc[SD].abs().idxmax() == PRIOR
    assert set(way.steps.columns) == {PRIOR, MONTE_CARLO}
    again = model_of("few draws").sample(seed=2)
    same = decompose(free, again, ("posterior 1", "posterior 2"), centre="mean", groups=False, costly=False)
    assert list(same.steps.columns) == [MONTE_CARLO]
    assert explain(same, again.design)[SD] == "the same, within 0.05 posterior sd."


def test_shape_keeps_its_prior():
    model = bmx.Model("y ~ x + z + (x | g)", bmx.load_dataset("nbsim"), family="negbinomial")
    fit = model.estimate()
    spec = flat_prior_posterior._flat(Posterior(fit.fitted_model, Draws(fit.values, {}, "by hand"), model.priors))
    assert spec.preset == "flat"
    assert {name: str(prior) for name, prior in spec.priors.items()} == {"shape": str(model.priors.dispersion)}
