"""Names of standard deviations and correlations, and covariance matrices of both."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import bayesmix as bmx
from bayesmix.inference.parameters.names import corr_effects, corr_names, covariance, sd_effects, sd_names


def data() -> pd.DataFrame:
    rng = np.random.default_rng(1)
    return pd.DataFrame(
        {
            "y": rng.normal(size=72),
            "x": rng.normal(size=72),
            "z": rng.normal(size=72),
            "g": np.arange(72) % 6,
            "h": np.arange(72) % 4,
            "f": np.tile(list("abc"), 24),
        }
    )


@pytest.mark.parametrize(
    ("terms", "sds", "corrs"),
    [
        ("(1 | g)", [["sd(g, Intercept)"]], [[]]),
        ("(x || g)", [["sd(g, Intercept)"], ["sd(g, x)"]], [[], []]),
        (
            "(x + z | g)",
            [["sd(g, Intercept)", "sd(g, x)", "sd(g, z)"]],
            [["corr(g, Intercept, x)", "corr(g, Intercept, z)", "corr(g, x, z)"]],
        ),
        ("cs(x | g)", [["sd(g, Intercept)", "sd(g, x)"]], [["corr(g)"]]),
        ("ar1(0 + f | g)", [["sd(g)"]], [["corr(g)"]]),
        ("diag(x + z | g, hom = TRUE)", [["sd(g)"]], [[]]),
        ("cs(x | g) + (1 | h)", [["sd(g, Intercept)", "sd(g, x)"], ["sd(h, Intercept)"]], [["corr(g)"], []]),
        # two terms of one factor that would share a name: the second says that it is the second
        ("cs(x | g) + cs(0 + z + I(z^2) | g)", [["sd(g, Intercept)", "sd(g, x)"], ["sd(g, z)", "sd(g, I(z^2))"]],
         [["corr(g)"], ["corr(g.1)"]]),
        ("diag(x | g, hom = TRUE) + diag(0 + z + I(z^2) | g, hom = TRUE)", [["sd(g)"], ["sd(g.1)"]], [[], []]),
        ("(x | g) + cs(0 + z + I(z^2) | g)", [["sd(g, Intercept)", "sd(g, x)"], ["sd(g, z)", "sd(g, I(z^2))"]],
         [["corr(g, Intercept, x)"], ["corr(g)"]]),
    ],
)  # fmt: skip
def test_every_number_has_a_name_of_its_own(terms: str, sds: list[list[str]], corrs: list[list[str]]) -> None:
    design = bmx.Model(f"y ~ x + z + {terms}", data()).design
    assert sd_names(design.terms) == sds
    assert corr_names(design.terms) == corrs
    for term, sd, corr in zip(design.terms, sds, corrs, strict=True):
        assert (len(sd_effects(term)), len(corr_effects(term))) == (len(sd), len(corr))


def test_covariances_are_correlations_times_standard_deviations() -> None:
    sd = np.array([[2.0, 3.0], [0.0, 3.0]])
    corr = np.array([[[1.0, 0.5], [0.5, 1.0]], [[1.0, np.nan], [np.nan, 1.0]]])
    np.testing.assert_array_equal(covariance(sd, corr), [[[4.0, 3.0], [3.0, 9.0]], [[0.0, 0.0], [0.0, 9.0]]])
