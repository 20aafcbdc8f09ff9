"""What all figures share: palette, style, and figures that know nothing of pyplot's global state."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

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
    "text.color": INK,
    "xtick.color": GREY,
    "ytick.color": GREY,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "legend.frameon": False,
    "lines.solid_capstyle": "butt",
}
styled = mpl.rc_context(STYLE)  # decorator of every function that makes a figure

WIDTH = 6.6  # inches


class Canvas(Figure):
    """A figure that notebooks show without pyplot."""

    def _repr_png_(self) -> bytes:
        buffer = BytesIO()
        self.savefig(buffer, format="png", dpi=110)
        return buffer.getvalue()


def panels(count: int, *, columns: int, height: float, width: float = WIDTH) -> tuple[Canvas, list[Axes]]:
    """A figure with ``count`` panels in rows of ``columns``; ``height`` inches a row."""
    columns = max(1, min(columns, count))
    rows = -(-count // columns)
    figure = Canvas(figsize=(width, height * rows))
    grid = figure.subplots(rows, columns, squeeze=False)
    axes = list(np.ravel(grid))
    for unused in axes[count:]:
        unused.remove()
    return figure, axes[:count]
