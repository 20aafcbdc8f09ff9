"""Columns of smooths, those of fits and of new data: mgcv's up to rotations that no model depends on."""

import json
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from bayesmix.data.columns import Factor, Numeric
from bayesmix.data.design.learnt_smooth import learn_smooth
from bayesmix.language.formula.parse import parse

FILE = Path(__file__).parents[2] / "reference" / "smooths" / "bases.json"
ORDERED = {"o"}


@cache
def reference():
    return json.loads(FILE.read_text())


def column(values, name):
    if isinstance(values[0], str):
        levels = tuple(sorted(set(values)))
        return Factor(np.array([levels.index(v) for v in values]), levels, "ordered" if name in ORDERED else "factor")
    return Numeric(np.array(values, float))


def values_of(smooth, data):
    x = np.column_stack([np.array(data[name], float) for name in smooth.variables])
    return x, column(data[smooth.by], smooth.by) if smooth.by else None


def learnt(text):
    smooth = parse(f"y ~ {text}").smooths[0]
    return smooth, learn_smooth(smooth, *values_of(smooth, reference()["data"]))


@pytest.mark.parametrize("text", reference()["smooths"])
def test_columns_span_what_those_of_mgcv_do_with_the_same_variances(text):
    smooth, found = learnt(text)
    data, new = reference()["data"], reference()["new"]
    made = [found(*values_of(smooth, rows)) for rows in (data, new)]
    fixed = np.vstack([one.fixed for one in made])
    blocks = [np.vstack(pair) for pair in zip(*(one.penalised for one in made), strict=True)]
    theirs = reference()["smooths"][text]
    width = fixed.shape[1] // len(theirs)
    for level, one in enumerate(theirs):
        own = fixed[:, level * width : (level + 1) * width]
        matrices = [(one["fixed"], own), *zip(one["random"], blocks[level * len(one["random"]) :], strict=False)]
        for expected, ours in matrices:
            right = np.array(expected, float).reshape(len(expected), -1)
            left = ours[: len(right)]
            np.testing.assert_allclose(
                left @ left.T, right @ right.T, atol=1e-7 * max(np.max(right**2, initial=1.0), 1)
            )


NAMES = {
    "s(x)": (("sx_1",), ("sx_1",)),
    "s(x, by = f, k = 5)": (("sx:fa_1", "sx:fb_1"), ("sxfa_1", "sxfb_1")),
    "s(x, by = o, k = 5)": (("sx:ob_1", "sx:oc_1"), ("sxob_1", "sxoc_1")),
    "s(x, by = w, k = 5)": (("sx:w_1", "sx:w_2"), ("sxw_1",)),
    "t2(x, z, k = 4)": (("t2xz_1", "t2xz_2", "t2xz_3"), ("t2xz_1", "t2xz_2", "t2xz_3")),
    's(x, bs = "cc", k = 6)': ((), ("sx_1",)),
}


@pytest.mark.parametrize("text", NAMES)
def test_names_are_those_of_brms(text):
    _, found = learnt(text)
    assert (found.names, found.blocks) == NAMES[text]


def test_the_fixed_part_grows_with_the_variables():
    smooth, found = learnt("s(x, z, k = 12)")
    x, _ = values_of(smooth, reference()["data"])
    fixed = found(x, None).fixed
    slopes = np.linalg.lstsq(np.column_stack([np.ones(len(x)), x]), fixed, rcond=None)[0][1:]
    assert np.all(np.diag(slopes) > 0.0)
    assert slopes[1, 0] == pytest.approx(0.0, abs=1e-9)  # the first column is a function of the first variable alone


def test_what_is_learnt_of_levels_is_orthonormal_and_begins_with_the_constant():
    smooth = parse('y ~ s(x, bs = "tp", k = 6)').smooths[0]
    x = values_of(smooth, reference()["data"])[0]
    found = learn_smooth(type(smooth)("s", ("x",), bases=("fs",), k=(6,)), x, None)(x, None)
    assert found.names == ()
    wiggly, constant, linear = found.penalised
    assert wiggly.shape[1] == 4
    assert np.ptp(constant) < 1e-9 * abs(constant[0, 0])
    assert linear[:, 0] @ constant[:, 0] == pytest.approx(0.0, abs=1e-9)
    assert np.corrcoef(linear[:, 0], x[:, 0])[0, 1] ** 2 == pytest.approx(1.0, abs=1e-9)
    assert np.allclose(wiggly.T @ np.column_stack([constant, linear]), 0.0, atol=1e-6)
