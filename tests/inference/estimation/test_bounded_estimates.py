"""Estimates of censored and truncated responses against likelihoods by SciPy, integrated over the random intercept."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest
from scipy import optimize, stats

import bayesmix as bmx
from bayesmix.errors import DesignError

N, GROUPS = 60, 8
RNG = np.random.default_rng(20)
TABLE = pd.DataFrame({"g": RNG.integers(0, GROUPS, N).astype(str), "x": RNG.normal(size=N)})
LATENT = 1.0 + 0.6 * TABLE["x"] + RNG.normal(size=GROUPS)[TABLE["g"].astype(int)] * 0.8


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    """A model and, row by row, the probability or density of what was observed given the linear predictor."""

    formula: str
    family: str
    data: pd.DataFrame
    density: object  # (columns (n, 1), mu (n, m), dispersion): (n, m)


def between(own, low, high):
    """Probability of an interval, in the tail in which it is."""
    is_upper = own.sf(low) < own.cdf(high)
    return np.where(is_upper, own.sf(low) - own.sf(high), own.cdf(high) - own.cdf(low))


def censored():
    latent, u = LATENT + RNG.normal(size=N), RNG.random(N)
    status = np.select([u < 0.2, u < 0.35, u < 0.6], ["right", "left", "interval"], "none")
    moved = np.abs(RNG.normal(size=N))
    y = np.select([u < 0.2, u < 0.35, u < 0.6], [latent - moved, latent + moved, np.floor(latent)], latent)
    data = TABLE.assign(y=y, c=status, y2=np.where(status == "interval", y + 1.0, np.nan))

    def density(d, mu, sigma):
        own = stats.norm(mu, sigma)
        inside = between(own, d["y"], np.nan_to_num(d["y2"]))
        is_status = [d["c"] == one for one in ("right", "left", "interval")]
        return np.select(is_status, [own.sf(d["y"]), own.cdf(d["y"]), inside], own.pdf(d["y"]))

    return Case("y | cens(c, y2) ~ x + (1 | g)", "gaussian", data, density)


def truncated():
    latent = np.repeat(LATENT, 20) + RNG.normal(size=20 * N)
    low = np.repeat(RNG.normal(size=N) - 0.5, 20)
    keep = [np.flatnonzero((np.arange(20 * N) // 20 == i) & (latent > low) & (latent < 3.0))[:1] for i in range(N)]
    rows = np.concatenate(keep)
    data = TABLE.iloc[rows // 20].assign(y=latent.to_numpy()[rows], low=low[rows])

    def density(d, mu, sigma):
        own = stats.norm(mu, sigma)
        return own.pdf(d["y"]) / between(own, d["low"], 3.0)

    return Case("y | trunc(lb = low, ub = 3) ~ x + (1 | g)", "gaussian", data, density)


def both():
    case = truncated()
    data = case.data.assign(late=case.data["y"] > 1.8)
    data["y"] = np.minimum(data["y"], 1.8)

    def density(d, mu, sigma):
        own = stats.norm(mu, sigma)
        seen = np.where(d["late"], between(own, d["y"], 3.0), own.pdf(d["y"]))
        return seen / between(own, d["low"], 3.0)

    return Case("y | trunc(lb = low, ub = 3) + cens(late) ~ x + (1 | g)", "gaussian", data, density)


CASES = {"censored": censored(), "truncated": truncated(), "both": both()}


@pytest.fixture(scope="module", params=CASES)
def fitted(request):
    case = CASES[request.param]
    model = bmx.Model(case.formula, case.data, family=case.family)
    return case, model, model.estimate(bmx.Agq(40))


def deviance(case, intercept, slope, sd, dispersion):
    """Minus twice the log likelihood: one integral a group, by sums over a grid (exact for what fades so fast)."""
    nodes, step = np.linspace(-9.0 * sd, 9.0 * sd, 1201, retstep=True)
    columns = {name: case.data[name].to_numpy()[:, None] for name in case.data}
    log_density = np.log(case.density(columns, intercept + slope * columns["x"] + nodes, dispersion))
    total = 0.0
    for group in np.unique(case.data["g"]):
        joint = log_density[case.data["g"] == group].sum(axis=0) + stats.norm.logpdf(nodes, scale=sd)
        total -= 2.0 * (np.logaddexp.reduce(joint) + np.log(step))
    return total


def parameters(fit):
    values = fit.values
    return np.array([*values.beta, values.sd[0][0], values.dispersion])


def test_likelihood_is_the_integral(fitted):
    case, _, fit = fitted
    assert -2.0 * fit.loglik == pytest.approx(deviance(case, *parameters(fit)), rel=1e-8)


def test_estimates_are_at_the_maximum(fitted):
    case, _, fit = fitted
    at, best = parameters(fit), -2.0 * fit.loglik
    for j in range(len(at)):
        step = np.zeros(len(at))
        step[j] = 0.02
        ends = [deviance(case, *(at + side * step)) for side in (-1.0, 1.0)]
        slope, curvature = (ends[1] - ends[0]) / 0.04, (ends[0] + ends[1] - 2.0 * best) / 0.02**2
        assert curvature > 0.0
        assert abs(slope / curvature) < 2e-3  # of the parameters, whose errors are some 0.1


def test_without_bounds_that_bind_nothing_is_changed():
    data = CASES["censored"].data.assign(none=0, low=-50.0)
    plain = bmx.Model("y ~ x + (1 | g)", data).estimate("ml")
    bounded = bmx.Model("y | cens(none) + trunc(lb = low, ub = 60) ~ x + (1 | g)", data).estimate("laplace")
    assert bounded.loglik == pytest.approx(plain.loglik, rel=1e-9)
    np.testing.assert_allclose(parameters(bounded), parameters(plain), rtol=1e-5)


COUNTS = TABLE.assign(count=RNG.poisson(np.exp(0.3 * LATENT)), over=RNG.negative_binomial(2, 0.3, N))


def test_counts_from_one_on_are_truncated_ones():
    data = COUNTS[COUNTS["count"] > 0]
    one = bmx.Model("count | trunc(lb = 1) ~ x + (1 | g)", data, family="poisson").estimate()
    two = bmx.Model("count ~ x + (1 | g)", data, family="truncated_poisson").estimate()
    assert one.loglik == pytest.approx(two.loglik, rel=1e-10)
    np.testing.assert_allclose(one.values.beta, two.values.beta[:2], rtol=1e-5)


def test_censored_counts_against_sums():
    """Negative binomial, without random effects: sums of the density up to two hundred."""
    data = COUNTS.assign(c=np.where(COUNTS["over"] > 5, "right", np.where(COUNTS["over"] < 2, "left", "none")))
    data["over"] = data["over"].clip(1, 5)
    fit = bmx.Model("over | cens(c) ~ x", data, family="negbinomial").estimate()
    mu, shape = fit.fitted().to_numpy(), float(fit.values.dispersion)
    every = stats.nbinom(shape, shape / (shape + mu[:, None])).pmf(np.arange(200.0))
    y = data["over"].to_numpy()[:, None]
    kept = np.select(
        [(data["c"] == one).to_numpy()[:, None] for one in ("right", "left")],
        [np.arange(200) > y, np.arange(200) <= y],
        np.arange(200) == y,
    )
    assert fit.loglik == pytest.approx(np.log(np.sum(every * kept, axis=1)).sum(), rel=1e-10)


def test_rates_and_trials_are_offsets_and_pairs():
    data = COUNTS.assign(d=RNG.uniform(1.0, 5.0, N), n=9, s=RNG.binomial(9, 0.4, N))
    one = bmx.Model("count | rate(d) ~ x + (1 | g)", data, family="poisson").estimate()
    two = bmx.Model("count ~ x + offset(log(d)) + (1 | g)", data, family="poisson").estimate()
    assert one.loglik == two.loglik
    three = bmx.Model("s | trials(n) ~ x + (1 | g)", data, family="binomial").estimate()
    four = bmx.Model("cbind(s, n - s) ~ x + (1 | g)", data, family="binomial").estimate()
    assert three.loglik == four.loglik


@pytest.mark.parametrize("family", ["negbinomial", "geometric"])
def test_rates_of_overdispersed_counts_grow_in_shape_too(family):
    """Against SciPy's likelihood without groups; new data bring their own times, a stored model its own offsets."""
    rng = np.random.default_rng(8)
    x, d = rng.normal(size=80), rng.uniform(0.5, 4.0, 80)
    shape = (1.0 if family == "geometric" else 2.5) * d
    y = rng.poisson(rng.gamma(shape, np.exp(0.4 + 0.5 * x) * d / shape))
    fit = bmx.Model("y | rate(d) ~ x", {"y": y, "x": x, "d": d}, family=family).estimate()

    def minus(p):
        mu, size = np.exp(p[0] + p[1] * x) * d, (1.0 if family == "geometric" else np.exp(p[2])) * d
        return -float(np.sum(stats.nbinom.logpmf(y, size, size / (size + mu))))

    best = optimize.minimize(minus, np.zeros(2 if family == "geometric" else 3), method="BFGS", options={"gtol": 1e-7})
    assert fit.loglik == pytest.approx(-best.fun, abs=1e-7)
    np.testing.assert_allclose(fit.values.beta, best.x, atol=1e-5)
    found = fit.predict({"x": [0.3], "d": [2.0]})["estimate"][0]
    assert found == pytest.approx(2.0 * np.exp(best.x[0] + 0.3 * best.x[1]), rel=1e-5)


@pytest.mark.parametrize(("scale", "shift"), [(1e-6, 0.0), (1.0, 1e4), (1e6, 1e9)])
def test_units_of_the_response_do_not_matter(scale, shift):
    """Nor where it is zero: what the search moves is in units of the response."""
    case = CASES["censored"]
    moved = case.data.assign(y=scale * case.data["y"] + shift, y2=scale * case.data["y2"] + shift)
    one = bmx.Model(case.formula, case.data).estimate()
    two = bmx.Model(case.formula, moved).estimate()
    seen = np.sum(case.data["c"] == "none")
    assert two.loglik + seen * np.log(scale) == pytest.approx(one.loglik, abs=1e-6)
    np.testing.assert_allclose(
        two.values.beta, [scale * one.values.beta[0] + shift, scale * one.values.beta[1]], rtol=1e-5
    )


def test_formulas_of_other_parameters():
    """A row of two predictors: the same likelihood where the formula of sigma is its intercept alone."""
    case = CASES["censored"]
    one = bmx.Model(case.formula, case.data).estimate("laplace")
    two = bmx.Model([case.formula, "sigma ~ 1"], case.data).estimate("laplace")
    assert two.loglik == pytest.approx(one.loglik, rel=1e-9)
    assert np.exp(two.values.beta[2]) == pytest.approx(float(one.values.dispersion), rel=1e-4)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"y": [1.0, 2.0, 3.0, 2.5], "c": ["right"] * 4}, "are right-censored: the larger their mean"),
        ({"y": [1.0, 2.0, 3.0, 2.5], "c": ["left"] * 4}, "are left-censored: the smaller their mean"),
        ({"y": [1.0] * 4, "c": ["left", "right", "left", "right"]}, "mean and `sigma` cannot be told apart"),
    ],
)
def test_what_censored_responses_cannot_tell(data, message):
    model = bmx.Model("y | cens(c) ~ 1", data)
    with pytest.raises(DesignError, match=message):
        model.estimate()


def test_a_level_that_is_censored_altogether_runs_off():
    data = CASES["censored"].data.assign(f=np.where(np.arange(N) % 5 == 0, "b", "a"), c="none")
    data.loc[data["f"] == "b", "c"] = "right"
    with pytest.warns(bmx.ConvergenceWarning, match="`fb` runs off to infinity"):
        bmx.Model("y | cens(c) ~ f + x", data).estimate()
