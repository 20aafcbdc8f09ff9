"""Effects at positions: one a distinct position, whichever way its coordinates were computed."""

from __future__ import annotations

import numpy as np
import pytest

import bayesmix as bmx
from bayesmix.data.design.encode import encode
from bayesmix.errors import DesignError

TIMES = np.array([0.1 + 0.2, 0.3, 1.0, 2.5, 1.0, 2.5])
DATA = {
    "y": np.arange(6.0) ** 2,
    "time": TIMES,
    "north": [1.0, 1.0, 2.0, 0.0, 2.0, 0.0],
    "f": list("aabbcc"),
    "g": list("uvuvuv"),
    "one": ["all"] * 6,
}


def design(formula, data=DATA):
    return bmx.Model(formula, data).design


def test_rows_are_at_distinct_positions():
    (term,) = design("y ~ 1 + ou(time | g)").terms
    assert term.effects == ("(0.3)", "(1)", "(2.5)")
    assert term.positions == ((0.3,), (1.0,), (2.5,))
    np.testing.assert_array_equal(np.argmax(term.z, axis=1), [0, 0, 1, 2, 1, 2])
    np.testing.assert_array_equal(term.z.sum(axis=1), 1.0)


def test_a_field_may_be_of_a_single_level():
    (term,) = design("y ~ 1 + exp(time + north | one)").terms
    assert term.levels == ("all",)
    assert term.effects == ("(0.3,1)", "(1,2)", "(2.5,0)")


@pytest.mark.parametrize(
    ("formula", "message"),
    [
        ("y ~ 1 + ou(f | g)", "coordinates are numbers, and `f` is a factor"),
        ("y ~ 1 + ou(I(0 * time) | g)", "all rows are at one position"),
        ("y ~ 1 + ar1(time | g)", r"`ar1\(0 \+ factor\(time\) \| g\)` for times at equal steps, `ou\(time \| g\)`"),
        ("y ~ 1 + toep(time | g)", r"`toep\(0 \+ factor\(time\) \| g\)` for times at equal steps, `ou\(time \| g\)`"),
        ("y ~ 1 + toep(0 + f | one)", "single level `all`"),
    ],
)
def test_what_has_no_positions_is_refused(formula, message):
    with pytest.raises(DesignError, match=message):
        design(formula)


def test_new_rows_are_at_known_positions():
    model = bmx.Model("y ~ 1 + ou(time | g)", DATA | {"y": np.random.default_rng(1).normal(size=6)})
    fit = model.estimate()
    new = {"time": [2.5, 0.3], "g": ["u", "v"]}
    expected = fit.point.beta[0] + fit.ranef()["g"].to_numpy()[[0, 1], [2, 0]]
    np.testing.assert_allclose(fit.predict(new)["estimate"], expected, rtol=1e-12)
    rows = encode(fit.design.encoder, {"time": [7.0, 0.3, 7.0], "g": ["u", "u", "v"]})
    assert rows.terms[0].positions == (*fit.design.terms[0].positions, (7.0,))
    np.testing.assert_array_equal(rows.terms[0].z[:, -1], [1.0, 0.0, 1.0])
