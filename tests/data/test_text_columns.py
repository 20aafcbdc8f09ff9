"""Text that holds numbers or dates is no factor, and the message says why it is text and what to do."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from bayesmix.data.design.build import build
from bayesmix.data.design.encode import encode
from bayesmix.errors import DataError
from bayesmix.language.formula.parse import parse

pl = pytest.importorskip("polars")

N = 40
DAYS = [str(day.date()) for day in pd.date_range("2020-02-27", periods=N)]


def with_holes(marker: str, every: int = 20) -> list[str]:
    return [marker if i % every == 0 else str(i % 4) for i in range(N)]


MISTAKEN = {
    "a dot": (with_holes("."), "`dose` is text because of `.` in rows 0, 20 (counted from 0); its other"),
    "many markers": (with_holes("missing", 2), "because of `missing` in rows 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, ..."),
    "a typing error": (with_holes("1O"), "because of `1O` in rows 0, 20"),
    "decimal commas": ([f"{i % 5},5" for i in range(N)], "written with commas, as in `0,5`"),
    "thousands": ([f"1,{i:03d}" for i in range(N)], "written with commas, as in `1,000`"),
    "many numbers": (list(map(str, range(N))), "is text, although its 40 values are numbers"),
    "dates": (DAYS, "holds dates as text, as in `2020-02-27`: each of the 40 would be a level"),
    "german dates": ([f"{1 + i % 28}.2.2020" for i in range(N)], "holds dates as text"),
    "american dates": ([f"2/{1 + i % 28}/2020" for i in range(N)], "holds dates as text"),
    "names of months": ([f"{1 + i % 28} Feb 2020" for i in range(N)], "holds dates as text"),
    "shares": ([f"{i % 5}.5%" for i in range(N)], "written with signs, as in `0.5%`"),
    "money": ([f"$1{i % 5}" for i in range(N)], "written with signs, as in `$10`"),
    "limits": (with_holes("<0.1"), "because of `<0.1` in rows 0, 20"),
    "hours": ([f"{i % 24}:30" for i in range(N)], "holds times of day as text, as in `0:30`: each of the 24"),
    "another minus": ([f"\u2212{i % 9}" for i in range(N)], "a minus sign that is no hyphen, as in `\u22120`"),
    "times": ([f"{day} 12:30:00" for day in DAYS], "holds dates as text"),
}
FACTORS = {
    "ages": ["25-34", "35-44", "75+"],
    "doses beside a control": ["0", "10", "placebo"],
    "a few numbers": ["1", "2", "3"],
    "words": ["a", "b", "c"],
    "a few hours": ["08:00", "12:30", "18:00"],
    "fractions": ["1/2", "1/4", "1"],
}


def data(values: list[str]) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    return pd.DataFrame({"y": rng.normal(size=N), "x": rng.normal(size=N), "dose": values, "g": list("abcd") * 10})


@pytest.mark.parametrize("kind", MISTAKEN)
@pytest.mark.parametrize("right", ["dose + (1 | g)", "x * dose + (1 | g)", "x + (dose | g)", "offset(dose) + (1 | g)"])
def test_text_that_holds_numbers_or_dates_is_refused(kind: str, right: str) -> None:
    values, message = MISTAKEN[kind]
    with pytest.raises(DataError) as caught:
        build(parse(f"y ~ {right}"), data(values))
    assert message in str(caught.value)
    assert "write `factor(dose)`" in str(caught.value)


def test_so_is_a_response_and_an_argument_of_a_function() -> None:
    frame = data(with_holes("."))
    for formula in ("dose ~ x + (1 | g)", "y ~ log(dose) + (1 | g)", "y ~ I(dose + 1) + (1 | g)"):
        with pytest.raises(DataError, match=r"text because of `\.` in rows 0, 20"):
            build(parse(formula), frame)
    with pytest.raises(DataError, match="text because of"):
        build(parse("y ~ x + (1 | g)"), frame, weights="dose")


@pytest.mark.parametrize("kind", MISTAKEN)
def test_categories_that_are_declared_and_groups_are_taken(kind: str) -> None:
    frame = data(MISTAKEN[kind][0])
    assert len(build(parse("y ~ x + (1 | dose)"), frame).terms[0].levels) == frame.dose.nunique()
    few = frame.assign(dose=[("1", "2", ".")[i % 3] for i in range(N)])
    assert build(parse("y ~ factor(dose) + (1 | g)"), few).fixed == ("Intercept", "factor(dose)1", "factor(dose)2")
    declared = few.assign(dose=few.dose.astype("category"))
    assert build(parse("y ~ dose + (1 | g)"), declared).fixed == ("Intercept", "dose1", "dose2")


@pytest.mark.parametrize("kind", FACTORS)
@pytest.mark.parametrize("frame", [pd.DataFrame, pl.DataFrame])
def test_true_factors_are_taken(kind: str, frame: type) -> None:
    columns = data([FACTORS[kind][i % len(FACTORS[kind])] for i in range(N)]).to_dict("list")
    assert build(parse("y ~ dose + (1 | g)"), frame(columns)).X.shape[1] == len(FACTORS[kind])


def test_new_data_say_why_a_number_has_become_text() -> None:
    numbers = data(with_holes("4")).assign(dose=lambda frame: frame.dose.astype(float))
    encoder = build(parse("y ~ dose + (1 | g)"), numbers).encoder
    assert encoder is not None
    with pytest.raises(DataError, match=r"was a number in fitting.*text because of `\.` in rows 0, 20"):
        encode(encoder, data(with_holes(".")))
