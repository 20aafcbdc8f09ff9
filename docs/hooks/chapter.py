"""Notebooks as pages: text as it is, cells as code blocks."""

from __future__ import annotations

import json
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
DETAILS = '<details markdown="1">'  # notebooks read what is in it as Markdown, MkDocs only if told to


def notebooks() -> list[Path]:
    """The notebooks, in their order."""
    return sorted((ROOT / "notebooks").glob("*.ipynb"))


def page_of(path: Path) -> str:
    """A notebook in Markdown; links to other notebooks lead to their pages."""
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    text = "\n\n".join(_cell(cell["cell_type"], "".join(cell["source"])) for cell in cells)
    return re.sub(r"\]\((\w+)\.ipynb", r"](\1.md", text) + "\n"


def _cell(kind: str, source: str) -> str:
    return f"```python\n{source}\n```" if kind == "code" else _spaced(source)


def _spaced(text: str) -> str:
    """Displayed formulas on lines of their own, and details read, as Markdown outside of notebooks wants it."""
    return re.sub(r"\n*(\$\$.+?\$\$)\n*", r"\n\n\1\n\n", text, flags=re.DOTALL).replace("<details>", DETAILS)
