"""Models with several linear predictors on one data frame: specification and design, and the priors in force."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from bayesmix.data.design.build import build
from bayesmix.data.design.design import Design
from bayesmix.data.design.layout import parts_of
from bayesmix.inference.parameters.priors_in_force import Priors, resolve
from bayesmix.language.formula.model_spec import ModelSpec, make_spec

N = 36
RNG = np.random.default_rng(17)
DATA = pd.DataFrame(
    {
        "x": RNG.normal(50.0, 4.0, N),
        "w": RNG.normal(-1.0, 0.1, N),
        "f": ["a", "b", "c"] * 12,
        "g": [f"g{j % 6}" for j in range(N)],
        "h": [f"h{j % 4}" for j in range(N)],
        "y": RNG.normal(300.0, 20.0, N),
        "v": RNG.normal(-2.0, 0.5, N),
        "count": RNG.poisson(4.0, N).astype(float),
        "positive": RNG.gamma(3.0, 2.0, N),
        "s": RNG.integers(0, 4, N).astype(float),
        "t": RNG.integers(1, 5, N).astype(float),
        "off": RNG.normal(2.0, 1.0, N),
    }
)


def made(
    formulas: Any, family: Any = "gaussian", priors: Any = None, data: Any = DATA, *, rescor: bool = False
) -> tuple[ModelSpec, Design]:
    """Specification and design."""
    spec = make_spec(formulas, family, None, priors, rescor=rescor)
    return spec, build(parts_of(spec), data)


def priors_of(
    formulas: Any, family: Any = "gaussian", priors: Any = None, data: Any = DATA, *, rescor: bool = False
) -> Priors:
    """The priors in force."""
    return resolve(*made(formulas, family, priors, data, rescor=rescor))
