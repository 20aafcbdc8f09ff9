"""Tables of pages for those who come from another package: what they write there, what they write here, what differs.

Rows of models hold our words alone; those of the other package are printed by `Model.code`.
"""

from __future__ import annotations

import html
import re
import tomllib
from importlib import import_module
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent / "rows"
PLACE = re.compile(r"<!-- rows: (\w+) of (\w+) -->")
LEFT_OUT = re.compile(r"^(library\(.*|# (lme4 has no priors|Priors are left out).*|import .*|fit = .*|\s*)$")
PRIORS = re.compile(
    r",\n  prior = c\(\n.*?\n  \)(?=\n)|^priors = \{\n.*?\n\}\n|\n    priors=priors,", flags=re.DOTALL | re.MULTILINE
)
MODELS = {  # what rows of verbs are of
    "reml": ('bmx.Model("Reaction ~ Days + (Days | Subject)", sleepstudy)', "estimate"),
    "laplace": (
        'bmx.Model("cbind(incidence, size - incidence) ~ period + (1 | herd)", cbpp, family="binomial")',
        "estimate",
    ),
    "post": ('bmx.Model("Reaction ~ Days + (Days | Subject)", sleepstudy)', "sample"),
    "counts": ('bmx.Model(["count ~ mined + (1 | site)", "zi ~ mined"], Salamanders, family="zip")', "estimate"),
}


class Names(dict[str, Any]):
    """Names that rows use: data sets and fits, made when they are asked for."""

    def __missing__(self, name: str) -> Any:
        import bayesmix as bmx

        if name == "bmx":
            return bmx
        if name == "az":
            return import_module("arviz")
        if name in MODELS:
            text, verb = MODELS[name]
            options = {"seed": 1, "draws": 250, "progress": False} if verb == "sample" else {}
            self[name] = getattr(eval(text, {}, self), verb)(**options)
        elif name == "model":
            self[name] = eval(MODELS["reml"][0], {}, self)
        elif name in bmx.dataset_names():
            self[name] = bmx.load_dataset(name)
        else:
            raise KeyError(name)
        return self[name]


def rows(package: str, table: str) -> list[dict[str, str]]:
    """The rows of a table."""
    return tomllib.loads((HERE / f"{package}.toml").read_text(encoding="utf-8")).get(table, [])


def packages() -> list[str]:
    """Packages that have tables."""
    return sorted(path.stem for path in HERE.glob("*.toml"))


def there(row: dict[str, str], package: str) -> str:
    """What is written in the other package."""
    if "there" in row:
        return row["there"].strip()
    names = Names()
    model = eval(row["ours"], {}, names)
    model.data_name = next(name for name in names if name not in {"bmx", "az"})
    return shortened(model.code(package))


def shortened(code: str) -> str:
    """Code without what all of it has: imports, priors of brms."""
    lines = [line for line in PRIORS.sub("", code).splitlines() if not LEFT_OUT.match(line)]
    text = "\n".join(lines)
    one = re.sub(r"\(\n\s+", "(", re.sub(r",\n\s+", ", ", text)).replace("\n)", ")")
    return one if "\n" not in one and len(one) < 60 else text


def with_tables(page: str) -> str:
    """HTML of a page with its tables in their places."""
    return PLACE.sub(lambda match: table(match[2], match[1]), page)


def table(package: str, kind: str) -> str:
    """A table in HTML, in which each row is a card where there is no room for columns."""
    heads = (package, "bayesmix", "What differs")
    head = "".join(f'<th scope="col">{text}</th>' for text in heads)
    body = "".join(_row(row, package, heads) for row in rows(package, kind))
    return f'<table class="rows"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'


def _row(row: dict[str, str], package: str, heads: tuple[str, ...]) -> str:
    cells = (_code(there(row, package)), _code(row["ours"].strip()), _words(row.get("differs", "")))
    return "<tr>" + "".join(f'<td data-label="{h}">{c}</td>' for h, c in zip(heads, cells, strict=True) if c) + "</tr>"


def _code(text: str) -> str:
    return f"<pre><code>{html.escape(text)}</code></pre>"


def _words(text: str) -> str:
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", html.escape(text, quote=False)) or "the same"
