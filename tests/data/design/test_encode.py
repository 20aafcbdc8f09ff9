"""New data coded as the data of the fit."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pandas as pd
import pytest
from lme4_designs import formula_reference, lme4_rows

from bayesmix.data.design.build import build
from bayesmix.data.design.design import Design, Encoder
from bayesmix.data.design.encode import encode
from bayesmix.data.design.rows import Rows
from bayesmix.errors import DataError
from bayesmix.language.formula.parse import parse

LME4 = formula_reference("lme4.json")
ROWS = lme4_rows()


def fitted(text: str, **options: Any) -> tuple[Design, Encoder]:
    design = build(parse(text), ROWS, **options)
    assert design.encoder is not None
    return design, design.encoder


@pytest.mark.filterwarnings("ignore::bayesmix.errors.DroppedWarning")
@pytest.mark.parametrize("case", LME4)
def test_the_data_of_the_fit_are_coded_as_in_the_fit(case: str) -> None:
    kind = "binomial" if LME4[case]["formula"].startswith(("cbind", "s/n")) else "numeric"
    design, encoder = fitted(LME4[case]["formula"], response=kind)
    check_same(design, encode(encoder, ROWS.iloc[design.rows]))


MORE = [
    "y ~ scale(x) + poly(z, 3) + ns(x, 4) + bs(z, df = 5) + cr(x, df = 4):h + (scale(x) | g)",
    "y ~ C(f, contr.sum) * center(x) + relevel(h, 'hi') + dummy(o, 'mid') + (dummy(f) || a/b)",
    "y ~ I(f == 'a') + I(x > 5 & z < 0) + ordered(gi) + offset(log(pos)) + (1 | f:h) + (1 | gi)",
    "y ~ bool * str + factor(gi, levels = c(10, 9, 8, 7, 6, 5, 4, 3, 2, 1)) + (bool | g:a)",
]


@pytest.mark.filterwarnings("ignore::bayesmix.errors.DroppedWarning")
@pytest.mark.parametrize("text", MORE)
def test_what_was_learnt_travels_with_the_encoder(text: str) -> None:
    design, encoder = fitted(text)
    encoder = pickle.loads(pickle.dumps(encoder))
    check_same(design, encode(encoder, ROWS))
    some = np.array([5, 3, 99])
    part = encode(encoder, ROWS.iloc[some])
    np.testing.assert_allclose(part.X, design.X[some], rtol=1e-13, atol=1e-14)
    for old, new in zip(design.terms, part.terms, strict=True):
        np.testing.assert_array_equal(new.codes, old.codes[some])
        assert (new.levels, new.effects, new.structure) == (old.levels, old.effects, old.structure)


def check_same(design: Design, new: Rows) -> None:
    np.testing.assert_allclose(new.X, design.X, rtol=1e-13, atol=1e-14)
    np.testing.assert_array_equal(new.offset, design.offset)
    for old, again in zip(design.terms, new.terms, strict=True):
        np.testing.assert_array_equal(again.codes, old.codes)
        np.testing.assert_allclose(again.z, old.z, rtol=1e-13, atol=1e-14)
        assert (again.group, again.levels, again.effects) == (old.group, old.levels, old.effects)


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    return fitted("y ~ scale(x) + f + bool + offset(log(pos)) + (x + f | g) + (1 | g:f)")[1]


@pytest.fixture
def new() -> pd.DataFrame:
    return ROWS[:3].copy()


def test_the_response_is_not_needed(encoder: Encoder, new: pd.DataFrame) -> None:
    np.testing.assert_array_equal(encode(encoder, new.drop(columns="y")).X, encode(encoder, new).X)


def test_unseen_levels_of_groups_are_minus_one(encoder: Encoder, new: pd.DataFrame) -> None:
    new["g"] = ["g1", "nobody", "g10"]
    crossed, plain = encode(encoder, new).terms
    assert plain.codes[1] == crossed.codes[1] == -1
    assert plain.levels[plain.codes[2]] == "g10"
    assert crossed.levels[crossed.codes[0]] == f"g1:{new.f.iloc[0]}"
    assert len(plain.levels) == 10


def test_grouping_columns_are_needed_only_if_asked_for(encoder: Encoder, new: pd.DataFrame) -> None:
    without = new.drop(columns="g")
    assert encode(encoder, without, groups=False).terms == ()
    with pytest.raises(DataError, match="Column `g`"):
        encode(encoder, without)
    assert [term.group for term in encode(encoder, new, groups=("g:f",)).terms] == ["g:f"]
    assert [term.group for term in encode(encoder, new, groups=("g", "g:f")).terms] == ["g:f", "g"]
    with pytest.raises(DataError, match=r"`g:h` is not a grouping factor of the model\. Did you mean `g:f`"):
        encode(encoder, new, groups=("g:h",))


def test_types_are_made_those_of_the_fit(encoder: Encoder, new: pd.DataFrame) -> None:
    expected = encode(encoder, new)
    dressed = {
        "x": new.x.tolist(),
        "pos": new.pos.tolist(),
        "f": new.f.astype(str).tolist(),
        "g": new.g.astype(object).tolist(),
        "bool": new["bool"].astype(int).tolist(),
    }
    for data in (dressed, pd.DataFrame(dressed).convert_dtypes()):
        again = encode(encoder, data)
        np.testing.assert_array_equal(again.X, expected.X)
        np.testing.assert_array_equal(again.terms[1].codes, expected.terms[1].codes)


def test_numbers_as_levels_match_their_labels() -> None:
    encoder = fitted("y ~ b + (1 | gi)")[1]
    coded = encode(encoder, {"b": [3, 1], "gi": ["10", "7"]})
    np.testing.assert_array_equal(coded.X, [[1, 0, 1], [1, 0, 0]])
    np.testing.assert_array_equal(coded.terms[0].codes, [9, 6])
    mixed = encode(encoder, {"b": ["3", "1"], "gi": ["10", "nobody"]})
    np.testing.assert_array_equal(mixed.terms[0].codes, [9, -1])
    encoder = fitted("y ~ gi + (1 | gi) + (1 | bool)")[1]
    with pytest.raises(DataError, match="`gi` was a number in fitting"):
        encode(encoder, {"gi": ["10", "nobody"], "bool": [True, False]})
    np.testing.assert_array_equal(encode(encoder, {"gi": [10, 77], "bool": [1, 0]}).terms[1].codes, [1, 0])


PROBLEMS = {
    "unseen": ({"f": ["a", "q", "b"]}, "`f` has levels not seen in fitting: `q`. The fit knows `b`, `a`, `c`"),
    "text for a number": ({"x": ["a", "b", "c"]}, "`x` was a number in fitting and is a factor"),
    "number for a truth": ({"bool": [0, 1, 2]}, "`bool` was TRUE or FALSE in fitting"),
    "text for a truth": ({"bool": ["a", "b", "b"]}, "`bool` was TRUE or FALSE in fitting"),
    "not finite": ({"pos": [1.0, -1.0, 2.0]}, "`log(pos)` is not finite in row 1"),
}


@pytest.mark.parametrize("problem", PROBLEMS)
def test_what_cannot_be_coded_is_named(problem: str, encoder: Encoder, new: pd.DataFrame) -> None:
    columns, message = PROBLEMS[problem]
    with pytest.raises(DataError) as caught:
        encode(encoder, new.assign(**columns))
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("column", "values", "rows"),
    [("f", ["a", None, "b"], [0, 2]), ("x", [1.0, np.nan, np.nan], [0]), ("g", ["g1", None, "g2"], [0, 2])],
)
def test_rows_with_missing_values_are_left_out(
    column: str, values: list[object], rows: list[int], encoder: Encoder, new: pd.DataFrame
) -> None:
    """The others are coded as they are without them."""
    coded, alone = (
        encode(encoder, new.assign(**{column: values})),
        encode(encoder, new.assign(**{column: values}).iloc[rows]),
    )
    assert (coded.index.tolist(), coded.n_given, coded.missing) == (rows, 3, (column,))
    np.testing.assert_array_equal(coded.X, alone.X)
    for one, other in zip(coded.terms, alone.terms, strict=True):
        np.testing.assert_array_equal(one.z, other.z)
        np.testing.assert_array_equal(one.codes, other.codes)


def test_a_missing_column_is_named(encoder: Encoder, new: pd.DataFrame) -> None:
    with pytest.raises(DataError, match=r"Column `pos` of the formula is not in the data\. Did you mean `posx`"):
        encode(encoder, new.rename(columns={"pos": "posx"}))


def test_an_array_of_the_fit_is_asked_for_again(new: pd.DataFrame) -> None:
    encoder = fitted("y ~ x + (1 | g)", offset=np.arange(120.0), weights=np.ones(120))[1]
    with pytest.raises(DataError, match="fitted with an array as `offset=`"):
        encode(encoder, new)
    np.testing.assert_array_equal(encode(encoder, new, offset=[1, 2, 3]).offset, [1, 2, 3])
    np.testing.assert_array_equal(encode(encoder, new, offset="2 * x").offset, 2 * new.x)


def test_an_expression_of_the_fit_is_used_again_or_replaced(new: pd.DataFrame) -> None:
    encoder = fitted("y ~ x + offset(z) + (1 | g)", offset="log(pos)")[1]
    np.testing.assert_allclose(encode(encoder, new).offset, new.z + np.log(new.pos))
    np.testing.assert_allclose(encode(encoder, new, offset=[1.0, 2.0, 3.0]).offset, new.z + np.arange(1.0, 4.0))


def test_new_data_do_not_change_the_encoder(encoder: Encoder, new: pd.DataFrame) -> None:
    before = pickle.dumps(encoder)
    encode(encoder, new, offset="x", groups=False)
    assert pickle.dumps(encoder) == before
