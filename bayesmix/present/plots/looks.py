"""Which colour and mark a fit has: those of its kind, the same in every figure.

Posteriors are blue to green with round marks, estimates red to yellow with square ones, priors pink, data grey, the
figures of a document black and dotted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bayesmix.errors import SpecError
from bayesmix.fit import Estimate, Posterior
from bayesmix.present.plots.canvas import BLUE, DOTS, GREEN, GREY, INK, ORANGE, PINK, RED, SKY
from bayesmix.results.fits.named_fits import by_method, named_fits

if TYPE_CHECKING:
    from matplotlib.lines import Line2D

type FitsByLabel = Mapping[str, Estimate | Posterior]

WINE = "#882255"  # Tol (2021): a third red that stays apart from vermilion and orange
POSTERIORS, ESTIMATES = (BLUE, GREEN, SKY), (RED, ORANGE, WINE)
ROUND, SQUARE = ("o", "h", "p"), ("s", "D", "^", "v")  # marks of posteriors, of estimates
PRIOR = PINK
CHAINS = (BLUE, GREEN, SKY, "#332288", "#44AA99", GREY)  # of a posterior: its colours, and others as cool
DOCUMENT: dict[str, Any] = {"color": INK, "linewidth": 1.0, "linestyle": DOTS}
SOLID: tuple[Any, ...] = ("-", (0, (1, 1.2)), (0, (7, 1.5)))  # lines of posteriors, of estimates
DASHED: tuple[Any, ...] = ((0, (4, 2)), (0, (5, 1.5, 1, 1.5)), (0, (2.5, 1)))


@dataclass(frozen=True, slots=True)
class Look:
    """Colour, mark and dashes of a fit, of an interval's method, ..."""

    colour: str
    marker: str
    dashes: Any  # tell lines apart where print has no colour


@dataclass(frozen=True, slots=True, eq=False)
class Shown:
    """A fit in a figure: its name there, and its look."""

    label: str
    fit: Estimate | Posterior
    look: Look

    @property
    def colour(self) -> str:
        """Of its kind."""
        return self.look.colour

    @property
    def marker(self) -> str:
        """Of its kind."""
        return self.look.marker

    @property
    def dashes(self) -> Any:
        """Of its kind."""
        return self.look.dashes

    @property
    def posterior(self) -> Posterior:
        """The fit where it is known to have draws."""
        assert isinstance(self.fit, Posterior)
        return self.fit

    @property
    def is_posterior(self) -> bool:
        """Whether it has draws."""
        return isinstance(self.fit, Posterior)

    @property
    def words(self) -> str:
        """The name, and what of a posterior is drawn as a point."""
        return f"{self.label} mean" if self.is_posterior else self.label


def looks(are_posteriors: Sequence[bool]) -> list[Look]:
    """Colours and marks by kind; of several of a kind each its own."""
    found = []
    for place, is_posterior in enumerate(are_posteriors):
        number = list(are_posteriors[:place]).count(is_posterior)
        ways = (POSTERIORS, ROUND, SOLID) if is_posterior else (ESTIMATES, SQUARE, DASHED)
        found.append(Look(*(way[number % len(way)] for way in ways)))
    return found


def shown_fits(figure: str, given: Sequence[Estimate | Posterior | FitsByLabel]) -> list[Shown]:
    """Fits as a figure shows them: one after the other, or one mapping of them by name.

    Raises
    ------
    SpecError
        If there is none.
    """
    named = named_fits(given, None, figure, wanted=(Estimate, Posterior), default=by_method)
    if not named:
        raise SpecError(f"{figure} needs at least one fit: bmx.plots.{figure}(post, reml).")
    own = looks([isinstance(fit, Posterior) for fit in named.values()])
    return [Shown(label, fit, look) for (label, fit), look in zip(named.items(), own, strict=True)]


def shown_fit(fit: Estimate | Posterior) -> Shown:
    """A single fit."""
    return shown_fits("This figure", [fit])[0]


def document_mark() -> Line2D:
    """The documented figure in a legend."""
    from matplotlib.lines import Line2D

    return Line2D([], [], **DOCUMENT)
