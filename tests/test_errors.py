"""What errors say: the place in a text, the nearest name, the line of the user's own code."""

from __future__ import annotations

import pickle
import warnings

import pytest

import bayesmix as bmx
from bayesmix.errors import MOST, PACKAGE, BayesmixError, BayesmixWarning, PriorWarning, caret, nearest, warn_user


@pytest.mark.parametrize(
    ("name", "known", "said"),
    [
        ("Dayz", ["Reaction", "Days", "Subject"], "Days"),
        ("SUBJECT", ["Reaction", "Days", "Subject"], "Subject"),  # letters of another case are near
        ("gausian", ["gaussian", "gamma"], "gaussian"),
        ("cat:sub", ["cat", "sub:cat"], "sub:cat"),  # as (1 | cat/sub) is written
        ("sd(cat:sub, Intercept)", ["sd(cat, Intercept)", "sd(sub:cat, Intercept)"], "sd(sub:cat, Intercept)"),
        ("x", ["Reaction", "Days"], None),
        ("Days", [], None),
    ],
)
def test_the_nearest_name_is_offered(name: str, known: list[str], said: str | None) -> None:
    assert nearest(name, known) == ("" if said is None else f" Did you mean `{said}`?")


@pytest.mark.parametrize("position", [0, 4, 9])
def test_the_caret_is_below_its_character(position: int) -> None:
    text = "y ~ x\n+ (z)"
    shown, mark = caret(text, position).split("\n")
    assert mark.index("^") == 2 + position
    assert len(shown) == 2 + len(text)  # a new line is a blank, so that there is one line


def test_long_messages_are_cut_in_their_middle() -> None:
    """They quote what was given, be it of a megabyte: how they begin and end says what is wrong, and what to do."""
    said = str(BayesmixError(f"Prior `{'x' * 1_000_000}` cannot be read. Write a name."))
    assert len(said) == MOST
    assert said.startswith("Prior `xxx")
    assert said.endswith("xxx` cannot be read. Write a name.")
    for text in ("short", "x" * MOST):
        assert str(BayesmixError(text)) == text
    assert str(pickle.loads(pickle.dumps(BayesmixError("short")))) == "short"


def test_letters_that_terminals_obey_are_spelt_out() -> None:
    """Names of columns and levels come from files, perhaps of strangers; a new line and a caret stay."""
    assert str(BayesmixError("`a\x1b[31m\u202e`\n  ^")) == r"`a\x1b[31m\u202e`" + "\n  ^"
    with pytest.warns(BayesmixWarning, match=r"`a\\x1b\[31m`"):
        warn_user("`a\x1b[31m`", BayesmixWarning)


def test_warnings_point_at_the_caller() -> None:
    """At this file, not at the module of the package that found the reason."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        bmx.Model(
            "y ~ x + I(2 * x) + (1 | g)", {"y": [1.0, 3.0, 2.0, 4.0], "x": [1.0, 2.0, 4.0, 3.0], "g": list("aabb")}
        )
        warn_user("said", PriorWarning)
    assert [one.category for one in caught] == [bmx.DroppedWarning, PriorWarning]
    assert not caught[0].filename.startswith(PACKAGE)
    assert caught[0].filename == __file__


def test_each_error_is_one_of_ours() -> None:
    """And so a person can catch or filter all of them with one name."""
    named = {name: getattr(bmx, name) for name in bmx.__all__ if name.endswith(("Error", "Warning"))}
    assert len(named) >= 11
    for name, one in named.items():
        assert issubclass(one, BayesmixError if name.endswith("Error") else BayesmixWarning)
