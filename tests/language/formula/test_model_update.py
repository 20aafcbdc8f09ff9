"""Which formula of a model a change is of."""

from __future__ import annotations

from typing import Any

import pytest

from bayesmix.errors import FormulaError
from bayesmix.language.formula.model_spec import ModelSpec, make_spec
from bayesmix.language.formula.model_update import CONSTANT, updated_formulas
from bayesmix.language.formula.reader import read
from bayesmix.language.formula.terms import Terms, expand

SIMPLE = "y ~ x"
SEVERAL = ["y ~ x + (1 | g)", "sigma ~ w"]
TWO = ["a ~ x", "b ~ z + (1 | g)", "sigma_a ~ w"]


def fixed_of(spec: ModelSpec) -> list[Terms]:
    return [expand(read(one.formula.fixed)) if hasattr(one, "formula") else CONSTANT for one in spec.parameters]


@pytest.mark.parametrize(
    ("formulas", "changes", "new"),
    [
        (SIMPLE, "~ . + z", ["y ~ x + z"]),
        (SIMPLE, "log(.) ~ .", ["log(y) ~ x"]),
        (SIMPLE, "y ~ . - x", ["y ~ 1"]),
        (SIMPLE, {"mu": "~ . + z"}, ["y ~ x + z"]),
        (SIMPLE, "sigma ~ . + z", ["y ~ x", "sigma ~ 1 + z"]),
        (SIMPLE, ["~ . + z", "sigma ~ z"], ["y ~ x + z", "sigma ~ z"]),
        (SIMPLE, [], ["y ~ x"]),
        (SEVERAL, "~ . + z", ["y ~ x + z + (1 | g)", "sigma ~ w"]),
        (SEVERAL, "sigma ~ . - w + (1 | g)", ["y ~ x + (1 | g)", "sigma ~ 1 + (1 | g)"]),
        (SEVERAL, {"sigma": "~ . + z", "mu": "~ . - (1 | g)"}, ["y ~ x", "sigma ~ w + z"]),
        (SEVERAL, "~ . + z; sigma ~ 1", ["y ~ x + z + (1 | g)", "sigma ~ 1"]),
        (SIMPLE, {"mu": "log(.) ~ ."}, ["log(y) ~ x"]),
        (TWO, "b ~ . - (1 | g)", ["a ~ x", "b ~ z", "sigma_a ~ w"]),
        (
            TWO,
            ["~ . + z", "sigma_a ~ . + z", "sigma_b ~ x"],
            ["a ~ x + z", "b ~ z + (1 | g)", "sigma_a ~ w + z", "sigma_b ~ x"],
        ),
    ],
)
def test_changes_find_their_formulas(formulas: Any, changes: Any, new: list[str]) -> None:
    spec = make_spec(formulas, "gaussian", None, None)
    texts, labels = updated_formulas(spec, fixed_of(spec), changes)
    wanted = make_spec(new, "gaussian", None, None)
    found = make_spec(texts, "gaussian", None, None)
    assert {(one.prefix, str(one.formula)) for one in found.predictors} == {
        (one.prefix, str(one.formula)) for one in wanted.predictors
    }
    assert labels == [response.label for response in wanted.responses]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (["~ . + z", "~ . - x"], "does not say of which parameter"),
        ({"w": "~ ."}, "nothing of `w` that `.` could stand for"),
        ("shape ~ . + x", "nothing of `shape` that `.` could stand for"),
        (["~ . + z", "shape ~ . + x"], "nothing of `shape` that `.` could stand for"),
        (3, "A change of a formula is text"),
        ([3], "A change of a formula is text"),
    ],
)
def test_changes_of_nothing_are_refused(changes: Any, message: str) -> None:
    spec = make_spec(SEVERAL, "gaussian", None, None)
    with pytest.raises(FormulaError, match=message):
        updated_formulas(spec, fixed_of(spec), changes)


def test_new_parameters_of_another_family_have_formulas_of_their_own() -> None:
    spec = make_spec("y ~ x", "poisson", None, None)
    for change in ("zi ~ z", {"zi": "~ z"}):
        assert updated_formulas(spec, fixed_of(spec), change) == (["y ~ x", "zi ~ z"], ["y"])


def test_of_several_responses_another_one_needs_the_name_of_the_old() -> None:
    spec = make_spec(TWO[:2], "gaussian", None, None)
    assert updated_formulas(spec, fixed_of(spec), {"a": "log(.) ~ ."})[1] == ["log(a)", "b"]
    with pytest.raises(FormulaError, match=r"nothing of `c` that `\.` could stand for"):
        updated_formulas(spec, fixed_of(spec), "c ~ .")
