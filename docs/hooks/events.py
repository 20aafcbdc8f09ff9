"""Events of MkDocs: pages that are made of other files, outputs of code blocks, formulas."""

from __future__ import annotations

import base64
import html
import re
import sys
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

import chapter  # noqa: E402
import execution  # noqa: E402
import migration  # noqa: E402
import simulations  # noqa: E402
from mathematics import with_mathematics  # noqa: E402

ROOT = HERE.parents[1]
OUTPUTS: dict[str, list[list[execution.Output]]] = {}
TEST = re.compile(r"<code>([\w./]+\.py(?:::\w+)?)</code>")
HEADING = re.compile(r"<(/?)h[1-6]\b[^>]*>")
PLACE = "<!--outputs of block {}-->"


def on_files(files: Any, config: Any) -> Any:
    """Add the pages that are made of other files, and run the code of all pages."""
    for name, text in made().items():
        files.append(File.generated(config, name, content=text))
    pages = {file.src_uri: file.content_string for file in files.documentation_pages()}
    OUTPUTS.clear()
    OUTPUTS.update(execution.outputs_of_all(pages))
    return files


def made() -> dict[str, str]:
    """Pages by name, made of notebooks, benchmarks, simulations and changes."""
    pages = {f"chapter/{path.stem}.md": chapter.page_of(path) for path in chapter.notebooks()}
    pages["benchmarks.md"] = (ROOT / "benchmarks" / "RESULTS.md").read_text(encoding="utf-8")
    pages["simulations.md"] = simulations.page()
    pages["changes.md"] = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    return pages


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Mark where outputs go, below each block; options of blocks that are ours are left out."""
    places = iter(range(10_000))

    def marked(match: re.Match[str]) -> str:
        language, _, code = match.groups()
        return f"```{language}\n{code}```\n\n{PLACE.format(next(places))}\n"

    return execution.FENCE.sub(marked, markdown) if page.file.src_uri in OUTPUTS else markdown


def on_page_content(html: str, page: Any, **_: Any) -> str:
    """Put outputs in their places, and formulas."""
    for number, own in enumerate(OUTPUTS.get(page.file.src_uri, [])):
        shown = "".join(_html(one, page, f"{number}-{i}") for i, one in enumerate(own))
        html = html.replace(PLACE.format(number), shown)
    return with_mathematics(migration.with_tables(with_folds(html)))


def with_folds(html: str) -> str:
    """Names of files and tests that fold between their words: they are wider than a column of a table."""
    return TEST.sub(lambda match: f"<code>{re.sub('([/_]|::)', r'\g<1><wbr>', match[1])}</code>", html)


def _html(output: execution.Output, page: Any, number: str) -> str:
    match output.kind:
        case "text":
            return f'<div class="output" tabindex="0"><pre>{html.escape(output.content)}</pre></div>'
        case "html":
            content = HEADING.sub(r"<\1p>", output.content)  # no heading of the page
            return f'<div class="output" tabindex="0">{content}</div>'
    source = "../" * page.file.dest_uri.count("/") + _name(page.file.src_uri, number)
    size = f'width="{output.width}" height="{_height(output)}" loading="lazy"'
    return f'<figure class="output"><img src="{source}" alt="{html.escape(output.alt)}" {size}></figure>'


def _height(output: execution.Output) -> int:
    """Of a figure in pixels of CSS, by its PNG's own size, so that nothing moves when it is loaded."""
    start = base64.b64decode(output.content[:32])
    width, height = (int.from_bytes(start[i : i + 4]) for i in (16, 20))
    return round(output.width * height / width)


def _name(page: str, number: str) -> str:
    """Path of a figure in the site."""
    return f"figures/{page.removesuffix('.md').replace('/', '-')}-{number}.png"


def on_post_build(config: Any) -> None:
    """Write the figures."""
    for page, outputs in OUTPUTS.items():
        for number, own in enumerate(outputs):
            for i, output in enumerate(own):
                if output.kind == "figure":
                    path = Path(config["site_dir"]) / _name(page, f"{number}-{i}")
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path.write_bytes(base64.b64decode(output.content))
