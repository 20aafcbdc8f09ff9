"""What the two ways of the marginal sampler are expected to cost, and which of them draws.

Independent proposals take several densities of every row for each proposal, and the more proposals a draw the more
levels there are; their draws are nearly independent, and Pareto k certifies them. Alternating moves take a pass over
the rows for each kind of move, at any number of levels. Both factorise once a proposal of the covariance parameters.
The first way stays where it takes seconds. What NUTS would take is said beside them, compiling and some dozen gradients
a draw, as measured of Poisson and binary responses of 1e4 rows and more. It factorises nothing: it draws where crossed
factors of many levels each make the other two take twice as long, and where neither of them can.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from bayesmix.data.design.design import Design
from bayesmix.inference.least_squares.scaling import Coordinates
from bayesmix.inference.sampling.draws import Schedule

DENSITY, PASS, NUMBER = 40e-9, 35e-9, 10e-9  # CPU seconds: a density of a row, a row of a pass, a number factorised
DENSITIES, PROPOSALS = 8, 2  # of a row a proposal, and proposals a draw, where they are independent
WARMUP = (20, 30, 40, 50, 40)  # steps of alternating moves before the draws, in rounds after which they are fitted
COMPILING, TRAJECTORY = 10.0, 0.7e-6  # CPU seconds of NUTS: before it starts; a row of a draw, as many of warm-up
LONG, AHEAD = 8.0, 2.0  # seconds that independent proposals may take; how much less alternating moves have to take
FARTHER = 2.0  # how much less NUTS has to take
QUICK = 1.0  # seconds up to which nothing is said before a run starts, as no bar is shown


@dataclass(frozen=True, slots=True)
class Costs:
    """Expected CPU seconds of the two ways and of NUTS, and passes over the rows of a step of the second."""

    independent: float
    alternating: float
    nuts: float
    passes: int
    rows: int
    steps: int = 1  # of alternating moves for each draw
    instead: str = ""  # why there are no alternating moves of such a model

    @property
    def alternates(self) -> bool:
        """Whether alternating moves are to draw."""
        return not self.instead and self.independent > LONG and self.independent > AHEAD * self.alternating

    @property
    def prefers_nuts(self) -> bool:
        """Whether NUTS is to draw: its costs are known of independent levels and rows of one linear predictor."""
        own = self.alternating if self.alternates else self.independent
        return not self.instead and own > FARTHER * self.nuts

    @property
    def is_long(self) -> bool:
        """Whether the way that is taken takes so long that the choice is stated by the fit, too."""
        return self.independent > LONG

    @property
    def is_quick(self) -> bool:
        """Whether it takes so little that nothing is said of it."""
        return self.independent < QUICK

    def for_nuts(self) -> str:
        """Why NUTS draws, where it is to."""
        return (
            f"independent proposals were expected to take {_seconds(self.independent)}, alternating Metropolis moves"
            f" {_seconds(self.alternating)}, NUTS about {_seconds(self.nuts)}"
        )

    def words(self, schedule: Schedule, *, alternating: bool) -> str:
        """What is going to be done, what it is expected to take, and what else there was."""
        nuts = f"NUTS about {_seconds(self.nuts)}"
        if not alternating:
            other = self.instead or f"alternating Metropolis moves were expected to take {_seconds(self.alternating)}"
            return (
                "Drawn by independent proposals of parameters and effects, expected to take"
                f" {_seconds(self.independent)}; {other}, {nuts}."
            )
        draws = f"{schedule.draws} draws" + (f", {self.steps} steps each," if self.steps > 1 else "")
        steps = f"{schedule.chains} chains of {draws} after {sum(WARMUP)} steps of warm-up"
        return (
            f"Drawn by alternating Metropolis moves of parameters and effects: {steps}, {self.passes} passes over"
            f" {self.rows:,} rows each, expected to take {_seconds(self.alternating)}; independent proposals were"
            f" expected to take {_seconds(self.independent)}, {nuts}."
        )


def costs(rows: int, numbers: int, passes: int, schedule: Schedule, thin: int | None) -> Costs:
    """Expected costs of a run.

    Parameters
    ----------
    numbers : of one factorisation.
    """
    draws = schedule.draws * schedule.chains
    steps = draws * (thin or 1) + sum(WARMUP) * schedule.chains
    independent = draws * (thin or PROPOSALS) * (DENSITIES * rows * DENSITY + numbers * NUMBER)
    alternating = steps * (passes * rows * PASS + numbers * NUMBER)
    return Costs(independent, alternating, COMPILING + 2 * draws * rows * TRAJECTORY, passes, rows, thin or 1)


def longer(expected: Costs, steps: int, schedule: Schedule) -> Costs:
    """The same where alternating moves make more steps for each draw."""
    draws, warmup = schedule.draws * schedule.chains, sum(WARMUP) * schedule.chains
    once = expected.alternating / (draws * expected.steps + warmup)
    return replace(expected, alternating=once * (draws * steps + warmup), steps=steps)


def against_alternating(design: Design) -> str:
    """Why alternating moves do not draw a model; empty where they do: one linear predictor, independent levels."""
    if design.R > 1:
        return f"there are no alternating Metropolis moves of {design.R} linear predictors"
    related = [term.group for term in design.terms if not term.is_independent]
    if not related:
        return ""
    return f"there are no alternating Metropolis moves of levels that are not independent, as `{related[0]}` has"


def affords_alternating(design: Design) -> bool:
    """Whether a model is of the kind that alternating moves draw."""
    return not against_alternating(design)


def passes_of(working: Coordinates) -> int:
    """Passes over the rows of one step of alternating moves."""
    return 1 + working.plan.nested + bool(working.plan.q)


def _seconds(seconds: float) -> str:
    return f"{seconds:.0f} CPU seconds" if seconds < 100.0 else f"{seconds / 60.0:.0f} CPU minutes"
