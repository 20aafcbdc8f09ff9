"""Prior distributions of one parameter: densities, draws, supports."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from bayesmix.arrays import Array


@dataclass(frozen=True, slots=True)
class Kind:
    """A distribution: names of its arguments, support, log density, and how it changes when its variable is scaled."""

    name: str
    arguments: tuple[str, ...]
    positive: bool  # support is the positive half-line
    log_density: Callable[..., Array]  # (x, *arguments)
    rescaled: Callable[..., tuple[float, ...]]  # (factor, *arguments) -> arguments of factor * X
    aliases: Mapping[str, str]  # other spellings of arguments


def _half(log_density: Callable[..., Array]) -> Callable[..., Array]:
    return lambda x, *arguments: log_density(x, 0.0, *arguments) + math.log(2.0)


def _normal(x: Array, mu: float, sigma: float) -> Array:
    return -0.5 * ((x - mu) / sigma) ** 2 - math.log(sigma) - 0.5 * math.log(2.0 * math.pi)


def _student(x: Array, nu: float, mu: float, sigma: float) -> Array:
    constant = math.lgamma(0.5 * (nu + 1.0)) - math.lgamma(0.5 * nu) - 0.5 * math.log(nu * math.pi) - math.log(sigma)
    return constant - 0.5 * (nu + 1.0) * np.log1p(((x - mu) / sigma) ** 2 / nu)


def _cauchy(x: Array, mu: float, sigma: float) -> Array:
    return _student(x, 1.0, mu, sigma)


def _laplace(x: Array, mu: float, b: float) -> Array:
    return -np.abs(x - mu) / b - math.log(2.0 * b)


def _gamma(x: Array, alpha: float, beta: float) -> Array:
    return alpha * math.log(beta) - math.lgamma(alpha) + (alpha - 1.0) * np.log(x) - beta * x


def _inverse_gamma(x: Array, alpha: float, beta: float) -> Array:
    return alpha * math.log(beta) - math.lgamma(alpha) - (alpha + 1.0) * np.log(x) - beta / x


def _log_normal(x: Array, mu: float, sigma: float) -> Array:
    return _normal(np.log(x), mu, sigma) - np.log(x)


def _beta(x: Array, alpha: float, beta: float) -> Array:
    constant = math.lgamma(alpha + beta) - math.lgamma(alpha) - math.lgamma(beta)
    inside = np.where((x >= 0.0) & (x <= 1.0), x, np.nan)
    return np.nan_to_num(
        constant + _times_log(alpha - 1.0, inside) + _times_log(beta - 1.0, 1.0 - inside), nan=-np.inf, posinf=np.inf
    )


def _times_log(factor: float, x: Array) -> Array:
    return factor * np.log(x) if factor else 0.0 * x


def _uniform(x: Array, lower: float, upper: float) -> Array:
    return np.where((x >= lower) & (x <= upper), -math.log(upper - lower), -np.inf)


def _location_scale(factor: float, mu: float, sigma: float) -> tuple[float, ...]:
    return factor * mu, abs(factor) * sigma


def _scale(factor: float, sigma: float) -> tuple[float, ...]:
    return (factor * sigma,)


def _unscaled(factor: float, alpha: float, beta: float) -> tuple[float, ...]:
    """A share has no units."""
    return alpha, beta


_SD = {"sd": "sigma", "scale": "sigma", "loc": "mu", "mean": "mu", "beta": "sigma"}


KINDS: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind("Normal", ("mu", "sigma"), False, _normal, _location_scale, _SD),
        Kind(
            "StudentT",
            ("nu", "mu", "sigma"),
            False,
            _student,
            lambda factor, nu, mu, sigma: (nu, factor * mu, abs(factor) * sigma),
            {**_SD, "df": "nu"},
        ),
        Kind("Cauchy", ("mu", "sigma"), False, _cauchy, _location_scale, {**_SD, "alpha": "mu"}),
        Kind("Laplace", ("mu", "b"), False, _laplace, _location_scale, {"scale": "b", "sigma": "b", "loc": "mu"}),
        Kind("HalfNormal", ("sigma",), True, _half(_normal), _scale, _SD),
        Kind(
            "HalfStudentT",
            ("nu", "sigma"),
            True,
            lambda x, nu, sigma: _student(x, nu, 0.0, sigma) + math.log(2.0),
            lambda factor, nu, sigma: (nu, factor * sigma),
            {**_SD, "df": "nu"},
        ),
        Kind("HalfCauchy", ("sigma",), True, _half(_cauchy), _scale, _SD),
        Kind(
            "Exponential",
            ("rate",),
            True,
            lambda x, rate: math.log(rate) - rate * x,
            lambda factor, rate: (rate / factor,),
            {"lam": "rate", "lambda": "rate"},
        ),
        Kind(
            "Gamma",
            ("alpha", "beta"),
            True,
            _gamma,
            lambda factor, alpha, beta: (alpha, beta / factor),
            {"shape": "alpha", "rate": "beta"},
        ),
        Kind(
            "InverseGamma",
            ("alpha", "beta"),
            True,
            _inverse_gamma,
            lambda factor, alpha, beta: (alpha, beta * factor),
            {"shape": "alpha", "scale": "beta"},
        ),
        Kind(
            "LogNormal",
            ("mu", "sigma"),
            True,
            _log_normal,
            lambda factor, mu, sigma: (mu + math.log(factor), sigma),
            {"sd": "sigma"},
        ),
        Kind(
            "Uniform",
            ("lower", "upper"),
            False,
            _uniform,
            lambda factor, lower, upper: (factor * lower, factor * upper),
            {"min": "lower", "max": "upper"},
        ),
        Kind("Beta", ("alpha", "beta"), False, _beta, _unscaled, {}),
        Kind("Flat", (), False, np.zeros_like, lambda factor: (), {}),
        Kind("HalfFlat", (), True, np.zeros_like, lambda factor: (), {}),
        Kind("LKJ", ("eta",), False, lambda x, eta: np.full_like(x, np.nan), lambda factor, eta: (eta,), {}),
        Kind("Dirichlet", ("concentration",), False, lambda x, *a: np.full_like(x, np.nan), lambda factor, *a: a, {}),
        Kind(
            "Decov",
            ("concentration", "shape", "scale"),
            True,
            lambda x, *arguments: np.full_like(x, np.nan),
            lambda factor, *arguments: arguments,
            {},
        ),
    )
}


JOINT = {"LKJ", "Decov", "Dirichlet"}  # of several parameters at a time
