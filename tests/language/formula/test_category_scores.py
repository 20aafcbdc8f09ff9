"""Formulas of the scores of single categories, against the likelihood as it is written, by SciPy."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import optimize, special

import bayesmix as bmx

LEVELS = ["red", "green", "blue"]


@pytest.fixture(scope="module")
def counts() -> pd.DataFrame:
    rng = np.random.default_rng(1)
    x, z = rng.normal(size=(2, 60))
    shares = special.softmax(np.c_[0.0 * x, 0.5 * x - 0.2, 0.3 - 0.6 * z], axis=1)
    drawn = np.array([rng.multinomial(8, one) for one in shares])
    return pd.DataFrame(drawn, columns=LEVELS).assign(x=x, z=z, g=np.repeat([f"g{k}" for k in range(6)], 10))


@pytest.fixture(scope="module")
def rows(counts) -> pd.DataFrame:
    long = counts.melt(id_vars=["x", "z", "g"], var_name="colour", value_name="n").query("n > 0")
    return long.assign(colour=pd.Categorical(long.colour, LEVELS))


def best(counts: pd.DataFrame) -> np.ndarray:
    """Of a score of green by x, and of blue by z."""
    y, x, z = (counts[name].to_numpy() for name in (LEVELS, "x", "z"))

    def loss(b: np.ndarray) -> float:
        scores = np.c_[0.0 * x, b[0] + b[1] * x, b[2] + b[3] * z]
        return -float(np.sum(y * special.log_softmax(scores, axis=1)))

    return optimize.minimize(loss, np.zeros(4), method="BFGS", options={"gtol": 1e-7}).x


@pytest.mark.parametrize(
    "formulas",
    [["{} ~ x", "mublue ~ z"], ["{} ~ z", "mugreen ~ x"], ["{} ~ 1", "mugreen ~ x", "mublue ~ z"]],
    ids=["others keep that of the response", "the first has its own", "all have"],
)
def test_each_category_has_its_own_predictors(counts, rows, formulas):
    expected = best(counts)
    for data, left, family in (
        (counts, "cbind(red, green, blue)", "multinomial"),
        (rows, "colour | weights(n)", "categorical"),
    ):
        model = bmx.Model([one.format(left) for one in formulas], data, family=family)
        fit = model.estimate()
        assert list(fit.fixef().index) == ["mugreen_Intercept", "mugreen_x", "mublue_Intercept", "mublue_z"]
        np.testing.assert_allclose(fit.fixef()["estimate"], expected, atol=2e-5)
        again = bmx.Model(fit.spec.text, data, family=family)
        assert again.spec.text == fit.spec.text
        pd.testing.assert_frame_equal(again.estimate().fixef(), fit.fixef())


def test_all_scores_take_a_formula_of_mu(counts):
    one = bmx.Model(["cbind(red, green, blue) ~ 1", "mu ~ x"], counts, family="multinomial").estimate()
    other = bmx.Model("cbind(red, green, blue) ~ x", counts, family="multinomial").estimate()
    pd.testing.assert_frame_equal(one.fixef(), other.fixef())


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("mured", "`red` is the reference, whose score is zero. Scores are `mublue ~ ...`, `mugreen ~ ...`."),
        ("mupink", "`colour` has no category `pink`"),
        ("mu2", "`colour` has no category `2`"),
    ],
)
def test_formulas_of_no_score_are_refused(rows, name, why):
    """`mu2` was the name of the first score before the data were read, and took the place of the response's formula."""
    with pytest.raises(bmx.SpecError, match="is of the score of a category, and") as error:
        bmx.Model(["colour | weights(n) ~ 1", f"{name} ~ x"], rows, family="categorical")
    assert why in str(error.value)


def test_categories_called_by_numbers_have_formulas(rows):
    data = rows.assign(colour=(rows.colour.cat.codes + 1).astype(str))
    named = bmx.Model(["colour | weights(n) ~ x", "mublue ~ z"], rows, family="categorical").estimate()
    fit = bmx.Model(["colour | weights(n) ~ x", "mu3 ~ z"], data, family="categorical").estimate()
    assert list(fit.fixef().index) == ["mu2_Intercept", "mu2_x", "mu3_Intercept", "mu3_z"]
    np.testing.assert_allclose(fit.fixef()["estimate"], named.fixef()["estimate"], rtol=1e-10)


@pytest.mark.slow
def test_posteriors_and_what_follows_from_them(counts, tmp_path):
    model = bmx.Model(
        ["cbind(red, green, blue) ~ x + (1 | g)", "mublue ~ z"],
        counts,
        family="multinomial",
        priors={"mugreen_x": "Normal(0, 1)", "mublue_z": "Normal(0, 1)"},
    )
    post = model.sample(seed=1, draws=400, progress=False)
    assert post.method == "marginal"
    np.testing.assert_allclose(post.fixef()["mean"], best(counts), atol=0.12)
    new = counts.loc[:2, ["x", "z", "g"]].assign(g="elsewhere", n=8)
    table = post.predict(new, groups="average")
    np.testing.assert_allclose(table["mean"].groupby(level=0).sum(), 1.0, rtol=1e-9)
    assert post.slopes("x")["p_direction"].iloc[1] > 0.99
    post.save(tmp_path / "fit")
    assert str(bmx.load(tmp_path / "fit").summary()) == str(post.summary())
    assert "mublue ~ z" in model.code("brms")
