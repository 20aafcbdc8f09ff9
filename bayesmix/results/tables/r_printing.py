"""Numbers and tables as R prints them, so that a summary can be laid beside one of lme4 and read line by line."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Callable, Iterable, Sequence

import numpy as np

from bayesmix.arrays import Array

PAGE = 80  # columns of R's page
MACHINE_EPSILON = 2.220446e-16  # R prints smaller p values as "<2e-16"
CUTPOINTS = ((0.001, "***"), (0.01, "**"), (0.05, "*"), (0.1, "."))
PLACES = 8  # decimals that are written out
LARGE = 5  # places left of the point that are written out although they say nothing
LEGEND = "Signif. codes:  0 ‘***’ 0.001 ‘**’ 0.01 ‘*’ 0.05 ‘.’ 0.1 ‘ ’ 1"


def format_numbers(values: Iterable[float], digits: int = 7, decimals: int = 0) -> list[str]:
    """Format numbers together, as R's ``format(values, digits, nsmall=decimals)``.

    As many decimals as the element that needs most of them to show ``digits`` significant digits, the same for all, and
    all of one width; exponents where that is shorter.
    """
    numbers = [float(value) + 0.0 for value in values]  # no minus before a zero
    shown = [_significant(value, digits) for value in numbers if math.isfinite(value)]
    fixed_decimals = max([0, *(size - exponent - 1 for exponent, size in shown)])
    fraction = max([0, *(size - 1 for _, size in shown)])
    scientific = [_spell(value, lambda v: f"{v:.{fraction}e}") for value in numbers]
    fixed = [_spell(value, lambda v: f"{v:.{fixed_decimals}f}") for value in numbers]
    if _width(fixed) > _width(scientific):
        return justify(scientific)
    return justify([_spell(value, lambda v: f"{v:.{max(fixed_decimals, decimals)}f}") for value in numbers])


def _significant(value: float, digits: int) -> tuple[int, int]:
    """Power of ten, and how many of ``digits`` significant digits are left without the zeros at the end."""
    mantissa, exponent = f"{abs(value):.{digits - 1}e}".split("e")
    return int(exponent), max(1, len(mantissa.replace(".", "").rstrip("0")))


def _spell(value: float, finite: Callable[[float], str]) -> str:
    if math.isnan(value):
        return "NaN"
    return finite(value) if math.isfinite(value) else ("Inf" if value > 0 else "-Inf")


def _width(texts: Iterable[str]) -> int:
    return max(map(len, texts), default=0)


def justify(texts: Sequence[str], *, left: bool = False) -> list[str]:
    """Pad to one width."""
    width = _width(texts)
    return [text.ljust(width) if left else text.rjust(width) for text in texts]


def known_cells(values: Array, form: Callable[[Array], Sequence[str]], missing: str) -> list[str]:
    """Cells of a column, of which numbers alone are formatted; ``missing`` stands where there is none."""
    there = np.flatnonzero(~np.isnan(values))
    cells = [missing] * len(values)
    for place, text in zip(there, form(values[there]), strict=True):
        cells[place] = text
    return justify(cells)


def trim(value: float, digits: int = 7) -> str:
    """One number as R's ``cat`` shows it."""
    return format_numbers([value], digits)[0]


def decimals_for(sd: float) -> int:
    """Decimals of a number that is known to ``sd``: three significant digits of it, negative left of the point."""
    return 2 - math.floor(math.log10(sd)) if sd > 0.0 and math.isfinite(sd) else 3


def fixed_point(value: float, decimals: int, *, sign: str = "") -> str:
    """A number with so many decimals, without a minus before zero; a blank for none.

    As exact with an exponent, if that is shorter, where it has more decimals than `PLACES` or more than `LARGE` places
    that say nothing: small numbers are not printed as zero. ``sign="+"`` shows that of positive numbers, too.
    """
    if not math.isfinite(value):
        return ""
    text = f"{value:{sign}.{max(decimals, 0)}f}"
    if not -LARGE <= decimals <= PLACES:
        digits = math.floor(math.log10(abs(value))) + decimals if value else 0
        return min(text, f"{value:{sign}.{max(digits, 0)}e}", key=len) if value else "0"
    return text[1:] if text.startswith("-") and not text.strip("-0.") else text


def zap_small(values: Array, digits: int) -> Array:
    """Round to what matters beside the largest, as R's ``zapsmall`` (before R 4.4, as in the outputs in print)."""
    largest = float(np.max(np.abs(values), initial=0.0))
    if not (math.isfinite(largest) and largest > 0.0):
        return np.asarray(values)
    return np.round(values, max(0, math.floor(digits - math.log10(largest) + 0.5)))


# ---- coefficients -----------------------------------------------------------------------------------------------


def format_coefficients(values: Array, digits: int) -> list[list[str]]:
    """Columns of estimates and standard errors ``(m, columns)``, formatted together as R's ``printCoefmat`` does."""
    sizes = np.abs(values[np.isfinite(values) & (values != 0.0)])
    smallest = 1 + math.floor(math.log10(sizes.min())) if sizes.size else 1
    rounded = np.round(values, max(1, digits - smallest))
    texts = format_numbers(rounded.T.ravel(), digits)
    vanished = np.ravel((values.T != 0.0) & (rounded.T == 0.0))
    own = iter(format_numbers(values.T.ravel()[vanished], max(1, digits - 1)))
    texts = [next(own) if gone else text for gone, text in zip(vanished, texts, strict=True)]
    rows = len(values)
    return [texts[begin : begin + rows] for begin in range(0, len(texts), rows)]


def format_statistics(values: Array, digits: int) -> list[str]:
    """Test statistics, rounded to one decimal less than the significant digits of the table."""
    return format_numbers(np.round(values, statistic_digits(digits)), digits)


def statistic_digits(digits: int) -> int:
    """Significant digits of p values and decimals of test statistics in a table of ``digits``."""
    return max(1, min(5, digits - 1))


def format_p_values(values: Array, digits: int) -> list[str]:
    """P values as R's ``format.pval``: fixed and exponential ones formatted apart, the smallest as a bound."""
    texts = ["" for _ in values]
    for size in ("small", "ordinary"):
        places = [i for i, value in enumerate(values) if _size(value) == size]
        for place, text in zip(places, format_numbers([values[i] for i in places], digits), strict=True):
            texts[place] = text
    tiny = [i for i, value in enumerate(values) if _size(value) == "tiny"]
    return _as_bounds(texts, tiny, digits)


def _size(value: float) -> str:
    if value < MACHINE_EPSILON:
        return "tiny"
    return "small" if value < 1e-4 else "ordinary"


def _as_bounds(texts: list[str], tiny: list[int], digits: int) -> list[str]:
    width = _width([text for i, text in enumerate(texts) if i not in tiny])
    digits = max(1, digits - 2)
    if len(tiny) < len(texts) and digits > 1 and digits + 6 > width:
        digits = max(1, width - 7)
    gap = "" if digits == 1 and (len(tiny) == len(texts) or width <= 6) else " "
    bound = f"<{gap}{format_numbers([MACHINE_EPSILON], digits)[0]}"
    return [bound if i in tiny else text for i, text in enumerate(texts)]


def stars(p_value: float) -> str:
    """Significance code."""
    return next((code for limit, code in CUTPOINTS if p_value <= limit), "")


# ---- tables -----------------------------------------------------------------------------------------------------


def table_lines(
    rows: Sequence[str], columns: Sequence[tuple[str, Sequence[str]]], *, left: bool = False, page: int = PAGE
) -> list[str]:
    """Lay out a table of text as R prints a matrix: blocks of columns, where they do not fit on the page.

    Parameters
    ----------
    rows : names of the rows, left-justified.
    columns : heading and cells of each column.
    left : justify the columns left.
    """
    names = justify(["", *rows], left=True)
    blocks: list[list[str]] = []
    room = 0
    for heading, cells in columns:
        column = justify([heading, *cells], left=left)
        if not blocks or room < len(column[0]) + 1:
            blocks.append(list(names))
            room = page - len(names[0])
        blocks[-1] = [f"{line} {cell}" for line, cell in zip(blocks[-1], column, strict=True)]
        room -= len(column[0]) + 1
    return [line.rstrip() for block in blocks for line in block]


def paragraph(text: str, *, indent: int, page: int = PAGE) -> list[str]:
    """Words of one line or of several, the later ones ``indent`` columns further in than the first."""
    tied = text.replace(" %", "\N{NO-BREAK SPACE}%")  # a number and its sign stay together
    first = " " * (len(text) - len(text.lstrip(" ")))
    lines = textwrap.wrap(
        tied.lstrip(" "),
        page,
        initial_indent=first,
        subsequent_indent=first + " " * indent,
        break_on_hyphens=False,
        break_long_words=False,
    )
    return [line.replace("\N{NO-BREAK SPACE}", " ") for line in lines] or [""]


def vector_lines(names: Sequence[str], values: Sequence[str]) -> list[str]:
    """Lay out a named vector as R prints it: one width for all."""
    width = _width([*names, *values])
    return [" ".join(text.rjust(width) for text in line).rstrip() for line in (names, values)]


# ---- names ------------------------------------------------------------------------------------------------------


def abbreviate(names: Sequence[str], length: int) -> list[str]:
    """Shorten names to ``length`` characters, to more where they would be the same, as R's ``abbreviate``."""
    short = [shorten(name, length) for name in names]
    longest = _width(names)
    while length < longest and len(set(short)) < len(set(names)):
        length += 1
        short = [shorten(name, length) if short.count(old) > 1 else old for name, old in zip(names, short, strict=True)]
    return short


def shorten(name: str, length: int) -> str:
    """Leave out, from the end on: small vowels, small letters, then anything but the first of a word; blanks last."""
    for droppable in ("aeiou", "abcdefghijklmnopqrstuvwxyz", None):
        for place in range(len(name) - 1, 0, -1):
            if len(name) - name.count(" ") <= length:
                return _without_blanks(name, length)
            is_first, letter = name[place - 1] == " ", name[place]
            if not is_first and letter != " " and (droppable is None or letter in droppable):
                name = name[:place] + name[place + 1 :]
    return _without_blanks(name, length)


def _without_blanks(name: str, length: int) -> str:
    return name.replace(" ", "") if len(name) > length else name
