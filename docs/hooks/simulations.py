"""The page of calibration and coverage, made of what the scripts in `benchmarks` have kept."""

from __future__ import annotations

import csv
import math
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import binom

from bayesmix.studies.uniformity import detectable_shift, deviation, p_value

FOLDER = Path(__file__).parents[2] / "benchmarks"
FAMILYWISE = 0.05  # probability of a false alarm in a table
OUTCOMES = ("judged", "refused by name", "none fitted or certified", "too dear", "not run")  # of cells

ABOUT = """# Calibration and coverage

What a certificate or an interval promises is tried out on simulated data, whose truth is known.

## Is the posterior right?

Simulation-based calibration (Talts et al. 2018; Modrák et al. 2023): parameters are drawn from the priors, data
from the parameters, and the posterior of these data is sampled. If all is right, the rank of the true value
among its draws is uniform, for every parameter, the effects of a level and the log-likelihood. A *cell* is a
family, an engine and a structure on 48 rows in 8 levels, with informative priors. Ranks are among 39 nearly
independent draws; runs whose draws are worth fewer are made longer. `p` is exact: the law of the largest
standardised distance of the ranks from uniform, by Bonferroni over the parameters of a cell. Of many cells some
have a small `p` by chance: where it is below 0.02 a cell is run again on new data, twice as many, and that `p`
stands here. `converged` is the share of data sets whose sampler says that its draws can be used; only these are
judged.

{progress}

### All cells together

Few data sets show little: of one parameter {few} find posteriors that lie {large:.1f} standard deviations off in four
of five studies, {many} those {small:.1f} off, and nothing less for sure. Ranks of many cells are uniform together, too.
Those of one slope, one standard deviation, one effect of a level and of the log-likelihood are therefore put
together for each engine, each structure by an engine, and each family; those of runs that were repeated stay.
`least uniform` has the smallest `p` of these four, which is multiplied by four. `finds` is the shift that so many
ranks would find in four of five studies if all cells had it.

{pooled}

### Each cell

{cells}
"""
INTERVALS = """
## Do intervals hold the truth?

Data of small designs with known parameters, fitted again and again. Each interval is of 95 %; the error beside
a share is the Monte Carlo error at that level. Designs: five groups, `balanced` and `unbalanced`; 40 (`many
groups`); groups that do not differ (`boundary`); `crossed` factors; `binary` and `poisson` responses; a curve
(`smooth`). `x` varies within groups, `w` between them. `wald` takes variances as known and is too narrow for
`w` where groups are few, and so are profiles there; `satterthwaite`, `kenward-roger` and `posterior` are not.
Percentiles of a bootstrap inherit that an estimated standard deviation of few groups is too small. Single
contrasts need not hold together; those of `tukey` and `mvt` have to.

"""


sys.path.append(str(FOLDER))  # of the scripts that keep results, which are no package
calibration, intervals = import_module("calibration"), import_module("interval_coverage")


def page() -> str:
    """Markdown."""
    few, many = 5, 40
    large, small = (detectable_shift(FAMILYWISE, n, calibration.RANKS) for n in (few, many))
    parts = {"progress": progress(), "pooled": together(), "cells": each()}
    written = {name: "\n".join(lines) for name, lines in parts.items()}
    about = ABOUT.format(few=few, many=many, large=large, small=small, **written)
    return about + INTERVALS + "\n".join(coverage()) + "\n"


# ---- calibration -----------------------------------------------------------------------------------------------------


def progress() -> Iterator[str]:
    """How many cells have been run, by each engine, and what they say one by one."""
    runs, cells = calibration.kept(), calibration.cells()
    found = {}
    for engine in calibration.ENGINES:
        own = [cell for cell in cells if cell.engine == engine]
        kinds = [outcome(runs.get(cell, [])) for cell in own]
        sets = sum(line.replicates for cell in own for line in runs.get(cell, []))
        found[engine] = {"cells": len(own), **{kind: kinds.count(kind) for kind in OUTCOMES}, "data sets": sets}
    yield f"| | {' | '.join(found)} |"
    yield f"|---|{'---|' * len(found)}"
    for what in next(iter(found.values())):
        yield f"| {what} | {' | '.join(str(own[what]) for own in found.values())} |"
    yield ""
    values = [float(line.p) for line in map(calibration.judged, runs.values()) if line.replicates]
    small = sum(value < FAMILYWISE for value in values)
    yield (
        f"Of {len(values)} p-values {small} are below {FAMILYWISE}; Holm's rule at {FAMILYWISE:.0%} for all cells"
        f" together rejects {sum(rejected(values))}."
    )
    yield ""
    yield from refusals(runs)


def outcome(lines: list[Any]) -> str:
    """Of the runs of a cell."""
    if any(line.replicates for line in lines):
        return "judged"
    if any(calibration.is_refusal(line.reason) for line in lines):
        return "refused by name"
    if any(line.reason == calibration.TOO_DEAR for line in lines):
        return "too dear"
    return "none fitted or certified" if lines else "not run"


def refusals(runs: dict[Any, list[Any]]) -> Iterator[str]:
    """What the package says of cells that it does not sample, one sentence a reason."""
    found = defaultdict[tuple[str, str, str], list[str]](list)
    for cell, lines in runs.items():
        if outcome(lines) == "refused by name":
            found[cell.family, cell.engine, lines[-1].reason].append(cell.structure)
    for (family, engine, reason), structures in found.items():
        yield f"Refused: {family} by {engine} ({', '.join(structures)}). *{reason}.*"
    dear = [f"{cell.name} ({lines[-1].seconds} s)" for cell, lines in runs.items() if outcome(lines) == "too dear"]
    if dear:
        yield ""
        yield f"Too dear, without a data set in the seconds of the processor in brackets: {', '.join(dear)}."
    yield ""
    yield from failures(runs)


def failures(runs: dict[Any, list[Any]]) -> Iterator[str]:
    """Why data sets were not fitted, by reason: those of the runs that kept the reasons."""
    found = Counter[str]()
    for line in (line for lines in runs.values() for line in lines if line.reason.startswith(calibration.NOT_FITTED)):
        for part in line.reason.removeprefix(calibration.NOT_FITTED).split("; "):
            number, _, text = part.partition(" ")
            found[text] += int(number)
    if found:
        yield "| not fitted | why |"
        yield "|---|---|"
        yield from (f"| {number} | {text} |" for text, number in found.most_common())


@dataclass(frozen=True)
class Pool:
    """Ranks of many cells by what they are of."""

    name: str
    cells: int
    ranks: dict[str, list[int]]

    @property
    def size(self) -> int:
        """Data sets."""
        return max(map(len, self.ranks.values()))

    @property
    def p_values(self) -> dict[str, float]:
        """Of what ranks are of; all together by Bonferroni."""
        draws = calibration.RANKS
        own = {what: p_value(deviation(np.array(r), draws), len(r), draws) for what, r in self.ranks.items()}
        return {what: min(1.0, len(own) * p) for what, p in own.items()}

    @property
    def p(self) -> float:
        """The smallest."""
        return min(self.p_values.values())

    @property
    def finds(self) -> float:
        """Standard deviations."""
        return detectable_shift(FAMILYWISE / len(self.ranks), self.size, calibration.RANKS)


def pools() -> list[Pool]:
    """Of engines, of structures by each engine, of families."""
    found: dict[str, list[Any]] = defaultdict(list)
    for lines in calibration.kept().values():
        for line in lines:
            if line.ranks:
                for name in (line.engine, f"{line.structure}, {line.engine}", line.family):
                    found[name].append(line)
    kinds = [*calibration.ENGINES, *(f"{one}, {e}" for one in calibration.MEAN for e in calibration.ENGINES)]
    return [pool(name, found[name]) for name in [*kinds, *sorted(set(found) - set(kinds))] if name in found]


def pool(name: str, lines: list[Any]) -> Pool:
    """Of runs."""
    ranks = defaultdict[str, list[int]](list)
    for part in ", ".join(line.ranks for line in lines).split(", "):
        what, *own = part.split()
        ranks[what] += map(int, own)
    return Pool(name, len({line.cell for line in lines}), dict(ranks))


def together() -> Iterator[str]:
    """What the ranks of many cells say of each engine, structure and family."""
    found = pools()
    wrong = [one.name for one, is_wrong in zip(found, rejected([one.p for one in found]), strict=True) if is_wrong]
    yield f"Holm's rule at {FAMILYWISE:.0%} for all {len(found)} rows together rejects {', '.join(wrong) or 'none'}."
    yield ""
    yield "| of | cells | data sets | p | least uniform | finds |"
    yield "|---|---|---|---|---|---|"
    for one in found:
        least = min(one.p_values, key=one.p_values.__getitem__)
        finds = "nothing" if math.isinf(one.finds) else f"{one.finds:.1f}"
        yield f"| {one.name} | {one.cells} | {one.size} | {one.p:.2g} | {least} | {finds} |"


def each() -> Iterator[str]:
    """One line a cell that was run."""
    yield "| family | engine | structure | data sets | converged | not fitted | p | least uniform | day | version |"
    yield "|---|---|---|---|---|---|---|---|---|---|"
    for cell, lines in sorted(calibration.kept().items(), key=lambda item: item[0].name):
        line = calibration.judged(lines)
        own = (line.replicates, line.converged, line.failed, line.p)
        least = f"`{line.worst}`" if line.worst else outcome(lines)
        named = (cell.family, cell.engine, cell.structure, *own, least, line.date, line.version)
        yield f"| {' | '.join(map(str, named))} |"


def rejected(values: list[float]) -> list[bool]:
    """Which of several p-values Holm's step-down rule rejects."""
    order = sorted(range(len(values)), key=values.__getitem__)
    found = [False] * len(values)
    for place, at in enumerate(order):
        if values[at] > FAMILYWISE / (len(values) - place):
            break
        found[at] = True
    return found


# ---- coverage --------------------------------------------------------------------------------------------------------


def lines_of_intervals() -> list[tuple[str, str, str, int, int, bool]]:
    """Design, kind, target, intervals, those that hold the truth, and whether these are too few."""
    rows = [
        (design, kind, of, n, round(n * share))
        for design, (_, counts) in intervals.kept().items()
        for (kind, of), (n, share) in intervals.shares(counts).items()
    ]
    few = rejected([float(binom(n, intervals.LEVEL).cdf(held)) for *_, n, held in rows])
    return [(*row, is_few) for row, is_few in zip(rows, few, strict=True)]


def narrow() -> list[tuple[str, str]]:
    """Kinds and targets of intervals that are too narrow in some design."""
    return sorted({(kind, of) for _, kind, of, _, _, is_few in lines_of_intervals() if is_few})


def coverage() -> Iterator[str]:
    """Which are too narrow, and why; one line a design, kind and target."""
    rows = lines_of_intervals()
    number = sum(is_few for *_, is_few in rows)
    yield f"Holm's rule at {FAMILYWISE:.0%} for all {len(rows)} lines together finds {number} too narrow:"
    yield ""
    by_reason = defaultdict[str, list[str]](list)
    for kind, of in narrow():
        by_reason[intervals.why_narrow(kind, of)].append(f"{kind} of {of}")
    yield from (f"- {', '.join(names)}: {reason}" for reason, names in by_reason.items())
    yield ""
    yield from plug_in()
    yield ""
    yield "| design | interval | of | intervals | hold the truth | |"
    yield "|---|---|---|---|---|---|"
    for design, kind, of, n, held, is_few in rows:
        error = 100.0 * math.sqrt(intervals.LEVEL * (1.0 - intervals.LEVEL) / n)
        said = "too narrow" if is_few else ""
        yield f"| {design} | {kind} | {of} | {n} | {100.0 * held / n:.1f} ± {error:.1f} % | {said} |"


def plug_in() -> Iterator[str]:
    """Means of fitted groups, which take the variances as known, beside those of others on the same data."""
    by = {(row["of"], row["by"]): (int(row["intervals"]), int(row["held"])) for row in rows_of("crossed_means")}

    def share(of: str, name: str) -> str:
        n, held = by[of, name]
        error = 100.0 * math.sqrt(intervals.LEVEL * (1.0 - intervals.LEVEL) / n)
        return f"{100.0 * held / n:.1f} ± {error:.1f} % of {n}"

    ours, known = share("fitted", "bayesmix"), share("fitted", "true variances")
    lme4, glmmtmb = share("fitted", "lme4, Henderson"), share("fitted", "glmmTMB")
    yield (
        "Means of fitted groups by an estimate (`mean, fitted group`) take the variances as known, as all conditional"
        f" means do. Of `crossed` data {ours} hold the truth, by Henderson's equations at lme4's variances {lme4}, by"
        f" glmmTMB {glmmtmb}; at the true variances {known} of the same data: the difference is what it costs to"
        " estimate them. Means with effects at zero have Satterthwaite's degrees of freedom, as emmeans has them:"
        f" {share('zero', 'bayesmix')}, and {share('zero', 'emmeans, Satterthwaite')} (`benchmarks/crossed_means.py`)."
    )


def rows_of(name: str) -> list[dict[str, str]]:
    """Of a table in `benchmarks`."""
    with (FOLDER / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))
