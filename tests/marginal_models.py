"""Linear models of every layout and prior that the marginal sampler tells apart, and points of their posteriors."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pandas as pd

import bayesmix as bmx
from bayesmix.data.design.design import Design
from bayesmix.inference.estimation.estimate import estimate
from bayesmix.inference.estimation.methods import Reml
from bayesmix.inference.estimation.point_estimate import PointEstimate
from bayesmix.inference.parameters.centring import at_means
from bayesmix.inference.sampling.marginal.marginal_posterior import MarginalPosterior, marginal_posterior


@cache
def stated(model: bmx.Model) -> Design:
    """The design where the priors are stated: what the sampler works on."""
    return at_means(model.design, model.priors.changes)


@cache
def point_of(model: bmx.Model) -> PointEstimate:
    return estimate(stated(model), model.spec, Reml())


@cache
def target_of(model: bmx.Model) -> MarginalPosterior:
    return marginal_posterior(stated(model), model.priors, point_of(model))


def simulated(seed: int = 3, n: int = 40) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    groups = {"g": [f"g{i % 5}" for i in range(n)], "h": [f"h{(i * 7) % 4}" for i in range(n)]}
    x, z = rng.normal(3.0, 2.0, n), rng.normal(size=n)
    y = 1.0 + 0.5 * x + rng.normal(size=n) + np.array([int(label[1]) for label in groups["g"]])
    groups["f"] = [f"f{i % 3}" for i in range(n)]
    groups["other"] = [f"g{(i * 3) // 2 % 5}" for i in range(n)]  # a second membership, now and then of the same level
    return {**groups, "x": x, "z": z, "y": y, "w": rng.uniform(0.5, 2.0, n), "off": rng.normal(size=n)}


RELATED = [f"g{i}" for i in range(6)]  # the last without rows
DISTANCE = np.abs(np.subtract.outer(np.arange(6), np.arange(6)))
RELATION = pd.DataFrame(1.3 * 0.7**DISTANCE + 0.1 * np.eye(6), RELATED, RELATED)
DESIGNS: dict[str, dict[str, Any]] = {
    "intercept": {"formula": "y ~ x + (1 | g)"},
    "correlated": {"formula": "y ~ x + (x | g)", "weights": "w"},
    "three effects": {"formula": "y ~ x + (x + z | g)"},
    "independent": {"formula": "y ~ x + (x || g)"},
    "crossed": {"formula": "y ~ x + offset(off) + (x | g) + (1 | h)"},
    "nested": {"formula": "y ~ 1 + (1 | g/h)"},
    "compound symmetry": {"formula": "y ~ x + cs(x + z | g)", "priors": {"corr(g)": "LKJ(1.5)"}},
    "homogeneous compound symmetry": {"formula": "y ~ x + cs(0 + f | g, hom = TRUE)"},
    "autoregression": {"formula": "y ~ x + ar1(0 + f | g) + (1 | h)", "priors": {"sd(g)": "HalfNormal(3)"}},
    "heterogeneous autoregression": {"formula": "y ~ x + ar1(0 + f | g, hom = FALSE)", "priors": {"corr": "LKJ(2)"}},
    "homogeneous diagonal": {"formula": "y ~ x + diag(x + z | g, hom = TRUE)"},
    "related": {"formula": "y ~ x + (x | gr(g, cov = A)) + (1 | h)", "data2": {"A": RELATION}},
    "memberships": {"formula": "y ~ x + (x | mm(g, other)) + (1 | h)"},
    "no intercept": {"formula": "y ~ 0 + x + (0 + x | g)"},
    "raw intercept prior": {"formula": "y ~ x + (1 | g)", "priors": {"Intercept": "Normal(1, 2)"}},
    "explored slope": {
        "formula": "y ~ x + z + (x | g)",
        "priors": {"x": "StudentT(4, 0, 1)", "sd(g)": "HalfNormal(2)", "sigma": "Gamma(2, 1)", "corr(g)": "LKJ(1)"},
    },
}


@cache
def model_of(name: str) -> bmx.Model:
    given = dict(DESIGNS[name])
    return bmx.Model(given.pop("formula"), simulated(), **given)


def points(target: MarginalPosterior, model: bmx.Model, n: int) -> np.ndarray:
    rng = np.random.default_rng(5)
    return target.start(point_of(model)) + 0.3 * rng.standard_normal((n, target.size))
