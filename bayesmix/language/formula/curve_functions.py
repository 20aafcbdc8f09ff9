"""Functions of nonlinear formulas, on an array namespace: R's, brms's, and the curves that R calls self-starting."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import log
from typing import Any

from bayesmix.language.families.namespaces import Namespace

QUARTER = 1.5707963267948966  # of a turn


@dataclass(frozen=True, slots=True)
class Function:
    """A function of numbers."""

    arguments: tuple[str, ...]  # by R's names
    value: Callable[..., Any]  # of a namespace and the arguments


def power(xp: Namespace, x: Any, exponent: Any) -> Any:
    """``x`` to a power; of zero to a power that is a parameter, zero: such powers are positive."""
    if isinstance(exponent, float):
        return x**exponent
    is_zero = (x < 1e-300) & (x > -1e-300)
    return xp.where(is_zero, 0.0 * x, xp.exp(exponent * xp.log(xp.where(is_zero, 1.0 + 0.0 * x, x))))


def step(xp: Namespace, x: Any) -> Any:
    """One where a number is not negative, else zero."""
    return xp.where(x < 0.0, 0.0 * x, 1.0 + 0.0 * x)


def tanh(xp: Namespace, x: Any) -> Any:
    """The hyperbolic tangent, a logistic curve."""
    return 2.0 * xp.expit(2.0 * x) - 1.0


def cos(xp: Namespace, x: Any) -> Any:
    """The sine a quarter of a turn later."""
    return xp.sin(x + QUARTER)


def _logit(xp: Namespace, x: Any) -> Any:
    return xp.log(x) - xp.log1p(-x)


def _one(function: Callable[[Namespace, Any], Any]) -> Function:
    return Function(("x",), function)


# ---- curves by R's names (package stats), `input` first, that of `SSfol` after the dose -----------------------------


def _asymptotic(xp: Namespace, x: Any, asym: Any, start: Any, log_rate: Any) -> Any:
    return asym + (start - asym) * xp.exp(-xp.exp(log_rate) * x)


def _with_offset(xp: Namespace, x: Any, asym: Any, log_rate: Any, origin: Any) -> Any:
    return asym * (1.0 - xp.exp(-xp.exp(log_rate) * (x - origin)))


def _biexponential(xp: Namespace, x: Any, first: Any, first_rate: Any, second: Any, second_rate: Any) -> Any:
    return first * xp.exp(-xp.exp(first_rate) * x) + second * xp.exp(-xp.exp(second_rate) * x)


def _first_order(xp: Namespace, dose: Any, x: Any, elimination: Any, absorption: Any, clearance: Any) -> Any:
    out, into = xp.exp(elimination), xp.exp(absorption)
    size = dose * xp.exp(elimination + absorption - clearance) / (into - out)
    return size * (xp.exp(-out * x) - xp.exp(-into * x))


def _logistic(xp: Namespace, x: Any, asym: Any, middle: Any, scale: Any) -> Any:
    return asym * xp.expit((x - middle) / scale)


def _four_parameters(xp: Namespace, x: Any, low: Any, high: Any, middle: Any, scale: Any) -> Any:
    return low + (high - low) * xp.expit((x - middle) / scale)


def _gompertz(xp: Namespace, x: Any, asym: Any, b2: Any, b3: Any) -> Any:
    return asym * xp.exp(-b2 * power(xp, b3, x))


def _weibull(xp: Namespace, x: Any, asym: Any, drop: Any, log_rate: Any, exponent: Any) -> Any:
    return asym - drop * xp.exp(-xp.exp(log_rate) * power(xp, x, exponent))


FUNCTIONS: dict[str, Function] = {
    "exp": _one(lambda xp, x: xp.exp(x)),
    "log": _one(lambda xp, x: xp.log(x)),
    "log10": _one(lambda xp, x: xp.log(x) / log(10.0)),
    "log2": _one(lambda xp, x: xp.log(x) / log(2.0)),
    "log1p": _one(lambda xp, x: xp.log1p(x)),
    "expm1": _one(lambda xp, x: xp.exp(x) - 1.0),
    "sqrt": _one(lambda xp, x: xp.sqrt(x)),
    "square": _one(lambda xp, x: x * x),
    "abs": _one(lambda xp, x: xp.where(x < 0.0, -x, x)),
    "pow": Function(("x", "y"), power),
    "step": _one(step),
    "inv_logit": _one(lambda xp, x: xp.expit(x)),
    "plogis": _one(lambda xp, x: xp.expit(x)),
    "logit": _one(_logit),
    "qlogis": _one(_logit),
    "Phi": _one(lambda xp, x: xp.ndtr(x)),
    "pnorm": _one(lambda xp, x: xp.ndtr(x)),
    "inv_cloglog": _one(lambda xp, x: xp.cloglog(x)),
    "sin": _one(lambda xp, x: xp.sin(x)),
    "cos": _one(cos),
    "tan": _one(lambda xp, x: xp.sin(x) / cos(xp, x)),
    "atan": _one(lambda xp, x: xp.arctan(x)),
    "tanh": _one(tanh),
    "I": _one(lambda xp, x: x),
    "SSasymp": Function(("input", "Asym", "R0", "lrc"), _asymptotic),
    "SSasympOff": Function(("input", "Asym", "lrc", "c0"), _with_offset),
    "SSasympOrig": Function(("input", "Asym", "lrc"), lambda xp, x, a, rate: _with_offset(xp, x, a, rate, 0.0)),
    "SSbiexp": Function(("input", "A1", "lrc1", "A2", "lrc2"), _biexponential),
    "SSfol": Function(("Dose", "input", "lKe", "lKa", "lCl"), _first_order),
    "SSfpl": Function(("input", "A", "B", "xmid", "scal"), _four_parameters),
    "SSgompertz": Function(("x", "Asym", "b2", "b3"), _gompertz),
    "SSlogis": Function(("input", "Asym", "xmid", "scal"), _logistic),
    "SSmicmen": Function(("input", "Vm", "K"), lambda xp, x, most, half: most * x / (half + x)),
    "SSweibull": Function(("x", "Asym", "Drop", "lrc", "pwr"), _weibull),
}
