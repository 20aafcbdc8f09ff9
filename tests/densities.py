"""Distributions of responses and priors by `scipy.stats`, links by formula: nothing of the package."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy import stats
from scipy.special import betaln, expit, logit

Array = np.ndarray

PLAIN = ("gaussian", "poisson", "binomial", "bernoulli", "gamma", "negbinomial")  # families that these functions know

MEAN: dict[str, Callable[[Array], Array]] = {
    "identity": lambda eta: eta,
    "log": np.exp,
    "inverse": lambda eta: 1.0 / eta,
    "inverse_squared": lambda eta: 1.0 / np.sqrt(eta),
    "tan_half": lambda eta: 2.0 * np.arctan(eta),
    "sqrt": lambda eta: eta**2,
    "logit": expit,
    "logit_power": lambda eta: 1.0 + expit(eta),
    "probit": stats.norm.cdf,
    "cloglog": lambda eta: -np.expm1(-np.exp(eta)),
}
LINK: dict[str, Callable[[Array], Array]] = {
    "identity": lambda mu: mu,
    "log": np.log,
    "inverse": lambda mu: 1.0 / mu,
    "inverse_squared": lambda mu: 1.0 / mu**2,
    "tan_half": lambda mu: np.tan(mu / 2.0),
    "sqrt": np.sqrt,
    "logit": logit,
    "logit_power": lambda power: logit(power - 1.0),
    "probit": stats.norm.ppf,
    "cloglog": lambda mu: np.log(-np.log1p(-mu)),
}


def response(family: str, mu: Array, dispersion: Array | float, trials: Array | float = 1.0):
    """The frozen distribution of y at mean ``mu`` (of a share, for binomial responses)."""
    match family:
        case "gaussian":
            return stats.norm(mu, dispersion)
        case "poisson":
            return stats.poisson(mu)
        case "binomial" | "bernoulli":
            return stats.binom(trials, mu)
        case "gamma":
            return stats.gamma(dispersion, scale=mu / dispersion)
        case "negbinomial":
            return stats.nbinom(dispersion, dispersion / (dispersion + mu))
    raise AssertionError(family)


def log_density(family: str, y: Array, mu: Array, dispersion: Array | float, trials: Array | float = 1.0) -> Array:
    distribution = response(family, mu, dispersion, trials)
    is_continuous = isinstance(distribution.dist, stats.rv_continuous)
    return distribution.logpdf(y) if is_continuous else distribution.logpmf(y)


# ---- priors --------------------------------------------------------------------------------------------------------


class HalfStudentT:
    """SciPy has none."""

    def __init__(self, nu: float, sigma: float) -> None:
        self.whole = stats.t(nu, 0.0, sigma)

    def logpdf(self, x: Array) -> Array:
        return np.where(np.asarray(x) < 0.0, -np.inf, np.log(2.0) + self.whole.logpdf(x))


PRIOR: dict[str, Callable[..., object]] = {
    "Normal": stats.norm,
    "StudentT": stats.t,
    "Cauchy": stats.cauchy,
    "Laplace": stats.laplace,
    "HalfNormal": lambda sigma: stats.halfnorm(0.0, sigma),
    "HalfStudentT": HalfStudentT,
    "HalfCauchy": lambda sigma: stats.halfcauchy(0.0, sigma),
    "Exponential": lambda rate: stats.expon(0.0, 1.0 / rate),
    "Gamma": lambda alpha, beta: stats.gamma(alpha, scale=1.0 / beta),
    "InverseGamma": lambda alpha, beta: stats.invgamma(alpha, scale=beta),
    "LogNormal": lambda mu, sigma: stats.lognorm(sigma, scale=np.exp(mu)),
    "Uniform": lambda lower, upper: stats.uniform(lower, upper - lower),
    "Beta": stats.beta,
}


def log_lkj(correlation: Array, eta: float) -> float:
    """Lewandowski, Kurowicka, Joe (2009), equation 16, term by term."""
    k = len(correlation)
    constant = sum(
        (2.0 * eta - 2.0 + k - i) * (k - i) * np.log(2.0)
        + (k - i) * betaln(eta + 0.5 * (k - i - 1), eta + 0.5 * (k - i - 1))
        for i in range(1, k)
    )
    return (eta - 1.0) * float(np.linalg.slogdet(correlation)[1]) - constant
