"""Tables with words below them, as text, Markdown and HTML."""

from __future__ import annotations

import html
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from bayesmix.results.tables.r_printing import paragraph, table_lines


@dataclass(frozen=True, slots=True)
class Block:
    """A heading, a table (names of rows; heading and cells of each column), and paragraphs."""

    title: str
    rows: tuple[str, ...] = ()
    columns: tuple[tuple[str, tuple[str, ...]], ...] = ()
    words: tuple[str, ...] = ()


def to_text(blocks: Iterable[Block]) -> str:
    """Blocks one below the other, wide tables in parts, none wider than a page."""
    return "\n\n".join("\n".join(_text_lines(block)) for block in blocks)


def _text_lines(block: Block) -> Iterator[str]:
    yield from paragraph(block.title, indent=2)
    if block.columns:
        yield ""
        yield from _table_lines(block)
    if block.words:
        yield ""
    for text in block.words:
        yield from paragraph(text, indent=2)


def _table_lines(block: Block) -> list[str]:
    """Columns two spaces apart where all of them fit on a page, else one."""
    lines = table_lines(block.rows, [(f" {heading}", cells) for heading, cells in block.columns])
    return lines if len(lines) == len(block.rows) + 1 else table_lines(block.rows, block.columns)


def to_markdown(blocks: Iterable[Block]) -> str:
    """Blocks as headings, pipe tables and lists."""
    return "\n\n".join("\n".join(_markdown_lines(block)) for block in blocks)


def _markdown_lines(block: Block) -> Iterator[str]:
    yield f"### {block.title}"
    if block.columns:
        yield ""
        yield _piped(["", *(heading for heading, _ in block.columns)])
        yield _piped(["---", *("---:" for _ in block.columns)])
        for i, name in enumerate(block.rows):
            yield _piped([name, *(cells[i] for _, cells in block.columns)])
    if block.words:
        yield ""
        yield from (f"- {paragraph}" for paragraph in block.words)


def _piped(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.strip().replace("|", "\\|") for cell in cells) + " |"


def to_html(blocks: Iterable[Block]) -> str:
    """Blocks as headings, tables and lists, without any style of their own."""
    return "\n".join(line for block in blocks for line in _html_lines(block))


def _html_lines(block: Block) -> Iterator[str]:
    yield f"<h4>{html.escape(block.title)}</h4>"
    if block.columns:
        yield "<table>"
        headings = "".join(_cell('th scope="col"', heading) for heading, _ in block.columns)
        yield f"<thead><tr><td></td>{headings}</tr></thead>"
        yield "<tbody>"
        for i, name in enumerate(block.rows):
            cells = "".join(
                _cell(f'td data-label="{html.escape(heading.strip())}"', cells[i]) for heading, cells in block.columns
            )
            yield f'<tr><th scope="row" style="text-align: left">{html.escape(name)}</th>{cells}</tr>'
        yield "</tbody></table>"
    if block.words:
        yield "<ul>" + "".join(f"<li>{html.escape(paragraph)}</li>" for paragraph in block.words) + "</ul>"


def _cell(opening: str, text: str) -> str:
    return f'<{opening} style="text-align: right">{html.escape(text.strip())}</{opening.partition(" ")[0]}>'
