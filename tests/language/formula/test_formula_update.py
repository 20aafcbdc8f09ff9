"""Changes of formulas, held against R 4.2's ``update.formula``."""

from __future__ import annotations

import pytest

from bayesmix.errors import FormulaError
from bayesmix.language.formula.formula_update import updated
from bayesmix.language.formula.parse import Formula, parse
from bayesmix.language.formula.reader import read
from bayesmix.language.formula.terms import Terms, expand

# old formula, change, and what R 4.2.2 makes of them: deparse(update(as.formula(old), as.formula(change)))
OF_R = [
    ("y ~ x", "~ . + z", "y ~ x + z"),
    ("y ~ x", "y ~ .", "y ~ x"),
    ("y ~ a*b", "~ . - a:b", "y ~ a + b"),
    ("y ~ a*b", "~ . - a", "y ~ b + a:b"),
    ("y ~ a + b", "~ .^2", "y ~ a + b + a:b"),
    ("y ~ a + b", "~ .:z", "y ~ a:z + b:z"),
    ("y ~ a + b", "~ . * z", "y ~ a + b + z + a:z + b:z"),
    ("y ~ 0 + a", "~ . + z", "y ~ a + z - 1"),
    ("y ~ 0 + a", "~ . + 1", "y ~ a"),
    ("y ~ a", "~ . - 1", "y ~ a - 1"),
    ("y ~ a", "log(.) ~ .", "log(y) ~ a"),
    ("y ~ a", "sqrt(y) ~ . + I(a^2)", "sqrt(y) ~ a + I(a^2)"),
    ("cbind(s, f) ~ a", ". ~ 1", "cbind(s, f) ~ 1"),
    ("log(y) ~ a", "./2 ~ .", "log(y)/2 ~ a"),
    ("y ~ a + offset(o)", "~ . + b", "y ~ a + b + offset(o)"),
    ("y ~ a + (1 | g)", "~ . + b", "y ~ a + (1 | g) + b"),
    ("y ~ a + (1 | g) + (0 + a | h)", "~ . - (1 | g)", "y ~ a + (0 + a | h)"),
    ("y ~ poly(x, 2) + f", "~ . - poly(x, 2)", "y ~ f"),
    ("y ~ (a + b + c)^2", "~ . - a:b - c", "y ~ a + b + a:c + b:c"),
    ("y ~ a %in% b", "~ . + b", "y ~ b + a:b"),
    ("y ~ a/b", "~ b + .", "y ~ b + a + b:a"),
    ("y ~ a", "~ z", "y ~ z"),
]
# what R has not: brms's and lme4's parts of formulas
OURS = [
    ("y ~ x + (x | g)", ".~. - x", "y ~ (x | g)"),
    ("y ~ x + (x | g)", "~ . - (1 + x | g) + (1 | g)", "y ~ x + (1 | g)"),
    ("y ~ a*b + (1 | g/h)", "~ . - (1 | g)", "y ~ a*b + (1 | h:g)"),
    ("y ~ x + (x || g)", "~ . - (0 + x || g)", "y ~ x + (1 | g)"),
    ("y ~ x + (a*b | g)", "~ . - (a + b + a:b | g)", "y ~ x"),
    ("y ~ x + cs(1 + x | g)", "~ . - cs(1 + x | g)", "y ~ x"),
    ("y ~ a + (1 | g) + offset(o)", "~ .:z", "y ~ a:z + (1 | g) + offset(o)"),
    ("y ~ a + (1 | g)", "~ b", "y ~ b"),
    ("y ~ a + offset(o)", "~ . - offset(o)", "y ~ a"),
    ("y | weights(w) ~ x", "~ . + z", "y | weights(w) ~ x + z"),
    ("y | weights(w) ~ x", "log(.) | weights(w) ~ .", "log(y) | weights(w) ~ x"),
    ("`a b` ~ x", "log(.) ~ . + `c d`", "log(`a b`) ~ x + `c d`"),
]


def fixed_of(formula: Formula) -> Terms:
    return expand(read(formula.fixed))


def meaning(formula: Formula) -> tuple[object, ...]:
    terms = fixed_of(formula)
    labels = {frozenset(label.split(":")) for label in terms.labels}
    return formula.left, terms.intercept, labels, set(formula.bars), formula.offsets


@pytest.mark.parametrize(("old", "change", "new"), OF_R + OURS)
def test_changes_are_those_of_r(old: str, change: str, new: str) -> None:
    found = updated(parse(old), fixed_of(parse(old)), change)
    assert meaning(found) == meaning(parse(new))
    assert meaning(parse(str(found))) == meaning(found)


@pytest.mark.parametrize(
    ("old", "change", "message"),
    [
        ("y ~ x", "~ . - z", "There is no `z` to remove"),
        ("y ~ x + (1 | g)", "~ . - (1 | h)", r"There is no `\(1 | h\)` to remove"),
        ("y ~ x + (x | g)", "~ . - (1 | g)", r"Random effects: `\(1 \+ x | g\)`"),
        ("y ~ x", "~ . - offset(o)", r"no `offset\(o\)` to remove"),
        ("y ~ x", "~ z - .", "cannot be subtracted"),
        ("y ~ 1", "~ .:z", "needs fixed effects in place of"),
        ("y | cens(c) ~ x", "log(y) ~ .", r"Write it: `log\(y\) \| cens\(c\) ~ "),
        ("y ~ x", "~ . + y", "The response is also a predictor"),
        ("y ~ x", "z", "there is no `~`"),
    ],
)
def test_what_cannot_be_changed_is_refused(old: str, change: str, message: str) -> None:
    with pytest.raises(FormulaError, match=message):
        updated(parse(old), fixed_of(parse(old)), change)


def test_the_dot_is_what_it_stood_for() -> None:
    """The formula of ``y ~ .`` is that of the columns that there were."""
    old = parse("y ~ . + (1 | g)")
    assert updated(old, expand(read(old.fixed), ("a", "b")), "~ . - b").fixed == "a"
