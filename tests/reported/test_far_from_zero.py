"""A3: a slope on a number far from zero is the slope on that number less another, in every answer."""

from __future__ import annotations

from functools import cache

import pandas as pd
import pytest

import bayesmix as bmx

pytestmark = pytest.mark.slow
EXACT = 1e-5  # of means of draws: the draws are the same up to rounding at 2 000 years
SHIFTED: dict[str, tuple[str, float]] = {  # the predictor, and what a unit of it is in days
    "A3 yr": ("yr", 365.25),
    "A3 I(yr - 2000)": ("I(yr - 2000)", 365.25),
    "P B, Days + 10": ("I(Days + 10)", 1.0),
    "P B, Days + 50": ("I(Days + 50)", 1.0),
    "P B, Days + 100": ("I(Days + 100)", 1.0),
    "P B, Days + 400": ("I(Days + 400)", 1.0),
}


def data() -> pd.DataFrame:
    return bmx.load_dataset("sleepstudy").assign(yr=lambda frame: 2000 + frame["Days"] / 365.25)


@cache
def model(x: str) -> bmx.Model:
    return bmx.Model(f"Reaction ~ {x} + ({x} | Subject)", data())


@cache
def posterior(x: str) -> bmx.Posterior:
    return model(x).sample(draws=400, seed=1, progress=False)


@pytest.mark.parametrize("case", SHIFTED)
def test_slopes_and_noise_are_those_of_days(case: str) -> None:
    """An sd of 0.016 in place of 2244, and a sigma of 31.2 in place of 25.8."""
    x, unit = SHIFTED[case]
    here, days = (posterior(one).parameters()["mean"] for one in (x, "Days"))
    assert posterior(x).converged
    for name, size in ((f"sd(Subject, {x})", unit), (x, unit), ("sigma", 1.0)):
        assert here[name] == pytest.approx(days[name.replace(x, "Days")] * size, rel=EXACT)
    reml, plain = (model(one).estimate().parameters()["estimate"] for one in (x, "Days"))
    assert reml[f"sd(Subject, {x})"] == pytest.approx(plain["sd(Subject, Days)"] * unit, rel=EXACT)
    assert days["sd(Subject, Days)"] == pytest.approx(plain["sd(Subject, Days)"], rel=0.1)


@pytest.mark.rotating
def test_both_answers_are_compared() -> None:
    """It was a LinAlgError: Eigenvalues did not converge."""
    found = bmx.compare(posterior("yr"), model("yr").estimate())
    expected = bmx.compare(posterior("Days"), model("Days").estimate())
    assert found.steps.loc["sigma"].tolist() == pytest.approx(expected.steps.loc["sigma"].tolist(), abs=1e-3)


def test_a_preset_at_zero_is_sampled_and_named() -> None:
    """Not done after 150 seconds. The prior is the user's, and rules the posterior: that is said."""
    there = bmx.Model("Reaction ~ yr + (yr | Subject)", data(), priors="brms")
    with pytest.warns(bmx.PriorWarning, match=r"(?s)is stated where predictors are zero.*centre the predictor"):
        post = there.sample(draws=400, seed=1, progress=False)
    assert post.converged
