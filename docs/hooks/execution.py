"""Code blocks of pages, run from top to bottom of a page, with what they print and draw."""

from __future__ import annotations

import ast
import base64
import contextlib
import hashlib
import io
import json
import os
import re
import shlex
import tempfile
import warnings
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
KEPT = ROOT / ".cache" / "docs"  # outputs of pages that were run before, by what they depend on
FENCE = re.compile(r"^```(python|sh)([^\n`]*)\n(.*?)^```$", flags=re.MULTILINE | re.DOTALL)
ALT = re.compile(r'alt="([^"]*)"')
DPI = 144
WORKERS = 2


@dataclass(frozen=True, slots=True)
class Block:
    """A code block: Python, or lines for a shell."""

    language: str
    code: str
    alt: str = ""  # what its figure shows, for those who do not see it

    @property
    def is_run(self) -> bool:
        """Whether it is run: all of Python, and commands of bayesmix."""
        return self.language == "python" or "bayesmix " in self.code


@dataclass(frozen=True, slots=True)
class Output:
    """What a block printed, or a figure."""

    kind: str  # "text", "html", "figure"
    content: str  # of a figure a PNG in base 64
    alt: str = ""
    width: int = 0  # of a figure, in pixels of CSS


def blocks(text: str) -> list[Block]:
    """The code blocks of a page."""
    found = []
    for language, options, code in FENCE.findall(text):
        alt = ALT.search(options)
        found.append(Block(language, code, alt.group(1) if alt else ""))
    return found


def kept_outputs(text: str) -> list[list[Output]]:
    """The outputs of a page's blocks: of an earlier run if nothing has changed since, else of one now."""
    path = KEPT / f"{_fingerprint(text)}.json"
    if not path.exists():
        outputs = run(text)
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(f".{os.getpid()}")
        part.write_text(json.dumps([[asdict(one) for one in own] for own in outputs]), encoding="utf-8")
        part.replace(path)
    return [[Output(**one) for one in own] for own in json.loads(path.read_text(encoding="utf-8"))]


def outputs_of_all(texts: dict[str, str]) -> dict[str, list[list[Output]]]:
    """The outputs of many pages, by name, run side by side."""
    with_code = {name: text for name, text in texts.items() if any(one.is_run for one in blocks(text))}
    missing = [text for text in with_code.values() if not (KEPT / f"{_fingerprint(text)}.json").exists()]
    if len(missing) > 1:
        with ProcessPoolExecutor(WORKERS) as pool:
            list(pool.map(kept_outputs, missing))
    return {name: kept_outputs(text) for name, text in with_code.items()}


def _fingerprint(text: str) -> str:
    """Of a page and of all that its outputs depend on."""
    return hashlib.sha256(f"{_sources()}{text}".encode()).hexdigest()[:24]


@cache
def _sources() -> str:
    packages = " ".join(
        f"{name} {version(name)}" for name in ("arviz", "matplotlib", "numpy", "pandas", "pymc", "scipy")
    )
    digest = hashlib.sha256(Path(__file__).read_bytes() + packages.encode())
    for folder in ("bayesmix", "models"):
        for path in sorted((ROOT / folder).rglob("*")):
            if path.is_file() and path.suffix != ".pyc":
                digest.update(str(path.relative_to(ROOT)).encode() + path.read_bytes())
    return digest.hexdigest()


# ---- a page -----------------------------------------------------------------------------------------------------


def run(text: str) -> list[list[Output]]:
    """Run the blocks of a page in one namespace and an empty folder; warnings of bayesmix are errors."""
    import matplotlib as mpl

    from bayesmix.errors import BayesmixWarning

    mpl.use("agg")
    os.environ["COLUMNS"] = "80"
    namespace: dict[str, Any] = {"__name__": "page"}
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", BayesmixWarning)
        return [list(_run_block(block, namespace)) for block in blocks(text)]


def _run_block(block: Block, namespace: dict[str, Any]) -> Iterator[Output]:
    if not block.is_run:
        return
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        value = _value(block.code, namespace) if block.language == "python" else _run_commands(block.code)
    if printed.getvalue().strip():
        yield Output("text", printed.getvalue().rstrip())
    if value is not None:
        yield _shown(value, block.alt)


def _value(code: str, namespace: dict[str, Any]) -> Any:
    """Run code; the value of its last line, if that is an expression."""
    tree = ast.parse(code)
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    exec(compile(tree, "<page>", "exec"), namespace)
    return None if last is None else eval(compile(ast.Expression(last.value), "<page>", "eval"), namespace)


def _run_commands(code: str) -> None:
    """Run the commands of bayesmix and print what they print."""
    from typer.testing import CliRunner

    from bayesmix.present.cli import app

    for line in code.replace("\\\n", " ").splitlines():
        command = line.partition("bayesmix ")[2] if line.startswith(("bayesmix ", "uv run bayesmix ")) else ""
        if command:
            result = CliRunner().invoke(app, [*shlex.split(command, comments=True)], env={"COLUMNS": "80"})
            if result.exit_code > 1:
                raise RuntimeError(f"{line}\n{result.output}")
            print(result.stdout.rstrip())


def _shown(value: Any, alt: str) -> Output:
    """A value as a notebook shows it: a figure, a table of pandas, or text."""
    from matplotlib.figure import Figure

    if isinstance(value, Figure):
        return _figure(value, alt)
    if type(value).__module__.startswith(("pandas", "bayesmix")) and hasattr(value, "_repr_html_"):
        return Output("html", _without_style(value._repr_html_()))
    return Output("text", repr(value))


def _without_style(html: str) -> str:
    """A table without pandas' own style sheet and frame."""
    html = re.sub(r"<style[^>]*>.*?</style>", "", html, flags=re.DOTALL)
    return html.replace(' border="1"', "")


def _figure(figure: Any, alt: str) -> Output:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=DPI, metadata={"Software": None})
    content = base64.b64encode(buffer.getvalue()).decode()
    return Output("figure", content, alt or described(figure), round(96 * figure.get_size_inches()[0]))


def described(figure: Any) -> str:
    """A figure in words: its panels, axes, and what its legend says."""
    shown = [axes for axes in figure.axes if axes.get_visible()]
    panels = f"Figure of {len(shown)} panels" if len(shown) > 1 else "Figure"
    titles = _once(axes.get_title(loc="left") or axes.get_title() for axes in shown)
    below, beside = figure.get_supxlabel(), figure.get_supylabel()
    pairs = [(axes.get_ylabel() or beside, axes.get_xlabel() or below) for axes in shown]
    labels = _once(f"{y} against {x}" if x and y else x or y for y, x in pairs)
    legends = [*figure.legends, *filter(None, (axes.get_legend() for axes in shown))]
    marks = _once(text.get_text() for own in legends for text in (own.get_title(), *own.get_texts()))
    parts = (panels, ", ".join(titles[:6]), "; ".join(labels[:6]), "; ".join(marks[:8]))
    return " ".join(". ".join(filter(None, parts)).replace('"', "'").split())


def _once(texts: Iterator[str]) -> list[str]:
    return [text for text in dict.fromkeys(texts) if text.strip()]
