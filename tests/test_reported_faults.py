"""Faults that were found on other people's data: each input has a test, and each row of the tables is an input."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

import pytest
from reported_inputs import ELSEWHERE, TABLES

TESTS = Path(__file__).parent
INPUTS = 170  # of the report and the public threads, single ones


@cache
def module(file: str) -> ast.Module:
    return ast.parse((TESTS / file).read_text("utf-8"))


@cache
def texts(file: str) -> frozenset[str]:
    """Strings of a module that are no docstrings."""
    nodes = list(ast.walk(module(file)))
    docs = {id(node.value) for node in nodes if isinstance(node, ast.Expr)}
    constants = (node for node in nodes if isinstance(node, ast.Constant) and id(node) not in docs)
    return frozenset(node.value for node in constants if isinstance(node.value, str))


@cache
def functions(file: str) -> frozenset[str]:
    return frozenset(node.name for node in module(file).body if isinstance(node, ast.FunctionDef))


def test_no_input_is_counted_twice_or_forgotten() -> None:
    rows = [row for own in TABLES.values() for row in own]
    assert len(rows) == len(set(rows))
    assert not set(rows) & ELSEWHERE.keys()
    assert len(rows) + len(ELSEWHERE) >= INPUTS


@pytest.mark.parametrize("fault", ELSEWHERE)
def test_a_test_holds_it(fault: str) -> None:
    assert ELSEWHERE[fault]
    for holder in ELSEWHERE[fault]:
        file, _, test = holder.partition("::")
        name, _, row = test.partition("[")
        if file.endswith(".py"):
            assert name in functions(file), holder
            assert not row or row.removesuffix("]") in texts(file), holder
        else:
            assert name in (TESTS / file).read_text("utf-8"), holder


@pytest.mark.parametrize("file", TABLES)
def test_the_tables_have_these_rows_and_no_others(file: str) -> None:
    assert {text for text in texts(f"reported/{file}") if is_input(text)} == set(TABLES[file])


def is_input(text: str) -> bool:
    """Whether a text is called as inputs are: a letter, a number where it has one, and words."""
    first, _, rest = text.partition(" ")
    return bool(rest) and (first in tuple("CDEFGP") or (first[:1] in tuple("AB") and first[1:].isdigit()))


def test_every_table_is_listed() -> None:
    assert {path.name for path in (TESTS / "reported").glob("test_*.py")} == set(TABLES)
