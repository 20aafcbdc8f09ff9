"""One self-contained HTML page: readable on a phone, in a browser without network, and printed."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from io import BytesIO
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

# the browser itself refuses whatever would come from elsewhere
POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"

CSS = """
:root { --ink: #1f2328; --quiet: #59636e; --line: #d8dee4; --soft: #f6f8fa; --accent: #0072b2; }
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; }
body { margin: 0 auto; padding: 1.5rem 1rem 4rem; max-width: 66rem; color: var(--ink); background: #fff;
  font: 1rem/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }
h1 { font-size: 1.5rem; line-height: 1.25; margin: 0 0 .25rem; overflow-wrap: anywhere; }
h2 { font-size: 1.15rem; margin: 2.5rem 0 .75rem; padding-top: .75rem; border-top: 1px solid var(--line); }
h3 { font-size: .95rem; margin: 1.5rem 0 .25rem; }
p, li { margin: .5rem 0; max-width: 44rem; }
ul { padding-left: 1.25rem; }
li:only-child { list-style: none; margin-left: -1.25rem; }
.quiet { color: var(--quiet); }
code, pre { font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace; }
pre { margin: 0; padding: .75rem; font-size: .8rem; line-height: 1.45; }
nav { margin: 1rem 0 0; font-size: .9rem; }
nav a { color: var(--accent); margin-right: 1rem; white-space: nowrap; }
ul.verdict { list-style: none; padding: 0; margin: 1rem 0; }
ul.verdict li { padding: .4rem .75rem; margin: .4rem 0; background: #eef7f3; border-left: 4px solid #009e73; }
ul.verdict li::before { content: "✓ "; color: #00664a; }
ul.verdict code { font-size: .85em; overflow-wrap: anywhere; }
ul.verdict li.bad { background: #fdf0e8; border-left-color: #d55e00; }
ul.verdict li.bad::before { content: "! "; font-weight: 700; color: #a34000; }
p.maths { margin: .35rem 0; max-width: none; padding-left: 1.5rem; text-indent: -1.5rem; }
p.maths math { text-indent: 0; }
.words { margin: .75rem 0; }
.scroll { margin: .75rem 0; overflow-x: auto;
  background: var(--soft); border: 1px solid var(--line); border-radius: 6px; }
table { border: 0; border-collapse: collapse; font-size: .85rem; font-variant-numeric: tabular-nums; width: 100%; }
th, td { border: 0; padding: .3rem .6rem; text-align: right; vertical-align: baseline; }
td { white-space: nowrap; }
table.words td { white-space: normal; overflow-wrap: anywhere; }
th:first-child, td:first-child, table.words td, table.words th { text-align: left; }
thead tr { border-bottom: 1px solid var(--line); }
tbody tr { background: var(--soft); }
tbody tr:nth-child(even) { background: #fff; }
tbody th { font-weight: 600; }
figure { margin: 1.25rem 0; }
figure img { display: block; width: 100%; max-width: 46rem; height: auto; }
figcaption { font-size: .9rem; color: var(--quiet); max-width: 44rem; }
@media (max-width: 40rem) {
  body { padding: 1rem .75rem 3rem; }
  pre { font-size: .68rem; }
  .scroll:has(table) { overflow-x: visible; background: none; border: 0; border-radius: 0; }
  table, tbody, tbody tr, tbody th, tbody td { display: block; width: auto; }
  thead { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
  tbody tr { padding: .4rem .6rem; border-bottom: 1px solid var(--line); }
  tbody th, tbody td { padding: .1rem 0; text-align: left !important; overflow-wrap: anywhere; }
  tbody td { display: flex; justify-content: space-between; gap: 1rem; text-align: right !important;
    white-space: normal; }
  tbody td::before { content: attr(data-label); flex: none; max-width: 50%; color: var(--quiet); text-align: left; }
  tbody td:empty { display: none; }
}
@media print {
  @page { margin: 14mm; }
  body { max-width: none; padding: 0; font-size: 10pt; }
  nav { display: none; }
  h2, h3 { break-after: avoid; }
  .scroll { overflow: visible; border: 0; background: none; }
  pre { font-size: 6.8pt; padding: 0; white-space: pre-wrap; }
  table { font-size: 7.2pt; }
  th, td { padding: 1.5pt 3pt; white-space: normal; }
  tr, figure { break-inside: avoid; }
  figure img { max-width: 150mm; }
}
"""


@dataclass(frozen=True, slots=True)
class Part:
    """A heading and what stands below it, as HTML."""

    title: str
    body: str

    @property
    def anchor(self) -> str:
        """Name of the place in the page."""
        return "".join(letter if letter.isalnum() else "-" for letter in self.title.lower())


def page(title: str, lead: str, parts: Sequence[Part]) -> str:
    """The whole document; ``lead`` is the HTML between title and first part."""
    links = " ".join(f'<a href="#{part.anchor}">{escape(part.title)}</a>' for part in parts)
    sections = "\n".join(
        f'<section>\n<h2 id="{part.anchor}">{escape(part.title)}</h2>\n{part.body}\n</section>' for part in parts
    )
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="{POLICY}">
<title>{escape(title)}</title>
<style>{CSS}</style>
</head>
<body>
<header>
<h1>{escape(title)}</h1>
{lead}
<nav>{links}</nav>
</header>
<main>
{sections}
</main>
</body>
</html>
"""


def paragraph(text: str, *, quiet: bool = False) -> str:
    """A paragraph of plain text."""
    return f"<p{_class('quiet' if quiet else '')}>{escape(text)}</p>"


def verbatim(text: str) -> str:
    """Text in columns, as a terminal shows it; a keyboard can scroll it where it is wide."""
    return f'<div class="scroll" tabindex="0" role="region" aria-label="summary"><pre>{escape(text)}</pre></div>'


def scrolled(html: str) -> str:
    """A wide element that scrolls by itself on a small screen."""
    return f'<div class="scroll">{html}</div>'


def words_table(heading: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of text."""
    head = "".join(f'<th scope="col">{escape(cell)}</th>' for cell in heading)
    body = "".join(f"<tr>{_cells(heading, row)}</tr>\n" for row in rows)
    return scrolled(f'<table class="words"><thead><tr>{head}</tr></thead>\n<tbody>\n{body}</tbody></table>')


def _cells(heading: Sequence[str], row: Sequence[str]) -> str:
    """Cells of a row, the first its heading; each says what it is where there is no room for columns."""
    named = zip(heading[1:], row[1:], strict=True)
    cells = "".join(f'<td data-label="{escape(name)}">{escape(cell)}</td>' for name, cell in named)
    return f'<th scope="row">{escape(row[0])}</th>{cells}'


def numbers_table(table: pd.DataFrame) -> str:
    """A table of numbers with four significant digits."""
    cells = [[_number(value) for value in row] for row in table.to_numpy(object)]
    heading = "".join(f'<th scope="col">{escape(str(name))}</th>' for name in ("", *table.columns))
    rows = zip(map(str, table.index), cells, strict=True)
    body = "".join(f"<tr>{_cells(['', *map(str, table.columns)], [name, *row])}</tr>\n" for name, row in rows)
    return scrolled(f"<table><thead><tr>{heading}</tr></thead>\n<tbody>\n{body}</tbody></table>")


def _number(value: object) -> str:
    if isinstance(value, float):
        return "" if value != value else f"{value:.4g}"  # noqa: PLR0124 - not a number
    return str(value)


def verdicts(sentences: Iterable[tuple[bool, str]]) -> str:
    """Sentences, each good or bad."""
    items = "".join(f"<li{_class('' if good else 'bad')}>{escape(text)}</li>\n" for good, text in sentences)
    return f'<ul class="verdict">\n{items}</ul>'


def listed(texts: Iterable[str]) -> str:
    """A list of plain texts."""
    return f"<ul>{''.join(f'<li>{escape(text)}</li>' for text in texts)}</ul>"


def findings(rows: Iterable[tuple[bool, str, str, str]]) -> str:
    """What checks found: good or bad, topic, text, and the next command to type, if there is one."""
    items = "".join(
        f"<li{_class('' if good else 'bad')}><b>{escape(topic)}</b> {escape(text)}"
        f"{f'<br>Next: <code>{escape(command)}</code>' if command else ''}</li>\n"
        for good, topic, text, command in rows
    )
    return f'<ul class="verdict">\n{items}</ul>'


def picture(figure: Figure, caption: str, words: str) -> str:
    """A figure as part of the page, with ``words`` for those who cannot see it; dense layers of points are pixels."""
    import matplotlib as mpl

    buffer = BytesIO()
    with mpl.rc_context({"svg.hashsalt": "bayesmix"}):  # the same figure gives the same text
        figure.savefig(buffer, format="svg", dpi=160, metadata={"Date": None})
    source = f"data:image/svg+xml;base64,{b64encode(buffer.getvalue()).decode('ascii')}"
    image = f'<img alt="{escape(words)}" src="{source}">'
    return f"<figure>{image}<figcaption>{escape(caption)}</figcaption></figure>"


def _class(name: str) -> str:
    return f' class="{name}"' if name else ""
