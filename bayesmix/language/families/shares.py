"""Distributions of successes among trials: binomial, Bernoulli."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from bayesmix.arrays import Array
from bayesmix.language.families.family import ClosedForm, Family, Parameter
from bayesmix.language.families.namespaces import Namespace


def _kernel(xp: Namespace, y: Any, trials: Any, mu: Any) -> Any:
    return xp.xlogy(y, mu) + xp.xlog1py(trials - y, -mu)


def _canonical(y: Array, eta: Array, trials: Array) -> Array:
    losses = np.exp(eta)
    np.log1p(losses, out=losses)
    if np.isinf(losses.max(initial=0.0)):
        np.copyto(losses, eta, where=np.isinf(losses))
    value = y * eta
    if np.all(trials == 1.0):
        value -= losses
        return np.asarray(value)
    losses *= trials
    value -= losses
    value += _log_choose(y, trials)
    return np.asarray(value)


def _log_choose(y: Array, trials: Array) -> Array:
    from scipy.special import gammaln

    return np.asarray(gammaln(trials + 1.0) - gammaln(y + 1.0) - gammaln(trials - y + 1.0))


def _slopes(y: Array, trials: Array, mu: Array) -> tuple[Array, Array, Array]:
    failures, nu = trials - y, 1.0 - mu
    return (
        y / mu - failures / nu,
        -y / mu**2 - failures / nu**2,
        2.0 * y / mu**3 - 2.0 * failures / nu**3,
    )


def _cdf(y: Array, trials: Array, mu: Array) -> Array:
    from scipy.special import betainc

    inside = betainc(np.maximum(trials - y, 1.0), np.maximum(y, 0.0) + 1.0, 1.0 - mu)
    return np.where(y < 0.0, 0.0, np.where(y < trials, inside, 1.0))


def _deviance(y: Array, trials: Array, mu: Array) -> Array:
    from scipy.special import xlogy

    failures = trials - y
    return np.asarray(2.0 * (xlogy(y, y / (trials * mu)) + xlogy(failures, failures / (trials * (1.0 - mu)))))


BINOMIAL = Family(
    "binomial",
    (Parameter("mu", ("logit", "probit", "cloglog")),),
    "trials",
    _kernel,
    _cdf,
    sample=lambda rng, trials, mu: rng.binomial(trials.astype(np.int64), mu).astype(float),
    variance=lambda trials, mu: mu * (1.0 - mu) / trials,
    base=_log_choose,
    words="Binomial(trials[i], mu[i])",
    deviance=_deviance,
    pymc=lambda trials, mu: ("Binomial", {"n": trials.astype(np.int64), "p": mu}),
    closed_form=ClosedForm(_slopes, _canonical, lambda xp, y, trials, eta: y * eta - trials * xp.softplus(eta)),
)
BERNOULLI = replace(BINOMIAL, name="bernoulli", support="binary", words="Bernoulli(mu[i])")
