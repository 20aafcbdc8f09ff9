"""Formulas of pages as MathML, which browsers draw without any script."""

from __future__ import annotations

import html
import re

from latex2mathml.converter import convert

MARKED = re.compile(
    r'<(?P<tag>span|div) class="arithmatex">\\(?P<open>[(\[])(?P<text>.*?)\\[)\]]</(?P=tag)>', flags=re.DOTALL
)


def with_mathematics(page: str) -> str:
    """HTML with every formula as MathML; what was typed is its alternative text."""
    return MARKED.sub(_formula, page)


def _formula(match: re.Match[str]) -> str:
    text = html.unescape(match["text"]).strip()
    display = "block" if match["open"] == "[" else "inline"
    mathml = convert(text, display=display).replace("<math ", f'<math alttext="{html.escape(text)}" ', 1)
    mathml = mathml.replace("<mi>log</mi>", '<mspace width="0.17em"/><mi>log</mi><mspace width="0.17em"/>')
    return f'<{match["tag"]} class="mathematics">{mathml}</{match["tag"]}>'
