"""Each step of a decomposition in words: a sentence for a parameter, true of its figures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import chain
from typing import TYPE_CHECKING

import numpy as np

from bayesmix.inference.parameters.names import corr_names, sd_names
from bayesmix.results.comparison.decomposition import (
    FIXED,
    LAPLACE,
    MONTE_CARLO,
    OTHERS,
    PRIOR,
    SKEWNESS,
    Decomposition,
)
from bayesmix.results.tables.r_printing import decimals_for, fixed_point

if TYPE_CHECKING:
    import pandas as pd

    from bayesmix.data.design.design import Design

SAME = 0.05  # posterior standard deviations: a smaller difference is none
WORTH = 0.05  # share from which on a cause is named
NOISY = 0.25  # Monte Carlo standard error over difference from which on it is mentioned
FEW = 20  # levels up to which their number is given as the reason of skewness

WORDS = {
    FIXED: "the fixed effects integrated out",
    LAPLACE: "the error of the Laplace approximation",
    OTHERS: "averaging over the other parameters",
    SKEWNESS: "skewness",
    PRIOR: "the priors",
    MONTE_CARLO: "Monte Carlo error",
}

STEPS = {
    FIXED: "to the maximum with these integrated out",
    LAPLACE: "to quadrature, without its error",
    OTHERS: "to the mode under flat priors, with all other parameters integrated out",
    SKEWNESS: "from that mode to the {centre}",
    PRIOR: "the priors in force instead of flat ones",
    MONTE_CARLO: "these draws instead of many",
}


BETWEEN = {
    FIXED: "All of it comes from the fixed effects: REML integrates them out, ML takes them for known. The fewer levels"
    " there are beside the fixed effects, the more that matters",
    LAPLACE: "All of it is the error of the Laplace approximation, which adaptive quadrature takes away. The less the"
    " rows of a level say, the larger it is",
}


def say_between(start: str, end: str, cause: str, first: pd.Series, second: pd.Series) -> str:
    """Why two estimates differ, with the parameter that differs most."""
    sizes = [name for name in first.index if str(name).startswith(("sd(", "sds(", "sdgp(")) and first[name] > 0.0]
    if not sizes:
        return f"{BETWEEN[cause]}."
    change = second[sizes] / first[sizes] - 1.0
    most = str(change.abs().idxmax())
    return f"{BETWEEN[cause]}: {most} of {end} is {abs(change[most]):.1%} {_more(change[most])} than that of {start}."


def _more(change: float) -> str:
    return "larger" if change > 0.0 else "smaller"


def legend(decomposition: Decomposition) -> str:
    """What the steps of a decomposition are."""
    if not decomposition.flat:
        return _legend_of_posteriors(decomposition)
    steps = (f"{cause}, {STEPS[cause]}" for cause in dict.fromkeys(decomposition.causes))
    flat = f" The posterior under flat priors: {decomposition.flat}."
    return f"Steps: {'; '.join(steps)}.{flat}".format(centre=decomposition.centre)


def _legend_of_posteriors(decomposition: Decomposition) -> str:
    steps = {
        PRIOR: f"prior, the priors of {decomposition.end} instead of those of {decomposition.start}",
        MONTE_CARLO: "Monte Carlo, what differs between these draws and many",
    }
    return f"Steps: {'; '.join(steps[cause] for cause in dict.fromkeys(decomposition.causes))}."


def explain(decomposition: Decomposition, design: Design) -> dict[str, str]:
    """A sentence for every parameter of a decomposition."""
    steps, levels = decomposition.steps, _levels(design)
    return {
        str(name): _sentence(
            decomposition.start,
            float(decomposition.difference[name]),
            {cause: float(steps.loc[name, cause]) for cause in steps.columns},
            float(decomposition.sd[name]),
            float(decomposition.mcse[name]),
            levels.get(str(name), ""),
        )
        for name in decomposition.stages.index
    }


def _levels(design: Design) -> Mapping[str, str]:
    """Few levels as the reason of skewness, by parameter."""
    found: dict[str, str] = {}
    for term, *names in zip(design.terms, sd_names(design.terms), corr_names(design.terms), strict=True):
        if term.is_population:
            found |= dict.fromkeys(chain(*names), f" ({len(term.effects)} basis functions)")
        elif len(term.levels) <= FEW:
            found |= dict.fromkeys(chain(*names), f" ({len(term.levels)} levels of {term.group})")
    return found


def _sentence(start: str, difference: float, steps: Mapping[str, float], sd: float, mcse: float, levels: str) -> str:
    if not np.isfinite(difference):
        return f"{start} has no value: a correlation with an effect whose standard deviation is zero."
    if not sd > 0.0:
        return "the posterior does not vary."
    decimals = decimals_for(sd)
    size = abs(difference) / sd
    along = {cause: abs(step) for cause, step in steps.items() if step * difference > 0.0}
    against = {cause: abs(step) for cause, step in steps.items() if step * difference < 0.0}
    if size < SAME:
        return f"the same, within {SAME:g} posterior sd{_cancelling(along, against, sd, levels)}."
    if 2.0 * mcse > abs(difference) and MONTE_CARLO not in along:
        return f"no difference that shows above the Monte Carlo error (± {fixed_point(mcse, decimals)}); draw more."
    pull = _pull(difference, along, against, levels, decimals)
    noise = _noise(along, abs(difference), mcse, decimals)
    return f"{fixed_point(difference, decimals, sign='+')} ({size:.2f} posterior sd): {pull}.{noise}"


def _cancelling(along: Mapping[str, float], against: Mapping[str, float], sd: float, levels: str) -> str:
    """Causes that are worth their names although they cancel."""
    first, second = _largest(along), _largest(against)
    if first is None or second is None or min(along[first], against[second]) < 2.0 * SAME * sd:
        return ""
    return f": {_name(first, levels)} and {_name(second, levels)} cancel"


def _largest(causes: Mapping[str, float]) -> str | None:
    return max(causes, key=lambda cause: causes[cause], default=None)


def _pull(
    difference: float, along: Mapping[str, float], against: Mapping[str, float], levels: str, decimals: int
) -> str:
    """What moves the parameter, in shares of the whole pull, and what takes part of it back."""
    gross = sum(along.values())
    causes = list(_shares(along, gross, levels))
    back = list(_shares(against, gross, levels))
    if not back:
        return f"{causes[0].replace(' % ', ' % of it is ', 1)}{_and(causes[1:])}"
    direction = "up" if difference > 0.0 else "down"
    first = causes[0].replace(" % ", " % is ", 1)
    whole = f"pulled {direction} by {fixed_point(gross, decimals)}, of which {first}{_and(causes[1:])}"
    return f"{whole}; {' and '.join(_taking(back))}"


def _shares(causes: Mapping[str, float], gross: float, levels: str) -> Iterator[str]:
    """``"82 % skewness (6 levels of agegp)"``, the largest first."""
    for cause, step in sorted(causes.items(), key=lambda item: -item[1]):
        if step >= WORTH * gross:
            yield f"{100.0 * step / gross:.0f} % {_name(cause, levels)}"


def _name(cause: str, levels: str) -> str:
    return WORDS[cause] + (levels if cause == SKEWNESS else "")


def _and(causes: list[str]) -> str:
    return "".join(f", {cause}" for cause in causes)


def _taking(back: list[str]) -> Iterator[str]:
    """``"the priors take back 46 %"``."""
    for text in back:
        share, _, name = text.partition(" % ")
        verb = "take" if name in {WORDS[PRIOR], WORDS[FIXED]} else "takes"
        yield f"{name} {verb} back {share} %"


def _noise(along: Mapping[str, float], size: float, mcse: float, decimals: int) -> str:
    if _largest(along) != MONTE_CARLO and not mcse > NOISY * size:
        return ""
    return f" Its Monte Carlo standard error is {fixed_point(mcse, decimals)}: draw more."
