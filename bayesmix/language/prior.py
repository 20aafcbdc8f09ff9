"""Priors as data: records that read from text, print as text, and know their density."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from bayesmix.errors import SpecError, nearest

Array = np.ndarray


@dataclass(frozen=True, slots=True)
class Kind:
    """A distribution: names of its arguments, support, log density, and how it changes when its variable is scaled."""

    name: str
    arguments: tuple[str, ...]
    positive: bool  # support is the positive half-line
    log_density: Callable[..., Array]  # (x, *arguments)
    rescaled: Callable[..., tuple[float, ...]]  # (factor, *arguments) -> arguments of factor * X
    aliases: Mapping[str, str]  # other spellings of arguments


@dataclass(frozen=True, slots=True)
class Prior:
    """A distribution with its numbers; ``str(prior)`` reads back to the same record."""

    kind: str
    arguments: tuple[float, ...] = ()

    def __str__(self) -> str:
        return f"{self.kind}({', '.join(f'{argument:.15g}' for argument in self.arguments)})"

    @property
    def is_flat(self) -> bool:
        """Whether the density is constant (improper)."""
        return self.kind in {"Flat", "HalfFlat"}

    @property
    def is_positive(self) -> bool:
        """Whether the support is the positive half-line."""
        return KINDS[self.kind].positive

    def log_density(self, x: Array) -> Array:
        """Log density at ``x``, elementwise; improper priors count as zero. Values off the support give -inf."""
        with np.errstate(divide="ignore", invalid="ignore"):
            value = np.asarray(KINDS[self.kind].log_density(np.asarray(x, float), *self.arguments))
        return np.where(x < 0.0, -np.inf, value) if self.is_positive else value

    def rescaled(self, factor: float) -> Prior:
        """The distribution of ``factor * X``: the same prior for a parameter counted in other units."""
        return Prior(self.kind, KINDS[self.kind].rescaled(factor, *self.arguments))


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


def _uniform(x: Array, lower: float, upper: float) -> Array:
    return np.where((x >= lower) & (x <= upper), -math.log(upper - lower), -np.inf)


def _location_scale(factor: float, mu: float, sigma: float) -> tuple[float, ...]:
    return factor * mu, abs(factor) * sigma


def _scale(factor: float, sigma: float) -> tuple[float, ...]:
    return (factor * sigma,)


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
        Kind("Flat", (), False, np.zeros_like, lambda factor: (), {}),
        Kind("HalfFlat", (), True, np.zeros_like, lambda factor: (), {}),
        Kind("LKJ", ("eta",), False, lambda x, eta: np.full_like(x, np.nan), lambda factor, eta: (eta,), {}),
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
JOINT = {"LKJ", "Decov"}  # of several parameters at a time: their densities are `log_lkj` and `log_decov`
_NAMES = {
    **{name.lower(): name for name in KINDS},
    "normal": "Normal",
    "student_t": "StudentT",
    "half_normal": "HalfNormal",
    "half_student_t": "HalfStudentT",
    "half_cauchy": "HalfCauchy",
    "inv_gamma": "InverseGamma",
    "lkjcorr": "LKJ",
    "lkj_corr": "LKJ",
}
_TEXT = re.compile(r"^\s*([A-Za-z_][A-Za-z_0-9]*)\s*(?:\((.*)\))?\s*$", re.DOTALL)
_POSITIVE_ARGUMENTS = {"sigma", "nu", "rate", "alpha", "beta", "b", "eta", "concentration", "shape", "scale"}


def to_prior(value: Any) -> Prior:
    """Read a prior: a `Prior`, text such as ``"HalfNormal(2)"``, or a ``bambi.Prior``."""
    if isinstance(value, Prior):
        return value
    if isinstance(value, str):
        return parse_prior(value)
    if hasattr(value, "name") and hasattr(value, "args"):  # bambi.Prior, without importing bambi
        return _make(str(value.name), [], dict(value.args), f"{value.name}(...)")
    raise SpecError(f'A prior is text such as "Normal(0, 2.5)", a Prior or a bambi.Prior, not {value!r}.')


def parse_prior(text: str) -> Prior:
    """Read ``"Normal(0, 2.5)"``, ``"Normal(mu=0, sigma=2.5)"``, ``"Exponential(mean=2)"``, ``"LKJ(2)"``, ``"Flat"``."""
    match = _TEXT.match(text)
    if match is None:
        raise SpecError(f'Prior `{text}` cannot be read. Write a name and numbers, for example "HalfNormal(2)".')
    positional: list[float] = []
    named: dict[str, Any] = {}
    for part in (match.group(2) or "").split(","):
        if not part.strip():
            continue
        key, sign, number = part.rpartition("=")
        if sign:
            named[key.strip()] = _number(number, text)
        else:
            positional.append(_number(number, text))
    return _make(match.group(1), positional, named, text)


def _number(text: str, prior: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise SpecError(f"Prior `{prior}`: `{text.strip()}` is not a number.") from None


def _make(name: str, positional: list[float], named: dict[str, Any], text: str) -> Prior:
    key = _NAMES.get(name.lower())
    if key is None:
        raise SpecError(f"Prior `{name}` does not exist.{nearest(name, KINDS)} Priors: {', '.join(KINDS)}.")
    kind = KINDS[key]
    if key == "Exponential" and set(named) & {"mean", "scale"} and not positional:
        named = {"rate": 1.0 / float(next(iter(named.values())))}
    if len(positional) > len(kind.arguments):
        raise SpecError(f"Prior `{text}`: {key} takes {', '.join(kind.arguments) or 'no numbers'}.")
    values: dict[str, Any] = dict(zip(kind.arguments, positional, strict=False))
    for argument, value in named.items():
        name_ = argument if argument in kind.arguments else kind.aliases.get(argument, argument)
        if name_ in values:
            raise SpecError(f"Prior `{text}`: `{name_}` is given twice.")
        values[name_] = value
    if set(values) != set(kind.arguments):
        example = ", ".join(kind.arguments)
        raise SpecError(f"Prior `{text}`: {key} takes {example or 'no numbers'}; write {key}({example}).")
    arguments = tuple(_checked(argument, values[argument], text) for argument in kind.arguments)
    if key == "Uniform" and not arguments[0] < arguments[1]:
        raise SpecError(f"Prior `{text}`: the lower bound must be below the upper one.")
    return Prior(key, arguments)


def _checked(argument: str, value: Any, text: str) -> float:
    array = np.asarray(value, float)
    if array.size != 1 or not np.isfinite(array).all():
        raise SpecError(f"Prior `{text}`: `{argument}` must be one finite number, not {value!r}.")
    number = float(array.reshape(()))
    if argument in _POSITIVE_ARGUMENTS and number <= 0.0:
        raise SpecError(f"Prior `{text}`: `{argument}` must be positive, not {number:g}.")
    return number


def log_lkj(correlation: Array, eta: float) -> Array:
    """Log density of LKJ(eta) at correlation matrices ``(..., k, k)``, normalised (Lewandowski et al. 2009, eq. 16)."""
    k = correlation.shape[-1]
    _, log_det = np.linalg.slogdet(correlation)
    return (eta - 1.0) * log_det + log_lkj_constant(k, eta)


def log_lkj_constant(k: int, eta: float) -> float:
    """Log of the normalising constant of the LKJ density of ``(k, k)`` matrices."""
    total = 0.0
    for i in range(1, k):
        alpha = eta + 0.5 * (k - 1 - i)
        log_beta = 2.0 * math.lgamma(alpha) - math.lgamma(2.0 * alpha)
        total -= (k - i) * ((2.0 * alpha - 1.0) * math.log(2.0) + log_beta)
    return total


def log_decov(sd: Any, unit: Any, concentration: float, shape: float, scale: float, *, xp: Any = np) -> Any:
    """Log density of rstanarm's prior of the standard deviations of one term, at ``sd (..., k)``: ``(...,)``.

    They are ``sd_j = unit tau sqrt(k pi_j)`` with ``tau ~ Gamma(shape, 1 / scale)``, shares of the total variance
    ``pi ~ Dirichlet(concentration, ...)``, and the dispersion parameter as ``unit (...,)``, 1 where there is none.

    Parameters
    ----------
    xp : NumPy, or PyTensor's ``tensor`` module for its symbols, of static shape.

    Notes
    -----
    With ``r = tau sqrt(k)`` the length of ``v = sd / unit``, ``dv = r^(k-1) dr 2^(1-k) prod(pi_j^(-1/2)) dpi``.
    """
    k = int(sd.shape[-1] if xp is np else sd.type.shape[-1])
    log_v = xp.log(sd) - xp.log(unit)[..., None]
    top = log_v.max(axis=-1)
    log_r = top + 0.5 * xp.log(xp.exp(2.0 * (log_v - top[..., None])).sum(axis=-1))
    log_tau = log_r - 0.5 * math.log(k)
    of_tau = (shape - 1.0) * log_tau - xp.exp(log_tau) / scale - shape * math.log(scale) - math.lgamma(shape)
    of_pi = (2.0 * concentration - 1.0) * (log_v - log_r[..., None]).sum(axis=-1)
    constant = math.lgamma(k * concentration) - k * math.lgamma(concentration) + (k - 1) * math.log(2.0)
    return of_tau + of_pi + constant - 0.5 * math.log(k) - (k - 1) * log_r - k * xp.log(unit)
