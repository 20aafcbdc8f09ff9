"""Designs: lme4's, column for column, and what cannot be a design."""

from __future__ import annotations

import pickle
import re
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from lme4_designs import FORMULAS, formula_reference, lme4_rows

import bayesmix as bmx
from bayesmix.data.datasets import load_dataset
from bayesmix.data.design.build import build
from bayesmix.data.design.design import Design, Term
from bayesmix.data.design.encode import encode
from bayesmix.errors import BayesmixError, DataError, DesignError, DroppedWarning, FormulaError
from bayesmix.language.formula.parse import parse

pl = pytest.importorskip("polars")

EXACT = {"rtol": 0, "atol": 2e-8}  # the reference is rounded to 8 decimals
SUMS = {"rtol": 1e-9, "atol": 1e-9}

CASES = dict(line.split("@")[:2] for line in (FORMULAS / "cases.tsv").read_text(encoding="utf-8").splitlines())
LME4 = formula_reference("lme4.json")
DATASETS = formula_reference("datasets.json")
IGNORED = pytest.mark.filterwarnings("ignore::bayesmix.errors.DroppedWarning")
RANK_DEFICIENT = {"c31": ("fc:hhi",)}  # R's own coding, from which lme4 drops columns by default


def dense(term: Term) -> np.ndarray:
    """Z of one term as lme4 orders it: effects within levels."""
    n, k = term.z.shape
    Z = np.zeros((n, len(term.levels), k))
    Z[np.arange(n), term.codes] = term.z
    return Z.reshape(n, -1)


def in_R(names: Any) -> list[str]:
    return [re.sub(r"\bIntercept\b", "(Intercept)", name) for name in names]


@pytest.fixture(params=CASES)
def case(request: pytest.FixtureRequest) -> tuple[dict[str, Any], Design]:
    expected = LME4[request.param]
    formula = parse(expected["formula"])
    kind = "binomial" if CASES[request.param] == "binomial" else "numeric"
    if expected["nrow"] < len(lme4_rows()):
        with pytest.warns(
            DroppedWarning, match=f"{120 - expected['nrow']} of 120 rows were left out: missing values in"
        ):
            return expected, build(formula, lme4_rows(), response=kind)
    if request.param in RANK_DEFICIENT:
        with pytest.warns(DroppedWarning, match=re.escape(RANK_DEFICIENT[request.param][0])):
            return expected, build(formula, lme4_rows(), response=kind)
    return expected, build(formula, lme4_rows(), response=kind)


def test_there_are_ninety_formulas() -> None:
    assert len(CASES) == len(LME4) == 90


def test_designs_are_those_of_lme4(case: tuple[dict[str, Any], Design]) -> None:
    expected, design = case
    kept = [j for j, name in enumerate(expected["Xnames"]) if name not in design.dropped]
    assert in_R(design.fixed) == [expected["Xnames"][j] for j in kept]
    np.testing.assert_allclose(design.X, np.array(expected["X"], float)[:, kept], **EXACT)

    groups = [group.replace("(", "").replace(")", "") for group in expected["bars"]]  # lme4's c:(b:a) is our c:b:a
    assert [term.group for term in design.terms] == groups
    assert [in_R(term.effects) for term in design.terms] == expected["cnms"]
    assert [list(term.levels) for term in design.terms] == expected["levels"]
    Z = np.zeros(expected["Zdim"])
    for row, column, value in expected["Z"]:
        Z[row, column] = value
    np.testing.assert_allclose(np.hstack([dense(term) for term in design.terms]), Z, **EXACT)

    offset = np.zeros(len(design.y)) if expected["offset"] is None else expected["offset"]
    np.testing.assert_allclose(design.offset, offset, **EXACT)
    y = np.array(expected["y"], float)
    observed = design.y if design.trials is None or y.shape[1] == 2 else design.y / design.trials
    np.testing.assert_allclose(observed, y[:, 0], **EXACT)
    if y.shape[1] == 2:
        np.testing.assert_array_equal(design.trials, y.sum(axis=1))
    assert (len(design.rows), design.n_given) == (expected["nrow"], 120)


@pytest.mark.parametrize("name", DATASETS)
def test_designs_of_published_data_are_those_of_lme4(name: str) -> None:
    expected = DATASETS[name]
    kind = "binomial" if expected["family"] == "binomial" else "numeric"
    design = build(
        parse(expected["formula"]),
        load_dataset(expected["data"]),
        weights=expected.get("weights"),
        response=kind,
        contrasts=expected.get("contrasts"),
    )
    assert in_R(design.fixed) == expected["X_names"]
    first = np.array(expected["X_first5"], float).reshape(5, -1)
    np.testing.assert_allclose(design.X[:5], first, **SUMS)
    np.testing.assert_allclose(design.X.sum(axis=0), expected["X_colsums"], **SUMS)
    assert {term.group: len(term.levels) for term in design.terms} == expected["n_groups"]
    assert len(design.y) == expected["n_obs"]
    if "Z_dim" in expected:
        columns = sum(len(term.levels) * term.z.shape[1] for term in design.terms)
        assert [len(design.y), columns] == expected["Z_dim"]
        np.testing.assert_allclose(sum(term.z.sum() for term in design.terms), expected["Z_sum"], **SUMS)


@pytest.fixture
def rows() -> pd.DataFrame:
    rng = np.random.default_rng(1)
    n = 24
    return pd.DataFrame(
        {
            "y": rng.normal(size=n),
            "x": rng.normal(size=n),
            "z": rng.normal(size=n),
            "w": rng.uniform(1.0, 2.0, n),
            "g": [f"g{i % 4}" for i in range(n)],
            "f": pd.Categorical([("b", "a", "c")[i % 3] for i in range(n)], ["b", "a", "c"]),
            "s": [i % 5 for i in range(n)],
            "n": 10,
            "one": "only",
            "yes": [i % 2 == 0 for i in range(n)],
        }
    )


def design_of(text: str, data: Any, **options: Any) -> Design:
    return build(parse(text), data, **options)


@IGNORED
def test_rows_with_missing_values_are_left_out_everywhere(rows: pd.DataFrame) -> None:
    for row, column in enumerate(["y", "x", "z", "w", "g", "f", "n"]):
        rows[column] = rows[column].astype(object).where(rows.index != row, None)
    rows["f"] = pd.Categorical(rows["f"], ["b", "a", "c"])
    design = design_of("y ~ x + offset(w) + (z | g) + (1 | f)", rows, weights="n")
    np.testing.assert_array_equal(design.rows, np.arange(7, 24))
    assert design.n_given == 24
    for array in (design.y, design.weights, design.offset, *(term.codes for term in design.terms)):
        assert len(array) == 17
    np.testing.assert_array_equal(design.X[:, 1], rows.x[7:].astype(float))
    assert len(design_of("y ~ z - x + (1 | one)", rows.assign(one=list("ab") * 12)).rows) == 21


@IGNORED
def test_levels_lost_with_their_rows_are_dropped(rows: pd.DataFrame) -> None:
    rows.loc[rows.f == "b", "x"] = np.nan
    rows.loc[rows.g == "g1", "x"] = np.nan
    design = design_of("y ~ x + f + (1 | g)", rows)
    assert design.fixed == ("Intercept", "x", "fc")
    assert design.terms[0].levels == ("g0", "g2", "g3")
    assert set(design.terms[0].codes) == {0, 1, 2}


@IGNORED
def test_scaling_learns_from_all_rows_as_in_R(rows: pd.DataFrame) -> None:
    rows.loc[:11, "y"] = np.nan
    X = design_of("y ~ scale(x) + (1 | g)", rows).X
    np.testing.assert_allclose(X[:, 1], ((rows.x - rows.x.mean()) / rows.x.std())[12:])


def test_terms_come_in_decreasing_number_of_levels(rows: pd.DataFrame) -> None:
    rows["h"] = rows["g"]
    design = design_of("y ~ (1 | f) + (x || g) + (1 | h) + (1 | g:f)", rows)
    order = [(term.group, *term.effects) for term in design.terms]
    expected = [("g:f", "Intercept"), ("g", "Intercept"), ("g", "x"), ("h", "Intercept"), ("f", "Intercept")]
    assert order == expected


def test_a_double_bar_is_two_bars_and_diagonal_for_factors(rows: pd.DataFrame) -> None:
    double, two = design_of("y ~ (x || g)", rows), design_of("y ~ (1 | g) + (0 + x | g)", rows)
    for a, b in zip(double.terms, two.terms, strict=True):
        assert (a.effects, a.levels, a.structure) == (b.effects, b.levels, b.structure)
        np.testing.assert_array_equal(a.z, b.z)
    structures = [(term.effects, term.structure) for term in design_of("y ~ (f || g)", rows).terms]
    assert structures == [(("Intercept",), "us"), (("fb", "fa", "fc"), "diag")]
    assert design_of("y ~ cs(0 + f | g)", rows).terms[0].structure == "cs"


def test_groups_of_any_kind(rows: pd.DataFrame) -> None:
    def levels(text: str) -> tuple[str, ...]:
        return design_of(f"y ~ (1 | {text})", rows).terms[0].levels

    assert levels("s") == ("0", "1", "2", "3", "4")
    assert levels("yes") == ("FALSE", "TRUE")
    assert levels("factor(s)") == ("0", "1", "2", "3", "4")
    assert levels("f:yes") == ("b:FALSE", "b:TRUE", "a:FALSE", "a:TRUE", "c:FALSE", "c:TRUE")
    rows["my g"] = rows["g"]
    assert design_of("y ~ (1 | `my g`)", rows).terms[0].group == "my g"
    with pytest.raises(DesignError, match="single level `TRUE`"):
        design_of("y ~ (1 | yes)", rows[rows.yes])


@IGNORED
def test_weights_and_offsets_are_names_expressions_or_arrays(rows: pd.DataFrame) -> None:
    w = rows.w.to_numpy(copy=True)
    for weights in ("w", "I(w)", w, w.tolist(), rows.w, pl.Series(w)):
        np.testing.assert_array_equal(design_of("y ~ x + (1 | g)", rows, weights=weights).weights, w)
    for offset in ("log(w)", np.log(w)):
        design = design_of("y ~ x + offset(z) + offset(2 * w) + (1 | g)", rows, offset=offset)
        np.testing.assert_allclose(design.offset, rows.z + 2 * w + np.log(w))
    rows.loc[0, "x"] = np.nan
    np.testing.assert_array_equal(design_of("y ~ x + (1 | g)", rows, weights=w).weights, w[1:])
    w[3] = np.nan
    assert len(design_of("y ~ x + (1 | g)", rows, weights=w).y) == 22
    plain = design_of("y ~ x + (1 | g)", rows)
    assert (plain.weights == 1).all()
    assert (plain.offset == 0).all()


def test_contrasts_are_for_the_fixed_part_only(rows: pd.DataFrame) -> None:
    design = design_of("y ~ f + (f | g)", rows, contrasts={"f": "contr.sum"})
    assert design.fixed == ("Intercept", "f1", "f2")
    assert design.terms[0].effects == ("Intercept", "fa", "fc")


def test_a_predictor_that_varies_in_its_last_digits_says_what_to_do():
    """Seconds since 1970 within a minute: R's tolerance takes them for constant, and so do we."""
    seconds = 1_700_000_000.0 + np.arange(40.0) % 7
    data = {"y": np.sin(np.arange(40.0)), "t": seconds, "g": list("abcd") * 10}
    with pytest.warns(
        DroppedWarning, match=r"left out: t\. `t` differs .* in its last digits only: subtract 1700000000 from"
    ):
        assert bmx.Model("y ~ t + (1 | g)", data).design.fixed == ("Intercept",)


def test_dependent_columns_are_dropped_by_name(rows: pd.DataFrame) -> None:
    with pytest.warns(DroppedWarning, match=r"left out: I\(x \* 2\), n\."):
        design = design_of("y ~ x + I(x * 2) + n + z + (1 | g)", rows)
    assert design.dropped == ("I(x * 2)", "n")
    assert design.fixed == ("Intercept", "x", "z")
    assert design.X.shape == (24, 3)


def test_no_fixed_columns_at_all(rows: pd.DataFrame) -> None:
    assert design_of("y ~ 0 + (1 | g)", rows).X.shape == (24, 0)


def test_the_dot_leaves_out_what_the_response_uses(rows: pd.DataFrame) -> None:
    data = rows[["s", "n", "x", "z", "g"]]
    design = design_of("cbind(s, n - s) ~ . - g + (1 | g)", data, response="binomial")
    assert design.fixed == ("Intercept", "x", "z")
    dated = data.assign(when=pd.date_range("2020", periods=24))
    assert design_of("s ~ . - when - g - n + (1 | g)", dated).fixed == ("Intercept", "x", "z")


def test_a_design_owns_its_arrays_and_pickles_small(rows: pd.DataFrame) -> None:
    design = design_of("y ~ ns(x, 3) + f + (x | g)", rows, weights="w")
    arrays = (design.y, design.X, design.weights, design.offset, design.rows, design.terms[0].z, design.terms[0].codes)
    for array in arrays:
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0
    before = design.y.copy(), design.weights.copy()
    rows.loc[:, ["y", "w"]] = 0.0
    np.testing.assert_array_equal(design.y, before[0])
    np.testing.assert_array_equal(design.weights, before[1])
    again = pickle.loads(pickle.dumps(design))
    np.testing.assert_array_equal(again.X, design.X)
    assert len(pickle.dumps(design.encoder)) < 3000


def test_arrays_of_the_user_stay_their_own(rows: pd.DataFrame) -> None:
    y, w, g = rows.y.to_numpy(copy=True), np.ones(24), rows.g.to_numpy()
    designs = [
        design_of("y ~ (1 | g)", {"y": y, "g": g}, weights=w),
        design_of("y ~ (1 | g)", pd.DataFrame({"y": y, "w": w, "g": g}, copy=False), weights="w"),
    ]
    y[0] = w[0] = 5.0
    for design in designs:
        assert design.y[0] != 5.0
        assert design.weights[0] == 1.0


@pytest.mark.parametrize("backend", [pl.DataFrame, pl.LazyFrame])
def test_another_dataframe_gives_the_same_design(rows: pd.DataFrame, backend: Any) -> None:
    data = rows.assign(f=rows.f.astype(str))
    a = design_of("y ~ x * f + yes + (x | g)", data)
    b = design_of("y ~ x * f + yes + (x | g)", backend(data.to_dict("list")))
    assert a.fixed == b.fixed
    np.testing.assert_array_equal(a.X, b.X)
    np.testing.assert_array_equal(a.terms[0].codes, b.terms[0].codes)


@given(st.permutations(range(24)))
def test_permuting_the_rows_permutes_the_design(order: list[int]) -> None:
    data = lme4_rows()[::5]
    a, b = (design_of("y ~ x * f + (x | a) + (1 | h:f)", rows) for rows in (data, data.iloc[order]))
    assert (a.fixed, [term.levels for term in a.terms]) == (b.fixed, [term.levels for term in b.terms])
    np.testing.assert_array_equal(a.X[order], b.X)
    for s, t in zip(a.terms, b.terms, strict=True):
        np.testing.assert_array_equal(s.codes[order], t.codes)
        np.testing.assert_array_equal(s.z[order], t.z)


PROBLEMS: dict[str, tuple[type[BayesmixError], str, dict[str, Any]]] = {
    "y ~ X + (1 | g)": (
        DataError,
        "Column `X` of the formula is not in the data. Did you mean `x`? Columns: f,",
        {},
    ),
    "y ~ x + (1 | G)": (DataError, "Column `G` of the formula is not in the data. Did you mean `g`?", {}),
    "y ~ x + (1 | one)": (DesignError, "The grouping factor `one` has the single level `only`", {}),
    "y ~ one + (1 | g)": (DesignError, "`one` has the single level `only` in the rows used", {}),
    "y ~ log(x) + (1 | g)": (DataError, "`log(x)` is not finite in row", {}),
    "y ~ I(1 / (s - 2)) + (1 | g)": (DataError, "is not finite in rows 2, 7, 12, 17, 22 (counted from 0)", {}),
    "y ~ poly(log(x), 2) + (1 | g)": (DataError, "`poly(log(x), 2)` is not finite", {}),
    "y ~ x + (1 | g) + (x | g)": (DesignError, "The effect `Intercept` occurs twice for the grouping factor `g`", {}),
    "y ~ x + (1 | poly(x, 2))": (FormulaError, "not a grouping factor", {}),
    "f ~ x + (1 | g)": (DataError, "The response `f` is a factor, not a number.", {}),
    "yes == TRUE ~ f + (x | C(f))": (FormulaError, "not a grouping factor", {}),
    "cbind(s, n) ~ x + (1 | g)": (DataError, "it needs family binomial", {}),
    "y ~ f + (1 | g)": (
        DataError,
        "`x` of the contrasts is not a factor of",
        {"contrasts": {"x": "sum"}},
    ),
    "y ~ x + z + (1 | g)": (DataError, "The weights are -1 in rows 0, 1,", {"weights": -np.ones(24)}),
    "y ~ x + z + (2 * x | g)": (FormulaError, "A number is not a term", {}),
    "y ~ z + (1 | g)": (DataError, "The weights have 2 values; the data have 24 rows", {"weights": [1.0, 2.0]}),
    "y ~ 1 + (1 | g)": (DataError, "The weights `f` is not a column of numbers", {"weights": "f"}),
    "y ~ x + (1 | f)": (DataError, "The offset `g` is not a column of numbers", {"offset": "g"}),
    "y ~ offset(f) + (1 | g)": (DataError, "The offset `f` is not a column of numbers", {}),
    "y ~ yes + (1 | g)": (DataError, "Column `weight` of the formula is not in the data", {"weights": "weight"}),
    "y ~ x + fa + f + (1 | g)": (DesignError, "Two columns of the fixed part are named `fa`", {}),
}


@pytest.mark.parametrize("text", PROBLEMS)
def test_what_cannot_be_a_design_is_named(text: str, rows: pd.DataFrame) -> None:
    error, message, options = PROBLEMS[text]
    with pytest.raises(error) as caught:
        design_of(text, rows.assign(fa=rows.w), **options)
    assert message in str(caught.value)


def test_a_factor_in_a_nonlinear_mean_is_named(rows: pd.DataFrame) -> None:
    with pytest.raises(DataError, match=r"The nonlinear mean's variable `f` is not a column of numbers\. What differs"):
        bmx.Model(["y ~ a * exp(b * f)", "a ~ 1 + (1 | g)", "b ~ 1"], rows)


@IGNORED
def test_values_that_are_not_finite_are_named(rows: pd.DataFrame) -> None:
    rows.loc[3, "x"] = np.inf
    rows.loc[1, "z"] = np.nan
    with pytest.raises(DataError, match=r"`x` is not finite in row 3 \(counted from 0\)"):
        design_of("y ~ z + (x | g)", rows)
    assert len(design_of("y ~ z + (1 | g)", rows).y) == 23


LEFT_OUT: dict[str, tuple[dict[str, Any], str]] = {
    "y ~ x + (1 | g)": ({}, "2 of 24 rows were left out: missing values in `y` (1), `x` (2)."),
    "y ~ 1 + (1 | g)": ({}, "1 of 24 rows was left out: missing values in `y` (1)."),
    "z ~ 1 + (1 | g) ": ({"weights": "exp(x)"}, "2 of 24 rows were left out: missing values in `x` (2)."),
    "z ~ 1 + (1 | g)": (
        {"weights": [np.nan] + [1.0] * 23},
        "1 of 24 rows was left out: missing values in weights (1).",
    ),
    "z ~ 1 + offset(x) + (1 | g)": ({}, "2 of 24 rows were left out: missing values in `x` (2)."),
    "z ~ x - x + (1 | g)": ({}, "2 of 24 rows were left out: missing values in `x` (2)."),
    "z ~ 1 + (1 | f)": ({}, "3 of 24 rows were left out: missing values in `f` (3)."),
}


@pytest.mark.parametrize("formula", LEFT_OUT)
def test_rows_that_are_left_out_are_counted_by_column(rows: pd.DataFrame, formula: str) -> None:
    rows.loc[[3, 5], "x"] = np.nan
    rows.loc[3, "y"] = np.nan
    rows["f"] = rows["f"].where(~rows.index.isin([0, 7, 9]), None)
    options, message = LEFT_OUT[formula]
    with pytest.warns(DroppedWarning) as caught:
        design_of(formula, rows, **options)
    assert [str(warning.message) for warning in caught] == [message]
    assert caught[0].filename == __file__  # the user's line, not ours


def test_no_rows_left(rows: pd.DataFrame) -> None:
    with pytest.raises(DataError, match=r"each of the 24 given has a missing value\. All values of `x` are missing"):
        design_of("y ~ x + (1 | g)", rows.assign(x=np.nan))
    with pytest.raises(DataError, match="The data have no rows"):
        design_of("y ~ x + (1 | g)", rows[:0])


def test_combinations_of_levels_whose_labels_collide_are_told_apart() -> None:
    data = {"y": [1.0, 2.0, 3.0, 4.0, 5.0], "a": ["x:y", "x", "x", "w:v", "x:y"], "b": ["z", "y:z", "s", "u", "z"]}
    term = design_of("y ~ (1 | a:b)", data).terms[0]
    assert term.levels == ("w:v:u", "x:s", 'x:"y:z"', '"x:y":z')
    np.testing.assert_array_equal(term.codes, [3, 2, 1, 0, 3])
    single = design_of("y ~ (1 | a)", data).terms[0]
    assert single.levels == ("w:v", "x", "x:y")


def test_labels_of_new_data_do_not_collide_with_those_of_the_fit() -> None:
    encoder = design_of("y ~ (1 | a:b)", {"y": [1.0, 2.0, 3.0], "a": ["x:y", "x", "x"], "b": ["z", "s", "t"]}).encoder
    assert encoder is not None
    new = encode(encoder, {"a": ["x", "x:y", "x"], "b": ["y:z", "z", "t"]}).terms[0]
    assert new.levels == ("x:s", "x:t", "x:y:z")
    np.testing.assert_array_equal(new.codes, [-1, 2, 1])


@pytest.mark.parametrize("bar", ["ar1(n | g)", "ar1(n - 1 | g)", "hetar1(n | g)", "ar1(f + n | g)", "ar1(n | g:f)"])
def test_numbers_have_no_autoregression(rows: pd.DataFrame, bar: str) -> None:
    rows["n"] = np.arange(24) % 6
    group = bar.split("| ")[1].rstrip(")")
    with pytest.raises(DesignError, match=re.escape(f"Write `ar1(0 + factor(n) | {group})`")):
        design_of(f"y ~ x + {bar}", rows)
    assert design_of("y ~ x + ar1(0 + factor(n) | g)", rows).terms[0].structure == "ar1"


def test_many_rows_and_levels_make_no_dense_Z() -> None:
    rng = np.random.default_rng(1)
    n, levels = 300_000, 50_000
    y, x = rng.normal(size=(2, n))
    data = {"y": y, "x": x, "g": rng.integers(levels, size=n), "h": rng.integers(3, size=n)}
    design = design_of("y ~ x + factor(h) + (x | g) + (1 | g:h)", data)
    assert [term.z.shape for term in design.terms] == [(n, 1), (n, 2)]
    assert len(design.terms[1].levels) > 49_000
