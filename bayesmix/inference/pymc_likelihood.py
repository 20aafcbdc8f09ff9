"""The response's part of the PyMC model: as distributions for readers, as kernels for the sampler."""

from __future__ import annotations

from typing import Any

import numpy as np

from bayesmix.data.design import Design
from bayesmix.inference.packed import Packed
from bayesmix.language.spec import ModelSpec

Array = np.ndarray


def add_likelihood(design: Design, spec: ModelSpec, eta: Any, dispersion: Any) -> None:
    """Add the response ``y`` given the linear predictor ``(n,)``."""
    import pymc as pm

    mu = inverse_link(spec.link.name, eta)
    y = design.y
    weights = None if is_unweighted(design) else pm.Data("weights", design.weights, dims="obs")
    sigma = dispersion
    if spec.family.name == "gaussian" and weights is not None:  # a weight divides the variance
        sigma, weights = dispersion / weights**0.5, None
    distribution, arguments = _response(spec.family.name, design, mu, sigma)
    observed = y if spec.family.name in {"gaussian", "gamma"} else y.astype(np.int64)
    if weights is None:
        distribution("y", **arguments, observed=observed, dims="obs")
    else:  # a weighted log density is no distribution of its own
        pm.Potential("y", weights * pm.logp(distribution.dist(**arguments), observed), dims="obs")


def add_kernel(design: Design, spec: ModelSpec, eta: Any, dispersion: Any, packed: Packed) -> None:
    """Add the same log density, with what depends on the data alone computed once instead of at every step."""
    import pymc as pm

    family, y = spec.family.name, packed.column(design.y)
    mu = inverse_link(spec.link.name, eta)
    sigma = dispersion
    weights = None if is_unweighted(design) else packed.column(design.weights)
    if family == "gaussian" and weights is not None:
        sigma, weights = dispersion / weights**0.5, None
    binomial = family in {"binomial", "bernoulli"}
    trials = packed.column(_trials(design)) if binomial else None
    logistic = binomial and spec.link.name == "logit"
    rows = _logistic(eta, y, trials) if logistic else _kernel(family, mu, sigma, y, trials)
    base = packed.constant("log_base", _log_base(family, design))
    pm.Potential("y", (rows if weights is None else weights * rows).sum() + base)


def is_unweighted(design: Design) -> bool:
    """Whether all weights are one."""
    return bool(np.all(design.weights == 1.0))


def inverse_link(link: str, eta: Any) -> Any:
    """Mean of the response."""
    import pytensor.tensor as pt

    match link:
        case "identity":
            return eta
        case "log":
            return pt.exp(eta)
        case "inverse":
            return 1.0 / eta
        case "sqrt":
            return eta**2
        case "logit":
            return pt.sigmoid(eta)
        case "probit":
            return 0.5 * pt.erfc(-eta / np.sqrt(2.0))
        case "cloglog":
            return 1.0 - pt.exp(-pt.exp(eta))
        case _:
            raise AssertionError(link)


def _trials(design: Design) -> Array:
    return np.ones(len(design.y)) if design.trials is None else np.asarray(design.trials, float)


def _response(family: str, design: Design, mu: Any, dispersion: Any) -> tuple[Any, dict[str, Any]]:
    """PyMC's distribution of the response and its arguments."""
    import pymc as pm

    match family:
        case "gaussian":
            return pm.Normal, {"mu": mu, "sigma": dispersion}
        case "poisson":
            return pm.Poisson, {"mu": mu}
        case "binomial" | "bernoulli":
            return pm.Binomial, {"n": _trials(design).astype(np.int64), "p": mu}
        case "gamma":
            return pm.Gamma, {"alpha": dispersion, "beta": dispersion / mu}
        case "negbinomial":
            return pm.NegativeBinomial, {"mu": mu, "alpha": dispersion}
        case _:
            raise AssertionError(family)


def _logistic(eta: Any, y: Any, trials: Any) -> Any:
    import pytensor.tensor as pt

    return y * eta - trials * pt.softplus(eta)


def _kernel(family: str, mu: Any, dispersion: Any, y: Any, trials: Any) -> Any:
    """Log density of each row up to the part of `_log_base`."""
    import pytensor.tensor as pt
    from pymc.distributions.dist_math import logpow

    match family:
        case "gaussian":
            return -0.5 * ((y - mu) / dispersion) ** 2 - pt.log(dispersion)
        case "poisson":
            return logpow(mu, y) - mu
        case "binomial" | "bernoulli":
            return logpow(mu, y) + logpow(1.0 - mu, trials - y)
        case "gamma":
            rate = dispersion / mu
            return dispersion * pt.log(rate) - pt.gammaln(dispersion) + dispersion * pt.log(y) - rate * y
        case "negbinomial":
            total = dispersion + mu
            return (
                pt.gammaln(y + dispersion)
                - pt.gammaln(dispersion)
                + dispersion * pt.log(dispersion / total)
                + logpow(mu / total, y)
            )
        case _:
            raise AssertionError(family)


def _log_base(family: str, design: Design) -> Array:
    """The part of the log likelihood that depends on the data alone."""
    from scipy.special import gammaln

    y, trials = design.y, _trials(design)
    match family:
        case "gaussian":
            return np.asarray(-0.5 * np.log(2.0 * np.pi) * len(y))
        case "poisson" | "negbinomial":
            rows = -gammaln(y + 1.0)
        case "binomial" | "bernoulli":
            rows = gammaln(trials + 1.0) - gammaln(y + 1.0) - gammaln(trials - y + 1.0)
        case "gamma":
            rows = -np.log(y)
        case _:
            raise AssertionError(family)
    return np.asarray(np.sum(design.weights * rows))
