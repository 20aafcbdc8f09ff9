"""What all figures share: palette, style, and figures that know nothing of pyplot's global state."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import wraps
from inspect import signature
from io import BytesIO
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
import numpy as np
from cycler import cycler
from matplotlib.figure import Figure

from bayesmix.errors import SpecError
from bayesmix.language.arguments import explained
from bayesmix.results.fits.named_fits import is_by_label
from bayesmix.results.storage.atomic_replacement import write_whole

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis

# Okabe and Ito (2008), Color universal design: told apart by people with any colour vision, and in print
BLUE, ORANGE, GREEN, RED, PINK, SKY, YELLOW = (
    "#0072B2",
    "#E69F00",
    "#009E73",
    "#D55E00",
    "#CC79A7",
    "#56B4E9",
    "#F0E442",
)
INK, GREY, PALE = "#262626", "#767676", "#D9D9D9"
DOTS: Any = (0, (2, 1.5))
COLOURS = (BLUE, RED, GREEN, ORANGE, PINK, SKY, GREY)
MARKERS = ("o", "s", "D", "^", "v", "P", "X")

STYLE: Any = {  # matplotlib types it by the literal names of all its settings
    "figure.constrained_layout.use": True,
    "figure.facecolor": "white",
    "font.size": 9.5,
    "axes.titlesize": 9.5,
    "axes.titlelocation": "left",
    "axes.labelcolor": INK,
    "axes.edgecolor": GREY,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.prop_cycle": cycler(color=COLOURS),
    "text.color": INK,
    "xtick.color": GREY,
    "ytick.color": GREY,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "legend.frameon": False,
    "lines.solid_capstyle": "butt",
}

WIDTH = 6.6  # inches


def styled[**P, R](function: Callable[P, R]) -> Callable[P, R]:
    """Decorate a function that makes a figure: with the style, and a check that it is given what it draws.

    What it draws is the annotation of its first parameter, of which it may take several, or a mapping of them.
    """
    checked = explained(function)
    first = next(iter(signature(function).parameters.values()))
    annotated = [name.strip().rpartition(".")[2] for name in str(first.annotation).split("|")]
    drawable = [name for name in annotated if name != BY_LABEL]

    @wraps(function)
    def drawn(*args: P.args, **kwargs: P.kwargs) -> R:
        for value in args:
            for one in value.values() if is_by_label(value) and BY_LABEL in annotated else [value]:
                _check_drawable(function.__name__, one, drawable)
        with mpl.rc_context(STYLE):
            return checked(*args, **kwargs)

    return drawn


BY_LABEL = "FitsByLabel"
ARTICLES = {
    "Estimate": "an estimate",
    "Posterior": "a posterior",
    "Model": "a model",
    "DataFrame": "a table",
    "Power": "a study of power",
    "StandardErrors": "a study of standard errors",
}


def _check_drawable(figure: str, value: object, drawable: Sequence[str]) -> None:
    """Raise `SpecError` for what a figure does not draw, with what to give it."""
    if not ARTICLES.keys() >= set(drawable) or any(kind.__name__ in drawable for kind in type(value).__mro__):
        return
    given = ARTICLES.get(type(value).__name__, f"`{type(value).__name__}`")
    what = f"plots.{figure} draws {' or '.join(ARTICLES[name] for name in drawable)}, not {given}."
    fits = {"Estimate": "model.estimate()", "Posterior": "model.sample()"}
    advice = " or ".join(f"bmx.plots.{figure}({fits[name]})" for name in drawable if name in fits)
    raise SpecError(f"{what} Try {advice}." if advice else what)


class Canvas(Figure):
    """A figure that notebooks show without pyplot, and whose files are replaced when the new one is whole."""

    def savefig(self, fname: Any, **options: Any) -> None:
        """Matplotlib's ``savefig``."""
        if not isinstance(fname, str | PathLike):
            super().savefig(fname, **options)
            return
        path = Path(fname)
        form = options.pop("format", None) or path.suffix[1:] or mpl.rcParams["savefig.format"]
        buffer = BytesIO()
        super().savefig(buffer, format=form, **options)
        write_whole(path if path.suffix else path.with_name(f"{path.name}.{form}"), buffer.getvalue())

    def _repr_png_(self) -> bytes:
        buffer = BytesIO()
        self.savefig(buffer, format="png", dpi=110)
        return buffer.getvalue()


def panels(
    count: int, *, columns: int, height: float, width: float = WIDTH, share: bool = False, share_x: bool = False
) -> tuple[Canvas, list[Axes]]:
    """A figure with ``count`` panels in rows of ``columns``; ``height`` inches a row.

    ``share`` is of the vertical axes, ``share_x`` of the horizontal ones; the lowest of a column keeps its labels.
    """
    columns = max(1, min(columns, count))
    rows = -(-count // columns)
    figure = Canvas(figsize=(width, height * rows))
    grid: Any = figure.subplots(rows, columns, squeeze=False, sharex=share_x, sharey=share)
    axes = list(np.ravel(grid))
    for unused in axes[count:]:
        unused.remove()
    if share_x:
        for axis in axes[max(count - columns, 0) : count]:
            axis.tick_params(labelbottom=True)
    return figure, axes[:count]


def look(place: int) -> tuple[str, str]:
    """Colour and marker of the level or fit in a place; 49 of them differ."""
    return COLOURS[place % len(COLOURS)], MARKERS[(place + place // len(COLOURS)) % len(MARKERS)]


LONGEST = 30  # characters of a unit beside a name


def with_unit(name: str, units: Mapping[str, str]) -> str:
    """The label of an axis: the name, and its unit up to the first comma, where that is one and not an explanation."""
    unit = units.get(name, "").partition(",")[0].strip()
    return f"{name} ({unit})" if unit[:1].isalpha() and len(unit) <= LONGEST else name


def whole_ticks(axis: Axis) -> None:
    """Ticks of counts: no 2.5 cases."""
    from matplotlib.ticker import MaxNLocator

    axis.set_major_locator(MaxNLocator("auto", integer=True, steps=[1, 2, 5, 10], min_n_ticks=1))


EM, SMALL, SIZE = 0.6, 7.9, 9.5  # width of a letter on the average, of its size; sizes of letters in points


def letters(inches: float, size: float = SIZE) -> int:
    """How many letters a line of a width holds."""
    return max(int(72.0 * inches / (EM * size)), 8)


def room_beside(names: Sequence[str], columns: int, size: float = SIZE) -> float:
    """Inches that each column of panels has beside the names of rows."""
    longest = max((len(line) for name in names for line in name.split("\n")), default=0)
    return max((WIDTH - 0.6 - longest * EM * size / 72.0) / columns, 0.9)


def elided(name: str, most: int) -> str:
    """A name without its middle where it is too long: beginnings and ends tell names apart."""
    head = (most - 1) // 2
    return name if len(name) <= most else f"{name[:head]}…{name[len(name) - (most - 1 - head) :]}"


LINES = 3  # of the name of a panel


def name_panels(figure: Figure, axes: Sequence[Axes], names: Sequence[str], columns: int) -> None:
    """Titles of panels, on as many lines as they need, for which the figure grows."""
    columns = max(1, min(columns, len(axes)))
    width, height = figure.get_size_inches()
    room = letters(width / columns - 0.25, SMALL)
    texts = [folded(name, room) for name in names]
    texts = [
        text if text.count("\n") < LINES else folded(elided(name, (LINES - 1) * room), room)
        for name, text in zip(names, texts, strict=True)
    ]
    for axis, text in zip(axes, texts, strict=True):
        axis.set_title(text, fontsize="small", pad=2.0)
    grown = 0.13 * max((text.count("\n") for text in texts), default=0)
    figure.set_size_inches(width, height + grown * -(-len(axes) // columns))


def folded(name: str, width: int) -> str:
    """A name on lines of at most so many characters, broken between words, where its parts meet, or anywhere."""
    from textwrap import wrap

    lines = list[str]()
    for line in (part for own in name.split("\n") for part in wrap(own, width, break_long_words=False)):
        lines.append("")
        for part in re.split(r"(?<=[_:(])", line) if len(line) > width else [line]:
            if lines[-1] and len(lines[-1]) + len(part) > width:
                lines.append("")
            lines[-1] += part
    lines = [line[begin : begin + width] for line in lines for begin in range(0, max(len(line), 1), width)]
    return "\n".join(lines)


def legend_above(figure: Figure, handles: list[Artist], texts: list[str], *, title: str, columns: int = 1) -> None:
    """A legend over the panels, or its title alone, for which the figure grows."""
    width, height = figure.get_size_inches()
    title = folded(title, letters(width))
    texts = [folded(text, letters(width / columns - 0.5, SMALL)) for text in texts]
    figure.set_size_inches(width, height + 0.2 * (-(-_lines(texts) // columns) + 1 + title.count("\n")))
    options: dict[str, Any] = {"loc": "outside upper left", "fontsize": "small", "ncols": columns}
    legend = figure.legend(handles, texts, title=title, alignment="left", **options)
    legend.get_title().set_fontsize("medium")


def legend_below(figure: Figure, handles: list[Artist], texts: list[str], *, columns: int = 1) -> None:
    """A legend under the panels, for which the figure grows."""
    width, height = figure.get_size_inches()
    texts = [folded(text, letters(width / columns - 0.5, SMALL)) for text in texts]
    figure.set_size_inches(width, height + 0.2 * -(-_lines(texts) // columns) + 0.1)
    figure.legend(handles, texts, loc="outside lower left", fontsize="small", ncols=columns)


def _lines(texts: Sequence[str]) -> int:
    return sum(text.count("\n") + 1 for text in texts)
