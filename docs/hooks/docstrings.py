"""Docstrings as they are written here: behind a parameter's colon stands what it is, in words, not its type."""

from __future__ import annotations

import re
from typing import Any

import griffe

SECTIONS = {"Parameters", "Attributes", "Other Parameters"}
ITEM = re.compile(r"^(\*{0,2}\w+(?:, \*{0,2}\w+)*) : (.+)$")


class Described(griffe.Extension):
    """Moves the words behind the colon below the name; types are those of the annotations."""

    def on_instance(self, *, obj: griffe.Object, **_: Any) -> None:
        """Rewrite the docstring of an object."""
        if obj.docstring is not None:
            obj.docstring.value = described(obj.docstring.value)


def described(text: str) -> str:
    """A docstring whose parameters have their description on lines of its own."""
    lines, inside, every = list[str](), False, text.splitlines()
    for line, below in zip(every, [*every[1:], ""], strict=True):
        if re.fullmatch(r"-{3,}", below):
            inside = line in SECTIONS
        match = ITEM.match(line) if inside else None
        lines += [match[1], f"    {match[2]}"] if match else [line]
    return "\n".join(lines)
