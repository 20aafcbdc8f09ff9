import numpy as np
import pandas as pd
import pytest

import bayesmix as bmx
from bayesmix.errors import BayesmixError

TABLE = pd.DataFrame(
    {
        "y": np.random.default_rng(1).normal(size=40),
        "g": np.repeat([f"p{i}" for i in range(10)], 4),
        "h": np.tile(["a", "b"], 20),
        "t": np.tile([1, 2, 4, 5], 10),
        "visit": np.tile(["w1", "w2", "w4", "w8"], 10),
    }
)


def design(formula, table=TABLE):
    return bmx.Model(formula, table).design


def test_blocks_and_places_of_an_unstructured_matrix():
    found = design("y ~ 1 + unstr(visit, g)", TABLE.iloc[[5, 0, 1, 3, *range(6, 40)]])
    blocks = found.data.blocks
    assert blocks.structure.visits == ("w1", "w2", "w4", "w8")
    assert blocks.structure.names[:2] == ("rescor(w1, w2)", "rescor(w1, w4)")
    np.testing.assert_array_equal(blocks.block[:4], [1, 0, 0, 0])
    np.testing.assert_array_equal(blocks.place[:4], [1, 0, 1, 3])
    np.testing.assert_array_equal(found.X[:, -6:], 0.0)


def test_times_are_steps_from_the_first_of_each_block():
    found = design("y ~ 1 + ar(t, g)", TABLE.iloc[1:])
    assert found.layout.structure.size == 5
    np.testing.assert_array_equal(found.data.blocks.place[:7], [0, 2, 3, 0, 1, 3, 4])


def test_without_times_rows_are_in_their_order():
    found = design("y ~ 1 + ar(gr = g)").data.blocks
    np.testing.assert_array_equal(found.place[:8], [0, 1, 2, 3, 0, 1, 2, 3])


def test_numbers_in_unstr_are_visits():
    assert design("y ~ 1 + unstr(t, g)").layout.structure.visits == ("1", "2", "4", "5")


def test_crossed_factors_make_blocks():
    found = design("y ~ 1 + cosy(gr = g:h)").data.blocks
    assert len(np.unique(found.block)) == 20
    assert found.structure.size == 2


def test_some_rows_keep_their_blocks():
    found = design("y ~ 1 + unstr(visit, g)")
    part = found.take(np.array([3, 4, 9]))
    np.testing.assert_array_equal(part.data.blocks.place, [3, 0, 1])


REFUSED = {
    "twice": ("y ~ 1 + unstr(visit, g)", TABLE.assign(visit="w1"), r"`g` p0 has `visit` w1 twice, in rows 0 and 1"),
    "twice a step": ("y ~ 1 + ar(t, g)", TABLE.assign(t=TABLE["t"].replace(2, 1)), r"`g` p0 has `t` 1 twice"),
    "no steps": ("y ~ 1 + ar(t, g)", TABLE.assign(t=TABLE["t"] / 2), "is 0.5 in some row: times are whole steps"),
    "single rows": ("y ~ 1 + cosy(gr = r)", TABLE.assign(r=np.arange(40)), "Each level of `r` has one row"),
    "many visits": ("y ~ 1 + unstr(s, g)", TABLE.assign(s=np.arange(40)), "40 different values, more than 20 visits"),
    "apart": (
        "y ~ 1 + unstr(visit, g)",
        TABLE.iloc[[i for i in range(40) if i % 4 != (0 if i < 20 else 3)]],
        "rows of both visits `w1, w8`",
    ),
    "few": ("y ~ 1 + unstr(visit, g)", TABLE.iloc[:16], "has 4 visits and only 4 levels of `g`"),
    "long": ("y ~ 1 + ar(t, g)", TABLE.assign(t=TABLE["t"] * 100), "spans 401 steps"),
    "no column": ("y ~ 1 + ar(tt, g)", TABLE, "`tt`"),
    "memberships": (
        "y ~ 1 + (1 | mm(g, h)) + ar(t, g)",
        TABLE.assign(h=TABLE["g"].to_numpy()[::-1]),
        "members of one level each",
    ),
    "crossed": ("y ~ 1 + (1 | h) + ar(t, g)", TABLE, "lies in several levels of a grouping factor"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_data_cannot_have(case):
    formula, table, message = REFUSED[case]
    with pytest.raises(BayesmixError, match=message):
        bmx.Model(formula, table).estimate()


def test_rows_without_a_visit_are_left_out_with_a_warning():
    table = TABLE.assign(visit=TABLE["visit"].where(TABLE.index != 6))
    with pytest.warns(bmx.errors.DroppedWarning, match="visit"):
        found = design("y ~ 1 + unstr(visit, g)", table)
    assert found.n == 39
