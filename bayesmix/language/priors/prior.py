"""Priors as data: records that read from text, print as text, and know their density."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import numpy as np

from bayesmix.arrays import Array
from bayesmix.errors import SpecError, nearest
from bayesmix.language.priors.distributions import KINDS


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
    "dirichlet": "Dirichlet",
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
        raise SpecError(f'Prior `{text[:200]}` cannot be read. Write a name and numbers, for example "HalfNormal(2)".')
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
    if match.group(1).lower() == "dirichlet" and len(positional) > 1:  # one number a share
        return Prior("Dirichlet", tuple(_checked("concentration", value, text) for value in positional))
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
