"""The deviance with a parameter held: the parameter is what it is held at, the gradient is that of differences."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import bayesmix as bmx
from bayesmix.inference.estimation.held_coordinate import HeldDispersion, HeldSd
from bayesmix.inference.estimation.held_deviance import HeldDeviances

MODELS = {
    "unstructured": ("Reaction ~ Days + (Days | Subject)", "sleepstudy", {}),
    "diagonal, two factors": ("strength ~ 1 + (1 | batch/cask)", "Pastes", {}),
    "three effects": ("angle ~ recipe + temp + (0 + recipe | replicate)", "cake", {}),
    "compound symmetry": ("angle ~ recipe + temp + cs(0 + recipe | replicate)", "cake", {}),
    "autoregression": ("angle ~ recipe + temp + ar1(0 + recipe | replicate)", "cake", {}),
    "laplace": ("cbind(incidence, size - incidence) ~ period + (1 | herd)", "cbpp", {"family": "binomial"}),
    "shape": ("y ~ x + z + (x | g)", "nbsim", {"family": "negbinomial"}),
}


@pytest.mark.parametrize("case", MODELS)
def test_the_gradient_is_that_of_differences(case: str) -> None:
    formula, data, options = MODELS[case]
    fit = bmx.Model(formula, bmx.load_dataset(data), **options).estimate("auto" if options else "ml")
    deviances = HeldDeviances(fit.design, fit.spec, fit.point)
    rng = np.random.default_rng(1)
    for name, estimate in fit.parameters()["estimate"].items():
        deviance = deviances.of(str(name))
        c = deviance.held.centre
        assert deviance(c, deviance.start)[0] == pytest.approx(fit.criterion, abs=1e-6)
        assert deviance.held.value(c) == pytest.approx(estimate, rel=1e-6, abs=1e-9)
        assert deviance.held.coordinate(deviance.held.value(c)) == pytest.approx(c)
        c, z = c + 0.1, deviance.start + 0.05 * rng.normal(size=len(deviance.start))
        _, by_c, by_z = deviance(c, z)
        h = 1e-5
        assert by_c == pytest.approx((deviance(c + h, z)[0] - deviance(c - h, z)[0]) / (2 * h), rel=1e-4, abs=1e-4)
        for i in range(len(z)):
            step = h * np.eye(len(z))[i]
            slope = (deviance(c, z + step)[0] - deviance(c, z - step)[0]) / (2 * h)
            assert by_z[i] == pytest.approx(slope, rel=1e-4, abs=1e-4), (name, i)


@pytest.mark.parametrize("case", MODELS)
def test_covariances_have_what_is_held(case: str) -> None:
    """Wherever the free numbers are, the covariances of the roots have the held standard deviation or correlation."""
    formula, data, options = MODELS[case]
    fit = bmx.Model(formula, bmx.load_dataset(data), **options).estimate("auto" if options else "ml")
    deviances = HeldDeviances(fit.design, fit.spec, fit.point)
    for name in fit.names[len(fit.design.fixed) :]:
        deviance = deviances.of(name)
        if isinstance(deviance.held, HeldDispersion):
            continue
        low, high = deviance.held.ends
        for c in (max(low, -1.0), 0.3, min(high, 1.5)):
            covariances = covariances_at(deviance, c, np.random.default_rng(2), fit.point.coordinates.C)
            assert named(fit, covariances)[name] == pytest.approx(deviance.held.value(c), abs=1e-9)


def covariances_at(deviance: Any, c: float, rng: np.random.Generator, changes: Any) -> list[np.ndarray]:
    z = deviance.start + 0.3 * rng.normal(size=len(deviance.start))
    at = deviance.held.value(c) if isinstance(deviance.held, HeldSd) else c
    roots = [C @ factor for C, factor in zip(changes, deviance.factors(z, at), strict=True)]
    return [root @ root.T for root in roots]


def named(fit: bmx.Estimate, covariances: list[np.ndarray]) -> dict[str, float]:
    """Standard deviations and correlations by name."""
    from dataclasses import replace

    point = replace(fit.point, covariances=tuple(covariances))
    return dict(type(fit)(fit.fitted_model, point).parameters()["estimate"])
