"""The log-gamma function less the leading terms of Stirling's formula: sums of large values without their rounding."""

from __future__ import annotations

from typing import Any

from bayesmix.language.families.gamma_function import STIRLING, stirling
from bayesmix.language.families.namespaces import Namespace

HALF_LOG_2PI = 0.918938533204672741780329736406


def remainder(xp: Namespace, x: Any) -> Any:
    """What ``log Gamma(x)`` is more than ``(x - 1/2) log x - x + log(2 pi) / 2``."""
    small = xp.minimum(x, STIRLING)
    direct = xp.gammaln(small) - (small - 0.5) * xp.log(small) + small - HALF_LOG_2PI
    return xp.where(x < STIRLING, direct, stirling(xp.maximum(x, STIRLING))[0])
