"""Scales of columns, of products and powers far from zero among them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import bayesmix as bmx
from bayesmix.inference.parameters.column_scales import at_factor_means, column_scale, scale_at_zero, scales_at_means

RNG = np.random.default_rng(20261130)
X, Z, W = RNG.normal(size=(3, 120))
F = (RNG.random(120) < 0.4) * 1.0
NAMES = ["x", "z", "w", "fb", "x:z", "x:w", "z:w", "x:z:w", "x:fb", "I(x^2)", "I(x^3)"]


def columns(shift):
    x, w = X + shift, W - 0.5 * shift
    return np.stack([x, Z, w, F, x * Z, x * w, Z * w, x * Z * w, x * F, x**2, x**3], axis=1)


def scales_at_zero(names, columns, counts=None):
    return [scale_at_zero(names, columns, j, counts) for j in range(len(names))]


@pytest.mark.parametrize("shift", [10.0, 1000.0])
def test_columns_at_the_means_of_factors_do_not_change_where_numbers_are_added(shift):
    plain, moved = (at @ np.linalg.inv(at_factor_means(NAMES, at)) for at in (columns(0.0) + 0.0, columns(shift)))
    scale = np.abs(columns(shift)).max()  # what rounding takes
    np.testing.assert_allclose(
        plain - plain.mean(axis=0), moved - moved.mean(axis=0), rtol=0, atol=1e-6 + 1e-14 * scale * shift
    )


def test_a_product_is_as_wide_as_that_of_centred_numbers():
    """By hand: ``(x - mean) z`` for the product, ``sd^2`` of ``b_z = g_z - mean(x) b_xz`` for its factor."""
    x, z = X + 2000.0, Z - Z.mean()
    found = scales_at_zero(["x", "z", "x:z"], np.stack([x, z, x * z], axis=1))
    product = np.std((x - x.mean()) * z, ddof=1)
    assert found[2] == pytest.approx(product, rel=1e-9)
    assert 1.0 / found[1] ** 2 == pytest.approx(1.0 / z.var(ddof=1) + (x.mean() / product) ** 2, rel=1e-9)
    assert found[0] == pytest.approx(x.std(ddof=1), rel=1e-9)


def test_a_power_is_as_wide_as_that_of_a_centred_number():
    x = X - X.mean() + 50.0
    found = scales_at_zero(["x", "I(x^2)"], np.stack([x, x**2], axis=1))
    curved = np.std(x**2 - 100.0 * x, ddof=1)  # (x - 50)^2
    assert found[1] == pytest.approx(curved, rel=1e-9)
    assert 1.0 / found[0] ** 2 == pytest.approx(1.0 / x.var(ddof=1) + (100.0 / curved) ** 2, rel=1e-9)


def test_other_columns_are_as_wide_as_they_are():
    """Without products; centred; of dummies, which have no mean that is moved; and what is only called a product."""
    x = X - X.mean()
    for names, one in (
        (["x", "w", "fb"], np.stack([X + 9.0, W, F], axis=1)),
        (["x", "z", "x:z"], np.stack([x, Z - Z.mean(), x * (Z - Z.mean())], axis=1)),
        (["fb", "gb", "fb:gb"], np.stack([F, F[::-1], F * F[::-1]], axis=1)),
        (["x", "z", "x:z"], np.stack([X + 9.0, Z, W], axis=1)),
    ):
        np.testing.assert_array_equal(at_factor_means(names, one), np.eye(3))
        assert scales_at_means(names, one) == scales_at_zero(names, one) == [column_scale(column) for column in one.T]


def test_rows_that_stand_for_many_count_as_often():
    one, counts = columns(5.0), RNG.integers(1, 4, 120)
    np.testing.assert_allclose(
        scales_at_zero(NAMES, one, counts), scales_at_zero(NAMES, np.repeat(one, counts, axis=0))
    )


def twin(shift, formula="y ~ x * z + (1 | g)"):
    rng = np.random.default_rng(1)
    g, e = rng.integers(0, 20, 120), rng.normal(size=120)
    y = 0.3 * X - 0.5 * Z + 0.46 * X * Z + 0.4 * X**2 + 0.7 * rng.normal(size=20)[g] + 0.6 * e
    data = pd.DataFrame({"y": y, "x": X + shift, "z": Z, "g": g.astype(str), "f": np.where(Z > 0.0, "a", "b")})
    return bmx.Model(formula, data).sample(draws=500, chains=2, seed=1, method="marginal", progress=False)


@pytest.mark.parametrize("fixed", ["0 + f + f:x", "f + f:x"])
@pytest.mark.parametrize("shift", [10.0, 1000.0])
def test_numbers_that_are_no_column_are_found_in_products_with_levels(fixed, shift):
    """By hand: columns ``X C^-1`` are dummies, and these times the centred number."""
    levels = np.array(["a", "b", "c"])[RNG.integers(0, 3, 120)]
    design = bmx.Model(f"y ~ {fixed}", {"y": Z, "x": X + shift, "f": levels}).design
    change = at_factor_means(design.fixed, design.X)
    moved = np.linalg.solve(change.T, design.X.T).T
    dummies = (levels[:, None] == ["a", "b", "c"]) * 1.0
    kept = dummies if fixed.startswith("0") else np.column_stack([np.ones(120), dummies[:, 1:]])
    expected = np.column_stack([kept, dummies * (X - X.mean())[:, None]])
    np.testing.assert_allclose(moved, expected, atol=1e-9)


def test_other_products_with_levels_are_left():
    """Without the levels themselves a number that is added to ``x`` makes another model; dummies have no mean."""
    levels, other = np.repeat(["a", "b"], 60), np.tile(["u", "v"], 60)
    for fixed in ("f:x", "0 + f:x", "0 + f + f:h"):
        design = bmx.Model(f"y ~ {fixed}", {"y": Z, "x": X + 9.0, "f": levels, "h": other}).design
        np.testing.assert_array_equal(at_factor_means(design.fixed, design.X), np.eye(len(design.fixed)))


@pytest.mark.slow
@pytest.mark.parametrize(
    "formula",
    [
        "y ~ x * z + (1 | g)",
        "y ~ x + I(x^2) + (1 | g)",
        "y ~ x * z + (1 | g); sigma ~ x * z",
        "y ~ 0 + f + f:x + (1 | g)",
        "y ~ f + f:x + (1 | g)",
    ],
)
@pytest.mark.parametrize("shift", [10.0, 1000.0])
def test_interactions_and_curves_are_those_of_centred_predictors(shift, formula):
    """At 1 000 sds the interaction was 0.001 with a standard deviation of 0.003, and called converged."""
    plain, moved = twin(0.0, formula), twin(shift, formula)
    assert moved.converged == plain.converged
    assert moved.draws.notes == ()
    assert moved.log_evidence[0] == pytest.approx(plain.log_evidence[0], abs=1e-6)
    first, second = plain.parameters()["mean"], moved.parameters()["mean"]
    same = [name for name in first.index if name.endswith((":x", "x:z", "I(x^2)", "sigma", "sd(g, Intercept)"))]
    assert len(same) >= 3
    np.testing.assert_allclose(second[same], first[same], rtol=1e-4)


def test_a_prior_is_stated_at_zero_where_it_is_given():
    data = {"y": X + Z, "x": X + 7.0, "z": Z + 3.0}
    priors, at_means = (bmx.Model("y ~ x * z", data, priors=own).priors for own in ({"z": "Normal(0, 1)"}, None))
    assert priors.names == ("Intercept(centred)", "x(centred)", "z", "x:z")
    np.testing.assert_array_equal(priors.contrast[2], [0.0, 0.0, 1.0, 0.0])
    assert at_means.contrast[2, 3] == pytest.approx(X.mean() + 7.0)
    assert f"y per z at x = {X.mean() + 7.0:.6g}" in " ".join(str(at_means).split())
    given = bmx.Model("y ~ x * z", data, priors={"z(centred)": "Normal(0, 1)"}).priors
    assert str(given.fixed[2]) == "Normal(0, 1)"
    with pytest.raises(bmx.SpecError, match="two priors for one coefficient"):
        _ = bmx.Model("y ~ x * z", data, priors={"z": "Flat", "z(centred)": "Flat"}).priors


@pytest.mark.parametrize("preset", ["flat", "brms", "rstanarm", "bambi"])
def test_presets_of_others_have_their_slopes_at_zero(preset):
    priors = bmx.Model("y ~ x * z", {"y": X + Z, "x": X + 7.0, "z": Z}, priors=preset).priors
    np.testing.assert_array_equal(priors.contrast[1:], np.eye(4)[1:])
