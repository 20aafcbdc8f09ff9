"""A6, A8, A10, E: the message says what is wrong, where, and what to do; what was taken silently is said."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import bayesmix as bmx

N = 96


@cache
def data() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    days = [str(day.date()) for day in pd.date_range("2020-01-01", periods=N)]
    dose = ["." if i % 20 == 0 else str(i % 4) for i in range(N)]
    columns = {"y": rng.normal(size=N), "x": rng.normal(size=N), "dose": dose, "day": days, "g": list("abcdef") * 16}
    columns |= {
        "three": list("abc") * 32,
        "two": rng.choice(["yes", "no"], N),
        "w": np.where(np.arange(N) == 3, np.nan, 1.0),
    }
    return pd.DataFrame(columns | {"hole": np.where(np.arange(N) < 2, np.nan, rng.normal(size=N))})


def model(formula: str, family: str = "gaussian", **options: Any) -> bmx.Model:
    return bmx.Model(formula, data(), family=family, **options)


COLUMNS: dict[str, Any] = {f"x{j}": np.random.default_rng(j).normal(size=10) for j in range(40)}
WIDE = f"y ~ {' + '.join(COLUMNS)} + (1 | g)"
MANY = {**COLUMNS, "y": np.arange(10.0) ** 2, "g": list("ab") * 5}


def fitted_of_digits() -> bmx.Estimate:
    return bmx.Model("y ~ x + (1 | g)", data().assign(g=np.arange(N) % 6)).estimate()


REFUSED: dict[str, tuple[Callable[[], Any], str]] = {
    "A6 bernoulli of a, b, c": (
        lambda: model("three ~ x + (1 | g)", "bernoulli"),
        "`three` has 3 levels, `a`, `b`, `c`",
    ),
    "A6 binomial of a, b, c": (lambda: model("three ~ x + (1 | g)", "binomial"), 'write `I(three == "c")`'),
    "A10 a dot": (lambda: model("y ~ dose + (1 | g)"), "`dose` is text because of `.` in rows 0, 20, 40, 60, 80"),
    "A10 dates": (lambda: model("y ~ day + (1 | g)"), "holds dates as text, as in `2020-01-01`: each of the 96"),
    "E corAR1": (lambda: model("y ~ x + corAR1(form = ~ x | g)"), "`ar(time, g, p = 1)`"),
    "E 0 + Intercept": (lambda: model("y ~ 0 + Intercept + x + (1 | g)"), "The intercept is written `1`"),
    'E "y = x + (1|g)"': (lambda: model("y = x + (1|g)"), "Write `y ~ x + (1|g)`."),
    "E a URL": (lambda: bmx.Model("y ~ x", "https://example.org/d.csv"), "`https://example.org/d.csv` is an address"),
    "E 10 rows, 41 columns": (lambda: bmx.Model(WIDE, MANY).estimate(), "10 rows cannot identify 41 fixed effects"),
    "E level 999": (lambda: fitted_of_digits().predict({"x": [0.0], "g": [999]}), "was not seen in fitting (999)"),
}


@pytest.mark.parametrize("case", REFUSED)
@pytest.mark.filterwarnings("ignore::bayesmix.DroppedWarning")
def test_what_is_refused_says_why(case: str) -> None:
    call, said = REFUSED[case]
    with pytest.raises(bmx.BayesmixError) as caught:
        call()
    assert said in " ".join(str(caught.value).split())


LEFT_OUT: dict[str, tuple[str, dict[str, str], str]] = {
    "A10 missing values": ("y ~ hole + (1 | g)", {}, r"2 of 96 rows were left out: missing values in `hole` \(2\)"),
    "A10 a NaN weight": (
        "y ~ x + (1 | g)",
        {"weights": "w"},
        r"1 of 96 rows was left out: missing values in `w` \(1\)",
    ),
}


@pytest.mark.parametrize("case", LEFT_OUT)
def test_rows_are_not_left_out_silently(case: str) -> None:
    formula, options, said = LEFT_OUT[case]
    with pytest.warns(bmx.DroppedWarning, match=said):
        model(formula, **options)


SUCCESS = {"A6 bernoulli of yes, no": "bernoulli", "A6 binomial of yes, no": "binomial"}


@pytest.mark.parametrize("case", SUCCESS)
def test_which_level_is_the_success_is_said(case: str) -> None:
    made = model("two ~ x + (1 | g)", SUCCESS[case])
    said = "`yes` is success, `no` is failure."
    assert said in str(made)
    assert said in str(made.estimate().summary())
    np.testing.assert_array_equal(made.design.y, data()["two"] == "yes")


LEVELS = {"A8 -1": -1, "A8 0": 0, "A8 1": 1, "A8 95": 95}


@pytest.mark.parametrize("case", LEVELS)
def test_a_level_is_a_probability(fitted: Any, posterior_of: Any, case: str) -> None:
    """Of a posterior the lower limit was above the upper, of an estimate both were NaN."""
    level = LEVELS[case]
    estimate, posterior = fitted("sleepstudy"), posterior_of("sleepstudy", spread=0.01)
    calls: dict[str, Callable[[], Any]] = {
        "predict": lambda: estimate.predict(interval=level),
        "predict of a posterior": lambda: posterior.predict(interval=level),
        "tidy": lambda: estimate.tidy(interval=level),
        "tidy of a posterior": lambda: posterior.tidy(interval=level),
        "confint": lambda: estimate.confint(level=level),
    }
    for name, call in calls.items():
        with pytest.raises(
            bmx.SpecError, match=f"is a probability between 0 and 1, such as 0.95, not {level}"
        ) as caught:
            call()
        assert ("For 95 %" in str(caught.value)) == (level == 95), name


TAKEN: dict[str, tuple[str, str, str]] = {  # what was answered with something else, and is there now
    "E nbinom1": ("n ~ x + (1 | g)", "nbinom1", r"variance mu\[i\] \(1 \+ phi\)"),
    "E weibull": ("n ~ x + (1 | g)", "weibull", r"n\[i\] ~ Weibull"),
    "E lognormal": ("n ~ x + (1 | g)", "lognormal", r"n\[i\] ~ LogNormal"),
    "E yi | se(sei)": ("y | se(n) ~ x + (1 | g)", "gaussian", r"y\[i\] ~ Normal\(mu\[i\], se\[i\]\)"),
    "E s(x)": ("y ~ s(x) + (1 | g)", "gaussian", r"coefficients ~ Normal\(0, sds\(sx_1\)\)"),
}


@pytest.mark.parametrize("case", TAKEN)
def test_what_was_answered_with_another_model_is_fitted(case: str) -> None:
    formula, family, said = TAKEN[case]
    counts = data().assign(n=1 + np.arange(N) % 5)
    assert re.search(said, str(bmx.Model(formula, counts, family=family)))


ROOT = Path(__file__).parents[2]


def test_what_the_project_says_of_itself() -> None:
    """Documents that are not here were cited, and the recipe for a family named a file that is not."""
    files = [*ROOT.glob("bayesmix/**/*.py"), *ROOT.glob("docs/*.md"), *ROOT.glob("*.md")]
    assert [file.name for file in files if "DESIGN" in file.read_text("utf-8")] == []
    recipe = (ROOT / "CONTRIBUTING.md").read_text("utf-8").split("**Add a family.**")[1].split("\n\n")[0]
    named = re.findall(r"`(tests/[\w/]+\.py|language/[\w/]+\.py)`", recipe)
    assert len(named) >= 3
    for name in named:
        assert (ROOT / name).exists() or (ROOT / "bayesmix" / name).exists(), name
    assert all((ROOT / "bayesmix/language/families" / name).exists() for name in ("registry.py", "support.py"))
