"""What stands right of a bar beside factors."""

from __future__ import annotations

import pytest

from bayesmix.errors import FormulaError
from bayesmix.language.formula.grouping import ALONE, Grouping
from bayesmix.language.formula.parse import parse

SAID = {  # text of the right side: factors, what is said, as it is printed
    "g": (("g",), ALONE, "g"),
    "gr(g)": (("g",), ALONE, "g"),
    "gr(g, cov = A)": (("g",), Grouping("gr", cov="A"), "gr(g, cov = A)"),
    "(gr(g,by=h))": (("g",), Grouping("gr", by="h"), "gr(g, by = h)"),
    'gr(a:b, dist = "student")': (("a", "b"), Grouping("gr", dist="student"), 'gr(a:b, dist = "student")'),
    "gr(`my g`, cov = A, by = `h 2`)": (
        ("`my g`",),
        Grouping("gr", cov="A", by="`h 2`"),
        "gr(`my g`, by = `h 2`, cov = A)",
    ),
    "mm(a, b)": (("a", "b"), Grouping("mm"), "mm(a, b)"),
    "mm(a, b, weights = cbind(w, 1 - w), scale = FALSE)": (
        ("a", "b"),
        Grouping("mm", weights=("w", "1 - w"), scale=False),
        "mm(a, b, weights = cbind(w, 1 - w), scale = FALSE)",
    ),
}


@pytest.mark.parametrize("text", SAID)
def test_right_sides(text):
    factors, grouping, printed = SAID[text]
    formula = parse(f"y ~ x + (1 + x | {text})")
    (bar,) = formula.bars
    assert (bar.group, bar.grouping) == (factors, grouping)
    assert str(bar) == f"(1 + x | {printed})"
    assert parse(str(formula)) == formula


def test_double_bars_and_structures():
    bars = parse("y ~ x + (x || gr(g, cov = A)) + cs(x | gr(h, cov = B))").bars
    assert [str(bar) for bar in bars] == [
        "(1 | gr(g, cov = A))",
        "(0 + x || gr(g, cov = A))",
        "cs(1 + x | gr(h, cov = B))",
    ]


def test_names_and_columns():
    formula = parse("y ~ (1 | gr(g, by = h, cov = A)) + (1 | mm(a, b, weights = cbind(w1, w2)))")
    assert formula.columns == ("y", "g", "h", "a", "b", "w1", "w2")
    assert [bar.grouping.name(bar.group) for bar in formula.bars] == ["g", "mmab"]


REFUSED = {
    "y ~ gr(g)": "right of a bar",
    "y ~ (1 | gr(a, b))": "one grouping factor",
    "y ~ (1 | gr(a / b, by = h))": "one by one",
    "y ~ (1 | gr(a:b, cov = A))": "Make the combination a column",
    "y ~ (1 | gr(g, cov = 3))": 'data2={"A": A}',
    "y ~ (1 | gr(g, foo = A))": "`cov =`, `by =`, `dist =`",
    'y ~ (1 | gr(g, dist = "cauchy"))': '"gaussian" or "student"',
    "y ~ (1 | gr(g, by = log(h)))": "by = h",
    "y ~ (1 | mm(a))": "one for each membership",
    "y ~ (1 | mm(a, b:c))": "Make the combination a column",
    "y ~ (1 | mm(a, b, weights = w))": "cbind(w1, w2)",
    "y ~ (1 | mm(a, b, weights = cbind(w)))": "1 weights for 2 factors",
    "y ~ (1 | mm(a, b, scale = 1))": "TRUE nor FALSE",
    "y ~ (1 | mm(a, b, cov = A))": "`weights =`, `scale =`",
    "y ~ (1 | mmc(x1, x2))": "mm(g1, g2)",
}


@pytest.mark.parametrize("text", REFUSED)
def test_refusals_say_what_to_write(text):
    with pytest.raises(FormulaError) as caught:
        parse(text)
    assert REFUSED[text] in str(caught.value)


def test_one_covariance_has_one_grouping():
    from bayesmix.language.formula.model_spec import make_spec

    with pytest.raises(FormulaError, match="levels of `gr\\(g, cov = A\\)`, and here of `g`"):
        make_spec(["y ~ x + (1 |p| gr(g, cov = A))", "sigma ~ (1 |p| g)"], "gaussian", None, None)
