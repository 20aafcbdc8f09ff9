"""Small generalized models, their Gaussian approximations, and joint densities over those of the approximations."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from dense import gauss_weights, indicator
from densities import MEAN, PRIOR, log_density
from scipy import stats
from scipy.linalg import block_diag
from scipy.special import logsumexp

import bayesmix as bmx
from bayesmix.inference.estimation.point_estimate import PointEstimate
from bayesmix.inference.parameters.names import Parameters, covariance
from bayesmix.inference.sampling.marginal.gaussian_approximation import GaussianApproximation, fit_approximation


def simulated() -> dict[str, Any]:
    rng = np.random.default_rng(7)
    n = 60
    g = np.arange(n) % 6
    x = rng.normal(1.0, 1.0, n)
    eta = 0.3 + 0.4 * x + 0.5 * rng.normal(size=6)[g]
    trials = rng.integers(1, 6, n)
    return {
        "g": [f"g{i}" for i in g],
        "h": [f"h{i}" for i in (np.arange(n) * 7) % 5],
        "in_g": [f"s{i}" for i in (np.arange(n) // 6) % 4],
        "x": x,
        "w": rng.uniform(0.5, 2.0, n),
        "off": 0.3 * rng.normal(size=n),
        "count": rng.poisson(np.exp(eta)),
        "won": rng.binomial(trials, 1.0 / (1.0 + np.exp(-eta))),
        "trials": trials,
        "over": rng.poisson(np.exp(eta) * rng.gamma(1.5, 1.0 / 1.5, n)),
        "yes": rng.binomial(1, stats.norm.cdf(eta)),
        "size": rng.gamma(3.0, np.exp(eta) / 3.0),
        "level": np.exp(eta) + 0.3 * rng.normal(size=n),
    }


MODELS: dict[str, dict[str, Any]] = {
    "poisson, correlated": {"formula": "count ~ x + offset(off) + (x | g)", "family": "poisson"},
    "binomial, nested": {"formula": "cbind(won, trials - won) ~ x + (1 | g/in_g)", "family": "binomial"},
    "bernoulli, crossed": {"formula": "yes ~ x + (x || g) + (1 | h)", "family": "bernoulli", "link": "probit"},
    "gamma, heavy priors": {
        "formula": "size ~ x + (1 | g)",
        "family": "gamma",
        "priors": {"x": "StudentT(3, 0, 1)", "Intercept": "Cauchy(0, 2)", "shape": "Gamma(2, 0.5)"},
    },
    "gamma, priors in units of the shape": {"formula": "size ~ x + (1 | g)", "family": "gamma", "priors": "rstanarm"},
    "negative binomial": {"formula": "over ~ x + cs(x | g)", "family": "negbinomial", "weights": "w"},
    "gaussian, log link": {"formula": "level ~ x + (1 | g)", "link": "log", "weights": "w", "priors": "rstanarm"},
}


@cache
def model_of(name: str) -> bmx.Model:
    given = dict(MODELS[name])
    return bmx.Model(given.pop("formula"), simulated(), **given)


@cache
def point_of(name: str) -> PointEstimate:
    return model_of(name).estimate().point


@cache
def approximation_of(name: str) -> GaussianApproximation:
    model = model_of(name)
    return fit_approximation(model.design, model.spec, model.priors, point_of(name), np.random.default_rng(1))


def some_theta(approximation: GaussianApproximation, point: Any, n: int) -> np.ndarray:
    start = approximation.target.start(point)
    return start + 0.3 * np.random.default_rng(2).standard_normal((n, len(start)))


def dense_conditional(model: bmx.Model, approximation: GaussianApproximation, matrices: list[np.ndarray]) -> Any:
    """Distribution of (gamma, b) under the Gaussian approximation given covariances, by dense matrices."""
    design, priors, target = model.design, model.priors, approximation.target
    Z = [indicator(term.codes, term.z, len(term.levels)) for term in design.terms]
    XZ = np.hstack([design.X @ np.linalg.inv(priors.contrast), *Z])
    blocks = [np.linalg.inv(m) for m, term in zip(matrices, design.terms, strict=True) for _ in term.levels]
    prior = block_diag(np.diag(target.precision), *blocks)
    precision = (XZ.T * approximation.rows.weights) @ XZ + prior
    h = XZ.T @ (approximation.rows.weights * approximation.rows.z)
    h[: len(target.mean)] += target.precision * target.mean
    return np.linalg.solve(precision, h), np.linalg.inv(precision)


def joint_density_over_conditional(
    model: bmx.Model, approximation: GaussianApproximation, values: Parameters, i: int, theta: Any, gamma: Any
) -> float:
    """SciPy's joint log density of y and all parameters over the dense Gaussian conditional of the effects.

    Of draw ``i``, with the change of coordinates to ``theta`` and to the logarithm of the dispersion.
    """
    design, priors, family = model.design, model.priors, model.spec.family
    trials = np.ones(len(design.y)) if design.trials is None else design.trials
    eta = design.X @ values.beta[i] + design.offset
    matrices, joint = [], 0.0
    for term, sd, corr, b in zip(design.terms, values.sd, values.corr, values.b, strict=True):
        matrices.append(covariance(sd[i], corr[i]))
        joint += float(stats.multivariate_normal(np.zeros(len(sd[i])), matrices[-1]).logpdf(b[i]).sum())
        eta = eta + np.sum(term.z * b[i][term.codes], axis=1)
    dispersion = 1.0 if values.dispersion is None else float(values.dispersion[i])
    mean = MEAN[model.spec.link.name](eta)
    if family.name == "gaussian":
        joint += float(log_density("gaussian", design.y, mean, dispersion / np.sqrt(design.weights)).sum())
    else:
        joint += float(np.sum(design.weights * log_density(family.name, design.y, mean, dispersion, trials)))
    for prior, value in zip(priors.fixed, gamma, strict=True):
        joint += float(PRIOR[prior.kind](*prior.arguments).logpdf(value))
    joint += float(approximation.target.log_prior(theta[None])[0])
    if priors.dispersion is not None and approximation.dispersion is not None:
        at = np.log(dispersion)
        joint += float(PRIOR[priors.dispersion.kind](*priors.dispersion.arguments).logpdf(dispersion)) + at
    if model.spec.preset == "rstanarm":  # standard deviations in units of the dispersion: Exponential(1 / it)
        sd = float(values.sd[0][i, 0])
        joint += float(stats.expon(0.0, dispersion).logpdf(sd) - stats.expon(0.0, 1.0).logpdf(sd))
    centre, spread = dense_conditional(model, approximation, matrices)
    at = np.concatenate([gamma, *(b[i].ravel() for b in values.b)])
    return joint - float(stats.multivariate_normal(centre, spread, allow_singular=False).logpdf(at))


def few_counts() -> bmx.Model:
    data = {"y": [0, 1, 4, 2, 3, 0, 9, 7], "g": list("aabbccdd")}
    return bmx.Model(
        "y ~ 1 + (1 | g)", data, family="poisson", priors={"sd": "HalfNormal(1)", "Intercept": "Normal(0, 2)"}
    )


@cache
def brute_force_of_few_counts() -> tuple[float, dict[str, tuple[float, float]]]:
    """Log evidence, and mean and standard deviation of each parameter.

    Group effects by a fine grid, the intercept and the log standard deviation by another.
    """
    y = few_counts().design.y.reshape(4, 2)
    beta, log_sd = np.linspace(-5.0, 6.0, 111), np.linspace(-9.0, 2.5, 116)
    nodes, log_weights = gauss_weights(101, 1)
    logs = np.empty((len(beta), len(log_sd)))
    for j, sd in enumerate(np.exp(log_sd)):
        rate = np.exp(beta[:, None] + sd * nodes[:, 0])
        groups = sum(
            logsumexp(stats.poisson(rate).logpmf(pair[0]) + stats.poisson(rate).logpmf(pair[1]) + log_weights, axis=1)
            for pair in y
        )
        prior = stats.norm(0.0, 2.0).logpdf(beta) + stats.halfnorm(0.0, 1.0).logpdf(sd) + log_sd[j]
        logs[:, j] = groups + prior
    cell = (beta[1] - beta[0]) * (log_sd[1] - log_sd[0])
    evidence = float(logsumexp(logs) + np.log(cell))
    weight = np.exp(logs - logsumexp(logs))

    def moments(share: np.ndarray, at: np.ndarray) -> tuple[float, float]:
        mean = float(share @ at)
        return mean, float(np.sqrt(share @ (at - mean) ** 2))

    return evidence, {
        "Intercept": moments(weight.sum(1), beta),
        "sd(g, Intercept)": moments(weight.sum(0), np.exp(log_sd)),
    }
