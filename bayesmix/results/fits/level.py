"""Levels of intervals: what may be asked for."""

from __future__ import annotations

import math
from numbers import Real

from bayesmix.errors import SpecError


def check_level(value: object, name: str = "interval") -> None:
    """Refuse what is not a probability strictly between 0 and 1.

    Parameters
    ----------
    name : of the argument, for the message.

    Raises
    ------
    SpecError
        For numbers outside, NaN, and what is not a number.
    """
    number = float(value) if isinstance(value, Real) else math.nan
    if 0.0 < number < 1.0:
        return
    percent = f" For {number:g} % write {name}={number / 100.0:g}." if 1.0 < number < 100.0 else ""
    found = f"{number:g}" if isinstance(value, Real) else repr(value)
    raise SpecError(f"{name} is a probability between 0 and 1, such as 0.95, not {found}.{percent}")
