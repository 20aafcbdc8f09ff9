"""Tables with words: text no wider than a page, Markdown and HTML with every cell and nothing that breaks them."""

from __future__ import annotations

import xml.etree.ElementTree as ET

from bayesmix.results.tables.blocks import Block, to_html, to_markdown, to_text
from bayesmix.results.tables.r_printing import PAGE

WORDS = (
    "Estimates differ by 12.5 % of a posterior standard deviation, " * 3 + "a non-negligible amount.",
    "A short one.",
)
TABLE = Block(
    "Title <of> a & b",
    ("x", "a|b"),
    (("first", ("1.0", " 20.5")), ("second", ("-", "3 < 4"))),
    WORDS,
)


def test_paragraphs_are_wrapped_between_words():
    """Continued lines are indented; numbers stay with their sign, hyphens within their words."""
    *_, paragraphs = to_text([TABLE]).split("\n\n")
    lines = paragraphs.split("\n")
    assert all(len(line) <= PAGE for line in lines)
    assert lines[-1] == WORDS[1]
    assert all(line.startswith("  ") for line in lines[1:-1])
    assert " ".join(line.strip() for line in lines[:-1]) == WORDS[0].strip()
    for length in range(PAGE - 12, PAGE + 3):  # wherever the line ends
        text = to_text([Block("t", words=("a" * length + " 12.5 % non-negligible",))])
        assert "12.5 %" in text
        assert "non-negligible" in text
        assert "\N{NO-BREAK SPACE}" not in text


def test_text_has_a_title_a_table_and_words():
    lines = to_text([TABLE, Block("Alone")]).split("\n")
    assert lines[0] == TABLE.title
    assert [line.split() for line in lines[1:5]] == [
        [],
        ["first", "second"],
        ["x", "1.0", "-"],
        ["a|b", "20.5", "3", "<", "4"],
    ]
    assert lines[-3:] == [WORDS[1], "", "Alone"]


def test_markdown_escapes_its_pipes():
    lines = to_markdown([TABLE]).split("\n")
    assert lines == [
        "### Title <of> a & b",
        "",
        "|  | first | second |",
        "| --- | ---: | ---: |",
        "| x | 1.0 | - |",
        "| a\\|b | 20.5 | 3 < 4 |",
        "",
        *(f"- {paragraph}" for paragraph in WORDS),
    ]
    assert to_markdown([Block("One"), Block("Two", words=("w",))]) == "### One\n\n### Two\n\n- w"


def test_html_is_well_formed():
    tree = ET.fromstring(f"<div>{to_html([TABLE, Block('Alone')])}</div>")
    assert [own.text for own in tree.findall("h4")] == [TABLE.title, "Alone"]
    assert [own.text for own in tree.findall("./table/thead/tr/th")] == ["first", "second"]
    rows = [[own.text for own in row] for row in tree.findall("./table/tbody/tr")]
    assert rows == [["x", "1.0", "-"], ["a|b", "20.5", "3 < 4"]]
    assert [own.text for own in tree.findall("./ul/li")] == list(WORDS)
    assert len(tree.findall("table")) == 1
