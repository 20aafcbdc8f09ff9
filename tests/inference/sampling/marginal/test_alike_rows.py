"""Rows with equal predictors are computed together: sums of log densities are those of SciPy, row by row."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import stats

import bayesmix as bmx
from bayesmix.inference.parameters.likelihood import likelihood_of
from bayesmix.inference.sampling.marginal.alike_rows import alike_rows

N, LEVELS = 240, 12


def data(largest: float) -> dict[str, Any]:
    rng = np.random.default_rng(3)
    g = np.arange(N) % LEVELS
    mean = rng.gamma(1.0, largest / 5.0, N)
    return {
        "y": rng.poisson(mean),
        "g": g,
        "of_levels": g % 2,
        "across": np.arange(N) // 60,
        "x": rng.integers(0, 2, N),
        "w": rng.integers(1, 3, N) / 2.0,
        "own": rng.normal(size=N),
    }


MODELS = {
    "shape with effects": ["y ~ x + (1 | g)", "shape ~ of_levels + (1 | g)"],
    "shape across levels": ["y ~ x + (1 | g)", "shape ~ across"],
    "slopes of both": ["y ~ x + (x | g)", "shape ~ x + (x | g)"],
    "weights": ["y | weights(w) ~ x + (1 | g)", "shape ~ x"],
    "offsets": ["y ~ across + offset(0.3 * x) + (1 | g)", "shape ~ offset(0.1 * of_levels)"],
}


@pytest.mark.parametrize("largest", [10.0, 1000.0])
@pytest.mark.parametrize("name", MODELS)
def test_sums_are_those_of_all_rows(name, largest):
    """Of effects with a draw axis more than fixed effects have, of sizes where shapes are next to none and endless."""
    model = bmx.Model(MODELS[name], data(largest), family="negbinomial")
    design, rng = model.design, np.random.default_rng(7)
    levels = design.terms[0].codes[: design.n]
    found = alike_rows(design, likelihood_of(design, model.spec), levels)
    assert found is not None
    assert len(found.first) <= 0.5 * design.n
    b = rng.normal(size=(3, LEVELS, design.terms[0].z.shape[1]))
    rest = design.X @ rng.normal(size=design.X.shape[1]) + design.offset
    rest[design.n :] *= 4.0
    moved = np.einsum("...ne,ne->...n", b[:, design.terms[0].codes], design.terms[0].z)
    eta, shape = (moved + rest).reshape(3, 2, -1).swapaxes(0, 1)
    own = [eta[:, found.first], shape[:, found.first] if moved[:, design.n :].any() else shape[0, found.first]]
    size = np.exp(shape)
    rows = stats.nbinom.logpmf(design.y, size, size / (size + np.exp(eta))) * design.outcomes[0].weights
    dense = np.stack([rows[:, levels == level].sum(axis=1) for level in range(LEVELS)], axis=1)
    np.testing.assert_allclose(found.sums_of(own), dense, rtol=1e-9)


@pytest.mark.parametrize(
    ("formula", "family", "link"),
    [
        (["y ~ own + (1 | g)", "shape ~ x"], "negbinomial", None),  # no rows are alike
        (["y ~ x + (1 | g)", "shape ~ x"], "negbinomial", "sqrt"),  # no kernel in two parts
        (["y ~ x + (1 | g)", "sigma ~ x"], "gaussian", None),
        (["y ~ x + (1 | g)", "zi ~ x"], "zero_inflated_negbinomial", None),
        ("y ~ x + (1 | g)", "negbinomial", None),  # one predictor
    ],
)
def test_other_rows_stay_by_themselves(formula, family, link):
    model = bmx.Model(formula, data(10.0), family=family, link=link)
    levels = model.design.terms[0].codes[: model.design.n]
    assert alike_rows(model.design, likelihood_of(model.design, model.spec), levels) is None
