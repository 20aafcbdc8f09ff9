"""TOML of strangers: read within bounds of size and depth."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

from bayesmix.errors import SpecError

LARGEST = 1_000_000  # bytes of a file
# A key of many parts, `a.b.c`: each is a table, and Python's reader takes time and memory by their square.
DEEP_KEY = re.compile(r"""(?<![\w"'.-])(?:(?:[\w-]++|"(?:[^"\\\n]|\\.)*+"|'[^'\n]*+')[ \t]*+\.[ \t]*+){50}""", re.ASCII)


def read_toml(path: Path) -> Mapping[str, Any]:
    """Read a file.

    Raises
    ------
    SpecError
        If it cannot be read, is larger or nested deeper than files that people write, or is no TOML.
    """
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST + 1)
    except OSError as error:
        raise SpecError(f"{path.name} cannot be read: {error.strerror}.") from None
    if len(content) > LARGEST:
        raise SpecError(f"{path.name} has more than {LARGEST} bytes: that is no model file.")
    try:
        text = content.decode("utf-8")
        if DEEP_KEY.search(text):
            raise RecursionError
        return tomllib.loads(text, parse_float=Decimal)
    except ArithmeticError:
        raise SpecError(f"{path.name} has a number that is too large for a float.") from None
    except (ValueError, RecursionError) as error:  # syntax, other encodings; integers and nesting beyond all measure
        why = "nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise SpecError(f"{path.name} is not TOML: {why}.") from None
