"""The minima of the deviance with a parameter held: saddles are left, the lowest is found, the work is bounded."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

import bayesmix as bmx
from bayesmix.inference.estimation import profile, profile_curve
from bayesmix.inference.estimation.held_deviance import GeneralizedDeviance, HeldDeviances, LinearDeviance
from bayesmix.inference.estimation.profile_curve import Curve


def curve_of(fit: bmx.Estimate, name: str) -> Curve:
    deviances = HeldDeviances(fit.design, fit.spec, fit.point)
    return Curve(deviances.of(name), deviances.lowest, deviances.valleys(5.0))


def slopes_of_noise(seed: int) -> bmx.Model:
    """Noise: no effect varies at the estimate, but both would if the residual standard deviation were smaller."""
    rng = np.random.default_rng(seed)
    J = int(rng.integers(4, 9))
    n = int(rng.integers(25, 50))
    g, x = rng.integers(0, J, n), rng.normal(size=n)
    data = pd.DataFrame({"y": rng.normal(size=n), "x": x, "g": [f"g{code}" for code in g]})
    return bmx.Model("y ~ x + (x | g)", data)


@pytest.fixture(scope="module")
def noise() -> bmx.Estimate:
    return slopes_of_noise(51_101).estimate("ml")


def test_a_saddle_is_left_for_the_minimum_beside_it(noise: bmx.Estimate) -> None:
    """Where all variances are zero the deviance is stationary, whatever the data: 0.011 above the minimum here."""
    curve = curve_of(noise, "sigma")
    c = math.log(0.843151)
    saddle = curve.lowest(c, np.zeros(3))
    assert saddle.is_minimum
    assert saddle.z.tolist() == [0.0, 0.0, 0.0]
    found = curve.deepest(saddle)
    rng = np.random.default_rng(0)
    brute = min(curve.lowest(c, 0.3 * rng.normal(size=3)).rise for _ in range(20))
    assert brute < saddle.rise - 0.01
    assert found.rise == pytest.approx(brute, abs=1e-6)


def test_a_limit_is_that_of_the_valley_beside_a_saddle(noise: bmx.Estimate) -> None:
    """0.843151 before; the right value is a root of a dense normal log density, minimised from ten starts."""
    assert noise.confint(["sigma"]).loc["sigma", "lower"] == pytest.approx(0.842918, abs=2e-6)


def test_places_that_rounding_leaves_without_residual_are_refused() -> None:
    """A search from far out came upon a residual sum of squares below zero, of which there is no logarithm."""
    table = slopes_of_noise(53_036).estimate("ml").confint()
    assert table.notna().all().all()


def test_roots_are_turned_upright() -> None:
    """Columns of roots may have either sign: the upright one has the same deviance and a positive diagonal."""
    fit = bmx.Model("Reaction ~ Days + (Days | Subject)", bmx.load_dataset("sleepstudy")).estimate("ml")
    for name in fit.names:
        curve = curve_of(fit, name)
        deviance, c = curve.deviance, curve.held.centre
        turned = deviance.upright(c, -deviance.start)
        assert deviance(c, turned)[0] == pytest.approx(deviance(c, -deviance.start)[0], abs=1e-8)
    start = curve_of(fit, "Days").deviance
    np.testing.assert_allclose(start.upright(0.0, -start.start), start.upright(0.0, start.start))


def counted(monkeypatch: pytest.MonkeyPatch, work: Callable[[], object]) -> int:
    """Evaluations of held deviances and of those of all parameters."""
    count = [0]

    def counting(original: Callable[..., object]) -> Callable[..., object]:
        def evaluated(*arguments: object) -> object:
            count[0] += 1
            return original(*arguments)

        return evaluated

    for owner, name in ((LinearDeviance, "__call__"), (GeneralizedDeviance, "__call__"), (HeldDeviances, "_objective")):
        monkeypatch.setattr(owner, name, counting(getattr(owner, name)))
    work()
    return count[0]


WORK = {  # most evaluations for all limits of a fit; with searches from seven places at each limit they were
    "sleepstudy": ("Reaction ~ Days + (Days | Subject)", "sleepstudy", "gaussian", 500),  # 1 186
    "Penicillin": ("diameter ~ 1 + (1 | plate) + (1 | sample)", "Penicillin", "gaussian", 350),  # 640
    "cbpp": ("cbind(incidence, size - incidence) ~ period + (1 | herd)", "cbpp", "binomial", 320),  # 457
}


@pytest.mark.parametrize("case", WORK)
def test_limits_and_their_verification_take_few_evaluations(case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    formula, data, family, most = WORK[case]
    fit = bmx.Model(formula, bmx.load_dataset(data), family=family).estimate()
    assert counted(monkeypatch, fit.confint) < most


def test_a_search_is_given_up_after_so_many_evaluations(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is given up is NaN, and the sentence says what to do next; other limits are as ever."""
    fit = bmx.Model("Yield ~ 1 + (1 | Batch)", bmx.load_dataset("Dyestuff")).estimate("ml")
    right = fit.confint(["sigma"])
    monkeypatch.setattr(profile_curve, "MAX_WORK", 4)
    with pytest.warns(bmx.ConvergenceWarning, match=r"`sigma` has no upper profile limit: the search was given up"):
        table = fit.confint(["sigma"])
    assert table.loc["sigma"].isna().all()
    assert "model.sample()" in table.attrs["notes"][0]
    assert right.notna().all().all()


def test_levels_that_are_all_or_none_take_bounded_work(monkeypatch: pytest.MonkeyPatch) -> None:
    """The spread runs off: 8 216 evaluations before, and NaN for both of its limits."""
    g = np.repeat(np.arange(8), 6)
    data = pd.DataFrame({"y": g % 2, "g": [f"g{code}" for code in g]})
    with pytest.warns(bmx.ConvergenceWarning):
        fit = bmx.Model("y ~ 1 + (1 | g)", data, family="bernoulli").estimate()
    name = "sd(g, Intercept)"
    tables = []

    def limits() -> None:
        with pytest.warns(bmx.ConvergenceWarning, match=r"`sd\(g, Intercept\)` has no upper .* however far out"):
            tables.append(fit.confint([name]))

    assert counted(monkeypatch, limits) < 2 * profile.MAX_WORK
    lower, upper = tables[0].loc[name]
    assert upper == math.inf
    assert 0.0 < lower < fit.parameters().loc[name, "estimate"]
